"""The client's life: what it is made of, what it says about itself, and how it ends."""

from __future__ import annotations

import gc
import math
import warnings
from collections.abc import Callable
from typing import Any

import anyio
import pytest

from sansio_http import Ended, HTTPResponse, Policies, Send
from sansio_http_anyio import (
    AsyncHTTPClient,
    AttemptTimeoutError,
    BearerAuth,
    CircuitBreaker,
    ClientClosedError,
    ClientConfig,
    Concurrency,
    ConfigurationError,
    Middleware,
    RetryMiddleware,
    RetryPolicy,
    TokenBucketRateLimiter,
    __version__,
)
from tests.adapter.answering import Answering
from tests.fixtures.mock_server import MockServer, Reply
from tests.fixtures.virtual_loop import run_virtual

pytestmark = pytest.mark.anyio


# What it is made of


async def test_what_it_says_about_itself() -> None:
    config = ClientConfig(timeout=3)
    client = AsyncHTTPClient("HTTP://API.Example.com:80/v1/", config)
    assert client.base_url == "http://api.example.com/v1"
    assert client.config is config
    assert isinstance(client.policies, Policies)
    assert not client.is_closed
    assert repr(client) == "<AsyncHTTPClient http://api.example.com/v1>"
    await client.aclose()
    assert client.is_closed
    assert repr(client) == "<AsyncHTTPClient http://api.example.com/v1, closed>"


async def test_every_positional_parameter_in_the_order_of_the_documentation(server: MockServer) -> None:
    config, auth, middleware = ClientConfig(), BearerAuth("secret"), Middleware()
    limiter, breaker = TokenBucketRateLimiter(100, 10), CircuitBreaker()
    async with AsyncHTTPClient(server.url, config, auth, [middleware], limiter, breaker) as client:
        policies = client.policies
        assert (policies.auth, policies.limiter, policies.circuit) == (auth, limiter, breaker)
        assert (await client.get("/bearer")).is_success
    assert limiter.waiting == 0 and breaker.permits_out == 0


async def test_what_the_config_says_goes_to_the_policies() -> None:
    config = ClientConfig(
        max_connections=7, retry_attempts=5, follow_redirects=True, max_redirects=3, attempt_timeout=2, pool_timeout=1
    )
    async with AsyncHTTPClient("http://api.example.com", config) as client:
        policies = client.policies
        assert policies.slots is not None and policies.slots.limit == 7
        assert policies.retry is not None and policies.retry.retries == 5
        assert policies.redirects is not None and policies.redirects.limit == 3
        assert (policies.attempt_timeout, policies.pool_timeout) == (2, 1)
        assert policies.auth_origin == "http://api.example.com"
    async with AsyncHTTPClient("http://api.example.com", ClientConfig(retry_attempts=0)) as client:
        assert client.policies.retry is None and client.policies.redirects is None


async def test_given_policies_take_the_place_of_the_configs_and_single_parts_go_before_both() -> None:
    slots, retry = Concurrency(2), RetryPolicy(retries=9)
    given = Policies(slots=slots, retry=RetryPolicy(retries=1), auth_origin="https://elsewhere.example.com")
    client = AsyncHTTPClient(
        "http://api.example.com", ClientConfig(retry_attempts=5), middlewares=[RetryMiddleware(retry)], policies=given
    )
    async with client:
        assert client.policies.slots is slots
        assert client.policies.retry is retry
        assert client.policies.auth_origin == "https://elsewhere.example.com"
        assert client.policies.rand is not None and client.policies.entropy is not None and client.policies.wall


async def test_a_request_says_who_sends_it(server: MockServer) -> None:
    async with AsyncHTTPClient(server.url) as client:
        await client.get("/json")
    (request,) = server.requests
    assert request.headers == {
        "host": f"127.0.0.1:{server.port}",
        "user-agent": f"sansio-http/{__version__}",
        "accept": "*/*",
        "accept-encoding": "gzip, deflate, br, zstd",
    }


async def test_default_headers_and_params_go_with_every_request(server: MockServer) -> None:
    headers = [("user-agent", "mine/1"), ("X-Twice", "a"), ("X-Twice", "b")]
    params: dict[str, Any] = {"v": "2", "tag": ["a", "b"]}
    async with AsyncHTTPClient(server.url, headers=headers, params=params) as client:
        params["late"] = "no"  # what was given was copied
        await client.get("/json")
        await client.get("/json", headers={"x-twice": "c"}, params={"tag": "z"})
        await client.get("/json", headers=[("X-One", "1"), ("X-One", "2")], params=[("tag", "p"), ("n", 1)])
    first, second, third = server.requests
    assert first.headers["user-agent"] == "mine/1" and first.headers["x-twice"] == "a, b"
    assert b"X-Twice: a\r\nX-Twice: b" in first.head
    assert first.query == "v=2&tag=a&tag=b"
    assert second.headers["x-twice"] == "c"
    assert second.query == "v=2&tag=z"
    assert b"X-One: 1\r\nX-One: 2" in third.head
    assert third.query == "v=2&tag=p&n=1"


# Its life


async def test_it_works_without_async_with(server: MockServer) -> None:
    client = AsyncHTTPClient(server.url)
    assert (await client.get("/json")).json_data == {"hello": "world"}
    assert server.open_connections == 1
    await client.aclose()
    assert server.open_connections == 0
    await client.aclose()


async def test_a_closed_client_refuses(server: MockServer) -> None:
    async with AsyncHTTPClient(server.url) as client:
        pass
    for use in (client.get("/json"), client.stream("GET", "/json").__aenter__(), client.__aenter__()):
        with pytest.raises(ClientClosedError, match="is closed"):
            await use
    assert server.connections == 0


async def test_the_transport_is_closed_once_with_the_client() -> None:
    transport = Answering()
    async with AsyncHTTPClient("http://api.example.com", transport=transport) as client:
        assert (await client.get("/")).status_code == 200
    await client.aclose()
    assert transport.closed == 1


async def test_collected_open_it_closes_its_sockets_and_warns_once(server: MockServer, eventually: Any) -> None:
    client = AsyncHTTPClient(server.url)
    await client.get("/json")
    with pytest.warns(ResourceWarning, match="was not closed; use `async with`, or call aclose") as caught:
        del client
    assert len(caught) == 1
    await eventually(lambda: server.open_connections == 0)


async def test_collected_with_hooks_that_know_it_it_is_collected_as_well(server: MockServer, eventually: Any) -> None:
    client = AsyncHTTPClient(server.url, middlewares=[Middleware()], attempt_middlewares=[Middleware()])
    await client.get("/json")
    with pytest.warns(ResourceWarning, match="was not closed"):
        del client
    await eventually(lambda: server.open_connections == 0)


async def test_collected_without_sockets_it_says_nothing(server: MockServer) -> None:
    for transport in (None, Answering()):
        client = AsyncHTTPClient(server.url, transport=transport)
        del client
        gc.collect()
    with pytest.raises(ConfigurationError):
        AsyncHTTPClient("nowhere")
    with pytest.raises(TypeError):
        AsyncHTTPClient(server.url, no_such_parameter=1)  # type: ignore[call-arg]
    gc.collect()


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_collected_after_its_event_loop(backend: str, server: MockServer) -> None:
    async def main() -> AsyncHTTPClient:
        client = AsyncHTTPClient(server.url)
        await client.get("/json")
        return client

    client = anyio.run(main, backend=backend)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        del client
        gc.collect()
    # asyncio's transport says so for itself when its loop is no more.
    ours = [warning for warning in caught if "was not closed" in str(warning.message)]
    assert len(ours) == 1 and all(warning.category is ResourceWarning for warning in caught)
    assert server.open_connections == 0


@pytest.mark.parametrize(("first", "second"), [("asyncio", "asyncio"), ("trio", "trio"), ("asyncio", "trio")])
def test_a_client_belongs_to_one_event_loop(first: str, second: str, server: MockServer) -> None:
    client = AsyncHTTPClient(server.url)

    async def ask() -> int:
        return (await client.get("/json")).status_code

    async def ask_elsewhere() -> None:
        with pytest.raises(ClientClosedError, match="another event loop"):
            await client.get("/json")
        with pytest.raises(ClientClosedError, match="another event loop"):
            async with client:
                pass  # pragma: no cover
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)  # by asyncio's transport, whose loop is no more
            await client.aclose()
            gc.collect()

    assert anyio.run(ask, backend=first) == 200
    anyio.run(ask_elsewhere, backend=second)
    assert len(server.requests) == 1
    assert server.open_connections == 0


# Closing during calls


CLOSED_DURING = "closed during the call"


async def closed_during(client: AsyncHTTPClient, *calls: Any, when: Callable[[], object], eventually: Any) -> None:
    """Closes the client once the calls have come so far, and has each of them end at once."""
    errors: list[ClientClosedError] = []

    async def run(call: Any) -> None:
        with pytest.raises(ClientClosedError, match=CLOSED_DURING) as caught:
            await call
        errors.append(caught.value)

    with anyio.fail_after(2):
        async with anyio.create_task_group() as tasks:
            for call in calls:
                tasks.start_soon(run, call)
            await eventually(when)
            await client.aclose()
    assert len(errors) == len(calls)
    policies: Any = client.policies
    assert policies.slots.in_use == policies.slots.waiting == 0
    assert policies.circuit is None or (policies.circuit.permits_out, policies.circuit.failures) == (0, 0)
    assert policies.limiter is None or policies.limiter.waiting == 0


async def test_closing_ends_calls_in_flight(server: MockServer, eventually: Any) -> None:
    server.on("/hang", Reply.hang())
    server.on("/half", Reply(body=bytes(1000), cut=10, then="hang"))
    client = AsyncHTTPClient(server.url, circuit_breaker=CircuitBreaker())
    calls = [client.get("/hang"), client.post("/hang"), client.get("/half")]
    await closed_during(client, *calls, when=lambda: server.count() == 3, eventually=eventually)
    assert server.open_connections == 0
    assert server.count() == 3


async def test_closing_ends_a_backoff_and_the_error_tells_of_the_attempt(server: MockServer, eventually: Any) -> None:
    client = AsyncHTTPClient(server.url, ClientConfig(retry_backoff_factor=20))
    caught: list[ClientClosedError] = []

    async def call() -> None:
        try:
            await client.get("/status/503")
        except ClientClosedError as error:
            caught.append(error)
            raise

    slots: Any = client.policies.slots
    await closed_during(client, call(), when=lambda: server.count() == 1 and not slots.in_use, eventually=eventually)
    assert [attempt.status_code for attempt in caught[0].attempts] == [503]


async def test_closing_ends_waits_for_the_limiter_and_for_a_slot(server: MockServer, eventually: Any) -> None:
    server.on("/hang", Reply.hang())
    limiter = TokenBucketRateLimiter(0.1, 2)
    client = AsyncHTTPClient(server.url, ClientConfig(max_connections=1, timeout=None), rate_limiter=limiter)
    slots: Any = client.policies.slots
    calls = [client.get("/hang") for _ in range(5)]
    await closed_during(
        client, *calls, when=lambda: server.count() == 1 and slots.waiting and limiter.waiting, eventually=eventually
    )


async def test_closing_ends_what_waits_for_something_of_the_users(server: MockServer, eventually: Any) -> None:
    asked: list[str] = []

    class Slow(Middleware):
        async def process_request(self, request: Any, client: AsyncHTTPClient) -> None:
            asked.append(request.url)
            await anyio.sleep(60)

    client = AsyncHTTPClient(server.url, middlewares=[Slow()])
    await closed_during(client, client.get("/once"), when=lambda: asked, eventually=eventually)
    client = AsyncHTTPClient(server.url, attempt_middlewares=[Slow()])
    await closed_during(client, client.get("/each"), when=lambda: len(asked) == 2, eventually=eventually)
    assert server.connections == 0


async def test_an_answer_that_has_come_is_kept_when_the_client_is_closed() -> None:
    class Last(Answering):
        async def send(self, send: Send) -> Ended:
            send.ended = Ended(send.id, HTTPResponse(200))
            await client.aclose()
            await anyio.sleep(60)
            raise AssertionError("it was not cancelled")

    client = AsyncHTTPClient("http://api.example.com", transport=Last())
    assert (await client.get("/")).status_code == 200


async def test_a_hook_may_close_the_client(server: MockServer) -> None:
    class Closing(Middleware):
        async def process_request(self, request: Any, client: AsyncHTTPClient) -> None:
            await client.aclose()

    for places in ({"middlewares": [Closing()]}, {"attempt_middlewares": [Closing()]}):
        with pytest.raises(ClientClosedError, match=CLOSED_DURING):
            await AsyncHTTPClient(server.url, **places).get("/json")
    assert server.connections == 0


async def test_a_hook_that_looks_at_the_answer_may_do_so_when_the_client_is_closed(server: MockServer) -> None:
    class Thorough(Middleware):
        async def process_response(self, response: HTTPResponse, request: Any) -> None:
            await client.aclose()
            await anyio.sleep(0.001)

    client = AsyncHTTPClient(server.url, middlewares=[Thorough()])
    assert (await client.get("/json")).status_code == 200
    assert client.is_closed


# Time


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_waits_and_deadlines_are_on_the_clients_clock(backend: str) -> None:
    async def main() -> tuple[float, list[float]]:
        transport = Answering(lambda send: HTTPResponse(503), after=1.0)
        config = ClientConfig(retry_attempts=2, on_exhausted="return", timeout=3600, retry_max_delay=600)
        retry = RetryMiddleware(
            RetryPolicy(retries=2, on_exhausted="return", backoff=config.retry_policy().backoff)  # type: ignore[union-attr]
        )
        client = AsyncHTTPClient(
            "http://api.example.com",
            config,
            middlewares=[retry],
            policies=Policies(rand=lambda: 0.5),
            transport=transport,
            clock=anyio.current_time,
        )
        began = anyio.current_time()
        async with client:
            response = await client.get("/")
        return anyio.current_time() - began, [attempt.delay or math.nan for attempt in response.attempts]

    elapsed, delays = run_virtual(backend, main)
    assert delays[:2] == [0.5, 1.0]
    assert elapsed == pytest.approx(3 + sum(delays[:2]))


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_an_attempt_has_a_time_of_its_own(backend: str) -> None:
    async def main() -> float:
        config = ClientConfig(retry_attempts=0, attempt_timeout=7)
        transport = Answering(after=60)
        async with AsyncHTTPClient(
            "http://api.example.com", config, transport=transport, clock=anyio.current_time
        ) as client:
            with pytest.raises(AttemptTimeoutError):
                await client.get("/")
            return anyio.current_time()

    assert run_virtual(backend, main) % 1000 >= 7
