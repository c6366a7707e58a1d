"""What code of the user's raises, and how long it takes, wherever an authentication calls it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from sansio_http import Ended, HTTPResponse, Send
from sansio_http_anyio import (
    AsyncHTTPClient,
    AuthHandler,
    BearerAuth,
    ClientConfig,
    HeadersLike,
    HTTPClientError,
    HTTPRequest,
    OAuth2ClientCredentials,
    OAuth2TokenExchange,
    PreparedRequest,
    RequestSigner,
    Token,
    TokenError,
    TotalTimeoutError,
    Unsigned,
)
from tests.adapter.answering import Answering
from tests.fixtures.virtual_loop import run_virtual

pytestmark = pytest.mark.anyio

BACKENDS = ("asyncio", "trio")
TOKEN_URL = "https://auth.example/token"


class Mine(Exception):
    """Somebody's own."""


class Outer:
    """Something of the user's that is called, and does not return."""

    def __init__(self, does: Callable[[], Awaitable[Any]], only: str = "") -> None:
        self.does = does
        self.only = only  # the one method of a store
        self.calls = 0

    async def __call__(self, *_: object) -> Any:
        self.calls += 1
        return await self.does()

    async def get(self, key: str) -> Token | None:
        return await self() if self.only == "get" else None

    async def set(self, key: str, token: Token) -> None:
        if self.only == "set":
            await self()


class Vault(AuthHandler):
    def __init__(self, outer: Outer) -> None:
        self.outer = outer

    async def prepare_request(self, request: HTTPRequest) -> PreparedRequest:
        await self.outer()
        return request


class Other(Vault):
    """A second one."""


class Signature(RequestSigner):
    def __init__(self, error: Exception) -> None:
        self.error = error

    def sign(self, message: Unsigned) -> HeadersLike:
        raise self.error


RAW: dict[str, Callable[[Outer], Any]] = {
    "BearerAuth's function": BearerAuth,
    "Vault.prepare_request": Vault,
    "Vault.prepare_request, Other.prepare_request": lambda outer: [Vault(outer), Other(outer)],
}
FOR_A_TOKEN: dict[str, Callable[[Outer], Any]] = {
    "the function that signs": lambda outer: OAuth2ClientCredentials(
        TOKEN_URL, "id", client_auth="private_key_jwt", sign=outer, timeout=20, attempt_timeout=None
    ),
    "OAuth2TokenExchange's function": lambda outer: OAuth2TokenExchange(TOKEN_URL, "id", outer, "secret", timeout=20),
    "OAuth2TokenExchange's function, of the actor": lambda outer: OAuth2TokenExchange(
        TOKEN_URL, "id", "subject", "secret", actor_token=outer, timeout=20
    ),
    "its store, which gets": lambda outer: store(outer, "get"),
    "its store, which sets": lambda outer: store(outer, "set"),
}


def store(outer: Outer, only: str) -> OAuth2ClientCredentials:
    outer.only = only
    return OAuth2ClientCredentials(TOKEN_URL, "id", "secret", store=outer, timeout=20)


def answer(send: Send) -> HTTPResponse:
    if send.via == "token":
        return HTTPResponse(200, content=b'{"access_token": "t", "token_type": "Bearer"}')
    return HTTPResponse(200)


def client_for(auth: Any, transport: Any = None, **more: Any) -> AsyncHTTPClient:
    config = ClientConfig(retry_backoff_factor=0.001)
    return AsyncHTTPClient("https://api.example", config, auth, transport=transport or Answering(answer), **more)


def message(error: BaseException) -> str:
    """All that can be seen of it."""
    return f"{error!s} {error!r} {vars(error)!r}"


# What it raises


def raises(error: BaseException) -> Callable[[], Awaitable[Any]]:
    async def fail() -> Any:
        await anyio.lowlevel.checkpoint()
        raise error

    return fail


@pytest.mark.parametrize("what", RAW)
async def test_what_it_raises_for_a_request_comes_out_as_it_is(what: str) -> None:
    error = Mine("canary")
    outer = Outer(raises(error))
    transport = Answering(answer)
    async with client_for(RAW[what](outer), transport) as client:
        with pytest.raises(Mine) as caught:
            await client.get("/x")
        async with client.stream("GET", "/x", auth=BearerAuth("t")) as response:
            assert response.is_success
    assert caught.value is error and error.__cause__ is None
    assert outer.calls == 1 and len(transport.sends) == 1  # not tried again, and the client goes on


async def test_what_a_signer_raises_comes_out_as_it_is() -> None:
    error, transport = Mine(), Answering(answer)
    async with client_for(Signature(error), transport) as client:
        with pytest.raises(Mine) as caught:
            await client.get("/x")
    assert caught.value is error and transport.sends == []


@pytest.mark.parametrize("entered", [True, False])
@pytest.mark.parametrize("what", FOR_A_TOKEN)
async def test_what_it_raises_for_a_token_is_the_cause_of_each_callers_own_error(what: str, entered: bool) -> None:
    """Also where the call drives the refresh itself."""
    error = Mine("canary")
    client = client_for(FOR_A_TOKEN[what](Outer(raises(error))))
    found: list[BaseException] = []

    async def ask() -> None:
        try:
            await client.get("/x")
        except HTTPClientError as error:
            found.append(error)

    if entered:
        await client.__aenter__()
    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(ask)
    await client.__aexit__(None, None, None)
    assert len(found) == len({id(each) for each in found}) == 3
    for each in found:
        assert isinstance(each, TokenError) and each.reason == "callable"
        assert each.__cause__ is error and "Mine" in str(each) and "canary" not in message(each)


# When it is called


async def test_a_function_is_called_for_each_send_and_a_401_does_not_call_it_again() -> None:
    calls: list[str] = []

    async def token() -> str:
        calls.append("token")
        return f"t{len(calls)}"

    statuses = iter([503, 401, 200])
    transport = Answering(lambda send: HTTPResponse(next(statuses)))
    async with client_for(BearerAuth(token), transport) as client:
        refused = await client.get("/x")
        assert (refused.status_code, refused.attempts[-1].sends) == (401, 1)
        assert len(calls) == 2  # for the send that was tried again, and not for the 401
        assert (await client.get("/x")).is_success
    assert [send.request.headers["authorization"] for send in transport.sends] == [
        "Bearer t1",
        "Bearer t2",
        "Bearer t3",
    ]


# How long it takes


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("what", RAW)
def test_a_call_that_runs_out_of_time_says_whom_it_waited_for(what: str, backend: str) -> None:
    async def main() -> None:
        async with client_for(RAW[what](Outer(anyio.sleep_forever)), clock=anyio.current_time) as client:
            with pytest.raises(TotalTimeoutError) as caught:
                await client.get("/x?key=canary", timeout=3)
        assert str(caught.value).startswith(f"the call's time ran out while it waited for {what} (GET https://api.exam")
        assert caught.value.phase == "queue" and "canary" not in message(caught.value)

    run_virtual(backend, main)


class Hung(Answering):
    """A token endpoint that does not answer."""

    async def send(self, send: Send) -> Ended:
        if send.via == "token":
            await anyio.sleep_forever()
        return await super().send(send)


@pytest.mark.parametrize("entered", [True, False])
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_call_that_runs_out_of_time_names_the_token_endpoint(backend: str, entered: bool) -> None:
    """It began the refresh or waits for another's, which has as much time as the call, or more."""

    async def main() -> None:
        url = f"{TOKEN_URL}?key=canary"
        for limit in (2.9, 3, 30):
            auth = OAuth2ClientCredentials(url, "id", "canary", timeout=limit, attempt_timeout=None)
            client = client_for(auth, Hung(answer), clock=anyio.current_time)
            found: list[BaseException] = []

            async def ask(timeout: float) -> None:
                try:
                    await client.get("/x", timeout=timeout)
                except HTTPClientError as error:
                    found.append(error)

            if entered:
                await client.__aenter__()
            async with anyio.create_task_group() as tasks:
                for _ in range(3):
                    tasks.start_soon(ask, 2.9)
            await client.__aexit__(None, None, None)
            assert len(found) == 3
            for each in found:
                assert "https://auth.example/token?key=***" in str(each) and "canary" not in message(each)
                if limit == 2.9 and isinstance(each, TokenError):
                    continue  # both had their time in the same instant
                assert type(each) is TotalTimeoutError
                what = "the call's time ran out while it waited for a token of https://auth.example/token?key=***"
                assert str(each).startswith(f"{what} (GET https://api.example/x"), str(each)

    run_virtual(backend, main)


@pytest.mark.parametrize("entered", [True, False])
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("what", FOR_A_TOKEN)
def test_a_token_that_takes_too_long_says_who_did_not_answer(what: str, backend: str, entered: bool) -> None:
    async def main() -> None:
        began = anyio.current_time()
        client = client_for(FOR_A_TOKEN[what](Outer(anyio.sleep_forever)), clock=anyio.current_time)
        if entered:
            await client.__aenter__()
        with pytest.raises(TokenError) as caught:
            await client.get("/x", timeout=60)
        await client.__aexit__(None, None, None)
        assert caught.value.reason == "timeout"
        assert TOKEN_URL in str(caught.value) and what.partition(",")[0] in str(caught.value)
        assert anyio.current_time() - began == pytest.approx(20)

    run_virtual(backend, main)
