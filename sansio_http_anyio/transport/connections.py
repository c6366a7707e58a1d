"""The connections of one client: an idle one for each request, or a new one.

httpcore's pool is not used. It is quadratic in the requests inside; it counts busy connections against the limit of
idle ones; and a request that is cancelled as it gets its connection, or natively as it gives it back, leaves that
connection taken for ever. Here nothing can be left behind: only what is idle is kept, and whatever else a request lets
go of is closed on the spot.

Nobody waits here either: how many requests are inside is for the core's in-flight slot to decide.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from typing import Any, cast

import anyio.lowlevel
import httpcore

from ..config import ClientConfig
from .httpcore_wire import Wire
from .network import Network

_UNUSED = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # httpcore makes one of its own where it has none; the wire has its


class Connections:
    """Sends requests over connections that are kept from one to the next.

    Args:
        config: how many idle ones are kept and for how long, connect timeout and TLS.
    """

    def __init__(self, config: ClientConfig) -> None:
        self._config = config
        self._open: set[_Connection] = set()
        self._idle: list[_Connection] = []  # of these; what was used last at the end
        self._network = Network.of(config)
        self._closed = False

    async def handle_async_request(self, request: httpcore.Request) -> httpcore.Response:
        """The head of the answer; closing the response gives its connection back."""
        connection = self._idle_one(request.url.origin) or self._new_one(request.url.origin)
        try:
            response = await connection.handle_async_request(request)
        except BaseException:
            self._drop(connection)
            raise
        response.stream = _Lent(response.stream, connection, self)
        return response

    def give_back(self, connection: _Connection) -> None:
        """Keep it for the next request, if it is idle, open and not one too many."""
        if self._closed or not connection.can_be_kept():
            self._drop(connection)
            return
        self._idle.append(connection)
        while len(self._idle) > self._config.max_keepalive_connections or (self._idle and self._idle[0].has_expired()):
            self._drop(self._idle.pop(0))

    async def aclose(self) -> None:
        """Close every connection. Idempotent."""
        self.close_now()
        await anyio.lowlevel.checkpoint()  # in which asyncio closes the sockets

    def close_now(self) -> int:
        """The same without awaiting; how many there were."""
        self._closed = True
        count = len(self._open)
        self._idle.clear()
        for connection in list(self._open):
            self._drop(connection)
        return count

    def _idle_one(self, origin: httpcore.Origin) -> _Connection | None:
        """The connection to ``origin`` that was used last: the others may expire."""
        for connection in reversed(list(self._idle)):
            if connection.can_handle_request(origin):
                self._idle.remove(connection)
                if not connection.has_expired():
                    return connection
                self._drop(connection)
        return None

    def _new_one(self, origin: httpcore.Origin) -> _Connection:
        connection = _Connection(origin, self._network, self._config)
        self._open.add(connection)
        return connection

    def _drop(self, connection: _Connection) -> None:
        self._open.discard(connection)
        connection.wire.close()


class _Connection(httpcore.AsyncHTTPConnection):
    """A connection of httpcore's whose wire is at hand."""

    def __init__(self, origin: httpcore.Origin, network: Network, config: ClientConfig) -> None:
        scheme, host = origin.scheme.decode(), origin.host.decode()
        self.wire = Wire(network, network.endpoint(scheme, host.strip("[]"), origin.port))
        super().__init__(origin, _UNUSED, keepalive_expiry=config.keepalive_expiry, network_backend=self.wire)

    def can_be_kept(self) -> bool:
        """Whether the next request can go over it."""
        if self.wire.closed or not self.is_idle():
            return False
        # What came behind the answer would be taken for the next one, and httpcore has no word for it.
        state: Any = cast("Any", self._connection)._h11_state
        return bool(state.trailing_data == (b"", False))


class _Lent:
    """The body of a response, and the connection it comes on until it is closed."""

    def __init__(self, stream: Any, connection: _Connection, connections: Connections) -> None:
        self._stream = stream
        self._connection = connection
        self._connections = connections

    def __aiter__(self) -> AsyncIterator[bytes]:
        return cast("AsyncIterator[bytes]", self._stream.__aiter__())

    async def aclose(self) -> None:
        """Called once."""
        try:
            await self._stream.aclose()
        finally:
            self._connections.give_back(self._connection)
