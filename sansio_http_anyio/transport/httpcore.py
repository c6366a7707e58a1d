"""The transport over httpcore: its HTTP/1.1 on connections of our own, or any pool or proxy object of its making."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterable, AsyncIterator, Iterator
from typing import Any, Protocol, cast

import anyio
import httpcore

from sansio_http import (
    ClientClosedError,
    Ended,
    Headers,
    HTTPRequest,
    HTTPRequestError,
    HTTPResponse,
    InvalidRequestError,
    Progress,
    ResponseBodyError,
    ResponseTooLargeError,
    Send,
    split,
)

from ..config import ClientConfig
from ..sources import CLOSE_TIMEOUT
from .base import TOKEN_LIMIT
from .connections import Connections
from .content import Content
from .decoding import accepted
from .errors import translate
from .httpcore_wire import close_now

_PORTS = {"http": 80, "https": 443}
_WITH_CONTENT = frozenset({"POST", "PUT", "PATCH"})  # a request of these says how long its body is, even if it has none
_FRAMING = frozenset({"content-length", "transfer-encoding"})  # the body says these, whatever the caller's headers do


class Pool(Protocol):
    """What sends a request of httpcore's: ``httpcore.AsyncConnectionPool``, a proxy, or our own connections."""

    async def handle_async_request(self, request: httpcore.Request) -> httpcore.Response:
        """The head of the answer, with its body open."""
        ...


class HttpcoreTransport:
    """Sends through httpcore.

    Args:
        config: timeouts, limits and TLS.
        pool: a pool or proxy object of httpcore's to use in the place of our own connections. Whoever made it closes
            it; its own limits should be left open, for a request that is cancelled in its queue may block it for ever.
    """

    def __init__(self, config: ClientConfig | None = None, *, pool: Pool | None = None) -> None:
        config = ClientConfig() if config is None else config
        self._error_limit = config.error_body_limit
        self._limit = config.max_response_size
        # The default guards what is kept in memory; a stream is bounded by a number that somebody gave.
        self._stream_limit = self._limit if "max_response_size" in config.model_fields_set else None
        self._timeout = {
            name: value for name, value in (("read", config.read_timeout), ("write", config.write_timeout)) if value
        }
        own = Connections(config)
        self._own = own if pool is None else None
        self._pool: Pool = own if pool is None else pool
        self._leftovers: list[Body] = []  # thrown away: the socket is closed, httpcore must still be told
        self._closed = False

    @property
    def default_headers(self) -> dict[str, str]:
        """What a client says with each request, unless its caller says otherwise."""
        return {"Accept-Encoding": ", ".join(accepted())}

    async def send(self, send: Send) -> Ended:
        """Send a request; see :class:`Transport`."""
        if self._closed:
            return Ended(send.id, ClientClosedError("the transport is closed"))
        if self._leftovers:
            await self._end_leftovers()
        progress = send.progress
        progress.phase, progress.head_sent, progress.reused = "connect", False, True
        try:
            response = await self._pool.handle_async_request(_request(send, self._timeout))
        except Exception as error:
            return Ended(send.id, translate(error, send))
        progress.phase, progress.body_started = "body", True
        headers = Headers.of_pairs(
            [(name.decode("latin-1"), value.decode("latin-1")) for name, value in response.headers]
        )
        content = Content(send, response.status, self._stream_limit if send.stream else self._limit)
        body = Body(response, send, content, self._leftovers)
        result = HTTPResponse(response.status, headers, http_version=body.http_version)
        ended = Ended(send.id, result)
        try:
            content.open(headers)
            if send.stream and result.is_success:
                result.body = body
                return ended
            limit = TOKEN_LIMIT if send.via == "token" else self._error_limit if send.stream else None
            result.content = await body.read(limit)
        except Exception as error:
            body.discard()
            return Ended(send.id, translate(error, send))
        except BaseException:
            body.discard()
            raise
        send.ended = ended  # it is whole: whatever comes now cannot take it back
        await body.aclose()
        return ended

    async def aclose(self) -> None:
        """Close every connection, unless the pool was given. Idempotent."""
        self._closed = True
        await self._end_leftovers()
        if self._own is not None:
            await self._own.aclose()

    def close_now(self) -> int:
        """Close every connection of our own without awaiting; how many there were."""
        self._closed = True
        return 0 if self._own is None else self._own.close_now()

    async def _end_leftovers(self) -> None:
        while self._leftovers:
            with anyio.move_on_after(CLOSE_TIMEOUT, shield=True):
                await self._leftovers.pop().end()


class Body:
    """The open body of a response: iterate over it, close it, or discard it."""

    def __init__(self, response: httpcore.Response, send: Send, content: Content, leftovers: list[Body]) -> None:
        assert isinstance(response.stream, AsyncIterable)
        extensions = cast("Any", response).extensions
        self.http_version = str(extensions.get("http_version", b"HTTP/1.1"), "ascii")
        self._response = response
        self._send = send
        self._content = content
        self._pieces: Iterator[bytes] = iter(())
        self._leftovers = leftovers
        self._chunks: AsyncIterator[bytes] = response.stream.__aiter__()
        # An HTTP/2 connection is others' as well.
        self._wire = extensions.get("network_stream") if self.http_version.startswith("HTTP/1") else None
        self._complete = False
        self._closed = False

    def __aiter__(self) -> Body:
        return self

    async def __anext__(self) -> bytes:
        if self._closed:
            raise StopAsyncIteration
        try:
            while (piece := next(self._pieces, None)) is None:
                self._pieces = self._content.pieces(await anext(self._chunks))
            return piece
        except StopAsyncIteration:
            self._complete = True
            await self.aclose()
            self._content.finish()
            raise
        except Exception as error:
            self.discard()
            cause = translate(error, self._send)
            if not isinstance(cause, HTTPRequestError) or isinstance(cause, ResponseTooLargeError):
                raise
            raise self._send.error(ResponseBodyError, cause.args[0]) from cause
        except BaseException:
            self.discard()
            raise

    async def read(self, most: int | None) -> bytes:
        """Everything, or ``most`` bytes, and then it is to be closed. It fails as httpcore and Content do."""
        pieces: list[bytes] = []
        size = 0
        async for chunk in self._chunks:
            for piece in self._content.pieces(chunk):
                pieces.append(piece)
                size += len(piece)
                if most is not None and size > most:
                    return b"".join(pieces)[:most]
        self._complete = True
        self._content.finish()
        return b"".join(pieces)

    async def aclose(self) -> None:
        """Give the connection back if the body is complete, else close it. Idempotent."""
        if not self._closed:
            self._close()
            await self.end()

    def discard(self) -> None:
        """The same now; httpcore hears of it at the next send. Idempotent, never fails."""
        if not self._closed:
            self._close()
            self._leftovers.append(self)

    async def end(self) -> None:
        """Tell httpcore that it is closed. Fails by cancellation only."""
        try:
            # Its generators run to their end, which is near. One that is left half-way is for the event loop to
            # finalise, and trio warns of it.
            with contextlib.suppress(Exception):
                while self._wire is not None:
                    await anext(self._chunks)
        finally:
            with contextlib.suppress(Exception):
                await self._response.aclose()

    def _close(self) -> None:
        self._closed = True
        if not self._complete and self._wire is not None:
            close_now(self._wire)


class _Bytes:
    """A request body, once. (httpcore's own is a generator, which trio finds left half-way after a failure.)"""

    def __init__(self, data: bytes) -> None:
        self._left = data

    def __aiter__(self) -> _Bytes:
        return self

    async def __anext__(self) -> bytes:
        if not self._left:
            raise StopAsyncIteration
        data, self._left = self._left, b""
        return data


def _request(send: Send, timeout: dict[str, float]) -> httpcore.Request:
    request = send.request
    scheme, host, port, target = split(request.url)
    special = None if port == _PORTS[scheme] else port
    source = b"" if request.body is None else request.body.source
    if isinstance(source, bytes):
        source = _Bytes(source)
    elif not isinstance(source, AsyncIterable):
        raise InvalidRequestError(
            f"body.source: {type(source).__name__} is not allowed; it is bytes or an async iterable of bytes"
        )
    return httpcore.Request(
        request.method,
        httpcore.URL(scheme=scheme.encode(), host=host.encode(), port=special, target=target.encode()),
        headers=_fields(request, host, special),
        content=cast("AsyncIterable[bytes]", source),
        extensions={"timeout": timeout, "trace": _tracer(send.progress)},
    )


def _fields(request: HTTPRequest, host: str, port: int | None) -> list[tuple[bytes, bytes]]:
    """The header fields as they go out: Host first, the caller's, and how long the body is."""
    headers, body = request.headers, request.body
    fields = [
        (name.encode("latin-1"), value.encode("latin-1"))
        for name, value in headers.pairs()
        if name.lower() not in _FRAMING
    ]
    if "host" not in headers:
        host = f"[{host}]" if ":" in host else host
        fields.insert(0, (b"Host", (host if port is None else f"{host}:{port}").encode()))
    length = (0 if request.method in _WITH_CONTENT else None) if body is None else body.length
    if length is not None:
        fields.append((b"Content-Length", str(length).encode()))
    elif body is not None:
        fields.append((b"Transfer-Encoding", b"chunked"))
    return fields


def _tracer(progress: Progress) -> Any:
    """Keeps ``progress`` true from what httpcore tells of its steps."""

    async def trace(event: str, info: dict[str, Any]) -> None:
        if event == "connection.connect_tcp.started":
            progress.reused = False
        elif event.endswith(".send_request_headers.started"):
            progress.phase, progress.head_sent = "send", True
        elif event.endswith(".receive_response_headers.started"):
            progress.phase = "head"

    return trace
