"""One policy's own time: it never runs backwards, and it survives meeting another clock.

A policy object may be shared by successive programs, threads and event loops, each with a clock of its own (trio's
starts at a random number). Time that steps back by a little is clamped. Time that steps back by more than
:data:`TOLERANCE` is another clock: from then on the difference is added to every reading, so that whatever the policy
remembers keeps its distance to now, and nothing has to be rewritten.
"""

from __future__ import annotations

from math import inf, nextafter

TOLERANCE = 1.0
"""Seconds that a clock may step back before it counts as another clock."""


class OwnTime:
    """Whoever derives from it has a time of his own: it turns readings of the caller's clock into such as never fall.

    Attributes:
        rebases: how often another clock was met.
    """

    # A base class, not a part: there may be 100,000 policies, one for each key, and an object more in each is 40 bytes.
    __slots__ = ("_last_time", "_shift", "rebases")

    def __init__(self) -> None:
        self._last_time = -inf
        self._shift = 0.0
        self.rebases = 0

    def _own(self, now: float) -> float:
        """The own time at the caller's ``now``, in seconds; at least as late as any given before."""
        time = now + self._shift
        if time >= self._last_time:
            self._last_time = time
            return time
        if time < self._last_time - TOLERANCE:
            self._shift += self._last_time - time
            self.rebases += 1
        return self._last_time

    def _theirs(self, time: float) -> float:
        """The reading of the caller's clock at which own time is ``time``, or by rounding a little more, never less."""
        now = time - self._shift
        return now if now + self._shift >= time else nextafter(now, inf)


class Timeline(OwnTime):
    """Such a time by itself, for who would rather have one than be one."""

    __slots__ = ()

    at = OwnTime._own
    back = OwnTime._theirs
