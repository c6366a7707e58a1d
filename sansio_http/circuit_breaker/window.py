"""Rates over the last calls, or over the calls of the last seconds, at a constant cost in time and memory.

A rate is a part of the calls in a window: ``failures / calls``. It says nothing while there are few, so it is looked at
from ``minimum_calls`` on. Two windows:

- the last N calls: a ring of N marks. The mark that is written over is taken out of the sums;
- the last T seconds: a ring of ten buckets, each a tenth of T wide, which count what began to count in them. A bucket
  whose tenth is over T ago is emptied and used again. So the window is between nine and ten tenths of T long; to be
  exact would take a mark for each call.

What is kept is made when the first call is counted, and is 160 bytes then, and a byte more for each of the last N: a
registry may hold a hundred thousand.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from math import floor

from ..exceptions import ConfigurationError
from .checks import rate, seconds, whole

FEW = 20
"""Calls below which a rate says little: at 20 the standard error of a rate of one half is 0.11."""

BUCKETS = 10
"""Of a window of seconds."""

_FAILED, _SLOW = 1, 2  # bits of a mark


@dataclass(frozen=True, slots=True, kw_only=True)
class CallWindow:
    """What opens a circuit by rates, in the place of failures in a row. Give ``calls`` or ``seconds``.

    It is a value without a state: one may be given to any number of circuits.

    Args:
        calls: the rates are those of the last so many calls; 1 or more.
        seconds: the rates are those of the calls that ended in the last seconds, to a tenth of it; above 0.
        failure_rate: the part of failures that opens it, above 0, 1 at most; None: failures do not.
        minimum_calls: no rate is looked at below so many calls in the window; 1 or more, ``calls`` at most. None: 20,
            or ``calls`` where that is less.
        slow_after: seconds after which a call was slow, whether it failed or not; above 0. A probe that is slow has
            failed. None: no call is.
        slow_rate: the part of slow calls that opens it, above 0, 1 at most; goes with ``slow_after``.

    Raises:
        ConfigurationError: names the field, the value and what is allowed.
    """

    calls: int | None = None
    seconds: float | None = None
    failure_rate: float | None = 0.5
    minimum_calls: int | None = None
    slow_after: float | None = None
    slow_rate: float | None = None

    def __post_init__(self) -> None:
        if (self.calls is None) == (self.seconds is None):
            raise ConfigurationError(
                f"CallWindow: calls={self.calls!r:.40} and seconds={self.seconds!r:.40} are not allowed; give one"
            )
        if (self.slow_after is None) != (self.slow_rate is None):
            raise ConfigurationError(
                f"CallWindow: slow_after={self.slow_after!r:.40} and slow_rate={self.slow_rate!r:.40} are not allowed;"
                " give both or neither"
            )
        if self.failure_rate is None and self.slow_rate is None:
            raise ConfigurationError("CallWindow: nothing would open the circuit; give failure_rate or slow_rate")
        for name, check in (
            ("calls", whole),
            ("seconds", seconds),
            ("failure_rate", rate),
            ("minimum_calls", whole),
            ("slow_after", seconds),
            ("slow_rate", rate),
        ):
            value = getattr(self, name)
            if value is not None:
                check("CallWindow", name, value)
        if self.minimum_calls is None:
            object.__setattr__(self, "minimum_calls", FEW if self.calls is None else min(FEW, self.calls))
        elif self.calls is not None and self.minimum_calls > self.calls:
            raise ConfigurationError(
                f"CallWindow.minimum_calls: {self.minimum_calls} is not allowed; a window of {self.calls} calls never"
                f" has so many: it is {self.calls} at most"
            )

    def is_slow(self, duration: float) -> bool:
        """Whether a call of so many seconds was slow."""
        return self.slow_after is not None and duration > self.slow_after

    def start(self) -> LastCalls | RecentCalls:
        """Counts for one circuit."""
        if self.seconds is not None:
            return RecentCalls(self.seconds)
        assert self.calls is not None
        return LastCalls(self.calls)

    def __str__(self) -> str:
        where = f"the last {self.calls} calls" if self.seconds is None else f"the calls of the last {self.seconds:g} s"
        rates = [(self.failure_rate, "failed"), (self.slow_rate, f"took longer than {self.slow_after or 0:g} s")]
        what = [f"{100 * rate:.3g} % {how}" for rate, how in rates if rate is not None]
        return f"of {where} {' or '.join(what)}, from {self.minimum_calls} on"


class LastCalls:
    """Counts over the last ``size`` calls.

    Attributes:
        calls: in the window.
        failures: of them.
        slow: of them, failures or not.
    """

    __slots__ = ("_marks", "_next", "_size", "calls", "failures", "slow")

    def __init__(self, size: int) -> None:
        self._size = size
        self._marks = bytearray()
        self._next = 0  # whose place the next call takes, once there are as many as may be
        self.calls = self.failures = self.slow = 0

    def add(self, time: float, failed: bool, slow: bool) -> None:
        """One more call has ended."""
        mark = _FAILED * failed + _SLOW * slow
        if self.calls < self._size:
            self._marks.append(mark)
            self.calls += 1
            if self.calls == self._size:
                self._marks = bytearray(self._marks)  # without the room it had to grow
        else:
            oldest = self._marks[self._next]
            self.failures -= oldest & _FAILED
            self.slow -= oldest >> 1
            self._marks[self._next] = mark
            self._next = (self._next + 1) % self._size
        self.failures += failed
        self.slow += slow

    def forget(self, time: float) -> None:
        """Time alone takes nothing out of this window."""


class RecentCalls:
    """Counts over the calls of the last ``seconds``, in ten buckets.

    Attributes: as :class:`LastCalls` has them, true at the time given last.
    """

    __slots__ = ("_counts", "_latest", "_seconds", "calls", "failures", "slow")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        # Calls, failures, slow of each bucket: in a byte each until one is too small.
        self._counts: bytearray | array[int] = bytearray(3 * BUCKETS)
        self._latest: int | None = None  # which bucket it is, counted from time 0
        self.calls = self.failures = self.slow = 0

    def add(self, time: float, failed: bool, slow: bool) -> None:
        """One more call has ended at ``time``, which never runs backwards."""
        place = self._forget(time)
        counts = self._counts
        try:
            counts[place] += 1  # of the three the one that is never less than another
        except ValueError:
            self._counts = counts = array("I", list(counts))
            counts[place] += 1
        counts[place + 1] += failed
        counts[place + 2] += slow
        self.calls += 1
        self.failures += failed
        self.slow += slow

    def forget(self, time: float) -> None:
        """Take out what is too old at ``time``."""
        self._forget(time)

    def _forget(self, time: float) -> int:
        """Empties the buckets that begin anew; gives the place of the present one. At most ten steps."""
        number = floor(time * BUCKETS / self._seconds)
        latest = number if self._latest is None else self._latest
        counts = self._counts
        for bucket in range(max(latest + 1, number + 1 - BUCKETS), number + 1):
            place = bucket % BUCKETS * 3
            self.calls -= counts[place]
            self.failures -= counts[place + 1]
            self.slow -= counts[place + 2]
            counts[place] = counts[place + 1] = counts[place + 2] = 0
        self._latest = number
        return number % BUCKETS * 3
