"""Limiters as the adapter's user sees them: awaited alone, held around anything, or in a client."""

from __future__ import annotations

import random
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from types import TracebackType

import anyio

from sansio_http import (
    GCRA,
    Claimed,
    Combined,
    ConfigurationError,
    Fate,
    HTTPResponseError,
    HTTPTimeoutError,
    Limiter,
    RateLimitError,
    Refused,
    SlidingCounter,
    SlidingWindow,
    Slot,
    Throttle,
    TokenBucket,
    Waiter,
)

Clock = Callable[[], float]

_RECHECK = 1.0  # seconds; where a wait is of unknown length, and for a nudge that was lost
_REFUSALS = (429, 503)  # by which a server refuses what is one too many


class RateLimiter(ABC):
    """Something to wait for before a request is sent. Subclass it for a limiter of your own."""

    @abstractmethod
    async def acquire(self, tokens: float = 1) -> float:
        """Wait until ``tokens`` are granted; returns the seconds waited."""

    def is_configured(self) -> bool:
        """Whether there is any limit; where there is none, a client does not ask."""
        return True


class CoreRateLimiter(RateLimiter):
    """What makes a limiter of the core awaitable."""

    _clock: Clock

    async def acquire(self, tokens: float = 1) -> float:
        """Wait until ``tokens`` are granted; returns the seconds waited.

        Raises:
            RateLimitError: the wait would be longer than ``max_wait`` (``local`` is True).
            ConfigurationError: more tokens than can ever be had, none, or a part of one where they are whole; or a part
                of it has to hear how what it let through has ended: then ``async with hold(limiter)``.
        """
        assert isinstance(self, Limiter)
        if self.holds:
            raise ConfigurationError("acquire: a part has to hear how each request ended; use `async with hold(...)`")
        return (await _claim(self, tokens, self._clock))[1]


class TokenBucketRateLimiter(TokenBucket, CoreRateLimiter):
    """At most ``rate * w + burst`` requests in any ``w`` seconds, first come first served.

    Args:
        rate: requests a second, above 0.
        burst: capacity, 1 or more; the bucket starts full.
        max_wait: seconds that a wait may take; a longer one is refused at once. None: no limit.
        clock: for use outside a client, in seconds.

    Raises:
        ConfigurationError: names the field, the value and what is allowed.
    """

    def __init__(
        self, rate: float, burst: float, *, max_wait: float | None = None, clock: Clock = time.monotonic
    ) -> None:
        super().__init__(rate, burst, max_wait=max_wait)
        self._clock = clock


class GCRARateLimiter(GCRA, CoreRateLimiter):
    """The same law as :class:`TokenBucketRateLimiter`, told in times: what remains, when it resets, when to retry.

    Args:
        rate: requests a second, above 0.
        burst: how many at once, 1 or more.
        max_wait: seconds that a wait may take; a longer one is refused at once. None: no limit.
        clock: for use outside a client, in seconds.

    Raises:
        ConfigurationError: names the field, the value and what is allowed.
    """

    def __init__(
        self, rate: float, burst: float, *, max_wait: float | None = None, clock: Clock = time.monotonic
    ) -> None:
        super().__init__(rate, burst, max_wait=max_wait)
        self._clock = clock


class SlidingWindowRateLimiter(SlidingWindow, CoreRateLimiter):
    """At most ``limit`` requests in any ``window`` seconds, first come first served. Memory grows with ``limit``.

    Args:
        limit: requests, 1 or more.
        window: seconds, above 0.
        max_wait: seconds that a wait may take; a longer one is refused at once. None: no limit.
        clock: for use outside a client, in seconds.

    Raises:
        ConfigurationError: names the field, the value and what is allowed.
    """

    def __init__(
        self, limit: int, window: float, *, max_wait: float | None = None, clock: Clock = time.monotonic
    ) -> None:
        super().__init__(limit, window, max_wait=max_wait)
        self._clock = clock


class SlidingCounterRateLimiter(SlidingCounter, CoreRateLimiter):
    """About ``limit`` requests in any ``window`` seconds, in two numbers of memory.

    Args:
        limit: requests, 1 or more.
        window: seconds, above 0.
        max_wait: seconds that a wait may take; a longer one is refused at once. None: no limit.
        clock: for use outside a client, in seconds.

    Raises:
        ConfigurationError: names the field, the value and what is allowed.
    """

    def __init__(
        self, limit: int, window: float, *, max_wait: float | None = None, clock: Clock = time.monotonic
    ) -> None:
        super().__init__(limit, window, max_wait=max_wait)
        self._clock = clock


class CombinedRateLimiter(Combined, CoreRateLimiter):
    """Several limits at once: a request goes when every one of them would let it.

    Args:
        limits: two or more, none of them twice, that belong to this one alone.
        max_wait: seconds that a wait may take; a longer one is refused at once. None: no limit.
        clock: for use outside a client, in seconds.

    Raises:
        ConfigurationError: names the field, the value and what is allowed.
    """

    def __init__(self, *limits: Limiter, max_wait: float | None = None, clock: Clock = time.monotonic) -> None:
        super().__init__(*limits, max_wait=max_wait)
        self._clock = clock


class ClientThrottle(Throttle):
    """Rejects requests by chance, here, while the server refuses most of them; nobody waits.

    Args:
        k: how many are sent for each that the server accepts, above 1.
        padding: requests without which nothing is rejected, 0 or more.
        window: seconds that are counted, above 0.
        rand: numbers in [0, 1).

    Raises:
        ConfigurationError: names the field, the value and what is allowed.
    """

    def __init__(
        self,
        *,
        k: float = 2.0,
        padding: float = 1.0,
        window: float = 120.0,
        rand: Callable[[], float] = random.random,
    ) -> None:
        super().__init__(rand, k=k, padding=padding, window=window)


class hold:  # it reads as a verb: async with hold(limiter)
    """Wait for any limiter, and let it know how what it let through has ended: ``async with hold(limiter): ...``

    So a :class:`~sansio_http.Concurrency` bounds what is inside at once, and limiters that learn do. A body that ends
    well is ``ok``. One that raises an :class:`~sansio_http.HTTPResponseError` is ``throttled`` if that is about a 429
    or 503, else ``ok``; a :class:`TimeoutError`, ``dropped``; anything else, cancellation included, ``ignored``.

    Args:
        limiter: of any kind.
        tokens: how many to take.
        clock: in seconds.

    Attributes:
        waited: seconds.
        fate: set it to say by yourself how it ended.

    Raises:
        RateLimitError: on entering: the limiter has no place (``local`` is True).
        ConfigurationError: so many tokens can never be had, or it is no limiter.
    """

    def __init__(self, limiter: Limiter, tokens: float = 1, *, clock: Clock = time.monotonic) -> None:
        if not isinstance(limiter, Limiter):
            raise ConfigurationError(f"limiter: {type(limiter).__name__} is not allowed; it is a Limiter")
        self._limiter = limiter
        self._tokens = tokens
        self._clock = clock
        self._claimed: Claimed | None = None
        self.waited = 0.0
        self.fate: Fate | None = None

    async def __aenter__(self) -> hold:
        self._claimed, self.waited = await _claim(self._limiter, self._tokens, self._clock)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if isinstance(self._claimed, Slot):
            fate = _fate_of(error) if self.fate is None else self.fate
            nudge = self._limiter.release(self._claimed, fate, self._clock())
            if nudge is not None:
                nudge.wake()


def _fate_of(error: BaseException | None) -> Fate:
    if error is None:
        return "ok"
    if isinstance(error, HTTPResponseError) and error.status_code is not None:
        return "throttled" if error.status_code in _REFUSALS else "ok"
    return "dropped" if isinstance(error, TimeoutError | HTTPTimeoutError) else "ignored"


async def _claim(limiter: Limiter, tokens: float, clock: Clock) -> tuple[Claimed, float]:
    """Hold a place in the limiter's queue until its claim succeeds; give it up on every other way out.

    Returns:
        What was claimed, and the seconds waited.
    """
    waiter = Waiter()
    began = now = clock()
    place = limiter.reserve(now, tokens, waiter=waiter)
    if isinstance(place, Refused):
        retry_after = place.retry_at - now
        message = f"the rate limiter {place.why}; try again in {retry_after:.3g} s"
        raise RateLimitError(None, message, retry_after=retry_after, local=True)
    claimed: Claimed | float | None = None
    try:
        while not isinstance(claimed := limiter.claim(place, now), Claimed):
            woken = anyio.Event()
            waiter.wake = woken.set
            with anyio.move_on_after(_RECHECK if claimed is None else claimed - now):
                await woken.wait()
            now = clock()
        return claimed, now - began
    finally:
        nudge = claimed.nudge if isinstance(claimed, Claimed) else limiter.cancel(place, clock())
        if nudge is not None:
            nudge.wake()
