"""Digest, netrc, signatures, functions, chains and none, in a client."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio.lowlevel
import pytest

from sansio_http_anyio import (
    APIKeyAuth,
    AsyncHTTPClient,
    AuthHandler,
    BasicAuth,
    BearerAuth,
    ClientConfig,
    ConfigurationError,
    DigestAuth,
    HeadersLike,
    HTTPRequest,
    NetrcAuth,
    NoAuth,
    OAuth2ClientCredentials,
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


class Late(RequestSigner):
    """Wants to be awaited."""

    async def sign(self, message: Unsigned) -> HeadersLike:  # type: ignore[override]
        return {}


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


CHALLENGES = [
    'Digest realm="r", nonce="n", qop="auth", algorithm=SHA-256',
    'Basic realm="r"',
    'Bearer error="invalid_token"',
]


@pytest.mark.parametrize("stale", ["", ", stale=false"])
async def test_a_wrong_digest_password_costs_two_requests(stale: str, server: MockServer) -> None:
    server.on("/digest", Reply(401, headers={"WWW-Authenticate": CHALLENGES[0] + stale}))
    async with AsyncHTTPClient(server.url, auth=DigestAuth("user", "guess")) as client:
        for total in (2, 4):
            response = await client.get("/digest")
            assert (response.status_code, response.attempts[0].sends) == (401, 2)
            assert server.count("/digest") == total
    assert ["authorization" in request.headers for request in server.requests] == [False, True] * 2


@pytest.mark.parametrize("kind", ["digest", "oauth2"])
async def test_a_foreign_challenge_gets_no_answer(kind: str, server: MockServer, other: MockServer) -> None:
    """By a redirect, and by a URL that names another origin; of whatever scheme the challenge is."""
    for number, challenge in enumerate(CHALLENGES):
        server.on(f"/to/{number}", Reply(307, headers={"Location": f"{other.url}/{number}"}))
        other.on(f"/{number}", Reply(401, headers={"WWW-Authenticate": challenge}))
    server.on("POST /token", Reply(json={"access_token": "t", "token_type": "Bearer"}))
    url = f"{server.url}/token"
    auth = DigestAuth("user", "secret") if kind == "digest" else OAuth2ClientCredentials(url, "id", "secret")
    config = ClientConfig(follow_redirects=True, allow_absolute_urls=True)
    async with AsyncHTTPClient(server.url, config, auth) as client:
        for number in range(len(CHALLENGES)):
            redirected = await client.get(f"/to/{number}")
            named = await client.get(f"{other.url}/{number}")
            assert (redirected.status_code, redirected.attempts[0].sends) == (401, 2)  # the second is the redirect
            assert (named.status_code, named.attempts[0].sends) == (401, 1)
    assert other.count() == 2 * len(CHALLENGES)
    assert not [request for request in other.requests if "authorization" in request.headers]


async def test_a_body_of_one_time_says_why_its_challenge_was_not_answered(server: MockServer) -> None:
    def answer(request: Received) -> Reply:
        if "authorization" in request.headers:
            return Reply(201)
        return Reply(401, headers={"WWW-Authenticate": 'Digest realm="r", nonce="n", qop="auth"'})

    def pieces() -> Iterator[bytes]:
        yield b"piece"

    server.on("/up", answer)
    async with AsyncHTTPClient(server.url, auth=DigestAuth("user", "secret")) as client:
        response = await client.post("/up", data=pieces())
        assert (response.status_code, response.attempts[0].reason) == (401, "not_replayable")
        assert "its body cannot be sent again" in response.describe()
        assert (await client.post("/up", data=pieces())).status_code == 201  # the proof goes along from now on
    async with AsyncHTTPClient(server.url, auth=DigestAuth("user", "secret")) as client:
        assert (await client.post("/up", data=pieces)).status_code == 201  # a function makes it anew


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


async def test_a_handler_in_a_list_may_return_nothing_and_need_not_be_awaited(server: MockServer) -> None:
    class Nothing(AuthHandler):
        def prepare_request(self, request: HTTPRequest) -> Any:
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
        (["canary"], r"str is not allowed; it is BearerAuth\(token\), "),
        (("canary", "canary"), r"a tuple of two str is not allowed; give BasicAuth\(user, password\)"),
        (("canary", "canary", "canary"), "str is not allowed; it is BearerAuth"),
        ({"canary": "canary"}, "dict is not allowed; it is BearerAuth, BasicAuth, "),
        (BearerAuth, r"the class BearerAuth is not allowed; it is an instance, BearerAuth\(\.\.\.\)"),
        (NoAuth, r"the class NoAuth is not allowed; it is an instance, NoAuth\(\)"),
        ([BearerAuth("a"), BearerAuth("b")], "two BearerAuth write the same, header authorization; a request has it"),
        ([BasicAuth("a", "b"), APIKeyAuth("k"), DigestAuth("a", "b")], "BasicAuth and DigestAuth write the same, head"),
        (Late(), "Late.sign is a coroutine function, .* an AuthHandler"),
    ],
)
def test_what_is_no_auth(auth: Any, what: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"^auth: {what}") as caught:
        AsyncHTTPClient("http://h", auth=auth)
    assert "canary" not in str(caught.value)


async def test_the_auth_of_one_request_is_refused_in_the_same_words(server: MockServer) -> None:
    async with AsyncHTTPClient(server.url) as client:
        with pytest.raises(ConfigurationError, match=r"^auth: a tuple of two str .* give BasicAuth\(user, password\)"):
            await client.get("/x", auth=("user", "canary"))
        with pytest.raises(ConfigurationError, match=r"^auth: two BearerAuth write the same"):
            await client.get("/x", auth=[BearerAuth("canary"), BearerAuth("canary")])
    assert server.connections == 0


async def test_a_list_may_say_different_things_in_one_place(server: MockServer) -> None:
    auth = [
        APIKeyAuth("1", name="A"),
        APIKeyAuth("2", name="B"),
        *(APIKeyAuth(name, name=name, location="cookie") for name in ("a", "A")),
        *(APIKeyAuth(name, name=name, location="query") for name in ("a", "A")),
    ]
    async with AsyncHTTPClient(server.url, auth=auth) as client:
        echo = (await client.get("/echo")).json_data
    assert (echo["headers"]["a"], echo["headers"]["b"], echo["headers"]["cookie"]) == ("1", "2", "a=a; A=A")
    assert echo["query"] == {"a": "a", "A": "A"}


@pytest.mark.parametrize("url", ["https://us3r:canary@h", "https://canary@h/v1", "https://us3r:c%40nary:canary@h:1/x"])
def test_a_password_in_the_base_url_is_not_shown_and_has_a_place(url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^base_url: .*give auth=BasicAuth\(user, password\)") as caught:
        AsyncHTTPClient(url)
    for secret in ("us3r", "canary", "nary"):
        assert secret not in str(caught.value)


@pytest.mark.parametrize(
    ("returned", "what"),
    [
        (None, "returned NoneType; it returns the headers to add, a mapping"),
        ("canary", "returned str; it returns"),
        (7, "what it returned cannot be sent: headers: must be a mapping or .* pairs, not int"),
        ({"A": "canary\n"}, "what it returned cannot be sent: headers.'A'.: the value"),
    ],
)
async def test_a_signer_that_returns_no_headers_is_named(returned: Any, what: str, server: MockServer) -> None:
    class Odd(RequestSigner):
        def sign(self, message: Unsigned) -> HeadersLike:
            found: HeadersLike = returned
            return found

    async with AsyncHTTPClient(server.url, auth=Odd()) as client:
        with pytest.raises(ConfigurationError, match=rf"^Odd\.sign: {what}") as caught:
            await client.get("/x")
    assert "canary" not in str(caught.value) and server.connections == 0


@pytest.mark.parametrize("beside", [[], [Vault()]])
async def test_a_handler_that_gives_back_something_else_is_named(beside: list[Any], server: MockServer) -> None:
    class Odd(AuthHandler):
        async def prepare_request(self, request: HTTPRequest) -> Any:
            return "canary"

    async with AsyncHTTPClient(server.url, auth=[Odd(), *beside]) as client:
        with pytest.raises(
            ConfigurationError, match=r"^Odd\.prepare_request gave back a str; allowed is an HTTPRequest"
        ):
            await client.get("/x")
    assert server.connections == 0


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
