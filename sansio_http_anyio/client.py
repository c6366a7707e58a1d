"""The client: what a user says, put to a :class:`~sansio_http.Call`, and run by the driver."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, Unpack

import anyio.lowlevel

from sansio_http import (
    Call,
    ClientClosedError,
    ConfigurationError,
    Headers,
    HeadersLike,
    HTTPRequest,
    HTTPResponse,
    InvalidRequestError,
    Policies,
    QueryParams,
    __version__,
    join,
    origin,
    parse_base,
)

from .bundle import AnyAuth, AnyCircuit, AnyLimiter, bundle, chain_of, checked, completed, with_auth
from .chain import Chain
from .config import ClientConfig
from .driver import Run, drive
from .middleware.base import Middleware
from .options import RequestOptions, body_of, merged, overlaid
from .streaming import ResponseStream
from .transport.base import Transport
from .transport.httpcore import HttpcoreTransport

_VOUCHED = frozenset({"POST", "PATCH"})  # what config.idempotency_key covers: the others may be repeated anyway


class AsyncHTTPClient:
    """An HTTP client for one API. Use it with ``async with``, or call :meth:`aclose`; it belongs to one event loop.

    Args:
        base_url: where the API is; the URLs of requests are paths under it, which they cannot leave.
        config: timeouts, limits, retries.
        auth: credentials for the origin of ``base_url``.
        middlewares: asked once per call; see :class:`Middleware`.
        rate_limiter: waits before each send.
        circuit_breaker: stops calls while the API is down; one, or a :class:`~sansio_http.Keyed` registry.
        policies: decide in the place of what ``config`` says about retries, redirects, attempt and pool timeouts.
        attempt_middlewares: asked for each send and each answer.
        transport: puts requests on the wire; by default httpcore's pool. The client closes it.
        headers: sent with every request.
        params: sent with every request.
        clock: monotonic seconds.

    Raises:
        ConfigurationError: names the argument, the value and what is allowed.
    """

    _closed = True  # until it is whole: a constructor that fails leaves nothing to close

    def __init__(
        self,
        base_url: str,
        config: ClientConfig | None = None,
        auth: AnyAuth | None = None,
        middlewares: Iterable[Middleware] = (),
        rate_limiter: AnyLimiter | None = None,
        circuit_breaker: AnyCircuit | None = None,
        *,
        policies: Policies | None = None,
        attempt_middlewares: Iterable[Middleware] = (),
        transport: Transport | None = None,
        headers: HeadersLike | None = None,
        params: QueryParams | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._base_url = parse_base(base_url)
        self._config = checked("config", ClientConfig() if config is None else config, ClientConfig, "a ClientConfig")
        several = chain_of("middlewares", middlewares)
        hooks = chain_of("attempt_middlewares", attempt_middlewares)
        self._policies = bundle(
            self._config, policies, auth, rate_limiter, circuit_breaker, several, hooks, self, origin(self._base_url)
        )
        self._clock = checked("clock", clock, Callable, "a function without arguments")
        self._chain = Chain(several, hooks, clock)
        try:
            built_in = Headers({"User-Agent": f"sansio-http/{__version__}", "Accept": "*/*"})
            self._headers = overlaid(built_in, headers)
            self._params = merged({}, params)
        except InvalidRequestError as error:
            raise ConfigurationError(str(error)) from None
        self._given: tuple[Policies, Policies] | None = None  # a request's own policies, and as they were completed
        self._running: set[Run] = set()
        self._loop: object = None
        self._transport: Transport = HttpcoreTransport(self._config) if transport is None else transport
        checked("transport.send", getattr(self._transport, "send", None), Callable, "a method of a Transport")
        self._closed = False

    @property
    def base_url(self) -> str:
        """Where the API is, normalised."""
        return self._base_url

    @property
    def config(self) -> ClientConfig:
        """The settings."""
        return self._config

    @property
    def policies(self) -> Policies:
        """Who decides."""
        return self._policies

    @property
    def is_closed(self) -> bool:
        """Whether :meth:`aclose` was called."""
        return self._closed

    # --- requests ------------------------------------------------------------------------------------------------

    async def request(self, method: str, url: str, **options: Unpack[RequestOptions]) -> HTTPResponse:
        """Make a call and read the whole answer.

        Args:
            method: GET, HEAD, POST, PUT, DELETE, PATCH, OPTIONS or TRACE.
            url: a path under ``base_url``.
            options: see :class:`RequestOptions`.

        Returns:
            The answer, whatever its status, unless the retry policy gave up on it.

        Raises:
            InvalidRequestError: it cannot be sent as it is; nothing was sent.
            HTTPRequestError: there was no answer.
            RetryExhaustedError, RateLimitError: the answer could have been retried, and no retry follows.
            CircuitBreakerOpenError: the circuit breaker let nothing through.
            ClientClosedError: the client was closed, or belongs to another event loop.
        """
        return await self._perform(method, url, False, options)

    async def get(self, url: str, **options: Unpack[RequestOptions]) -> HTTPResponse:
        """``request("GET", ...)``."""
        return await self.request("GET", url, **options)

    async def post(self, url: str, **options: Unpack[RequestOptions]) -> HTTPResponse:
        """``request("POST", ...)``."""
        return await self.request("POST", url, **options)

    async def put(self, url: str, **options: Unpack[RequestOptions]) -> HTTPResponse:
        """``request("PUT", ...)``."""
        return await self.request("PUT", url, **options)

    async def delete(self, url: str, **options: Unpack[RequestOptions]) -> HTTPResponse:
        """``request("DELETE", ...)``."""
        return await self.request("DELETE", url, **options)

    async def patch(self, url: str, **options: Unpack[RequestOptions]) -> HTTPResponse:
        """``request("PATCH", ...)``."""
        return await self.request("PATCH", url, **options)

    async def head(self, url: str, **options: Unpack[RequestOptions]) -> HTTPResponse:
        """``request("HEAD", ...)``."""
        return await self.request("HEAD", url, **options)

    async def options(self, url: str, **options: Unpack[RequestOptions]) -> HTTPResponse:
        """``request("OPTIONS", ...)``."""
        return await self.request("OPTIONS", url, **options)

    def stream(self, method: str, url: str, **options: Unpack[RequestOptions]) -> ResponseStream:
        """Make a call and read its answer piece by piece: ``async with client.stream("GET", "/big") as response``.

        A 2xx is handed over open; any other answer is complete, up to ``error_body_limit``. ``timeout`` bounds the
        time to the head.

        Raises:
            The same as :meth:`request`, on entering.
        """

        return ResponseStream(lambda: self._perform(method, url, True, options))

    # --- the call --------------------------------------------------------------------------------------------------

    async def _perform(self, method: str, url: str, stream: bool, options: RequestOptions) -> HTTPResponse:
        """From what a caller says to the answer."""
        self._check_open()
        if unknown := options.keys() - RequestOptions.__annotations__.keys():
            allowed = ", ".join(RequestOptions.__annotations__)
            raise TypeError(f"unexpected keyword argument {min(unknown)!r}; the options of a request are {allowed}")
        run = Run(self._clock)
        self._running.add(run)
        try:
            request, policies = self._prepared(method, url, **options)
            request = await self._chain.request(request, self, run)
            call = Call(request, policies, stream=stream, listen=self._chain.observe is not None)
            response = await drive(call, self._transport, self._clock, self._chain.observe, run)
            return await self._chain.response(response, request)
        finally:
            self._running.discard(run)

    def _prepared(
        self,
        method: str,
        url: str,
        *,
        params: QueryParams | None = None,
        headers: HeadersLike | None = None,
        json: Any = None,
        data: Any = None,
        timeout: float | None = None,
        auth: AnyAuth | None = None,
        policies: Policies | None = None,
        idempotent: bool = False,
        idempotency_key: str | None = None,
    ) -> tuple[HTTPRequest, Policies]:
        """The request, and who decides about it."""
        body, content_type = body_of(json, data)
        fields = overlaid(self._headers, headers)
        if content_type is not None and "content-type" not in fields:
            fields["Content-Type"] = content_type
        request = HTTPRequest(
            method,
            join(self._base_url, url),
            fields,
            merged(self._params, params),
            body,
            self._config.timeout if timeout is None else timeout,
            idempotent=idempotent,
            idempotency_key=idempotency_key,
        )
        if request.timeout == math.inf:
            request.timeout = None
        if idempotency_key is None and request.method in _VOUCHED and "idempotency-key" not in fields:
            request.idempotency_key = self._config.idempotency_key
        chosen = self._policies if policies is None else self._completed(policies)
        return request, chosen if auth is None else with_auth(chosen, auth)

    def _completed(self, policies: Policies) -> Policies:
        """A request's own policies with the client's slots; the last one is kept, as it will be asked for again."""
        if self._given is None or self._given[0] is not policies:
            self._given = policies, completed(policies, self._policies)
        return self._given[1]

    # --- life ------------------------------------------------------------------------------------------------------

    def _check_open(self) -> None:
        if self._closed:
            raise ClientClosedError("the client is closed")
        loop = anyio.lowlevel.current_token()
        if self._loop is None:
            self._loop = loop
        elif self._loop != loop:
            raise ClientClosedError("the client belongs to another event loop; make one client in each")

    async def aclose(self) -> None:
        """Close every connection; running calls end with :class:`~sansio_http.ClientClosedError`. Idempotent."""
        if self._closed:
            return
        self._closed = True
        for run in list(self._running):
            run.stop()
        await self._transport.aclose()

    async def __aenter__(self) -> AsyncHTTPClient:
        self._check_open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    def __del__(self, _warn: Callable[..., None] = warnings.warn) -> None:
        if self._closed:
            return
        close_now = getattr(self._transport, "close_now", None)
        if close_now is not None and close_now():
            _warn(f"{self!r} was not closed; use `async with`, or call aclose()", ResourceWarning, source=self)

    def __repr__(self) -> str:
        return f"<AsyncHTTPClient {self._base_url}{', closed' if self._closed else ''}>"
