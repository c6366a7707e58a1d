"""The token bucket: tokens flow in at a steady rate, up to a capacity; each request takes some out."""

from __future__ import annotations

from math import inf, nextafter

from .checks import allow, is_number
from .places import CLAIMED, Claimed
from .queue import Limiter

# What rounding may cost, so that whoever was told a time is granted at it: the tokens of a microsecond, but no more
# than a millionth of one. (To compare times instead is not enough: at 1e9 tokens a second the time of a single token is
# lost in the rounding of a clock that reads 1e9.)
_SLACK = 1e-6


class TokenBucket(Limiter):
    """At most ``rate * w + burst`` tokens claimed in any window of ``w`` seconds.

    Args:
        rate: tokens a second that flow in, above 0.
        burst: the capacity in tokens, 1 or more; the bucket starts full.
        max_wait: seconds that a wait may take; a longer one is refused at once. None for no limit.

    Raises:
        ConfigurationError: names the field, the value and what is allowed.
    """

    # The level is kept as the time since the bucket was last full, and what was taken since: a level, or a theoretical
    # arrival time, that is rewritten at each claim would gather a rounding at each.
    __slots__ = ("_since", "_slack", "_taken", "rate")

    def __init__(self, rate: float, burst: float, *, max_wait: float | None = None) -> None:
        allow("rate", rate, is_number(rate) and rate > 0, "a finite number above 0 (tokens a second)")
        allow("burst", burst, is_number(burst) and burst >= 1, "a finite number, 1 or more (tokens)")
        super().__init__(burst, max_wait)
        self.rate = float(rate)
        self._slack = _SLACK if self.rate >= 1 else _SLACK * self.rate
        self._since = -inf
        self._taken: float = 0

    @property
    def burst(self) -> float:
        """The capacity in tokens."""
        return float(self._capacity)

    def available(self, now: float) -> float:
        """The tokens in the bucket, whoever waits for them."""
        flowed = (self._own(now) - self._since) * self.rate
        return min(self.burst, self.burst - self._taken + flowed)

    def take(self, now: float, tokens: float = 1) -> Claimed | None:
        """As :meth:`Limiter.take`, its three steps in one body: every request comes through here."""
        if type(tokens) is not int or tokens != 1:
            self._check(tokens)
        if self._line is not None:
            return None
        time, slack = self._own(now), self._slack
        flowed = (time - self._since) * self.rate
        if flowed > self._taken + slack:
            self._since, self._taken = time, 0
        if self._taken + tokens - self._capacity > flowed + slack:
            return None
        self._taken += tokens
        return CLAIMED

    def _ready_at(self, ahead: float, tokens: float, time: float) -> float:
        since, taken = self._since, self._taken
        flowed = (time - since) * self.rate
        if flowed > taken + self._slack:  # full: what came after that has run over
            since, taken, flowed = time, 0, 0.0
        lacking = taken + ahead + tokens - self._capacity
        if lacking <= flowed + self._slack:
            return time
        return max(since + lacking / self.rate, nextafter(time, inf))

    def _take(self, tokens: float, time: float) -> None:
        if (time - self._since) * self.rate > self._taken + self._slack:
            self._since, self._taken = time, 0
        self._taken += tokens

    def _untake(self, tokens: float, time: float) -> None:
        self._taken -= tokens

    def _is_full(self, time: float) -> bool:
        return (time - self._since) * self.rate >= self._taken

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.rate:g}/s, burst {self.burst:g}, {self.waiting} waiting>"
