"""Request bodies that are sent piece by piece, while the answer is listened to.

Theory of operation. One task writes, the other reads. Whoever has an answer to everything (the reader, once the server
has answered before it heard all; the writer, once the body itself fails) ends the other; the group's cancel scope does
that, and no exception passes through the group, which would wrap it: each is kept and raised behind.

An answer with an error or a redirect ends the writing, for the server no longer listens. After one of 2xx, which a
server may give while it reads (an echo), the body is sent to its end and the answer taken in meanwhile.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

import anyio

from sansio_http import (
    Body,
    BodyWriter,
    ConnectionLostError,
    HTTPRequestError,
    InvalidRequestError,
    ReadTimeoutError,
    Send,
)

from ..sources import CLOSE_TIMEOUT
from .reasons import more_telling

if TYPE_CHECKING:
    from .connection import Connection

_PIECE = 65_536  # of a body in memory
_AHEAD = 16  # reads, of 256 KiB at most each, of an answer that comes while the request is still going out


def source_of(body: Body | None) -> bytes | AsyncIterator[bytes]:
    """What is to be sent after the head.

    Args:
        body: its source is bytes, or an async iterable of bytes, which is begun anew for each send.

    Raises:
        InvalidRequestError: the source is something else, or bytes of another length than the body says.
    """
    if body is None:
        return b""
    source: Any = body.source
    if isinstance(source, bytes):
        if body.length is not None and body.length != len(source):
            raise InvalidRequestError(f"body.length: {body.length} is not allowed; the source has {len(source)} bytes")
        return source
    if isinstance(source, AsyncIterable):
        return aiter(cast("AsyncIterable[bytes]", source))
    raise InvalidRequestError(
        f"body.source: {type(source).__name__} is not allowed; it is bytes or an async iterable of bytes"
    )


class Pieces:
    """Bytes, a piece at a time."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._place = 0

    def __aiter__(self) -> Pieces:
        return self

    async def __anext__(self) -> bytes:
        piece = self._data[self._place : self._place + _PIECE]
        if not piece:
            raise StopAsyncIteration
        self._place += _PIECE
        return piece


async def upload(connection: Connection, send: Send, head: bytes, source: AsyncIterator[bytes]) -> None:
    """Send a request with a body; when this returns, the head of the response has come, and perhaps more.

    Raises:
        HTTPRequestError: there is no answer.
        Exception: of ``source``.
    """
    work = _Upload(connection, send)
    try:
        async with anyio.create_task_group() as tasks:
            work.scope = tasks.cancel_scope
            tasks.start_soon(work.write, head, source)
            await work.listen()
            tasks.cancel_scope.cancel()
    finally:
        # An iterator that is left half-way is for the event loop to finalise, and trio warns of it. One that was not
        # begun may be sent by the next try.
        aclose: Any = getattr(source, "aclose", None) if work.begun else None
        if aclose is not None:
            with suppress(Exception), anyio.move_on_after(CLOSE_TIMEOUT, shield=True):
                await aclose()
    error = work.mistake or work.unheard
    if isinstance(error, HTTPRequestError) and error is work.unheard:
        error = more_telling(work.unwritten, error)
    if error is not None:
        raise error from error.__cause__


class _Upload:
    """What the two tasks of an upload know of each other."""

    def __init__(self, connection: Connection, send: Send) -> None:
        self._connection = connection
        self._send = send
        self._written = anyio.Event()  # or given up
        self._silence = anyio.CancelScope()  # the read that is waited for
        self.scope = self._silence  # of both tasks; set at once
        self.begun = False  # to read the source
        self.mistake: Exception | None = None  # nothing can come of it any more
        self.unwritten: ConnectionLostError | None = None  # the server may have said why
        self.unheard: Exception | None = None

    async def write(self, head: bytes, source: AsyncIterator[bytes]) -> None:
        """Send it all."""
        connection, send = self._connection, self._send
        body = send.request.body
        try:
            await connection.write(send, head)
            left = length = None if body is None else body.length
            connection.sent = left == 0
            writer = BodyWriter(length)
            self.begun = True
            async for piece in source:
                if framed := writer.write(piece):
                    await connection.write(send, *framed)
                if left is not None:
                    left -= len(piece)
                    connection.sent = left == 0  # the server may answer before the iterator comes to its end
            if last := writer.end():
                await connection.write(send, last)
        except ConnectionLostError as error:
            self.unwritten = error
        except Exception as error:
            self.mistake = error
            self.scope.cancel()
        else:
            connection.sent = True
            send.progress.phase = "head"
            if connection.read_timeout is not None:  # from now on the server is expected to say something
                self._silence.deadline = anyio.current_time() + connection.read_timeout
        self._written.set()

    async def listen(self) -> None:
        """Take in the answer until its head is there and the request is sent, or need not be."""
        parser = self._connection.parser
        reads = 0
        try:
            while not parser.status:
                await self._receive()
            while parser.status < 300 and not (parser.complete or self._written.is_set()):
                if reads == _AHEAD:
                    await self._written.wait()
                    return
                reads += 1
                await self._receive()
        except HTTPRequestError as error:
            self.unheard = error

    async def _receive(self) -> None:
        if self._written.is_set():
            await self._connection.receive(self._send)
            return
        with anyio.CancelScope() as self._silence:
            await self._connection.receive(self._send)
        if self._silence.cancelled_caught:
            raise self._send.error(ReadTimeoutError, "the server sent nothing for too long")
