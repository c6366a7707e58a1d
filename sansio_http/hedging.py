"""Hedging: when to put one more send of the same attempt beside one that is slow.

Most calls are quick and a few are very slow, for reasons that another server, or the same one a moment later, does not
share. Asking once more after the time that nearly all answers take costs few sends and cuts off the slow end
(J. Dean, L. A. Barroso, "The Tail at Scale", CACM 56(2), 2013).
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from dataclasses import dataclass
from math import ceil, inf
from typing import Protocol

from .exceptions import ConfigurationError


class Hedging(Protocol):
    """Says when an attempt that has not been answered yet gets one more send beside it.

    The call asks only where a second send is harmless: an idempotent or vouched-for request without a body, or with
    one that may be sent twice at once. A hedge never queues: where the breaker is not CLOSED, the retry budget does not
    reach, or a claim would have to wait, it is skipped.
    """

    def next_at(self, first: float, extra: int) -> float | None:
        """When the next send is due, on the call's clock; None for no more.

        Args:
            first: when the attempt's first send went out.
            extra: sends added (or skipped) so far.
        """

    def observe(self, seconds: float, now: float) -> None:
        """An attempt was answered ``seconds`` after its first send, with whatever send of it."""
        return None  # noqa: RET501 - an empty body would have everybody write one


@dataclass(frozen=True, slots=True)
class FixedHedging:
    """One more send whenever another ``delay`` seconds have passed without an answer.

    Args:
        delay: seconds, above 0. What nearly all answers take is a good one: a shorter one doubles the load for nothing.
        extra: sends at most, beside the first; 1 or more.

    Raises:
        ConfigurationError: a value is out of its range.
    """

    delay: float
    extra: int = 1

    def __post_init__(self) -> None:
        if not (isinstance(self.delay, int | float) and 0 < self.delay < inf):
            raise ConfigurationError(f"FixedHedging.delay: {self.delay!r} is not allowed; it is seconds above 0")
        _check_extra("FixedHedging", self.extra)

    def next_at(self, first: float, extra: int) -> float | None:
        """See :meth:`Hedging.next_at`."""
        return first + self.delay * (extra + 1) if extra < self.extra else None

    def observe(self, seconds: float, now: float) -> None:
        """See :meth:`Hedging.observe`; nothing is learnt."""


class QuantileHedging:
    """One more send when an answer takes longer than nearly all of the last ones did.

    It keeps the latencies of the last ``recent`` answered attempts, also in their order of size, and waits for the
    ``quantile`` of them. An attempt that a hedge has won counts with the time since its first send: the least that its
    first send would have taken. Until there are ``minimum`` of them nothing is hedged.

    Stateful: share one between the calls of a client, for they teach it.

    Args:
        quantile: which part of the answers are not slow; above 0, below 1.
        extra: sends at most, beside the first; 1 or more.
        at_least: seconds, 0 or more: no hedge goes out sooner, however quick the answers are.
        recent: latencies that are kept.
        minimum: latencies that must be there; 1 to ``recent``.

    Raises:
        ConfigurationError: a value is out of its range.
    """

    __slots__ = ("_ordered", "_recent", "at_least", "extra", "minimum", "quantile", "recent")

    def __init__(
        self,
        quantile: float = 0.95,
        *,
        extra: int = 1,
        at_least: float = 0.0,
        recent: int = 200,
        minimum: int = 20,
    ) -> None:
        if not (isinstance(quantile, float) and 0 < quantile < 1):
            raise ConfigurationError(
                f"QuantileHedging.quantile: {quantile!r} is not allowed; it is above 0 and below 1"
            )
        _check_extra("QuantileHedging", extra)
        if not (isinstance(at_least, int | float) and 0 <= at_least < inf):
            raise ConfigurationError(f"QuantileHedging.at_least: {at_least!r} is not allowed; it is seconds, 0 or more")
        if not (isinstance(recent, int) and recent >= 1):
            raise ConfigurationError(f"QuantileHedging.recent: {recent!r} is not allowed; it is 1 or more")
        if not (isinstance(minimum, int) and 1 <= minimum <= recent):
            raise ConfigurationError(
                f"QuantileHedging.minimum: {minimum!r} is not allowed; it is 1 to recent ({recent})"
            )
        self.quantile = quantile
        self.extra = extra
        self.at_least = at_least
        self.recent = recent
        self.minimum = minimum
        self._recent: deque[float] = deque()
        self._ordered: list[float] = []  # the same ones

    @property
    def delay(self) -> float | None:
        """Seconds after which a hedge would go out now; None while too little is known."""
        ordered = self._ordered
        if len(ordered) < self.minimum:
            return None
        return max(self.at_least, ordered[ceil(self.quantile * len(ordered)) - 1])

    def next_at(self, first: float, extra: int) -> float | None:
        """See :meth:`Hedging.next_at`."""
        delay = self.delay
        return None if delay is None or extra >= self.extra else first + delay * (extra + 1)

    def observe(self, seconds: float, now: float) -> None:
        """See :meth:`Hedging.observe`."""
        ordered = self._ordered
        if len(ordered) == self.recent:  # moving some hundred numbers up costs less than any cleverer structure
            del ordered[bisect_left(ordered, self._recent.popleft())]
        self._recent.append(seconds)
        insort(ordered, seconds)


def _check_extra(kind: str, extra: object) -> None:
    if not (isinstance(extra, int) and not isinstance(extra, bool) and 1 <= extra <= MOST_EXTRA):
        raise ConfigurationError(f"{kind}.extra: {extra!r} is not allowed; it is 1 to {MOST_EXTRA}")


MOST_EXTRA = 7
"""Sends that a hedging policy of ours can ask for beside the first."""
