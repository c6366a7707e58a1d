"""What a request says reaches the server, and what its answer leads to: redirects, retries, errors that explain."""

from __future__ import annotations

import math
import time
from email.utils import formatdate
from http import HTTPMethod
from typing import Any

import anyio
import pytest

from sansio_http import Ended, HTTPResponse, Policies, Send
from sansio_http_anyio import (
    APIKeyAuth,
    AsyncHTTPClient,
    BasicAuth,
    BearerAuth,
    Body,
    CircuitBreaker,
    CircuitBreakerOpenError,
    ClientConfig,
    ConnectionLostError,
    ExponentialBackoff,
    HTTPResponseError,
    InvalidRequestError,
    Keyed,
    RateLimitError,
    RedirectError,
    ResponseDecodeError,
    RetryExhaustedError,
    RetryPolicy,
    TokenBucketRateLimiter,
    TotalTimeoutError,
)
from tests.adapter.answering import Answering
from tests.fixtures.mock_server import MockServer, Received, Reply
from tests.fixtures.virtual_loop import run_virtual

pytestmark = pytest.mark.anyio

QUICK = ClientConfig(retry_backoff_factor=0.001)


# What is sent


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"])
async def test_every_method(method: str, server: MockServer) -> None:
    async with AsyncHTTPClient(server.url) as client:
        by_name = await getattr(client, method.lower())("/echo")
        by_text = await client.request(method.lower(), "/echo")
        by_value = await client.request(HTTPMethod(method), "/echo")
    assert [response.status_code for response in (by_name, by_text, by_value)] == [200] * 3
    assert [request.method for request in server.requests] == [method] * 3
    if method != "HEAD":
        assert by_name.json_data["method"] == method
    lengths = {request.headers.get("content-length") for request in server.requests}
    assert lengths == ({"0"} if method in ("POST", "PUT", "PATCH") else {None})


async def test_a_path_is_joined_to_the_base(server: MockServer) -> None:
    async with AsyncHTTPClient(f"{server.url}/v1/") as client:
        for path in ("users/1", "/users/1?full=yes", "", "/ä b"):
            await client.get(path)
    targets = [request.target for request in server.requests]
    assert targets == ["/v1/users/1", "/v1/users/1?full=yes", "/v1", "/v1/%C3%A4%20b"]


async def test_params_are_encoded_and_added(server: MockServer) -> None:
    params = {"q": "a b&c", "on": True, "none": None, "n": [1, 2.5], "ä": "ü"}
    async with AsyncHTTPClient(server.url) as client:
        await client.get("/echo?first=1", params=params)
        await client.get("/echo", params=[("a", "1"), ("a", "2")])
        await client.get("/echo", params={})
    queries = [request.query for request in server.requests]
    assert queries == ["first=1&q=a%20b%26c&on=true&n=1&n=2.5&%C3%A4=%C3%BC", "a=1&a=2", ""]


BODIES: list[tuple[dict[str, Any], bytes, str | None]] = [
    ({"json": {"a": [1, "ü"]}}, '{"a":[1,"ü"]}'.encode(), "application/json"),
    ({"json": 0}, b"0", "application/json"),
    ({"data": {"a": "1 2", "b": ["x", "y"]}}, b"a=1+2&b=x&b=y", "application/x-www-form-urlencoded"),
    ({"data": [("a", 1), ("a", 2)]}, b"a=1&a=2", "application/x-www-form-urlencoded"),
    ({"data": "tëxt"}, "tëxt".encode(), "text/plain; charset=utf-8"),
    ({"data": b"\x00\xff"}, b"\x00\xff", "application/octet-stream"),
    ({"data": bytearray(b"ab")}, b"ab", "application/octet-stream"),
    ({"data": memoryview(b"ab")}, b"ab", "application/octet-stream"),
    ({"data": Body.of(b"as it is")}, b"as it is", None),
    ({"data": b""}, b"", "application/octet-stream"),
    ({}, b"", None),
]


@pytest.mark.parametrize(("options", "body", "media_type"), BODIES)
async def test_bodies(options: dict[str, Any], body: bytes, media_type: str | None, server: MockServer) -> None:
    async with AsyncHTTPClient(server.url) as client:
        await client.post("/echo", **options)
        await client.post("/echo", headers={"content-type": "x/y"}, **options)
    for request, expected in zip(server.requests, (media_type, "x/y"), strict=True):
        assert (request.body, request.complete) == (body, True)
        assert request.headers["content-length"] == str(len(body))
        assert request.headers.get("content-type") == expected


async def test_a_body_of_unknown_length_is_sent_in_chunks_and_once(server: MockServer) -> None:
    class Pieces:
        async def __aiter__(self) -> Any:
            for piece in (b"one ", b"two"):
                yield piece

    server.on("POST /busy", Reply(503))
    async with AsyncHTTPClient(server.url, QUICK) as client:
        await client.post("/echo", data=Body(Pieces()))
        with pytest.raises(RetryExhaustedError) as caught:
            await client.post("/busy", data=Body(Pieces()))
    assert caught.value.reason == "not_replayable"
    request = server.requests[0]
    assert (request.body, request.headers["transfer-encoding"]) == (b"one two", "chunked")
    assert "content-length" not in request.headers
    assert server.count("POST /busy") == 1


async def test_the_body_says_its_length_whatever_the_headers_do(server: MockServer) -> None:
    async with AsyncHTTPClient(server.url, headers={"Content-Length": "7"}) as client:
        await client.post("/echo", data=b"four", headers={"Transfer-Encoding": "chunked"})
        await client.get("/echo")
    first, second = server.requests
    assert (first.body, first.headers["content-length"]) == (b"four", "4")
    assert "transfer-encoding" not in first.headers and "content-length" not in second.headers


async def test_a_host_header_of_the_callers_goes_out_as_it_is(server: MockServer) -> None:
    async with AsyncHTTPClient(server.url) as client:
        await client.get("/echo", headers={"host": "virtual.example.com"})
    assert server.requests[0].headers["host"] == "virtual.example.com"


async def test_credentials_of_a_request_take_the_place_of_the_clients(server: MockServer) -> None:
    async with AsyncHTTPClient(server.url, auth=BearerAuth("clients")) as client:
        await client.get("/echo")
        await client.get("/echo", auth=BasicAuth("user", "secret"))
        await client.get("/echo", auth=APIKeyAuth("key", location="query", name="k"))
        await client.get("/echo", auth=APIKeyAuth("key", location="cookie", name="k"), headers={"Cookie": "a=b"})
    sent = [request.headers.get("authorization") for request in server.requests]
    assert sent == ["Bearer clients", "Basic dXNlcjpzZWNyZXQ=", None, None]
    assert server.requests[2].query == "k=key"
    assert server.requests[3].headers["cookie"] == "a=b; k=key"


async def test_policies_of_a_request_take_the_place_of_the_clients(server: MockServer) -> None:
    server.on("/busy", Reply(503))
    once, twice = Policies(), Policies(retry=RetryPolicy(1, ExponentialBackoff(0.001), on_exhausted="return"))
    breaker = CircuitBreaker(failure_threshold=1)
    async with AsyncHTTPClient(server.url, QUICK, circuit_breaker=breaker) as client:
        for policies, attempts in ((once, 1), (twice, 2), (twice, 2), (once, 1)):
            response = await client.get("/busy", policies=policies)
            assert response.status_code == 503
            assert len(response.attempts) == attempts
        assert breaker.state == "CLOSED"
        assert client.policies.slots is not None and client.policies.slots.in_use == 0
    assert server.count("/busy") == 6


async def test_a_timeout_of_a_request_takes_the_place_of_the_clients(server: MockServer) -> None:
    server.on("/hang", Reply.hang())
    server.on("/slow", Reply(delay=0.15))
    async with AsyncHTTPClient(server.url, ClientConfig(timeout=0.05)) as client:
        assert (await client.get("/slow", timeout=5)).status_code == 200
        assert (await client.get("/slow", timeout=math.inf)).status_code == 200
        with pytest.raises(TotalTimeoutError):
            await client.get("/slow")
    async with AsyncHTTPClient(server.url) as client:
        with pytest.raises(TotalTimeoutError):
            await client.get("/hang", timeout=0.02)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_call_without_a_time_limit_may_hang_but_not_the_circuit_breaker(backend: str) -> None:
    class Hanging(Answering):
        async def send(self, send: Send) -> Ended:
            if self.sends:
                await anyio.sleep_forever()
            return await super().send(send)

    async def main() -> None:
        clock = anyio.current_time
        breaker = CircuitBreaker(failure_threshold=1, recovery_timeout=1, clock=clock)
        transport = Hanging(lambda send: HTTPResponse(500))
        config = ClientConfig(retry_attempts=0)
        client = AsyncHTTPClient(
            "http://api.example.com", config, circuit_breaker=breaker, transport=transport, clock=clock
        )
        await client.get("/")
        await anyio.sleep(1)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: client.get("/", timeout=math.inf))
            await anyio.sleep(30)
            assert (breaker.state, breaker.permits_out) == ("HALF_OPEN", 1)
            await anyio.sleep(5.5)
            assert (breaker.state, breaker.permits_out) == ("OPEN", 0)
            tasks.cancel_scope.cancel()

    run_virtual(backend, main)


# What comes back


async def test_an_answer(server: MockServer) -> None:
    reply = Reply(201, json={"id": 1}, headers=[("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"), ("X-Latin", "\xe9")])
    server.on("POST /things", reply)
    async with AsyncHTTPClient(server.url) as client:
        response = await client.post("/things")
    assert (response.status_code, response.is_success, response.reason) == (201, True, "Created")
    assert response.json_data == {"id": 1} and response.text == '{"id": 1}'
    assert response.headers.get_list("set-cookie") == ["a=1", "b=2"] and response.headers["X-Latin"] == "\xe9"
    assert response.http_version == "HTTP/1.1" and response.body is None
    assert response.raise_for_status() is response
    assert response.request is not None and response.request.url == f"{server.url}/things"
    (attempt,) = response.attempts
    assert (attempt.number, attempt.sends, attempt.status_code, attempt.error) == (1, 1, 201, None)
    assert 0 < attempt.elapsed <= response.elapsed < 2


async def test_answers_without_a_body_and_with_a_big_one(server: MockServer) -> None:
    async with AsyncHTTPClient(server.url) as client:
        assert (await client.delete("/users/1")).content == b""
        assert (await client.head("/bytes/1000")).content == b""
        assert (await client.get("/bytes/3000000")).content == bytes(3_000_000)
        assert (await client.get("/lines/3")).content.count(b"\n") == 3
        assert (await client.get("/users/1")).json_data["name"] == "Ada"
    assert server.connections == 1


async def test_interim_answers_are_no_attempts(server: MockServer) -> None:
    server.on("/early", Reply(interim=(100, 103), json=1))
    async with AsyncHTTPClient(server.url) as client:
        response = await client.get("/early")
    assert response.json_data == 1 and len(response.attempts) == 1


async def test_json_and_text_that_are_not(server: MockServer) -> None:
    server.on("/json", Reply(body=b"{secret", headers={"Content-Type": "application/json"}))
    server.on("/text", Reply(body=b"\xff", headers={"Content-Type": "text/plain; charset=utf-8"}))
    server.on("/html", Reply(body=b"<p>", headers={"Content-Type": "text/html"}))
    async with AsyncHTTPClient(server.url) as client:
        with pytest.raises(ResponseDecodeError, match="is not JSON at 1") as caught:
            _ = (await client.get("/json")).json_data
        assert caught.value.response is not None and caught.value.response.content == b"{secret"
        with pytest.raises(ResponseDecodeError, match="not text in 'utf-8'"):
            _ = (await client.get("/text")).text
        assert (await client.get("/html")).json_data is None


async def test_an_error_status_is_an_answer_that_can_be_raised(server: MockServer) -> None:
    async with AsyncHTTPClient(server.url) as client:
        response = await client.get("/status/404")
        with pytest.raises(HTTPResponseError, match="404 Not Found for GET http://127") as caught:
            response.raise_for_status()
    assert (caught.value.status_code, caught.value.response) == (404, response)
    assert len(caught.value.attempts) == 1


# Redirects


async def test_a_redirect_is_an_answer_by_default(server: MockServer) -> None:
    async with AsyncHTTPClient(server.url) as client:
        response = await client.get("/redirect")
    assert (response.status_code, response.headers["location"]) == (302, "/json")
    assert server.count() == 1


async def test_redirects_are_followed(server: MockServer) -> None:
    server.on("POST /a", Reply(307, headers={"Location": "/b"}))
    server.on("POST /b", Reply(303, headers={"Location": "/echo?x=1"}))
    async with AsyncHTTPClient(server.url, ClientConfig(follow_redirects=True), auth=BearerAuth("token")) as client:
        response = await client.post("/a", json=[1], headers={"X-Mine": "1"})
    assert response.request is not None and response.request.url == f"{server.url}/echo?x=1"
    assert [(request.method, request.body) for request in server.requests] == [
        ("POST", b"[1]"),
        ("POST", b"[1]"),
        ("GET", b""),
    ]
    assert {request.headers["authorization"] for request in server.requests} == {"Bearer token"}
    assert {request.headers["x-mine"] for request in server.requests} == {"1"}
    assert (len(response.attempts), response.attempts[0].sends) == (1, 3)
    assert server.connections == 1


@pytest.mark.parametrize(
    ("auth", "secret"),
    [
        (BearerAuth("canary-1"), "canary-1"),
        (BasicAuth("user", "canary-2"), "dXNlcjpjYW5hcnktMg"),
        (APIKeyAuth("canary-3"), "canary-3"),
        (APIKeyAuth("canary-4", location="query", name="key"), "canary-4"),
        (APIKeyAuth("canary-5", location="cookie", name="key"), "canary-5"),
    ],
)
async def test_no_secret_reaches_another_origin(auth: Any, secret: str, server: MockServer, other: MockServer) -> None:
    server.on("/go", Reply(307, headers={"Location": f"{other.url}/echo"}))
    headers = {"Cookie": "session=canary-6", "X-Tenant-Key": "canary-7", "Accept": "application/json"}
    config = ClientConfig(follow_redirects=True)
    async with AsyncHTTPClient(server.url, config, auth, headers={"X-API-Key": "canary-8"}) as client:
        assert (await client.post("/go", json={"a": 1}, headers=headers)).is_success
    (there,) = other.requests
    here = server.requests[0]
    assert secret.encode() in here.head and here.head.count(b"canary-") >= 2
    assert b"canary" not in there.head and secret.encode() not in there.head
    assert set(there.headers) == {"host", "user-agent", "accept", "accept-encoding", "content-type", "content-length"}
    assert there.headers["host"] == f"127.0.0.1:{other.port}"
    assert there.body == b'{"a":1}'


async def test_redirects_that_lead_nowhere(server: MockServer) -> None:
    server.on("/loop", Reply(302, headers={"Location": "/loop"}))
    server.on("/on/{n}", lambda request: Reply(302, headers={"Location": f"/on/{int(request.groups['n']) + 1}"}))
    server.on("/odd", Reply(302, headers={"Location": "ftp://example.com/"}))
    async with AsyncHTTPClient(server.url, ClientConfig(follow_redirects=True, max_redirects=3)) as client:
        for path, message in (("/loop", "a loop"), ("/on/1", "more than 3 redirects"), ("/odd", "not http or https")):
            with pytest.raises(RedirectError, match=message) as caught:
                await client.get(path)
            assert caught.value.response is not None and len(caught.value.attempts) == 1
    assert server.count("/on/*") == 4


# Retries


async def test_a_status_is_retried_until_it_is_another(server: MockServer) -> None:
    server.on("/x", Reply(503), Reply(502), Reply(json=1))
    async with AsyncHTTPClient(server.url, QUICK) as client:
        response = await client.post("/x", json=[1])
    assert response.json_data == 1
    assert [(a.number, a.status_code, a.reason) for a in response.attempts] == [
        (1, 503, "status"),
        (2, 502, "status"),
        (3, 200, None),
    ]
    assert all(attempt.delay is not None for attempt in response.attempts[:2])
    assert {request.body for request in server.requests} == {b"[1]"}
    assert server.connections == 1


async def test_statuses_and_methods_are_the_configs(server: MockServer) -> None:
    config = ClientConfig(retry_backoff_factor=0.001, retry_statuses={418}, retry_methods={"PUT"}, retry_attempts=2)
    async with AsyncHTTPClient(server.url, config) as client:
        with pytest.raises(RetryExhaustedError):
            await client.put("/status/418")
        assert (await client.put("/status/503")).status_code == 503
        assert (await client.get("/status/418")).status_code == 418
    assert server.count() == 5


async def test_an_exhausted_retry_says_all_there_is_to_say(server: MockServer) -> None:
    server.on("/x", Reply(500), Reply(503, json={"why": "busy"}, headers={"Retry-After": "0"}))
    async with AsyncHTTPClient(server.url, ClientConfig(retry_backoff_factor=0.001, retry_attempts=2)) as client:
        with pytest.raises(
            RetryExhaustedError, match=r"GET .*/x: gave up after 3 attempts \(attempts\); last: 503"
        ) as e:
            await client.get("/x")
    error = e.value
    assert (error.reason, error.status_code, error.last_error, error.retry_after) == ("attempts", 503, None, 0)
    assert error.last_response is not None and error.last_response.json_data == {"why": "busy"}
    assert [attempt.status_code for attempt in error.attempts] == [500, 503, 503]
    assert [attempt.reason for attempt in error.attempts] == ["status", "status", "attempts"]
    assert error.__cause__ is None


async def test_an_exhausted_retry_of_a_failure_has_it_as_its_cause(server: MockServer) -> None:
    server.on("/x", Reply.reset())
    async with AsyncHTTPClient(server.url, ClientConfig(retry_backoff_factor=0.001, retry_attempts=1)) as client:
        with pytest.raises(RetryExhaustedError) as caught:
            await client.get("/x")
    error = caught.value
    assert isinstance(error.last_error, ConnectionLostError) and error.__cause__ is error.last_error
    assert (error.status_code, error.last_response) == (None, None)
    assert [attempt.status_code for attempt in error.attempts] == [None, None]
    assert all("ConnectionLostError" in (attempt.error or "") for attempt in error.attempts)


async def test_the_last_answer_can_be_returned(server: MockServer) -> None:
    config = ClientConfig(retry_backoff_factor=0.001, on_exhausted="return", retry_attempts=1)
    async with AsyncHTTPClient(server.url, config) as client:
        response = await client.get("/status/503")
    assert response.status_code == 503 and len(response.attempts) == 2


async def test_without_retries_every_answer_is_returned_and_every_failure_raised(server: MockServer) -> None:
    server.on("/x", Reply.reset())
    async with AsyncHTTPClient(server.url, ClientConfig(retry_attempts=0)) as client:
        assert (await client.get("/status/503")).status_code == 503
        assert (await client.get("/status/429")).status_code == 429
        with pytest.raises(ConnectionLostError):
            await client.get("/x")
    assert server.count("/x") == 2  # the first connection had been kept


async def test_retry_after_in_seconds_is_honoured(server: MockServer) -> None:
    server.on("/x", Reply(429, headers={"Retry-After": "1"}), Reply(json=1))
    async with AsyncHTTPClient(server.url, QUICK) as client:
        response = await client.get("/x")
    assert response.attempts[0].reason == "retry_after"
    first, second = server.requests
    assert second.time - first.time >= 1


async def test_retry_after_as_a_date_is_honoured(server: MockServer) -> None:
    def busy(request: Received) -> Reply:
        now = time.time()
        return Reply(
            503, headers={"Date": formatdate(now, usegmt=True), "Retry-After": formatdate(now + 1, usegmt=True)}
        )

    server.on("/x", busy, Reply(json=1))
    async with AsyncHTTPClient(server.url, QUICK) as client:
        response = await client.get("/x")
    assert (response.attempts[0].reason, response.attempts[0].delay) == ("retry_after", 1)


async def test_a_server_that_asks_for_too_long_a_wait_is_not_asked_again(server: MockServer) -> None:
    server.on("/x", Reply(429, json={}, headers={"Retry-After": "31"}))
    server.on("/y", Reply(503, headers={"Retry-After": "99999999999"}))
    async with AsyncHTTPClient(server.url, QUICK) as client:
        with pytest.raises(RateLimitError) as limited:
            await client.get("/x")
        with pytest.raises(RetryExhaustedError) as exhausted:
            await client.get("/y", timeout=math.inf)
    error = limited.value
    assert (error.retry_after, error.local, error.status_code) == (31, False, 429)
    assert error.response is not None and error.response.json_data == {}
    assert error.attempts[-1].reason == "retry_after"
    assert (exhausted.value.reason, exhausted.value.retry_after) == ("retry_after", 2**31)
    assert server.count() == 2


async def test_429_without_end_is_a_rate_limit_error(server: MockServer) -> None:
    server.on("/x", Reply(429))
    async with AsyncHTTPClient(server.url, QUICK) as client:
        with pytest.raises(RateLimitError) as caught:
            await client.get("/x")
    assert (caught.value.retry_after, len(caught.value.attempts)) == (None, 4)
    assert caught.value.response is not None


@pytest.mark.parametrize(("method", "sends"), [("GET", 2), ("PUT", 2), ("DELETE", 2), ("POST", 1), ("PATCH", 1)])
async def test_after_a_lost_connection_only_what_may_be_repeated_is(
    method: str, sends: int, server: MockServer
) -> None:
    server.on("/x", Reply.eof(), Reply(json=1))
    async with AsyncHTTPClient(server.url, QUICK) as client:
        if sends == 2:
            assert (await client.request(method, "/x")).json_data == 1
        else:
            with pytest.raises(ConnectionLostError) as caught:
                await client.request(method, "/x")
            assert caught.value.head_sent and not caught.value.body_started and not caught.value.reused
            assert caught.value.attempts[-1].reason == "not_idempotent"
    assert server.count("/x") == sends


@pytest.mark.parametrize(
    "vouch", [{"idempotent": True}, {"idempotency_key": "k"}, {"headers": {"Idempotency-Key": "k"}}]
)
async def test_a_caller_may_vouch_for_a_post(vouch: dict[str, Any], server: MockServer) -> None:
    server.on("/x", Reply.reset(), Reply(503), Reply(json=1))
    async with AsyncHTTPClient(server.url, QUICK) as client:
        assert (await client.post("/x", **vouch)).json_data == 1
    keys = {request.headers.get("idempotency-key") for request in server.requests}
    assert keys == ({None} if "idempotent" in vouch else {"k"}) and server.count() == 3


async def test_a_key_that_is_made_is_the_same_for_each_attempt_and_another_for_each_call(server: MockServer) -> None:
    server.on("/x", Reply.reset(), Reply(503), Reply(json=1))
    config = ClientConfig(retry_backoff_factor=0.001, idempotency_key="auto")
    async with AsyncHTTPClient(server.url, config) as client:
        await client.post("/x")
        await client.patch("/x")
        await client.post("/x", headers={"Idempotency-Key": "mine"})
        await client.get("/x")
        await client.get("/x", idempotency_key="auto")
    keys = [request.headers.get("idempotency-key") for request in server.requests]
    assert len(set(keys[:3])) == 1 and len(keys[0] or "") == 32
    assert keys[3] not in (None, keys[0]) and keys[4] == "mine" and keys[5] is None and len(keys[6] or "") == 32


async def test_a_stale_kept_connection_is_replaced_once(server: MockServer) -> None:
    """The server closes it in the very moment in which we use it again."""
    server.on("/x", Reply(json=1), Reply.eof(), Reply(json=2))
    async with AsyncHTTPClient(server.url, ClientConfig(retry_attempts=0)) as client:
        await client.get("/x")
        response = await client.get("/x")
    assert response.json_data == 2
    (attempt,) = response.attempts
    assert attempt.sends == 2
    assert [request.connection for request in server.requests] == [1, 1, 2]


async def test_a_stale_kept_connection_is_replaced_once_and_no_more(server: MockServer) -> None:
    server.on("/x", Reply(json=1), Reply.eof())
    async with AsyncHTTPClient(server.url, ClientConfig(retry_attempts=0)) as client:
        await client.get("/x")
        with pytest.raises(ConnectionLostError) as caught:
            await client.get("/x")
        assert not caught.value.reused
        assert server.count() == 3
        server.on("/x", Reply(json=1), Reply.eof())
        await client.get("/x")
        with pytest.raises(ConnectionLostError) as caught:
            await client.post("/x")
        assert caught.value.reused and server.count() == 5


async def test_connections_that_the_server_dropped_while_idle_cost_nothing(server: MockServer) -> None:
    async with AsyncHTTPClient(server.url, ClientConfig(retry_attempts=0)) as client:
        await client.get("/json")
        server.drop()
        response = await client.post("/users", json={})
    assert response.status_code == 201 and response.attempts[0].sends == 1
    assert server.connections == 2


async def test_a_connection_dropped_just_now_costs_what_may_be_repeated_a_send_at_most(server: MockServer) -> None:
    async with AsyncHTTPClient(server.url, ClientConfig(retry_attempts=0)) as client:
        for _ in range(3):
            await client.get("/json")
            server.drop()
        response = await client.get("/json")
    assert response.status_code == 200 and response.attempts[0].sends <= 2
    assert server.connections == 4


# Our own policies


async def test_an_open_circuit_sends_nothing(server: MockServer) -> None:
    breaker = CircuitBreaker(failure_threshold=2, recovery_timeout=60)
    config = ClientConfig(retry_backoff_factor=0.001, retry_attempts=1)
    async with AsyncHTTPClient(server.url, config, circuit_breaker=breaker) as client:
        with pytest.raises(RetryExhaustedError) as exhausted:
            await client.get("/status/500")
        assert breaker.state == "OPEN"
        with pytest.raises(CircuitBreakerOpenError, match="OPEN") as caught:
            await client.get("/json")
    assert exhausted.value.reason == "attempts"
    assert (caught.value.state, caught.value.attempts) == ("OPEN", ())
    assert caught.value.retry_after == pytest.approx(60, abs=2)
    assert server.count() == 2


async def test_a_circuit_that_opens_stops_the_retries(server: MockServer) -> None:
    breaker = CircuitBreaker(failure_threshold=2, recovery_timeout=60)
    async with AsyncHTTPClient(server.url, QUICK, circuit_breaker=breaker) as client:
        with pytest.raises(RetryExhaustedError) as caught:
            await client.get("/status/500")
    assert (caught.value.reason, len(caught.value.attempts), server.count()) == ("circuit_open", 2, 2)


async def test_a_circuit_heals(server: MockServer) -> None:
    server.on("/x", Reply(500), Reply(json=1))
    breaker = CircuitBreaker(failure_threshold=1, recovery_timeout=0.05)
    config = ClientConfig(retry_attempts=0)
    async with AsyncHTTPClient(server.url, config, circuit_breaker=breaker) as client:
        assert (await client.get("/x")).status_code == 500
        await anyio.sleep(0.06)
        assert breaker.state == "HALF_OPEN"
        assert (await client.get("/x")).status_code == 200
        assert breaker.state == "CLOSED"


async def test_our_own_limiter_refuses_what_cannot_be_in_time(server: MockServer) -> None:
    limiter = TokenBucketRateLimiter(rate=0.1, burst=1)
    async with AsyncHTTPClient(server.url, rate_limiter=limiter) as client:
        await client.get("/json")
        with pytest.raises(RateLimitError, match="try again in") as caught:
            await client.get("/json", timeout=1)
    error = caught.value
    assert (error.local, error.status_code, error.response, error.attempts) == (True, None, None, ())
    assert error.retry_after is not None and 1 < error.retry_after <= 10  # it fills while the machine is slow
    assert server.count() == 1 and limiter.waiting == 0


async def test_the_limiter_keeps_sends_apart(server: MockServer) -> None:
    limiter = TokenBucketRateLimiter(rate=50, burst=1)
    order: list[str] = []

    async def ask(number: int) -> None:
        order.append(str(number))
        await client.get("/echo", params={"n": number})

    async with AsyncHTTPClient(server.url, rate_limiter=limiter) as client, anyio.create_task_group() as tasks:
        for number in range(5):
            tasks.start_soon(ask, number)
    times = [request.time for request in server.requests]
    # Neighbours may overtake each other on their ways through the network, where the machine holds one of them up.
    assert sorted(request.params["n"] for request in server.requests) == sorted(order)
    assert times[-1] - times[0] >= 4 / 50 - 0.01


async def test_max_connections_bounds_what_is_in_flight(server: MockServer, eventually: Any) -> None:
    server.on("/slow", Reply(delay=0.02))
    config = ClientConfig(max_connections=3, max_keepalive_connections=1)
    later = 0.0
    async with AsyncHTTPClient(server.url, config, clock=lambda: anyio.current_time() + later) as client:
        async with anyio.create_task_group() as tasks:
            for _ in range(10):
                tasks.start_soon(client.get, "/slow")
        assert server.max_concurrent == 3
        later = 1.1  # the limit on idle ones holds a second after a burst, or each burst would open its own anew
        await client.get("/json")
        await eventually(lambda: server.open_connections <= 1)
    await eventually(lambda: server.open_connections == 0)


async def test_a_limiter_by_key_and_a_circuit_by_key(server: MockServer) -> None:
    circuits = Keyed(lambda: CircuitBreaker(failure_threshold=1), lambda request: request.url.rsplit("/", 1)[-1])
    limiters = Keyed(lambda: TokenBucketRateLimiter(0.1, 1), lambda request: request.url)
    config = ClientConfig(retry_attempts=0, timeout=1)
    async with AsyncHTTPClient(server.url, config, rate_limiter=limiters, circuit_breaker=circuits) as client:
        await client.get("/status/500")
        await client.get("/json")
        with pytest.raises(CircuitBreakerOpenError):
            await client.get("/status/500")
        with pytest.raises(RateLimitError):
            await client.get("/json")
    assert len(circuits) == len(limiters) == 2


async def test_a_body_that_lies_about_its_length_is_refused_by_us(server: MockServer) -> None:
    async with AsyncHTTPClient(server.url) as client:
        with pytest.raises(InvalidRequestError, match=r"body\.length: 5 is not allowed; the source has 3 bytes"):
            await client.post("/echo", data=Body(b"abc", length=5))
        with pytest.raises(InvalidRequestError, match=r"body\.length: 2 is not allowed; the source has 3 bytes"):
            await client.post("/echo", data=Body(b"abc", length=2))
        with pytest.raises(InvalidRequestError, match=r"body\.source: list is not allowed"):
            await client.post("/echo", data=Body([b"a"]))
        assert (await client.post("/echo", data=b"abc")).json_data["body"] == "abc"


async def test_a_big_upload_that_is_refused_early(server: MockServer) -> None:
    server.on("POST /big", Reply(413, json={"max": 1}, early=1000, then="close"))
    async with AsyncHTTPClient(server.url) as client:
        response = await client.post("/big", data=bytes(5_000_000))
    assert (response.status_code, response.json_data) == (413, {"max": 1})
