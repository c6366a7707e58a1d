"""HTTP dates: the three forms of RFC 9110 5.6.7, and nothing else."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sansio_http.fields.http_date import parse_http_date


def at(*moment: int) -> float:
    return datetime(*moment, tzinfo=UTC).timestamp()  # type: ignore[arg-type,misc]


@pytest.mark.parametrize(
    "text",
    # RFC 9110 5.6.7: one moment in all three forms.
    ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"],
)
def test_three_forms(text):
    assert parse_http_date(text) == 784111777
    assert parse_http_date(f" \t{text} ") == 784111777


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("Thu, 01 Jan 1970 00:00:00 GMT", (1970, 1, 1)),
        ("Tue, 29 Feb 2000 23:59:59 GMT", (2000, 2, 29, 23, 59, 59)),
        ("Fri, 31 Dec 9999 23:59:59 GMT", (9999, 12, 31, 23, 59, 59)),
        ("Mon, 01 Jan 0001 00:00:00 GMT", (1, 1, 1)),
        ("Mon Jun 13 11:30:12 2019", (2019, 6, 13, 11, 30, 12)),
        ("Mon, 06 Nov 1994 08:49:37 GMT", (1994, 11, 6, 8, 49, 37)),  # it was a Sunday
        ("Sat, 31 Dec 2016 23:59:60 GMT", (2017, 1, 1)),  # a leap second
    ],
)
def test_moments(text, moment):
    assert parse_http_date(text) == at(*moment)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Fri, 32 Dec 1999 23:59:59 GMT",
        "Tue, 29 Feb 2001 00:00:00 GMT",
        "Fri, 31 Dec 0000 23:59:59 GMT",
        "Fri, 31 Dec 1999 24:00:00 GMT",
        "Fri, 31 Dec 1999 23:60:00 GMT",
        "Fri, 31 Dec 1999 23:59:61 GMT",
        "Fri, 31 Dec 1999 23:59:59",
        "Fri, 31 Dec 1999 23:59:59 UTC",
        "Fri, 31 Dec 1999 23:59:59 +0000",
        "fri, 31 dec 1999 23:59:59 gmt",  # HTTP-date is case-sensitive
        "Fri, 1 Dec 1999 23:59:59 GMT",
        "Fri,  1 Dec 1999 23:59:59 GMT",
        "Fri, 31 Dec ²999 23:59:59 GMT",
        "Fri, 31 Dec ١٩٩٩ 23:59:59 GMT",
        "Fri, 31-Dec-1999 23:59:59 GMT",
        "Friday, 31-Dec-99 23:59:59",
        "Fri Dec  0 23:59:59 1999",
        "Fri Dec 1 23:59:59 1999",
        "Fri, 31 Dec 1999 23:59:59 GMT\n",
        "784111777",
    ],
)
def test_anything_else_is_no_date(text):
    assert parse_http_date(text) is None


@pytest.mark.parametrize(
    ("text", "wall", "year"),
    [
        ("Friday, 31-Dec-99 23:59:59 GMT", None, 1999),
        ("Friday, 31-Dec-69 23:59:59 GMT", None, 2069),
        ("Friday, 31-Dec-70 23:59:59 GMT", None, 1970),  # 2070 would be 50 years after the start of 2020, and more
        ("Wednesday, 01-Jan-70 00:00:00 GMT", None, 2070),  # exactly 50
        ("Wednesday, 01-Jan-70 00:00:01 GMT", None, 1970),
        ("Saturday, 01-Jan-00 00:00:00 GMT", at(1999, 12, 31), 2000),
        ("Friday, 31-Dec-99 23:59:59 GMT", at(2000, 1, 1), 1999),
        ("Friday, 31-Dec-99 23:59:59 GMT", at(2048, 12, 31), 1999),
        ("Friday, 31-Dec-99 23:59:59 GMT", at(2050, 1, 1), 2099),
        ("Monday, 29-Feb-00 00:00:00 GMT", at(2060, 1, 1), None),  # 2100 has none
        ("Friday, 31-Dec-99 23:59:59 GMT", 1e30, None),  # no such wall
    ],
)
def test_a_year_of_two_digits_is_at_most_fifty_years_ahead(text, wall, year):
    seconds = parse_http_date(text, wall=wall)
    assert (None if seconds is None else datetime.fromtimestamp(seconds, UTC).year) == year


DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
DAYS_IN_FULL = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@given(
    st.datetimes(datetime(1000, 1, 1), datetime(9999, 12, 31, 23, 59, 59)).map(
        lambda moment: moment.replace(microsecond=0)
    )
)
def test_every_moment_comes_back(moment):
    seconds = moment.replace(tzinfo=UTC).timestamp()
    day, month, clock = moment.weekday(), MONTHS[moment.month - 1], f"{moment:%H:%M:%S}"
    assert parse_http_date(f"{DAYS[day]}, {moment:%d} {month} {moment.year} {clock} GMT") == seconds
    assert parse_http_date(f"{DAYS[day]} {month} {moment.day:2d} {clock} {moment.year}") == seconds
    two_digits = f"{DAYS_IN_FULL[day]}, {moment:%d}-{month}-{moment.year % 100:02d} {clock} GMT"
    assert parse_http_date(two_digits, wall=seconds) == seconds


@given(st.text() | st.from_regex(r"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT"))
def test_no_text_makes_it_raise(text):
    seconds = parse_http_date(text)
    assert seconds is None or isinstance(seconds, float)
