"""The server's own limit: nobody goes sooner than it asks, nor more often than it says is left.

A server that limits us may say so: by Retry-After beside a 429 or 503, and by the RateLimit fields. One call's retry
policy heeds the first for that call; here all calls that share the limiter do, before they are refused as well.

The server's count and ours differ by what is in flight: it may or may not have been counted when the answer was
written. It is taken for not counted, so that the error is on the side of too few.
"""

from __future__ import annotations

from math import ceil, inf

from .checks import allow, is_number
from .learner import Learner
from .places import Fate, TimedSlot

_SAME = 1.0  # seconds that two reports of one reset may differ by: servers count in whole ones


class ServerQuota(Learner):
    """No limit until the server names one; then that, until it names another.

    After :meth:`hold_off` nobody goes for so long. After :meth:`adopt` at most ``remaining`` go until the reset; then
    ``quota`` in every ``window``. A quota that the server does not name is taken to be the most that was ever left; a
    window, the longest time to a reset.

    Args:
        longest: seconds that it believes a server at most: a longer wait counts as this one. Above 0.
        max_wait: seconds that a wait may take; a longer one is refused at once. None for no limit.

    Raises:
        ConfigurationError: names the field, the value and what is allowed.

    Source: RFC 9110 10.2.3 (Retry-After); the RateLimit fields, draft-ietf-httpapi-ratelimit-headers.
    """

    __slots__ = ("_in_flight", "_left", "_quota", "_reset_at", "_until", "_window", "longest")

    steered = True

    def __init__(self, *, longest: float = 3600.0, max_wait: float | None = None) -> None:
        allow("longest", longest, is_number(longest) and longest > 0, "finite seconds above 0")
        super().__init__(inf, max_wait)
        self.longest = longest
        self._until = -inf
        self._left = inf  # until _reset_at
        self._reset_at = -inf
        self._quota: float = 1
        self._window = 0.0
        self._in_flight: float = 0

    def _at(self, time: float) -> tuple[float, float]:
        """What is left at ``time``, and until when."""
        if self._left == inf or time < self._reset_at:
            return self._left, self._reset_at
        following = self._reset_at + self._window
        return self._quota, following if time < following else time + self._window

    def _ready_at(self, ahead: float, tokens: float, time: float) -> float:
        start = max(self._until, time)
        left, reset_at = self._at(start)
        lacking = ahead + min(tokens, self._quota) - left  # who wants more than the quota has a whole one
        if lacking <= 0:
            return start
        return reset_at + (ceil(lacking / self._quota) - 1) * self._window

    def _take(self, tokens: float, time: float) -> None:
        left, self._reset_at = self._at(time)
        self._left = max(0.0, left - tokens)
        self._in_flight += tokens

    def _untake(self, tokens: float, time: float) -> None:
        self._left += tokens
        self._in_flight -= tokens

    def _learn(self, slot: TimedSlot, fate: Fate, time: float) -> None:
        self._in_flight -= slot.tokens

    def _hold_until(self, until: float, time: float) -> None:
        self._until = max(self._until, min(until, time + self.longest))

    def _adopt(
        self, remaining: float | None, reset: float | None, quota: float | None, window: float | None, time: float
    ) -> None:
        if quota is not None and quota >= 1:
            self._quota = quota
        elif remaining is not None:
            self._quota = max(self._quota, remaining + 1)
        if window is not None and window > 0:
            self._window = min(window, self.longest)
        elif reset is not None:
            self._window = max(self._window, min(reset, self.longest))
        if reset is None:
            reset = self._window
        if remaining is None or not reset > 0:
            return
        left, reset_at = self._at(time)
        told, told_at = max(0.0, remaining - self._in_flight), time + min(reset, self.longest)
        if left < told and abs(told_at - reset_at) <= _SAME:  # an older answer, which another has overtaken
            return
        self._left, self._reset_at = told, told_at

    def _is_full(self, time: float) -> bool:
        idle = self._left == inf or time >= self._reset_at + self._window
        return idle and time >= self._until and not self._in_flight

    def __repr__(self) -> str:
        left = "no limit yet" if self._left == inf else f"{self._left:g} left"
        return f"<{type(self).__name__} {left}, {self.waiting} waiting>"
