"""A circuit breaker as a table of states, with permits that know what they belong to.

While CLOSED everything passes and failures are counted. Enough of them, and the circuit is OPEN: nothing passes until
``recovery_timeout`` is over. Then it is HALF_OPEN: a few *probes* pass, and their outcomes decide between CLOSED and
OPEN. Somebody who knows better may say ISOLATED or DISABLED. :data:`~sansio_http.TRANSITIONS` is the whole of it. Three
things make it hold under concurrency:

- *Generations.* Each transition starts a new one, and a permit belongs to the one it was given in. The result of a call
  that began before the last transition tells of a server that was; it is dropped.
- *Identity.* A permit is ended once, by :meth:`Circuit.record`, :meth:`~Circuit.settle` or :meth:`~Circuit.release`;
  ending it again changes nothing. So a cancelled call gives back its own probe and nobody else's.
- *Leases.* A probe whose result never comes would keep the circuit HALF_OPEN for ever. Its lease ends as a failure.

Nothing runs in the background: what time alone brings about (the break is over, a lease has ended) is caught up with
whenever somebody tells the time, and dated at the moment it was due, not the moment it was noticed. To a CLOSED circuit
time does nothing, so there the clock is looked at only where a window or an opening needs it.
"""

from __future__ import annotations

from collections.abc import Callable

from ..exceptions import DriverError
from ..models import Outcome
from .failures import summary
from .permit import ENDED, Permit, Rejected
from .settings import USUAL_THRESHOLD, Configured
from .table import CLOSED, HALF_OPEN, ISOLATED, OPEN, TRANSITIONS, CircuitEvent, CircuitState
from .window import CallWindow, LastCalls, RecentCalls


class Circuit(Configured):
    """A circuit breaker. It opens after failures in a row, or by the rates of a window.

    Args:
        failure_threshold: failures in a row that open it; 1 or more. With a ``window`` it is not given.
        recovery_timeout: seconds it stays open; above 0.
        window: opens it by the rate of failures, or of slow calls, in the place of failures in a row.
        half_open_permits: probes that may be out at once, and that decide; 1 or more.
        success_threshold: how many of them must succeed for it to close: it does at that many, and opens again as soon
            as that cannot be reached any more. 1 to ``half_open_permits``; None for all of them.
        lease: seconds after which a probe without a result has failed, where ``admit`` is not told; above 0.
        recovery_factor: by which the break grows each time it opens without having closed in between; 1 or more.
        recovery_max: seconds that a break grows to at most, ``recovery_timeout`` or more; None for ten times that.
        recovery_jitter: a random part of so much of the break is added to it, 0 to 1, so that many clients do not probe
            in lockstep.
        rand: numbers in [0, 1), for the jitter.
        is_failure: the verdict on an outcome, True, False, or None for neutral; left out, :func:`is_failure`.

    Attributes:
        last_state: the state as it was last noticed; :meth:`state_at` is up to date.
        generation: how many transitions there have been.

    Raises:
        ConfigurationError: names the field, the value and what is allowed.
    """

    __slots__ = (
        "_admitted",
        "_break",
        "_break_end",
        "_counts",
        "_failures",
        "_last_failure",
        "_probes",
        "_probes_failed",
        "_probes_succeeded",
        "generation",
        "last_state",
    )

    def __init__(
        self,
        failure_threshold: int = USUAL_THRESHOLD,
        recovery_timeout: float = 60.0,
        *,
        window: CallWindow | None = None,
        half_open_permits: int = 1,
        success_threshold: int | None = None,
        lease: float = 35.0,
        recovery_factor: float = 1.0,
        recovery_max: float | None = None,
        recovery_jitter: float = 0.0,
        rand: Callable[[], float] | None = None,
        is_failure: Callable[[Outcome], bool | None] | None = None,
    ) -> None:
        super().__init__(
            (
                failure_threshold,
                recovery_timeout,
                window,
                half_open_permits,
                success_threshold,
                lease,
                recovery_factor,
                recovery_max,
                recovery_jitter,
            ),
            rand,
            is_failure,
        )
        self.last_state = CLOSED
        self.generation = 0
        # Since it was last closed:
        self._break = 0.0  # how long the latest was to be, without jitter; 0 if there was none
        # Of the last opening:
        self._break_end = 0.0  # own time
        self._last_failure: str | None = None
        # Of the present generation:
        self._admitted = 0  # permits out that are no probes
        self._failures = 0  # CLOSED, without a window: in a row
        self._counts: LastCalls | RecentCalls | None = None  # CLOSED, with a window: once a call was counted
        self._probes: tuple[Permit, ...] = ()  # HALF_OPEN: permits out
        self._probes_succeeded = self._probes_failed = 0  # HALF_OPEN: probes

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
        """Whether a new circuit could take the place of this one: CLOSED, no failure counted, no permit out.

        In a window successes count too; but to forget those can only make it open sooner.
        """
        time = self._catch_up(now)
        if self.last_state is not CLOSED or self._failures or self._admitted:
            return False
        counts = self._counts
        if counts is None:
            return True
        counts.forget(time)
        return not (counts.failures or counts.slow)

    @property
    def calls(self) -> int:
        """Calls that count while CLOSED: those in the window when one was last counted; 0 without a window."""
        return 0 if self._counts is None else self._counts.calls

    @property
    def failures(self) -> int:
        """Failures that count while CLOSED: in a row, or in the window; 0 in the other states."""
        return self._failures if self._counts is None else self._counts.failures

    @property
    def slow_calls(self) -> int:
        """Slow calls that count while CLOSED: those in the window; 0 without one."""
        return 0 if self._counts is None else self._counts.slow

    @property
    def permits_out(self) -> int:
        """Permits of the present generation that were not ended yet."""
        return self._admitted + len(self._probes)

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
            return Permit(self, self.generation, now)
        time = self._catch_up(now)
        if (rejected := self._refusal()) is not None:
            return rejected
        if self.last_state is not HALF_OPEN:
            self._admitted += 1
            return Permit(self, self.generation, now)
        probe = Permit(self, self.generation, now, time + (self.lease if lease is None else lease))
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
        permit.generation = ENDED
        if self.last_state is HALF_OPEN:
            self._probes = tuple(probe for probe in self._probes if probe is not permit)
            if failed is not None:
                self._count_probe(permit, failed, now, cause)
        else:
            self._admitted -= 1
            if failed is not None and self.last_state is CLOSED:
                if (window := self._settings.window) is None:
                    self._count_in_a_row(failed, now, cause)
                else:
                    self._count_in_window(window, permit, failed, now, cause)

    # -- somebody's word ----------------------------------------------------------------------------------------------

    def isolate(self) -> None:
        """Let nothing pass until somebody says otherwise; time does not end it."""
        self._move(CircuitEvent.ISOLATED)
        self._last_failure = "it was isolated"

    def force_open(self, now: float) -> None:
        """Open at ``now``, as failures would have: the break begins, for ``recovery_timeout``, and probes follow."""
        time = self._catch_up(now)
        self._break = 0.0
        self._open(CircuitEvent.FORCED, time, "it was opened by hand")

    def disable(self) -> None:
        """Let everything pass and count nothing, until somebody says otherwise."""
        self._move(CircuitEvent.DISABLED)

    def reset(self) -> None:
        """Close, with nothing counted, as a new circuit: what was isolated, disabled or open works as ever."""
        self._move(CircuitEvent.RESET)

    # -- the machine --------------------------------------------------------------------------------------------------

    def _refusal(self) -> Rejected | None:
        """Why a call cannot pass in the present state; None if it can."""
        if self.last_state is OPEN:
            retry_at = self._break_end
        elif self.last_state is HALF_OPEN:
            if len(self._probes) + self._probes_succeeded + self._probes_failed < self.half_open_permits:
                return None
            retry_at = self._first_lease_end()
        else:
            return Rejected(ISOLATED, None, self._last_failure) if self.last_state is ISOLATED else None
        return Rejected(self.last_state, self._theirs(retry_at), self._last_failure)

    def _count_in_a_row(self, failed: bool, now: float, cause: object) -> None:
        """Is it enough to open?"""
        self._failures = self._failures + 1 if failed else 0
        if self._failures >= self._settings.failure_threshold:
            self._open(CircuitEvent.TRIPPED, self._own(now), summary(cause))

    def _count_in_window(self, window: CallWindow, permit: Permit, failed: bool, now: float, cause: object) -> None:
        """Is it enough to open? Rates are compared after a division: 7 / 100 is 0.07, and 0.07 * 100 is not 7."""
        if self._counts is None:
            self._counts = window.start()
        counts, time = self._counts, self._own(now)
        counts.add(time, failed, window.is_slow(now - permit.admitted_at))
        calls = counts.calls
        if window.minimum_calls is None or calls < window.minimum_calls:
            return
        if window.failure_rate is not None and counts.failures / calls >= window.failure_rate:
            last = f", the last: {summary(cause)}" if failed and cause is not None else ""
            self._open(CircuitEvent.TRIPPED, time, f"{counts.failures} of {calls} calls failed{last}")
        elif window.slow_rate is not None and counts.slow / calls >= window.slow_rate:
            slow = f"{counts.slow} of {calls} calls took longer than {window.slow_after:g} s"
            self._open(CircuitEvent.SLOWED, time, slow)

    def _count_probe(self, permit: Permit, failed: bool, now: float, cause: object) -> None:
        """Is it enough to close, or to open again?"""
        slow = self.window is not None and self.window.is_slow(now - permit.admitted_at)
        if failed or slow:
            self._probes_failed += 1
            if self._probes_failed > self.half_open_permits - self.success_threshold:
                why = summary(cause) if failed else "a probe was slow"
                self._open(CircuitEvent.PROBE_FAILED, self._own(now), why)
            return
        self._probes_succeeded += 1
        if self._probes_succeeded == self.success_threshold:
            self._move(CircuitEvent.PROBES_SUCCEEDED)

    def _catch_up(self, now: float) -> float:
        """Make the moves that time alone has made due; gives the own time."""
        time = self._own(now)
        # Strictly: a result at the very end of its lease is still one.
        while self._probes and time > (lease_end := self._first_lease_end()):
            self._lose_probe(lease_end)
        if self.last_state is OPEN and time >= self._break_end:
            self._move(CircuitEvent.BREAK_OVER)
        return time

    def _first_lease_end(self) -> float:
        return min(probe.lease_end for probe in self._probes)

    def _lose_probe(self, lease_end: float) -> None:
        """The lease of a probe has ended: it has failed."""
        lost = next(probe for probe in self._probes if probe.lease_end == lease_end)
        lost.generation = ENDED
        self._probes = tuple(probe for probe in self._probes if probe is not lost)
        self._probes_failed += 1
        if self._probes_failed > self.half_open_permits - self.success_threshold:
            self._open(CircuitEvent.LEASE_ENDED, lease_end, "a probe was lost: no result within its lease")

    def _open(self, event: CircuitEvent, time: float, last_failure: str | None) -> None:
        length = self.recovery_timeout
        if self._break:
            length = min(self._break * self.recovery_factor, self.longest_break)
        jitter = 0.0 if self._rand is None else length * self.recovery_jitter * self._rand()  # before anything changes
        self._move(event)
        self._break = length
        self._break_end = time + length + jitter
        self._last_failure = last_failure

    def _move(self, event: CircuitEvent) -> None:
        """The one way from a state to the next."""
        self.last_state = TRANSITIONS[self.last_state, event]
        self.generation += 1
        self._admitted = self._failures = self._probes_succeeded = self._probes_failed = 0
        self._counts = None
        self._probes = ()
        if self.last_state is CLOSED:
            self._break = 0.0

    def __repr__(self) -> str:
        state = self.last_state
        if state is OPEN or state is ISOLATED:
            detail = f", last failure: {self._last_failure}"
        elif state is HALF_OPEN:
            detail = f", {self._probes_succeeded} of {self.success_threshold} probes succeeded, {len(self._probes)} out"
        elif state is not CLOSED:
            detail = ""
        elif self.window is None:
            detail = f", {self._failures} of {self.failure_threshold} failures"
        else:
            detail = f", {self.failures} of {self.calls} calls failed"
        return f"<{type(self).__name__} {state}{detail}>"
