"""Rate limiters as the adapter's user sees them: awaited alone, or in a client."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable

import anyio

from sansio_http import Claimed, Limiter, RateLimitError, Refused, SlidingWindow, TokenBucket, Waiter

Clock = Callable[[], float]

_RECHECK = 1.0  # seconds; where a wait is of unknown length, and for a nudge that was lost


class RateLimiter(ABC):
    """Something to wait for before a request is sent. Subclass it for a limiter of your own."""

    @abstractmethod
    async def acquire(self, tokens: float = 1) -> float:
        """Wait until ``tokens`` are granted; returns the seconds waited."""

    def is_configured(self) -> bool:
        """Whether there is any limit; where there is none, a client does not ask."""
        return True


class TokenBucketRateLimiter(TokenBucket, RateLimiter):
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

    async def acquire(self, tokens: float = 1) -> float:
        """Wait until ``tokens`` are granted; returns the seconds waited.

        Raises:
            RateLimitError: the wait would be longer than ``max_wait`` (``local`` is True).
            ConfigurationError: more tokens than the bucket holds, or none.
        """
        return await _acquire(self, tokens, self._clock)


class SlidingWindowRateLimiter(SlidingWindow, RateLimiter):
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

    async def acquire(self, tokens: float = 1) -> float:
        """Wait until ``tokens`` are granted; returns the seconds waited.

        Raises:
            RateLimitError: the wait would be longer than ``max_wait`` (``local`` is True).
            ConfigurationError: more tokens than the window holds, none, or a part of one.
        """
        return await _acquire(self, tokens, self._clock)


async def _acquire(limiter: Limiter, tokens: float, clock: Clock) -> float:
    """Hold a place in the limiter's queue until its claim succeeds; give it up on every other way out."""
    waiter = Waiter()
    began = now = clock()
    place = limiter.reserve(now, tokens, waiter=waiter)
    if isinstance(place, Refused):
        retry_after = place.retry_at - now
        message = f"the rate limiter has no place in time; try again in {retry_after:.3g} s"
        raise RateLimitError(None, message, retry_after=retry_after, local=True)
    claimed: Claimed | float | None = None
    try:
        while not isinstance(claimed := limiter.claim(place, now), Claimed):
            woken = anyio.Event()
            waiter.wake = woken.set
            with anyio.move_on_after(_RECHECK if claimed is None else claimed - now):
                await woken.wait()
            now = clock()
        return now - began
    finally:
        nudge = claimed.nudge if isinstance(claimed, Claimed) else limiter.cancel(place, clock())
        if nudge is not None:
            nudge.wake()
