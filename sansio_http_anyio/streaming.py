"""A response that is read piece by piece."""

from __future__ import annotations

import codecs
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from types import TracebackType
from typing import Any, Generic, TypeVar

import anyio

from sansio_http import HTTPResponse, ResponseBodyError, ResponseDecodeError, charset

from .transport.httpcore_wire import CLOSE_TIMEOUT

T = TypeVar("T")


class StreamedResponse(HTTPResponse):
    """A response whose body is still coming. Iterate over it once; ``content`` is there after :meth:`aread`."""

    __slots__ = ()

    @classmethod
    def of(cls, response: HTTPResponse) -> StreamedResponse:
        """The same response, able to be read piece by piece."""
        new = cls.__new__(cls)
        for name in HTTPResponse.__slots__:
            setattr(new, name, getattr(response, name))
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

    def iter_lines(self) -> AsyncIterator[str]:
        """The body line by line, without line ends (LF, CRLF or CR).

        Raises:
            ResponseDecodeError: the charset is unknown, or the body is not in it.
            ResponseBodyError: the body failed.
        """
        decode, lines = self._decoder(), _Lines()
        return self._pieces(lambda chunk, final: lines.feed(decode(chunk, final), final))

    async def aread(self) -> bytes:
        """The whole body, which is ``content`` from then on.

        Raises:
            ResponseBodyError: the body failed, or was read in part before.
        """
        body: Any = self.body
        if body is not None:
            if getattr(body, "received", 0):
                raise ResponseBodyError("the body was read in pieces already, so the whole of it is gone", phase="body")
            self.content = b"".join([chunk async for chunk in self.iter_bytes()])
            self.body = None
        return self.content

    def _pieces(self, feed: Callable[[bytes, bool], Iterable[T]]) -> AsyncIterator[T]:
        return _Pieces(self.body, feed, () if self.body is not None else feed(self.content, True))

    def _decoder(self) -> Callable[[bytes, bool], str]:
        encoding = charset(self.headers.get("content-type", "")) or "utf-8"

        def decode(chunk: bytes, final: bool) -> str:
            try:
                return decoder.decode(chunk, final)
            except UnicodeError:
                raise self._not_text(encoding) from None

        try:
            "x".encode(encoding)  # refuses what a server may name and is no charset, such as hex
            decoder = codecs.getincrementaldecoder(encoding)()
        except (LookupError, UnicodeError):
            raise self._not_text(encoding) from None
        return decode

    def _not_text(self, encoding: str) -> ResponseDecodeError:
        return ResponseDecodeError(f"the body is not text in {encoding!r:.40}", self)


class ResponseStream:
    """The context of a streamed response: on leaving, what was not read is dropped and its connection closed."""

    def __init__(self, begin: Callable[[], Awaitable[HTTPResponse]]) -> None:
        self._begin = begin
        self._body: Any = None

    async def __aenter__(self) -> StreamedResponse:
        response = await self._begin()
        self._body = response.body
        return StreamedResponse.of(response)

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


class _Pieces(Generic[T]):
    """What ``feed`` makes of each chunk of a body.

    A class, for a generator that is left half-way is finalised by the event loop some time later, and trio warns of it.
    """

    def __init__(self, body: Any, feed: Callable[[bytes, bool], Iterable[T]], ready: Iterable[T]) -> None:
        self._body = body
        self._feed = feed
        self._ready = deque(ready)

    def __aiter__(self) -> _Pieces[T]:
        return self

    async def __anext__(self) -> T:
        while not self._ready:
            if self._body is None:
                raise StopAsyncIteration
            try:
                chunk = await anext(self._body)
            except StopAsyncIteration:
                self._body, chunk = None, b""
            self._ready.extend(self._feed(chunk, self._body is None))
        return self._ready.popleft()


class _Lines:
    """Cuts text into lines, whatever pieces it comes in."""

    def __init__(self) -> None:
        self._line: list[str] = []  # the pieces of a line that is not over
        self._after_cr = False  # a LF would belong to the line before

    def feed(self, text: str, final: bool) -> list[str]:
        """The lines that are over now, without their ends."""
        if text:
            if self._after_cr:
                text = text.removeprefix("\n")
            self._after_cr = text.endswith("\r")
        first, *rest = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        self._line.append(first)
        lines: list[str] = []
        for piece in rest:
            lines.append("".join(self._line))
            self._line = [piece]
        if final and any(self._line):
            lines.append("".join(self._line))
        return lines
