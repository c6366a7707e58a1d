"""HTTP dates, in the three forms of RFC 9110 5.6.7.

The standard library's parser is in :mod:`email.utils`, which loads :mod:`socket` and accepts far more than HTTP does.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

_MONTHS = {
    month: number
    for number, month in enumerate(
        ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"), start=1
    )
}

_DAY = "(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
_DAY_IN_FULL = "(?:Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday)"
_MONTH = f"(?P<month>{'|'.join(_MONTHS)})"
_TIME = "(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})"

_FORMS = tuple(
    re.compile(form).fullmatch
    for form in (
        f"{_DAY}, (?P<day>[0-9]{{2}}) {_MONTH} (?P<year>[0-9]{{4}}) {_TIME} GMT",  # IMF-fixdate
        f"{_DAY_IN_FULL}, (?P<day>[0-9]{{2}})-{_MONTH}-(?P<year>[0-9]{{2}}) {_TIME} GMT",  # RFC 850
        f"{_DAY} {_MONTH} (?P<day>[ 0-9][0-9]) {_TIME} (?P<year>[0-9]{{4}})",  # asctime
    )
)

_PIVOT = datetime(2020, 1, 1, tzinfo=UTC)


def parse_http_date(text: str, *, wall: float | None = None) -> float | None:
    """Seconds since the epoch of an HTTP-date; None for anything else.

    A weekday that does not belong to the date is overlooked, and second 60 (a leap second) is the next minute's first.

    Args:
        text: the field value; blanks around it are allowed.
        wall: about when it was written, in seconds since the epoch. It decides the century of RFC 850's two-digit year:
            the latest that is not more than 50 years after ``wall``. Left out, it is the start of 2020.

    Source: RFC 9110 5.6.7.
    """
    text = text.strip(" \t")
    for form in _FORMS:
        if match := form(text):
            break
    else:
        return None
    month = _MONTHS[match["month"]]
    day, hour, minute, second = (int(match[name]) for name in ("day", "hour", "minute", "second"))
    year = int(match["year"])
    leap = second == 60
    try:
        if len(match["year"]) == 2:
            anchor = _PIVOT if wall is None else datetime.fromtimestamp(wall, UTC)
            latest = anchor.year + 50
            year = latest - (latest - year) % 100
            if year == latest and (month, day, hour, minute, second) > anchor.timetuple()[1:6]:
                year -= 100
        return datetime(year, month, day, hour, minute, second - leap, tzinfo=UTC).timestamp() + leap
    except (OverflowError, ValueError):
        return None
