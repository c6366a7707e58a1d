"""What one send takes of the policies that calls share, and how all of it is given back.

The order is the law of this module: a *look* at the circuit before anything is asked or waited for; then, at one
``now``, the limiter's tokens and the in-flight slot, both or neither; then the circuit's permit. Because these happen
at the same instant, a permit that is refused undoes the claim exactly, and neither a probe nor a token is ever held
through a wait.

The queue for a slot is joined only from the head of the limiter's queue, so that nobody can wait in both for what
somebody behind him holds. Several limiters are one to this module: a :class:`~.series.Series` goes through them in the
same way.

A limiter that wants to hear how sends end gives a slot of its own, its *hold*, which ends with the send.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, TypeVarTuple, Unpack

from .circuit_breaker import Circuit, CircuitState, Permit, Rejected
from .exceptions import (
    AttemptTimeoutError,
    CircuitBreakerOpenError,
    HTTPClientError,
    HTTPTimeoutError,
    PoolTimeoutError,
    RateLimitError,
    TotalTimeoutError,
)
from .keyed import Keyed
from .ledger import Ledger, error_for
from .models import HTTPRequest, Outcome
from .notes import CircuitChanged, Rebased
from .rate_limiter import CLAIMED, Claimed, Fate, Limiter, Refused, Reservation, Slot
from .rate_limiter.queue import RECHECK, recheck_in
from .series import Series

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

# The enumeration's attributes cost 30 ns a look on Python 3.11.
CLOSED, HALF_OPEN = CircuitState.CLOSED, CircuitState.HALF_OPEN

LEASE_WITHOUT_TIMEOUT, LEASE_MARGIN = 30.0, 5.0
"""Seconds that a probe of the circuit breaker may take: what the send may take, or 30, and 5 more."""


class Admission:
    """What a row has taken for its send: a place in a queue, then a slot and a permit.

    Attributes:
        request: that wants to go out.
        since: since when it wants to.
    """

    __slots__ = (
        "_circuit",
        "_hedge",
        "_hold",
        "_ledger",
        "_limiter",
        "_permit",
        "_place",
        "_seat",
        "_seated",
        "_slot",
        "request",
        "since",
    )

    # Set by approach(), and when the queue for a slot is joined.
    since: float
    _circuit: Circuit | None
    _limiter: Limiter | Series | None
    _seated: float

    # Set by the row, all in one place: it is made for every attempt.
    request: HTTPRequest
    _ledger: Ledger
    _hedge: bool  # it may not wait: what cannot be had now is refused
    _place: Reservation | None  # in the limiter's queue
    _seat: Reservation | None  # in the queue for a slot
    _slot: Slot | None
    _hold: Slot | None  # the limiter's own
    _permit: Permit | None

    def approach(self, request: HTTPRequest, now: float) -> None:
        """From now on ``request`` wants to go out, by the circuit and the limiter of its key."""
        policies = self._ledger.policies
        circuit, limiter = policies.circuit, policies.limiter
        if policies.keyed:
            self._circuit = circuit.for_request(request, now) if isinstance(circuit, Keyed) else circuit
            if isinstance(limiter, tuple):
                several = [each.for_request(request, now) if isinstance(each, Keyed) else each for each in limiter]
                self._limiter = Series(several, self._ledger)
            else:
                self._limiter = limiter.for_request(request, now) if isinstance(limiter, Keyed) else limiter  # type: ignore[assignment]  # a list has become a tuple
        else:
            self._circuit, self._limiter = circuit, limiter  # type: ignore[assignment]  # neither is Keyed
        self.request = request
        self.since = now

    def look(self, now: float) -> CircuitBreakerOpenError | None:
        """Whether the circuit would refuse now; nothing is taken."""
        circuit = self._circuit
        if circuit is None or circuit.last_state is CLOSED:  # which time alone does not change
            return None
        rejected = self._noted(now, circuit, circuit.peek, now)
        if rejected is not None:
            return _circuit_error(rejected, now)
        if self._hedge and circuit.last_state is HALF_OPEN:  # probes are for first sends
            return CircuitBreakerOpenError(HALF_OPEN)
        return None

    def enter(self, patience: float | None, deadline: float | None, now: float) -> HTTPClientError | float | None:
        """Take tokens, slot and permit, all at this ``now``, or none.

        Args:
            patience: until when it may wait.
            deadline: of the send, once it is out.

        Returns:
            None: it is in. A time: come again then, or when nudged. An error: it is refused and holds nothing.
        """
        if patience is not None and now >= patience:
            return self._refused(self._out_of_time(patience), now)
        if (taken := self._take_at_once(now)) is not True:
            wait = self._queue(patience, now) if taken is False else _too_late(taken, now)
            if wait is not None:
                if isinstance(wait, HTTPClientError):
                    return self._refused(wait, now)
                return wait if patience is None or wait < patience else patience
        circuit = self._circuit
        if circuit is not None:
            if circuit.last_state is CLOSED:
                permit = circuit.admit(now)
            else:
                lease = (LEASE_WITHOUT_TIMEOUT if deadline is None else deadline - now) + LEASE_MARGIN
                permit = self._noted(now, circuit, circuit.admit, now, lease)
            if isinstance(permit, Rejected):
                if self._limiter is not None:
                    self._hold = None
                    self._ledger.nudge(self._limiter.put_back(now))
                return self._refused(_circuit_error(permit, now), now)
            self._permit = permit
        return None

    def enter_noted(self, patience: float | None, deadline: float | None, now: float) -> HTTPClientError | float | None:
        """:meth:`enter`, where somebody listens."""
        limiter, notes = self._limiter, self._ledger.notes
        rebases = 0 if limiter is None else limiter.rebases
        answer = self.enter(patience, deadline, now)
        if notes is not None and limiter is not None and limiter.rebases != rebases:
            notes.append(Rebased(now, repr(limiter)))
        return answer

    def settle(self, outcome: Outcome, now: float) -> None:
        """The send ended: give the circuit its verdict."""
        permit, self._permit = self._permit, None
        if permit is not None:
            if self._ledger.notes is None:
                permit.circuit.record(permit, outcome, now)
            else:
                self._noted(now, permit.circuit, permit.circuit.record, permit, outcome, now)

    def head_came(self, fate: Fate, now: float) -> None:
        """The send has been answered, but its body is still to come: whoever learns learns now."""
        slots, limiter = self._ledger.policies.slots, self._limiter
        if self._slot is not None and slots is not None:
            self._ledger.nudge(slots.settle(self._slot, fate, now))
        if self._hold is not None and limiter is not None:
            self._ledger.nudge(limiter.settle(self._hold, fate, now))

    def free_slot(self, fate: Fate, now: float) -> None:
        """Give the slot back, if it is still held, and what the limiter holds."""
        hold, self._hold = self._hold, None
        if hold is not None and self._limiter is not None:
            self._ledger.nudge(self._limiter.release(hold, fate, now))
        slot, slots = self._slot, self._ledger.policies.slots
        if slot is not None and slots is not None:
            self._slot = None
            nudge = slots.release(slot, fate, now)
            if nudge is not None:
                self._ledger.nudge(nudge)

    def undo(self, now: float) -> None:
        """Give back what :meth:`enter` took at this same ``now``, tokens included."""
        if self._limiter is not None:
            self._ledger.nudge(self._limiter.put_back(now))
        self.abandon(now)

    def abandon(self, now: float) -> None:
        """Give everything back, whatever it holds, with no verdict; idempotent."""
        place, self._place = self._place, None
        if place is not None and self._limiter is not None:
            self._ledger.nudge(self._limiter.cancel(place, now))
        self._leave_seat(now)
        permit, self._permit = self._permit, None
        if permit is not None:
            self._noted(now, permit.circuit, permit.circuit.release, permit, now)
        self.free_slot("ignored", now)

    def _take_at_once(self, now: float) -> bool | Refused:
        """Tokens and slot without queueing, both or neither; or why there are none, however long it waits."""
        if self._place is not None or self._seat is not None:
            return False
        limiter, slots = self._limiter, self._ledger.policies.slots
        slot = None
        if slots is not None and (slot := slots.take(now)) is None:
            return False
        self._slot = slot
        if limiter is None:
            return True
        claimed = limiter.take(now)
        if claimed is CLAIMED:
            return True
        if isinstance(claimed, Claimed):
            self._hold = claimed if isinstance(claimed, Slot) else None
            return True
        self.free_slot("ignored", now)
        return False if claimed is None else claimed

    def _queue(self, deadline: float | None, now: float) -> HTTPClientError | float | None:
        """Tokens and slot from the queues, both or neither. None: both are taken."""
        if self._hedge:
            return _too_late(Refused(now), now)
        limiter, slots = self._limiter, self._ledger.policies.slots
        if limiter is not None and self._place is None:
            left = None if deadline is None else deadline - now
            place = limiter.reserve(now, 1, waiter=self._ledger, max_wait=left)
            if isinstance(place, Refused):
                return _too_late(place, now)
            self._place = place
        if slots is not None:
            self._slot = slots.take(now) if self._seat is None else self._claim_seat(now)
            if self._slot is None:
                if limiter is not None and self._place is not None and not limiter.claimable(self._place, now):
                    self._leave_seat(now)
                elif (wait := self._wait_seated(now)) is not None:
                    return wait
        if limiter is not None and self._place is not None:
            claimed = limiter.claim(self._place, now)
            if not isinstance(claimed, Claimed):
                self.free_slot("ignored", now)
                if isinstance(claimed, Refused):
                    return _too_late(claimed, now)
                return now + RECHECK if claimed is None else claimed
            self._place = None  # its tokens are taken
            self._hold = claimed if isinstance(claimed, Slot) else None
            self._ledger.nudge(claimed.nudge)
        return None

    def _claim_seat(self, now: float) -> Slot | None:
        """The slot, if this is the head of its queue and one is free."""
        slots, seat = self._ledger.policies.slots, self._seat
        assert slots is not None and seat is not None
        slot = slots.claim(seat, now)
        if not isinstance(slot, Slot):
            return None
        self._seat = None
        self._ledger.nudge(slot.nudge)
        return slot

    def _wait_seated(self, now: float) -> PoolTimeoutError | float | None:
        """Queue for a slot, or go on queueing: for how long nobody can know, so it is looked at again.

        None: joining the queue has passed a head that is late, and the slot was free.
        """
        policies = self._ledger.policies
        assert policies.slots is not None
        limit = policies.pool_timeout
        if self._seat is None:
            self._seated = now
            if limit != 0:
                seat = policies.slots.reserve(now, 1, waiter=self._ledger)
                if isinstance(seat, Reservation):
                    self._seat = seat
                    if (slot := self._claim_seat(now)) is not None:  # nobody would wake us for it any more
                        self._slot = slot
                        return None
                else:  # slots that let nobody wait
                    limit = 0.0
        if limit is not None and now >= self._seated + limit:
            message = (
                f"no connection came free in {limit:.3g} s: {policies.slots.in_use} requests in flight,"
                f" {policies.slots.waiting} waiting"
            )
            return error_for(PoolTimeoutError, message, self.request)
        again = now + recheck_in(policies.slots.waiting)
        return again if limit is None else min(again, self._seated + limit)

    def _leave_seat(self, now: float) -> None:
        seat, self._seat = self._seat, None
        if seat is not None and (slots := self._ledger.policies.slots) is not None:
            self._ledger.nudge(slots.cancel(seat, now))

    def _out_of_time(self, deadline: float) -> HTTPTimeoutError:
        if deadline == self._ledger.deadline:
            return error_for(TotalTimeoutError, "the call's time ran out in a queue", self.request)
        return error_for(AttemptTimeoutError, "the attempt's time ran out in a queue", self.request)

    def _refused(self, error: HTTPClientError, now: float) -> HTTPClientError:
        self.abandon(now)
        return error

    def _noted(self, now: float, circuit: Circuit, ask: Callable[[Unpack[Ts]], T], *args: *Ts) -> T:
        """Ask the circuit, and note what that has changed, if anybody listens."""
        notes = self._ledger.notes
        if notes is None:
            return ask(*args)
        before, generation, rebases = circuit.last_state, circuit.generation, circuit.rebases
        answer = ask(*args)
        if circuit.generation != generation:
            notes.append(CircuitChanged(now, before, circuit.last_state))
        if circuit.rebases != rebases:
            notes.append(Rebased(now, repr(circuit)))
        return answer


def _circuit_error(rejected: Rejected, now: float) -> CircuitBreakerOpenError:
    retry_after = None if rejected.retry_at is None else max(0.0, rejected.retry_at - now)
    return CircuitBreakerOpenError(rejected.state, retry_after=retry_after, last_failure=rejected.last_failure)


def _too_late(refused: Refused, now: float) -> RateLimitError:
    retry_after = max(0.0, refused.retry_at - now)
    message = f"the client's own rate limiter {refused.why}; try again in {retry_after:.3g} s"
    return RateLimitError(None, message, retry_after=retry_after, local=True)
