"""The sliding counter: two numbers instead of a log."""

from __future__ import annotations

from math import inf

from .checks import allow, is_number, is_whole
from .queue import Limiter


class SlidingCounter(Limiter):
    """``previous * fraction left + current`` never exceeds ``limit``: about ``limit`` in any window, in O(1) memory.

    Time is cut into windows. What was claimed in the window before this one is taken to be spread evenly over it, so
    that a part of it still counts: the part that a window which ends now would overlap. The law is this formula. It is
    not exact: where the claims of the window before came at its end, up to nearly twice the limit may fall into some
    window of that length (and that is what it costs to keep two numbers; :class:`SlidingWindow` is exact).

    Args:
        limit: tokens, a whole number, 1 or more.
        window: seconds, above 0. The first window begins with the first claim, as does one after two idle ones.
        max_wait: seconds that a wait may take; a longer one is refused at once. None for no limit.

    Raises:
        ConfigurationError: names the field, the value and what is allowed.
    """

    __slots__ = ("_before", "_began", "_current", "limit", "window")

    whole_tokens = True

    def __init__(self, limit: int, window: float, *, max_wait: float | None = None) -> None:
        allow("limit", limit, is_whole(limit) and limit >= 1, "a whole number, 1 or more (tokens)")
        allow("window", window, is_number(window) and window > 0, "finite seconds above 0")
        super().__init__(limit, max_wait)
        self.limit = limit
        self.window = float(window)
        self._began = -inf  # when the current window did
        self._current = self._before = 0  # claimed in it, and in the one before

    def _at(self, time: float) -> tuple[float, int, int]:
        """The window of ``time``: when it began, what was claimed in it, and in the one before."""
        began, window = self._began, self.window
        if time >= began + 2 * window or not (self._current or self._before):
            return time, 0, 0
        if time >= began + window:
            return began + window, 0, self._current
        return began, self._current, self._before

    def _ready_at(self, ahead: float, tokens: float, time: float) -> float:
        limit, window = self.limit, self.window
        later, wanted = divmod(int(ahead + tokens) - 1, limit)
        wanted += 1  # after whole windows, each of which takes a limit's worth of those ahead
        began, current, before = self._at(time)
        if current + wanted > limit:
            began, current, before = began + window, 0, current
        room = limit - current - wanted
        if before > room:  # until enough of the window before has left
            ready = began + (1 - room / before) * window
        else:
            ready = began
        return max(ready, time) + later * window if later else ready

    def _take(self, tokens: float, time: float) -> None:
        self._began, self._current, self._before = self._at(time)
        self._current += int(tokens)

    def _untake(self, tokens: float, time: float) -> None:
        self._current -= int(tokens)

    def _is_full(self, time: float) -> bool:
        _, current, before = self._at(time)
        return not current and not before

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.limit} in {self.window:g} s, {self.waiting} waiting>"
