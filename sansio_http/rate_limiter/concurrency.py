"""The concurrency limit, or bulkhead: so many at once, the others queue."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from .checks import allow, is_whole
from .places import Claimed, Fate, Reservation, Slot
from .queue import Limiter

if TYPE_CHECKING:
    from ..step import Waiter


class Concurrency(Limiter):
    """At most ``limit`` tokens held at once.

    How long a wait will be cannot be known: it is for those who hold slots to say, and :meth:`claim` answers None. A
    heavy head holds lighter ones back: that is what it costs that nobody is overtaken.

    Args:
        limit: tokens, a whole number, 1 or more.
        max_waiting: places in the queue, 0 or more; who finds it full is refused. None for no limit.
        max_wait: 0 refuses whoever would have to wait; any other value lets all wait, for the wait is unknown.

    Raises:
        ConfigurationError: names the field, the value and what is allowed.
    """

    __slots__ = ("_in_use", "limit", "max_waiting")

    whole_tokens = True
    holds = True

    def __init__(self, limit: int, *, max_waiting: int | None = None, max_wait: float | None = None) -> None:
        allow("limit", limit, is_whole(limit) and limit >= 1, "a whole number, 1 or more (held at once)")
        if max_waiting is not None:
            fine = is_whole(max_waiting) and max_waiting >= 0
            allow("max_waiting", max_waiting, fine, "a whole number, 0 or more, or None")
        super().__init__(limit, max_wait)
        self.limit = limit
        self.max_waiting = max_waiting
        self._in_use = 0

    @property
    def in_use(self) -> int:
        """Tokens held now."""
        return self._in_use

    def take(self, now: float, tokens: float = 1) -> Slot | None:
        """As :meth:`Limiter.take`; what is taken is a slot, and goes back by :meth:`release`."""
        if type(tokens) is not int or not 0 < tokens <= self._capacity:
            self._check(tokens)
        if self._line is not None or self._in_use + tokens > self.limit:
            return None
        self._in_use += int(tokens)
        return Slot(tokens, None)

    def claim(self, reservation: Reservation, now: float) -> Slot | float | None:
        """As :meth:`Limiter.claim`; what is claimed is a slot."""
        answer = super().claim(reservation, now)
        return Slot(reservation.tokens, answer.nudge) if isinstance(answer, Claimed) else answer

    def release(self, slot: Slot, fate: Fate, now: float) -> Waiter | None:
        """As :meth:`Limiter.release`."""
        self._in_use -= int(slot.tokens)
        slot.tokens = 0
        return None if self._line is None else self._call_head(self._own(now))

    def _ready_at(self, ahead: float, tokens: float, time: float) -> float:
        return time if self._in_use + ahead + tokens <= self.limit else inf

    def _take(self, tokens: float, time: float) -> None:
        self._in_use += int(tokens)

    def _untake(self, tokens: float, time: float) -> None:
        self._in_use -= int(tokens)

    def _free(self, tokens: float, time: float) -> None:
        self._in_use -= int(tokens)

    def _is_full(self, time: float) -> bool:
        return not self._in_use

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._in_use} of {self.limit} in use, {self.waiting} waiting>"
