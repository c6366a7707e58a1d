"""Content-Range: what RFC 9110 14.4 allows, and nothing that would make a file of the wrong bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sansio_http.fields.content_range import ContentRange, parse_content_range


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        # The examples of RFC 9110 14.4.
        ("bytes 42-1233/1234", (42, 1233, 1234)),
        ("bytes 42-1233/*", (42, 1233, None)),
        ("bytes */1234", (None, None, 1234)),
        ("bytes 0-499/1234", (0, 499, 1234)),
        ("bytes 734-1233/1234", (734, 1233, 1234)),
        ("\tBytes 0-0/1 ", (0, 0, 1)),
        ("bytes 0-1234/1234", None),
        ("bytes 5-4/10", None),
        ("bytes */*", None),
        ("items 0-1/2", None),
        ("bytes 0-1", None),
        ("bytes=0-1/2", None),
        ("bytes -1-1/2", None),
        ("bytes 0-1/2, bytes 3-4/5", None),
        ("bytes ²-3/9", None),
        ("bytes " + "9" * 5000 + "-1/2", None),
        ("", None),
    ],
)
def test_values(value, expected):
    assert parse_content_range(value) == expected


@given(st.integers(0, 10**12), st.integers(0, 10**12), st.integers(0, 10**12))
def test_what_is_possible_is_read_back(first, length, behind):
    last = first + length
    total = last + 1 + behind
    assert parse_content_range(f"bytes {first}-{last}/{total}") == ContentRange(first, last, total)


@given(st.text())
def test_nothing_raises(value):
    found = parse_content_range(value)
    assert found is None or found.total is not None or found.last is not None
