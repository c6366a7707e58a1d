"""Streams: one suite for all of them, over real sockets; what the peer does is played by plain blocking ones."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import socket
import struct
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from sansio_http_anyio.transport.streams import Stream, StreamClosedError, sockets, stream_over
from sansio_http_anyio.transport.streams.anyio_stream import AnyioStream
from sansio_http_anyio.transport.streams.asyncio_stream import AsyncioStream
from sansio_http_anyio.transport.streams.trio_stream import TrioStream

pytestmark = pytest.mark.anyio

NATIVE = pytest.mark.asyncio_only("native cancellation is asyncio's")
BIG = bytes(range(256)) * 40_000  # 10 MB: more than two sockets hold


class Pair:
    """A stream, and the plain socket at its other end."""

    def __init__(self, stream: Stream, peer: socket.socket) -> None:
        self.stream = stream
        self.peer = peer
        peer.settimeout(5)

    def peer_sees_the_end(self) -> bool:
        """Whether our socket is closed: by then the peer has read all there was."""
        try:
            while self.peer.recv(1 << 20):
                pass
        except ConnectionResetError:
            pass
        except TimeoutError:
            return False
        return True

    def reset_by_peer(self) -> None:
        self.peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.peer.close()


def socket_pair() -> tuple[socket.socket, socket.socket]:
    """Two ends of a TCP connection; the first in non-blocking mode."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ours = socket.create_connection(listener.getsockname())
        peer, _ = listener.accept()
    ours.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    ours.setblocking(False)
    return ours, peer


KINDS: dict[str, Callable[[socket.socket], Stream]] = {
    "chosen": stream_over,
    "anyio": lambda sock: AnyioStream(sock, None),
}


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Callable[[socket.socket], Stream]:
    return KINDS[request.param]


@pytest.fixture
async def pair(kind: Callable[[socket.socket], Stream]) -> AsyncIterator[Pair]:
    ours, peer = socket_pair()
    pair = Pair(kind(ours), peer)
    with peer:
        yield pair
        pair.stream.close()


async def in_thread(function: Callable[..., Any], *arguments: Any) -> Any:
    return await anyio.to_thread.run_sync(function, *arguments)


async def everything(stream: Stream) -> bytes:
    pieces: list[bytes] = []
    while piece := await stream.read():
        pieces.append(piece)
    return b"".join(pieces)


async def soon(condition: Callable[[], object]) -> None:
    with anyio.fail_after(3):
        while not condition():  # noqa: ASYNC110
            await anyio.sleep(0.001)


# Reading and writing


async def test_the_library_has_its_own_stream(anyio_backend: str) -> None:
    ours, peer = socket_pair()
    stream = stream_over(ours)
    assert type(stream) is (AsyncioStream if anyio_backend == "asyncio" else TrioStream)
    assert stream.alpn is None
    stream.close()
    peer.close()


async def test_bytes_go_and_come(pair: Pair) -> None:
    for number in range(3):
        await pair.stream.write(b"question %d" % number)
        assert pair.peer.recv(100) == b"question %d" % number
        pair.peer.sendall(b"answer %d" % number)
        assert await pair.stream.read() == b"answer %d" % number


async def test_what_comes_in_pieces_is_read_in_pieces(pair: Pair) -> None:
    async with anyio.create_task_group() as tasks:

        async def drip() -> None:
            for byte in b"drips":
                pair.peer.sendall(bytes([byte]))
                await anyio.wait_all_tasks_blocked()

        tasks.start_soon(drip)
        got: list[bytes] = []
        while b"".join(got) != b"drips":
            got.append(await pair.stream.read())
        assert len(got) > 1


@pytest.mark.parametrize("most", [2**20, 100_000, 1000])
async def test_who_always_finds_something_to_read_can_be_cancelled(pair: Pair, most: int) -> None:
    class Endless:
        """A peer who is never slower than we are."""

        def __init__(self, sock: socket.socket) -> None:
            self.sock = sock

        def recv(self, size: int) -> bytes:
            return bytes(min(size, most))

        def __getattr__(self, name: str) -> Any:
            return getattr(self.sock, name)

    stream: Any = pair.stream
    stream._socket = Endless(stream._socket)
    pair.peer.sendall(b"x")  # what the loop sees
    with anyio.CancelScope() as scope:
        size = len(await stream.read())
        scope.cancel()
        while size < 2**24:
            size += len(await stream.read())
    assert scope.cancelled_caught and size <= 2**21


async def test_nothing_is_nothing(pair: Pair) -> None:
    await pair.stream.write(b"")
    await pair.stream.write(memoryview(b"x"))
    assert pair.peer.recv(10) == b"x"


@pytest.mark.parametrize("cuts", [(), (7,), (2, 70_000, 70_002, 9_000_000)])
@pytest.mark.parametrize("gathers", [True, False])
async def test_a_large_write_waits_for_a_slow_reader(
    pair: Pair, cuts: tuple[int, ...], gathers: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not gathers:  # as on Windows
        monkeypatch.setattr(sockets, "_GATHERS", False)
    written = False
    pieces = [BIG[start:end] for start, end in zip((0, *cuts), (*cuts, len(BIG)), strict=True)]

    async def write() -> None:
        nonlocal written
        await pair.stream.write(*pieces)
        written = True

    def read() -> bytes:
        got = bytearray()
        while len(got) < len(BIG):
            got += pair.peer.recv(1 << 20)
        return bytes(got)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(write)
        await anyio.sleep(0.03)
        assert not written
        assert await in_thread(read) == BIG


async def test_what_nobody_reads_stays_with_the_sender(pair: Pair) -> None:
    """Back-pressure: a peer that sends without end fills two sockets and no more."""
    pair.peer.settimeout(0.2)
    sent = 0

    def flood() -> None:
        nonlocal sent
        with contextlib.suppress(TimeoutError):
            while sent < 100 * len(BIG):
                sent += pair.peer.send(BIG)

    await in_thread(flood)
    assert 0 < sent < 3 * len(BIG)
    pair.peer.shutdown(socket.SHUT_WR)
    got = 0
    while piece := await pair.stream.read():
        got += len(piece)
        assert len(piece) <= 262_144
    assert got == sent


async def test_both_at_once(pair: Pair) -> None:
    """An echo: it blocks for ever unless we read while we write."""

    def echo() -> None:
        left = len(BIG)
        while left:
            data = pair.peer.recv(65536)
            pair.peer.sendall(data)
            left -= len(data)
        pair.peer.shutdown(socket.SHUT_WR)

    got = b""

    async def read() -> None:
        nonlocal got
        got = await everything(pair.stream)

    with anyio.fail_after(10):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(in_thread, echo)
            tasks.start_soon(read)
            await pair.stream.write(BIG)
    assert got == BIG


async def test_one_reader_and_one_writer(pair: Pair) -> None:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(pair.stream.read)
        tasks.start_soon(pair.stream.write, BIG)
        await anyio.wait_all_tasks_blocked()
        with pytest.raises(anyio.BusyResourceError):
            await pair.stream.read()
        with pytest.raises(anyio.BusyResourceError):
            await pair.stream.write(BIG)
        tasks.cancel_scope.cancel()


# The end


async def test_the_end(pair: Pair) -> None:
    pair.peer.sendall(b"last")
    pair.peer.shutdown(socket.SHUT_WR)
    assert await everything(pair.stream) == b"last"
    assert await pair.stream.read() == b""
    assert pair.stream.readable()
    await pair.stream.write(b"half closed: this way is open")
    assert pair.peer.recv(100) == b"half closed: this way is open"


async def test_the_end_while_it_is_waited_for(pair: Pair) -> None:
    async with anyio.create_task_group() as tasks:

        async def read() -> None:
            assert await pair.stream.read() == b""

        tasks.start_soon(read)
        await anyio.wait_all_tasks_blocked()
        pair.peer.shutdown(socket.SHUT_WR)


@pytest.mark.parametrize("waiting", [False, True])
async def test_a_reset(pair: Pair, waiting: bool) -> None:
    async def read() -> None:
        for _ in range(2):
            with pytest.raises(ConnectionResetError):
                await pair.stream.read()

    async with anyio.create_task_group() as tasks:
        if waiting:
            tasks.start_soon(read)
            await anyio.wait_all_tasks_blocked()
        pair.reset_by_peer()
        if not waiting:
            tasks.start_soon(read)
    assert pair.stream.readable()
    with pytest.raises(ConnectionError):
        await pair.stream.write(b"x")


async def test_what_the_peer_had_said_before_it_went_can_be_read_after_a_write_that_failed(pair: Pair) -> None:
    """A server that answers 413 and closes: its answer is what the caller wants to see."""
    pair.peer.sendall(b"413")
    await pair.stream.write(b"unread, so that closing resets")
    await soon(pair.stream.readable)
    pair.peer.close()

    async def write_on() -> None:
        for _ in range(1000):
            await pair.stream.write(b"x" * 1000)
            await anyio.lowlevel.checkpoint()

    with pytest.raises(ConnectionError):
        await write_on()
    assert await pair.stream.read() == b"413"


async def test_a_reset_while_it_writes(pair: Pair) -> None:
    async with anyio.create_task_group() as tasks:

        async def write() -> None:
            with pytest.raises(ConnectionError):
                await pair.stream.write(BIG)

        tasks.start_soon(write)
        await anyio.wait_all_tasks_blocked()
        pair.reset_by_peer()


# Whether a kept connection is alive


async def test_a_quiet_connection_is_not_readable(pair: Pair) -> None:
    assert not pair.stream.readable()
    await pair.stream.write(b"x")
    pair.peer.recv(10)
    pair.peer.sendall(b"y")
    assert await pair.stream.read() == b"y"
    assert not pair.stream.readable()


@pytest.mark.parametrize("what", ["bytes", "end", "reset"])
@pytest.mark.parametrize("turns", [0, 3])
async def test_what_came_while_it_was_idle(pair: Pair, what: str, turns: int) -> None:
    """Known at once: no turn of the event loop is needed."""
    if what == "bytes":
        pair.peer.sendall(b"unasked")
    elif what == "end":
        pair.peer.close()
    else:
        pair.reset_by_peer()
    for _ in range(turns):
        await anyio.sleep(0.001)
    assert pair.stream.readable()
    assert pair.stream.readable()
    if what == "bytes":
        assert await pair.stream.read() == b"unasked"
        assert not pair.stream.readable()


async def test_what_came_after_a_read_just_now_is_known_a_turn_later_at_the_latest(pair: Pair) -> None:
    """Where the event loop watches the socket it need not be asked, unless the loop was busy."""
    pair.peer.close()
    assert pair.stream.readable(idle=1.0)
    assert pair.stream.readable(idle=0.0)


@pytest.mark.parametrize("what", ["bytes", "end", "reset"])
async def test_a_turn_tells(pair: Pair, what: str) -> None:
    if what == "bytes":
        pair.peer.sendall(b"unasked")
    elif what == "end":
        pair.peer.close()
    else:
        pair.reset_by_peer()
    await soon(lambda: pair.stream.readable(idle=0.0))


async def test_a_quiet_connection_that_was_read_just_now(pair: Pair) -> None:
    assert not pair.stream.readable(idle=0.0)
    pair.stream.close()
    assert pair.stream.readable(idle=0.0)  # good for nothing


# Closing


async def test_closing_is_now_and_for_good(pair: Pair) -> None:
    for _ in range(3):
        pair.stream.close()
    assert pair.peer_sees_the_end()
    assert pair.stream.readable()  # good for nothing
    with pytest.raises(StreamClosedError):
        await pair.stream.read()
    with pytest.raises(StreamClosedError):
        await pair.stream.write(b"x")


async def test_closing_wakes_who_reads_and_who_writes(pair: Pair) -> None:
    ended: list[str] = []

    async def read() -> None:
        with pytest.raises(StreamClosedError):
            await pair.stream.read()
        ended.append("read")

    async def write() -> None:
        with pytest.raises(StreamClosedError):
            await pair.stream.write(BIG)
        ended.append("write")

    with anyio.fail_after(2):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(read)
            tasks.start_soon(write)
            await anyio.wait_all_tasks_blocked()
            pair.stream.close()
    assert sorted(ended) == ["read", "write"]
    assert pair.peer_sees_the_end()


async def test_closing_throws_away_what_was_not_read(pair: Pair) -> None:
    pair.peer.sendall(b"unread")
    await soon(pair.stream.readable)
    pair.stream.close()
    with pytest.raises(StreamClosedError):
        await pair.stream.read()


async def test_closing_what_the_peer_has_closed(pair: Pair) -> None:
    pair.reset_by_peer()
    pair.stream.close()


async def test_closing_in_another_thread(pair: Pair) -> None:
    """As a finaliser may: the garbage collector runs in whatever thread there is."""
    await in_thread(pair.stream.close)
    await anyio.sleep(0.01)
    assert pair.peer_sees_the_end()


def loops() -> Iterator[tuple[str, dict[str, Any]]]:
    yield "asyncio", {}
    yield "asyncio", {"use_uvloop": True}
    yield "trio", {}


@pytest.mark.parametrize("loop", list(loops()), ids=str)
def test_closing_when_the_event_loop_is_no_more(loop: tuple[str, dict[str, Any]]) -> None:
    ours, peer = socket_pair()

    async def make() -> Stream:
        return stream_over(ours)

    stream = anyio.run(make, backend=loop[0], backend_options=loop[1])
    stream.close()
    stream.close()
    with peer:
        assert peer.recv(1) == b""
    del stream
    gc.collect()


def test_closing_between_two_runs_of_a_loop() -> None:
    ours, peer = socket_pair()
    loop = asyncio.new_event_loop()

    async def make() -> Stream:
        return stream_over(ours)

    stream = loop.run_until_complete(make())
    stream.close()
    with peer:
        assert peer.recv(1) == b""
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()


async def test_the_number_of_a_closed_socket_can_be_anothers_at_once(
    kind: Callable[[socket.socket], Stream],
) -> None:
    """No event loop may believe that it still knows it."""
    for _ in range(20):
        ours, peer = socket_pair()
        stream = kind(ours)
        peer.sendall(b"x")
        assert await stream.read() == b"x"
        stream.close()
        peer.close()


async def test_a_socket_that_no_stream_can_be_made_of_is_closed() -> None:
    ours, peer = socket_pair()
    broken: Any = object()
    with pytest.raises(AttributeError):
        stream_over(ours, broken)
    with peer:
        assert peer.recv(1) == b""


# Cancellation


async def ticks(count: int) -> None:
    for _ in range(count):
        await anyio.lowlevel.checkpoint()


async def test_a_read_that_is_cancelled_takes_no_bytes_with_it(pair: Pair) -> None:
    for number in range(8):
        got: list[bytes] = []

        async def read(got: list[bytes] = got) -> None:
            got.append(await pair.stream.read())

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(read)
            await ticks(number // 2)
            pair.peer.sendall(b"x")
            await ticks(number % 4)
            tasks.cancel_scope.cancel()
        with anyio.fail_after(2):
            if not got:
                got.append(await pair.stream.read())
        assert got == [b"x"]


@NATIVE
@pytest.mark.parametrize("twice", [False, True])
async def test_a_read_that_is_cancelled_natively_takes_no_bytes_with_it(pair: Pair, twice: bool) -> None:
    for tick in range(8):
        task = asyncio.ensure_future(pair.stream.read())
        await asyncio.sleep(0)
        pair.peer.sendall(b"x")
        await ticks(tick)
        task.cancel()
        if twice:
            await asyncio.sleep(0)
            task.cancel()
        await asyncio.wait([task])
        got = b"" if task.cancelled() else task.result()
        with anyio.fail_after(2):
            got = got or await pair.stream.read()
        assert got == b"x"


async def test_a_write_that_is_cancelled(pair: Pair) -> None:
    with anyio.move_on_after(0.02) as scope:
        await pair.stream.write(BIG)
    assert scope.cancelled_caught
    pair.peer.sendall(b"still here")
    assert await pair.stream.read() == b"still here"
    pair.stream.close()
    assert await in_thread(pair.peer_sees_the_end)


# Loops that are like asyncio's


@pytest.mark.parametrize("kind", ["chosen", "anyio"])
def test_uvloop(kind: str) -> None:
    async def main() -> None:
        ours, peer = socket_pair()
        pair = Pair(KINDS[kind](ours), peer)
        await test_bytes_go_and_come(pair)
        await test_both_at_once(pair)
        ours, peer = socket_pair()
        again = Pair(KINDS[kind](ours), peer)
        await test_closing_wakes_who_reads_and_who_writes(again)
        pair.stream.close()
        for each in (pair, again):
            each.peer.close()

    anyio.run(main, backend_options={"use_uvloop": True})


def test_a_loop_that_cannot_watch_sockets() -> None:
    """Windows' proactor loop: anyio has a thread for it."""

    def refuse(self: object, *arguments: object) -> None:
        raise NotImplementedError

    refused = dict.fromkeys(("add_reader", "add_writer", "remove_reader", "remove_writer"), refuse)
    blind = type("Blind", (asyncio.SelectorEventLoop,), refused)

    async def main() -> None:
        ours, peer = socket_pair()
        pair = Pair(stream_over(ours), peer)
        assert type(pair.stream) is AnyioStream
        await test_bytes_go_and_come(pair)
        pair.stream.close()
        peer.close()

    anyio.run(main, backend_options={"loop_factory": blind})
