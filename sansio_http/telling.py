"""A call's story for a person: every attempt, what it came to, and why another followed or not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .models import Attempt

_WHY = {
    "status": "its status may pass",
    "transport": "the connection failed",
    "timeout": "it took too long",
    "retry_after": "the server named the wait",
    "attempts": "no attempt is left",
    "deadline": "no time is left",
    "budget": "the retry budget is spent",
    "not_idempotent": "it must not happen twice",
    "not_replayable": "its body cannot be sent again",
    "not_retryable": "it would not help",
    "circuit_open": "the circuit breaker is open",
    "limiter": "the rate limiter has no place in time",
}


def tell_attempts(title: str, attempts: Sequence[Attempt]) -> str:
    """One line of title, and one for each attempt.

    Args:
        title: what became of the call.
        attempts: every try, oldest first. Times are told from when the first one went out.
    """
    if not attempts:
        return f"{title}\n  nothing was sent"
    first = attempts[0].started
    return "\n".join([title, *(_line(attempt, first) for attempt in attempts)])


def _line(attempt: Attempt, first: float) -> str:
    came = attempt.error or f"{attempt.status_code}"
    sends = f" ({attempt.sends} sends)" if attempt.sends > 1 else ""
    line = f"  {attempt.number}. at {attempt.started - first:.3f} s, {attempt.elapsed:.3f} s long{sends}: {came}"
    if attempt.reason is None:
        return line
    why = f"{attempt.reason}, {_WHY[attempt.reason]}" if attempt.reason in _WHY else attempt.reason
    if attempt.delay is None:
        return f"{line}; no other follows ({why})"
    return f"{line}; the next one {attempt.delay:.3f} s later ({why})"
