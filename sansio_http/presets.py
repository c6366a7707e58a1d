"""Bundles that have a name, as the parts that :class:`~sansio_http.Policies` is made of.

Each is a whole that fits together, and none has a rate limit or credentials: those are the API's, not a matter of
taste. What has a state (a circuit, slots, a budget) is made anew each time: two bundles share nothing by accident.
"""

from __future__ import annotations

from typing import Any

from .circuit_breaker import CallWindow, Circuit
from .rate_limiter import Concurrency
from .retry import ExponentialBackoff, QuotaBudget, RetryPolicy


def none() -> dict[str, Any]:
    """Send once, believe the answer."""
    return {}


def standard() -> dict[str, Any]:
    """What a client does that was told nothing else."""
    return {"retry": RetryPolicy(), "retry_budget": QuotaBudget(), "slots": Concurrency(100)}


def aggressive() -> dict[str, Any]:
    """The answer matters more than the load: many attempts, soon, each cut off early."""
    return {
        "retry": RetryPolicy(retries=5, backoff=ExponentialBackoff(base=0.2, cap=10.0)),
        "retry_budget": QuotaBudget(),
        "circuit": Circuit(recovery_timeout=15.0, window=CallWindow(seconds=30.0, failure_rate=0.8)),
        "slots": Concurrency(200),
        "attempt_timeout": 10.0,
    }


def careful() -> dict[str, Any]:
    """The server is easily hurt: few at once, one retry after a long wait, and a break that grows."""
    return {
        "retry": RetryPolicy(retries=1, backoff=ExponentialBackoff(base=4.0, cap=60.0)),
        "retry_budget": QuotaBudget(),
        "circuit": Circuit(failure_threshold=3, recovery_factor=2.0),
        "slots": Concurrency(10),
    }


def patient() -> dict[str, Any]:
    """Nobody is waiting: a nightly job that would rather come late than not at all."""
    return {
        "retry": RetryPolicy(retries=10, backoff=ExponentialBackoff(base=1.0, cap=120.0), retry_after_max=3600.0),
        "retry_budget": QuotaBudget(),
        "slots": Concurrency(20),
        "attempt_timeout": 60.0,
    }


def fail_fast() -> dict[str, Any]:
    """Somebody is waiting: an answer in a moment, or none."""
    return {
        "retry": RetryPolicy(retries=1, backoff=ExponentialBackoff(base=0.1, cap=0.5), retry_after_max=1.0),
        "retry_budget": QuotaBudget(),
        "circuit": Circuit(recovery_timeout=10.0, window=CallWindow(seconds=10.0, minimum_calls=10)),
        "slots": Concurrency(100),
        "attempt_timeout": 2.0,
        "pool_timeout": 0.5,
    }
