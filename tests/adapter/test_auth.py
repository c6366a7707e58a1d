"""Credentials: ours outside any client, and the users' own inside one."""

from __future__ import annotations

from typing import Any

import anyio
import anyio.lowlevel
import pytest

from sansio_http_anyio import (
    APIKeyAuth,
    AsyncHTTPClient,
    AttemptTimeoutError,
    AuthHandler,
    BasicAuth,
    BearerAuth,
    ClientConfig,
    HTTPRequest,
    Policies,
    PreparedRequest,
    TokenBucketRateLimiter,
    TotalTimeoutError,
)
from tests.fixtures.mock_server import MockServer, Reply

pytestmark = pytest.mark.anyio

QUICK = ClientConfig(retry_backoff_factor=0.001)


# Alone


@pytest.mark.parametrize(
    ("auth", "header", "value"),
    [
        (BearerAuth("a.b~c=="), "Authorization", "Bearer a.b~c=="),
        (BasicAuth("Aladdin", "open sesame"), "Authorization", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="),  # RFC 7617 2
        (BasicAuth("test", "123£"), "Authorization", "Basic dGVzdDoxMjPCow=="),  # RFC 7617 2.1
        (APIKeyAuth("key"), "X-API-Key", "key"),
        (APIKeyAuth("key", name="Token"), "Token", "key"),
        (APIKeyAuth("key", name="sid", location="cookie"), "Cookie", "sid=key"),
    ],
)
async def test_a_request_is_prepared_outside_any_client(auth: AuthHandler, header: str, value: str) -> None:
    request = HTTPRequest("GET", "http://api.example.com/")
    assert await auth.prepare_request(request) is request
    assert request.headers == {header: value}
    assert value.split()[-1] not in repr(auth)


async def test_a_key_in_the_query_outside_any_client() -> None:
    request = HTTPRequest("GET", "http://api.example.com/?a=1")
    await APIKeyAuth("k y", name="key", location="query").prepare_request(request)
    assert request.url == "http://api.example.com/?a=1&key=k%20y"


def test_a_handler_must_say_how() -> None:
    with pytest.raises(TypeError, match="prepare_request"):
        AuthHandler()  # type: ignore[abstract]


# In a client


class Vault(AuthHandler):
    """Gives a token for each send, after a while."""

    def __init__(self, after: float = 0.0) -> None:
        self.after = after
        self.asked: list[HTTPRequest] = []

    async def prepare_request(self, request: HTTPRequest) -> PreparedRequest:
        await anyio.sleep(self.after)
        self.asked.append(request)
        request.headers["Authorization"] = f"Bearer {len(self.asked)}"
        return request


@pytest.mark.parametrize("path", ["/bearer", "/basic", "/api-key"])
async def test_ours_are_accepted(path: str, server: MockServer) -> None:
    auths = {"/bearer": BearerAuth("secret"), "/basic": BasicAuth("user", "secret"), "/api-key": APIKeyAuth("secret")}
    async with AsyncHTTPClient(server.url, auth=auths[path]) as client:
        assert (await client.get(path)).json_data == {"authenticated": True}


async def test_a_users_handler_is_awaited_for_each_send(server: MockServer) -> None:
    server.on("/x", Reply(503), Reply(307, headers={"Location": "/y"}))
    vault = Vault(after=0.001)
    config = ClientConfig(retry_backoff_factor=0.001, follow_redirects=True)
    async with AsyncHTTPClient(server.url, config, vault) as client:
        assert (await client.get("/x", params={"a": 1})).status_code == 404
    assert [request.headers["authorization"] for request in server.requests] == ["Bearer 1", "Bearer 2", "Bearer 3"]
    assert [request.url for request in vault.asked] == [f"{server.url}/x?a=1"] * 2 + [f"{server.url}/y"]


async def test_a_users_handler_is_not_asked_for_another_origin(server: MockServer, other: MockServer) -> None:
    server.on("/x", Reply(307, headers={"Location": f"{other.url}/json"}))
    vault = Vault()
    async with AsyncHTTPClient(server.url, ClientConfig(follow_redirects=True), vault) as client:
        assert (await client.get("/x")).is_success
    assert len(vault.asked) == 1 and "authorization" not in other.requests[0].headers


async def test_a_handler_may_give_nothing_or_another_request(server: MockServer) -> None:
    class Odd(AuthHandler):
        async def prepare_request(self, request: HTTPRequest) -> Any:
            if "plain" in request.url:
                return None
            return HTTPRequest("PUT", f"{server.url}/echo", {"X-New": "1"})

    async with AsyncHTTPClient(server.url, auth=Odd()) as client:
        assert (await client.get("/plain")).status_code == 404
        assert (await client.get("/other")).json_data["method"] == "PUT"


async def test_a_subclass_of_ours_that_overrides_prepare_request_is_asked(server: MockServer) -> None:
    class Refreshed(BearerAuth):
        async def prepare_request(self, request: HTTPRequest) -> PreparedRequest:
            await anyio.lowlevel.checkpoint()
            request.headers["X-Fresh"] = "1"
            return await super().prepare_request(request)

    class Renamed(BearerAuth):
        pass

    class Applied(BearerAuth):
        def apply(self, request: HTTPRequest, now: float) -> None:
            super().apply(request, now)
            request.headers["X-Applied"] = "1"

    async with AsyncHTTPClient(server.url) as client:
        for auth in (Refreshed("t"), Renamed("t"), Applied("t")):
            await client.get("/echo", auth=auth)
    first, second, third = server.requests
    assert {request.headers["authorization"] for request in server.requests} == {"Bearer t"}
    assert ["x-fresh" in request.headers for request in (first, second, third)] == [True, False, False]
    assert "x-applied" in third.headers


async def test_credentials_of_the_core_need_not_be_handlers(server: MockServer) -> None:
    class Stamp:
        def apply(self, request: HTTPRequest, now: float) -> None:
            request.headers["X-Stamp"] = "1"

    async with AsyncHTTPClient(server.url, auth=Stamp()) as client:
        await client.get("/echo")
    assert server.requests[0].headers["x-stamp"] == "1"


async def test_who_is_asked_need_not_be_asynchronous(server: MockServer) -> None:
    def stamp(request: HTTPRequest) -> HTTPRequest:
        request.headers["X-Stamp"] = "1"
        return request

    async with AsyncHTTPClient(server.url, policies=Policies(ask_auth=stamp)) as client:
        await client.get("/echo")
    assert server.requests[0].headers["x-stamp"] == "1"


async def test_what_a_handler_raises_ends_the_call(server: MockServer) -> None:
    class Broken(AuthHandler):
        async def prepare_request(self, request: HTTPRequest) -> PreparedRequest:
            raise ZeroDivisionError("mine")

    limiter = TokenBucketRateLimiter(1, 1)
    async with AsyncHTTPClient(server.url, QUICK, Broken(), rate_limiter=limiter) as client:
        with pytest.raises(ZeroDivisionError, match="mine"):
            await client.get("/x")
    assert server.connections == 0
    assert await limiter.acquire() == 0  # nothing had been taken


async def test_nothing_is_held_while_a_handler_is_asked(server: MockServer, eventually: Any) -> None:
    limiter = TokenBucketRateLimiter(1, 1)
    config = ClientConfig(max_connections=1)
    async with AsyncHTTPClient(server.url, config, Vault(after=60), rate_limiter=limiter) as client:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(client.get, "/x")
            await anyio.sleep(0.02)
            slots: Any = client.policies.slots
            assert slots.in_use == 0 and limiter.waiting == 0
            assert (await client.get("/json", auth=BearerAuth("now"))).is_success
            tasks.cancel_scope.cancel()


async def test_a_handler_has_the_time_of_the_call(server: MockServer) -> None:
    async with AsyncHTTPClient(server.url, ClientConfig(timeout=0.05), Vault(after=60)) as client:
        with pytest.raises(TotalTimeoutError) as caught:
            await client.get("/x")
    assert caught.value.phase == "queue" and not caught.value.head_sent
    assert not isinstance(caught.value, AttemptTimeoutError)
    assert server.connections == 0
