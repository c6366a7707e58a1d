"""Whether a failed attempt is followed by another, when, and why.

Two kinds of failure are told apart, because they say different things about the server's state:

- it *answered* with a status on the list: it has dealt with the request, so any method on the list may be sent again;
- the *transport* failed or a timeout passed: if a byte may have left, nobody knows what the server did, so only what
  may safely happen twice is sent again (RFC 9110 9.2.2).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Literal

from ..exceptions import (
    AddressRefusedError,
    CertificateError,
    ConfigurationError,
    HTTPRequestError,
    HTTPTimeoutError,
    PoolTimeoutError,
    ResponseBodyError,
    ResponseTooLargeError,
    TotalTimeoutError,
)
from ..fields.hints import is_wait, parse_hint
from ..fields.rate_limit import spent_until
from ..models import METHODS, HTTPRequest, HTTPResponse, Outcome
from .backoff import Backoff, ExponentialBackoff

IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})
"""The methods that may happen twice without harm (RFC 9110 9.2.2)."""

STATUSES = frozenset({408, 429, 500, 502, 503, 504})
"""The statuses that are retried by default."""

# With an idempotency key of ours these say that the first send is still being worked on, or was not the same.
_ABOUT_THE_KEY = frozenset({409, 422})

_FINAL_ERRORS = (AddressRefusedError, CertificateError, PoolTimeoutError, ResponseBodyError, ResponseTooLargeError)

_IS_FIELD_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9a-z]+").fullmatch  # RFC 9110 5.6.2

Rule = Callable[[Outcome, HTTPRequest], bool | None]
"""A user's own: True to retry, False not to, None to leave it to the policy."""


class Retry:
    """One more attempt, after ``delay`` seconds. ``reason``: status, transport, timeout or retry_after.

    ``memory`` is the backoff's, to be given back with the next question.
    """

    __slots__ = ("delay", "memory", "reason")

    def __init__(self, delay: float, reason: str, memory: float | None = None) -> None:
        self.delay = delay
        self.reason = reason
        self.memory = memory

    def __repr__(self) -> str:
        return f"Retry(delay={self.delay:.3g}, reason={self.reason!r})"


class Stop:
    """No further attempt.

    ``reason``: attempts, budget, circuit_open, deadline, not_idempotent, not_replayable, not_retryable or retry_after.
    ``detail`` says more in words, where there is more to say.
    """

    __slots__ = ("detail", "reason")

    def __init__(self, reason: str, detail: str = "") -> None:
        self.reason = reason
        self.detail = detail

    def __repr__(self) -> str:
        return f"Stop({self.reason!r})"


def _default_methods() -> frozenset[str]:
    return frozenset({"GET", "POST", "PUT", "DELETE", "PATCH"})


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Retries with exponential backoff and full jitter, never sooner than the server asks.

    Args:
        retries: attempts after the first; 0 turns retrying off.
        backoff: how long to wait: an :class:`ExponentialBackoff`, a linear or constant one, or your own.
        statuses: answers that are retried, 400 to 599.
        methods: methods that are retried at all; HEAD, OPTIONS and TRACE follow GET.
        retry_after_max: seconds; a server that asks for a longer wait is not asked again by this call.
        on_exhausted: what a call gives when the last answer could have been retried and was not: ``raise`` an error
            that holds it, or ``return`` it.
        retry_if: ``(outcome, request) -> bool | None``, asked first, about every answer (a 200 may say "not yet") and
            about every transport failure that may be retried at all. True retries what the lists do not name; False
            returns the answer, or raises the error; None leaves it to the lists. It vouches for nothing: a request that
            must not happen twice is still not sent again after a transport failure.
        throttled_backoff: how long to wait after a 429, where that is another wait than ``backoff``; its jitter is one
            that keeps no memory.
        retry_after_clamp: seconds; the server's wait counts up to so much more than the backoff, and is never too long
            to be waited for (the AWS SDKs: 5). None: never sooner than asked, up to ``retry_after_max``.
        hints: fields that are listened to beside Retry-After, such as ``retry-after-ms`` (before it) and
            ``x-ratelimit-reset`` (after it, and only where the quota is spent).

    Raises:
        ConfigurationError: a value is out of its range.
    """

    retries: int = 3
    backoff: Backoff = ExponentialBackoff()
    statuses: Collection[int] = STATUSES
    methods: Collection[str] = field(default_factory=_default_methods)
    retry_after_max: float = 120.0
    on_exhausted: Literal["raise", "return"] = "raise"
    retry_if: Rule | None = None
    throttled_backoff: Backoff | None = None
    retry_after_clamp: float | None = None
    hints: Collection[str] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.retries, int) or isinstance(self.retries, bool) or self.retries < 0:
            raise ConfigurationError(f"RetryPolicy.retries: {self.retries!r} is not allowed; it is 0 or more")
        for name in ("statuses", "methods", "hints"):
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
        clamp = self.retry_after_clamp
        if clamp is not None and not (isinstance(clamp, int | float) and clamp >= 0):
            raise ConfigurationError(
                f"RetryPolicy.retry_after_clamp: {clamp!r} is not allowed; it is seconds, 0 or more, or None"
            )
        if self.retry_if is not None and not callable(self.retry_if):
            raise ConfigurationError(
                f"RetryPolicy.retry_if: {self.retry_if!r:.40} is not allowed; it is a function of outcome and request"
            )
        for name in ("backoff", "throttled_backoff"):
            value = getattr(self, name)
            if not hasattr(value, "wait") and (value is not None or name == "backoff"):
                raise ConfigurationError(
                    f"RetryPolicy.{name}: {value!r:.40} is not allowed; it is an ExponentialBackoff, a LinearBackoff, a"
                    " ConstantBackoff, or a Backoff of your own"
                )
        if getattr(self.throttled_backoff, "jitter", "none") in ("decorrelated", "smooth"):
            raise ConfigurationError(
                "RetryPolicy.throttled_backoff: its jitter is one that keeps no memory: none, full, equal, proportional"
            )
        hints = tuple(str(hint).lower() for hint in self.hints)
        for hint in hints:
            if not _IS_FIELD_NAME(hint):
                raise ConfigurationError(f"RetryPolicy.hints: {hint!r:.40} is not the name of a header field")
        object.__setattr__(self, "statuses", statuses)
        object.__setattr__(self, "methods", methods)
        object.__setattr__(self, "hints", hints)

    @property
    def jittered(self) -> bool:
        """Whether chance is needed."""
        return self.backoff.jitter != "none" or getattr(self.throttled_backoff, "jitter", "none") != "none"

    def asked(self, response: HTTPResponse, wall: Callable[[], float] | None = None) -> float | None:
        """Seconds that the server asks us to wait; None where it does not say.

        The most exact of what it says counts: the hints in milliseconds that this policy listens to; Retry-After; of
        the IETF's RateLimit the reset of what is spent; the other hints.

        Args:
            response: any answer.
            wall: seconds since the epoch, for times in an answer that has no Date of its own.
        """
        time = wall() if wall else None
        headers, status = response.headers, response.status_code
        waits = [parse_hint(name, headers, status=status, wall=time) for name in self.hints if is_wait(name)]
        resets = [parse_hint(name, headers, status=status, wall=time) for name in self.hints if not is_wait(name)]
        for seconds in (*waits, response.retry_after(time), spent_until(response.rate_limits), *resets):
            if seconds is not None:
                return seconds
        return None

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
        memory: float | None = None,
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
            memory: of the :class:`Retry` before, of the same call; None for its first.

        Returns:
            :class:`Retry`; :class:`Stop`, where it failed and no attempt follows; None where the answer is to be
            returned as it is: it succeeded, or is not an answer that this policy retries.
        """
        asked: float | None = None
        throttled = False
        if isinstance(outcome, HTTPResponse):
            if self.retries == 0 or not self._wants(outcome, request, outcome.status_code):
                return None
            reason = "status"
            asked = self.asked(outcome, wall)
            throttled = outcome.status_code == 429
        else:
            if isinstance(outcome, TotalTimeoutError):
                return Stop("deadline")
            if not isinstance(outcome, HTTPRequestError) or isinstance(outcome, _FINAL_ERRORS):
                return Stop("not_retryable")
            if self.retries == 0 or not self._wants(outcome, request, None):
                return Stop("not_retryable")
            reason = "timeout" if isinstance(outcome, HTTPTimeoutError) else "transport"
            if sent and not may_repeat(request):
                return Stop("not_idempotent")
        if sent and request.body is not None and not request.body.replayable:
            return Stop("not_replayable")
        if retry >= self.retries:
            return Stop("attempts")
        if throttled and self.throttled_backoff is not None:
            delay = self.throttled_backoff.wait(retry, rand).seconds
        else:
            delay, memory = self.backoff.wait(retry, rand, memory)
        if asked is not None:
            if self.retry_after_clamp is not None:
                asked = min(asked, delay + self.retry_after_clamp)
            elif asked > self.retry_after_max:
                return Stop("retry_after")
            if asked >= left:
                return Stop("retry_after")
            if asked > delay:
                delay, reason = asked, "retry_after"
        return Stop("deadline") if delay >= left else Retry(delay, reason, memory)

    def _wants(self, outcome: Outcome, request: HTTPRequest, status: int | None) -> bool:
        """Whether such an outcome is tried again: by the user's rule, else by the lists."""
        if self.retry_if is not None:
            wanted: object = self.retry_if(outcome, request)
            if isinstance(wanted, bool):
                return wanted
            if wanted is not None:
                kind = type(wanted).__name__
                raise ConfigurationError(f"RetryPolicy.retry_if: gave back a {kind}; allowed is True, False or None")
        if request.method not in self.methods:
            return False
        if status is None:
            return True
        return status in self.statuses and not (status in _ABOUT_THE_KEY and request.idempotency_key == "auto")


def may_repeat(request: HTTPRequest) -> bool:
    """Whether the server may receive the request twice: by its method, or because the caller vouched for it."""
    return request.method in IDEMPOTENT or request.idempotent or "idempotency-key" in request.headers
