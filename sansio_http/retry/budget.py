"""Retry budgets: what all the calls that share one may spend on trying again.

Backoff helps one call through a short failure. What brings a service down for good is that *all* calls retry at once,
so that the service gets several times its load at the very moment at which it cannot bear it, and is kept down by that
alone (N. Bronson et al., "Metastable Failures in Distributed Systems", HotOS 2021). A budget bounds the sum: while
most calls succeed there is plenty, and when most fail nobody retries.

A call asks three things of a budget, all of them cheap: it reports an attempt that failed, it asks for leave to retry
(or to hedge), and it reports success. What the leave has cost stays with the call until then.
"""

from __future__ import annotations

from collections import deque
from math import floor

from ..exceptions import ConfigurationError
from ..timeline import Timeline


class RetryBudget:
    """What retries are paid from; share one between the calls of a client, or of several. Derive your own from it.

    Attributes:
        retries: how many it has paid for.
    """

    __slots__ = ("retries",)

    def __init__(self) -> None:
        self.retries: int = 0

    def failed(self, retry: int, now: float) -> None:
        """An attempt failed in a way that could be tried again, whether or not it will be.

        Args:
            retry: retries that its call has made so far; 0 for its first attempt.
            now: monotonic seconds.
        """

    def spend(self, throttled: bool, now: float) -> float | None:
        """Leave for one more send, and what it costs; None where the budget does not reach.

        Args:
            throttled: the server asked for less (429), rather than failed.
            now: monotonic seconds.
        """
        self.retries += 1
        return 0.0

    def succeeded(self, cost: float | None, now: float) -> None:
        """A call came to a good answer.

        Args:
            cost: of its last retry; None where the first attempt did it.
            now: monotonic seconds.
        """

    def refund(self, cost: float, now: float) -> None:
        """What leave was given for has not gone out.

        Args:
            cost: as :meth:`spend` gave it.
            now: monotonic seconds.
        """
        self.retries -= 1

    def describe(self) -> str:
        """What is left, in words, for the message of a call that was not allowed to retry."""
        return f"{self.retries} retries were spent"


class QuotaBudget(RetryBudget):
    """The retry quota of the AWS SDKs (their "standard" mode, version 2.1): the default.

    A retry costs 14 tokens after a failure and 5 after throttling; a success gives back what its last retry cost, or 1
    where it needed none. So while retries help they cost nothing in the end, and in an outage a client makes about 35
    and then leaves off.

    Args:
        capacity: tokens, with which it starts; 0 or more.
        cost: of a retry after a failure, and of a hedge; above 0.
        throttled_cost: of a retry after a 429; above 0.

    Raises:
        ConfigurationError: a value is out of its range.
    """

    __slots__ = ("_cost", "_throttled_cost", "_tokens", "capacity")

    def __init__(self, capacity: float = 500, *, cost: float = 14, throttled_cost: float = 5) -> None:
        super().__init__()
        _check("QuotaBudget", "capacity", capacity, zero=True)
        _check("QuotaBudget", "cost", cost)
        _check("QuotaBudget", "throttled_cost", throttled_cost)
        self.capacity = capacity
        self._tokens = capacity
        self._cost = cost
        self._throttled_cost = throttled_cost

    @property
    def tokens(self) -> float:
        """What is left."""
        return self._tokens

    def spend(self, throttled: bool, now: float) -> float | None:
        """See :meth:`RetryBudget.spend`."""
        cost = self._throttled_cost if throttled else self._cost
        if self._tokens < cost:
            return None
        self._tokens -= cost
        self.retries += 1
        return cost

    def succeeded(self, cost: float | None, now: float) -> None:
        """See :meth:`RetryBudget.succeeded`."""
        if self._tokens < self.capacity:
            self._tokens = min(self.capacity, self._tokens + (1 if cost is None else cost))

    def refund(self, cost: float, now: float) -> None:
        """See :meth:`RetryBudget.refund`."""
        super().refund(cost, now)
        self._tokens = min(self.capacity, self._tokens + cost)

    def describe(self) -> str:
        """See :meth:`RetryBudget.describe`."""
        return f"{self.retries} retries were spent, {self._tokens:g} of {self.capacity:g} tokens are left"


class ThrottlingBudget(RetryBudget):
    """The retry throttling of gRPC: no retries while more than about half of what is sent fails.

    It starts with ``capacity`` tokens. Each failure that could be retried takes 1, each success gives ``ratio``; a
    retry is allowed while more than half of the tokens are there.

    Args:
        capacity: tokens; above 0.
        ratio: that a success gives; above 0.

    Raises:
        ConfigurationError: a value is out of its range.

    Source: gRPC proposal A6, "Throttling Retry Attempts and Hedged RPCs".
    """

    __slots__ = ("_ratio", "_tokens", "capacity")

    def __init__(self, capacity: float = 10, ratio: float = 0.1) -> None:
        super().__init__()
        _check("ThrottlingBudget", "capacity", capacity)
        _check("ThrottlingBudget", "ratio", ratio)
        self.capacity = capacity
        self._tokens = capacity
        self._ratio = ratio

    @property
    def tokens(self) -> float:
        """What is left."""
        return self._tokens

    def failed(self, retry: int, now: float) -> None:
        """See :meth:`RetryBudget.failed`."""
        self._tokens = max(0.0, self._tokens - 1)

    def spend(self, throttled: bool, now: float) -> float | None:
        """See :meth:`RetryBudget.spend`."""
        return super().spend(throttled, now) if self._tokens > self.capacity / 2 else None

    def succeeded(self, cost: float | None, now: float) -> None:
        """See :meth:`RetryBudget.succeeded`."""
        if self._tokens < self.capacity:
            self._tokens = min(self.capacity, self._tokens + self._ratio)

    def describe(self) -> str:
        """See :meth:`RetryBudget.describe`."""
        return f"{self.retries} retries were spent, {self._tokens:g} of {self.capacity:g} tokens are left"


class PercentBudget(RetryBudget):
    """A part of the calls, and a floor for clients that make few: the budgets of Finagle and Envoy.

    Of the calls of the last ``window`` seconds ``ratio`` may be followed by a retry, and ``floor`` retries a second
    always may. A call counts when its first attempt has ended. The window is kept in ten parts, so that its edge is
    true to a tenth.

    Args:
        ratio: retries per call; 0 or more.
        floor: retries a second that are always allowed; 0 or more.
        window: seconds; above 0.

    Raises:
        ConfigurationError: a value is out of its range.
    """

    __slots__ = ("_parts", "_time", "floor", "ratio", "window")

    def __init__(self, ratio: float = 0.2, *, floor: float = 10, window: float = 10.0) -> None:
        super().__init__()
        _check("PercentBudget", "ratio", ratio, zero=True)
        _check("PercentBudget", "floor", floor, zero=True)
        _check("PercentBudget", "window", window)
        self.ratio = ratio
        self.floor = floor
        self.window = window
        self._parts: deque[list[int]] = deque()  # [which tenth of a window, calls, retries], oldest first
        self._time = Timeline()

    def failed(self, retry: int, now: float) -> None:
        """See :meth:`RetryBudget.failed`."""
        if retry == 0:
            self._part(now)[1] += 1

    def spend(self, throttled: bool, now: float) -> float | None:
        """See :meth:`RetryBudget.spend`."""
        part = self._part(now)
        calls, retries = (sum(each[column] for each in self._parts) for column in (1, 2))
        if retries + 1 > self.floor * self.window + self.ratio * calls:
            return None
        part[2] += 1
        return super().spend(throttled, now)

    def succeeded(self, cost: float | None, now: float) -> None:
        """See :meth:`RetryBudget.succeeded`."""
        if cost is None:
            self._part(now)[1] += 1

    def refund(self, cost: float, now: float) -> None:
        """See :meth:`RetryBudget.refund`."""
        super().refund(cost, now)
        self._part(now)[2] -= 1  # it was given at the same time

    def describe(self) -> str:
        """See :meth:`RetryBudget.describe`."""
        calls, retries = (sum(each[column] for each in self._parts) for column in (1, 2))
        return f"{retries} retries were spent on {calls} calls within {self.window:g} s"

    def _part(self, now: float) -> list[int]:
        """The part of the window that ``now`` is in; those that are over are dropped."""
        number = floor(self._time.at(now) / self.window * 10)
        parts = self._parts
        if not parts or parts[-1][0] != number:
            parts.append([number, 0, 0])
            while parts[0][0] <= number - 10:
                parts.popleft()
        return parts[-1]


def _check(kind: str, field: str, value: object, *, zero: bool = False) -> None:
    if not (isinstance(value, int | float) and (value > 0 or (zero and value == 0)) and value < float("inf")):
        bound = "0 or more" if zero else "above 0"
        raise ConfigurationError(f"{kind}.{field}: {value!r:.40} is not allowed; it is a finite number, {bound}")
