"""Digest, netrc, signatures, functions, chains and none, in a client."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio.lowlevel
import pytest

from sansio_http import HeadersLike
from sansio_http_anyio import (
    APIKeyAuth,
    AsyncHTTPClient,
    AuthHandler,
    BasicAuth,
    BearerAuth,
    ClientConfig,
    ConfigurationError,
    DigestAuth,
    HTTPRequest,
    NetrcAuth,
    NoAuth,
    PreparedRequest,
    RequestSigner,
    Unsigned,
)
from tests.fixtures.mock_server import MockServer, Received, Reply

pytestmark = pytest.mark.anyio


class Vault(AuthHandler):
    """Somebody's own."""

    def __init__(self, name: str = "X-Vault") -> None:
        self.name = name

    async def prepare_request(self, request: HTTPRequest) -> PreparedRequest:
        await anyio.lowlevel.checkpoint()
        request.headers[self.name] = "1"
        return request


class Signature(RequestSigner):
    """Signs the method and the query."""

    def sign(self, message: Unsigned) -> HeadersLike:
        return {"X-Signature": f"{message.method} {message.url.partition('?')[2]}"}


async def seen(client: AsyncHTTPClient, **options: Any) -> dict[str, str]:
    """The headers that the server saw."""
    headers: dict[str, str] = (await client.get("/echo", **options)).json_data["headers"]
    return headers


# A token from a function


@pytest.mark.parametrize("asynchronous", [True, False])
async def test_a_function_gives_the_token_for_each_send(asynchronous: bool, server: MockServer) -> None:
    tokens = iter(["a", "b", "c"])

    async def later() -> str:
        await anyio.lowlevel.checkpoint()
        return next(tokens)

    auth = BearerAuth(later if asynchronous else lambda: next(tokens))
    server.on("/echo", Reply(503), *[lambda request: Reply(json={"headers": request.headers})])
    async with AsyncHTTPClient(server.url, ClientConfig(retry_backoff_factor=0.001), auth) as client:
        assert (await seen(client))["authorization"] == "Bearer b"
    request = await auth.prepare_request(HTTPRequest("GET", "http://h/"))
    assert request.headers["authorization"] == "Bearer c"


# Digest


async def test_a_digest_and_a_stale_nonce(server: MockServer) -> None:
    """Httpbin's own stale answers want cookies, so this server is ours."""
    nonces = ["n1"]

    def answer(request: Received) -> Reply:
        given = request.headers.get("authorization", "")
        if f'nonce="{nonces[-1]}"' in given:
            return Reply(json={"authorization": given})
        stale = ", stale=true" if given else ""
        value = f'Digest realm="r", nonce="{nonces[-1]}", qop="auth", algorithm=SHA-256{stale}'
        return Reply(401, headers={"WWW-Authenticate": value})

    server.on("/digest", answer)
    async with AsyncHTTPClient(server.url, auth=DigestAuth("user", "secret")) as client:
        counts = []
        for nonce in ("n1", "n1", "n2", "n2"):
            nonces.append(nonce)
            counts.append((await client.get("/digest")).attempts[0].sends)
    assert counts == [2, 1, 2, 1]
    assert await DigestAuth("u", "p").prepare_request(request := HTTPRequest("GET", "http://h/")) is request


# Several, and none


async def test_a_list_goes_onto_the_request_as_a_whole(server: MockServer) -> None:
    auth = [Vault(), APIKeyAuth("k"), Vault("X-Other"), BearerAuth("t"), Signature()]
    async with AsyncHTTPClient(server.url, auth=auth) as client:
        headers = await seen(client, params={"a": "b"})
    assert {
        name: headers.get(name) for name in ("x-vault", "x-other", "x-api-key", "authorization", "x-signature")
    } == {
        "x-vault": "1",
        "x-other": "1",
        "x-api-key": "k",
        "authorization": "Bearer t",
        "x-signature": "GET a=b",
    }


async def test_a_handler_in_a_list_may_return_nothing(server: MockServer) -> None:
    class Nothing(AuthHandler):
        async def prepare_request(self, request: HTTPRequest) -> Any:
            return None

    async with AsyncHTTPClient(server.url, auth=[Nothing(), Vault()]) as client:
        assert (await seen(client))["x-vault"] == "1"


@pytest.mark.parametrize("auth", [BearerAuth("t"), [Vault(), Signature()], BearerAuth(lambda: "t")])
async def test_no_credentials_for_one_request(auth: Any, server: MockServer) -> None:
    async with AsyncHTTPClient(server.url, auth=auth) as client:
        assert {"authorization", "x-vault"} & set(await seen(client))
        assert not {"authorization", "x-vault", "x-signature"} & set(await seen(client, auth=NoAuth()))
        assert {"authorization", "x-vault"} & set(await seen(client, auth=None))


@pytest.mark.parametrize(
    ("auth", "what"),
    [
        ([], r"nothing is in the list; NoAuth\(\) sends no credentials"),
        ([Signature(), Signature()], "2 signers; a request has one"),
        (["canary"], "str is not allowed"),
        (("canary", "canary"), "str is not allowed"),
        (BearerAuth, "the class BearerAuth is not allowed"),
    ],
)
def test_what_is_no_auth(auth: Any, what: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"^auth: {what}") as caught:
        AsyncHTTPClient("http://h", auth=auth)
    assert "canary" not in str(caught.value)


# netrc


async def test_a_password_from_a_netrc_file(
    server: MockServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "netrc"
    file.write_text("machine 127.0.0.1 login user password secret\nmachine h account a password p\ndefault login x")
    auth = NetrcAuth(file)
    async with AsyncHTTPClient(server.url, auth=auth) as client:
        assert (await client.get("/basic")).is_success
    assert repr(auth) == f"NetrcAuth({str(file)!r})"
    monkeypatch.setenv("NETRC", str(file))
    for url, value in (
        ("http://h/", BasicAuth("a", "p")),
        ("http://H:8080/", BasicAuth("a", "p")),
        ("http://h.other/", None),
        ("http://other/h", None),
    ):
        request = await NetrcAuth().prepare_request(HTTPRequest("GET", url))
        expected = (
            None if value is None else (await value.prepare_request(HTTPRequest("GET", url))).headers["Authorization"]
        )
        assert request.headers.get("authorization") == expected


@pytest.mark.parametrize("content", [None, "machine h canary"])
def test_a_netrc_file_that_cannot_be_read(content: str | None, tmp_path: Path) -> None:
    file = tmp_path / "netrc"
    if content is not None:
        file.write_text(content)
    with pytest.raises(ConfigurationError, match=r"^NetrcAuth\.path: .*cannot be read") as caught:
        NetrcAuth(file)
    assert "canary" not in str(caught.value)
