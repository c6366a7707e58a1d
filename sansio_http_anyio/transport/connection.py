"""One HTTP/1.1 connection: a request out and its response in, then the next.

Theory of operation. The common exchange is one write, one wait and one read, and nothing of it has a task, a timer or a
cancel scope of its own: deadlines are the driver's, whose one scope is around all of this. Only ``read_timeout`` and
``write_timeout``, where they are given, bound single waits.

A body that may not fit into the socket's buffer is written by a second task while the first reads (:mod:`.uploading`).
A write that fails does not end the exchange: the server may have said why before it hung up. What cannot be known then
is whether the request arrived whole, so such a connection carries no other.

Progress is kept true at every step, for a cancellation may strike at any.

A connection keeps deadlines itself, with one timer that is set anew only when it goes off: it is late for nearly all
requests, finds that another is on its way, and sleeps until that one's deadline. A cancel scope for each request costs
a tenth of the request, and more on trio.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import anyio

from sansio_http import (
    CertificateError,
    ConnectionLostError,
    HTTP1Error,
    HTTPRequestError,
    PooledConnection,
    ReadTimeoutError,
    ResponseParser,
    Send,
    WriteTimeoutError,
)

from ..loops import EventLoop, Timer
from .reasons import more_telling, reason, refused_ours
from .streams import Stream
from .uploading import Pieces, upload

AT_ONCE = 16_384
"""A body of so many bytes goes out with the head: any socket's buffer has room for it."""


class Connection:
    """A connection that was made; it belongs to one request at a time.

    Args:
        place: what its pool knows it by.
        stream: after the TLS handshake, if there is one.
        loop: whose timers end what takes too long.
        read_timeout: seconds without a byte from the server; None for no limit of its own.
        write_timeout: seconds in which the server takes nothing; None likewise.

    Attributes:
        parser: of its responses.
        sent: the request has left, to its last byte.
        used: it has served a request.
        timed_out: a deadline has passed, and the stream was closed for it.
    """

    __slots__ = (
        "_deadline",
        "_timer",
        "_timer_at",
        "loop",
        "parser",
        "place",
        "read_timeout",
        "sent",
        "stream",
        "timed_out",
        "used",
        "write_timeout",
    )

    def __init__(
        self,
        place: PooledConnection,
        stream: Stream,
        loop: EventLoop,
        read_timeout: float | None,
        write_timeout: float | None,
    ) -> None:
        self.place = place
        self.stream = stream
        self.parser = ResponseParser()
        self.used = False
        self.sent = True
        self.read_timeout = read_timeout
        self.write_timeout = write_timeout
        self.timed_out = False
        self._deadline: float | None = None  # of the request that it serves, on the loop's clock
        self.loop = loop
        self._timer: Timer | None = None
        self._timer_at = 0.0

    def expire_in(self, seconds: float) -> None:
        """Close the stream in so many seconds, unless :meth:`relax` comes before."""
        self._deadline = deadline = self.loop.time() + seconds
        if self._timer is None or deadline < self._timer_at:
            if self._timer is not None:
                self._timer.cancel()
            self._timer_at = deadline
            self._timer = self.loop.call_at(deadline, self._on_time)

    def relax(self) -> None:
        """There is no deadline any more."""
        self._deadline = None

    def close(self) -> None:
        """Close the stream, and forget the timer. Idempotent, never fails."""
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()
        self.stream.close()

    def _on_time(self) -> None:
        self._timer = None
        deadline, loop = self._deadline, self.loop
        if deadline is None:  # nothing is on its way: the next request sets the timer
            return
        if loop.time() < deadline:
            self._timer_at = deadline
            self._timer = loop.call_at(deadline, self._on_time)
            return
        self.timed_out = True
        self.stream.close()  # who reads or writes hears of it

    @property
    def reusable(self) -> bool:
        """Whether another request may follow: this one and its response are complete, and neither said otherwise."""
        return self.sent and self.parser.reusable

    async def exchange(self, send: Send, head: bytes, is_last: bool, source: bytes | AsyncIterator[bytes]) -> None:
        """Send a request; when this returns, the head of the response has come, and perhaps more.

        Args:
            send: the order.
            head: of the request, in bytes.
            is_last: the head says that the connection ends with this request.
            source: of the body.

        Raises:
            HTTPRequestError: there is no answer. The connection is to be closed, as after any other exception.
        """
        parser, progress = self.parser, send.progress
        parser.take()  # what nobody wanted of the response before
        parser.expect(send.request.method, is_last=is_last)
        self.sent = False
        progress.phase, progress.head_sent = "send", True
        if not isinstance(source, bytes):
            await upload(self, send, head, source)
            return
        body = send.request.body
        if len(source) > AT_ONCE or (body is not None and body.length is None):
            await upload(self, send, head, Pieces(source))
            return
        failure: HTTPRequestError | None = None
        try:
            await self.write(send, head + source if source else head)
            self.sent = True
        except ConnectionLostError as error:
            failure = error
        progress.phase = "head"
        while not parser.status:
            try:
                await self.receive(send)
            except HTTPRequestError as error:
                told = more_telling(failure, error)
                raise told from told.__cause__

    async def write(self, send: Send, *pieces: bytes | memoryview) -> None:
        """Send bytes, one piece behind the other.

        Raises:
            WriteTimeoutError: the server took nothing for ``write_timeout``.
            ConnectionLostError: it will take no more; it may still be heard.
        """
        try:
            if self.write_timeout is None:
                await self.stream.write(*pieces)
                return
            with anyio.move_on_after(self.write_timeout):
                await self.stream.write(*pieces)
                return
        except OSError as error:
            raise self.lost(send, error) from error
        raise send.error(WriteTimeoutError, "the server took nothing for too long")

    async def receive(self, send: Send) -> None:
        """Wait for more of the response, and have it parsed.

        Raises:
            ReadTimeoutError: nothing came for ``read_timeout``.
            HTTPRequestError: the connection is lost, or what came is no HTTP.
        """
        try:
            if self.read_timeout is None or not self.sent:
                data = await self.stream.read()
            else:
                data = None
                with anyio.move_on_after(self.read_timeout):
                    data = await self.stream.read()
        except OSError as error:
            raise self.lost(send, error) from error
        if data is None:
            raise send.error(ReadTimeoutError, "the server sent nothing for too long")
        try:
            if data:
                send.progress.body_started = True
                self.parser.feed(data)
            else:
                self.parser.eof()
        except HTTP1Error as error:
            if self.parser.status:
                send.progress.phase = "body"
            raise send.error(error.becomes, str(error)) from None

    def lost(self, send: Send, error: OSError) -> HTTPRequestError:
        """What it means for ``send`` that the socket, or TLS, has failed."""
        if refused_ours(error):
            return send.error(CertificateError, f"the server did not accept our certificate: {reason(error)}")
        return send.error(ConnectionLostError, f"the connection was lost: {reason(error)}")
