"""sansio-http for asyncio and trio: everything a user needs, in one import.

from sansio_http_anyio import AsyncHTTPClient

async with AsyncHTTPClient("https://api.example.com") as client:
    response = await client.get("/users/1")
    print(response.json_data)
"""

from http import HTTPMethod
from typing import TYPE_CHECKING, Any

from sansio_http import (
    Attempt,
    AttemptTimeoutError,
    Auth,
    Body,
    BodyRead,
    CallEnded,
    CertificateError,
    Circuit,
    CircuitBreakerOpenError,
    CircuitChanged,
    CircuitState,
    ClientClosedError,
    Concurrency,
    ConfigurationError,
    ConnectError,
    ConnectionLostError,
    ConnectTimeoutError,
    ExponentialBackoff,
    Headers,
    HTTPClientError,
    HTTPRequest,
    HTTPRequestError,
    HTTPResponse,
    HTTPResponseError,
    HTTPTimeoutError,
    InvalidRequestError,
    Keyed,
    Limiter,
    Note,
    Policies,
    PoolTimeoutError,
    PreparedRequest,
    ProtocolError,
    RateLimitError,
    ReadTimeoutError,
    Rebased,
    Redirected,
    RedirectError,
    RedirectPolicy,
    Resent,
    ResponseBodyError,
    ResponseDecodeError,
    ResponseTooLargeError,
    RetryExhaustedError,
    Retrying,
    RetryPolicy,
    SendEnded,
    Stopped,
    TLSError,
    TotalTimeoutError,
    Waited,
    WriteTimeoutError,
    __version__,
    origin,
)

from .auth import APIKeyAuth, AuthHandler, BasicAuth, BearerAuth
from .circuit_breaker import CircuitBreaker
from .client import AsyncHTTPClient
from .config import ClientConfig
from .driver import drive
from .middleware import LoggingMiddleware, MetricsMiddleware, MetricsSnapshot, Middleware, RetryMiddleware
from .options import RequestOptions
from .rate_limiter import RateLimiter, SlidingWindowRateLimiter, TokenBucketRateLimiter
from .streaming import ResponseStream, StreamedResponse
from .transport import HttpcoreTransport, Transport

if TYPE_CHECKING:
    from .settings import Settings

__all__ = [
    "APIKeyAuth",
    "AsyncHTTPClient",
    "Attempt",
    "AttemptTimeoutError",
    "Auth",
    "AuthHandler",
    "BasicAuth",
    "BearerAuth",
    "Body",
    "BodyRead",
    "CallEnded",
    "CertificateError",
    "Circuit",
    "CircuitBreaker",
    "CircuitBreakerOpenError",
    "CircuitChanged",
    "CircuitState",
    "ClientClosedError",
    "ClientConfig",
    "Concurrency",
    "ConfigurationError",
    "ConnectError",
    "ConnectTimeoutError",
    "ConnectionLostError",
    "ExponentialBackoff",
    "HTTPClientError",
    "HTTPMethod",
    "HTTPRequest",
    "HTTPRequestError",
    "HTTPResponse",
    "HTTPResponseError",
    "HTTPTimeoutError",
    "Headers",
    "HttpcoreTransport",
    "InvalidRequestError",
    "Keyed",
    "Limiter",
    "LoggingMiddleware",
    "MetricsMiddleware",
    "MetricsSnapshot",
    "Middleware",
    "Note",
    "Policies",
    "PoolTimeoutError",
    "PreparedRequest",
    "ProtocolError",
    "RateLimitError",
    "RateLimiter",
    "ReadTimeoutError",
    "Rebased",
    "RedirectError",
    "RedirectPolicy",
    "Redirected",
    "RequestOptions",
    "Resent",
    "ResponseBodyError",
    "ResponseDecodeError",
    "ResponseStream",
    "ResponseTooLargeError",
    "RetryExhaustedError",
    "RetryMiddleware",
    "RetryPolicy",
    "Retrying",
    "SendEnded",
    "Settings",
    "SlidingWindowRateLimiter",
    "Stopped",
    "StreamedResponse",
    "TLSError",
    "TokenBucketRateLimiter",
    "TotalTimeoutError",
    "Transport",
    "Waited",
    "WriteTimeoutError",
    "__version__",
    "drive",
    "origin",
]


def __getattr__(name: str) -> Any:
    if name == "Settings":  # pydantic-settings takes as long to import as all the rest
        from .settings import Settings

        return Settings
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
