"""The circuit breaker as the adapter's user sees it: around any call, or in a client."""

from __future__ import annotations

import inspect
import random
import time
from collections.abc import Awaitable, Callable
from typing import Any, ParamSpec, TypeVar, overload

from sansio_http import (
    CallWindow,
    Circuit,
    CircuitBreakerOpenError,
    CircuitState,
    ConfigurationError,
    HTTPClientError,
    HTTPResponseError,
    Outcome,
    RateLimitError,
    Rejected,
)

P = ParamSpec("P")
T = TypeVar("T")


class CircuitBreaker(Circuit):
    """Stops calling what keeps failing, and tries it again with care.

    In a client it judges responses and transport errors; with :meth:`call` it guards anything.

    Args:
        failure_threshold: failures in a row that open it, 1 or more. With a ``window`` it is not given.
        recovery_timeout: seconds it stays open.
        expected_exception: what counts as a failure in :meth:`call`: an exception class, or several.
        window: opens it by the rate of failures, or of slow calls, in the place of failures in a row.
        half_open_permits: probes that may be out at once, and that decide.
        success_threshold: how many of them must succeed for it to close; None for all.
        lease: seconds after which a probe in :meth:`call` without a result has failed; in a client it is what the send
            may take, or 30, and 5 more.
        recovery_factor: by which the break grows each time it opens without having closed in between; 1 or more.
        recovery_max: seconds that a break grows to at most; None for ten times ``recovery_timeout``.
        recovery_jitter: a random part of so much of the break is added to it, 0 to 1, so that many clients do not probe
            in lockstep.
        rand: numbers in [0, 1), for the jitter.
        is_failure: the verdict on an outcome in a client: True, False, or None for neither. In :meth:`call` it is asked
            about what was returned or raised, in the place of ``expected_exception``.
        clock: for use outside a client, in seconds.

    Raises:
        ConfigurationError: names the field, the value and what is allowed.
    """

    __slots__ = ("_clock", "_verdict", "expected_exception")

    def __init__(
        self,
        failure_threshold: int = 5,
        recovery_timeout: float = 60.0,
        expected_exception: type[BaseException] | tuple[type[BaseException], ...] = HTTPClientError,
        *,
        window: CallWindow | None = None,
        half_open_permits: int = 1,
        success_threshold: int | None = None,
        lease: float = 35.0,
        recovery_factor: float = 1.0,
        recovery_max: float | None = None,
        recovery_jitter: float = 0.0,
        rand: Callable[[], float] = random.random,
        is_failure: Callable[[Outcome], bool | None] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(
            failure_threshold,
            recovery_timeout,
            window=window,
            half_open_permits=half_open_permits,
            success_threshold=success_threshold,
            lease=lease,
            recovery_factor=recovery_factor,
            recovery_max=recovery_max,
            recovery_jitter=recovery_jitter,
            rand=rand,
            is_failure=is_failure,
        )
        several = expected_exception if isinstance(expected_exception, tuple) else (expected_exception,)
        if not all(isinstance(each, type) and issubclass(each, BaseException) for each in several):
            raise ConfigurationError(
                f"{type(self).__name__}.expected_exception: {expected_exception!r:.80} is not allowed; it is an"
                " exception class, or a tuple of them"
            )
        self.expected_exception = expected_exception
        self._verdict = is_failure
        self._clock = clock

    @property
    def state(self) -> CircuitState:
        """CLOSED, OPEN, HALF_OPEN, ISOLATED or DISABLED, now."""
        return self.state_at(self._clock())

    def force_open(self, now: float | None = None) -> None:
        """Open, as failures would have: the break begins, for ``recovery_timeout``, and probes follow.

        Args:
            now: on the breaker's clock; left out, it is read.
        """
        super().force_open(self._clock() if now is None else now)

    @overload
    async def call(self, func: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T: ...
    @overload
    async def call(self, func: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T: ...
    async def call(self, func: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call ``func``, and await it where it asks for that, if the circuit lets it through.

        An ``expected_exception`` is a failure, unless it is the answer of a server in good health (an
        :class:`~sansio_http.HTTPResponseError` below 500, a :class:`~sansio_http.RateLimitError`). Any other exception
        is a success, and cancellation is neither.

        Raises:
            CircuitBreakerOpenError: it was not called.
        """
        permit = self.admit(self._clock())
        if isinstance(permit, Rejected):
            retry_after = None if permit.retry_at is None else max(0.0, permit.retry_at - self._clock())
            raise CircuitBreakerOpenError(permit.state, retry_after=retry_after, last_failure=permit.last_failure)
        failed: bool | None = None
        outcome: Any = None
        try:
            try:
                outcome = func(*args, **kwargs)
                if inspect.isawaitable(outcome):
                    outcome = await outcome
            except Exception as error:
                outcome = error
                failed = self._failed(error)
                raise
            failed = self._failed(outcome)
            return outcome
        finally:  # cancellation leaves None: the permit goes back without a verdict
            self.settle(permit, failed, self._clock(), outcome)

    def _failed(self, outcome: Any) -> bool | None:
        if self._verdict is not None:
            return self._verdict(outcome)
        if not isinstance(outcome, self.expected_exception) or isinstance(outcome, RateLimitError):
            return False
        return not (
            isinstance(outcome, HTTPResponseError) and outcome.status_code is not None and outcome.status_code < 500
        )
