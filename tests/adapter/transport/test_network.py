"""Connecting: one deadline, an error for each failure, and no socket left behind, whenever it is cancelled."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from sansio_http_anyio import ConnectError, ConnectTimeoutError
from sansio_http_anyio.transport.network import Network
from sansio_http_anyio.transport.streams import Stream
from tests.adapter.raw_server import answering, raw_server
from tests.fixtures.mock_server import MockServer

pytestmark = pytest.mark.anyio

NATIVE = pytest.mark.asyncio_only("native cancellation is asyncio's")
TICKS = 12
"""More than connecting takes, if the network is always faster than the loop."""


async def connected(network: Network, port: int, host: str = "127.0.0.1") -> Stream:
    return await network.connect(network.endpoint("http", host, port))


def hosts(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    """Has every name lead to these addresses."""

    async def getaddrinfo(host: str, port: int, **options: Any) -> list[Any]:
        families = [socket.AF_INET6 if ":" in address else socket.AF_INET for address in addresses]
        return [
            (family, socket.SOCK_STREAM, 6, "", (address, port))
            for family, address in zip(families, addresses, strict=True)
        ]

    monkeypatch.setattr(anyio, "getaddrinfo", getaddrinfo)


# Connecting


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_a_connection(host: str) -> None:
    with raw_server(answering) as port:
        stream = await connected(Network(connect_timeout=5), port, host)
        await stream.write(b"hello")
        assert (await stream.read()).endswith(b"ok")
        stream.close()


async def test_small_requests_leave_at_once(monkeypatch: pytest.MonkeyPatch, server: MockServer) -> None:
    options: list[tuple[Any, ...]] = []
    setsockopt = socket.socket.setsockopt

    def spy(self: socket.socket, *arguments: Any) -> None:
        options.append(arguments)
        setsockopt(self, *arguments)

    monkeypatch.setattr(socket.socket, "setsockopt", spy)
    (await connected(Network(), server.port)).close()
    assert (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1) in options


async def test_a_local_address(server: MockServer) -> None:
    (await connected(Network(local_address="127.0.0.1"), server.port)).close()
    with pytest.raises(ConnectError) as caught:
        await connected(Network(local_address="192.0.2.1"), server.port)
    assert "requested address" in str(caught.value)


async def test_a_unix_socket(tmp_path: Path, eventually: Any) -> None:
    path = str(tmp_path / "socket")
    listener = socket.socket(socket.AF_UNIX)
    with listener:
        listener.bind(path)
        listener.listen(0)
        network = Network(unix_socket=path)
        first = await connected(network, 80, "anything")
        others: list[Stream] = []
        async with anyio.create_task_group() as tasks:

            async def connect() -> None:
                others.append(await connected(network, 80))

            for _ in range(3):  # more than its queue holds
                tasks.start_soon(connect)
            await anyio.sleep(0.01)
            for _ in range(4):
                peer, _ = await anyio.to_thread.run_sync(listener.accept)
                peer.close()
        assert len(others) == 3
        for stream in (first, *others):
            assert await stream.read() == b""
            stream.close()
    for missing in (path, str(tmp_path / "missing")):
        with pytest.raises(ConnectError) as caught:
            await connected(Network(unix_socket=missing), 80)
        assert isinstance(caught.value.__cause__, OSError)


# Failing


async def test_refused(server: MockServer) -> None:
    server.refuse()
    with pytest.raises(ConnectError) as caught:
        await connected(Network(), server.port)
    assert type(caught.value) is ConnectError and caught.value.phase == "connect"
    assert "Connection refused" in str(caught.value)
    assert isinstance(caught.value.__cause__, ConnectionRefusedError)


async def test_a_name_that_does_not_resolve() -> None:
    with pytest.raises(ConnectError) as caught:
        await connected(Network(), 80, "no-such-host.invalid")
    assert type(caught.value) is ConnectError
    assert isinstance(caught.value.__cause__, socket.gaierror)


async def test_it_takes_no_longer_than_its_limit(server: MockServer) -> None:
    server.hang_accept()
    with anyio.fail_after(5), pytest.raises(ConnectTimeoutError) as caught:
        await connected(Network(connect_timeout=0.03), server.port)
    assert caught.value.phase == "connect"


# Several addresses


async def test_the_next_address_is_tried_when_one_fails(monkeypatch: pytest.MonkeyPatch, server: MockServer) -> None:
    hosts(monkeypatch, "127.0.0.2", "::1", "127.0.0.1")
    began = anyio.current_time()
    (await connected(Network(), server.port, "example.com")).close()
    assert anyio.current_time() - began < 60


async def test_all_addresses_fail(monkeypatch: pytest.MonkeyPatch, server: MockServer) -> None:
    hosts(monkeypatch, "127.0.0.1", "127.0.0.2")
    server.refuse()
    with pytest.raises(ConnectError) as caught:
        await connected(Network(), server.port, "example.com")
    assert isinstance(caught.value.__cause__, ConnectionRefusedError)


async def test_an_address_that_hangs_is_overtaken(
    monkeypatch: pytest.MonkeyPatch, server: MockServer, other: MockServer, eventually: Any
) -> None:
    """And what it had opened is closed."""
    server.hang_accept()
    tried: list[str] = []

    async def getaddrinfo(host: str, port: int, **options: Any) -> list[Any]:
        return [(socket.AF_INET, 1, 6, "", ("127.0.0.1", each)) for each in (server.port, other.port)]

    monkeypatch.setattr(anyio, "getaddrinfo", getaddrinfo)

    def allow(address: object) -> bool:
        tried.append(str(address))
        return True

    with anyio.fail_after(10):
        stream = await connected(Network(allow_address=allow), 80, "example.com")
    assert tried == ["127.0.0.1"] * 2
    await eventually(lambda: other.open_connections == 1)
    stream.close()
    await eventually(lambda: other.open_connections == 0)


# Cancellation


async def turns(count: int) -> None:
    for _ in range(count):
        time.sleep(0.0002)  # noqa: ASYNC251 - the network is to be faster than the loop
        await anyio.lowlevel.checkpoint()


@pytest.fixture(params=["one address", "two addresses"])
def several(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "two addresses":
        hosts(monkeypatch, "127.0.0.1", "127.0.0.1")
    else:
        hosts(monkeypatch, "127.0.0.1")


@pytest.mark.usefixtures("several")
async def test_cancelled_by_a_scope_in_every_tick(server: MockServer, eventually: Callable[..., Any]) -> None:
    done = 0
    for tick in range(TICKS):

        async def connect() -> None:
            nonlocal done
            stream = await connected(Network(connect_timeout=5), server.port)
            done += 1
            stream.close()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(connect)
            await turns(tick)
            tasks.cancel_scope.cancel()
    assert 0 < done < TICKS
    await eventually(lambda: server.open_connections == 0)


@NATIVE
@pytest.mark.usefixtures("several")
@pytest.mark.parametrize("twice", [False, True])
async def test_cancelled_natively_in_every_tick(
    server: MockServer, eventually: Callable[..., Any], twice: bool
) -> None:
    done = 0
    for tick in range(TICKS):
        task = asyncio.ensure_future(connected(Network(connect_timeout=5), server.port))
        await turns(tick)
        task.cancel()
        if twice:
            await asyncio.sleep(0)
            task.cancel()
        await asyncio.wait([task])
        if not task.cancelled():
            done += 1
            task.result().close()
    assert 0 < done < TICKS
    await eventually(lambda: server.open_connections == 0)
