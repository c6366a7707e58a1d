"""The sliding window: an exact log of the latest claims."""

from __future__ import annotations

from math import inf

from .checks import allow, is_number, is_whole
from .queue import Limiter


class SlidingWindow(Limiter):
    """At most ``limit`` tokens claimed in any half-open window of ``window`` seconds.

    A claim leaves the window exactly ``window`` seconds after it was made. Memory grows with the limit: the times of
    the last ``limit`` tokens are kept, 32 bytes each. A claim of many tokens costs time in proportion.

    Args:
        limit: tokens, a whole number, 1 or more.
        window: seconds, above 0.
        max_wait: seconds that a wait may take; a longer one is refused at once. None for no limit.

    Raises:
        ConfigurationError: names the field, the value and what is allowed.
    """

    # Token number n (from 0) is logged at n % limit, where token n - limit was: the one that it had to wait for.
    __slots__ = ("_log", "_taken", "limit", "window")

    whole_tokens = True

    def __init__(self, limit: int, window: float, *, max_wait: float | None = None) -> None:
        allow("limit", limit, is_whole(limit) and limit >= 1, "a whole number, 1 or more (tokens)")
        allow("window", window, is_number(window) and window > 0, "finite seconds above 0")
        super().__init__(limit, max_wait)
        self.limit = limit
        self.window = float(window)
        self._log: list[float] = []
        self._taken = 0

    def _ready_at(self, ahead: float, tokens: float, time: float) -> float:
        more = int(ahead + tokens) - 1
        slot = (self._taken + more) % self.limit
        ready = self._log[slot] + self.window if slot < len(self._log) else -inf
        if more < self.limit:
            return ready
        # The token it waits for is itself waiting: for one that is logged, a whole number of windows before.
        return max(ready, time) + more // self.limit * self.window

    def _take(self, tokens: float, time: float) -> None:
        log, limit = self._log, self.limit
        for number in range(self._taken, self._taken + int(tokens)):
            if (slot := number % limit) == len(log):
                log.append(time)
            else:
                log[slot] = time
        self._taken += int(tokens)

    def _untake(self, tokens: float, time: float) -> None:
        # What they overwrote had left the window, or they could not have been taken: it need not be put back.
        self._taken -= int(tokens)
        for number in range(self._taken, self._taken + int(tokens)):
            self._log[number % self.limit] = -inf

    def _is_full(self, time: float) -> bool:
        return not self._taken or self._log[(self._taken - 1) % self.limit] + self.window <= time

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.limit} in {self.window:g} s, {self.waiting} waiting>"
