"""Sources of request bodies: asynchronous iterables that begin anew for each send, made of what a caller has.

They are classes and no generators: one of those that is left half-way is finalised by the event loop some time later,
and trio warns of it. What may block (a file, a plain iterator) is asked in a worker thread.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol, cast

import anyio
from anyio.to_thread import run_sync

from sansio_http import InvalidRequestError

CHUNK = 65_536
"""Bytes that are read of a file at a time."""

CLOSE_TIMEOUT = 0.5
"""Seconds that something may take to close, under a shield."""


class BinaryFile(Protocol):
    """What is read of a file that was opened in binary mode."""

    def read(self, size: int, /) -> bytes:
        """At most so many bytes; none at its end."""
        ...


class Source:
    """An asynchronous iterable of bytes, for one send after the other.

    Args:
        begin: makes the iterator of one send.
    """

    def __init__(self, begin: Callable[[], AsyncIterator[bytes]]) -> None:
        self._begin = begin
        self._current: Any = None

    def __aiter__(self) -> AsyncIterator[bytes]:
        self._current = self._begin()
        return cast("AsyncIterator[bytes]", self._current)

    async def aclose(self) -> None:
        """Close what the last send has not read to its end. Bounded in time; what a generator raises is dropped."""
        current, self._current = self._current, None
        if current is not None and (close := getattr(current, "aclose", None)) is not None:
            with anyio.move_on_after(CLOSE_TIMEOUT, shield=True), contextlib.suppress(Exception):
                await close()


class Reader:
    """The next bytes of a file, in worker threads.

    Args:
        file: opened in binary mode.
        start: where to begin; None to go on where it stands.
        length: how many bytes; None for all that come.
        chunk: bytes that are read at a time.
    """

    def __init__(self, file: BinaryFile, start: int | None, length: int | None, chunk: int = CHUNK) -> None:
        self._file: Any = file
        self._start = start
        self._left = length
        self._chunk = chunk

    def __aiter__(self) -> Reader:
        return self

    async def __anext__(self) -> bytes:
        if self._left == 0:
            raise StopAsyncIteration
        # Who stands in a pipe may stand there for ever, and nobody needs what he would bring.
        chunk = await run_sync(self._read, abandon_on_cancel=self._left is None)
        if not chunk:
            if self._left is not None:
                raise InvalidRequestError(f"data: the file has become shorter; {self._left} bytes are missing")
            raise StopAsyncIteration
        if self._left is not None:
            self._left -= len(chunk)
        return chunk

    def _read(self) -> bytes:
        if self._start is not None:
            self._file.seek(self._start)
            self._start = None
        chunk = self._file.read(self._chunk if self._left is None else min(self._chunk, self._left))
        return checked(chunk, "the file") or b""


class Pieces:
    """The pieces of an iterator of bytes of either kind; empty ones are left out."""

    def __init__(self, pieces: Iterable[bytes] | AsyncIterable[bytes]) -> None:
        self._awaited = isinstance(pieces, AsyncIterable)
        self._pieces: Any = aiter(pieces) if isinstance(pieces, AsyncIterable) else iter(pieces)

    def __aiter__(self) -> Pieces:
        return self

    async def __anext__(self) -> bytes:
        while True:
            piece: object
            if self._awaited:
                piece = await self._pieces.__anext__()
            else:
                piece = await run_sync(_next, self._pieces)
                if piece is None:
                    raise StopAsyncIteration
            if data := checked(piece, "the iterator"):
                return data

    async def aclose(self) -> None:
        """Close the generator that it may be."""
        if (close := getattr(self._pieces, "aclose", None)) is not None:
            await close()
        elif (close := getattr(self._pieces, "close", None)) is not None:
            await run_sync(close)


def _next(pieces: Iterator[bytes]) -> bytes | None:
    """The next piece; None at the end, for StopIteration cannot leave a thread."""
    return next(pieces, None)


class Joined:
    """Several sources, one behind the other."""

    def __init__(self, sources: Sequence[bytes | AsyncIterable[bytes]]) -> None:
        self._sources = iter(sources)
        self._current: AsyncIterator[bytes] | None = None

    def __aiter__(self) -> Joined:
        return self

    async def __anext__(self) -> bytes:
        while True:
            if self._current is not None:
                try:
                    return await anext(self._current)
                except StopAsyncIteration:
                    self._current = None
            source = next(self._sources, None)
            if source is None:
                raise StopAsyncIteration
            if isinstance(source, bytes):
                return source
            self._current = aiter(source)


def checked(piece: object, whose: str) -> bytes:
    """A piece of a body, if it is bytes.

    Raises:
        InvalidRequestError: it is not.
    """
    if isinstance(piece, bytes):
        return piece
    if isinstance(piece, bytearray | memoryview):
        return bytes(cast("bytearray", piece))
    raise InvalidRequestError(f"data: {whose} gave a {type(piece).__name__}; it must give bytes")


class Once:
    """An iterator that can be read one time: as the maker of a :class:`Source` it gives itself, until it is begun.

    A second time there is nothing left, and nothing must never be sent as if it were the body.
    """

    def __init__(self, iterator: AsyncIterator[bytes]) -> None:
        self._iterator: Any = iterator
        self._begun = False

    def __call__(self) -> Once:
        if self._begun:
            raise InvalidRequestError("data: the body can be sent once, and was; give a function that makes it anew")
        return self

    def __aiter__(self) -> Once:
        return self

    async def __anext__(self) -> bytes:
        self._begun = True
        return cast("bytes", await anext(self._iterator))

    async def aclose(self) -> None:
        """Close what it reads."""
        if (close := getattr(self._iterator, "aclose", None)) is not None:
            await close()
