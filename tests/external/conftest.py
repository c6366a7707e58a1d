"""Servers that are not ours, for the tests in this folder.

``.ci/servers/NAME`` installs one into ``.servers/NAME``, and ``.ci/run`` all of them. Where one is missing its tests
are skipped, and say how to get it; in the gate a skip is a failure.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from tests.external.nginx import Nginx
from tests.external.wiremock import WireMock
from tests.fixtures.mock_server import MockServer

ROOT = Path(__file__).resolve().parents[2]
SERVERS = ROOT / ".servers"

PATIENCE = 180.0
"""Seconds that a server may take to listen. Java wants ten on a slow machine, all others one."""


def installed(name: str) -> Path:
    """Where a server is; skips the test where it is not."""
    where = SERVERS / name
    if not (where / "installed").exists():
        pytest.skip(f"{name} is not there; to install it: .ci/servers/{name} .servers/{name}")
    return where


def free_port() -> int:
    """A port of 127.0.0.1 that nobody has."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


@contextmanager
def running(*command: str | Path, port: int, cwd: Path, env: Mapping[str, str] | None = None) -> Iterator[str]:
    """A server from when it listens on ``port`` until the end of the block, with all it has started; its URL.

    Where it fails, the error has the end of its log.
    """
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            [str(each) for each in command],
            cwd=cwd,
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            patience = time.monotonic() + PATIENCE
            while not _listens(port):
                if process.poll() is not None or time.monotonic() > patience:
                    log.seek(0)
                    said = log.read().decode("utf-8", "replace")[-3000:]
                    raise RuntimeError(f"{command[0]} does not listen (exit status {process.poll()}):\n{said}")
                time.sleep(0.05)
            yield f"http://127.0.0.1:{port}"
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
                try:
                    process.wait(10)
                except subprocess.TimeoutExpired:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()


def _listens(port: int) -> bool:
    with socket.socket() as sock:
        sock.settimeout(1)
        return sock.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def gunicorn(*options: str | Path) -> Iterator[str]:
    """Httpbin under gunicorn, with threads: its default worker closes every connection."""
    where, port = installed("httpbin"), free_port()
    worker = ["-k", "gthread", "--threads", "8", "--keep-alive", "5", "--graceful-timeout", "1"]
    command = (where / "venv/bin/gunicorn", *worker, "-b", f"127.0.0.1:{port}", *options)
    with running(*command, "httpbin:app", port=port, cwd=where) as url:
        yield url


@pytest.fixture(scope="session")
def httpbin() -> Iterator[str]:
    """Its URL."""
    with gunicorn() as url:
        yield url


@pytest.fixture(scope="session")
def httpbin_tls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """The URL of another one that speaks TLS, and whom to trust for that."""
    folder = tmp_path_factory.mktemp("tls")
    authority = trustme.CA()
    leaf = authority.issue_cert("localhost", "127.0.0.1")
    authority.cert_pem.write_to_path(folder / "authority.pem")
    leaf.cert_chain_pems[0].write_to_path(folder / "server.pem")
    leaf.private_key_pem.write_to_path(folder / "server.key")
    with gunicorn("--certfile", folder / "server.pem", "--keyfile", folder / "server.key") as url:
        yield url.replace("http:", "https:"), folder / "authority.pem"


@pytest.fixture(scope="session")
def oidc_key() -> str:
    """The private key, in PEM, of the provider's client that signs with one."""
    key = ec.generate_private_key(ec.SECP256R1())
    plain = serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain).decode()


@pytest.fixture(scope="session")
def oidc(oidc_key: str) -> Iterator[str]:
    """An OpenID provider, as oidc_provider.mjs sets it up."""
    where, port = installed("oidc"), free_port()
    public: Any = serialization.load_pem_private_key(oidc_key.encode(), None).public_key()
    jwk = ECAlgorithm.to_jwk(public, as_dict=True) | {"kid": "k1", "alg": "ES256", "use": "sig"}
    env = {"CLIENT_JWKS": json.dumps({"keys": [jwk]})}
    script = Path(__file__).with_name("oidc_provider.mjs")
    with running("node", script, str(port), str(where), port=port, cwd=where, env=env) as url:
        yield url


@pytest.fixture(scope="session")
def nginx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nginx]:
    """It, with a server of ours behind it."""
    where, folder = installed("nginx"), tmp_path_factory.mktemp("nginx")
    ports = {name: free_port() for name in ("PLAIN", "TLS", "STRICT", "MUTUAL")}
    with MockServer() as app:
        server = Nginx(folder, ports, app)
        command = (where / "nginx", "-e", "stderr", "-p", folder, "-c", folder / "nginx.conf")
        with running(*command, port=ports["PLAIN"], cwd=folder):
            yield server


@pytest.fixture(scope="session")
def wiremock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WireMock]:
    """It, without any answer."""
    where, folder, port = installed("wiremock"), tmp_path_factory.mktemp("wiremock"), free_port()
    server = WireMock(folder, port, free_port())
    # of its two compilers the quick one alone, and one thread that collects: it is to start, not to last
    java = (where / "java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")
    with running(*java, "-jar", where / "wiremock.jar", *server.options, port=port, cwd=folder):
        server.warm_up()
        yield server
