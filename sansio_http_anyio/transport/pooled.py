"""The transport on connections of our own: HTTP/1.1 over TCP or TLS, kept from one request to the next.

Theory of operation. Which connection a request gets is decided by the core's :class:`~sansio_http.PoolScheduler`, which
knows no sockets; this transport opens, tests and closes them as it says. A request that finds a kept connection waits
for nothing before its first byte has left: it is given the connection, asks the socket whether it is still alive, and
writes.

A connection belongs to one request at a time, and is given back or closed exactly once and without awaiting: at the end
of its response, or where the request failed or was cancelled. So there is nothing to clean up later, and no tick in
which a cancellation could lose one; and behind the last byte of an answer nothing is awaited that could lose the
answer.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Sequence
from math import inf
from typing import NamedTuple

import anyio
import anyio.lowlevel

from sansio_http import (
    AttemptTimeoutError,
    ClientClosedError,
    Close,
    Ended,
    Grant,
    Headers,
    HeadWriter,
    HTTPClientError,
    HTTPRequestError,
    HTTPResponse,
    Open,
    PoolScheduler,
    PoolTimeoutError,
    Reuse,
    Send,
    Ticket,
    Wait,
    may_repeat,
    split,
    split_site,
)

from ..config import ClientConfig
from ..loops import EventLoop, Timer, finder
from .base import TOKEN_LIMIT
from .connection import Connection
from .content import Content
from .decoding import accepted
from .incoming import IncomingBody
from .network import Endpoint, Network
from .uploading import source_of

Commands = Sequence[Grant | Close]
_PORTS = {"http": 80, "https": 443}
_SWEEP = 0.1, 1.0  # seconds between two looks at what is idle, at least and at most
_MOST_PLACES = 1000  # origins that are remembered; a client has one, or a few


class _Place(NamedTuple):
    """Where requests to one origin go."""

    endpoint: Endpoint
    host: str  # as the Host field says it


class PooledTransport:
    """Sends over connections that it keeps. It belongs to one event loop, and keeps the deadlines of sends itself.

    Args:
        config: timeouts, limits and TLS.
        network: connects; by default as ``config`` says.
        clock: monotonic seconds: of the deadlines of sends, and for how long a connection was idle.
    """

    keeps_deadlines = True

    def __init__(
        self,
        config: ClientConfig | None = None,
        *,
        network: Network | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        config = ClientConfig() if config is None else config
        self._network = Network.of(config) if network is None else network
        self._clock = clock
        self._timeouts = config.read_timeout, config.write_timeout
        self._pool_timeout = config.pool_timeout
        self._pool = PoolScheduler(
            config.max_connections, max_idle=config.max_keepalive_connections, idle_expiry=config.keepalive_expiry
        )
        self._error_limit = config.error_body_limit
        self._limit = config.max_response_size
        # The default guards what is kept in memory; a stream is bounded by a number that somebody gave.
        self._stream_limit = self._limit if "max_response_size" in config.model_fields_set else None
        self._heads = HeadWriter()
        self._places: dict[str, _Place] = {}  # by what a URL has before its path
        self._scopes: set[anyio.CancelScope] = set()  # of sends that may have to be ended from outside
        self._loop: EventLoop | None = None  # once there is a connection
        self._sweep: Timer | None = None  # closes what has been idle for too long
        self._closed = False

    @property
    def default_headers(self) -> dict[str, str]:
        """What a client says with each request, unless its caller says otherwise."""
        return {"Accept-Encoding": ", ".join(accepted())}

    async def send(self, send: Send) -> Ended:
        """Send a request; see :class:`Transport`."""
        if self._closed:
            return Ended(send.id, ClientClosedError("the transport is closed"))
        request, progress, deadline = send.request, send.progress, send.deadline
        progress.phase, progress.head_sent = "connect", False
        try:
            site, target = split_site(request.url)
            place = self._places.get(site) or self._place(site)
            head, is_last = self._heads.write(request.method, target, place.host, request.headers, request.body)
            message = head, is_last, b"" if request.body is None else source_of(request.body)
        except Exception as error:
            return Ended(send.id, error)
        now = self._clock()
        if deadline is not None and deadline <= now:
            return Ended(send.id, self._late(send))
        ticket = Ticket()
        # What is lost on a connection that has just died is sent once more, if the server may receive it twice.
        sure = request.body is not None or not may_repeat(request)
        found = self._alive(self._pool.acquire(place.endpoint, ticket, now), ticket, sure)
        # Closing the socket ends whatever waits for it, which is all of a request; but not an iterator of the caller's.
        if isinstance(found, Connection) and isinstance(message[2], bytes):
            if deadline is not None:
                found.expire_in(deadline - now)
            return await self._exchange(found, send, *message)
        scope = anyio.CancelScope()
        if deadline is not None:
            scope.deadline = anyio.current_time() + deadline - now
        self._scopes.add(scope)
        has_one = False
        try:
            with scope:
                while isinstance(found, Wait):
                    found = self._alive(await self._turn(ticket, send), ticket, sure)
                if isinstance(found, Open):
                    found = await self._made(found, place.endpoint, send)
                has_one = True
                return await self._exchange(found, send, *message)
        except Exception as error:
            return Ended(send.id, error)
        finally:
            self._scopes.remove(scope)
            if not has_one:
                self._do(self._pool.cancel(ticket, self._clock(), unused=True))
        return Ended(send.id, self._late(send))

    async def _exchange(
        self, connection: Connection, send: Send, head: bytes, is_last: bool, source: bytes | AsyncIterator[bytes]
    ) -> Ended:
        """From the request to the response; the connection is given back or closed."""
        progress = send.progress
        lent: Connection | None = connection
        try:
            progress.reused = connection.used
            await connection.exchange(send, head, is_last, source)
            progress.phase = "body"
            parser = connection.parser
            headers = Headers.of_pairs(parser.headers)
            response = HTTPResponse(parser.status, headers, http_version=parser.version)
            content = Content(send, parser.status, self._stream_limit if send.stream else self._limit)
            content.open(headers)
            if send.via == "token":
                response.content = await _read(connection, send, content, TOKEN_LIMIT)
            elif not send.stream:
                if parser.complete:
                    response.content = content.whole(parser.take())
                else:
                    response.content = await _read(connection, send, content)
            elif response.is_success:
                connection.relax()
                response.body = IncomingBody(connection, send, content, self._give_back)
                lent = None
            else:
                response.content = await _read(connection, send, content, self._error_limit)
            return Ended(send.id, response)
        except Exception as error:
            return Ended(send.id, self._late(send) if self._closed or connection.timed_out else error)
        finally:
            if lent is not None:
                self._give_back(lent)

    def _late(self, send: Send) -> HTTPClientError:
        """Why a send was ended by us."""
        if self._closed:
            return ClientClosedError("the transport was closed")
        return send.error(AttemptTimeoutError, "the attempt took too long")

    async def aclose(self) -> None:
        """Close every connection; sends that are out end with :class:`ClientClosedError`. Idempotent."""
        self.close_now()
        await anyio.lowlevel.checkpoint()

    def close_now(self) -> int:
        """The same without awaiting; how many connections there were."""
        self._closed = True
        if self._sweep is not None:
            self._sweep.cancel()
        commands = self._pool.close()
        self._do(commands)
        for scope in self._scopes:
            scope.cancel()
        return sum(isinstance(command, Close) for command in commands)

    # --- which connection ----------------------------------------------------------------------------------------

    def _place(self, site: str) -> _Place:
        scheme, host, port, _ = split(f"{site}/")
        name = f"[{host}]" if ":" in host else host
        place = _Place(self._network.endpoint(scheme, host, port), name if port == _PORTS[scheme] else f"{name}:{port}")
        if len(self._places) >= _MOST_PLACES:
            self._places.clear()
        self._places[site] = place
        return place

    def _alive(self, answer: Reuse | Open | Wait, ticket: Ticket, sure: bool) -> Connection | Open | Wait:
        """The kept connection that was granted, unless the server has ended it; else what the pool says instead.

        Args:
            answer: of the pool.
            ticket: which was granted it.
            sure: ask the socket itself in any case.
        """
        while isinstance(answer, Reuse):
            connection: Connection = answer.connection.wire
            if not connection.stream.readable(inf if sure else answer.idle):
                return connection
            answer = self._do(self._pool.dead(answer.connection, self._clock()), ticket) or Wait()
        return answer

    async def _turn(self, ticket: Ticket, send: Send) -> Reuse | Open:
        """What the pool has for a request that waits."""
        ticket.owner = waiting = _Waiting()
        with anyio.move_on_after(self._pool_timeout):
            await waiting.woken.wait()
        if waiting.answer is None:
            if self._closed:
                raise ClientClosedError("the transport was closed")
            status = self._pool.status(self._clock())
            raise send.error(PoolTimeoutError, f"no connection came free in {self._pool_timeout:.3g} s: {status}")
        return waiting.answer

    async def _made(self, order: Open, endpoint: Endpoint, send: Send) -> Connection:
        """A new connection. Whoever calls cancels the ticket if it fails."""
        if order.evict is not None:
            order.evict.wire.close()
        try:
            stream = await self._network.connect(endpoint)
        except HTTPRequestError as error:  # the network knows of no request
            raise send.error(type(error), error.args[0]) from error.__cause__
        place = order.connection
        if self._loop is None:
            self._loop = finder()()
        place.wire = connection = Connection(place, stream, self._loop, *self._timeouts)
        self._do(self._pool.opened(place, 1, self._clock()))
        if self._closed:
            raise ClientClosedError("the transport was closed")
        return connection

    def _give_back(self, connection: Connection) -> None:
        """A request is through with it. Never fails."""
        reusable = connection.reusable
        connection.used = True
        connection.relax()
        if not reusable:
            connection.close()
        now = self._clock()
        commands = self._pool.release(connection.place, reusable, now)
        if commands:
            self._do(commands)
        if self._sweep is None:
            self._sweep_later(now)

    def _sweep_later(self, now: float) -> None:
        """Look again when the next idle connection has been idle for too long, though no request may come till then.

        After a second in any case: more that is idle lets less time pass.
        """
        due, loop = self._pool.next_expiry(), self._loop
        if due is not None and loop is not None:
            least, most = _SWEEP
            self._sweep = loop.call_at(loop.time() + min(max(due - now, least), most), self._on_sweep)

    def _on_sweep(self) -> None:
        now, self._sweep = self._clock(), None
        self._do(self._pool.expire(now))
        self._sweep_later(now)

    def _do(self, commands: Commands, ticket: Ticket | None = None) -> Reuse | Open | None:
        """Carry out what the pool says; what it has for ``ticket``, which does not wait, is given back."""
        answer: Reuse | Open | None = None
        for command in commands:
            if isinstance(command, Close):
                command.connection.wire.close()
            elif command.ticket is ticket:
                answer = command.answer
            else:
                waiting: _Waiting = command.ticket.owner
                waiting.answer = command.answer
                waiting.woken.set()
        return answer


class _Waiting:
    """A request that waits for a connection."""

    __slots__ = ("answer", "woken")

    def __init__(self) -> None:
        self.woken = anyio.Event()
        self.answer: Reuse | Open | None = None


async def _read(connection: Connection, send: Send, content: Content, most: int | None = None) -> bytes:
    """The body as it comes: the whole of it, or its first ``most`` bytes."""
    parser = connection.parser
    pieces: list[bytes] = []
    while True:
        for piece in content.pieces(parser.take()):
            pieces.append(piece)
            if most is not None and content.size > most:
                return b"".join(pieces)[:most]
        if parser.complete:
            content.finish()
            return b"".join(pieces)
        await connection.receive(send)
