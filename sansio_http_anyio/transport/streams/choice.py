"""Which stream, by the library that runs."""

from __future__ import annotations

import asyncio
import socket

import anyio

from .anyio_stream import AnyioStream
from .asyncio_stream import AsyncioStream
from .base import Stream
from .tls_engine import TLSEngine


def stream_over(sock: socket.socket, tls: TLSEngine | None = None) -> Stream:
    """The fastest stream for the library and loop that run here.

    Args:
        sock: connected, and in non-blocking mode; it belongs to the stream from now on, or is closed if there is none.
        tls: after its handshake over ``sock``.
    """
    try:
        if anyio.get_cancelled_exc_class() is asyncio.CancelledError:
            try:
                return AsyncioStream(sock, tls)
            except NotImplementedError:  # the proactor loop of Windows
                pass
            return AnyioStream(sock, tls)
        from .trio_stream import TrioStream  # where trio runs it is installed

        return TrioStream(sock, tls)
    except BaseException:
        sock.close()
        raise
