"""What the end of a send tells the limiters: how busy the server is, and what it says about its limits."""

from __future__ import annotations

from math import inf

from .exceptions import HTTPTimeoutError, PoolTimeoutError
from .fields.rate_limit import ServerLimit
from .ledger import Ledger
from .models import HTTPResponse, Outcome
from .rate_limiter import Fate, Limiter
from .series import Series

REFUSALS = frozenset({429, 503})
"""The statuses by which a server refuses a request as one too many."""


def fate_of(outcome: Outcome) -> Fate:
    """What the end of a send says about the server's load.

    A 429 or 503: that this one was too much. Any other answer: that it was not. A timeout: that it may have been. Any
    other failure: nothing.
    """
    if isinstance(outcome, HTTPResponse):
        return "throttled" if outcome.status_code in REFUSALS else "ok"
    if isinstance(outcome, PoolTimeoutError):  # a queue of ours
        return "ignored"
    return "dropped" if isinstance(outcome, HTTPTimeoutError) else "ignored"


def steer(limiter: Limiter | Series, response: HTTPResponse, ledger: Ledger, now: float) -> None:
    """Tell a limiter that is steered what the server says: by Retry-After beside a refusal, by the RateLimit fields.

    Of several limits the one of which the least is left counts; only those that count requests do.
    """
    if response.status_code in REFUSALS:
        wall = ledger.policies.wall
        seconds = response.retry_after(wall() if wall else None)
        if seconds is not None:
            ledger.nudge(limiter.hold_off(seconds, now))
    limits = [limit for limit in response.rate_limits if limit.unit == "requests"]
    if limits:
        tightest = min(limits, key=_left)
        ledger.nudge(
            limiter.adopt(tightest.remaining, tightest.reset, now, quota=tightest.quota, window=tightest.window)
        )


def _left(limit: ServerLimit) -> tuple[float, float]:
    """What to compare limits by: fewest left, and longest so."""
    return inf if limit.remaining is None else limit.remaining, -(limit.reset or 0)
