"""What a call ends in when an outcome could have been retried, and no attempt follows."""

from __future__ import annotations

from .exceptions import (
    CircuitBreakerOpenError,
    HTTPRequestError,
    RateLimitError,
    RetryExhaustedError,
    TotalTimeoutError,
    one_line,
)
from .models import HTTPRequest, HTTPResponse, Outcome
from .policies import Policies
from .retry import Stop
from .urls import redact


def given_up(stop: Stop, last: Outcome, tries: int, request: HTTPRequest, policies: Policies) -> Outcome:
    """The answer itself, or the error that says why there is no better one.

    Args:
        stop: why no attempt follows.
        last: how the last attempt ended.
        tries: attempts made.
        request: that the call is about.
        policies: that gave up.

    Returns:
        A transport error that was never retried: itself. An answer where ``on_exhausted`` is ``return``: itself. A 429:
        :class:`RateLimitError`. Anything else: :class:`RetryExhaustedError`.
    """
    if isinstance(last, BaseException):
        if isinstance(last, HTTPRequestError) and (tries < 2 or stop.reason == "not_retryable"):
            return last
        message = _message(stop, one_line(last), tries, request)
        return RetryExhaustedError(message, reason=stop.reason, last_error=last)
    if policies.retry is not None and policies.retry.on_exhausted == "return":
        return last
    message = _message(stop, f"{last.status_code} {last.reason}".rstrip(), tries, request)
    asked = None if policies.retry is None else policies.retry.asked(last, policies.wall)
    if last.status_code == 429:
        return RateLimitError(429, message, last, retry_after=asked)
    return RetryExhaustedError(message, reason=stop.reason, last_response=last, retry_after=asked)


def refusal_reason(error: Outcome | None) -> str:
    """Why no attempt follows, where our own policies refused it."""
    if isinstance(error, CircuitBreakerOpenError):
        return "circuit_open"
    return "deadline" if isinstance(error, TotalTimeoutError) else "limiter"


def status_and_error(outcome: Outcome) -> tuple[int | None, str | None]:
    """An outcome for the record: a status, or one line on an error."""
    return (outcome.status_code, None) if isinstance(outcome, HTTPResponse) else (None, one_line(outcome))


def _message(stop: Stop, last: str, tries: int, request: HTTPRequest) -> str:
    attempts = "1 attempt" if tries == 1 else f"{tries} attempts"
    why = f"{stop.reason}: {stop.detail}" if stop.detail else stop.reason
    return f"{request.method} {redact(request.url)}: gave up after {attempts} ({why}); last: {last}"
