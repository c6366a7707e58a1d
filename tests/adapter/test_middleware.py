"""The users' own middlewares: their order, what they may change, and what becomes of their mistakes."""

from __future__ import annotations

import logging
from typing import Any

import anyio
import pytest

from sansio_http import BodyRead, CallEnded, SendEnded
from sansio_http_anyio import (
    AsyncHTTPClient,
    ClientConfig,
    ConfigurationError,
    ConnectionLostError,
    HTTPRequest,
    HTTPResponse,
    Middleware,
    Note,
    RetryExhaustedError,
    RetryMiddleware,
    RetryPolicy,
    TotalTimeoutError,
)
from tests.adapter.answering import Answering
from tests.fixtures.mock_server import MockServer, Reply
from tests.fixtures.virtual_loop import run_virtual

pytestmark = pytest.mark.anyio

QUICK = ClientConfig(retry_backoff_factor=0.001)


class Traced(Middleware):
    """Writes down when it is asked what."""

    def __init__(self, name: str, trace: list[str]) -> None:
        self.name = name
        self.trace = trace

    async def process_request(self, request: HTTPRequest, client: AsyncHTTPClient) -> None:
        self.trace.append(f"{self.name} out")

    async def process_response(self, response: HTTPResponse, request: HTTPRequest) -> None:
        self.trace.append(f"{self.name} in {response.status_code}")


async def test_the_order_is_out_and_back(server: MockServer) -> None:
    trace: list[str] = []
    server.on("/x", Reply(503), Reply(json=1))
    each = {name: Traced(name, trace) for name in "abcd"}
    client = AsyncHTTPClient(
        server.url, QUICK, middlewares=[each["a"], each["b"]], attempt_middlewares=[each["c"], each["d"]]
    )
    async with client:
        await client.get("/x")
    once_per_send = ["c out", "d out", "d in {0}", "c in {0}"]
    expected = ["a out", "b out"]
    for status in (503, 200):
        expected += [step.format(status) for step in once_per_send]
    assert trace == [*expected, "b in 200", "a in 200"]


async def test_a_middleware_that_overrides_nothing_is_not_asked(server: MockServer) -> None:
    async with AsyncHTTPClient(server.url, middlewares=[Middleware()], attempt_middlewares=[Middleware()]) as client:
        assert (await client.get("/json")).status_code == 200
    plain = Middleware()
    request, response = HTTPRequest("GET", "http://a/"), HTTPResponse(200)
    assert await plain.process_request(request, client) is request
    assert await plain.process_response(response, request) is response
    plain.on_note(SendEnded(0, 1, "GET", "/", 200, None, 0, 0))


async def test_requests_and_responses_can_be_changed_and_replaced(server: MockServer) -> None:
    class Changing(Middleware):
        async def process_request(self, request: HTTPRequest, client: AsyncHTTPClient) -> HTTPRequest | None:
            assert client.base_url == server.url
            if request.method == "GET":
                request.headers["X-Changed"] = "1"
                if isinstance(request.params, dict):  # later they are in the URL
                    request.params["extra"] = "1"
                return None
            return HTTPRequest("PUT", f"{client.base_url}/echo", {"X-Replaced": "1"}, body=b"new", timeout=5)

        async def process_response(self, response: HTTPResponse, request: HTTPRequest) -> HTTPResponse | None:
            if request.method == "GET":
                response.headers["X-Seen"] = request.url
                return None
            return HTTPResponse(299, {"X-Was": str(response.status_code)}, response.content)

    params = {"mine": 1}
    for place in ("middlewares", "attempt_middlewares"):
        parts: dict[str, Any] = {place: [Changing()]}
        async with AsyncHTTPClient(server.url, params={"default": 1}, **parts) as client:
            for _ in range(2):
                changed = await client.get("/echo", params=params if place == "middlewares" else None)
                assert changed.json_data["headers"]["x-changed"] == "1"
                assert changed.headers["X-Seen"].startswith(f"{server.url}/echo")
            replaced = await client.post("/echo")
            assert (replaced.status_code, replaced.headers["X-Was"]) == (299, "200")
            assert replaced.json_data is None and b'"body": "new"' in replaced.content
            assert len(replaced.attempts) == (0 if place == "middlewares" else 1)
        if place == "middlewares":
            # What a hook writes into the params is for this request alone.
            assert [r.query for r in server.requests[:2]] == ["default=1&mine=1&extra=1"] * 2
    assert params == {"mine": 1}


async def test_a_request_that_is_kept_by_a_middleware_stays_as_it_was(server: MockServer) -> None:
    class Always(Middleware):
        kept = HTTPRequest("GET", f"{server.url}/json", timeout=30.0)

        async def process_request(self, request: HTTPRequest, client: AsyncHTTPClient) -> HTTPRequest:
            return self.kept

    async with AsyncHTTPClient(server.url, middlewares=[Always()]) as client:
        await client.get("/elsewhere")
        await client.get("/elsewhere")
    assert Always.kept.timeout == 30.0
    assert [request.path for request in server.requests] == ["/json"] * 2


class Raising(Middleware):
    def __init__(self, where: str, error: Exception) -> None:
        self.where = where
        self.error = error

    async def process_request(self, request: HTTPRequest, client: AsyncHTTPClient) -> None:
        if self.where == "request":
            raise self.error

    async def process_response(self, response: HTTPResponse, request: HTTPRequest) -> None:
        if self.where == "response":
            raise self.error


@pytest.mark.parametrize("place", ["middlewares", "attempt_middlewares"])
@pytest.mark.parametrize("where", ["request", "response"])
@pytest.mark.parametrize("stream", [False, True])
async def test_a_hook_that_raises_stops_the_call_with_that_error(
    place: str, where: str, stream: bool, server: MockServer
) -> None:
    error = ZeroDivisionError("mine")
    parts: dict[str, Any] = {place: [Raising(where, error)]}
    async with AsyncHTTPClient(server.url, QUICK, **parts) as client:
        call = client.stream("GET", "/bytes/1000000").__aenter__() if stream else client.get("/json")
        with pytest.raises(ZeroDivisionError) as caught:
            await call
        assert caught.value is error
        policies: Any = client.policies
        assert policies.slots.in_use == 0
        assert server.count() == (0 if where == "request" else 1)
    assert server.open_connections == 0


async def test_a_hooks_own_transport_error_is_no_failed_attempt(server: MockServer) -> None:
    """It may be one of ours, from another client: it ends the call all the same, but for its looks in a retry."""
    error = ConnectionLostError("of another client")
    async with AsyncHTTPClient(server.url, QUICK, middlewares=[Raising("response", error)]) as client:
        with pytest.raises(ConnectionLostError) as caught:
            await client.get("/json")
    assert caught.value is error and server.count() == 1


async def test_what_comes_back_must_be_a_response(server: MockServer) -> None:
    class Confused(Middleware):
        async def process_response(self, response: HTTPResponse, request: HTTPRequest) -> Any:
            return response.json_data

    for place in ("middlewares", "attempt_middlewares"):
        parts: dict[str, Any] = {place: [Confused()]}
        async with AsyncHTTPClient(server.url, **parts) as client:
            with pytest.raises(ConfigurationError, match="gave back a dict; allowed is an HTTPResponse, or None"):
                await client.get("/json")


# The time they take


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_the_time_of_a_call_counts_from_before_the_middlewares(backend: str) -> None:
    class Slow(Middleware):
        def __init__(self, seconds: float, timeout: float | None = None) -> None:
            self.seconds = seconds
            self.timeout = timeout

        async def process_request(self, request: HTTPRequest, client: AsyncHTTPClient) -> None:
            await anyio.sleep(self.seconds)
            if self.timeout is not None:
                request.timeout = self.timeout

    async def elapsed(middleware: Slow, timeout: float | None, after: float) -> tuple[float, str]:
        transport = Answering(after=after)
        client = AsyncHTTPClient(
            "http://api.example.com",
            ClientConfig(timeout=timeout),
            middlewares=[middleware],
            transport=transport,
            clock=anyio.current_time,
        )
        began = anyio.current_time()
        try:
            await client.get("/")
        except TotalTimeoutError as error:
            return anyio.current_time() - began, str(error.phase)
        return anyio.current_time() - began, "answered"

    async def main() -> None:
        assert await elapsed(Slow(3), 10, 5) == (pytest.approx(8), "answered")
        assert await elapsed(Slow(3), 10, 60) == (pytest.approx(10), "None")  # the transport told no phase
        assert await elapsed(Slow(60), 10, 5) == (pytest.approx(10), "queue")
        assert await elapsed(Slow(3, timeout=20), 10, 60) == (pytest.approx(23), "None")
        assert await elapsed(Slow(60), None, 5) == (pytest.approx(65), "answered")

    run_virtual(backend, main)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_middleware_that_does_not_await_may_use_up_the_time_too(backend: str) -> None:
    class Busy(Middleware):
        async def process_request(self, request: HTTPRequest, client: AsyncHTTPClient) -> None:
            now[0] += 11

    now = [0.0]

    async def main() -> None:
        client = AsyncHTTPClient(
            "http://api.example.com",
            ClientConfig(timeout=10),
            middlewares=[Busy()],
            transport=Answering(),
            clock=lambda: now[0],
        )
        with pytest.raises(TotalTimeoutError, match="ran out in a middleware"):
            await client.get("/")

    run_virtual(backend, main)


# Watching


class Watching(Middleware):
    def __init__(self) -> None:
        self.notes: list[Note] = []

    def on_note(self, note: Note) -> None:
        self.notes.append(note)


async def test_notes_come_as_things_happen(server: MockServer) -> None:
    server.on("/x", Reply(503), Reply(json=1))
    once, each = Watching(), Watching()
    async with AsyncHTTPClient(server.url, QUICK, middlewares=[once], attempt_middlewares=[each]) as client:
        await client.get("/x", params={"token": "secret"})
    assert [type(note).__name__ for note in once.notes] == ["SendEnded", "Retrying", "SendEnded", "CallEnded"]
    assert once.notes == each.notes
    assert "secret" not in repr(once.notes)


async def test_notes_of_a_stream(server: MockServer) -> None:
    watching = Watching()
    client = AsyncHTTPClient(server.url, middlewares=[watching])
    async with client, client.stream("GET", "/bytes/5000") as response:
        await response.aread()
    assert [type(note) for note in watching.notes] == [SendEnded, CallEnded, BodyRead]
    note = watching.notes[-1]
    assert isinstance(note, BodyRead) and (note.bytes, note.error) == (5000, None)


async def test_a_watcher_that_raises_is_logged_and_harmless(
    server: MockServer, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(Middleware):
        def on_note(self, note: Note) -> None:
            raise ZeroDivisionError("mine")

    watching = Watching()
    async with AsyncHTTPClient(server.url, middlewares=[Broken(), watching]) as client:
        with caplog.at_level(logging.ERROR):
            assert (await client.get("/json")).status_code == 200
    assert len(watching.notes) == 2
    assert [record.getMessage() for record in caplog.records] == ["Broken.on_note raised; the call goes on"] * 2
    assert {record.name for record in caplog.records} == {"sansio_http_anyio"}


# RetryMiddleware


async def test_a_retry_middleware_takes_the_place_of_the_configs_policy(server: MockServer) -> None:
    policy = RetryPolicy(retries=1, statuses={404})
    config = ClientConfig(retry_attempts=0)
    async with AsyncHTTPClient(server.url, config, middlewares=[RetryMiddleware(policy)]) as client:
        assert client.policies.retry is policy
        assert (await client.get("/status/503")).status_code == 503
        with pytest.raises(RetryExhaustedError):
            await client.get("/status/404")
    assert server.count() == 3


# Streams and hooks


async def test_an_open_body_goes_through_all_hooks(server: MockServer) -> None:
    watching = Watching()
    trace: list[str] = []
    client = AsyncHTTPClient(
        server.url, middlewares=[Traced("once", trace)], attempt_middlewares=[Traced("each", trace), watching]
    )
    async with client:
        async with client.stream("GET", "/bytes/100000") as response:
            slots: Any = client.policies.slots
            assert slots.in_use == 1
            assert len(await response.aread()) == 100_000
            assert slots.in_use == 0
        assert (await client.get("/json")).is_success
    assert trace == ["once out", "each out", "each in 200", "once in 200"] * 2
    assert server.connections == 1
    assert [type(note).__name__ for note in watching.notes[:3]] == ["SendEnded", "CallEnded", "BodyRead"]


@pytest.mark.parametrize("place", ["middlewares", "attempt_middlewares"])
async def test_an_open_body_that_a_hook_drops_is_closed(place: str, server: MockServer) -> None:
    class Replacing(Middleware):
        async def process_response(self, response: HTTPResponse, request: HTTPRequest) -> HTTPResponse:
            return HTTPResponse(200, content=b"short")

    parts: dict[str, Any] = {place: [Replacing()]}
    async with AsyncHTTPClient(server.url, **parts) as client:
        async with client.stream("GET", "/bytes/3000000") as response:
            slots: Any = client.policies.slots
            assert slots.in_use == 0
            assert await response.aread() == b"short"
            assert [chunk async for chunk in response.iter_bytes()] == [b"short"]
        await client.get("/json")
        assert server.open_connections == 1
    assert server.open_connections == 0


async def test_an_open_body_is_closed_where_a_hook_has_the_attempt_fail(server: MockServer) -> None:
    class Doubting(Middleware):
        async def process_response(self, response: HTTPResponse, request: HTTPRequest) -> HTTPResponse:
            return HTTPResponse(503) if response.headers.get("x-doubt") else response

    server.on("/x", Reply(body=bytes(3_000_000), headers={"X-Doubt": "1"}), Reply(json=1))
    async with AsyncHTTPClient(server.url, QUICK, attempt_middlewares=[Doubting()]) as client:
        async with client.stream("GET", "/x") as response:
            assert server.open_connections == 1
            assert await response.aread() == b"1"
            assert [attempt.status_code for attempt in response.attempts] == [503, 200]
    assert [request.connection for request in server.requests] == [1, 2]


@pytest.mark.parametrize("place", ["middlewares", "attempt_middlewares"])
async def test_an_open_body_may_go_on_in_another_response(place: str, server: MockServer) -> None:
    class Renaming(Middleware):
        async def process_response(self, response: HTTPResponse, request: HTTPRequest) -> HTTPResponse:
            return HTTPResponse(202, response.headers, body=response.body)

    parts: dict[str, Any] = {place: [Renaming()]}
    async with AsyncHTTPClient(server.url, **parts) as client:
        async with client.stream("GET", "/bytes/3000000") as response:
            assert response.status_code == 202
            assert len(await response.aread()) == 3_000_000
        slots: Any = client.policies.slots
        assert slots.in_use == 0
        await client.get("/json")
    assert server.connections == 1
