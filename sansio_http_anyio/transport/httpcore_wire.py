"""Our streams, as httpcore wants them; and a way to close its own without awaiting.

httpcore 1.0.9 gives DNS and TCP one timeout and TLS another of the same length; it leaves the socket of a handshake
that was cancelled open; it changes a TLS context that was given to it; and it closes by awaiting only, which a task
that is cancelled natively cannot rely on, and a client that is garbage cannot do.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Iterable
from typing import Any

import anyio
import httpcore

from .network import Endpoint, Network
from .reasons import reason
from .streams import Stream


class Wire(httpcore.AsyncNetworkBackend, httpcore.AsyncNetworkStream):
    """The one stream of one connection, which connects itself when it is asked to.

    Args:
        network: connects, and says how long that may take.
        endpoint: where to; what httpcore asks for is believed to be the same.
    """

    def __init__(self, network: Network, endpoint: Endpoint) -> None:
        self._network = network
        self._endpoint = endpoint
        self._stream: Stream | None = None
        self.closed = False

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> Wire:
        """Connect, TLS included."""
        self._stream = await self._network.connect(self._endpoint)
        return self

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> Wire:
        """Nothing: it speaks TLS already."""
        return self

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """The next bytes; empty at the end."""
        assert self._stream is not None
        with anyio.move_on_after(timeout):
            try:
                return await self._stream.read()
            except OSError as error:
                raise httpcore.ReadError(reason(error)) from error
        raise httpcore.ReadTimeout

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send all of ``buffer``."""
        assert self._stream is not None
        with anyio.move_on_after(timeout) as scope:
            try:
                await self._stream.write(buffer)
            except OSError as error:
                raise httpcore.WriteError(reason(error)) from error
        if scope.cancelled_caught:
            raise httpcore.WriteTimeout

    async def aclose(self) -> None:
        """:meth:`close`, as httpcore calls it."""
        self.close()

    def close(self) -> None:
        """Close the connection now. Idempotent, never fails."""
        self.closed = True
        if self._stream is not None:
            self._stream.close()

    def get_extra_info(self, info: str) -> Any:
        """What httpcore asks about the connection."""
        return self._stream.readable() if info == "is_readable" and self._stream is not None else None


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
