"""The Retry-After field: how long a server asks us to stay away."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from .http_date import parse_http_date

LONGEST: Final = 2.0**31
"""Seconds that any longer wait counts as: what RFC 9111 1.2.2 takes for a delta-seconds too large to represent."""

_DELTA_SECONDS = re.compile("[0-9]+").fullmatch


def parse_retry_after(values: Sequence[str], *, date: str | None = None, wall: float | None = None) -> float | None:
    """Seconds to wait, from 0 to :data:`LONGEST`; None where the field is missing or makes no sense.

    Args:
        values: the field's lines, as they came: only the first counts.
        date: the Date field of the same response. An HTTP-date is measured against it: both come from one clock.
        wall: seconds since the epoch, by our own clock, for an HTTP-date in a response without a usable Date.

    Source: RFC 9110 10.2.3.
    """
    if not values:
        return None
    value = values[0].strip(" \t")
    if _DELTA_SECONDS(value):
        return min(float(value), LONGEST)  # float, not int: that refuses more than 4300 digits
    sent = None if date is None else parse_http_date(date, wall=wall)
    if sent is None:
        sent = wall
    then = parse_http_date(value, wall=sent)
    if then is None or sent is None:
        return None
    return min(max(then - sent, 0.0), LONGEST)
