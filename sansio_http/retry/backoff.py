"""How long to wait before a retry.

Theory of operation. A backoff is a value that many calls share, so it remembers nothing; two of the jitters have to
know what came before, and what they remember travels through the call: each wait is worked out from the ``memory`` that
came with the one before it, and brings the memory for the next.

Every wait is finite: a power that a float cannot hold is far beyond any cap, and is never formed.

==============  =====================================================================================================
jitter          a wait whose value without jitter is v, with U uniform in [0, 1)
==============  =====================================================================================================
none            v
full            v * U
equal           v/2 + v/2 * U
proportional    v * (1 - spread + 2 * spread * U)
decorrelated    min(cap, base + (3s - base) * U), where s is the wait before it, and base before the first
smooth          (x - x')/1.4 * base, where x = 2**t * tanh(sqrt(4t)) with t = n + U, and x' is the x before it
==============  =====================================================================================================

Sources: M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015 (full, equal, decorrelated); the
DecorrelatedJitterBackoffV2 of Polly (smooth), whose waits have no steps in their distribution.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from sys import float_info
from typing import Any, Final, Literal, NamedTuple, Protocol, get_args

from ..exceptions import ConfigurationError

Rand = Callable[[], float]

PlainJitter = Literal["none", "full", "equal", "proportional"]
"""What any backoff can do with chance: nothing; all of the wait; half of it; a part on either side of it."""

Jitter = Literal["none", "full", "equal", "proportional", "decorrelated", "smooth"]
"""The same, and two that follow the wait before: see this module's table."""

_LARGEST_EXPONENT: Final = 1000  # 2.0**1024 overflows, and every sensible cap is passed long before
_MOST: Final = 10**18  # retries that a line can count without passing what a float holds


class BackoffWait(NamedTuple):
    """How long to wait, and what the next wait has to know.

    Args:
        seconds: 0 or more, finite.
        memory: for the call to keep, and to give back with its next question; None where there is nothing to know.
    """

    seconds: float
    memory: float | None = None


class Backoff(Protocol):
    """Says how long to wait before each retry. Bring your own: it is a value, and what it must remember the call keeps.

    Attributes:
        jitter: ``"none"`` where it never rolls the dice, so that none need be given.
    """

    @property
    def jitter(self) -> str:
        """How it uses chance."""
        ...

    def wait(self, retry: int, rand: Rand | None = None, memory: float | None = None) -> BackoffWait:
        """How long to wait before retry number ``retry`` (0 is the first).

        Args:
            rand: a source of numbers in [0, 1); without, there is no jitter.
            memory: of the wait before, of the same call; None before the first.
        """
        ...


@dataclass(frozen=True, slots=True)
class ConstantBackoff:
    """The same wait each time.

    Args:
        base: seconds; 0 or more.
        jitter: see :data:`PlainJitter`.
        spread: for proportional jitter: the part of a wait by which it may be shorter or longer, 0 to 1.

    Raises:
        ConfigurationError: a value is out of its range.
    """

    base: float = 1.0
    jitter: PlainJitter = "full"
    spread: float = 0.25

    def __post_init__(self) -> None:
        _check(self, ("base",), PlainJitter)

    def wait(self, retry: int, rand: Rand | None = None, memory: float | None = None) -> BackoffWait:
        """See :meth:`Backoff.wait`."""
        return BackoffWait(_jittered(self.base, self.jitter, self.spread, rand))

    def delay(self, retry: int, rand: Rand | None = None) -> float:
        """Seconds to wait before retry number ``retry``, for who keeps no memory."""
        return self.wait(retry, rand).seconds


@dataclass(frozen=True, slots=True)
class LinearBackoff:
    """Waits that grow by the same amount: ``min(cap, base * (n + 1))`` before retry n = 0, 1, ..., then jittered.

    Args:
        base: seconds before the first retry, without jitter; 0 or more.
        cap: seconds at most, before jitter; 0 or more.
        jitter: see :data:`PlainJitter`.
        spread: for proportional jitter: the part of a wait by which it may be shorter or longer, 0 to 1.

    Raises:
        ConfigurationError: a value is out of its range.
    """

    base: float = 1.0
    cap: float = 60.0
    jitter: PlainJitter = "full"
    spread: float = 0.25

    def __post_init__(self) -> None:
        _check(self, ("base", "cap"), PlainJitter)

    def wait(self, retry: int, rand: Rand | None = None, memory: float | None = None) -> BackoffWait:
        """See :meth:`Backoff.wait`."""
        value = min(self.cap, float(self.base) * (min(retry, _MOST) + 1))
        return BackoffWait(_jittered(value, self.jitter, self.spread, rand))

    def delay(self, retry: int, rand: Rand | None = None) -> float:
        """Seconds to wait before retry number ``retry``, for who keeps no memory."""
        return self.wait(retry, rand).seconds


@dataclass(frozen=True, slots=True)
class ExponentialBackoff:
    """Waits that double: ``min(cap, base * 2**n)`` before retry n = 0, 1, ..., then jittered.

    Full jitter is the default because it lets the fewest clients collide
    (M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015).

    Args:
        base: seconds before the first retry, without jitter; 0 or more.
        cap: seconds at most, before proportional jitter; 0 or more.
        jitter: see :data:`Jitter`.
        spread: for proportional jitter: the part of a wait by which it may be shorter or longer, 0 to 1.

    Raises:
        ConfigurationError: a value is out of its range.
    """

    base: float = 1.0
    cap: float = 60.0
    jitter: Jitter = "full"
    spread: float = 0.25

    def __post_init__(self) -> None:
        _check(self, ("base", "cap"), Jitter)

    def wait(self, retry: int, rand: Rand | None = None, memory: float | None = None) -> BackoffWait:
        """See :meth:`Backoff.wait`."""
        jitter = self.jitter
        if rand is not None:
            if jitter == "decorrelated":
                return self._decorrelated(rand, memory)
            if jitter == "smooth":
                return self._smooth(retry, rand, memory)
        value = min(self.cap, self.base * 2.0 ** min(retry, _LARGEST_EXPONENT))
        return BackoffWait(_jittered(value, jitter, self.spread, rand))

    def delay(self, retry: int, rand: Rand | None = None) -> float:
        """Seconds to wait before retry number ``retry`` (0 is the first), for who keeps no memory.

        Args:
            rand: a source of numbers in [0, 1); without, there is no jitter.
        """
        return self.wait(retry, rand).seconds

    def _decorrelated(self, rand: Rand, memory: float | None) -> BackoffWait:
        base, last = self.base, self.base if memory is None else memory
        highest = min(3.0 * last, float_info.max)
        wait = min(self.cap, base + (highest - base) * rand())
        return BackoffWait(wait, wait)

    def _smooth(self, retry: int, rand: Rand, memory: float | None) -> BackoffWait:
        if retry >= _LARGEST_EXPONENT:  # where two of them can no longer be told apart
            return BackoffWait(self.cap if self.base else 0.0, memory)
        time = retry + rand()
        x = 2.0**time * math.tanh(math.sqrt(4.0 * time))
        return BackoffWait(min(self.cap, max(0.0, x - (memory or 0.0)) / 1.4 * self.base), x)


def _jittered(value: float, jitter: str, spread: float, rand: Rand | None) -> float:
    if jitter == "none" or rand is None:
        return value
    if jitter == "equal":
        return value / 2 + value / 2 * rand()
    if jitter == "proportional":
        return min(value * (1.0 - spread + 2.0 * spread * rand()), float_info.max)
    return value * rand()


def _check(backoff: Any, fields: tuple[str, ...], jitter: Any) -> None:
    name, allowed = type(backoff).__name__, get_args(jitter)
    for field in fields:
        value = getattr(backoff, field)
        if not (isinstance(value, int | float) and 0 <= value <= float_info.max):
            raise ConfigurationError(f"{name}.{field}: {value!r} is not allowed; it is seconds, 0 or more")
    if backoff.jitter not in allowed:
        choice = ", ".join(map(repr, allowed))
        raise ConfigurationError(f"{name}.jitter: {backoff.jitter!r:.40} is not allowed; it is one of {choice}")
    if not (isinstance(backoff.spread, int | float) and 0 <= backoff.spread <= 1):
        raise ConfigurationError(f"{name}.spread: {backoff.spread!r:.40} is not allowed; it is 0 to 1")
