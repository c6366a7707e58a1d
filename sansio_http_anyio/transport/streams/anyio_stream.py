"""The stream for every library that anyio runs on: trio, and asyncio on loops that cannot watch a socket.

It is the plain socket, and anyio's wait for it. anyio's own stream objects would only come between.
"""

from __future__ import annotations

import socket

import anyio

from .sockets import SocketStream


class AnyioStream(SocketStream):
    """A stream that waits by ``anyio.wait_readable`` and ``anyio.wait_writable``."""

    __slots__ = ()

    async def _wait_for_input(self) -> None:
        try:
            await anyio.wait_readable(self._socket)
        except anyio.ClosedResourceError:
            return
        self._receive()

    async def _wait_for_room(self) -> None:
        try:
            await anyio.wait_writable(self._socket)
        except anyio.ClosedResourceError:
            pass
        self._check_open()

    def _close_socket(self) -> None:
        try:
            anyio.notify_closing(self._socket)
        except Exception:  # no event loop here: nobody waits, or it is a finaliser in another thread, and nobody waits
            pass
        try:
            # Where another thread's selector still holds the socket, closing alone would not end the connection.
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:  # the server was faster
            pass
        self._socket.close()
