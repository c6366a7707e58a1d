"""nginx as nginx.conf has it, and what it says that it was asked."""

from __future__ import annotations

import hashlib
import json
import uuid
from pathlib import Path
from typing import Any

import anyio
import trustme

from sansio_http_anyio import AsyncHTTPClient
from tests.fixtures.mock_server import MockServer, Received, Reply

LETTERS = b"".join(b"%d letters and %d digits\n" % (number, number * 7919) for number in range(60_000))
"""What ``/letters.txt`` is."""


def _digest(request: Received) -> Reply:
    """What came of a body, and how."""
    headers = request.headers
    return Reply(
        json={
            "sha256": hashlib.sha256(request.body).hexdigest(),
            "length": headers.get("content-length"),
            "coding": headers.get("transfer-encoding"),
        }
    )


class Nginx:
    """One server.

    Args:
        folder: that it may fill.
        ports: of PLAIN, TLS, STRICT and MUTUAL in nginx.conf.
        app: which ``/app/`` and the like lead to. It answers ``PUT /digest``.

    Attributes:
        url: of what is plain.
        tls: of what has two certificates, for ``localhost`` (the default one) and ``api.example.com``, and would speak
            HTTP/2 as well.
        strict: of what ends the handshake of whoever does not ask for ``api.example.com``.
        mutual: of what wants certificates.
        trusted, stranger: an authority's certificate; and a client's, with its key, of another one.
        client: a client's certificate, with its key.
    """

    def __init__(self, folder: Path, ports: dict[str, int], app: MockServer) -> None:
        self.folder = folder
        self.app = app
        app.on("PUT /digest", _digest)
        conf = Path(__file__).with_name("nginx.conf").read_text()
        for name, port in (ports | {"APP": app.port}).items():
            conf = conf.replace(f"@{name}@", str(port))
        (folder / "nginx.conf").write_text(conf)
        (folder / "tmp").mkdir()
        (folder / "www").mkdir()
        (folder / "www/small.txt").write_text("small")
        (folder / "www/letters.txt").write_bytes(LETTERS)
        authority = trustme.CA()
        self.trusted = folder / "authority.pem"
        authority.cert_pem.write_to_path(self.trusted)
        for file, *names in (("localhost", "localhost", "127.0.0.1"), ("api", "api.example.com")):
            leaf = authority.issue_cert(*names)
            leaf.cert_chain_pems[0].write_to_path(folder / f"{file}.pem")
            leaf.private_key_pem.write_to_path(folder / f"{file}.key")
        self.client, self.stranger = folder / "client.pem", folder / "stranger.pem"
        authority.issue_cert("client@example.com").private_key_and_cert_chain_pem.write_to_path(self.client)
        trustme.CA().issue_cert("client@example.com").private_key_and_cert_chain_pem.write_to_path(self.stranger)
        self.url = f"http://127.0.0.1:{ports['PLAIN']}"
        self.tls, self.strict, self.mutual = (
            f"https://localhost:{ports[each]}" for each in ("TLS", "STRICT", "MUTUAL")
        )

    async def told(self) -> dict[str, list[dict[str, Any]]]:
        """Requests that it has dealt with so far, by the ``id`` in their query, in the order in which they ended."""
        # It has one process: what ended before this one is in its log when this one is.
        last = uuid.uuid4().hex
        async with AsyncHTTPClient(self.url) as client:
            await client.get("/ok", params={"id": last})
        told: dict[str, list[dict[str, Any]]] = {}
        with anyio.fail_after(60):
            while last not in told:
                await anyio.sleep(0.01)
                told = {}
                for line in self.folder.joinpath("access.log").read_text().splitlines():
                    entry = json.loads(line)
                    told.setdefault(entry["id"], []).append(entry)
        return told
