"""Connecting: name, address, TCP and TLS under one deadline. What comes out is a stream, or an error that says why not.

Nothing is left open. A socket belongs to the function that has it at the moment, which closes it on any exception; and
after each wait that ends with a socket in hand, cancellation is looked at again, for a task that is cancelled in the
very turn in which its wait succeeds would hear of it only at the next one.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

import anyio
import anyio.lowlevel

from sansio_http import ConnectError, ConnectTimeoutError

from ..config import ClientConfig
from .addresses import IPAddress, is_public
from .dialing import addresses_of, dial, dial_unix
from .reasons import reason, tls_failure
from .streams import Stream, TLSEngine, stream_over
from .tls import Trust


class Endpoint(NamedTuple):
    """Where a connection leads, and everything that decides who is trusted there: the key of a pool.

    A connection serves requests to its own endpoint and to no other.

    Attributes:
        scheme: ``http`` or ``https``.
        host: in lower case; an IPv6 address without brackets.
        port: 1 to 65535.
        server_name: whose certificate it has to be, and the name for SNI; None without TLS.
        trust: whom we trust and how we identify ourselves; None without TLS.
    """

    scheme: str
    host: str
    port: int
    server_name: str | None
    trust: Trust | None


class Network:
    """Connects, by the rules of one client.

    Args:
        connect_timeout: seconds for DNS, TCP and TLS together; None for no limit.
        trust: for https.
        server_name: in the place of the URL's host, for SNI and the certificate.
        allow_address: asked of each address that a host name leads to, at each connect; False refuses it.
        local_address: the address of ours to connect from.
        unix_socket: the path of a Unix socket to connect to, whatever the host.
    """

    def __init__(
        self,
        *,
        connect_timeout: float | None = None,
        trust: Trust | None = None,
        server_name: str | None = None,
        allow_address: Callable[[IPAddress], object] | None = None,
        local_address: str | None = None,
        unix_socket: str | None = None,
    ) -> None:
        self._connect_timeout = connect_timeout
        self._trust = Trust() if trust is None else trust
        self._server_name = server_name
        self._allow_address = allow_address
        self._local_address = local_address
        self._unix_socket = unix_socket
        self._context: ssl.SSLContext | None = None  # once it was needed

    @classmethod
    def of(cls, config: ClientConfig) -> Network:
        """By what ``config`` says."""
        allow = config.allow_address
        return cls(
            connect_timeout=config.connect_timeout,
            trust=config.trust(),
            server_name=config.server_name,
            allow_address=None if allow == "any" else is_public if allow == "public" else allow,
            local_address=config.local_address,
            unix_socket=None if config.unix_socket is None else str(config.unix_socket),
        )

    def endpoint(self, scheme: str, host: str, port: int) -> Endpoint:
        """The place that a URL with these parts names."""
        if scheme == "http":
            return Endpoint(scheme, host, port, None, None)
        return Endpoint(scheme, host, port, self._server_name or host, self._trust)

    async def connect(self, endpoint: Endpoint) -> Stream:
        """A new connection.

        Args:
            endpoint: of :meth:`endpoint`.

        Returns:
            The stream, after the TLS handshake; it is the caller's to close.

        Raises:
            ConnectTimeoutError: ``connect_timeout`` is over.
            ConnectError: the name does not resolve, the peer refused or cannot be reached (``__cause__`` says which).
            AddressRefusedError: no address of the host is allowed.
            ConfigurationError: a file that TLS needs is gone.
            CertificateError: the server's certificate is not acceptable, or it did not accept ours.
            TLSError: the handshake failed otherwise.
        """
        with anyio.move_on_after(self._connect_timeout) as scope:
            return await self._connect(endpoint)
        assert scope.cancelled_caught
        raise ConnectTimeoutError("connecting took too long", phase="connect")

    async def _connect(self, endpoint: Endpoint) -> Stream:
        context: ssl.SSLContext | None = None
        if endpoint.trust is not None:
            # Held here: it would go with the last connection, and the next one would have to wait for another.
            context = self._context = self._context or await endpoint.trust.context()
        try:
            sock = await self._dial(endpoint)
        except OSError as error:
            raise ConnectError(f"no connection: {reason(error)}", phase="connect") from error
        if context is None:
            return stream_over(sock)
        try:
            tls = TLSEngine(context, endpoint.server_name)
            await _shake_hands(sock, tls)
        except OSError as error:
            sock.close()
            failure, message = tls_failure(error)
            raise failure(message, phase="connect") from error
        except BaseException:
            sock.close()
            raise
        return stream_over(sock, tls)

    async def _dial(self, endpoint: Endpoint) -> socket.socket:
        if self._unix_socket is not None:
            return await dial_unix(self._unix_socket)
        addresses = await addresses_of(endpoint.host, endpoint.port, self._allow_address)
        return await dial(addresses, self._local_address)


async def _shake_hands(sock: socket.socket, tls: TLSEngine) -> None:
    """The handshake of TLS over a socket in non-blocking mode."""
    while True:
        try:
            complete = tls.handshake()
        except OSError:
            with suppress(OSError):
                sock.send(tls.take())  # the alert, which says why
            raise
        unsent = memoryview(tls.take())
        while unsent:
            try:
                unsent = unsent[sock.send(unsent) :]
            except BlockingIOError:
                await anyio.wait_writable(sock)
        await anyio.lowlevel.checkpoint_if_cancelled()
        if complete:
            return
        await anyio.wait_readable(sock)
        with suppress(BlockingIOError):
            tls.give(sock.recv(65536))
