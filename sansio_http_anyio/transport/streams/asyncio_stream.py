"""The stream for asyncio, and loops like it (uvloop).

The loop watches the socket from the first to the last moment, so that a server's goodbye is noticed while the
connection idles, and a read costs one future: what came is received in the loop's callback, and the reader is woken
once. A loop's transport does the same by way of a protocol, at a higher price. Asyncio's also loses what the server had
said when a write fails, and closes the socket a turn later.
"""

from __future__ import annotations

import asyncio
import socket
from math import inf

import anyio

from .sockets import SocketStream
from .tls_engine import TLSEngine

_MOST_CHUNKS = 2
"""So many unread chunks, and the socket is left alone until they are read."""

_TURN = 0.01
"""Seconds that a turn of the loop may take before the socket is asked what the loop has missed. To ask costs a tenth of
a small request, most of it by what the processor forgets in a system call."""


class AsyncioStream(SocketStream):
    """A stream on asyncio's own means. It belongs to the running loop.

    Raises:
        NotImplementedError: the loop cannot watch a socket (the proactor loop of Windows); the socket is as it was.
    """

    __slots__ = ("_loop", "_number", "_reader", "_watching", "_writer")

    def __init__(self, sock: socket.socket, tls: TLSEngine | None) -> None:
        self._loop = asyncio.get_running_loop()
        self._number = sock.fileno()
        self._reader: asyncio.Future[None] | None = None  # who waits for input
        self._writer: asyncio.Future[None] | None = None  # who waits for room
        self._loop.add_reader(self._number, self._on_input)
        self._watching = True
        super().__init__(sock, tls)

    def readable(self, idle: float = inf) -> bool:
        """Whether a read would not wait."""
        if self._watching and idle < _TURN:
            return bool(self._chunks or self._ended or self._broken or self._closed)
        return super().readable()

    def _wait_for_input(self) -> asyncio.Future[None]:
        if self._reader is not None and not self._reader.done():
            raise anyio.BusyResourceError("reading from")
        if not self._watching:
            self._loop.add_reader(self._number, self._on_input)
            self._watching = True
        self._reader = waiter = self._loop.create_future()
        return waiter

    def _on_input(self) -> None:
        if not (self._ended or self._broken):  # else it is known already
            self._receive()
        if self._ended or self._broken or len(self._chunks) >= _MOST_CHUNKS:
            self._loop.remove_reader(self._number)
            self._watching = False
        elif not self._chunks:
            return  # half a record of TLS
        _wake(self._reader)

    async def _wait_for_room(self) -> None:
        if self._writer is not None:
            raise anyio.BusyResourceError("writing to")
        self._writer = waiter = self._loop.create_future()
        self._loop.add_writer(self._number, _wake, waiter)
        try:
            await waiter
        finally:
            self._writer = None
            if not self._closed:
                self._loop.remove_writer(self._number)
        self._check_open()

    def _close_socket(self) -> None:
        loop = self._loop
        if loop.is_closed():  # and its selector with it
            self._socket.close()
        elif not loop.is_running() or _running_loop() is loop:
            self._leave_loop()
        else:  # a finaliser in another thread. The selector must hear of it before the number is another socket's
            self._socket.shutdown(socket.SHUT_RDWR)
            loop.call_soon_threadsafe(self._leave_loop)

    def _leave_loop(self) -> None:
        self._loop.remove_reader(self._number)
        self._loop.remove_writer(self._number)
        self._socket.close()
        _wake(self._reader)
        _wake(self._writer)


def _wake(waiter: asyncio.Future[None] | None) -> None:
    if waiter is not None and not waiter.done():
        waiter.set_result(None)


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
