"""A circuit breaker as a table of states, with permits that know what they belong to.

While CLOSED everything passes and failures are counted. Enough of them, and the circuit is OPEN: nothing passes until
``recovery_timeout`` is over. Then it is HALF_OPEN: a few *probes* pass, and their outcomes decide between CLOSED and
OPEN. :data:`~sansio_http.TRANSITIONS` is the whole of it. Three things make it hold under concurrency:

- *Generations.* Each transition starts a new one, and a permit belongs to the one it was given in. The result of a call
  that began before the last transition tells of a server that was; it is dropped.
- *Identity.* A permit is ended once, by :meth:`Circuit.record`, :meth:`~Circuit.settle` or :meth:`~Circuit.release`;
  ending it again changes nothing. So a cancelled call gives back its own probe and nobody else's.
- *Leases.* A probe whose result never comes would keep the circuit HALF_OPEN for ever. Its lease ends as a failure.

Nothing runs in the background: what time alone brings about (the break is over, a lease has ended) is caught up with at
the start of every method, and dated at the moment it was due, not the moment it was noticed. To a CLOSED circuit time
does nothing, so there the clock is not even looked at.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import Any

from ..exceptions import ConfigurationError, DriverError
from ..models import Outcome
from ..timeline import Timeline
from .failures import is_failure as failure_by_default
from .failures import summary
from .table import CLOSED, HALF_OPEN, OPEN, TRANSITIONS, CircuitEvent, CircuitState

_ENDED = -1  # the generation of a permit that was given back: none ever has it


class Permit:
    """Leave to make one call. End it with exactly one of ``record``, ``settle`` and ``release`` of its circuit.

    Attributes:
        circuit: that gave it.
        generation: of the circuit when it gave it.
        lease_end: when it counts as lost, on the circuit's own time; infinite for a call while CLOSED.
    """

    __slots__ = ("circuit", "generation", "lease_end")

    def __init__(self, circuit: Circuit, generation: int, lease_end: float = inf) -> None:
        self.circuit = circuit
        self.generation = generation
        self.lease_end = lease_end

    def __repr__(self) -> str:
        kind = "call" if self.lease_end == inf else f"probe until {self.lease_end:.6g}"
        when = "ended" if self.generation == _ENDED else f"generation {self.generation}"
        return f"<Permit {kind}, {when}>"


@dataclass(slots=True)
class Rejected:
    """The circuit lets nothing through.

    Attributes:
        state: OPEN, or HALF_OPEN with all probes out.
        retry_at: when it is worth asking again, on the caller's clock.
        last_failure: one line on the failure that opened it.
    """

    state: CircuitState
    retry_at: float | None
    last_failure: str | None


class Circuit:
    """A circuit breaker that opens after consecutive failures.

    Args:
        failure_threshold: failures in a row that open it; 1 or more.
        recovery_timeout: seconds it stays open; above 0.
        half_open_permits: probes that must succeed before it closes, and that may be out at once; 1 or more.
        lease: seconds after which a probe without a result has failed, where ``admit`` is not told; above 0.
        is_failure: the verdict on an outcome, True, False, or None for neutral; left out, :func:`is_failure`.

    Attributes:
        last_state: the state as it was last noticed; :meth:`state_at` is up to date.
        generation: how many transitions there have been.

    Raises:
        ConfigurationError: names the field, the value and what is allowed.
    """

    __slots__ = (
        "_admitted",
        "_break_end",
        "_failures",
        "_is_failure",
        "_last_failure",
        "_probes",
        "_succeeded",
        "_timeline",
        "failure_threshold",
        "generation",
        "half_open_permits",
        "last_state",
        "lease",
        "recovery_timeout",
    )

    def __init__(
        self,
        failure_threshold: int = 5,
        recovery_timeout: float = 60.0,
        *,
        half_open_permits: int = 1,
        lease: float = 35.0,
        is_failure: Callable[[Outcome], bool | None] | None = None,
    ) -> None:
        self.failure_threshold = _whole(self, "failure_threshold", failure_threshold)
        self.recovery_timeout = _seconds(self, "recovery_timeout", recovery_timeout)
        self.half_open_permits = _whole(self, "half_open_permits", half_open_permits)
        self.lease = _seconds(self, "lease", lease)
        if is_failure is not None and not callable(is_failure):
            raise _not_allowed(self, "is_failure", is_failure, "callable, or None")
        self._is_failure = failure_by_default if is_failure is None else is_failure
        self._timeline = Timeline()

        self.last_state = CLOSED
        self.generation = 0
        # Of the last opening:
        self._break_end = 0.0  # own time
        self._last_failure: str | None = None
        # Of the present generation:
        self._admitted = 0  # CLOSED: permits out
        self._failures = 0  # CLOSED: in a row
        self._probes: tuple[Permit, ...] = ()  # HALF_OPEN: permits out
        self._succeeded = 0  # HALF_OPEN: probes

    # -- questions ----------------------------------------------------------------------------------------------------

    def state_at(self, now: float) -> CircuitState:
        """The state at ``now``, without a call having to pass."""
        self._catch_up(now)
        return self.last_state

    def peek(self, now: float) -> Rejected | None:
        """What :meth:`admit` would refuse with at ``now``; None if it would admit. Takes nothing."""
        self._catch_up(now)
        return self._refusal()

    def is_fresh(self, now: float) -> bool:
        """Whether nothing would be lost if a new circuit took the place of this one."""
        return self.state_at(now) is CLOSED and not self._failures and not self._admitted

    @property
    def failures(self) -> int:
        """Failures in a row while CLOSED; 0 in the other states."""
        return self._failures

    @property
    def permits_out(self) -> int:
        """Permits of the present generation that were not ended yet."""
        return self._admitted + len(self._probes)

    @property
    def rebases(self) -> int:
        """How often the caller's clock turned out to be another one."""
        return self._timeline.rebases

    # -- calls --------------------------------------------------------------------------------------------------------

    def admit(self, now: float, lease: float | None = None) -> Permit | Rejected:
        """Ask to make one call at ``now``.

        Args:
            now: monotonic seconds.
            lease: seconds after which, should this be a probe, it has failed without a result; above 0; by default
                the circuit's.

        Returns:
            A permit, to be ended once; or why there is none, and then nothing was taken.
        """
        if self.last_state is CLOSED:
            self._admitted += 1
            return Permit(self, self.generation)
        time = self._catch_up(now)
        if (rejected := self._refusal()) is not None:
            return rejected
        probe = Permit(self, self.generation, time + (self.lease if lease is None else lease))
        self._probes += (probe,)
        return probe

    def record(self, permit: Permit, outcome: Outcome, now: float) -> None:
        """End the permit with how its call ended, a response or an exception.

        A lease that ends at this very ``now`` has not ended before the result. A permit that has ended already, or is
        from before the last transition, changes nothing.

        Raises:
            DriverError: the permit is another circuit's.
            Exception: whatever the ``is_failure`` of the user's raises; the permit is then released.
        """
        try:
            failed = self._is_failure(outcome)
        except BaseException:
            self.release(permit, now)
            raise
        self.settle(permit, failed, now, outcome)

    def release(self, permit: Permit, now: float) -> None:
        """End the permit of a call that says nothing about the server, as one that was cancelled.

        Raises:
            DriverError: the permit is another circuit's.
        """
        self.settle(permit, None, now)

    def settle(self, permit: Permit, failed: bool | None, now: float, cause: object = None) -> None:
        """End the permit with a verdict, for who does not judge by ``is_failure``.

        Args:
            permit: that :meth:`admit` gave.
            failed: True for a failure, False for a success, None for neutral.
            now: monotonic seconds.
            cause: the outcome behind a failure, of which one line is kept.

        Raises:
            DriverError: the permit is another circuit's.
        """
        if permit.circuit is not self:
            raise DriverError(f"{permit!r} was given by another circuit than {self!r}")
        if self.last_state is not CLOSED:
            self._catch_up(now)
        if permit.generation != self.generation:
            return
        permit.generation = _ENDED
        if self.last_state is CLOSED:
            self._admitted -= 1
            if failed is not None:
                self._count_call(failed, now, cause)
        else:
            self._probes = tuple(probe for probe in self._probes if probe is not permit)
            if failed is not None:
                self._count_probe(failed, now, cause)

    # -- the machine --------------------------------------------------------------------------------------------------

    def _refusal(self) -> Rejected | None:
        """Why a call cannot pass in the present state; None if it can."""
        if self.last_state is OPEN:
            retry_at = self._break_end
        elif self.last_state is HALF_OPEN and len(self._probes) + self._succeeded == self.half_open_permits:
            retry_at = self._first_lease_end()
        else:
            return None
        return Rejected(self.last_state, self._timeline.back(retry_at), self._last_failure)

    def _count_call(self, failed: bool, now: float, cause: object) -> None:
        """Is it enough to open? (Another way of counting takes the place of this one.)"""
        self._failures = self._failures + 1 if failed else 0
        if self._failures >= self.failure_threshold:
            self._open(CircuitEvent.TRIPPED, self._timeline.at(now), summary(cause))

    def _count_probe(self, failed: bool, now: float, cause: object) -> None:
        """Is it enough to close, or to open again?"""
        if failed:
            self._open(CircuitEvent.PROBE_FAILED, self._timeline.at(now), summary(cause))
            return
        self._succeeded += 1
        if self._succeeded == self.half_open_permits:
            self._move(CircuitEvent.PROBES_SUCCEEDED)

    def _catch_up(self, now: float) -> float:
        """Make the moves that time alone has made due; gives the own time."""
        time = self._timeline.at(now)
        # Strictly: a result at the very end of its lease is still one.
        if self._probes and time > (lease_end := self._first_lease_end()):
            self._open(CircuitEvent.LEASE_ENDED, lease_end, "a probe was lost: no result within its lease")
        if self.last_state is OPEN and time >= self._break_end:
            self._move(CircuitEvent.BREAK_OVER)
        return time

    def _first_lease_end(self) -> float:
        return min(probe.lease_end for probe in self._probes)

    def _open(self, event: CircuitEvent, time: float, last_failure: str | None) -> None:
        self._move(event)
        self._break_end = time + self.recovery_timeout
        self._last_failure = last_failure

    def _move(self, event: CircuitEvent) -> None:
        """The one way from a state to the next."""
        self.last_state = TRANSITIONS[self.last_state, event]
        self.generation += 1
        self._admitted = self._failures = self._succeeded = 0
        self._probes = ()

    def __repr__(self) -> str:
        if self.last_state is CLOSED:
            detail = f"{self._failures} of {self.failure_threshold} failures"
        elif self.last_state is OPEN:
            detail = f"last failure: {self._last_failure}"
        else:
            detail = f"{self._succeeded} of {self.half_open_permits} probes succeeded, {len(self._probes)} out"
        return f"<{type(self).__name__} {self.last_state}, {detail}>"


def _whole(circuit: Circuit, field: str, value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 1:
        return value
    raise _not_allowed(circuit, field, value, "a whole number, 1 or more")


def _seconds(circuit: Circuit, field: str, value: Any) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < inf:
        return value
    raise _not_allowed(circuit, field, value, "finite seconds above 0")


def _not_allowed(circuit: Circuit, field: str, value: object, allowed: str) -> ConfigurationError:
    return ConfigurationError(f"{type(circuit).__name__}.{field}: {value!r:.40} is not allowed; it is {allowed}")
