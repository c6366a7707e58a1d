"""Several limits at once: ten a second, and a hundred a minute, and twenty at a time."""

from __future__ import annotations

from ..exceptions import ConfigurationError
from .learner import Learner
from .places import Fate, TimedSlot
from .queue import Limiter


class Combined(Learner):
    """One queue before several limits: its head goes when every one of them would let it, and takes from all at once.

    The parts are used as laws: they belong to this limiter alone, and their own queues and ``max_wait`` are not asked.
    (A limit that several limiters share, one for all tenants beside one for each, is a limiter of its own: give a
    client both, in a list.)

    Args:
        limits: two or more, none of them twice.
        max_wait: seconds that a wait may take; a longer one is refused at once. None for no limit.

    Attributes:
        limits: the parts.
        holds: whether a part is a limit of concurrency, or learns; where not, nobody need release what was claimed.
        steered: whether a part listens to the server.

    Raises:
        ConfigurationError: names the field, the value and what is allowed.
    """

    __slots__ = ("_learners", "holds", "limits", "steered", "whole_tokens")

    def __init__(self, *limits: Limiter, max_wait: float | None = None) -> None:
        for each in limits:
            if not isinstance(each, Limiter):
                raise ConfigurationError(f"limits: {type(each).__name__} is not allowed; each must be a Limiter")
            if each.waiting:
                raise ConfigurationError(f"limits: {each!r} is in use; the parts of a Combined belong to it alone")
        if len(limits) < 2 or len({id(each) for each in limits}) < len(limits):
            raise ConfigurationError(f"limits: {len(limits)} given; there must be two or more, none of them twice")
        super().__init__(min(each._capacity for each in limits), max_wait)
        self.limits = limits
        self.whole_tokens = any(each.whole_tokens for each in limits)
        self.steered = any(each.steered for each in limits)
        self.holds = any(each.holds for each in limits)
        self._learners = tuple(each for each in limits if each.holds)

    def _ready_at(self, ahead: float, tokens: float, time: float) -> float:
        return max(each._ready_at(ahead, tokens, time) for each in self.limits)

    def _take(self, tokens: float, time: float) -> None:
        for each in self.limits:
            each._take(tokens, time)

    def _untake(self, tokens: float, time: float) -> None:
        for each in self.limits:
            each._untake(tokens, time)

    def _is_full(self, time: float) -> bool:
        return all(each._is_full(time) for each in self.limits)

    def _learn(self, slot: TimedSlot, fate: Fate, time: float) -> None:
        for each in self._learners:
            each._learn(slot, fate, time)

    def _free(self, tokens: float, time: float) -> None:
        for each in self._learners:
            each._free(tokens, time)

    def _turns_away(self, time: float) -> str | None:
        asked: list[Limiter] = []
        for each in self._learners:
            if (why := each._turns_away(time)) is not None:
                for other in asked:
                    other._forget(time)
                return why
            asked.append(each)
        return None

    def _forget(self, time: float) -> None:
        for each in self._learners:
            each._forget(time)

    def _hold_until(self, until: float, time: float) -> None:
        for each in self._learners:
            each._hold_until(until, time)

    def _adopt(
        self, remaining: float | None, reset: float | None, quota: float | None, window: float | None, time: float
    ) -> None:
        for each in self._learners:
            each._adopt(remaining, reset, quota, window, time)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {', '.join(map(repr, self.limits))}, {self.waiting} waiting>"
