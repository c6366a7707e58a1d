"""The concurrency limit, or bulkhead: so many at once, the others queue."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Literal

from .queue import Claimed, Limiter, Reservation, allow, is_whole

if TYPE_CHECKING:
    from ..step import Waiter

Fate = Literal["ok", "dropped", "ignored"]
"""How what held a slot ended: well, by a sign of overload (a timeout, a refusal), or in a way that tells nothing."""


class Slot(Claimed):
    """Leave to be in flight, until :meth:`Concurrency.release`.

    Attributes:
        tokens: that it holds; 0 once it was released.
        nudge: whom to wake now; None for nobody.
    """

    __slots__ = ("tokens",)

    def __init__(self, tokens: float, nudge: Waiter | None) -> None:
        self.tokens = tokens
        self.nudge = nudge


class Concurrency(Limiter):
    """At most ``limit`` tokens held at once.

    How long a wait will be cannot be known: it is for those who hold slots to say, and :meth:`claim` answers None. A
    heavy head holds lighter ones back: that is what it costs that nobody is overtaken.

    Args:
        limit: tokens, a whole number, 1 or more.
        max_wait: 0 refuses whoever would have to wait; any other value lets all wait, for the wait is unknown.

    Raises:
        ConfigurationError: names the field, the value and what is allowed.
    """

    __slots__ = ("_in_use", "limit")

    whole_tokens = True

    def __init__(self, limit: int, *, max_wait: float | None = None) -> None:
        allow("limit", limit, is_whole(limit) and limit >= 1, "a whole number, 1 or more (held at once)")
        super().__init__(limit, max_wait)
        self.limit = limit
        self._in_use = 0

    @property
    def in_use(self) -> int:
        """Tokens held now."""
        return self._in_use

    def take(self, now: float, tokens: float = 1) -> Slot | None:
        """As :meth:`Limiter.take`; what is taken is a slot, and goes back by :meth:`release`."""
        if type(tokens) is not int or not 0 < tokens <= self.limit:
            self._check(tokens)
        if self._first is not None or self._in_use + tokens > self.limit:
            return None
        self._in_use += int(tokens)
        return Slot(tokens, None)

    def claim(self, reservation: Reservation, now: float) -> Slot | float | None:
        """As :meth:`Limiter.claim`; what is claimed is a slot."""
        answer = super().claim(reservation, now)
        return Slot(reservation.tokens, answer.nudge) if isinstance(answer, Claimed) else answer

    def release(self, slot: Slot, outcome: Fate, now: float) -> Waiter | None:
        """Give the slot back. Idempotent.

        Args:
            slot: that this limiter gave.
            outcome: how what held it ended. A fixed limit does not care; one that adapts learns from it.
            now: monotonic seconds.

        Returns:
            Whom to wake.
        """
        self._in_use -= int(slot.tokens)
        slot.tokens = 0
        return None if self._first is None else self._call_head(self._timeline.at(now))

    def _ready_at(self, ahead: float, tokens: float, time: float) -> float:
        return time if self._in_use + ahead + tokens <= self.limit else inf

    def _take(self, tokens: float, time: float) -> None:
        self._in_use += int(tokens)

    def _untake(self, tokens: float, time: float) -> None:
        self._in_use -= int(tokens)

    def _is_full(self, time: float) -> bool:
        return not self._in_use

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._in_use} of {self.limit} in use, {self.waiting} waiting>"
