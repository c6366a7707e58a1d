"""What servers send beside Retry-After: waits in milliseconds, and resets of every kind."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sansio_http import Headers
from sansio_http.fields.hints import is_wait, parse_hint
from sansio_http.fields.retry_after import LONGEST

DATE = "Mon, 01 Jan 2024 00:00:00 GMT"
WALL = 1704067200.0  # is DATE


def hint(name: str, value: str, status: int = 429, wall: float | None = None, **headers: str) -> float | None:
    return parse_hint(name, Headers({name: value} | headers), status=status, wall=wall)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("1500", 1.5),
        (" 0 ", 0),
        ("12.5", 0.0125),
        ("999999999999999999", LONGEST),
        ("-100", None),
        ("", None),
        ("1e3", None),
        ("soon", None),
        ("²", None),  # a digit to str.isdigit, and in ISO-8859-1
    ],
)
def test_a_wait_in_milliseconds(value, seconds):
    for name in ("retry-after-ms", "x-amz-retry-after", "x-ms-retry-after-ms"):
        assert is_wait(name)
        assert hint(name, value, status=503) == seconds


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("30", 30),
        ("0", 0),
        ("0.25", 0.25),
        ("1704067230", 30),  # seconds since the epoch
        ("1704067230.5", 30.5),
        ("1704067230000", 30),  # milliseconds since the epoch
        ("1704067100", 0),
        ("Mon, 01 Jan 2024 00:00:30 GMT", 30),
        ("9999999999", LONGEST),
        ("tomorrow", None),
        ("-1", None),
        ("", None),
    ],
)
def test_a_reset(value, seconds):
    assert not is_wait("x-ratelimit-reset")
    assert hint("x-ratelimit-reset", value, Date=DATE) == seconds
    assert hint("x-ratelimit-reset", value, wall=WALL) == seconds


def test_a_time_needs_something_to_measure_it_against():
    assert hint("x-ratelimit-reset", "1704067230") is None
    assert hint("x-ratelimit-reset", "30") == 30


@pytest.mark.parametrize(
    ("name", "remaining"),
    [
        ("x-ratelimit-reset", "x-ratelimit-remaining"),
        ("x-rate-limit-reset", "x-rate-limit-remaining"),
        ("ratelimit-reset", "ratelimit-remaining"),
        ("x-ratelimit-reset-after", "x-ratelimit-remaining"),
        ("x-ratelimit-reset-requests", "x-ratelimit-remaining-requests"),
    ],
)
def test_a_reset_counts_only_where_the_quota_is_spent(name, remaining):
    assert hint(name, "30", 503) is None
    assert hint(name, "30", 503, **{remaining: "4999"}) is None
    assert hint(name, "30", 503, **{remaining: " 0 "}) == 30
    assert hint(name, "30", 429, **{remaining: "4999"}) == 30


def test_a_field_that_is_not_there():
    assert parse_hint("retry-after-ms", Headers(), status=429) is None
    assert parse_hint("x-ratelimit-reset", Headers(), status=429, wall=WALL) is None


@given(st.sampled_from(["retry-after-ms", "x-ratelimit-reset"]), st.text() | st.from_regex(r"[0-9.eE+\-]*"))
def test_no_text_makes_it_raise(name, value):
    class Raw(Headers):
        """What a server sends, whatever it is."""

        def get(self, name, default=None):  # type: ignore[no-untyped-def, override]
            return value if name in ("retry-after-ms", "x-ratelimit-reset") else default

    seconds = parse_hint(name, Raw(), status=429, wall=WALL)
    assert seconds is None or 0 <= seconds <= LONGEST
