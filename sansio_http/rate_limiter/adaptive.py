"""Adaptive concurrency: how many may be in flight is learned from how long they take, and how they end.

What a server can do at once changes by the minute and is written down nowhere, but it shows: beyond it, requests queue
there, so they take longer, and then they fail. Each law here moves one number, the limit, a little with every send that
ends. It takes nothing away from who is in flight: a limit that was lowered grants nothing until enough has come back.

All leave the limit alone while less than half of it is used: what nobody tries cannot be learned.

Sends that end in a way that tells nothing (``ignored``) are not learned from. The limits here are those of Netflix's
concurrency-limits, where each law has its source.
"""

from __future__ import annotations

from abc import abstractmethod
from math import ceil, floor, inf, log10

from .checks import allow, is_number, is_whole
from .concurrency import Concurrency
from .learner import Learner
from .places import Fate, TimedSlot

STALE = 300.0
"""Seconds without a send after which what was learned is as good as forgotten."""


class AdaptiveConcurrency(Learner, Concurrency):
    """At most :attr:`limit` at once, where the limit is learned: how, a subclass says.

    A claim has at most ``min_limit`` tokens, so that it can be had however low the limit is.

    Args:
        min_limit, max_limit: whole numbers that the limit stays within, 1 or more.
        initial: where it begins.
        max_waiting: places in the queue, 0 or more; who finds it full is refused. None for no limit.
        max_wait: 0 refuses whoever would have to wait; any other value lets all wait, for the wait is unknown.

    Attributes:
        limit: tokens that may be held at once, now.

    Raises:
        ConfigurationError: names the field, the value and what is allowed.
    """

    __slots__ = ("_exact", "_heard_at", "max_limit", "min_limit")

    def __init__(
        self,
        *,
        min_limit: int,
        max_limit: int,
        initial: int,
        max_waiting: int | None = None,
        max_wait: float | None = None,
    ) -> None:
        allow("min_limit", min_limit, is_whole(min_limit) and min_limit >= 1, "a whole number, 1 or more")
        fine = is_whole(max_limit) and max_limit >= min_limit
        allow("max_limit", max_limit, fine, f"a whole number, min_limit ({min_limit}) or more")
        fine = is_whole(initial) and min_limit <= initial <= max_limit
        allow("initial", initial, fine, f"a whole number, min_limit ({min_limit}) to max_limit ({max_limit})")
        super().__init__(initial, max_waiting=max_waiting, max_wait=max_wait)
        self._capacity = min_limit
        self.min_limit = min_limit
        self.max_limit = max_limit
        self._exact: float = initial  # the limit, before it is rounded down
        self._heard_at = -inf

    def take(self, now: float, tokens: float = 1) -> TimedSlot | None:
        """As :meth:`Concurrency.take`."""
        taken = Concurrency.take(self, now, tokens)
        return None if taken is None else TimedSlot(tokens, None, self._own(now))

    @abstractmethod
    def _sample(self, rtt: float, dropped: bool) -> float:
        """The limit after a send that took ``rtt`` seconds, or that was dropped."""

    def _learn(self, slot: TimedSlot, fate: Fate, time: float) -> None:
        if fate != "ignored":
            self._heard_at = time
            self._exact = min(max(self._sample(time - slot.began, fate != "ok"), self.min_limit), self.max_limit)
            self.limit = floor(self._exact)

    def _is_full(self, time: float) -> bool:
        return not self._in_use and time >= self._heard_at + STALE


class AIMD(AdaptiveConcurrency):
    """One more for each success, a tenth less for each failure: as TCP does it.

    A send that was dropped, or took longer than ``timeout``: ``limit = floor(0.9 * limit)``. Else, if at least half of
    the limit is in use: ``limit + 1``.

    Args:
        timeout: seconds from which on an answer counts as a failure, above 0.
        backoff: by what the limit is multiplied then, 0.5 to below 1.
        min_limit, max_limit, initial, max_waiting, max_wait: as for :class:`AdaptiveConcurrency`.

    Raises:
        ConfigurationError: names the field, the value and what is allowed.

    Source: Netflix concurrency-limits, AIMDLimit.
    """

    __slots__ = ("backoff", "timeout")

    def __init__(
        self,
        *,
        timeout: float = 5.0,
        backoff: float = 0.9,
        min_limit: int = 20,
        max_limit: int = 200,
        initial: int = 20,
        max_waiting: int | None = None,
        max_wait: float | None = None,
    ) -> None:
        allow("timeout", timeout, is_number(timeout) and timeout > 0, "finite seconds above 0")
        allow("backoff", backoff, is_number(backoff) and 0.5 <= backoff < 1, "a number, 0.5 to below 1")
        super().__init__(
            min_limit=min_limit, max_limit=max_limit, initial=initial, max_waiting=max_waiting, max_wait=max_wait
        )
        self.timeout = timeout
        self.backoff = backoff

    def _sample(self, rtt: float, dropped: bool) -> float:
        if dropped or rtt > self.timeout:
            return floor(self._exact * self.backoff)
        return self._exact + 1 if 2 * self._in_use >= self._exact else self._exact


_WARM_UP, _LONG = 10, 600  # samples


class Gradient2(AdaptiveConcurrency):
    """The limit follows the ratio of the usual time of a send to that of this one.

    ``long`` is the mean of the first 10 samples, then their exponential average over 600. While it is more than twice
    the sample, it shrinks by 5 % with each. Unless less than half of the limit is in use,
    ``gradient = min(max(tolerance * long / rtt, 0.5), 1)`` and
    ``limit = (1 - smoothing) * limit + smoothing * (gradient * limit + queue)``.

    A send that was dropped counts as the steepest gradient, without the queue, and its time is not learned: a refusal
    is quick, and says the contrary of an answer that was.

    Args:
        tolerance: how many times longer than usual a send may take before the limit is lowered, 1 or more.
        queue: how many may queue at the server, 0 or more: what a limit that is never exceeded grows by.
        smoothing: how much of each step is made, above 0 to 1.
        min_limit, max_limit, initial, max_waiting, max_wait: as for :class:`AdaptiveConcurrency`.

    Raises:
        ConfigurationError: names the field, the value and what is allowed.

    Source: Netflix concurrency-limits, Gradient2Limit (which knows no dropped sends).
    """

    __slots__ = ("_long", "_samples", "queue", "smoothing", "tolerance")

    def __init__(
        self,
        *,
        tolerance: float = 1.5,
        queue: float = 4,
        smoothing: float = 0.2,
        min_limit: int = 20,
        max_limit: int = 200,
        initial: int = 20,
        max_waiting: int | None = None,
        max_wait: float | None = None,
    ) -> None:
        allow("tolerance", tolerance, is_number(tolerance) and tolerance >= 1, "a finite number, 1 or more")
        allow("queue", queue, is_number(queue) and queue >= 0, "a finite number, 0 or more")
        allow("smoothing", smoothing, is_number(smoothing) and 0 < smoothing <= 1, "a number above 0, at most 1")
        super().__init__(
            min_limit=min_limit, max_limit=max_limit, initial=initial, max_waiting=max_waiting, max_wait=max_wait
        )
        self.tolerance = tolerance
        self.queue = queue
        self.smoothing = smoothing
        self._long = 0.0
        self._samples = 0

    @property
    def usual(self) -> float:
        """Seconds that a send usually takes; 0 before the first."""
        return self._long

    def _sample(self, rtt: float, dropped: bool) -> float:
        limit, gradient, queue = self._exact, 0.5, 0.0
        if not dropped:
            if rtt <= 0:
                return limit  # a clock too coarse to learn from
            usual = self._average(rtt)
            gradient, queue = min(max(self.tolerance * usual / rtt, 0.5), 1.0), self.queue
        if 2 * self._in_use < limit:
            return limit
        return (1 - self.smoothing) * limit + self.smoothing * (gradient * limit + queue)

    def _average(self, rtt: float) -> float:
        """What is usual, with this sample in it."""
        if self._samples < _WARM_UP:
            self._samples += 1
            self._long += (rtt - self._long) / self._samples
        else:
            self._long += (rtt - self._long) * 2 / (_LONG + 1)
        usual = self._long
        if usual > 2 * rtt:  # it has become quicker than what is remembered of an overload
            self._long *= 0.95
        return usual


class Vegas(AdaptiveConcurrency):
    """The limit follows how many seem to queue at the server: ``queued = ceil(limit * (1 - quickest / rtt))``.

    With ``lg = max(1, floor(log10(limit)))``: at most ``lg`` queued, the limit grows by ``6 lg``; fewer than ``3 lg``,
    by ``lg``; more than ``6 lg``, it shrinks by ``lg``. A send that was dropped shrinks it by ``lg``, and its time is
    not learned. Nothing moves while less than half of the limit is in use.

    A sample that is quicker than all before is only remembered. Every ``probe * limit`` samples the quickest is taken
    anew, for a way that has become longer would look like a queue for ever.

    Args:
        probe: 1 or more.
        min_limit, max_limit, initial, max_waiting, max_wait: as for :class:`AdaptiveConcurrency`.

    Raises:
        ConfigurationError: names the field, the value and what is allowed.

    Source: Netflix concurrency-limits, VegasLimit; after L. Brakmo, L. Peterson, "TCP Vegas", 1995.
    """

    __slots__ = ("_quickest", "_samples", "probe")

    def __init__(
        self,
        *,
        probe: float = 30,
        min_limit: int = 1,
        max_limit: int = 1000,
        initial: int = 20,
        max_waiting: int | None = None,
        max_wait: float | None = None,
    ) -> None:
        allow("probe", probe, is_number(probe) and probe >= 1, "a finite number, 1 or more")
        super().__init__(
            min_limit=min_limit, max_limit=max_limit, initial=initial, max_waiting=max_waiting, max_wait=max_wait
        )
        self.probe = probe
        self._quickest = inf
        self._samples = 0

    def _sample(self, rtt: float, dropped: bool) -> float:
        limit = self._exact
        step = max(1, floor(log10(limit)))
        if dropped:
            return limit - step if 2 * self._in_use >= limit else limit
        self._samples += 1
        if rtt < self._quickest or self._samples >= self.probe * limit:
            self._quickest, self._samples = rtt, 0
            return limit
        if 2 * self._in_use < limit:
            return limit
        queued = ceil(limit * (1 - self._quickest / rtt)) if rtt > 0 else 0
        if queued <= step:
            return limit + 6 * step
        if queued < 3 * step:
            return limit + step
        return limit - step if queued > 6 * step else limit
