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

from .auth import (
    ActiveAuth,
    APIKey,
    Auth,
    AuthChain,
    Basic,
    Bearer,
    ClientCredentials,
    Digest,
    NoAuth,
    RefreshToken,
    Signer,
    Token,
    TokenExchange,
    TokenStore,
    Unsigned,
)
from .bodies import Body, Replay
from .call import Call
from .circuit_breaker import (
    TRANSITIONS,
    CallWindow,
    Circuit,
    CircuitEvent,
    CircuitState,
    Permit,
    Rejected,
    diagram,
    is_failure,
)
from .cookies import CookieStore
from .exceptions import (
    AttemptTimeoutError,
    AuthenticationError,
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
    ResponseValidationError,
    RetryExhaustedError,
    TLSError,
    TokenError,
    TotalTimeoutError,
    WriteTimeoutError,
)
from .fields.media_type import charset, is_json
from .fields.problem import ProblemDetails
from .fields.rate_limit import ServerLimit
from .headers import Headers, HeadersLike
from .hedging import Hedging
from .http1 import BodyWriter, HTTP1Error, HTTP1Limits, ResponseParser, request_head
from .keyed import Keyed, by_all, by_header, by_origin, by_route
from .models import (
    Attempt,
    HTTPRequest,
    HTTPResponse,
    Outcome,
    PreparedRequest,
    ResponseBody,
)
from .multipart import PART_END, multipart_end, multipart_fields, multipart_head, multipart_type
from .notes import (
    BodyRead,
    CallEnded,
    Challenged,
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
from .pool import Close, Grant, Open, PooledConnection, PoolScheduler, PoolStatus, Reuse, Ticket, Wait
from .query import ParamsStyle, QueryParams, QueryValue
from .rate_limiter import Claimed, Concurrency, Limiter, Refused, Reservation, SlidingWindow, Slot, TokenBucket
from .redirects import RedirectPolicy, portable_headers
from .retry import ExponentialBackoff, Jitter, Retry, RetryPolicy, Stop
from .serializers import JSONSerializer, Serializer, bytes_body, form_body, json_body, text_body
from .step import Ask, BodyEnded, Ended, Event, Progress, Send, Step, Waiter, Woke
from .templates import PathParams, expand
from .urls import join, normalise, origin, parse_base, redact, split

__version__ = "0.1.0"

__all__ = [
    "PART_END",
    "TRANSITIONS",
    "APIKey",
    "ActiveAuth",
    "Ask",
    "Attempt",
    "AttemptHook",
    "AttemptTimeoutError",
    "Auth",
    "AuthChain",
    "AuthenticationError",
    "Basic",
    "Bearer",
    "Body",
    "BodyEnded",
    "BodyRead",
    "BodyWriter",
    "Call",
    "CallEnded",
    "CallWindow",
    "CertificateError",
    "Challenged",
    "Circuit",
    "CircuitBreakerOpenError",
    "CircuitChanged",
    "CircuitEvent",
    "CircuitState",
    "Claimed",
    "ClientClosedError",
    "ClientCredentials",
    "Close",
    "Concurrency",
    "ConfigurationError",
    "ConnectError",
    "ConnectTimeoutError",
    "ConnectionLostError",
    "CookieStore",
    "Digest",
    "DriverError",
    "Ended",
    "Event",
    "ExponentialBackoff",
    "Grant",
    "HTTP1Error",
    "HTTP1Limits",
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
    "JSONSerializer",
    "Jitter",
    "Keyed",
    "Limiter",
    "NoAuth",
    "Note",
    "Open",
    "Outcome",
    "ParamsStyle",
    "PathParams",
    "Permit",
    "Phase",
    "Policies",
    "PoolScheduler",
    "PoolStatus",
    "PoolTimeoutError",
    "PooledConnection",
    "PreparedRequest",
    "ProblemDetails",
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
    "RefreshToken",
    "Refused",
    "Rejected",
    "Replay",
    "Resent",
    "Reservation",
    "ResponseBody",
    "ResponseBodyError",
    "ResponseDecodeError",
    "ResponseParser",
    "ResponseTooLargeError",
    "ResponseValidationError",
    "Retry",
    "RetryExhaustedError",
    "RetryPolicy",
    "Retrying",
    "Reuse",
    "Send",
    "SendEnded",
    "Serializer",
    "ServerLimit",
    "Signer",
    "SlidingWindow",
    "Slot",
    "Step",
    "Stop",
    "Stopped",
    "TLSError",
    "Ticket",
    "Token",
    "TokenBucket",
    "TokenError",
    "TokenExchange",
    "TokenStore",
    "TotalTimeoutError",
    "Unsigned",
    "Wait",
    "Waited",
    "Waiter",
    "Woke",
    "WriteTimeoutError",
    "__version__",
    "by_all",
    "by_header",
    "by_origin",
    "by_route",
    "bytes_body",
    "charset",
    "diagram",
    "expand",
    "form_body",
    "is_failure",
    "is_json",
    "join",
    "json_body",
    "multipart_end",
    "multipart_fields",
    "multipart_head",
    "multipart_type",
    "normalise",
    "origin",
    "parse_base",
    "portable_headers",
    "redact",
    "request_head",
    "split",
    "text_body",
]
