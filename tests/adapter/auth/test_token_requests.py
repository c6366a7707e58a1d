"""Whatever the token endpoint does, and whenever a caller goes away: what the callers get."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from sansio_http import Ended, HTTPResponse, Send
from sansio_http_anyio import (
    AsyncHTTPClient,
    ClientConfig,
    ExponentialBackoff,
    OAuth2ClientCredentials,
    RetryPolicy,
    Token,
    TokenError,
)
from tests.adapter.answering import Answering
from tests.fixtures.mock_server import MockServer, Reply
from tests.fixtures.virtual_loop import run_virtual

pytestmark = pytest.mark.anyio

BACKENDS = ("asyncio", "trio")
CONFIG = ClientConfig(retry_attempts=0)
GRANTED = {"access_token": "secret", "token_type": "Bearer", "expires_in": 3600}


def granted(**fields: Any) -> Reply:
    return Reply(json={name: value for name, value in (GRANTED | fields).items() if value is not ...})


# Each outcome that docs/auth.md has


@pytest.mark.parametrize(
    ("reply", "reason", "status", "code"),
    [
        (Reply(400, json={"error": "invalid_scope", "error_description": "canary"}), "refused", 400, "invalid_scope"),
        (Reply(401, json={"error": "invalid_client"}), "refused", 401, "invalid_client"),
        (Reply(403), "refused", 403, None),
        (Reply(302, headers={"Location": "/bearer?canary"}), "refused", 302, None),
        (Reply(429, headers={"Retry-After": "7"}), "refused", 429, None),
        (Reply(500, body=b"canary"), "refused", 500, None),
        (Reply(200, body=b"<html>canary</html>", headers={"Content-Type": "text/html"}), "malformed", 200, None),
        (granted(access_token=...), "malformed", 200, None),
        (granted(token_type="mac"), "malformed", 200, None),
        (granted(expires_in="soon"), "malformed", 200, None),
        (granted(filler="canary" * 20000), "malformed", 200, None),
        (granted(expires_in=0), "expired", 200, None),
        (granted(expires_in=-1), "expired", 200, None),
        (Reply.reset(), "transport", None, None),
        (Reply.garbage(), "transport", None, None),
        (Reply.hang(), "timeout", None, None),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
async def test_each_way_to_give_no_token(
    reply: Reply, reason: str, status: int | None, code: str | None, server: MockServer
) -> None:
    server.on("POST /token", reply)
    auth = OAuth2ClientCredentials(
        f"{server.url}/token",
        "id",
        "canary",
        retry=RetryPolicy(retries=0),
        attempt_timeout=0.2 if reason == "timeout" else 10.0,
    )
    async with AsyncHTTPClient(server.url, CONFIG, auth) as client:
        with pytest.raises(TokenError) as caught:
            await client.get("/bearer")
        error = caught.value
        assert (error.reason, error.status_code, error.error) == (reason, status, code)
        assert f"{server.url}/token" in str(error) and (error.__cause__ is not None) == (status is None)
        with pytest.raises(TokenError) as again:  # before the backoff is over
            await client.get("/bearer")
    assert (server.count("POST /token"), server.count("/bearer")) == (1, 0)
    assert again.value is not error and (error.retry_after or 0) > (6 if status == 429 else 0)


@pytest.mark.parametrize("expires_in", [..., None, 3600, "3600", 10**12, 10**400])
async def test_each_way_to_say_how_long_a_token_lives(expires_in: object, server: MockServer) -> None:
    server.on("POST /token", granted(expires_in=expires_in))
    async with AsyncHTTPClient(server.url, CONFIG, OAuth2ClientCredentials(f"{server.url}/token", "id", "s")) as client:
        for _ in range(2):
            assert (await client.get("/bearer")).is_success
    assert server.count("POST /token") == 1


async def test_a_token_request_is_tried_again_by_its_own_policy(server: MockServer) -> None:
    server.on("POST /token", Reply(503), Reply(429, headers={"Retry-After": "0"}), Reply.reset(), granted())
    retry = RetryPolicy(retries=3, backoff=ExponentialBackoff(base=0.001))
    auth = OAuth2ClientCredentials(f"{server.url}/token", "id", "s", retry=retry)
    async with AsyncHTTPClient(server.url, CONFIG, auth) as client:
        assert (await client.get("/bearer")).is_success
    assert server.count("POST /token") == 4


# Whoever goes away


class Steps:
    """Each await that getting a token takes. In one of them the caller that it is got for is cancelled.

    Args:
        which: the number of that await, from 1.
        after: it is cancelled when the await has its result, which then has nobody; else before it begins.
    """

    def __init__(self, which: int, after: bool) -> None:
        self.which = which
        self.after = after
        self.begun = 0
        self.cancel: Callable[[], object]

    async def __call__(self) -> None:
        self.begun += 1
        mine = self.begun == self.which
        if mine and not self.after:
            self.cancel()
        await anyio.sleep(0.01)
        if mine and self.after:
            self.cancel()


class World(Answering):
    """An API and its token endpoint, a store, and a function that signs: whatever awaits."""

    def __init__(self, steps: Steps) -> None:
        super().__init__()
        self.steps = steps
        self.tokens = 0
        self.lifetime = 100

    async def send(self, send: Send) -> Ended:
        if send.via == "api":
            await self.steps()
            return Ended(send.id, HTTPResponse(200, content=send.request.headers["authorization"].encode()))
        self.tokens += 1
        answer = {"access_token": f"t{self.tokens}", "token_type": "Bearer", "expires_in": self.lifetime}
        await self.steps()
        await self.steps()
        return Ended(send.id, HTTPResponse(200, content=json.dumps(answer).encode()))

    async def get(self, key: str) -> Token | None:
        await self.steps()
        return None

    async def set(self, key: str, token: Token) -> None:
        await self.steps()

    async def sign(self, claims: dict[str, Any]) -> str:
        await self.steps()
        return "jwt"


@pytest.mark.parametrize("entered", [False, True])
@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("native", [False, True])
@pytest.mark.parametrize("backend", BACKENDS)
def test_whoever_leads_is_cancelled_at_every_await(backend: str, native: bool, after: bool, entered: bool) -> None:
    """Others take over where the client was not entered; where it was, nobody has to."""
    if native and backend == "trio":
        return  # tasks are cancelled by scopes only

    async def main(which: int) -> bool:
        world = World(Steps(which, after))
        auth = OAuth2ClientCredentials(
            "https://auth.example/token", "id", client_auth="private_key_jwt", sign=world.sign, store=world
        )
        client = AsyncHTTPClient("https://api.example", CONFIG, auth, transport=world, clock=anyio.current_time)
        answers: list[bytes] = []
        served = False

        async def lead() -> None:
            nonlocal served
            await client.get("/x")
            served = True

        async def scoped(scope: anyio.CancelScope) -> None:
            with scope:
                await lead()

        async def ask() -> None:
            answers.append((await client.get("/x")).content)

        if entered:
            await client.__aenter__()
        async with anyio.create_task_group() as tasks:
            task: Any = None
            if native:
                task = asyncio.ensure_future(lead())
                world.steps.cancel = task.cancel
            else:
                scope = anyio.CancelScope()
                world.steps.cancel = scope.cancel
                tasks.start_soon(scoped, scope)
            await anyio.wait_all_tasks_blocked()
            for _ in range(5):
                tasks.start_soon(ask)
            if native:
                await asyncio.wait([task])
        assert len(answers) == 5 and len(set(answers)) == 1
        assert world.tokens == 1 if entered else world.tokens <= 2
        assert auth.refreshing is None and auth.deadline is None
        await client.__aexit__(None, None, None)
        return served

    # The store, the signature, two of the endpoint, the store again, and its own request.
    ends = [run_virtual(backend, main, which) for which in range(1, 13)]
    assert ends[:5] == [False] * 5 and all(ends[11:])


@pytest.mark.parametrize("entered", [False, True])
@pytest.mark.parametrize("backend", BACKENDS)
def test_two_hundred_calls_with_an_expired_token_ask_for_one(backend: str, entered: bool) -> None:
    async def main() -> None:
        world = World(Steps(0, False))
        auth = OAuth2ClientCredentials("https://auth.example/token", "id", "secret")
        client = AsyncHTTPClient("https://api.example", CONFIG, auth, transport=world, clock=anyio.current_time)
        answers: list[bytes] = []

        async def ask() -> None:
            answers.append((await client.get("/x")).content)

        if entered:
            await client.__aenter__()
        await ask()
        await anyio.sleep(101)
        async with anyio.create_task_group() as tasks:
            for _ in range(200):
                tasks.start_soon(ask)
        await client.__aexit__(None, None, None)
        assert answers == [b"Bearer t1"] + [b"Bearer t2"] * 200 and world.tokens == 2

    run_virtual(backend, main)
