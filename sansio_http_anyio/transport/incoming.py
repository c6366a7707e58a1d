"""The open body of a response, and the connection that it comes on until its last byte is here."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from sansio_http import HTTPRequestError, ResponseBodyError, ResponseTooLargeError, Send

from ..loops import later
from .connection import Connection
from .content import Content


class IncomingBody:
    """Iterate over it, close it, or discard it.

    What is not asked for is not read: the server is slowed down by TCP. The connection is given back as soon as the
    last byte has come, which may be before it is handed on.

    Args:
        connection: whose parser has read the head; taken over.
        send: the order that is answered.
        content: decodes and counts.
        give_back: takes the connection, to keep or to close it; called once, and never fails.
    """

    def __init__(
        self, connection: Connection, send: Send, content: Content, give_back: Callable[[Connection], object]
    ) -> None:
        self._connection: Connection | None = connection
        self._send = send
        self._content = content
        self._give_back = give_back
        self._closed = False
        self._pieces: Iterator[bytes] = self._taken(connection)

    def __aiter__(self) -> IncomingBody:
        return self

    async def __anext__(self) -> bytes:
        try:
            while not self._closed:
                for piece in self._pieces:
                    return piece
                connection = self._connection
                if connection is None:
                    self._closed = True
                    self._content.finish()
                else:
                    await connection.receive(self._send)
                    self._pieces = self._taken(connection)
        except HTTPRequestError as error:
            self.discard()
            if isinstance(error, ResponseTooLargeError):
                raise
            raise self._send.error(ResponseBodyError, error.args[0]) from error
        except BaseException:
            self.discard()
            raise
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """:meth:`discard`."""
        self.discard()

    def discard(self) -> None:
        """Close the connection, unless the body has come to its end. Idempotent, never fails."""
        self._closed = True
        self._pieces = iter(())
        self._let_go()

    def __del__(self) -> None:
        if self._connection is not None:  # a body that nobody wanted
            later(self._connection.loop, self._let_go)

    def _taken(self, connection: Connection) -> Iterator[bytes]:
        """What has come, and was not taken before. If that was the end, the connection is free."""
        data = connection.parser.take()
        if connection.parser.complete:
            self._let_go()
        return self._content.pieces(data)

    def _let_go(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            self._give_back(connection)
