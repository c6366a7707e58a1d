"""TLS as a user meets it: who is trusted, what is refused and in which words, and what it costs the event loop."""

from __future__ import annotations

import asyncio
import gc
import pickle
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from sansio_http_anyio import (
    AddressRefusedError,
    AsyncHTTPClient,
    CertificateError,
    ClientConfig,
    ConfigurationError,
    ConnectError,
    ConnectTimeoutError,
    TLSError,
    UnverifiedTLSWarning,
)
from sansio_http_anyio.transport import tls
from sansio_http_anyio.transport.network import Network
from sansio_http_anyio.transport.tls import Trust
from tests.adapter.raw_server import SELF_SIGNED, answering, raw_server, speaking_tls
from tests.fixtures.certificates import Authority
from tests.fixtures.mock_server import MockServer, Reply

pytestmark = pytest.mark.anyio

NATIVE = pytest.mark.asyncio_only("native cancellation is asyncio's")
TICKS = 25
"""More than connecting takes, the handshake included, if the network is always faster than the loop."""


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def secure(authority: Authority) -> Iterator[MockServer]:
    with MockServer(tls=authority.server()) as server:
        yield server


def trusting(authority: Authority, **fields: Any) -> ClientConfig:
    return ClientConfig(verify_ssl=authority.bundle, retry_backoff_factor=0.001, **fields)


async def failure(url: str, config: ClientConfig) -> Any:
    async with AsyncHTTPClient(url, config) as client:
        with pytest.raises(ConnectError) as caught:
            await client.get("/json")
    return caught.value


# Trust


async def test_a_bundle_of_ones_own(authority: Authority, secure: MockServer) -> None:
    async with AsyncHTTPClient(secure.url, trusting(authority)) as client:
        for _ in range(3):
            assert (await client.get("/json")).json_data == {"hello": "world"}
        assert (await client.post("/echo", data=bytes(300_000))).is_success
        assert len((await client.get("/bytes/300000")).content) == 300_000
    assert secure.connections == 1


async def test_a_directory_of_certificates(authority: Authority, secure: MockServer, tmp_path: Path) -> None:
    """As ``openssl rehash`` makes it: the name is the hash of the subject."""
    empty = ClientConfig(verify_ssl=tmp_path, retry_attempts=0)
    error = await failure(secure.url, empty)
    assert type(error) is CertificateError


async def test_a_context_of_ones_own_is_used_as_it_is(authority: Authority, secure: MockServer) -> None:
    changed: list[str] = []

    class Context(ssl.SSLContext):
        def set_alpn_protocols(self, protocols: Any) -> None:
            changed.append("alpn")

    context = Context(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(authority.bundle)
    before = context.options, context.verify_mode, context.check_hostname
    async with AsyncHTTPClient(secure.url, ClientConfig(verify_ssl=context)) as client:
        assert (await client.get("/json")).is_success
    assert (context.options, context.verify_mode, context.check_hostname) == before and changed == []


async def test_nobody_is_checked_where_that_is_asked_for(secure: MockServer) -> None:
    with pytest.warns(UnverifiedTLSWarning, match="certificates are not checked"):
        config = ClientConfig(verify_ssl=False)
    async with AsyncHTTPClient(secure.url, config) as client:
        assert (await client.get("/json")).is_success


async def test_the_name_in_the_certificate_can_be_another(authority: Authority) -> None:
    names: list[str | None] = []
    context = authority.server("api.example.com")
    context.sni_callback = lambda sock, name, context: names.append(name)
    with MockServer(tls=context) as server:
        config = trusting(authority, server_name="api.example.com")
        async with AsyncHTTPClient(server.url, config) as client:
            assert (await client.get("/json")).is_success
    assert names == ["api.example.com"]


# Refusals: each an error of its own, and never tried again


@pytest.mark.parametrize(
    ("names", "options", "message"),
    [
        ((), {"expired": True}, "certificate refused: certificate has expired"),
        (("example.com",), {}, "certificate refused: IP address mismatch"),
    ],
)
async def test_a_certificate_that_is_not_good(
    authority: Authority, names: tuple[str, ...], options: Any, message: str
) -> None:
    with MockServer(tls=authority.server(*names, **options)) as server:
        error = await failure(server.url, trusting(authority))
        assert type(error) is CertificateError and message in str(error)
        assert error.phase == "connect" and not error.head_sent and len(error.attempts) == 1
        assert isinstance(error.__cause__, ssl.SSLCertVerificationError)
        assert server.url in str(error)
        assert server.connections == 1 and server.count() == 0


async def test_an_authority_that_nobody_knows(secure: MockServer) -> None:
    error = await failure(secure.url, ClientConfig())
    assert type(error) is CertificateError and "unable to get local issuer certificate" in str(error)
    assert len(error.attempts) == 1 and secure.connections == 1


async def test_a_certificate_that_nobody_signed(authority: Authority) -> None:
    with raw_server(speaking_tls()) as port:
        error = await failure(f"https://127.0.0.1:{port}", trusting(authority))
        assert type(error) is CertificateError and "certificate refused: self" in str(error)
        assert len(error.attempts) == 1
        async with AsyncHTTPClient(f"https://127.0.0.1:{port}", ClientConfig(verify_ssl=SELF_SIGNED)) as client:
            assert (await client.get("/")).content == b"ok"


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_certificate_of_ours_that_is_missing(authority: Authority, version: ssl.TLSVersion) -> None:
    """By TLS 1.3 the server says so after the handshake, in the place of its answer."""
    context = authority.server(wants_certificate=True)
    context.maximum_version = context.minimum_version = version
    with MockServer(tls=context) as server:
        error = await failure(server.url, trusting(authority))
        assert type(error) is CertificateError and "the server did not accept our certificate" in str(error)
        assert server.connections == len(error.attempts) == 1


async def test_a_certificate_of_ours(authority: Authority) -> None:
    certificate, key = authority.client
    configs = [
        trusting(authority, client_certificate=certificate, client_key=key),
        trusting(authority, client_certificate=authority.client_in_one()),
        trusting(authority, client_certificate=authority.client_in_one(b"secret"), client_key_password="secret"),
    ]
    with MockServer(tls=authority.server(wants_certificate=True)) as server:
        for config in configs:
            assert "secret" not in repr(config) + repr(config.trust())
            async with AsyncHTTPClient(server.url, config) as client:
                assert (await client.get("/json")).is_success


async def test_what_is_no_tls(authority: Authority) -> None:
    with raw_server(answering) as port:
        error = await failure(f"https://127.0.0.1:{port}", trusting(authority, retry_attempts=0))
    assert type(error) is TLSError and "no TLS: " in str(error)


async def test_a_server_that_goes_in_the_handshake(authority: Authority) -> None:
    with raw_server(lambda sock: sock.recv(10)) as port:
        error = await failure(f"https://127.0.0.1:{port}", trusting(authority, retry_attempts=0))
    assert type(error) is TLSError


async def test_a_handshake_that_hangs_counts_as_connecting(server: MockServer, authority: Authority) -> None:
    config = trusting(authority, connect_timeout=0.1, retry_attempts=0)
    async with AsyncHTTPClient(f"https://127.0.0.1:{server.port}", config) as client:
        with pytest.raises(ConnectTimeoutError):
            await client.get("/json")


# The key


def test_the_key_names_everything_that_decides_trust(authority: Authority) -> None:
    certificate, key = map(str, authority.client)
    network = Network()
    plain = network.endpoint("http", "example.com", 80)
    secure = network.endpoint("https", "example.com", 80)
    assert plain == Network().endpoint("http", "example.com", 80)
    assert secure == Network().endpoint("https", "example.com", 80)
    assert hash(secure) == hash(Network().endpoint("https", "example.com", 80))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusts = [
        Trust(False),
        Trust(context),
        Trust(str(authority.bundle)),
        Trust(certificate=certificate),
        Trust(certificate=certificate, key=key),
        Trust(certificate=certificate, key=key, password="secret"),
        Trust(alpn=("h2", "http/1.1")),
    ]
    keys = {plain, secure, network.endpoint("https", "example.com", 443), network.endpoint("https", "example.org", 80)}
    keys |= {Network(trust=trust).endpoint("https", "example.com", 80) for trust in trusts}
    keys.add(Network(server_name="other.example.com").endpoint("https", "example.com", 80))
    assert len(keys) == 5 + len(trusts)
    assert "secret" not in repr(keys)


# Contexts


def test_a_context_is_made_once_for_equal_options(authority: Authority) -> None:
    async def main() -> None:
        trust = Trust(str(authority.bundle))
        first = await trust.context()
        async with anyio.create_task_group() as tasks:
            for _ in range(3):

                async def again() -> None:
                    assert await Trust(str(authority.bundle)).context() is first

                tasks.start_soon(again)
        assert await Trust(str(authority.bundle), alpn=("h2",)).context() is not first

    anyio.run(main)
    gc.collect()
    assert all(trust.verify != str(authority.bundle) for trust in tls._made)  # nobody needs it any more


async def test_a_context_is_made_in_a_thread(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    """While it is made the event loop turns: it is the loop that lets the making go on."""
    turned = threading.Event()
    makers: list[int] = []
    make = Trust._make

    def slow(self: Trust) -> ssl.SSLContext:
        makers.append(threading.get_ident())
        assert turned.wait(5)
        return make(self)

    monkeypatch.setattr(Trust, "_make", slow)
    contexts: list[ssl.SSLContext] = []

    async def ask() -> None:
        contexts.append(await Trust(str(authority.bundle), alpn=("of", "its", "own")).context())

    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(ask)
        for _ in range(3):
            await anyio.sleep(0.001)
        turned.set()
    assert len(makers) == 1 and makers != [threading.get_ident()]
    assert len({id(context) for context in contexts}) == 1


async def test_a_call_over_tls_does_not_hold_up_the_event_loop(secure: MockServer) -> None:
    """No turn takes the loop's thread more than 50 ms of work (other work of the machine does not count).

    The best of three counts: what holds it up by design does so each time, a collection of garbage does not.
    """
    longest: list[float] = []
    for _ in range(3):
        tls._made.clear()
        turns: list[float] = []

        async def watch(turns: list[float] = turns) -> None:
            while True:
                before = time.thread_time()
                await anyio.sleep(0.001)
                turns.append(time.thread_time() - before)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(watch)
            await anyio.sleep(0.005)
            error = await failure(secure.url, ClientConfig())  # the whole trust store of the system, and a handshake
            assert type(error) is CertificateError
            tasks.cancel_scope.cancel()
        assert len(turns) > 2
        longest.append(max(turns))
    assert min(longest) < 0.05


async def test_a_file_that_is_gone(authority: Authority, secure: MockServer, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle.pem"
    bundle.write_bytes(authority.bundle.read_bytes())
    config = ClientConfig(verify_ssl=bundle)
    bundle.unlink()
    async with AsyncHTTPClient(secure.url, config) as client:
        with pytest.raises(ConfigurationError, match=r"verify_ssl: .* No such file"):
            await client.get("/json")


# What is wrong is said before anything is sent


def refused(**fields: Any) -> str:
    with pytest.raises(ConfigurationError) as caught:
        ClientConfig(**fields)
    assert "secret" not in str(caught.value)
    return str(caught.value)


def test_options_that_cannot_be(authority: Authority, tmp_path: Path) -> None:
    certificate, key = authority.client
    locked = authority.client_in_one(b"secret")
    rubbish = tmp_path / "rubbish.pem"
    rubbish.write_text("rubbish")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    assert "ClientConfig.verify_ssl: '/no/such' is not allowed: it is True, False, or" in refused(verify_ssl="/no/such")
    assert "verify_ssl: " in refused(verify_ssl=rubbish) and "no PEM" in refused(verify_ssl=rubbish)
    assert "client_key: without client_certificate" in refused(client_key=key)
    assert "client_key_password: without client_certificate" in refused(client_key_password="secret")
    assert "load it there" in refused(verify_ssl=context, client_certificate=certificate)
    assert "no PEM key" in refused(client_certificate=certificate)
    assert "no PEM certificate" in refused(client_certificate=rubbish)
    assert "not that of the certificate" in refused(client_certificate=certificate, client_key=SELF_SIGNED)
    assert "client_key_password: the key needs one" in refused(client_certificate=locked)
    assert "it does not open the key" in refused(client_certificate=locked, client_key_password="secreter")
    assert "client_key_password: what was given is not allowed: it is text" in refused(client_key_password=1234)
    assert "it is an IP address" in refused(local_address="example.com")


def test_a_config_with_files_can_be_pickled(authority: Authority) -> None:
    config = trusting(authority)
    assert pickle.loads(pickle.dumps(config)) == config


# Cancellation, the handshake included


async def turns(count: int) -> None:
    for _ in range(count):
        time.sleep(0.001)  # noqa: ASYNC251 - the network is to be faster than the loop
        await anyio.lowlevel.checkpoint()


async def test_cancelled_by_a_scope_in_every_tick(authority: Authority, secure: MockServer, eventually: Any) -> None:
    network = Network.of(trusting(authority))
    (await network.connect(network.endpoint("https", "127.0.0.1", secure.port))).close()
    done = 0
    for tick in range(TICKS):

        async def connect() -> None:
            nonlocal done
            stream = await network.connect(network.endpoint("https", "127.0.0.1", secure.port))
            done += 1
            stream.close()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(connect)
            await turns(tick)
            tasks.cancel_scope.cancel()
    assert 0 < done < TICKS
    await eventually(lambda: secure.open_connections == 0)


@NATIVE
@pytest.mark.parametrize("twice", [False, True])
async def test_cancelled_natively_in_every_tick(
    authority: Authority, secure: MockServer, eventually: Any, twice: bool
) -> None:
    network = Network.of(trusting(authority))
    (await network.connect(network.endpoint("https", "127.0.0.1", secure.port))).close()
    done = 0
    for tick in range(TICKS):
        task = asyncio.ensure_future(network.connect(network.endpoint("https", "127.0.0.1", secure.port)))
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
    await eventually(lambda: secure.open_connections == 0)


# Addresses that are not to be talked to


async def test_an_address_that_is_not_allowed(server: MockServer) -> None:
    for url in (server.url, f"http://localhost:{server.port}"):
        error = await failure(url, ClientConfig(allow_address="public"))
        assert type(error) is AddressRefusedError and len(error.attempts) == 1
        assert error.phase == "connect" and "allow_address" in str(error)
    assert server.connections == 0


async def test_the_address_is_asked_at_each_hop(server: MockServer, other: MockServer) -> None:
    asked: list[str] = []

    def allow(address: object) -> bool:
        asked.append(str(address))
        return len(asked) < 2

    server.on("/away", Reply(302, headers={"Location": f"{other.url}/json"}))
    config = ClientConfig(allow_address=allow, follow_redirects=True)
    async with AsyncHTTPClient(server.url, config) as client:
        with pytest.raises(AddressRefusedError):
            await client.get("/away")
    assert asked == ["127.0.0.1", "127.0.0.1"]
    assert (server.count(), other.connections) == (1, 0)


async def test_what_the_check_raises_is_the_outcome(server: MockServer) -> None:
    def broken(address: object) -> bool:
        raise ZeroDivisionError("mine")

    async with AsyncHTTPClient(server.url, ClientConfig(allow_address=broken)) as client:
        with pytest.raises(ZeroDivisionError):
            await client.get("/json")
    assert server.connections == 0


async def test_through_a_unix_socket(tmp_path: Path, server: MockServer) -> None:
    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def serve() -> None:
            sock, _ = listener.accept()
            with sock:
                sock.recv(65536)
                sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        async with AsyncHTTPClient("http://docker", ClientConfig(unix_socket=path)) as client:
            assert (await client.get("/")).content == b"ok"
        thread.join(5)
