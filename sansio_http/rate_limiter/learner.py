"""Limiters that hear how what they let out has ended, and what the server says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .places import Claimed, Fate, Refused, Reservation, Slot, TimedSlot
from .queue import RECHECK, Limiter

if TYPE_CHECKING:
    from ..step import Waiter


class Learner(Limiter):
    """A limiter whose claims are slots, each of which it hears of once: at :meth:`settle`, or at :meth:`release`."""

    __slots__ = ()

    holds = True

    def take(self, now: float, tokens: float = 1) -> TimedSlot | Refused | None:
        """As :meth:`Limiter.take`; what is taken is a slot, and goes back by :meth:`release`."""
        if super().take(now, tokens) is None:
            return None
        time = self._own(now)
        if (why := self._turns_away(time)) is not None:
            self._untake(tokens, time)
            return Refused(self._theirs(time + RECHECK), why)
        return TimedSlot(tokens, None, time)

    def put_back(self, now: float, tokens: float = 1) -> Waiter | None:
        """As :meth:`Limiter.put_back`; the slot is not released any more."""
        self._forget(self._own(now))
        return super().put_back(now, tokens)

    def reserve(
        self, now: float, tokens: float = 1, *, waiter: Waiter | None = None, max_wait: float | None = None
    ) -> Reservation | Refused:
        """As :meth:`Limiter.reserve`."""
        place = super().reserve(now, tokens, waiter=waiter, max_wait=max_wait)
        if isinstance(place, Reservation):
            time = self._own(now)
            if (why := self._turns_away(time)) is not None:
                super().cancel(place, now)  # the last in line: there is nobody to wake
                return Refused(self._theirs(time + RECHECK), why)
        return place

    def claim(self, reservation: Reservation, now: float) -> TimedSlot | float | None:
        """As :meth:`Limiter.claim`; what is claimed is a slot."""
        answer = super().claim(reservation, now)
        if isinstance(answer, Claimed):
            return TimedSlot(reservation.tokens, answer.nudge, self._own(now))
        return answer

    def cancel(self, reservation: Reservation, now: float) -> Waiter | None:
        """As :meth:`Limiter.cancel`."""
        if reservation.state in ("waiting", "passed"):
            self._forget(self._own(now))
        return super().cancel(reservation, now)

    def settle(self, slot: Slot, fate: Fate, now: float) -> Waiter | None:
        """As :meth:`Limiter.settle`."""
        time = self._own(now)
        self._hear(slot, fate, time)
        return self._call_head(time)

    def release(self, slot: Slot, fate: Fate, now: float) -> Waiter | None:
        """As :meth:`Limiter.release`."""
        time = self._own(now)
        self._hear(slot, fate, time)
        tokens, slot.tokens = slot.tokens, 0
        if tokens:
            self._free(tokens, time)
        return self._call_head(time)

    def hold_off(self, seconds: float, now: float) -> Waiter | None:
        """As :meth:`Limiter.hold_off`."""
        time = self._own(now)
        self._hold_until(time + seconds, time)
        return self._call_head(time)

    def adopt(
        self,
        remaining: float | None,
        reset: float | None,
        now: float,
        *,
        quota: float | None = None,
        window: float | None = None,
    ) -> Waiter | None:
        """As :meth:`Limiter.adopt`."""
        time = self._own(now)
        self._adopt(remaining, reset, quota, window, time)
        return self._call_head(time)

    def _hear(self, slot: Slot, fate: Fate, time: float) -> None:
        if isinstance(slot, TimedSlot) and not slot.heard:
            slot.heard = True
            self._learn(slot, fate, time)
