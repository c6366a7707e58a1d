"""Whether an event stream that ended is asked for again, and when.

Theory of operation. A stream that ends, however it does, is asked for again after the time that its server named, or
else three seconds, and a backoff on top, lest all the clients of a server that restarts come back at once. A connection
was *good* if an event came on it, or if it lasted: streams on which little happens are cut off by proxies all the time.
Reconnections behind which no good connection follows are counted, and end at the number of retries that the policy
has; each is paid from the retry budget, and a good connection gives back what it has cost. So a stream may go on for
ever, and a server that drops everybody is not asked for ever.

What happens to a request on its way to an open stream is a call's matter, and its retries are that call's.

Source: WHATWG HTML, "Server-sent events", 9.2.3: the reconnection time, after which to "wait some more" is allowed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from .retry import Retry, RetryBudget, RetryPolicy, Stop

RECONNECTION_TIME: Final = 3.0
"""Seconds to wait where the server has not said."""

LASTING: Final = 30.0
"""Seconds after which a connection was good, whatever came on it."""


class Reconnection:
    """What to do at the end of each connection: tell :meth:`opened` and :meth:`arrived`, ask :meth:`ended`.

    Args:
        retry: how many, and how long beyond the server's time.
        budget: what they are paid from; None for no bound.
        rand: numbers in [0, 1), for jitter; without, the longest wait is taken.
    """

    __slots__ = ("_cost", "_count", "_good", "_memory", "_opened", "budget", "rand", "retry")

    def __init__(
        self, retry: RetryPolicy, budget: RetryBudget | None = None, rand: Callable[[], float] | None = None
    ) -> None:
        self.retry = retry
        self.budget = budget
        self.rand = rand
        self._count = 0  # reconnections since the last good connection
        self._memory: float | None = None  # of the backoff
        self._cost: float | None = None  # of the last reconnection, until it is given back
        self._good = False
        self._opened = 0.0

    def opened(self, now: float) -> None:
        """The answer's head has come: a connection stands."""
        self._opened = now
        self._good = False

    def arrived(self, now: float) -> None:
        """An event has come."""
        if not self._good:
            self._good = True
            self._succeeded(now)

    def ended(self, asked: float | None, now: float) -> Retry | Stop:
        """The connection is over.

        Args:
            asked: seconds to wait, as the server has said; None where it has not.
            now: monotonic seconds.

        Returns:
            The wait before the next connection; or why there is none: ``attempts``, ``retry_after`` or ``budget``.
        """
        if not self._good:
            if now - self._opened >= LASTING:
                self._succeeded(now)
            elif self.budget is not None:
                self.budget.failed(self._count, now)
        if self._count >= self.retry.retries:
            return Stop("attempts", f"{self._count} reconnections in a row brought no event")
        wait = RECONNECTION_TIME if asked is None else asked
        if wait > self.retry.retry_after_max:
            return Stop("retry_after", f"the server asks for a wait of {wait:g} s")
        if self.budget is not None:
            self._cost = self.budget.spend(False, now)
            if self._cost is None:
                return Stop("budget", self.budget.describe())
        more, self._memory = self.retry.backoff.wait(self._count, self.rand, self._memory)
        self._count += 1
        return Retry(wait + more, "transport" if asked is None else "retry_after", self._memory)

    def left(self, now: float) -> None:
        """The caller went away during the wait: the reconnection is not made."""
        cost, self._cost = self._cost, None
        if self.budget is not None and cost is not None:
            self.budget.refund(cost, now)

    def _succeeded(self, now: float) -> None:
        self._count, self._memory = 0, None
        cost, self._cost = self._cost, None
        if self.budget is not None and cost is not None:
            self.budget.succeeded(cost, now)
