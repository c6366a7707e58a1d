"""Faults on the wire, played by WireMock: each has an error of its own, and loses no connection."""

from __future__ import annotations

from typing import Any, NamedTuple

import anyio
import pytest

from sansio_http_anyio import (
    AsyncHTTPClient,
    AttemptTimeoutError,
    CertificateError,
    ClientConfig,
    ConnectionLostError,
    HTTPClientError,
    HTTPRequestError,
    PooledTransport,
    ProtocolError,
    ReadTimeoutError,
    ResponseBodyError,
    RetryExhaustedError,
    TotalTimeoutError,
)
from tests.external.wiremock import WireMock

pytestmark = pytest.mark.anyio


class Fault(NamedTuple):
    """What WireMock calls it, and what we do."""

    name: str
    error: type[HTTPRequestError]
    message: str
    phase: str
    is_heard: bool  # a byte of an answer came


FAULTS = [
    Fault("EMPTY_RESPONSE", ConnectionLostError, "the connection ended before an answer came", "head", False),
    Fault("CONNECTION_RESET_BY_PEER", ConnectionLostError, "lost: Connection reset by peer", "head", False),
    Fault("RANDOM_DATA_THEN_CLOSE", ProtocolError, "the answer does not begin like HTTP/1", "head", True),
    Fault("MALFORMED_RESPONSE_CHUNK", ProtocolError, "a chunk has no valid size", "body", True),
]
each_fault = pytest.mark.parametrize("fault", FAULTS, ids=[fault.name for fault in FAULTS])

FINE: dict[str, Any] = {"status": 200, "body": "fine"}
LATE: dict[str, Any] = {**FINE, "fixedDelayMilliseconds": 8_000}
"""Far beyond every limit here."""

QUICK = ClientConfig(retry_backoff_factor=0.01, timeout=60)


STORY = "a long story, " * 100


def dribble(pieces: int, milliseconds: int) -> dict[str, Any]:
    """A body that comes in so many pieces in so much time."""
    return {
        "status": 200,
        "body": STORY,
        "chunkedDribbleDelay": {"numberOfChunks": pieces, "totalDuration": milliseconds},
    }


class Client(AsyncHTTPClient):
    """One whose pool can be asked."""

    def __init__(self, url: str, config: ClientConfig = QUICK) -> None:
        self.transport = PooledTransport(config)
        super().__init__(url, config, transport=self.transport)

    async def __aenter__(self) -> Client:
        await super().__aenter__()
        return self

    @property
    def in_use(self) -> int:
        """Connections that requests have."""
        return self.transport._pool.status(0.0).in_use


async def failure(client: Client, method: str, path: str, **options: Any) -> Any:
    """The error that a call ends in."""
    with pytest.raises(HTTPClientError) as caught:
        await client.request(method, path, **options)
    assert client.in_use == 0
    return caught.value


# The four faults


@each_fault
@pytest.mark.parametrize("is_kept", [False, True], ids=["new", "kept"])
async def test_what_may_happen_twice_is_tried_again(is_kept: bool, fault: Fault, wiremock: WireMock) -> None:
    broken = await wiremock.on({"fault": fault.name})
    async with Client(wiremock.url) as client:
        if is_kept:
            assert (await client.get("/fine")).is_success
        error = await failure(client, "GET", broken)
        assert (await client.get("/fine")).is_success
    assert isinstance(error, RetryExhaustedError) and error.reason == "attempts"
    last: Any = error.last_error
    assert type(last) is fault.error and fault.message in str(last)
    assert (last.phase, last.head_sent, last.body_started) == (fault.phase, True, fault.is_heard)
    assert [attempt.reason for attempt in error.attempts] == ["transport"] * 3 + ["attempts"]
    # A kept connection that ends before an answer may have ended before the request came: that is no failure yet.
    sends = 5 if is_kept and not fault.is_heard else 4
    assert sum(attempt.sends for attempt in error.attempts) == sends
    assert await wiremock.count(broken, sends) == sends


@each_fault
@pytest.mark.parametrize("is_kept", [False, True], ids=["new", "kept"])
async def test_what_may_not_is_sent_once(is_kept: bool, fault: Fault, wiremock: WireMock) -> None:
    broken = await wiremock.on({"fault": fault.name})
    async with Client(wiremock.url) as client:
        if is_kept:
            assert (await client.get("/fine")).is_success
        error = await failure(client, "POST", broken, json={"pay": 100})
        assert (await client.get("/fine")).is_success
    assert type(error) is fault.error and fault.message in str(error)
    assert (error.phase, error.head_sent, error.body_started) == (fault.phase, True, fault.is_heard)
    assert error.reused is is_kept
    assert [(attempt.reason, attempt.sends) for attempt in error.attempts] == [("not_idempotent", 1)]
    assert await wiremock.count(broken, 1) == 1


@each_fault
async def test_it_heals(fault: Fault, wiremock: WireMock) -> None:
    broken = {"fault": fault.name}
    async with Client(wiremock.url) as client:
        for method, options in (
            ("GET", {}),
            ("PUT", {"json": {}}),
            ("DELETE", {}),
            ("POST", {"json": {}, "idempotency_key": "auto"}),
            ("POST", {"json": {}, "idempotent": True}),
        ):
            path = await wiremock.on(broken, broken, FINE)
            response = await client.request(method, path, **options)
            assert response.text == "fine" and client.in_use == 0
            sends = sum(attempt.sends for attempt in response.attempts)
            assert sends == 3 and await wiremock.count(path, sends) == sends
            assert [attempt.reason for attempt in response.attempts][-1] is None


async def test_a_storm_of_faults_loses_no_connection(wiremock: WireMock) -> None:
    """Through two connections: if one were lost the calls would wait for ever, and behind it nothing would come."""
    paths = [await wiremock.on({"fault": fault.name}) for fault in FAULTS]
    ends: list[str] = []

    async def call(method: str, path: str) -> None:
        try:
            ends.append((await client.request(method, path)).text)
        except HTTPClientError as error:
            ends.append(type(error).__name__)

    async with Client(
        wiremock.url, ClientConfig(max_connections=2, retry_attempts=1, retry_backoff_factor=0)
    ) as client:
        async with anyio.create_task_group() as tasks:
            for _ in range(5):
                for path in (*paths, "/fine"):
                    tasks.start_soon(call, "GET", path)
                    tasks.start_soon(call, "POST", path)
        assert client.in_use == 0
    assert sorted(ends) == sorted(
        ["fine"] * 10 + ["RetryExhaustedError"] * 20 + ["ConnectionLostError"] * 10 + ["ProtocolError"] * 10
    )


async def test_a_stream_that_breaks(wiremock: WireMock) -> None:
    """The rubbish comes behind the head, and is the stream's error; or with it, and no attempt becomes a stream."""
    path = await wiremock.on({"fault": "MALFORMED_RESPONSE_CHUNK"})

    async def read() -> None:
        async with client.stream("GET", path) as stream:
            assert stream.status_code == 200
            await stream.aread()

    async with Client(wiremock.url) as client:
        with pytest.raises((ResponseBodyError, RetryExhaustedError)) as caught:
            await read()
        assert client.in_use == 0
    assert isinstance(caught.value.__cause__, ProtocolError)
    assert "a chunk has no valid size" in str(caught.value.__cause__)


# Delays


async def test_a_body_that_dribbles_is_no_silence(wiremock: WireMock) -> None:
    """The whole takes longer than the server may be silent, and no pause does."""
    path = await wiremock.on(dribble(5, 3_500))
    bodies: list[bytes] = []
    async with Client(wiremock.url, ClientConfig(retry_attempts=0, read_timeout=3)) as client:

        async def whole() -> None:
            response = await client.get(path)
            assert response.attempts[0].elapsed > 3
            bodies.append(response.content)

        async def in_pieces() -> None:
            async with client.stream("GET", path) as stream:
                pieces = [piece async for piece in stream.iter_bytes()]
            assert len(pieces) > 1
            bodies.append(b"".join(pieces))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(whole)
            tasks.start_soon(in_pieces)
        assert client.in_use == 0
    assert bodies == [STORY.encode()] * 2


async def test_a_pause_is_a_silence(wiremock: WireMock) -> None:
    """WireMock pauses before the first piece, head and all, as before each other."""
    path = await wiremock.on(dribble(2, 8_000))
    async with Client(wiremock.url, ClientConfig(retry_attempts=0, read_timeout=1)) as client:
        error = await failure(client, "GET", path)
        assert type(error) is ReadTimeoutError and "the server sent nothing for too long" in str(error)


async def test_a_body_that_dribbles_beyond_the_time_of_an_attempt(wiremock: WireMock) -> None:
    path = await wiremock.on(dribble(80, 8_000))
    config = ClientConfig(retry_attempts=1, retry_backoff_factor=0, attempt_timeout=1.5, read_timeout=5)
    errors: dict[str, Any] = {}
    async with Client(wiremock.url, config) as client:

        async def ask(method: str) -> None:
            with pytest.raises(HTTPClientError) as caught:
                await client.request(method, path)
            errors[method] = caught.value

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask, "GET")
            tasks.start_soon(ask, "POST")
        assert client.in_use == 0
    again, once = errors["GET"], errors["POST"]
    assert isinstance(again, RetryExhaustedError) and type(again.last_error) is AttemptTimeoutError
    assert [attempt.reason for attempt in again.attempts] == ["timeout", "attempts"]
    assert type(once) is AttemptTimeoutError and len(once.attempts) == 1
    assert (once.phase, once.body_started) == ("body", True)
    assert await wiremock.count(path, 3) == 3


async def test_an_answer_that_is_late(wiremock: WireMock) -> None:
    """Each limit has an error of its own. What may happen twice is asked again, where time is left for that."""
    kinds = {"read_timeout": ReadTimeoutError, "attempt_timeout": AttemptTimeoutError, "timeout": TotalTimeoutError}
    late = {limit: await wiremock.on(LATE) for limit in kinds}
    late_once = {limit: await wiremock.on(LATE, FINE) for limit in kinds}

    async def once(limit: str) -> None:
        async with Client(wiremock.url, limited(limit)) as client:
            error = await failure(client, "POST", late[limit])
        assert type(error) is kinds[limit] and error.phase == "head" and len(error.attempts) == 1

    async def again(limit: str) -> None:
        async with Client(wiremock.url, limited(limit)) as client:
            if limit == "timeout":
                assert isinstance(await failure(client, "GET", late_once[limit]), TotalTimeoutError)
            else:
                response = await client.get(late_once[limit])
                assert response.text == "fine" and client.in_use == 0
                *lost, last = [attempt.reason for attempt in response.attempts]
                assert lost and set(lost) == {"timeout"} and last is None

    def limited(limit: str) -> ClientConfig:
        fields: dict[str, Any] = {"retry_attempts": 10, "retry_backoff_factor": 0, limit: 1.0}
        return ClientConfig(**fields)

    async with anyio.create_task_group() as tasks:
        for limit in kinds:
            tasks.start_soon(once, limit)
            tasks.start_soon(again, limit)
    for path in late.values():
        assert await wiremock.count(path, 1) == 1


# TLS


async def test_a_certificate_of_ours_is_wanted_in_the_handshake(wiremock: WireMock) -> None:
    """Java says so by an alert, behind the handshake of TLS 1.3."""
    path = await wiremock.on(FINE)
    config = ClientConfig(verify_ssl=wiremock.trusted, client_certificate=wiremock.client, retry_attempts=0)
    async with Client(wiremock.tls, config) as client:
        for _ in range(2):
            assert (await client.get(path)).text == "fine"
    before = await wiremock.count(path, 2)
    for method in ("GET", "POST"):
        async with Client(wiremock.tls, ClientConfig(verify_ssl=wiremock.trusted, retry_backoff_factor=0.01)) as client:
            error = await failure(client, method, path)
        assert type(error) is CertificateError and "the server did not accept our certificate" in str(error)
        assert len(error.attempts) == 1 and not error.body_started
    assert await wiremock.count(path, before) == before == 2


@each_fault
async def test_faults_within_tls(fault: Fault, wiremock: WireMock) -> None:
    healing, broken = await wiremock.on({"fault": fault.name}, FINE), await wiremock.on({"fault": fault.name})
    config = ClientConfig(verify_ssl=wiremock.trusted, client_certificate=wiremock.client, retry_backoff_factor=0.01)
    async with Client(wiremock.tls, config) as client:
        assert (await client.get(healing)).text == "fine"
        error = await failure(client, "POST", broken, json={})
        assert type(error) is fault.error and len(error.attempts) == 1
    assert await wiremock.count(broken, 1) == 1
