"""What servers send beside Retry-After, or in its place, to say when to come back. None of it is a standard.

Two kinds are told apart by the field's name:

- a *wait* in milliseconds: ``retry-after-ms``, ``x-amz-retry-after`` and whatever else ends in ``-ms``. It is the exact
  form of a Retry-After;
- a *reset*, when a quota starts anew: ``x-ratelimit-reset``, ``x-rate-limit-reset``, ``ratelimit-reset``,
  ``x-ratelimit-reset-after``. Some count seconds from now, others from the epoch, some in milliseconds: a number so
  large that it cannot be a wait is a time. Many servers send it with every answer, so it counts only where the quota
  is spent: with a 429, or where the field of the same name with ``remaining`` says 0.
"""

from __future__ import annotations

import re

from ..headers import Headers
from .http_date import parse_http_date
from .retry_after import LONGEST

_NUMBER = re.compile(r"[0-9]{1,18}(?:\.[0-9]{1,18})?").fullmatch

_MILLISECONDS = frozenset({"x-amz-retry-after"})  # beside those whose name says so

_SECONDS_SINCE_EPOCH = 1e9  # nobody asks us to wait for thirty years
_MILLISECONDS_SINCE_EPOCH = 1e12


def is_wait(name: str) -> bool:
    """Whether a field of this name, in lower case, tells a wait in milliseconds; else it tells a reset."""
    return name.endswith("-ms") or name in _MILLISECONDS


def parse_hint(name: str, headers: Headers, *, status: int, wall: float | None = None) -> float | None:
    """Seconds to wait by the field ``name``, 0 to :data:`~.retry_after.LONGEST`; None where it says nothing.

    Args:
        name: in lower case.
        headers: of the answer.
        status: of the answer.
        wall: seconds since the epoch, for a time in an answer without a Date of its own.
    """
    value = headers.get(name, "").strip(" \t")
    number = float(value) if _NUMBER(value) else None
    if is_wait(name):
        return None if number is None else min(number / 1000.0, LONGEST)
    if status != 429 and headers.get(_remaining(name), "").strip(" \t") != "0":
        return None
    if number is not None and number < _SECONDS_SINCE_EPOCH:
        return number
    sent = parse_http_date(headers.get("date", ""), wall=wall)
    if sent is None:
        sent = wall
    if number is None:
        then = parse_http_date(value, wall=sent)
    else:
        then = number / 1000.0 if number >= _MILLISECONDS_SINCE_EPOCH else number
    return None if then is None or sent is None else min(max(then - sent, 0.0), LONGEST)


def _remaining(name: str) -> str:
    return name.removesuffix("-after").replace("reset", "remaining")
