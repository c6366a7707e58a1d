"""WireMock: a server that is told what to answer, and tells what it was asked."""

from __future__ import annotations

import urllib.request
import uuid
from pathlib import Path
from typing import Any

import anyio
import trustme
from cryptography import x509
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, load_pem_private_key, pkcs12

from sansio_http_anyio import AsyncHTTPClient, ClientConfig

PASSWORD = "password"
"""The one that WireMock has for every store, unless it is told otherwise."""


class WireMock:
    """One server.

    Args:
        folder: that it may fill.
        port, tls_port: of it; over TLS it wants a certificate of its client.

    Attributes:
        options: it is to be started with.
        url, tls: of it.
        trusted, client: its authority's certificate; and a client's, with its key.
    """

    def __init__(self, folder: Path, port: int, tls_port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.tls = f"https://localhost:{tls_port}"
        authority = trustme.CA()
        self.trusted, self.client = folder / "authority.pem", folder / "client.pem"
        authority.cert_pem.write_to_path(self.trusted)
        authority.issue_cert("client@example.com").private_key_and_cert_chain_pem.write_to_path(self.client)
        own, trusts = folder / "own.p12", folder / "trusts.p12"
        leaf = authority.issue_cert("localhost", "127.0.0.1")
        locked = BestAvailableEncryption(PASSWORD.encode())
        key: Any = load_pem_private_key(leaf.private_key_pem.bytes(), None)
        chain = [x509.load_pem_x509_certificate(each.bytes()) for each in leaf.cert_chain_pems]
        own.write_bytes(pkcs12.serialize_key_and_certificates(b"own", key, chain[0], chain[1:], locked))
        signer = x509.load_pem_x509_certificate(authority.cert_pem.bytes())
        known = pkcs12.PKCS12Certificate(signer, b"authority")
        trusts.write_bytes(pkcs12.serialize_java_truststore([known], locked))
        self.options = [
            *("--root-dir", str(folder), "--disable-banner", "--disable-gzip", "--bind-address", "127.0.0.1"),
            *("--port", str(port), "--https-port", str(tls_port), "--https-require-client-cert"),
            *("--https-keystore", str(own), "--keystore-type", "PKCS12"),
            *("--https-truststore", str(trusts), "--truststore-type", "PKCS12"),
        ]

    def warm_up(self) -> None:
        """Have it answer ``/fine``, and load what it is made of: its first answer takes seconds, the others none."""
        stub = b'{"request": {"urlPath": "/fine"}, "response": {"status": 200, "body": "fine"}}'
        for path, data in (("/__admin/mappings", stub), ("/fine", None)):
            urllib.request.urlopen(self.url + path, data, timeout=60).close()

    async def on(self, *answers: dict[str, Any]) -> str:
        """What comes back, for each method, from the path that is returned: one after the other, the last for ever.

        Args:
            answers: as WireMock's stub mappings have them under ``response``.
        """
        path = f"/{uuid.uuid4().hex}"
        async with AsyncHTTPClient(self.url) as admin:
            for number, answer in enumerate(answers):
                stub: dict[str, Any] = {"request": {"method": "ANY", "urlPath": path}, "response": answer}
                if len(answers) > 1:
                    stub["scenarioName"] = path
                    stub["requiredScenarioState"] = f"{number}" if number else "Started"
                    stub["newScenarioState"] = f"{min(number + 1, len(answers) - 1)}"
                (await admin.post("/__admin/mappings", json=stub)).raise_for_status()
        return path

    async def count(self, path: str, least: int) -> int:
        """How many requests came for a path.

        Args:
            path: of them.
            least: wait until it has written down so many: it does so behind its answer.
        """
        async with AsyncHTTPClient(self.url, ClientConfig(timeout=60)) as admin:
            with anyio.fail_after(60):
                while True:
                    answer: Any = (await admin.post("/__admin/requests/count", json={"urlPath": path})).json_data
                    if answer["count"] >= least:
                        return int(answer["count"])
                    await anyio.sleep(0.02)
