"""What connections are made of: one deadline for connecting, and a socket that can be closed without awaiting.

httpcore 1.0.9 gives DNS and TCP one timeout and TLS another of the same length; it leaves the socket of a handshake
that was cancelled open; and it closes by awaiting only, which a task that is cancelled natively cannot rely on, and a
client that is garbage cannot do.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Iterable
from typing import Any

import anyio
import httpcore

CLOSE_TIMEOUT = 0.5
"""Seconds that closing may take under a shield."""


class HandshakeError(httpcore.ConnectError):
    """TCP is connected and TLS is not: httpcore tells no difference."""


class Wire(httpcore.AsyncNetworkBackend, httpcore.AsyncNetworkStream):
    """The one stream of one connection, which connects itself when it is asked to.

    Args:
        connect_timeout: seconds for DNS, TCP and TLS together; None for no limit of its own.
    """

    def __init__(self, connect_timeout: float | None) -> None:
        self._connect_timeout = connect_timeout
        self._backend: Any = httpcore.AnyIOBackend()
        self._deadline: float | None = None  # of connecting
        self._inner: httpcore.AsyncNetworkStream = (
            httpcore.AsyncNetworkStream()
        )  # a stream of nothing, until there is one
        self.closed = False

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> Wire:
        """Connect; the time that is left goes to the TLS handshake."""
        limit = self._connect_timeout
        self._deadline = None if limit is None else anyio.current_time() + limit
        self._inner = await self._backend.connect_tcp(host, port, limit, local_address, socket_options)
        return self

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> Wire:
        """Speak TLS from here on, within what is left of the connect timeout."""
        left = None if self._deadline is None else max(0.0, self._deadline - anyio.current_time())
        try:
            self._inner = await self._inner.start_tls(ssl_context, server_hostname, left)
        except httpcore.ConnectError as error:
            raise HandshakeError(*error.args) from error
        return self

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """The next bytes; empty at the end."""
        return await self._inner.read(max_bytes, timeout)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send all of ``buffer``."""
        await self._inner.write(buffer, timeout)

    async def aclose(self) -> None:
        """:meth:`close`, as httpcore calls it."""
        self.close()

    def close(self) -> None:
        """Close the connection now. Idempotent, never fails."""
        self.closed = True
        close_now(self._inner)

    def get_extra_info(self, info: str) -> Any:
        """What httpcore asks about the connection."""
        return self._inner.get_extra_info(info)


def close_now(stream: httpcore.AsyncNetworkStream) -> None:
    """Close a stream without awaiting. Idempotent, never fails.

    anyio's ``aclose`` closes the socket and only then gives others a turn: its first step is all that is needed.
    """
    closing = stream.aclose()
    try:
        closing.send(None)
    except StopIteration:
        pass
    except Exception:  # its event loop is gone
        _close_socket(stream.get_extra_info("socket"))
    finally:
        closing.close()


def _close_socket(raw: Any) -> None:
    if raw is not None:
        with contextlib.suppress(OSError):  # the peer has closed it already
            raw.shutdown(socket.SHUT_RDWR)
        if isinstance(raw, socket.socket):  # what asyncio gives is none: its transport closes it when it is collected
            raw.close()
