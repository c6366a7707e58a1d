"""OAuth 2 in a client: one token for all, whoever goes away; JWTs; stores; and no secret where it does not belong."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import pickle
import sys
import traceback
from typing import Any
from urllib.parse import parse_qs

import anyio
import anyio.lowlevel
import jwt
import pytest

from sansio_http import Ended, HTTPResponse, Send
from sansio_http_anyio import (
    AsyncHTTPClient,
    ClientClosedError,
    ClientConfig,
    ConfigurationError,
    HTTPClientError,
    HTTPRequest,
    LoggingMiddleware,
    MetricsMiddleware,
    NoAuth,
    OAuth2ClientCredentials,
    OAuth2RefreshToken,
    OAuth2TokenExchange,
    RetryPolicy,
    Token,
    TokenError,
    TotalTimeoutError,
)
from tests.adapter.answering import Answering
from tests.fixtures.mock_server import MockServer, Reply
from tests.fixtures.virtual_loop import run_virtual

pytestmark = pytest.mark.anyio

TOKEN_URL = "https://login.example.com/token"
BACKENDS = ("asyncio", "trio")


class Endpoint(Answering):
    """An API behind a token endpoint, without a network; a token takes its time, in steps."""

    def __init__(self, after: float = 0.01, steps: int = 1) -> None:
        super().__init__()
        self.after = after
        self.steps = steps
        self.tokens: list[Send] = []

    async def send(self, send: Send) -> Ended:
        await anyio.lowlevel.checkpoint()
        if send.via == "api":
            return Ended(send.id, HTTPResponse(200, {}, send.request.headers["authorization"].encode()))
        self.tokens.append(send)
        answer = {"access_token": f"t{len(self.tokens)}", "token_type": "Bearer", "expires_in": 100}
        for _ in range(self.steps):
            await anyio.sleep(self.after / self.steps)
        return Ended(send.id, HTTPResponse(200, content=json.dumps(answer).encode()))


def client_for(endpoint: Answering, clock: Any = None, **options: Any) -> AsyncHTTPClient:
    auth = OAuth2ClientCredentials(TOKEN_URL, "id", "secret", **options)
    more = {} if clock is None else {"clock": clock}
    return AsyncHTTPClient("https://api.example.com", ClientConfig(retry_attempts=0), auth, transport=endpoint, **more)


@pytest.mark.parametrize("entered", [True, False])
async def test_two_hundred_calls_ask_for_one_token(entered: bool) -> None:
    endpoint = Endpoint()
    client = client_for(endpoint)
    answers: list[HTTPResponse] = []

    async def ask() -> None:
        answers.append(await client.get("/x"))

    async def all_of_them() -> None:
        async with anyio.create_task_group() as tasks:
            for _ in range(200):
                tasks.start_soon(ask)

    if entered:
        async with client:
            await all_of_them()
    else:
        await all_of_them()
        await client.aclose()
    assert len(endpoint.tokens) == 1
    assert [answer.content for answer in answers] == [b"Bearer t1"] * 200


@pytest.mark.parametrize("backend", BACKENDS)
def test_an_endpoint_slower_than_its_callers_does_not_thrash(backend: str) -> None:
    async def main() -> None:
        endpoint = Endpoint(after=5.0)
        client = client_for(endpoint, clock=anyio.current_time)
        late: list[Any] = []

        async def hasty(after: float) -> None:
            await anyio.sleep(after)
            try:
                late.append(await client.get("/x", timeout=2))
            except TotalTimeoutError as error:
                late.append(error)

        async with client, anyio.create_task_group() as tasks:
            for after in (0.0, 0.0, 1.0, 2.5, 4.0, 5.5):
                tasks.start_soon(hasty, after)
        assert len(endpoint.tokens) == 1
        assert sorted(type(each).__name__ for each in late) == ["HTTPResponse"] * 2 + ["TotalTimeoutError"] * 4

    run_virtual(backend, main)


@pytest.mark.parametrize("by", ["the task that entered it", "a scope of its own", "another task"])
async def test_a_client_is_closed_while_it_gets_a_token(by: str) -> None:
    """From wherever: what is inside of the client's block goes on, and the block can be left."""
    endpoint = Endpoint(after=3600)
    client = client_for(endpoint)
    outcomes: list[Any] = []

    async def ask() -> None:
        try:
            outcomes.append(await client.get("/x"))
        except ClientClosedError as error:
            outcomes.append(error)

    async with client:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask)
            while not endpoint.tokens:
                await anyio.lowlevel.checkpoint()
            if by == "another task":
                tasks.start_soon(client.aclose)
            else:
                with anyio.CancelScope(shield=by == "a scope of its own"):
                    await client.aclose()
        await anyio.lowlevel.checkpoint()
        assert [type(each) for each in outcomes] == [ClientClosedError]
    with pytest.raises(ClientClosedError):
        await client.get("/x")
    assert len(endpoint.tokens) == 1


@pytest.mark.parametrize("native", [False, True])
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_leader_is_cancelled_at_every_await(backend: str, native: bool) -> None:
    """Not entered, so that the first call drives the refresh itself."""
    if native and backend == "trio":
        return  # tasks are cancelled by scopes only

    async def main(when: int) -> bool:
        endpoint = Endpoint(after=0.05, steps=4)
        client = client_for(endpoint, clock=anyio.current_time)
        answers: list[HTTPResponse] = []
        done = False

        async def ask() -> None:
            answers.append(await client.get("/x"))

        async def lead() -> None:
            nonlocal done
            await client.get("/x")
            done = True

        leader: Any = None
        async with anyio.create_task_group() as tasks:
            scope = anyio.CancelScope()
            if native:
                leader = asyncio.ensure_future(lead())
            else:

                async def scoped() -> None:
                    with scope:
                        await lead()

                tasks.start_soon(scoped)
            await anyio.lowlevel.checkpoint()
            for _ in range(5):
                tasks.start_soon(ask)
            for _ in range(when):
                await anyio.sleep(0.0125 / 4)
            leader.cancel() if native else scope.cancel()
            if native:
                await asyncio.wait([leader])
        assert len(answers) == 5 and all(answer.is_success for answer in answers)
        assert len(endpoint.tokens) <= 2
        await client.aclose()
        return done

    ends = [run_virtual(backend, main, when) for when in range(0, 24, 2)]
    assert not ends[0] and ends[-1]  # it was cancelled early, and it was too late


async def test_a_client_that_is_closed_leaves_nothing_behind() -> None:
    endpoint = Endpoint(after=60)
    auth = OAuth2ClientCredentials(TOKEN_URL, "id", "secret")
    outcome: list[BaseException] = []

    async def ask(client: AsyncHTTPClient) -> None:
        try:
            await client.get("/x")
        except ClientClosedError as error:
            outcome.append(error)

    async with anyio.create_task_group() as tasks:
        async with AsyncHTTPClient("https://api.example.com", auth=auth, transport=endpoint) as client:
            tasks.start_soon(ask, client)
            await anyio.sleep(0.02)
            assert auth.refreshing is not None
    assert len(outcome) == 1 and auth.refreshing is None
    # at once, before the refresh has begun
    async with anyio.create_task_group() as tasks:
        client = AsyncHTTPClient("https://api.example.com", auth=auth, transport=endpoint)
        async with client:
            tasks.start_soon(ask, client)
            while auth.refreshing is None:
                await anyio.lowlevel.checkpoint()
    assert len(outcome) == 2 and auth.refreshing is None


async def test_a_credential_outlives_the_client_that_was_getting_its_token() -> None:
    endpoint = Endpoint(after=60)
    auth = OAuth2ClientCredentials(TOKEN_URL, "id", "secret")
    one = AsyncHTTPClient("https://api.example.com", auth=auth, transport=endpoint)
    two = AsyncHTTPClient("https://api.example.com", auth=auth, transport=endpoint)
    answers: list[Any] = []

    async def ask(client: AsyncHTTPClient) -> None:
        try:
            answers.append((await client.get("/x")).content)
        except ClientClosedError:
            answers.append(None)

    async with two, anyio.create_task_group() as tasks:
        async with one:
            tasks.start_soon(ask, one)
            await anyio.sleep(0.02)
            tasks.start_soon(ask, two)
            await anyio.sleep(0.02)
            endpoint.after = 0
    assert answers == [None, b"Bearer t2"]


async def test_auth_of_one_request() -> None:
    endpoint = Endpoint()
    auth = OAuth2ClientCredentials(TOKEN_URL, "id", "secret")
    async with AsyncHTTPClient("https://api.example.com", transport=endpoint) as client:
        assert (await client.get("/x", auth=auth)).content == b"Bearer t1"
        assert (await client.get("/x", auth=auth)).content == b"Bearer t1"
    request = await auth.prepare_request(HTTPRequest("GET", "https://api.example.com/"))
    assert request.headers["authorization"] == "Bearer t1"


async def test_over_the_network(server: MockServer) -> None:
    answer = {"access_token": "secret", "token_type": "Bearer", "expires_in": 3600}
    server.on("POST /token", Reply(503), Reply(json=answer))
    auth = OAuth2ClientCredentials(
        f"{server.url}/token", "id", "s e", retry=RetryPolicy(retries=1, on_exhausted="return")
    )
    async with AsyncHTTPClient(server.url, auth=auth) as client:
        assert (await client.get("/bearer")).is_success
    assert server.count("POST /token") == 2
    assert server.requests[0].headers["authorization"] == "Basic aWQ6cytl"
    async with AsyncHTTPClient(server.url, auth=OAuth2ClientCredentials(f"{server.url}/nowhere", "id", "s")) as client:
        with pytest.raises(TokenError) as caught:
            await client.get("/bearer")
    assert caught.value.reason == "refused"


async def test_of_an_endless_answer_little_is_read(server: MockServer) -> None:
    server.on("POST /token", Reply(body=[bytes(65536)] * 400, chunked=True))
    async with AsyncHTTPClient(server.url, auth=OAuth2ClientCredentials(f"{server.url}/token", "id", "s")) as client:
        with pytest.raises(TokenError) as caught:
            await client.get("/bearer")
        assert caught.value.reason == "malformed"
        assert server.open_connections == 0


class Store:
    """An asynchronous one."""

    def __init__(self) -> None:
        self.kept: dict[str, Token] = {}

    async def get(self, key: str) -> Token | None:
        await anyio.lowlevel.checkpoint()
        return self.kept.get(key)

    async def set(self, key: str, token: Token) -> None:
        await anyio.lowlevel.checkpoint()
        self.kept[key] = token


async def test_a_store_may_be_asynchronous() -> None:
    endpoint, store = Endpoint(), Store()
    for _ in range(2):
        async with client_for(endpoint, store=store) as client:
            assert (await client.get("/x")).content == b"Bearer t1"
    assert len(endpoint.tokens) == 1 and len(store.kept) == 1


class BrokenStore:
    def get(self, key: str) -> Token | None:
        raise ValueError("disk")

    def set(self, key: str, token: Token) -> None: ...


async def test_a_store_that_raises_ends_the_call_and_not_the_client() -> None:
    async with client_for(Endpoint(), store=BrokenStore()) as client:
        with pytest.raises(TokenError) as caught:
            await client.get("/x")
        await anyio.sleep(0.01)
        assert (await client.get("/x", auth=NoAuth(), headers={"Authorization": "mine"})).content == b"mine"
    assert caught.value.reason == "callable" and isinstance(caught.value.__cause__, ValueError)


# JWTs


def fields(send: Send) -> dict[str, str]:
    assert send.request.body is not None
    return {name: values[0] for name, values in parse_qs(send.request.body.source.decode()).items()}


async def test_a_jwt_by_the_secret() -> None:
    endpoint, secret = Endpoint(), "s" * 32
    auth = OAuth2ClientCredentials(TOKEN_URL, "id", secret, client_auth="client_secret_jwt")
    async with AsyncHTTPClient("https://api.example.com", auth=auth, transport=endpoint) as client:
        await client.get("/x")
    given = fields(endpoint.tokens[0])
    claims = jwt.decode(given["client_assertion"], secret, ["HS256"], audience=TOKEN_URL)
    assert claims["iss"] == claims["sub"] == "id" and claims["exp"] == claims["iat"] + 60
    assert secret not in endpoint.tokens[0].request.body.source.decode()  # type: ignore[union-attr]


async def test_a_jwt_by_a_key() -> None:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    endpoint = Endpoint()
    auth = OAuth2RefreshToken(
        TOKEN_URL, "id", "first", client_auth="private_key_jwt", private_key=pem, algorithm="ES256", key_id="k1"
    )
    async with AsyncHTTPClient("https://api.example.com", auth=auth, transport=endpoint) as client:
        await client.get("/x")
    assertion = fields(endpoint.tokens[0])["client_assertion"]
    assert jwt.get_unverified_header(assertion) == {"alg": "ES256", "typ": "JWT", "kid": "k1"}
    jwt.decode(assertion, key.public_key(), ["ES256"], audience=TOKEN_URL)


async def test_a_jwt_by_a_function_of_ones_own() -> None:
    async def sign(claims: dict[str, Any]) -> str:
        await anyio.lowlevel.checkpoint()
        return f"signed.for.{claims['sub']}"

    async def subject() -> str:
        return "subject"

    endpoint = Endpoint()
    auth = OAuth2TokenExchange(TOKEN_URL, "id", subject, client_auth="private_key_jwt", sign=sign)
    async with AsyncHTTPClient("https://api.example.com", auth=auth, transport=endpoint) as client:
        await client.get("/x")
    given = fields(endpoint.tokens[0])
    assert (given["client_assertion"], given["subject_token"]) == ("signed.for.id", "subject")


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        ({"client_auth": "private_key_jwt"}, "private_key: client_auth 'private_key_jwt' needs one, or sign"),
        ({"private_key": "canary"}, "private_key: client_auth 'client_secret_basic' takes none"),
        ({"client_auth": "private_key_jwt", "private_key": "canary"}, "private_key, algorithm: nothing can be signed"),
        ({"client_auth": "client_secret_jwt"}, "client_secret: client_auth 'client_secret_jwt' needs a str"),
        (
            {"client_auth": "client_secret_jwt", "client_secret": "canary", "algorithm": "no"},
            "private_key, algorithm: ",
        ),
        ({"client_auth": "private_key_jwt", "sign": "canary"}, "sign: str is not allowed; it is a function of claims"),
        ({"client_secret": "canary", "sign": "canary"}, "sign: str is not allowed; it is a function of claims"),
        ({"client_secret": "canary", "scopes": 7}, "scopes: must be a str, or"),
        ({"retry": 3, "client_secret": "canary"}, "retry: int is not allowed; it is a RetryPolicy"),
    ],
)
def test_what_is_refused(arguments: dict[str, Any], what: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"^OAuth2ClientCredentials\.{what}") as caught:
        OAuth2ClientCredentials(TOKEN_URL, "id", **arguments)
    assert "canary" not in str(caught.value)


def test_an_option_that_there_is_not() -> None:
    with pytest.raises(TypeError, match="scope"):
        OAuth2ClientCredentials(TOKEN_URL, "id", "secret", scope="x")  # type: ignore[call-arg]


def test_without_pyjwt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jwt", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'sansio-http\[jwt\]', or give sign"):
        OAuth2ClientCredentials(TOKEN_URL, "id", "secret", client_auth="client_secret_jwt")


# Secrets

SECRET = "ca" + "nary"


async def test_no_secret_is_told(server: MockServer) -> None:
    text, root = io.StringIO(), logging.getLogger()
    handler, level = logging.StreamHandler(text), root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    answers = [
        Reply(400, json={"error": SECRET, "error_description": SECRET}),
        Reply(200, body=f"<html>{SECRET}".encode()),
        Reply(200, json={"access_token": f"{SECRET}\n", "token_type": SECRET}),
        Reply.reset(),
        Reply(json={"access_token": SECRET, "token_type": "bearer", "refresh_token": SECRET, "expires_in": 9}),
    ]
    metrics, shown = MetricsMiddleware(), [""]
    try:
        for number, answer in enumerate(answers):
            server.on("POST /token", answer)
            url, none = f"{server.url}/token?key={SECRET}", RetryPolicy(retries=0)
            for auth in (
                OAuth2ClientCredentials(url, SECRET, SECRET, retry=none, extra={"x": SECRET}),
                OAuth2RefreshToken(url, SECRET, SECRET, SECRET, retry=none, client_auth="client_secret_post"),
                OAuth2TokenExchange(url, SECRET, SECRET, SECRET, retry=none, actor_token=SECRET),
            ):
                async with AsyncHTTPClient(server.url, auth=auth, middlewares=[LoggingMiddleware(), metrics]) as client:
                    try:
                        response = await client.get("/status/404")
                        shown += [repr(response), pickle.dumps(response).decode("latin-1")]
                        assert number == 4
                    except HTTPClientError as error:
                        assert number < 4
                        shown += [
                            "".join(traceback.format_exception(error)),
                            repr(vars(error)),
                            pickle.dumps(error).decode("latin-1"),
                        ]
                    shown += [repr(auth), repr(client), repr(client.policies), repr(metrics.snapshot())]
                    with pytest.raises(TypeError, match="credential"):
                        pickle.dumps(auth)
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
    assert "404" in text.getvalue()
    for each in (*shown, text.getvalue()):
        assert SECRET not in each, each[max(0, each.find(SECRET) - 300) :][:400]
