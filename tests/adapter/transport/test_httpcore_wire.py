"""Our streams as httpcore wants them, and closing its own without awaiting."""

from __future__ import annotations

import gc
import time
import warnings
from typing import Any

import anyio
import httpcore
import pytest

from sansio_http_anyio import ConnectError
from sansio_http_anyio.transport.httpcore_wire import Wire, close_now
from sansio_http_anyio.transport.network import Network
from tests.adapter.raw_server import answering, raw_server
from tests.fixtures.mock_server import MockServer, Reply

pytestmark = pytest.mark.anyio


def wire_to(port: int) -> Wire:
    network = Network(connect_timeout=5)
    return Wire(network, network.endpoint("http", "127.0.0.1", port))


async def connected(port: int) -> Wire:
    return await wire_to(port).connect_tcp("127.0.0.1", port)


async def test_bytes_go_and_come() -> None:
    with raw_server(answering) as port:
        wire = await connected(port)
        assert await wire.start_tls(None, "127.0.0.1") is wire
        assert wire.get_extra_info("is_readable") is False
        await wire.write(b"hello", timeout=5)
        assert (await wire.read(1000, timeout=5)).endswith(b"ok")
        await wire.write(b"hello")
        assert (await wire.read(1000)).endswith(b"ok")
        assert wire.get_extra_info("ssl_object") is None
        assert not wire.closed
        await wire.aclose()
        assert wire.closed


async def test_time_limits(server: MockServer) -> None:
    wire = await connected(server.port)
    with pytest.raises(httpcore.ReadTimeout):
        await wire.read(1000, timeout=0.01)
    server.on("/upload", Reply(raw=(), early=1, then="hang"))
    head = b"POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: 20000000\r\n\r\n"
    with pytest.raises(httpcore.WriteTimeout):
        await wire.write(head + bytes(20_000_000), timeout=0.05)
    wire.close()


async def test_what_fails_is_said_in_httpcores_words(server: MockServer) -> None:
    wire = await connected(server.port)
    wire.close()
    with pytest.raises(httpcore.ReadError):
        await wire.read(10)
    with pytest.raises(httpcore.WriteError):
        await wire.write(b"x")
    assert wire.get_extra_info("is_readable")  # for a pool: it is good for nothing


async def test_what_was_never_connected(server: MockServer) -> None:
    server.refuse()
    wire = wire_to(server.port)
    with pytest.raises(ConnectError):
        await wire.connect_tcp("127.0.0.1", server.port)
    assert wire.get_extra_info("is_readable") is None
    wire.close()
    assert wire.closed


async def test_sleep_is_not_what_it_is_for() -> None:
    """Httpcore sleeps through its backend between tries of its own, which are off."""
    with pytest.raises(NotImplementedError):
        await wire_to(80).sleep(1)


# Streams of httpcore's own


async def test_streams_of_others_can_be_closed_too(server: MockServer, eventually: Any) -> None:
    backend: Any = httpcore.AnyIOBackend()
    stream = await backend.connect_tcp("127.0.0.1", server.port)
    close_now(stream)
    close_now(stream)
    await eventually(lambda: server.open_connections == 0)
    close_now(httpcore.AsyncNetworkStream())


@pytest.mark.parametrize("gone", [False, True])
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_closing_them_when_the_event_loop_is_no_more(backend: str, gone: bool, server: MockServer) -> None:
    async def connect() -> Any:
        network: Any = httpcore.AnyIOBackend()
        return await network.connect_tcp("127.0.0.1", server.port)

    stream = anyio.run(connect, backend=backend)
    while not server.open_connections:  # it has to accept it first
        time.sleep(0.001)
    if gone:
        stream.get_extra_info("socket").shutdown(2)
        server.drop()
    close_now(stream)
    assert server.open_connections == 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # by asyncio's transport
        del stream
        gc.collect()
