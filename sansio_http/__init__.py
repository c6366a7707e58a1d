"""The pure core of sansio-http: every decision of a REST client, and no I/O.

A driver holds one :class:`Call` per request, tells it facts, and does what the returned :class:`Step` says. The
blocking driver, in full::

    step = call.start(clock())
    try:
        while step.done is None:
            for waiter in step.nudge:
                waiter.wake()
            if step.send:
                (order,) = step.send                   # one send at a time: Call(..., max_live=1) sees to it
                event = perform(order)                 # a Send or an Ask; returns Ended; gives up at order.deadline
            else:
                sleep_until(step.wake_at)
                event = Woke()
            step = call.handle(event, clock())
    finally:
        for waiter in step.nudge + call.close(clock()).nudge:
            waiter.wake()

Time is the argument ``now``, in seconds of any monotonic clock; chance is an argument of :class:`Policies`. There are
no locks: one thread at a time per object.
"""

from .auth import APIKey, Auth, Basic, Bearer
from .bodies import Body, Replay
from .call import Call
from .circuit_breaker import TRANSITIONS, Circuit, CircuitEvent, CircuitState, Permit, Rejected, diagram, is_failure
from .exceptions import (
    AttemptTimeoutError,
    CertificateError,
    CircuitBreakerOpenError,
    ClientClosedError,
    ConfigurationError,
    ConnectError,
    ConnectionLostError,
    ConnectTimeoutError,
    DriverError,
    HTTPClientError,
    HTTPRequestError,
    HTTPResponseError,
    HTTPTimeoutError,
    InvalidRequestError,
    Phase,
    PoolTimeoutError,
    ProtocolError,
    RateLimitError,
    ReadTimeoutError,
    RedirectError,
    ResponseBodyError,
    ResponseDecodeError,
    ResponseTooLargeError,
    RetryExhaustedError,
    TLSError,
    TotalTimeoutError,
    WriteTimeoutError,
)
from .fields.media_type import charset
from .headers import Headers, HeadersLike
from .hedging import Hedging
from .keyed import Keyed
from .models import (
    Attempt,
    HTTPRequest,
    HTTPResponse,
    Outcome,
    PreparedRequest,
    ResponseBody,
)
from .notes import (
    BodyRead,
    CallEnded,
    CircuitChanged,
    Note,
    Rebased,
    Redirected,
    Resent,
    Retrying,
    SendEnded,
    Stopped,
    Waited,
)
from .policies import AttemptHook, Policies
from .query import QueryParams, QueryValue
from .rate_limiter import Claimed, Concurrency, Limiter, Refused, Reservation, SlidingWindow, Slot, TokenBucket
from .redirects import RedirectPolicy
from .retry import ExponentialBackoff, Jitter, Retry, RetryPolicy, Stop
from .serializers import bytes_body, form_body, json_body, text_body
from .step import Ask, BodyEnded, Ended, Event, Progress, Send, Step, Waiter, Woke
from .urls import join, origin, parse_base, redact, split

__version__ = "0.1.0"

__all__ = [
    "TRANSITIONS",
    "APIKey",
    "Ask",
    "Attempt",
    "AttemptHook",
    "AttemptTimeoutError",
    "Auth",
    "Basic",
    "Bearer",
    "Body",
    "BodyEnded",
    "BodyRead",
    "Call",
    "CallEnded",
    "CertificateError",
    "Circuit",
    "CircuitBreakerOpenError",
    "CircuitChanged",
    "CircuitEvent",
    "CircuitState",
    "Claimed",
    "ClientClosedError",
    "Concurrency",
    "ConfigurationError",
    "ConnectError",
    "ConnectTimeoutError",
    "ConnectionLostError",
    "DriverError",
    "Ended",
    "Event",
    "ExponentialBackoff",
    "HTTPClientError",
    "HTTPRequest",
    "HTTPRequestError",
    "HTTPResponse",
    "HTTPResponseError",
    "HTTPTimeoutError",
    "Headers",
    "HeadersLike",
    "Hedging",
    "InvalidRequestError",
    "Jitter",
    "Keyed",
    "Limiter",
    "Note",
    "Outcome",
    "Permit",
    "Phase",
    "Policies",
    "PoolTimeoutError",
    "PreparedRequest",
    "Progress",
    "ProtocolError",
    "QueryParams",
    "QueryValue",
    "RateLimitError",
    "ReadTimeoutError",
    "Rebased",
    "RedirectError",
    "RedirectPolicy",
    "Redirected",
    "Refused",
    "Rejected",
    "Replay",
    "Resent",
    "Reservation",
    "ResponseBody",
    "ResponseBodyError",
    "ResponseDecodeError",
    "ResponseTooLargeError",
    "Retry",
    "RetryExhaustedError",
    "RetryPolicy",
    "Retrying",
    "Send",
    "SendEnded",
    "SlidingWindow",
    "Slot",
    "Step",
    "Stop",
    "Stopped",
    "TLSError",
    "TokenBucket",
    "TotalTimeoutError",
    "Waited",
    "Waiter",
    "Woke",
    "WriteTimeoutError",
    "__version__",
    "bytes_body",
    "charset",
    "diagram",
    "form_body",
    "is_failure",
    "join",
    "json_body",
    "origin",
    "parse_base",
    "redact",
    "split",
    "text_body",
]
