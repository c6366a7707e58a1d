"""Retry-After: digits or a date, and nothing that only looks like one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sansio_http.fields.http_date import parse_http_date
from sansio_http.fields.retry_after import LONGEST, parse_retry_after

NOON, MILLENNIUM = "Mon, 03 Jun 2019 11:00:00 GMT", "Fri, 31 Dec 1999 23:59:57 GMT"


@pytest.mark.parametrize("clock", ["date", "wall"])
@pytest.mark.parametrize(
    ("now", "values", "seconds"),
    [
        # Facts from RFC 9110 and from what urllib3 and go-retryablehttp test.
        (None, ["-1"], None),
        (None, ["+1"], None),
        (None, ["²"], None),
        (None, ["0"], 0),
        (None, ["\t42 "], 42),
        (NOON, ["3600"], 3600),
        (NOON, ["Mon, 03 Jun 2019 11:30:12 GMT"], 1812),
        (NOON, ["Mon Jun  3 11:30:12 2019"], 1812),
        (MILLENNIUM, ["2"], 2),
        (MILLENNIUM, ["Fri, 31 Dec 1999 23:59:00 GMT"], 0),
        (MILLENNIUM, ["2", "3"], 2),
        (MILLENNIUM, ["-2"], None),
        (MILLENNIUM, ["Fri, 32 Dec 1999 23:59:59 GMT"], None),
        ("Fri, 31 Dec 1999 23:57:59 GMT", ["Fri, 31 Dec 1999 23:59:59 GMT"], 120),
        (None, ["120"], 120),
        # hashicorp/go-retryablehttp, TestParseRetryAfterHeader at fd00458.
        (MILLENNIUM, ["Fri, 31 Dec 1999 23:59:59 GMT"], 2),
        (MILLENNIUM, [""], None),
        (MILLENNIUM, ["badbadbad"], None),
    ],
)
def test_vectors(clock, now, values, seconds):
    if clock == "date":
        assert parse_retry_after(values, date=now) == seconds
    else:
        assert parse_retry_after(values, wall=None if now is None else parse_http_date(now)) == seconds


@pytest.mark.parametrize(
    ("values", "seconds"),
    [
        ([], None),
        (["", "3"], None),
        (["soon", "3"], None),
        (["1.0"], None),
        (["1e3"], None),
        (["1_000"], None),
        (["0x10"], None),
        (["NaN"], None),
        (["٣"], None),
        (["1 2"], None),
        (["2, 3"], None),
        (["007"], 7),
        (["1000000000"], 1e9),
        (["9999999999"], LONGEST),
        (["1" + "0" * 30], LONGEST),
        (["9" * 10_000], LONGEST),  # int() refuses more than 4300 digits, and float() says inf
        (["0" * 10_000 + "5"], 5),
    ],
)
def test_seconds(values, seconds):
    assert parse_retry_after(values) == seconds


LATER = "Mon, 03 Jun 2019 11:30:12 GMT"


def test_a_date_needs_something_to_measure_it_against():
    assert parse_retry_after([LATER]) is None
    assert parse_retry_after([LATER], date="no date") is None


def test_the_server_s_own_date_wins_over_our_clock():
    ours = parse_http_date("Mon, 03 Jun 2019 11:30:00 GMT")
    assert parse_retry_after([LATER], date=NOON, wall=ours) == 1812
    assert parse_retry_after([LATER], date="no date", wall=ours) == 12
    assert parse_retry_after([LATER], wall=ours) == 12


def test_a_date_far_ahead_is_capped():
    assert parse_retry_after(["Fri, 31 Dec 9999 23:59:59 GMT"], date=NOON) == LONGEST


def test_a_two_digit_year_is_read_near_the_server_s_date():
    assert parse_retry_after(["Saturday, 01-Jan-00 00:00:00 GMT"], date=MILLENNIUM) == 3


@given(
    st.lists(st.text() | st.from_regex(r"[0-9.eE+\-]*"), max_size=2),
    st.none() | st.text(),
    st.none() | st.floats(0, 4e9),
)
def test_no_text_makes_it_raise(values, date, wall):
    seconds = parse_retry_after(values, date=date, wall=wall)
    assert seconds is None or 0 <= seconds <= LONGEST
