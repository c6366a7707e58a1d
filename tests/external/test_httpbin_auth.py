"""Credentials, judged by httpbin."""

from __future__ import annotations

from typing import Any

import pytest

from sansio_http_anyio import (
    APIKeyAuth,
    AsyncHTTPClient,
    AuthenticationError,
    BasicAuth,
    BearerAuth,
    ClientConfig,
    DigestAuth,
    NoAuth,
)

pytestmark = pytest.mark.anyio

CONFIG = ClientConfig(retry_attempts=0)


@pytest.mark.parametrize("path", ["basic-auth", "hidden-basic-auth"])
async def test_basic(path: str, httpbin: str) -> None:
    async with AsyncHTTPClient(httpbin, CONFIG, BasicAuth("user", "guess")) as client:
        response = await client.get(f"/{path}/user/passwd", auth=BasicAuth("user", "passwd"))
        assert response.json_data == {"authenticated": True, "user": "user"}
        assert (await client.get(f"/{path}/user/passwd")).status_code in (401, 404)
        assert (await client.get(f"/{path}/user/passwd", auth=NoAuth())).status_code in (401, 404)


async def test_bearer(httpbin: str) -> None:
    async def token() -> str:
        return "from.a-function"

    async with AsyncHTTPClient(httpbin, CONFIG, BearerAuth("abc.def")) as client:
        assert (await client.get("/bearer")).json_data == {"authenticated": True, "token": "abc.def"}
        assert (await client.get("/bearer", auth=BearerAuth(token))).json_data["token"] == "from.a-function"
        assert (await client.get("/bearer", auth=NoAuth())).status_code == 401


async def test_several_at_once(httpbin: str) -> None:
    auth = [BearerAuth("t"), APIKeyAuth("k"), APIKeyAuth("q", name="key", location="query")]
    async with AsyncHTTPClient(httpbin, CONFIG, auth) as client:
        seen: Any = (await client.get("/anything")).json_data
    assert (seen["headers"]["Authorization"], seen["headers"]["X-Api-Key"], seen["args"]) == (
        "Bearer t",
        "k",
        {"key": "q"},
    )


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
@pytest.mark.parametrize("qop", ["auth", "auth-int"])
async def test_digest(algorithm: str, qop: str, httpbin: str) -> None:
    path = f"/digest-auth/{qop}/user/passwd/{algorithm}"
    async with AsyncHTTPClient(httpbin, CONFIG, DigestAuth("user", "passwd")) as client:
        response = await client.get(path)
        assert response.json_data == {"authenticated": True, "user": "user"}
        assert response.attempts[0].sends == 2
        wrong = await client.get(path, auth=DigestAuth("user", "guess"))
        assert wrong.status_code == 401 and wrong.attempts[0].sends == 2


async def test_a_digest_that_nobody_has_defined_is_refused(httpbin: str) -> None:
    async with AsyncHTTPClient(httpbin, CONFIG, DigestAuth("user", "passwd")) as client:
        with pytest.raises(AuthenticationError, match=r"with algorithm 'SHA-512'; known are MD5, SHA-256"):
            await client.get("/digest-auth/auth/user/passwd/SHA-512")
