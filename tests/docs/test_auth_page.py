"""docs/auth.md: what it names there is, its program runs, and what it says of it is what goes out."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import parse_qs

import pytest

import sansio_http_anyio
from sansio_http_anyio import (
    APIKeyAuth,
    AsyncHTTPClient,
    AuthHandler,
    OAuth2ExchangeOptions,
    OAuth2Options,
    RequestSigner,
)
from tests.fixtures.mock_server import MockServer, Reply

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "auth.md").read_text("utf-8")


def test_every_authentication_has_a_line_and_an_example() -> None:
    rows = [line for line in PAGE.splitlines() if line.endswith(".py` |")]
    for row in rows:
        example = re.findall(r"`(\w+\.py)` \|$", row)[0]
        name = re.findall(r"`(\w+)[`(]", row.split("|")[2])[0]
        assert name in (ROOT / "examples" / example).read_text("utf-8"), row
    exported = [getattr(sansio_http_anyio, name) for name in sansio_http_anyio.__all__]
    kinds = [each for each in exported if isinstance(each, type) and issubclass(each, AuthHandler | RequestSigner)]
    assert len(kinds) > 9
    for kind in kinds:
        assert any(f"`{kind.__name__}" in row for row in rows), kind


def test_every_option_of_a_token_is_told() -> None:
    options = {**OAuth2Options.__annotations__, **OAuth2ExchangeOptions.__annotations__}
    assert len(options) == 19
    assert not [name for name in options if f"{name}=" not in PAGE]


def test_its_program_runs_and_asks_for_what_it_says() -> None:
    (program,) = re.findall(r"<!-- run -->\n```python\n(.*?)```", PAGE, re.DOTALL)
    with MockServer() as server:
        granted = {"access_token": "secret", "token_type": "Bearer", "expires_in": 3600}
        server.on("POST /token", Reply(503), Reply(json=granted))
        server.on("GET /orders", Reply(200))
        here = re.sub(r"https://(api|login)\.example\.com", server.url, program)
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", here], capture_output=True, text=True, timeout=60, cwd=ROOT
        )
        assert (done.stdout, done.stderr) == ("200\n", "")
        first, again, order = server.requests
    form = {name: values[0] for name, values in parse_qs(again.body.decode()).items()}
    assert form == {
        "grant_type": "client_credentials",
        "scope": "orders:read orders:write",
        "audience": "orders",
        "resource": "urn:orders",
    }
    assert first.body == again.body and order.headers["authorization"] == "Bearer secret"


@pytest.mark.anyio
async def test_a_key_in_the_query_is_seen_in_the_url_alone(anyio_backend: str) -> None:
    with MockServer() as server:
        auth = APIKeyAuth("s3cr3t", name="key", location="query")
        async with AsyncHTTPClient(server.url, auth=auth) as client:
            response = await client.get("/echo")
    request = response.request
    assert request is not None and request.url.endswith("?key=s3cr3t")
    assert "key=***" in repr(request) and "s3cr3t" not in f"{request!r} {response!r} {response.describe()}"
