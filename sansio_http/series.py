"""Several limiters that one send has to pass: its places in their queues, and what it took of each.

The limiters come in an order, and the queue of each is joined only from the head of the one before, once that would let
it through: so nobody can wait in one queue for what somebody behind him in another holds. When all of them would let it
through at the same ``now``, all are taken, else none.

To an :class:`~.admission.Admission` a series looks like a single limiter, which has nobody to wake: that it tells the
ledger itself. It belongs to one send, and ends with it.
"""

from __future__ import annotations

from collections.abc import Sequence

from .exceptions import ConfigurationError
from .ledger import Ledger
from .rate_limiter import Claimed, Fate, Limiter, Refused, Reservation, Slot
from .step import Waiter


class Series:
    """One send's way through several limiters.

    Args:
        limiters: in the order in which their queues are joined; one that is there already is not asked twice.
        ledger: whom they wake, and that is told whom to wake.
    """

    __slots__ = ("_at", "_claims", "_ledger", "_limiters", "_places", "_refused", "_until", "steered")

    def __init__(self, limiters: Sequence[Limiter], ledger: Ledger) -> None:
        self._limiters = tuple({id(each): each for each in limiters}.values())
        self._ledger = ledger
        self._places: list[Reservation] = []  # in the queues that it has joined
        self._claims: list[tuple[Limiter, Claimed]] = []
        self._refused: Refused | None = None
        self._at = 0  # where it waits
        self._until: float | None = None
        self.steered = any(each.steered for each in self._limiters)

    @property
    def rebases(self) -> int:
        """How often any of them has met another clock."""
        return sum(each.rebases for each in self._limiters)

    def take(self, now: float) -> Slot | Refused | None:
        """From all of them at once, without queueing; or from none."""
        for each in self._limiters:
            claimed = each.take(now)
            if not isinstance(claimed, Claimed):
                self._undo(now)
                return claimed
            self._claims.append((each, claimed))
        return Slot(1, None)

    def reserve(self, now: float, tokens: float, *, waiter: Ledger, max_wait: float | None) -> Reservation | Refused:
        """A place in the first queue."""
        self._until = None if max_wait is None else now + max_wait
        place = self._limiters[0].reserve(now, tokens, waiter=waiter, max_wait=max_wait)
        if isinstance(place, Reservation):
            self._places.append(place)
        return place

    def claimable(self, reservation: Reservation, now: float) -> bool:
        """Whether all would let it through; joins the queues that it comes to, and leaves those it is too early for."""
        if self._refused is not None:
            return False
        for at, limiter in enumerate(self._limiters):
            if at == len(self._places):
                left = None if self._until is None else self._until - now
                place = limiter.reserve(now, 1, waiter=self._ledger, max_wait=left)
                if isinstance(place, Refused):
                    self._refused = place
                    return False
                self._places.append(place)
            if not limiter.claimable(self._places[at], now):
                self._at = at
                self._leave(at + 1, now)
                return False
        return True

    def claim(self, reservation: Reservation, now: float) -> Slot | Refused | float | None:
        """Take from all of them; or when to come again; or why not at all."""
        if not self.claimable(reservation, now):
            if self._refused is not None:
                return self._refused
            answer = self._limiters[self._at].claim(self._places[self._at], now)
            assert not isinstance(answer, Claimed)
            return answer
        for limiter, place in zip(self._limiters, self._places, strict=True):
            claimed = limiter.claim(place, now)
            if not isinstance(claimed, Claimed):
                raise ConfigurationError("Policies.limiter: two of the limiters have a part in common")
            self._claims.append((limiter, claimed))
            self._ledger.nudge(claimed.nudge)
        self._places.clear()
        return Slot(1, None)

    def cancel(self, reservation: Reservation, now: float) -> Waiter | None:
        """Leave all queues, with nothing taken."""
        self._leave(0, now)
        self._undo(now)
        return None

    def put_back(self, now: float) -> Waiter | None:
        """Undo what was taken at this very ``now``."""
        self._undo(now)
        return None

    def settle(self, slot: Slot, fate: Fate, now: float) -> Waiter | None:
        """Tell them how the send ended; what they hold stays held."""
        for limiter, claimed in self._claims:
            if isinstance(claimed, Slot):
                self._ledger.nudge(limiter.settle(claimed, fate, now))
        return None

    def release(self, slot: Slot, fate: Fate, now: float) -> Waiter | None:
        """Tell them how the send ended, and give back what they hold."""
        for limiter, claimed in self._claims:
            if isinstance(claimed, Slot):
                self._ledger.nudge(limiter.release(claimed, fate, now))
        self._claims.clear()
        return None

    def hold_off(self, seconds: float, now: float) -> Waiter | None:
        """As :meth:`Limiter.hold_off`, to all that are steered."""
        for each in self._limiters:
            self._ledger.nudge(each.hold_off(seconds, now))
        return None

    def adopt(
        self,
        remaining: float | None,
        reset: float | None,
        now: float,
        *,
        quota: float | None = None,
        window: float | None = None,
    ) -> Waiter | None:
        """As :meth:`Limiter.adopt`, to all that are steered."""
        for each in self._limiters:
            self._ledger.nudge(each.adopt(remaining, reset, now, quota=quota, window=window))
        return None

    def _leave(self, at: int, now: float) -> None:
        """Give up the places from number ``at`` on."""
        for limiter, place in zip(self._limiters[at:], self._places[at:], strict=False):
            self._ledger.nudge(limiter.cancel(place, now))
        del self._places[at:]

    def _undo(self, now: float) -> None:
        for limiter, _ in reversed(self._claims):
            self._ledger.nudge(limiter.put_back(now))
        self._claims.clear()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {', '.join(map(repr, self._limiters))}>"
