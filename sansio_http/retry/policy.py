"""Whether a failed attempt is followed by another, when, and why.

Two kinds of failure are told apart, because they say different things about the server's state:

- it *answered* with a status on the list: it has dealt with the request, so any method on the list may be sent again;
- the *transport* failed or a timeout passed: if a byte may have left, nobody knows what the server did, so only what
  may safely happen twice is sent again (RFC 9110 9.2.2).
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Literal

from ..exceptions import (
    CertificateError,
    ConfigurationError,
    HTTPRequestError,
    HTTPTimeoutError,
    PoolTimeoutError,
    ResponseBodyError,
    ResponseTooLargeError,
    TotalTimeoutError,
)
from ..models import METHODS, HTTPRequest, HTTPResponse, Outcome
from .backoff import ExponentialBackoff

IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})
"""The methods that may happen twice without harm (RFC 9110 9.2.2)."""

STATUSES = frozenset({408, 429, 500, 502, 503, 504})
"""The statuses that are retried by default."""

# With an idempotency key of ours these say that the first send is still being worked on, or was not the same.
_ABOUT_THE_KEY = frozenset({409, 422})

_FINAL_ERRORS = (CertificateError, PoolTimeoutError, ResponseBodyError, ResponseTooLargeError)


class Retry:
    """One more attempt, after ``delay`` seconds. ``reason``: status, transport, timeout or retry_after."""

    __slots__ = ("delay", "reason")

    def __init__(self, delay: float, reason: str) -> None:
        self.delay = delay
        self.reason = reason

    def __repr__(self) -> str:
        return f"Retry(delay={self.delay:.3g}, reason={self.reason!r})"


class Stop:
    """No further attempt.

    ``reason``: attempts, deadline, not_idempotent, not_replayable, not_retryable or retry_after.
    """

    __slots__ = ("reason",)

    def __init__(self, reason: str) -> None:
        self.reason = reason

    def __repr__(self) -> str:
        return f"Stop({self.reason!r})"


def _default_methods() -> frozenset[str]:
    return frozenset({"GET", "POST", "PUT", "DELETE", "PATCH"})


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Retries with exponential backoff and full jitter, never sooner than the server asks.

    Args:
        retries: attempts after the first; 0 turns retrying off.
        backoff: how long to wait.
        statuses: answers that are retried, 400 to 599.
        methods: methods that are retried at all; HEAD, OPTIONS and TRACE follow GET.
        retry_after_max: seconds; a server that asks for a longer wait is not asked again by this call.
        on_exhausted: what a call gives when the last answer could have been retried and was not: ``raise`` an error
            that holds it, or ``return`` it.

    Raises:
        ConfigurationError: a value is out of its range.
    """

    retries: int = 3
    backoff: ExponentialBackoff = ExponentialBackoff()
    statuses: Collection[int] = STATUSES
    methods: Collection[str] = field(default_factory=_default_methods)
    retry_after_max: float = 120.0
    on_exhausted: Literal["raise", "return"] = "raise"

    def __post_init__(self) -> None:
        if not isinstance(self.retries, int) or isinstance(self.retries, bool) or self.retries < 0:
            raise ConfigurationError(f"RetryPolicy.retries: {self.retries!r} is not allowed; it is 0 or more")
        for name in ("statuses", "methods"):
            value = getattr(self, name)
            if isinstance(value, str) or not isinstance(value, Collection):
                raise ConfigurationError(f"RetryPolicy.{name}: {value!r:.40} is not allowed; it is a set")
        statuses = frozenset(self.statuses)
        for status in statuses:
            if not (isinstance(status, int) and 400 <= status <= 599):
                raise ConfigurationError(f"RetryPolicy.statuses: {status!r} is not allowed; each is 400 to 599")
        methods = frozenset(str(method).upper() for method in self.methods)
        if unknown := methods - METHODS:
            raise ConfigurationError(
                f"RetryPolicy.methods: {min(unknown)!r} is not allowed; each is one of {', '.join(sorted(METHODS))}"
            )
        if "GET" in methods:
            methods |= {"HEAD", "OPTIONS", "TRACE"}
        if not (isinstance(self.retry_after_max, int | float) and self.retry_after_max >= 0):
            raise ConfigurationError(
                f"RetryPolicy.retry_after_max: {self.retry_after_max!r} is not allowed; it is seconds, 0 or more"
            )
        if self.on_exhausted not in ("raise", "return"):
            raise ConfigurationError(
                f"RetryPolicy.on_exhausted: {self.on_exhausted!r} is not allowed; it is 'raise' or 'return'"
            )
        object.__setattr__(self, "statuses", statuses)
        object.__setattr__(self, "methods", methods)

    def decide(
        self,
        request: HTTPRequest,
        outcome: Outcome,
        retry: int,
        *,
        sent: bool,
        left: float,
        rand: Callable[[], float] | None = None,
        wall: Callable[[], float] | None = None,
    ) -> Retry | Stop | None:
        """What follows from the outcome of an attempt.

        Args:
            request: as the caller wants it: what another attempt would start from.
            outcome: the answer, or the error.
            retry: retries made so far (0 after the first attempt).
            sent: a byte of the request may have left.
            left: seconds until the call's deadline; infinity where it has none.
            rand: numbers in [0, 1), for jitter; without, the longest wait is taken.
            wall: seconds since the epoch, for a Retry-After date beside no Date.

        Returns:
            :class:`Retry`; :class:`Stop`, where it failed and no attempt follows; None where the answer is to be
            returned as it is: it succeeded, or is not an answer that this policy retries.
        """
        asked: float | None = None
        if isinstance(outcome, HTTPResponse):
            if self.retries == 0 or not self._retries_status(request, outcome.status_code):
                return None
            reason = "status"
            asked = outcome.retry_after(wall() if wall else None)
        else:
            if isinstance(outcome, TotalTimeoutError):
                return Stop("deadline")
            if not isinstance(outcome, HTTPRequestError) or isinstance(outcome, _FINAL_ERRORS):
                return Stop("not_retryable")
            if self.retries == 0 or request.method not in self.methods:
                return Stop("not_retryable")
            reason = "timeout" if isinstance(outcome, HTTPTimeoutError) else "transport"
            if sent and not may_repeat(request):
                return Stop("not_idempotent")
        if sent and request.body is not None and not request.body.replayable:
            return Stop("not_replayable")
        if retry >= self.retries:
            return Stop("attempts")
        delay = self.backoff.delay(retry, rand)
        if asked is not None:
            if asked > self.retry_after_max or asked >= left:
                return Stop("retry_after")
            if asked > delay:
                delay, reason = asked, "retry_after"
        return Stop("deadline") if delay >= left else Retry(delay, reason)

    def _retries_status(self, request: HTTPRequest, status: int) -> bool:
        if status not in self.statuses or request.method not in self.methods:
            return False
        return not (status in _ABOUT_THE_KEY and request.idempotency_key == "auto")


def may_repeat(request: HTTPRequest) -> bool:
    """Whether the server may receive the request twice: by its method, or because the caller vouched for it."""
    return request.method in IDEMPOTENT or request.idempotent or "idempotency-key" in request.headers
