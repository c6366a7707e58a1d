"""What both kinds of stream share: the socket, and everything about it that does not wait.

The socket is ours alone, in non-blocking mode, and no event loop's transport or stream object stands before it. That
is the cheapest way to read and write: a system call and at most one wait. It is also the only way by which a connection
can be closed at once, from anywhere, with nothing to clean up in a later turn of the loop; by which what a server had
said before it stopped listening is not thrown away with the write that failed; and by which the socket itself can be
asked whether a kept connection is still alive.

What came is put into ``_chunks`` before anybody is woken. So there is no tick in which a cancellation could lose it.
"""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Awaitable
from math import inf

import anyio.lowlevel

from .base import StreamClosedError
from .tls_engine import PIECE, TLSEngine

_SMALL = 65_536  # received at a time,
_LARGE = 262_144  # once so much has come at once
_READ_TURN = 1_048_576  # so much is read, and others get their turn
_WRITE_TURN = 262_144  # or sent; less, for an early answer should end an upload early
_GATHERS = hasattr(socket.socket, "sendmsg")  # not on Windows


class SocketStream:
    """A stream over a connected, non-blocking socket; subclasses know how to wait.

    Args:
        sock: belongs to the stream from now on.
        tls: after its handshake.
    """

    __slots__ = (
        "__weakref__",
        "_broken",
        "_chunks",
        "_closed",
        "_ended",
        "_more",
        "_pending",
        "_read_eagerly",
        "_size",
        "_socket",
        "_tls",
        "_written_eagerly",
    )

    def __init__(self, sock: socket.socket, tls: TLSEngine | None) -> None:
        self._socket = sock
        self._tls = tls
        self._chunks: deque[bytes] = deque()  # came, and was not read yet
        self._ended = False  # nothing follows these
        self._broken: OSError | None = None  # but this
        self._closed = False
        self._size = _SMALL
        self._more = False  # the socket has more, for it gave as much as was asked for
        self._read_eagerly = 0  # bytes since the last turn that others had
        self._written_eagerly = 0  # bytes written since the last turn that others had
        self._pending = b""  # TLS has encrypted it, and the socket did not take it yet
        if tls is not None:
            self._decrypt(tls)  # what came behind the handshake

    @property
    def alpn(self) -> str | None:
        """The protocol that TLS has agreed on."""
        return None if self._tls is None else self._tls.alpn

    async def read(self) -> bytes:
        """The next bytes."""
        if self._read_eagerly >= _READ_TURN:
            # A wait for input is none where there is always some: asyncio has its result before anyio can cancel it.
            self._read_eagerly = 0
            await anyio.lowlevel.checkpoint()
        while not self._chunks:
            if self._closed:
                raise StreamClosedError("the stream is closed")
            if self._broken is not None:
                raise self._broken.with_traceback(None)
            if self._ended:
                return b""
            if self._more:  # a turn of the loop would cost as much as a hundred KiB
                self._receive()
            else:
                await self._wait_for_input()
        chunk = self._chunks.popleft()
        self._read_eagerly += len(chunk)
        return chunk

    async def write(self, *pieces: bytes | memoryview) -> None:
        """Send all of the pieces, one behind the other."""
        size = len(pieces[0]) if len(pieces) == 1 else sum(map(len, pieces))
        if self._tls is not None:
            view = memoryview(pieces[0] if len(pieces) == 1 else b"".join(pieces))
            for start in range(0, size, PIECE):
                self._check_open()
                self._tls.write(view[start : start + PIECE])
                while not self._flush(self._tls):
                    await self._wait_for_room()
        elif (sent := self._send(*pieces)) < size:
            while pieces := _behind(sent, pieces):
                await self._wait_for_room()
                sent = self._send(*pieces)
        self._written_eagerly += size
        if self._written_eagerly >= _WRITE_TURN:
            # A socket that takes everything would let an endless upload starve the loop, and its own cancellation.
            self._written_eagerly = 0
            await anyio.lowlevel.checkpoint()

    def readable(self, idle: float = inf) -> bool:
        """Whether a read would not wait."""
        if not (self._chunks or self._ended or self._broken or self._closed):
            self._receive()
        return bool(self._chunks or self._ended or self._broken or self._closed)

    def close(self) -> None:
        """Close the socket now."""
        if not self._closed:
            self._closed = True
            self._chunks.clear()
            if self._tls is not None and not self._pending and self._broken is None:
                try:
                    self._socket.send(self._tls.farewell())
                except OSError:  # the server is gone, or takes no more: it is not waited for
                    pass
            self._close_socket()

    # --- for subclasses ------------------------------------------------------------------------------------------

    def _wait_for_input(self) -> Awaitable[None]:
        """Returns when something has changed: bytes, the end, an error, closed."""
        raise NotImplementedError

    def _wait_for_room(self) -> Awaitable[None]:
        """Returns when the socket may take more; raises if the stream was closed meanwhile."""
        raise NotImplementedError

    def _close_socket(self) -> None:
        """Tell who waits, and close the socket. Never fails."""
        raise NotImplementedError

    def _check_open(self) -> None:
        if self._closed:
            raise StreamClosedError("the stream is closed")

    def _receive(self) -> None:
        """Take in what the socket has, if it has anything."""
        size, self._more = self._size, False
        try:
            data = self._socket.recv(size)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self._broken = error
            return
        if len(data) == size:
            self._size, self._more = _LARGE, True
        if self._tls is not None:
            self._tls.give(data)
            self._decrypt(self._tls)
        elif data:
            self._chunks.append(data)
        else:
            self._ended = True

    # --- inside --------------------------------------------------------------------------------------------------

    def _decrypt(self, tls: TLSEngine) -> None:
        plain = tls.read()
        if plain:
            self._chunks.append(plain)
        self._ended, self._broken = tls.ended, tls.error
        try:
            self._flush(tls)
        except OSError:  # for whoever writes to find out
            pass

    def _flush(self, tls: TLSEngine) -> bool:
        """Send what TLS has to say, as far as the socket takes it; whether that was all."""
        self._pending += tls.take()
        if self._pending:
            self._pending = self._pending[self._send(self._pending) :]
        return not self._pending

    def _send(self, *pieces: bytes | memoryview) -> int:
        """Give the socket as much as it takes; how many bytes it took."""
        if self._closed:
            raise StreamClosedError("the stream is closed")
        try:
            if len(pieces) == 1:
                return self._socket.send(pieces[0])
            return self._socket.sendmsg(pieces) if _GATHERS else self._socket.send(b"".join(pieces))
        except (BlockingIOError, InterruptedError):
            return 0


def _behind(sent: int, pieces: tuple[bytes | memoryview, ...]) -> tuple[bytes | memoryview, ...]:
    """What is left of the pieces behind so many bytes."""
    for number, piece in enumerate(pieces):
        if sent < len(piece):
            return (memoryview(piece)[sent:], *pieces[number + 1 :])
        sent -= len(piece)
    return ()
