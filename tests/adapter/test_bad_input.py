"""Mistakes are found before anything is sent, and the error names the field that is wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anyio
import pytest

from sansio_http_anyio import (
    AsyncHTTPClient,
    AuthHandler,
    BasicAuth,
    BearerAuth,
    CircuitBreaker,
    ClientClosedError,
    ClientConfig,
    ConfigurationError,
    HTTPClientError,
    HTTPRequest,
    InvalidRequestError,
    Middleware,
    RetryMiddleware,
    RetryPolicy,
    SlidingWindowRateLimiter,
    TokenBucketRateLimiter,
)
from tests.fixtures.mock_server import MockServer

pytestmark = pytest.mark.anyio

BASE = "http://api.example.com"

CONFIGURATIONS: list[tuple[Callable[[], Any], str]] = [
    (lambda: ClientConfig(timout=1), r"ClientConfig\.timout: there is no such field; did you mean 'timeout'"),  # type: ignore[call-arg]
    (lambda: ClientConfig(timeout=0), r"ClientConfig\.timeout: 0 is not allowed"),
    (lambda: ClientConfig(max_connections=0), r"ClientConfig\.max_connections: 0 is not allowed"),
    (lambda: ClientConfig(retry_attempts=-1), r"ClientConfig\.retry_attempts: -1 is not allowed"),
    (lambda: TokenBucketRateLimiter(rate=-1, burst=1), "rate: -1 is not allowed"),
    (lambda: TokenBucketRateLimiter(rate=1, burst=0), "burst: 0 is not allowed"),
    (lambda: TokenBucketRateLimiter(rate="1", burst=1), "rate: '1' is not allowed"),  # type: ignore[arg-type]
    (lambda: TokenBucketRateLimiter(rate=1, burst=1, max_wait=-1), "max_wait: -1 is not allowed"),
    (lambda: SlidingWindowRateLimiter(limit=0, window=1), "limit: 0 is not allowed"),
    (lambda: SlidingWindowRateLimiter(limit=1, window=0), "window: 0 is not allowed"),
    (lambda: CircuitBreaker(failure_threshold=0), r"CircuitBreaker\.failure_threshold: 0 is not allowed"),
    (lambda: CircuitBreaker(recovery_timeout=-1), r"CircuitBreaker\.recovery_timeout: -1 is not allowed"),
    (lambda: CircuitBreaker(expected_exception="no"), r"CircuitBreaker\.expected_exception: 'no' is not allowed"),  # type: ignore[arg-type]
    (lambda: CircuitBreaker(expected_exception=(ValueError, 1)), r"CircuitBreaker\.expected_exception"),  # type: ignore[arg-type]
    (lambda: BearerAuth("a b"), r"BearerAuth\.token: not a bearer token"),
    (lambda: BasicAuth("a:b", ""), r"BasicAuth\.username: may not have a colon"),
    (lambda: AsyncHTTPClient("api.example.com"), "base_url: .* is not an absolute URL"),
    (lambda: AsyncHTTPClient("//api.example.com"), "base_url: .* is not an absolute URL"),
    (lambda: AsyncHTTPClient("ftp://api.example.com"), "base_url: .* is not http or https"),
    (lambda: AsyncHTTPClient("http://user:pass@api.example.com"), "base_url: .* has a user name or password"),
    (lambda: AsyncHTTPClient(None), "base_url: must be a str, not NoneType"),  # type: ignore[arg-type]
    (lambda: AsyncHTTPClient(BASE, {"timeout": 1}), "config: dict is not allowed; it is a ClientConfig"),  # type: ignore[arg-type]
    (lambda: AsyncHTTPClient(BASE, auth="token"), "auth: str is not allowed; it is BearerAuth"),  # type: ignore[arg-type]
    (lambda: AsyncHTTPClient(BASE, auth=BearerAuth), "auth: the class BearerAuth is not allowed"),  # type: ignore[arg-type]
    (lambda: AsyncHTTPClient(BASE, auth=("user", "pass")), "auth: a tuple of two str is not allowed"),  # type: ignore[arg-type]
    (lambda: AsyncHTTPClient(BASE, rate_limiter=10), "rate_limiter: int is not allowed"),  # type: ignore[arg-type]
    (
        lambda: AsyncHTTPClient(BASE, rate_limiter=TokenBucketRateLimiter),  # type: ignore[arg-type]
        "rate_limiter: the class TokenBucketRateLimiter is not allowed",
    ),
    (lambda: AsyncHTTPClient(BASE, circuit_breaker=5), "circuit_breaker: int is not allowed"),  # type: ignore[arg-type]
    (lambda: AsyncHTTPClient(BASE, middlewares=5), "middlewares: int is not allowed"),  # type: ignore[arg-type]
    (lambda: AsyncHTTPClient(BASE, middlewares=Middleware()), "middlewares: Middleware is not allowed"),  # type: ignore[arg-type]
    (lambda: AsyncHTTPClient(BASE, middlewares=[Middleware]), "middlewares: the class Middleware is not allowed"),  # type: ignore[list-item]
    (lambda: AsyncHTTPClient(BASE, middlewares=["log"]), "middlewares: str is not allowed"),  # type: ignore[list-item]
    (lambda: AsyncHTTPClient(BASE, attempt_middlewares=[print]), "attempt_middlewares: builtin_.* is not allowed"),  # type: ignore[list-item]
    (
        lambda: AsyncHTTPClient(BASE, middlewares=[RetryMiddleware(RetryPolicy()), RetryMiddleware(RetryPolicy())]),
        "middlewares: 2 RetryMiddlewares",
    ),
    (
        lambda: AsyncHTTPClient(BASE, attempt_middlewares=[RetryMiddleware(RetryPolicy())]),
        "attempt_middlewares: a RetryMiddleware belongs into middlewares",
    ),
    (
        lambda: AsyncHTTPClient(BASE, middlewares=[RetryMiddleware(3)]),  # type: ignore[arg-type]
        r"RetryMiddleware\.policy: int is not allowed",
    ),
    (lambda: AsyncHTTPClient(BASE, policies=RetryPolicy()), "policies: RetryPolicy is not allowed"),  # type: ignore[arg-type]
    (lambda: AsyncHTTPClient(BASE, transport="tcp"), r"transport\.send: NoneType is not allowed"),  # type: ignore[arg-type]
    (lambda: AsyncHTTPClient(BASE, clock=0.0), "clock: float is not allowed"),  # type: ignore[arg-type]
    (lambda: AsyncHTTPClient(BASE, headers={"X-Key": "a\r\nb"}), r"headers\['X-Key'\]: the value has a character"),
    (lambda: AsyncHTTPClient(BASE, headers={"X Key": "a"}), "headers: 'X Key' is not a header name"),
    (lambda: AsyncHTTPClient(BASE, headers=5), "headers: must be a mapping"),  # type: ignore[arg-type]
    (lambda: AsyncHTTPClient(BASE, params="a=b"), "params: must be a mapping or .*, not str"),  # type: ignore[arg-type]
    (lambda: AsyncHTTPClient(BASE, params=5), "params: must be a mapping or .*, not int"),  # type: ignore[arg-type]
]


@pytest.mark.parametrize(("build", "message"), CONFIGURATIONS, ids=[message for _, message in CONFIGURATIONS])
def test_configuration_is_validated_when_it_is_built(build: Callable[[], Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message) as caught:
        build()
    assert isinstance(caught.value, ValueError)


REQUESTS: list[tuple[Callable[[AsyncHTTPClient], Any], str]] = [
    (lambda client: client.request("FETCH", "/"), "method: 'FETCH' is not one of DELETE, GET"),
    (lambda client: client.request("CONNECT", "/"), "method: 'CONNECT' is not one of"),
    (lambda client: client.request(5, "/"), "method: 5 is not one of"),
    (lambda client: client.get(None), "url: must be a str, not NoneType"),
    (lambda client: client.get("//evil.example.com/"), "url: begins with //, which names another host"),
    (lambda client: client.get("http://evil.example.com/"), "url: is outside of the base"),
    (lambda client: client.get("/../admin"), "url: "),
    (lambda client: client.get("/%2e%2e/admin"), "url: "),
    (lambda client: client.get("/a\\b"), "url: has a backslash"),
    (lambda client: client.get("/a\nb"), "url: has a control character"),
    (
        lambda client: client.get("/", headers={"X-Key": "a\r\nEvil: b"}),
        r"headers\['X-Key'\]: the value has a character",
    ),
    (lambda client: client.get("/", headers={"X\nKey": "a"}), "headers: .* is not a header name"),
    (
        lambda client: client.get("/", headers={"X-Key": None}),
        r"headers\['X-Key'\]: the value must be a str, not NoneType",
    ),
    (lambda client: client.get("/", headers=5), "headers: must be a mapping or .*, not int"),
    (lambda client: client.get("/", params="a=b"), "params: must be a mapping or .*, not str"),
    (lambda client: client.get("/", params=5), "params: must be a mapping or .*, not int"),
    (lambda client: client.get("/", params=[("a", "b", "c")]), "params: must be a mapping or"),
    (lambda client: client.get("/", params={"a": object()}), r"params\['a'\]: must be a str, int"),
    (lambda client: client.get("/", params={"a": float("nan")}), r"params\['a'\]: a float must be finite"),
    (lambda client: client.get("/", params={1: "a"}), "params: a name must be a str, not int"),
    (lambda client: client.post("/", json={}, data={}), "json, data: a request has one body"),
    (lambda client: client.post("/", json=object()), "json: object cannot be encoded"),
    (lambda client: client.post("/", json=float("inf")), "json: "),
    (lambda client: client.post("/", data=5), "data: int is not allowed; it is a mapping"),
    (lambda client: client.post("/", data={"a": object()}), r"data\['a'\]: must be a str, int"),
    (lambda client: client.post("/", data=["a"]), "data: must be"),
    (lambda client: client.get("/", timeout=0), "timeout: 0 is not allowed; it is seconds above 0"),
    (lambda client: client.get("/", timeout=-1), "timeout: -1 is not allowed"),
    (lambda client: client.get("/", timeout="5"), "timeout: '5' is not allowed"),
    (lambda client: client.get("/", timeout=float("nan")), "timeout: nan is not allowed"),
    (
        lambda client: client.post("/", idempotency_key="a\nb"),
        r"headers\['Idempotency-Key'\]: the value has a character",
    ),
    (lambda client: client.post("/", idempotency_key=7), r"headers\['Idempotency-Key'\]: the value must be a str"),
]

WRONG_PARTS: list[tuple[Callable[[AsyncHTTPClient], Any], str]] = [
    (lambda client: client.get("/", auth="token"), "auth: str is not allowed"),
    (lambda client: client.get("/", policies=RetryPolicy()), "policies: RetryPolicy is not allowed; it is a Policies"),
]


@pytest.mark.parametrize(
    ("kind", "ask", "message"),
    [(InvalidRequestError, *each) for each in REQUESTS] + [(ConfigurationError, *each) for each in WRONG_PARTS],
    ids=[message for _, message in REQUESTS + WRONG_PARTS],
)
async def test_a_request_is_validated_before_anything_is_sent(
    kind: type[HTTPClientError], ask: Callable[[AsyncHTTPClient], Any], message: str, server: MockServer
) -> None:
    async with AsyncHTTPClient(server.url, params={"v": 1}) as client:
        with pytest.raises(kind, match=message) as caught:
            await ask(client)
        policies: Any = client.policies
        assert policies.slots.in_use == 0
    assert isinstance(caught.value, ValueError) and caught.value.attempts == ()
    assert server.connections == 0


async def test_what_is_wrong_with_a_stream_is_said_on_entering(server: MockServer) -> None:
    async with AsyncHTTPClient(server.url) as client:
        with pytest.raises(InvalidRequestError, match="method: 'FETCH'"):
            async with client.stream("FETCH", "/"):
                pass  # pragma: no cover
    assert server.connections == 0


async def test_an_unknown_keyword_is_a_type_error(server: MockServer) -> None:
    async with AsyncHTTPClient(server.url) as client:
        for ask in (
            client.get("/", parms={}),
            client.request("GET", "/", jsn={}),
            client.request("GET", "/", stream=True),
            client.stream("GET", "/", jsn={}).__aenter__(),  # type: ignore[call-arg]
            client.download("/", "file", parms={}),  # type: ignore[call-arg]
        ):
            with pytest.raises(TypeError, match=r"unexpected keyword argument '(parms|jsn|stream)'"):
                await ask
    assert server.connections == 0


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_outside_of_an_event_loop_and_in_another_one(backend: str, server: MockServer) -> None:
    client = AsyncHTTPClient(server.url)

    async def enter() -> None:
        async with client:
            pass

    async def ask() -> None:
        await client.get("/json")

    other = AsyncHTTPClient(server.url)

    async def only_enter() -> None:
        await other.__aenter__()

    anyio.run(enter, backend=backend)
    with pytest.raises(ClientClosedError, match="is closed"):
        anyio.run(ask, backend=backend)
    client = other
    anyio.run(only_enter, backend=backend)
    with pytest.raises(ClientClosedError, match="another event loop"):
        anyio.run(ask, backend=backend)
    assert server.connections == 0


async def test_a_hook_that_gives_back_something_else(server: MockServer) -> None:
    class Confused(Middleware):
        async def process_request(self, request: HTTPRequest, client: AsyncHTTPClient) -> Any:
            return request.url

    places: list[dict[str, Any]] = [{"middlewares": [Confused()]}, {"attempt_middlewares": [Confused()]}]
    for place in places:
        async with AsyncHTTPClient(server.url, **place) as client:
            with pytest.raises(ConfigurationError, match="gave back a str; allowed is an HTTPRequest"):
                await client.get("/json")
    assert server.connections == 0


async def test_a_hook_that_makes_a_request_that_cannot_be_sent(server: MockServer) -> None:
    class Breaking(Middleware):
        def __init__(self, **changes: Any) -> None:
            self.changes = changes

        async def process_request(self, request: HTTPRequest, client: AsyncHTTPClient) -> None:
            for name, value in self.changes.items():
                setattr(request, name, value)

    cases: list[tuple[dict[str, Any], str]] = [
        ({"method": "FETCH"}, "method: 'FETCH'"),
        ({"url": "/relative"}, "url: "),
        ({"url": "http://user:secret@127.0.0.1/"}, "url: has a user name"),
        ({"headers": {"a b": "c"}}, "headers: 'a b'"),
        ({"body": "text"}, "body: must be bytes"),
        ({"timeout": -1}, "timeout: -1"),
    ]
    for changes, message in cases:
        for place in ("middlewares", "attempt_middlewares"):
            parts: dict[str, Any] = {place: [Breaking(**changes)]}
            async with AsyncHTTPClient(server.url, **parts) as client:
                with pytest.raises(InvalidRequestError, match=message):
                    await client.get("/json")
    assert server.connections == 0


async def test_a_handler_that_gives_back_something_else(server: MockServer) -> None:
    class Confused(AuthHandler):
        async def prepare_request(self, request: HTTPRequest) -> Any:
            return "Bearer secret"

    async with AsyncHTTPClient(server.url, auth=Confused()) as client:
        with pytest.raises(ConfigurationError, match="gave back a str; allowed is an HTTPRequest"):
            await client.get("/json")
    assert server.connections == 0
