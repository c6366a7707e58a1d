"""The queue that all limiters share: a FIFO of places, whose tokens are taken at the claim.

To promise everybody a fixed time cannot work: of four waiters one cancels, and either the window is broken, or somebody
is overtaken, or a debt remains. So nothing is promised and nothing is taken in advance:

- A place is *told* a time, an estimate in O(1): when its tokens would come if all ahead claimed punctually. Somebody
  ahead cancels: it may come earlier. Somebody ahead is late: it will be later.
- Only the *head* claims, at the real ``now``. So a law holds over claims, however late anybody wakes.
- Who comes early is told the same time again. Who comes in time and is not yet the head *parks*: it is told a new
  estimate, at least :data:`RECHECK` away, for by then a nudge ought to have come.
- A new head is *nudged* if its turn is before the time it was told, else it comes by itself. An operation nudges at
  most one waiter, so there is no herd; a nudge that is lost costs the time until the one that was told.
- A place that is cancelled leaves the queue at once. It has taken nothing, so nobody pays for it.
- A head that is :data:`GRACE` late is *passed* by whoever comes, and with it those behind it who should have come no
  later. (All whose time has come may *not* be passed at once: after an event loop has stalled, all are late together,
  and whoever happens to run first would overtake every one of them.) A place that was passed keeps its right: when it
  comes it claims at once if the tokens are there, else it is the head again.

Times inside are the limiter's own (:class:`~sansio_http.timeline.OwnTime`); what goes out is on the caller's clock.
How they stand in line is :class:`~.line.Line`'s, which an idle limiter has none of.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from ..exceptions import DriverError
from ..timeline import OwnTime
from .checks import allow, is_number, is_whole
from .law import Law
from .line import Line
from .places import CLAIMED, Claimed, Refused, Reservation

if TYPE_CHECKING:
    from ..step import Waiter

RECHECK = 1.0
"""Seconds after which a place that was not the head when its time came looks again."""

CROWD = 200
"""Places that may look again every :data:`RECHECK`; of more, each looks less often. A thousand that all looked every
second would keep the machine busy with looking, be served later for it, and look the more."""

GRACE = 1.0
"""Seconds that a head may be late before others pass it."""


def recheck_in(waiting: int) -> float:
    """Seconds after which one of so many looks again, for the case that it was not nudged when its turn came."""
    return RECHECK if waiting <= CROWD else RECHECK * waiting / CROWD


class Limiter(OwnTime, Law):
    """A FIFO of places before a law that says when tokens are there.

    The law is a subclass's (see :class:`~.law.Law`). Where :attr:`holds` is True, what is taken or claimed is a
    :class:`Slot`, and its end is told by :meth:`release`.

    Args:
        capacity: the most tokens that one claim can ever get, 1 or more.
        max_wait: seconds that a wait may take; a longer one is refused at once. None for no limit.

    Raises:
        ConfigurationError: names the field, the value and what is allowed.
    """

    __slots__ = ("_capacity", "_line", "max_wait")

    def __init__(self, capacity: float, max_wait: float | None) -> None:
        if max_wait is not None:
            allow("max_wait", max_wait, is_number(max_wait) and max_wait >= 0, "finite seconds, 0 or more, or None")
        super().__init__()
        self.max_wait = max_wait
        self._capacity = capacity
        self._line: Line | None = None  # nobody waits

    # -- questions ----------------------------------------------------------------------------------------------------

    @property
    def waiting(self) -> int:
        """Places in the queue."""
        return 0 if self._line is None else self._line.waiting

    def is_fresh(self, now: float) -> bool:
        """Whether nothing would be lost if a new limiter took the place of this one."""
        return self._is_full(self._own(now)) and self._line is None

    def claimable(self, reservation: Reservation, now: float) -> bool:
        """Whether :meth:`claim` would succeed at this ``now``; takes nothing."""
        time = self._own(now)
        return self._has_turn(reservation, time) and self._ready_at(0, reservation.tokens, time) <= time

    # -- places -------------------------------------------------------------------------------------------------------

    def take(self, now: float, tokens: float = 1) -> Claimed | Refused | None:
        """Tokens at once, without a place, if they are there and nobody waits; else :meth:`reserve` one.

        Args:
            now: monotonic seconds.
            tokens: as for :meth:`reserve`.

        Returns:
            The tokens, taken; None if they are not there; :class:`Refused` if they are, and not for this one.

        Raises:
            ConfigurationError: so many tokens can never be had.
        """
        if type(tokens) is not int or not 0 < tokens <= self._capacity:
            self._check(tokens)
        if self._line is not None:
            return None
        time = self._own(now)
        if self._ready_at(0, tokens, time) > time:
            return None
        self._take(tokens, time)
        return CLAIMED

    def put_back(self, now: float, tokens: float = 1) -> Waiter | None:
        """Give back what was taken or claimed at this very ``now``, as if it had not been.

        Returns:
            Whom to wake.
        """
        time = self._own(now)
        self._untake(tokens, time)
        return self._call_head(time)

    def reserve(
        self, now: float, tokens: float = 1, *, waiter: Waiter | None = None, max_wait: float | None = None
    ) -> Reservation | Refused:
        """Get a place at the end of the queue. The first :meth:`claim` may follow at once.

        Args:
            now: monotonic seconds.
            tokens: how many to take at once; above 0, at most the capacity.
            waiter: whom to wake when the turn comes earlier than told; None for somebody who looks by himself.
            max_wait: seconds that the wait may take, beside the limiter's own ``max_wait``. It is tested here, once, on
                the estimate; a wait of unknown length is refused by 0 alone, and no wait at all never.

        Returns:
            A place, to be ended by a claim that succeeds or by :meth:`cancel`; or why there is none.

        Raises:
            ConfigurationError: so many tokens can never be had.
        """
        time = self._own(now)
        if type(tokens) is not int or not 0 < tokens <= self._capacity:
            self._check(tokens)
        passed = self._line is not None and self._pass_late_head(self._line, None, time)
        line = self._line
        ready = self._ready_at(0 if line is None else line.pending, tokens, time)
        if ready > time:
            if passed and line is not None:  # who else of those ahead does not come is known in a while
                ready = min(ready, time + RECHECK)
            if self._is_too_long(ready - time, max_wait):
                return Refused(self._theirs(time + RECHECK if ready == inf else ready))
            if self.max_waiting is not None and self.waiting >= self.max_waiting:
                retry_at = self._theirs(time + RECHECK if ready == inf else ready)
                return Refused(retry_at, f"has a full queue: {self.waiting} waiting")
        else:
            ready = time
        place = Reservation(tokens, waiter, ready)
        if line is None:
            self._line = Line(place)
        else:
            line.append(place)
        return place

    def claim(self, reservation: Reservation, now: float) -> Claimed | float | None:
        """Take the tokens, if it is this place's turn and they are there.

        Returns:
            :class:`Claimed`; or when to come again, on the caller's clock, later than ``now``, unless nudged before; or
            None where that cannot be known: a nudge will come, and looking again after :data:`RECHECK` heals its loss.

        Raises:
            DriverError: the place was claimed or cancelled before.
        """
        time = self._own(now)
        if not self._has_turn(reservation, time):
            return self._park(reservation, time)
        tokens = reservation.tokens
        ready = self._ready_at(0, tokens, time)
        if ready > time:
            if reservation.state == "passed":
                self._put_first(reservation)
            return self._tell(reservation, ready)
        self._take(tokens, time)
        claimed = CLAIMED
        nudge = None
        if reservation.state == "waiting":
            self._leave(reservation)
            if self._line is not None:
                nudge = self._promote(self._line.first, time)
        else:  # it was passed while it was late, and whoever became the head then was not told
            nudge = self._call_head(time)
        if nudge is not None:
            claimed = Claimed(nudge)
        reservation.state = "claimed"
        return claimed

    def cancel(self, reservation: Reservation, now: float) -> Waiter | None:
        """Give up the place, whose tokens are then never taken. Idempotent; nothing if it was claimed.

        Returns:
            Whom to wake.
        """
        time = self._own(now)
        was_first = self._line is not None and reservation is self._line.first
        if reservation.state == "waiting":
            self._leave(reservation)
        if reservation.state != "claimed":
            reservation.state = "cancelled"
        return self._promote(self._line.first, time) if was_first and self._line is not None else None

    # -- the queue ----------------------------------------------------------------------------------------------------

    def _has_turn(self, reservation: Reservation, time: float) -> bool:
        """Whether nobody has to be waited for, late ones apart."""
        if reservation.state != "waiting":
            return reservation.state == "passed"
        line = self._line
        assert line is not None  # it is in it
        if reservation is not line.first and self._pass_late_head(line, reservation, time):
            reservation.due = min(reservation.due, time + RECHECK)  # its estimate counted those who do not come
        return reservation is line.first

    def _park(self, reservation: Reservation, time: float) -> float | None:
        """Tell a place that is not the head when to come."""
        if reservation.state in ("claimed", "cancelled"):
            raise DriverError(f"{reservation!r} cannot be claimed: its wait is over")
        due = reservation.due
        if due <= time:
            line = self._line
            assert line is not None  # it is in it
            # Those who cancelled in between are still counted by the marks, but never more than who is there at all.
            ahead = min(reservation.mark - line.first.mark, line.pending - reservation.tokens)
            due = max(time + recheck_in(line.waiting), self._ready_at(ahead, reservation.tokens, time))
        return self._tell(reservation, due)

    def _tell(self, place: Reservation, due: float) -> float | None:
        """It is to come at ``due``: on the caller's clock, or None where that is when a nudge comes."""
        place.due = place.told = due
        return None if due == inf else self._theirs(due)

    def _pass_late_head(self, line: Line, comer: Reservation | None, time: float) -> bool:
        """Let a head that is late stand aside, with those who should have come no later; not the ``comer``."""
        head = line.first
        late = head.due
        if time < late + GRACE:
            return False
        while head is not comer and head.due <= late:
            self._leave(head)
            head.state = "passed"
            if self._line is None:
                return True
            head = line.first
        # There is no way to nudge the new head from here. It comes when it was told, or whoever can nudges it; but its
        # grace runs from its turn on, or a dead one could not be passed.
        turn = max(self._ready_at(0, head.tokens, time), time)
        head.due = min(max(head.due, time), turn)
        return True

    def _promote(self, head: Reservation, time: float) -> Waiter | None:
        """There is a new head. Whom to wake, if its turn is earlier than it was told."""
        head.due = max(head.due, time)  # late or not, its grace starts here
        return self._call_head(time)

    def _call_head(self, time: float) -> Waiter | None:
        """Whom to wake, if the turn of the head is earlier than it was told."""
        if self._line is None:
            return None
        head = self._line.first
        ready = max(self._ready_at(0, head.tokens, time), time)
        if ready >= head.told:
            return None
        head.due = head.told = ready
        return head.waiter

    def _put_first(self, place: Reservation) -> None:
        place.state = "waiting"
        if self._line is None:
            self._line = Line(place)
        else:
            self._line.put_first(place)

    def _leave(self, place: Reservation) -> None:
        line = self._line
        assert line is not None  # it is in it
        if line.waiting > 1:
            line.remove(place)
        else:
            self._line = None

    def _is_too_long(self, wait: float, limit: float | None) -> bool:
        own = self.max_wait
        if limit is None or (own is not None and own < limit):
            limit = own
        return limit is not None and (limit <= 0 if wait == inf else wait > limit)

    def _check(self, tokens: float) -> None:
        """That so many tokens can ever be had."""
        number, what = (is_whole, "a whole number") if self.whole_tokens else (is_number, "a number")
        ok = number(tokens) and 0 < tokens <= self._capacity
        allow("tokens", tokens, ok, f"{what} above 0, at most {self._capacity:.15g}")
