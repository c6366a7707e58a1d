"""What an HTTP/1.1 connection needs of the network, and no more."""

from __future__ import annotations

from math import inf
from typing import Protocol


class StreamClosedError(ConnectionAbortedError):
    """The stream was closed on our side, before or while it was used."""


class Stream(Protocol):
    """Bytes to a server and back, over TCP, a Unix socket, or TLS on either.

    One task may read while another writes. Two readers or two writers at once are a mistake of the caller's:
    ``anyio.BusyResourceError``. There are no timeouts here: whoever waits puts a cancel scope around the wait, or
    closes the stream, which ends it. A read that is cancelled takes no bytes with it.

    All errors are an ``OSError``: what the socket or TLS said, or :class:`StreamClosedError`.
    """

    @property
    def alpn(self) -> str | None:
        """The protocol that TLS has agreed on; None without TLS, or where the server named none."""
        ...

    async def read(self) -> bytes:
        """The next bytes, as many as there are (256 KiB at most, of TLS a little more); ``b""`` at the end.

        The end is sure: a TLS connection that ends without saying so is an error, for anybody may have cut it (RFC 9112
        section 9.8).

        Raises:
            OSError: the connection is lost; what had come before was read first.
        """
        ...

    async def write(self, *pieces: bytes | memoryview) -> None:
        """Send all of the pieces, one behind the other: at its return the operating system has them.

        After a write that failed the stream can still be read: a server that had enough may have said why. After one
        that was cancelled nobody knows how much has left, so that nothing more should be written.

        Raises:
            OSError: the connection is lost.
        """
        ...

    def readable(self, idle: float = inf) -> bool:
        """Whether a read would not wait: bytes are there, or the end, or an error.

        It asks the socket itself, so it knows what the event loop had no time to notice. A kept connection is dead when
        this is true.

        Args:
            idle: seconds since something was read. A stream whose event loop watches it all the time need not ask again
                after a few milliseconds: the loop has not been busy for longer, and would have told.
        """
        ...

    def close(self) -> None:
        """Close the socket now; who reads or writes gets :class:`StreamClosedError`. Idempotent, never fails.

        From any task, from a finaliser, and where the event loop is gone. There is nothing to wait for afterwards.
        """
        ...
