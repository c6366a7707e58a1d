"""A response that is read piece by piece."""

from __future__ import annotations

import codecs
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from types import TracebackType
from typing import Any, Generic, Protocol, TypeVar

import anyio

from sansio_http import (
    LINE_LIMIT,
    HTTPClientError,
    HTTPRequestError,
    HTTPResponse,
    Lines,
    ResponseBodyError,
    ResponseDecodeError,
    ResponseTooLargeError,
    charset,
    redact,
)

from .sources import CLOSE_TIMEOUT

T = TypeVar("T")
E = TypeVar("E", bound=HTTPRequestError)
S = TypeVar("S", bound="Opened")


class StreamedResponse(HTTPResponse):
    """A response whose body is still coming. Iterate over it once; ``content`` is there after :meth:`aread`."""

    __slots__ = ("_limit",)

    _limit: int | None

    @classmethod
    def of(cls, response: HTTPResponse, limit: int | None = None) -> StreamedResponse:
        """The same response, able to be read piece by piece; its whole body has ``limit`` bytes at most."""
        new = cls.__new__(cls)
        for name in HTTPResponse.__slots__:
            setattr(new, name, getattr(response, name))
        new._limit = limit
        return new

    @property
    def json_data(self) -> Any:
        """As for any response, once the body was read; None before."""
        return super().json_data if self.body is None else None

    def iter_bytes(self) -> AsyncIterator[bytes]:
        """The body in pieces, as they come.

        Raises:
            ResponseBodyError: the body failed. It is never asked for again.
        """
        return self._pieces(lambda chunk, final: (chunk,) if chunk else ())

    def iter_text(self) -> AsyncIterator[str]:
        """The body as text, by the charset of its Content-Type, else UTF-8.

        Raises:
            ResponseDecodeError: the charset is unknown, or the body is not in it.
            ResponseBodyError: the body failed.
        """
        decode = self._decoder()
        return self._pieces(lambda chunk, final: (text,) if (text := decode(chunk, final)) else ())

    def iter_lines(self, *, max_line_size: int | None = LINE_LIMIT) -> AsyncIterator[str]:
        """The body line by line, without line ends (LF, CRLF or CR).

        Args:
            max_line_size: characters that a line may have; None for any number.

        Raises:
            ResponseDecodeError: the charset is unknown, or the body is not in it.
            ResponseTooLargeError: a line is longer than allowed.
            ResponseBodyError: the body failed.
        """
        return self.cut_into(Lines(max_line_size))

    def cut_into(self, lines: Lines, errors: str = "strict") -> AsyncIterator[str]:
        """The body in lines as ``lines`` cuts them; see :meth:`iter_lines`.

        Args:
            lines: not used before.
            errors: what becomes of bytes that are not in the charset, by the names of :mod:`codecs`.
        """
        decode = self._decoder(errors)
        return self._pieces(lambda chunk, final: lines.feed(decode(chunk, final), final))

    async def aread(self) -> bytes:
        """The whole body, which is ``content`` from then on.

        Raises:
            ResponseBodyError: the body failed, or was read in part before.
            ResponseTooLargeError: it is longer than the client's ``max_response_size``.
        """
        body: Any = self.body
        if body is not None:
            if getattr(body, "received", 0):
                raise ResponseBodyError("the body was read in pieces already, so the whole of it is gone", phase="body")
            chunks: list[bytes] = []
            size, limit = 0, self._limit
            async for chunk in self.iter_bytes():
                size += len(chunk)
                if limit is not None and size > limit:
                    body.discard()
                    raise self.located(
                        ResponseTooLargeError(f"the body has more than max_response_size, {limit} bytes", phase="body")
                    )
                chunks.append(chunk)
            self.content = b"".join(chunks)
            self.body = None
        return self.content

    def located(self, error: E) -> E:
        """An error about the body, which says of which request it was."""
        if error.url is None and self.request is not None:
            error.method, error.url = self.request.method, redact(self.request.url)
            error.head_sent = error.body_started = True
        return error

    def _pieces(self, feed: Callable[[bytes, bool], Iterable[T]]) -> AsyncIterator[T]:
        return _Pieces(self, feed)

    def _decoder(self, errors: str = "strict") -> Callable[[bytes, bool], str]:
        encoding = charset(self.headers.get("content-type", "")) or "utf-8"

        def decode(chunk: bytes, final: bool) -> str:
            try:
                return decoder.decode(chunk, final)
            except UnicodeError:
                raise self._not_text(encoding) from None

        try:
            "x".encode(encoding)  # refuses what a server may name and is no charset, such as hex
            decoder = codecs.getincrementaldecoder(encoding)(errors)
        except (LookupError, UnicodeError):
            raise self._not_text(encoding) from None
        return decode

    def _not_text(self, encoding: str) -> ResponseDecodeError:
        return ResponseDecodeError(f"the body is not text in {encoding!r:.40}", self)


class ResponseStream:
    """The context of a streamed response: on leaving, what was not read is dropped and its connection closed."""

    def __init__(self, begin: Callable[[], Awaitable[HTTPResponse]], limit: int | None = None) -> None:
        self._begin = begin
        self._limit = limit
        self._body: Any = None

    async def __aenter__(self) -> StreamedResponse:
        response = await self._begin()
        self._body = response.body
        return StreamedResponse.of(response, self._limit)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        body, self._body = self._body, None
        if body is not None:
            try:
                with anyio.move_on_after(CLOSE_TIMEOUT, shield=True):
                    await body.aclose()
            finally:
                body.discard()  # where closing was cut short


class Opened(Protocol):
    """A stream that is read item by item, and holds a connection until it is closed."""

    async def open(self) -> None:
        """Ask for it; what fails here holds nothing."""
        ...

    async def aclose(self) -> None:
        """Give the connection back. Idempotent."""
        ...


class StreamContext(Generic[S]):
    """The context of a stream of items: opened on entering, closed on leaving, however that comes.

    There is no iterating without it: ``async for`` closes nothing when its loop is left.
    """

    def __init__(self, make: Callable[[], S]) -> None:
        self._make = make
        self._stream: S | None = None

    async def __aenter__(self) -> S:
        stream = self._make()
        await stream.open()
        self._stream = stream
        return stream

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            await stream.aclose()


class _Pieces(Generic[T]):
    """What ``feed`` makes of each chunk of a body.

    A class, for a generator that is left half-way is finalised by the event loop some time later, and trio warns of it.
    What has failed once fails again, for an end here would look like the whole body.
    """

    def __init__(self, response: StreamedResponse, feed: Callable[[bytes, bool], Iterable[T]]) -> None:
        self._response = response
        self._body: Any = response.body
        self._feed = feed
        self._ready: Iterator[T] = iter(() if self._body is not None else feed(response.content, True))
        self._failure: HTTPClientError | None = None

    def __aiter__(self) -> _Pieces[T]:
        return self

    async def __anext__(self) -> T:
        if self._failure is not None:
            raise self._failure
        try:
            while True:
                for piece in self._ready:
                    return piece
                if self._body is None:
                    raise StopAsyncIteration
                try:
                    chunk = await anext(self._body)
                except StopAsyncIteration:
                    self._body, chunk = None, b""
                self._ready = iter(self._feed(chunk, self._body is None))
        except HTTPClientError as error:
            self._failure = self._response.located(error) if isinstance(error, HTTPRequestError) else error
            raise
        except Exception:
            raise
        except BaseException:  # with which the connection is closed
            self._failure = self._response.located(
                ResponseBodyError("reading was cancelled, and the body is not complete", phase="body")
            )
            raise
