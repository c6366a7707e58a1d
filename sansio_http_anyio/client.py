"""The client: what a user says, put to a :class:`~sansio_http.Call`, and run by the driver."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterable
from dataclasses import replace
from types import TracebackType
from typing import Any, Self, TypeVar, Unpack, overload

import anyio

from sansio_http import (
    Call,
    ClientClosedError,
    ConfigurationError,
    CookieStore,
    Decision,
    Headers,
    HeadersLike,
    HTTPResponse,
    InvalidRequestError,
    Policies,
    QueryParams,
    Serializer,
    __version__,
    origin,
    parse_base,
)

from .auth import AnyAuth
from .background import Background
from .bundle import AnyCircuit, AnyLimiters, bundle, chain_of, checked
from .chain import Chain
from .config import ClientConfig
from .driver import Run, drive
from .events import Events
from .loops import EventLoop, finder
from .middleware.base import Middleware
from .options import RequestOptions, check_names, merged, overlaid
from .paging import Paging
from .preparation import Preparation
from .serializers import STANDARD, serializer_of
from .sources import Source
from .streaming import ResponseStream
from .transfers import Transfers
from .transport.base import Transport
from .transport.pooled import PooledTransport
from .typed import validator

_MOST_LIVE = 8  # sends that a hedged call can have in flight at once
T = TypeVar("T")


class AsyncHTTPClient(Paging, Events, Transfers):
    """An HTTP client for one API. Use it with ``async with``, or call :meth:`aclose`; it belongs to one event loop.

    Args:
        base_url: where the API is; the URLs of requests are paths under it, which they cannot leave.
        config: timeouts, limits, retries.
        auth: credentials for the origin of ``base_url``: one, or a list whose parts all go onto each request.
        middlewares: asked once per call; see :class:`Middleware`.
        rate_limiter: waits before each send: a limiter of any kind, a :class:`~sansio_http.Keyed` registry of them, a
            :class:`RateLimiter` of your own; or a list of these, all of which a send has to pass.
        circuit_breaker: stops calls while the API is down; one, or a :class:`~sansio_http.Keyed` registry.
        policies: decide in the place of what ``config`` says about retries, redirects, attempt and pool timeouts.
        attempt_middlewares: asked for each send and each answer.
        transport: puts requests on the wire; by default a :class:`PooledTransport`. The client closes it.
        headers: sent with every request.
        params: sent with every request.
        cookies: keeps what servers set, and gives it back to them: a :class:`CookieJar`, or one of your own.
        serializer: reads and writes JSON; by default the standard library does.
        clock: monotonic seconds.
        on_decision: told of every :data:`~sansio_http.Decision` as it is made: that a retry follows, or none, or that a
            hedge went out or was skipped, and why. A :class:`Middleware` is told of more. Do not block in it; an
            exception of it is logged and goes no further.

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
        rate_limiter: AnyLimiters | None = None,
        circuit_breaker: AnyCircuit | None = None,
        *,
        policies: Policies | None = None,
        attempt_middlewares: Iterable[Middleware] = (),
        transport: Transport | None = None,
        headers: HeadersLike | None = None,
        params: QueryParams | None = None,
        cookies: CookieStore | None = None,
        serializer: Serializer | None = None,
        clock: Callable[[], float] = time.monotonic,
        on_decision: Callable[[Decision], object] | None = None,
    ) -> None:
        self._base_url = parse_base(base_url)
        self._config = checked("config", ClientConfig() if config is None else config, ClientConfig, "a ClientConfig")
        several = chain_of("middlewares", middlewares)
        hooks = chain_of("attempt_middlewares", attempt_middlewares)
        self._background = Background()
        decided = bundle(
            self._config, policies, auth, rate_limiter, circuit_breaker, several, hooks, self, origin(self._base_url)
        )
        self._policies = replace(decided, background=self._background.run)
        self._clock = checked("clock", clock, Callable, "a function without arguments")
        if on_decision is not None:
            checked("on_decision", on_decision, Callable, "a function of a note")
        self._chain = Chain(several, hooks, clock, on_decision)
        self._transport: Transport = PooledTransport(self._config, clock=clock) if transport is None else transport
        checked("transport.send", getattr(self._transport, "send", None), Callable, "a method of a Transport")
        try:
            built_in = Headers({"User-Agent": f"sansio-http/{__version__}", "Accept": "*/*"})
            built_in.update(getattr(self._transport, "default_headers", {}))
            defaults = overlaid(built_in, headers), merged({}, params)
        except InvalidRequestError as error:
            raise ConfigurationError(str(error)) from None
        if cookies is not None:
            self._policies = replace(self._policies, cookies=cookies)
        self._serializer = serializer_of(serializer)
        self._preparation = Preparation(self._base_url, self._config, self._policies, *defaults, self._serializer)
        self._running: set[Run] = set()
        self._find_loop: Callable[[], EventLoop] | None = None  # until there is one
        self._loop: EventLoop | None = None
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

    @overload
    async def request(
        self, method: str, url: str, *, response_type: None = None, **options: Unpack[RequestOptions]
    ) -> HTTPResponse: ...
    @overload
    async def request(
        self, method: str, url: str, *, response_type: type[T], **options: Unpack[RequestOptions]
    ) -> T: ...
    @overload
    async def request(self, method: str, url: str, *, response_type: Any, **options: Unpack[RequestOptions]) -> Any: ...
    async def request(
        self, method: str, url: str, *, response_type: Any = None, **options: Unpack[RequestOptions]
    ) -> Any:
        """Make a call and read the whole answer.

        Args:
            method: GET, HEAD, POST, PUT, DELETE, PATCH, OPTIONS or TRACE.
            url: a path under ``base_url``, or a template of one, such as ``/users/{id}``, where ``path`` is given.
            response_type: what the answer's JSON is to be: a pydantic model, a dataclass, a TypedDict, a union,
                ``list[User]``: whatever pydantic knows.
            options: see :class:`RequestOptions`.

        Returns:
            The answer, whatever its status, unless the retry policy gave up on it. With ``response_type``: an instance
            of that type.

        Raises:
            InvalidRequestError: it cannot be sent as it is; nothing was sent.
            HTTPRequestError: there was no answer.
            RetryExhaustedError, RateLimitError: the answer could have been retried, and no retry follows.
            HTTPResponseError: with ``response_type``, the status is 400 or above.
            ResponseValidationError, ResponseDecodeError: the answer is not of ``response_type``, or not JSON.
            CircuitBreakerOpenError: the circuit breaker let nothing through.
            ClientClosedError: the client was closed, or belongs to another event loop.
        """
        if response_type is None:
            return await self._perform(method, url, False, options)
        validate = validator(response_type)  # before anything is sent
        return validate(await self._perform(method, url, False, options))

    def stream(self, method: str, url: str, **options: Unpack[RequestOptions]) -> ResponseStream:
        """Make a call and read its answer piece by piece: ``async with client.stream("GET", "/big") as response``.

        A 2xx is handed over open; any other answer is complete, up to ``error_body_limit``. ``timeout`` bounds the
        time to the head.

        Raises:
            The same as :meth:`request`, on entering.
        """

        return ResponseStream(lambda: self._perform(method, url, True, options), self._config.max_response_size)

    # --- the call --------------------------------------------------------------------------------------------------

    async def _perform(self, method: str, url: str, stream: bool, options: RequestOptions) -> HTTPResponse:
        """From what a caller says to the answer."""
        self._check_open()
        if options:
            check_names(options)
        run = Run(self._clock)
        self._running.add(run)
        source: Source | None = None  # of the body, while it is ours to close
        try:
            request, policies = self._preparation.request(method, url, **options)
            if request.body is not None and isinstance(request.body.source, Source):
                source = request.body.source
            chain, owned = self._chain, True
            if chain.before:
                request, owned = await chain.request(request, self, run), False  # a middleware may keep it
            live = 1 if policies.hedging is None else _MOST_LIVE
            listen = chain.observe is not None
            call = Call(request, policies, stream=stream, listen=listen, max_live=live, owned=owned)
            response = await drive(call, self._transport, self._clock, chain.observe, run)
            if self._serializer is not STANDARD:
                response.loads = self._serializer.loads
            if response.body is not None:
                source = None  # it may still be read, while the answer is
            return await chain.response(response, request) if chain.after else response
        finally:
            self._running.discard(run)
            if source is not None:
                await source.aclose()

    async def _wait_until(self, deadline: float) -> None:
        """Do nothing until then, on the client's clock, or until the client is closed."""
        self._check_open()
        run = Run(self._clock)
        self._running.add(run)
        try:
            with run.until(deadline):
                await anyio.sleep_forever()
            run.check()
        finally:
            self._running.discard(run)

    # --- life ------------------------------------------------------------------------------------------------------

    def _check_open(self) -> None:
        if self._closed:
            raise ClientClosedError("the client is closed")
        if self._find_loop is None:
            self._find_loop = finder()
            self._loop = self._find_loop()
        try:
            loop = self._find_loop()
        except RuntimeError:
            loop = None
        if loop is not self._loop:
            raise ClientClosedError("the client belongs to another event loop; make one client in each")

    async def aclose(self) -> None:
        """Close every connection; running calls end with :class:`~sansio_http.ClientClosedError`. Idempotent."""
        if self._closed:
            return
        self._closed = True
        for run in list(self._running):
            run.stop()
        self._background.stop()
        try:
            await self._background.aclose()
        finally:
            await self._transport.aclose()

    async def __aenter__(self) -> Self:
        self._check_open()
        wanted = any(auth.source is not None for auth in self._policies.active)
        await self._background.open(self._transport, self._clock, wanted)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            await self.aclose()
        finally:
            await self._background.leave()

    def __del__(self, _warn: Callable[..., None] = warnings.warn) -> None:
        if self._closed:
            return
        close_now = getattr(self._transport, "close_now", None)
        if close_now is not None and close_now():
            _warn(f"{self!r} was not closed; use `async with`, or call aclose()", ResourceWarning, source=self)

    def __repr__(self) -> str:
        return f"<AsyncHTTPClient {self._base_url}{', closed' if self._closed else ''}>"
