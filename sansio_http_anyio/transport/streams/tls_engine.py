"""TLS without a socket: bytes in, bytes out, and nobody waits."""

from __future__ import annotations

import ssl

PIECE = 65_536
"""How much is encrypted at a time: what a socket that takes no more makes us hold is a little more than this."""

_RECORD = 16_384  # of plain text; there is never more to a read


class TLSEngine:
    """The client's side of one TLS connection.

    Neither asyncio's TLS nor anyio's is used. Asyncio's keeps a buffer of 256 KiB for each connection and closes by
    waiting for the peer; with anyio's one cannot tell whether a kept connection has ended, for the bytes that the
    server's next session ticket is made of look like an answer. And they do not behave alike.

    Args:
        context: who is trusted, and the client's own certificate; it is not changed.
        server_hostname: whose certificate it has to be, and the name for SNI; an IP address is no name for SNI.
    """

    __slots__ = ("_incoming", "_object", "_outgoing", "ended", "error")

    def __init__(self, context: ssl.SSLContext, server_hostname: str | None) -> None:
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._object = context.wrap_bio(self._incoming, self._outgoing, server_hostname=server_hostname)
        self.ended = False
        """The server has said that nothing follows."""
        self.error: ssl.SSLError | None = None
        """Why nothing more can be read: the stream is broken or was cut, or the server has sent an alert."""

    @property
    def alpn(self) -> str | None:
        """The protocol that was agreed on."""
        return self._object.selected_alpn_protocol()

    def handshake(self) -> bool:
        """Go on with the handshake; whether it is complete. :meth:`take` has what is to be sent, even if it fails.

        Raises:
            ssl.SSLError: it failed.
        """
        try:
            self._object.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True

    def give(self, data: bytes) -> None:
        """Bytes from the socket; empty for its end."""
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()

    def read(self) -> bytes:
        """All that can be decrypted so far; see also :attr:`ended` and :attr:`error`."""
        plain: list[bytes] = []
        read, incoming = self._object.read, self._incoming
        try:
            while not (self.ended or self.error) and (incoming.pending or incoming.eof or self._object.pending()):
                plain.append(read(_RECORD))
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self.ended = True
        except ssl.SSLError as error:
            self.error = error
        return plain[0] if len(plain) == 1 else b"".join(plain)

    def write(self, data: memoryview) -> None:
        """Encrypt at most :data:`PIECE` bytes, for :meth:`take`.

        Raises:
            ssl.SSLError: TLS is broken.
        """
        while data:
            data = data[self._object.write(data) :]  # a record at a time

    def take(self) -> bytes:
        """What is to be sent. Also after a :meth:`read`: TLS may have to answer by itself."""
        return self._outgoing.read()

    def farewell(self) -> bytes:
        """What tells the server that nothing follows. Never fails."""
        try:
            self._object.unwrap()
        except ssl.SSLError:  # the server's own farewell is not waited for
            pass
        return self._outgoing.read()
