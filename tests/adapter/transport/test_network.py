"""The wire: connecting with one deadline, and closing without awaiting."""

from __future__ import annotations

import gc
import socket
import ssl
import time
import warnings
from typing import Any

import anyio
import anyio.lowlevel
import httpcore
import pytest

from sansio_http_anyio.transport.network import HandshakeError, Wire, close_now
from tests.adapter.raw_server import SELF_SIGNED, answering, raw_server, speaking_tls
from tests.fixtures.mock_server import MockServer

pytestmark = pytest.mark.anyio


def trusting() -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(SELF_SIGNED))


async def test_bytes_go_and_come() -> None:
    with raw_server(answering) as port:
        wire = Wire(connect_timeout=5)
        assert await wire.connect_tcp("127.0.0.1", port) is wire
        await wire.write(b"hello", timeout=5)
        assert (await wire.read(1000, timeout=5)).endswith(b"ok")
        assert wire.get_extra_info("server_addr") == ("127.0.0.1", port)
        assert not wire.closed
        await wire.aclose()
        assert wire.closed
        await anyio.sleep(0.01)  # asyncio closes its sockets a tick later


async def test_without_a_limit() -> None:
    with raw_server(speaking_tls()) as port:
        wire = Wire(connect_timeout=None)
        await wire.connect_tcp("127.0.0.1", port)
        await wire.start_tls(trusting(), "127.0.0.1")
        await wire.write(b"x")
        assert (await wire.read(1000)).endswith(b"ok")
        wire.close()
        await anyio.sleep(0.01)


async def test_dns_tcp_and_tls_have_one_deadline(server: MockServer) -> None:
    wire = Wire(connect_timeout=0.2)
    await wire.connect_tcp("127.0.0.1", server.port, timeout=60)
    await anyio.sleep(0.15)
    began = anyio.current_time()
    with pytest.raises(httpcore.ConnectTimeout):
        await wire.start_tls(trusting(), "127.0.0.1", timeout=60)
    assert anyio.current_time() - began < 0.15
    wire.close()
    late = Wire(connect_timeout=0.1)
    await late.connect_tcp("127.0.0.1", server.port)
    await anyio.sleep(0.11)
    with pytest.raises(httpcore.ConnectTimeout):
        await late.start_tls(trusting(), "127.0.0.1")
    late.close()


async def test_connecting_takes_no_longer_than_its_limit(server: MockServer) -> None:
    server.hang_accept()
    with pytest.raises(httpcore.ConnectTimeout):
        await Wire(connect_timeout=0.03).connect_tcp("127.0.0.1", server.port)


async def test_a_handshake_that_fails_says_so() -> None:
    with raw_server(lambda sock: sock.recv(10)) as port:
        wire = Wire(5)
        await wire.connect_tcp("127.0.0.1", port)
        with pytest.raises(HandshakeError) as caught:
            await wire.start_tls(trusting(), "127.0.0.1")
        assert isinstance(caught.value.__cause__, httpcore.ConnectError)
        wire.close()


@pytest.mark.parametrize("tls", [False, True])
async def test_closing_is_at_once_and_for_good(tls: bool, eventually: Any) -> None:
    gone: list[bool] = []

    def play(sock: socket.socket) -> None:
        try:
            sock.recv(10)
        finally:
            gone.append(True)

    with raw_server(speaking_tls(play) if tls else play) as port:
        wire = Wire(5)
        await wire.connect_tcp("127.0.0.1", port)
        if tls:
            await wire.start_tls(trusting(), "127.0.0.1")
        for _ in range(3):
            wire.close()
        await eventually(lambda: gone)
        with pytest.raises(httpcore.ReadError):
            await wire.read(10)
        with pytest.raises(httpcore.WriteError):
            await wire.write(b"x")
        wire.close()
        assert wire.get_extra_info("is_readable")  # for a pool: it is good for nothing


async def test_closing_wakes_who_reads(server: MockServer) -> None:
    wire = Wire(5)
    await wire.connect_tcp("127.0.0.1", server.port)

    async def read() -> None:
        with pytest.raises(httpcore.ReadError):
            await wire.read(10)

    with anyio.fail_after(2):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(read)
            await anyio.wait_all_tasks_blocked()
            wire.close()


async def test_what_was_never_connected_can_be_closed() -> None:
    wire = Wire(5)
    wire.close()
    assert wire.closed


async def test_sleep_is_not_what_it_is_for() -> None:
    """Httpcore sleeps through its backend between tries of its own, which are off."""
    with pytest.raises(NotImplementedError):
        await Wire(5).sleep(1)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_closing_when_the_event_loop_is_no_more(backend: str, server: MockServer) -> None:
    async def connect() -> Wire:
        wire = Wire(5)
        return await wire.connect_tcp("127.0.0.1", server.port)

    wire = anyio.run(connect, backend=backend)
    while not server.open_connections:  # it has to accept it first
        time.sleep(0.001)
    wire.close()
    wire.close()
    assert server.open_connections == 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # by asyncio's transport
        del wire
        gc.collect()


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_closing_what_the_peer_has_closed_when_the_event_loop_is_no_more(backend: str, server: MockServer) -> None:
    async def connect() -> Wire:
        wire = Wire(5)
        await wire.connect_tcp("127.0.0.1", server.port)
        raw = wire.get_extra_info("socket")
        raw.shutdown(socket.SHUT_RDWR)
        server.drop()
        return wire

    wire = anyio.run(connect, backend=backend)
    wire.close()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        del wire
        gc.collect()


async def test_streams_of_others_can_be_closed_too(server: MockServer, eventually: Any) -> None:
    backend: Any = httpcore.AnyIOBackend()
    stream = await backend.connect_tcp("127.0.0.1", server.port)
    close_now(stream)
    close_now(stream)
    await eventually(lambda: server.open_connections == 0)
    close_now(httpcore.AsyncNetworkStream())
