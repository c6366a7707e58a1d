"""The adaptive rate: how often is learned from how often the server refuses, as the AWS SDKs do in their adaptive mode.

There is no limit until the server refuses for the first time. Then the rate is cut, and grows back on a cubic curve
that is flat where the refusal came: quickly up to there, carefully across it, boldly beyond. It never exceeds twice
what is really sent, lest a quiet hour end in a flood.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import floor, inf

from .adaptive import STALE
from .checks import allow, is_number
from .learner import Learner
from .places import Fate, TimedSlot

_SMOOTHING = 0.8  # of the measured rate: the weight of the latest
_SLACK = 1e-6  # tokens that rounding may cost


@dataclass(frozen=True, slots=True)
class Cubic:
    """The curve on which a rate grows after it was cut.

    Args:
        beta: by what a rate is multiplied when the server refuses, above 0 and below 1.
        scale: how steep the curve is, above 0.

    Raises:
        ConfigurationError: names the field, the value and what is allowed.

    Source: S. Ha, I. Rhee, L. Xu, "CUBIC: a new TCP-friendly high-speed TCP variant", 2008 (RFC 9438).
    """

    beta: float = 0.7
    scale: float = 0.4

    def __post_init__(self) -> None:
        allow("beta", self.beta, is_number(self.beta) and 0 < self.beta < 1, "a number between 0 and 1")
        allow("scale", self.scale, is_number(self.scale) and self.scale > 0, "a finite number above 0")

    def cut(self, rate: float) -> float:
        """What is left of ``rate`` when the server refuses."""
        return self.beta * rate

    def pause(self, rate: float) -> float:
        """Seconds after the cut until ``rate`` is reached again: ``K = (rate * (1 - beta) / scale) ^ (1/3)``."""
        return float((rate * (1 - self.beta) / self.scale) ** (1 / 3))

    def grown(self, rate: float, elapsed: float) -> float:
        """The rate ``elapsed`` seconds after ``rate`` was cut: ``scale * (elapsed - K)^3 + rate``."""
        behind = elapsed - self.pause(rate)
        return self.scale * behind * behind * behind + rate


class AdaptiveRate(Learner):
    """A token bucket whose rate is learned.

    The rate that is sent at is measured in steps of half a second and smoothed: ``0.8 * latest + 0.2 * before``. When
    the server refuses, ``w_max`` is that (or the rate in force, if that is less), and the rate becomes
    ``beta * w_max``; with every send that it does not refuse, ``scale * (t - K)^3 + w_max``. In force is
    ``max(min_rate, min(rate, 2 * measured))``. The bucket holds the tokens of a second, at least ``burst``; what came
    in at the old rate is there before the rate changes.

    Only refusals (``throttled``: 429 and 503) count against the rate; a timeout does not.

    Args:
        min_rate: requests a second that it never goes below, above 0.
        burst: what the bucket can hold at least, and so the most that a claim can have; 1 or more.
        cubic: how the rate grows.
        max_wait: seconds that a wait may take; a longer one is refused at once. None for no limit.

    Attributes:
        rate: in force, in tokens a second; before the first refusal it is only what it would be.
        measured: the rate that is sent at, smoothed.
        limited: whether the server has refused, since when there is a limit.

    Raises:
        ConfigurationError: names the field, the value and what is allowed.

    Source: AWS SDKs, retry behaviour, adaptive mode (botocore, aws-sdk-go-v2, smithy-rs agree).
    """

    __slots__ = (
        "_bucket_began",
        "_count",
        "_cut_at",
        "_heard_at",
        "_level",
        "_peak",
        "_refilled",
        "burst",
        "cubic",
        "limited",
        "measured",
        "min_rate",
        "rate",
    )

    def __init__(
        self,
        *,
        min_rate: float = 0.5,
        burst: float = 1,
        cubic: Cubic = Cubic(),
        max_wait: float | None = None,
    ) -> None:
        allow("min_rate", min_rate, is_number(min_rate) and min_rate > 0, "a finite number above 0 (a second)")
        allow("burst", burst, is_number(burst) and burst >= 1, "a finite number, 1 or more (tokens)")
        allow("cubic", cubic, isinstance(cubic, Cubic), "a Cubic")
        super().__init__(burst, max_wait)
        self.min_rate = min_rate
        self.burst = burst
        self.cubic = cubic
        self.rate = min_rate
        self.measured = 0.0
        self.limited = False
        self._level = 0.0  # tokens at _refilled
        self._refilled = -inf
        self._bucket_began = -inf  # of the half second that is counted
        self._count = 0
        self._peak = 0.0  # w_max
        self._cut_at = 0.0
        self._heard_at = -inf

    def _available(self, time: float) -> float:
        return min(max(self.rate, self.burst), self._level + (time - self._refilled) * self.rate)

    def _ready_at(self, ahead: float, tokens: float, time: float) -> float:
        if not self.limited:
            return time
        lacking = ahead + tokens - self._available(time)
        return time if lacking <= _SLACK else time + lacking / self.rate  # which by rounding may be now, and grants

    def _take(self, tokens: float, time: float) -> None:
        if self.limited:
            self._level, self._refilled = max(0.0, self._available(time) - tokens), time

    def _untake(self, tokens: float, time: float) -> None:
        if self.limited:
            self._level += tokens

    def _is_full(self, time: float) -> bool:
        return time >= self._heard_at + STALE

    def _learn(self, slot: TimedSlot, fate: Fate, time: float) -> None:
        if fate == "ignored":
            return
        self._measure(time)
        if fate == "throttled":
            self._peak = min(self.measured, self.rate) if self.limited else self.measured
            self._cut_at = time
            rate = self.cubic.cut(self._peak)
        else:
            rate = self.cubic.grown(self._peak, time - self._cut_at)
        if self.limited:
            self._level = self._available(time)
        self._refilled = time
        self.limited = self.limited or fate == "throttled"
        self.rate = max(self.min_rate, min(rate, 2 * self.measured))
        self._level = min(self._level, max(self.rate, self.burst))

    def _measure(self, time: float) -> None:
        """Count one more send that has ended."""
        if self._heard_at == -inf:
            self._bucket_began = self._cut_at = floor(time)
        self._heard_at = time
        self._count += 1
        bucket = floor(2 * time) / 2
        if bucket > self._bucket_began:
            latest = self._count / (bucket - self._bucket_began)
            self.measured = _SMOOTHING * latest + (1 - _SMOOTHING) * self.measured
            self._bucket_began, self._count = bucket, 0

    def __repr__(self) -> str:
        limit = f"{self.rate:.3g}/s" if self.limited else "no limit yet"
        return f"<{type(self).__name__} {limit}, {self.waiting} waiting>"
