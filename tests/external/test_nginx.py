"""What a server in front of an API does to its clients: nginx ends connections, refuses, limits, and speaks TLS."""

from __future__ import annotations

import hashlib
import itertools
import uuid
from collections.abc import AsyncIterator, Iterator
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from sansio_http_anyio import (
    AsyncHTTPClient,
    CertificateError,
    ClientConfig,
    ConnectionLostError,
    HTTPClientError,
    HTTPResponseError,
    PooledTransport,
    RateLimitError,
    RetryExhaustedError,
    TLSError,
)
from tests.external.nginx import LETTERS, Nginx

pytestmark = pytest.mark.anyio

ONCE = ClientConfig(retry_attempts=0, timeout=60)
QUICK = ClientConfig(retry_backoff_factor=0.01, timeout=60)


def new_id() -> str:
    return uuid.uuid4().hex


def statuses(told: dict[str, list[dict[str, Any]]], each: str) -> list[int]:
    """What a request was answered, each time that it came."""
    return [entry["status"] for entry in told.get(each, [])]


# Connections that end


async def test_a_connection_is_kept_and_counted(nginx: Nginx) -> None:
    each = new_id()
    async with AsyncHTTPClient(nginx.url, ONCE) as client:
        for path in ("/ok", "/nothing", "/small.txt", "/letters.txt"):
            for method in ("GET", "HEAD"):
                assert (await client.request(method, path, params={"id": each})).is_success
        assert (await client.post("/ok", params={"id": each}, data=bytes(10_000))).is_success
        for _ in range(8):
            assert (await client.get("/three-turns", params={"id": each})).is_success
    entries = (await nginx.told())[each]
    turns = [entry["turn"] for entry in entries]
    assert turns == [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 1, 2, 3, 1, 2, 3, 1]
    assert len({entry["connection"] for entry in entries}) == 4


async def test_pauses_as_long_as_the_server_keeps_a_connection(nginx: Nginx) -> None:
    """The race for a kept connection: pauses of about the second after which nginx ends it.

    No GET may fail, although none is tried again. A POST may, but only where its bytes went out, and nginx must not get
    it twice.
    """
    gets: list[str] = []
    posts: dict[str, HTTPClientError | None] = {}

    async def visit(method: str, pause: float) -> None:
        async with AsyncHTTPClient(nginx.url, ONCE) as client:
            for turn in range(6):
                each = new_id()
                if method == "GET":
                    gets.append(each)
                    assert (await client.get("/one-second", params={"id": each})).status_code == 200
                else:
                    try:
                        assert (await client.post("/one-second", params={"id": each}, data=b"x")).status_code == 200
                    except ConnectionLostError as error:
                        posts[each] = error
                    else:
                        posts[each] = None
                await anyio.sleep(pause if turn % 2 else 0)

    async with anyio.create_task_group() as tasks:
        for method, number in itertools.product(("GET", "POST"), range(40)):
            tasks.start_soon(visit, method, 0.97 + 0.0015 * number)
    told = await nginx.told()
    assert len(gets) == 240 and all(statuses(told, each) == [200] for each in gets)
    assert len(posts) == 240
    for each, error in posts.items():
        if error is None:
            assert statuses(told, each) == [200]
        else:
            assert isinstance(error, ConnectionLostError)
            assert (error.head_sent, error.body_started, error.reused) == (True, False, True)
            assert len(error.attempts) == 1 and error.attempts[0].sends == 1
            assert len(statuses(told, each)) <= 1
    turns = [told[each][0]["turn"] for each in (*gets, *posts) if each in told]
    assert 1 in turns and 2 in turns  # some were kept, some were ended


@pytest.mark.parametrize(
    ("method", "options", "again"),
    [
        ("GET", {}, True),
        ("PUT", {"data": b"x"}, True),
        ("POST", {"data": b"x"}, False),
        ("POST", {"data": b"x", "idempotency_key": "auto"}, True),
        ("POST", {"data": b"x", "idempotent": True}, True),
        ("PATCH", {"data": b"x"}, False),
    ],
)
async def test_the_second_request_of_each_connection_is_dropped(
    method: str, options: dict[str, Any], again: bool, nginx: Nginx
) -> None:
    """As if each had met the end of a kept connection: it goes out once more on a new one, if it may happen twice."""
    first, second = new_id(), new_id()
    path = "/gone-at-the-second-turn"
    async with AsyncHTTPClient(nginx.url, ONCE) as client:
        assert (await client.get(path, params={"id": first})).is_success
        if again:
            response = await client.request(method, path, params={"id": second}, **options)
            assert response.is_success and response.attempts[0].sends == 2
        else:
            with pytest.raises(ConnectionLostError, match="the connection ended before an answer came") as caught:
                await client.request(method, path, params={"id": second}, **options)
            assert caught.value.head_sent and caught.value.reused and not caught.value.body_started
            assert caught.value.attempts[0].sends == 1
            assert (await client.get("/ok")).is_success
    told = await nginx.told()
    assert statuses(told, first) == [200]
    assert statuses(told, second) == ([444, 200] if again else [444])


async def test_a_body_that_can_be_sent_only_once_is_not_sent_to_a_second_connection(nginx: Nginx) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"a piece"

    first, second = new_id(), new_id()
    async with AsyncHTTPClient(nginx.url, QUICK) as client:
        await client.get("/gone-at-the-second-turn", params={"id": first})
        with pytest.raises(HTTPClientError) as caught:
            await client.put("/gone-at-the-second-turn", params={"id": second}, data=pieces())
        error = caught.value.__cause__ if isinstance(caught.value, RetryExhaustedError) else caught.value
        assert isinstance(error, ConnectionLostError)
        assert [attempt.reason for attempt in caught.value.attempts] == ["not_replayable"]
    assert statuses(await nginx.told(), second) == [444]


# No answer


async def test_no_answer_to_what_may_happen_twice(nginx: Nginx) -> None:
    each = new_id()
    async with AsyncHTTPClient(nginx.url, QUICK) as client:
        with pytest.raises(RetryExhaustedError) as caught:
            await client.get("/gone", params={"id": each})
    error = caught.value
    assert error.reason == "attempts" and isinstance(error.last_error, ConnectionLostError)
    assert "the connection ended before an answer came" in str(error.last_error)
    assert (error.last_error.phase, error.last_error.reused) == ("head", False)
    assert [attempt.reason for attempt in error.attempts] == ["transport"] * 3 + ["attempts"]
    assert statuses(await nginx.told(), each) == [444] * 4


async def test_no_answer_to_what_may_not(nginx: Nginx) -> None:
    plain, vouched = new_id(), new_id()
    async with AsyncHTTPClient(nginx.url, QUICK) as client:
        with pytest.raises(ConnectionLostError, match="the connection ended before an answer came") as caught:
            await client.post("/gone", params={"id": plain}, json={})
        error = caught.value
        assert (error.phase, error.head_sent, error.body_started, error.reused) == ("head", True, False, False)
        assert [attempt.reason for attempt in error.attempts] == ["not_idempotent"]
        with pytest.raises(RetryExhaustedError):
            await client.post("/gone", params={"id": vouched}, json={}, idempotency_key="auto")
    told = await nginx.told()
    assert (statuses(told, plain), statuses(told, vouched)) == ([444], [444] * 4)


async def test_every_other_connection_is_dropped(nginx: Nginx) -> None:
    """Sixty calls at once: every GET arrives, no POST does twice, and no connection is lost to the pool."""
    config = ClientConfig(
        retry_attempts=50, retry_backoff="constant", retry_backoff_factor=0.01, retry_budget=None, max_connections=20
    )
    transport = PooledTransport(config)
    gets, posts = [new_id() for _ in range(30)], {new_id(): True for _ in range(30)}

    async def get(each: str) -> None:
        assert (await client.get("/gone-on-odd-connections", params={"id": each})).is_success

    async def post(each: str) -> None:
        try:
            await client.post("/gone-on-odd-connections", params={"id": each}, data=b"x")
        except ConnectionLostError:
            posts[each] = False

    async with AsyncHTTPClient(nginx.url, config, transport=transport) as client:
        async with anyio.create_task_group() as tasks:
            for each in gets:
                tasks.start_soon(get, each)
            for each in posts:
                tasks.start_soon(post, each)
        assert transport._pool.status(0.0).in_use == 0
    told = await nginx.told()
    for each in gets:
        *dropped, last = statuses(told, each)
        assert last == 200 and set(dropped) <= {444}
    assert all(statuses(told, each) == [200 if arrived else 444] for each, arrived in posts.items())
    assert any(444 in statuses(told, each) for each in (*gets, *posts))


# Limits


async def test_a_limit_that_says_when_to_come_back(nginx: Nginx) -> None:
    each = new_id()
    config = ClientConfig(retry_attempts=10, retry_backoff_factor=0.01, timeout=60)
    answers: list[Any] = []
    async with AsyncHTTPClient(nginx.url, config) as client:

        async def ask() -> None:
            answers.append(await client.get("/asked", params={"id": each}))

        async with anyio.create_task_group() as tasks:
            for _ in range(2):
                tasks.start_soon(ask)
    assert [(answer.status_code, answer.content) for answer in answers] == [(200, b"small")] * 2
    refused = [attempt for answer in answers for attempt in answer.attempts if attempt.status_code == 429]
    assert refused and all(attempt.reason == "retry_after" and attempt.delay >= 1 for attempt in refused)
    assert sorted(statuses(await nginx.told(), each)) == [200] * 2 + [429] * len(refused)


async def test_a_limit_that_says_nothing(nginx: Nginx) -> None:
    """A POST as well is sent again: the server has answered that it did nothing."""
    each = new_id()
    config = ClientConfig(
        retry_attempts=20, retry_backoff="constant", retry_backoff_factor=0.3, retry_jitter="none", timeout=60
    )
    answers: list[Any] = []
    async with AsyncHTTPClient(nginx.url, config) as client:

        async def ask() -> None:
            answers.append(await client.post("/refused", params={"id": each}, data=b"x"))

        async with anyio.create_task_group() as tasks:
            for _ in range(2):
                tasks.start_soon(ask)
    refused = [attempt for answer in answers for attempt in answer.attempts if attempt.status_code == 503]
    assert refused and all((attempt.reason, attempt.delay) == ("status", 0.3) for attempt in refused)
    assert sorted(statuses(await nginx.told(), each)) == [200] * 2 + [503] * len(refused)


async def test_a_limit_that_is_not_waited_for(nginx: Nginx) -> None:
    each = new_id()
    caught: list[RateLimitError] = []
    async with AsyncHTTPClient(nginx.url, ClientConfig(retry_attempts=1, retry_after_max=0.5)) as client:

        async def ask() -> None:
            try:
                await client.get("/asked", params={"id": each})
            except RateLimitError as error:
                caught.append(error)

        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(ask)
    assert caught and all((error.status_code, error.retry_after) == (429, 1) for error in caught)
    assert all([attempt.reason for attempt in error.attempts] == ["retry_after"] for error in caught)


# Bodies


@pytest.mark.parametrize("coding", ["gzip", "identity"])
async def test_a_large_body(coding: str, nginx: Nginx) -> None:
    headers = {"Accept-Encoding": coding}
    async with AsyncHTTPClient(nginx.url, ONCE) as client:
        response = await client.get("/letters.txt", headers=headers)
        assert response.content == LETTERS
        assert response.headers.get("content-encoding", "identity") == coding
        assert ("content-length" in response.headers) == (coding == "identity")
        async with client.stream("GET", "/letters.txt", headers=headers) as stream:
            pieces = [piece async for piece in stream.iter_bytes()]
        assert len(pieces) > 1 and b"".join(pieces) == LETTERS
        known = await client.get("/letters.txt", headers={**headers, "If-None-Match": response.headers["etag"]})
        assert (known.status_code, known.content) == (304, b"")
        part = await client.get("/letters.txt", headers={"Accept-Encoding": "identity", "Range": "bytes=100000-199999"})
        assert (part.status_code, part.content) == (206, LETTERS[100_000:200_000])
        head = await client.head("/letters.txt", headers=headers)
        assert head.is_success and head.content == b""


@pytest.mark.parametrize("where", ["app", "app-in-pieces"])
@pytest.mark.parametrize("is_known", [True, False], ids=["length", "chunked"])
async def test_an_upload_to_what_is_behind_it(where: str, is_known: bool, nginx: Nginx) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(LETTERS), 50_000):
            yield LETTERS[start : start + 50_000]
            await anyio.lowlevel.checkpoint()

    async with AsyncHTTPClient(nginx.url, ONCE) as client:
        for _ in range(2):  # the second over the kept connection
            response = await client.put(f"/{where}/digest", data=LETTERS if is_known else pieces())
            seen: Any = response.raise_for_status().json_data
            assert seen["sha256"] == hashlib.sha256(LETTERS).hexdigest()
            # nginx knows the length of what it has kept until it was whole
            assert (seen["length"] is None) == (not is_known and where == "app-in-pieces")
        assert (await client.get(f"/{where}/bytes/1000000")).content == bytes(1_000_000)


async def test_an_upload_without_end_is_refused_before_it_is_over(nginx: Nginx) -> None:
    """It says 413 once it has seen too much: that is the answer, and the rest is not sent."""

    async def pieces() -> AsyncIterator[bytes]:
        while True:
            yield bytes(10_000)
            await anyio.lowlevel.checkpoint()

    each = new_id()
    before = len(nginx.app.requests)
    async with AsyncHTTPClient(nginx.url, QUICK) as client:
        response = await client.put("/small-bodies/digest", params={"id": each}, data=pieces())
        assert response.status_code == 413 and b"413" in response.content
        assert len(response.attempts) == 1
        with pytest.raises(HTTPResponseError, match="413"):
            response.raise_for_status()
        assert (await client.put("/small-bodies/digest", params={"id": each}, data=bytes(90_000))).is_success
    told = (await nginx.told())[each]
    assert [entry["status"] for entry in told] == [413, 200]
    assert told[0]["connection"] != told[1]["connection"]
    assert len(nginx.app.requests) == before + 1


async def test_an_upload_of_a_known_length_is_refused_at_its_head(nginx: Nginx) -> None:
    async with AsyncHTTPClient(nginx.url, QUICK) as client:
        for data in (bytes(200_000), bytes(50_000_000)):
            response = await client.post("/small-bodies/digest", data=data)
            assert response.status_code == 413 and len(response.attempts) == 1


# TLS


async def test_names_and_protocols(nginx: Nginx) -> None:
    """Both certificates, by the name that is asked for; and of two protocols the one that we speak."""
    trusted = ClientConfig(verify_ssl=nginx.trusted, retry_attempts=0)
    async with AsyncHTTPClient(nginx.tls, trusted) as client:
        for _ in range(2):
            assert (await client.get("/")).json_data == ["localhost", "localhost", "http/1.1", "HTTP/1.1"]
    other = ClientConfig(verify_ssl=nginx.trusted, retry_attempts=0, server_name="api.example.com")
    for url in (nginx.tls, nginx.strict):
        async with AsyncHTTPClient(url, other) as client:
            seen: Any = (await client.get("/", headers={"Host": "api.example.com"})).json_data
            assert seen[:2] == ["api", "api.example.com"]
    address = nginx.tls.replace("localhost", "127.0.0.1")  # an address is no name to ask for
    async with AsyncHTTPClient(address, trusted) as client:
        assert (await client.get("/")).json_data == ["localhost", "", "http/1.1", "HTTP/1.1"]


async def test_a_certificate_for_another_name(nginx: Nginx) -> None:
    config = ClientConfig(verify_ssl=nginx.trusted, server_name="other.example.com", retry_backoff_factor=0.01)
    async with AsyncHTTPClient(nginx.tls, config) as client:
        with pytest.raises(CertificateError, match="certificate refused: Hostname mismatch") as caught:
            await client.get("/")
    assert len(caught.value.attempts) == 1


async def test_an_authority_that_nobody_knows(nginx: Nginx) -> None:
    async with AsyncHTTPClient(nginx.tls, QUICK) as client:
        with pytest.raises(CertificateError, match="certificate refused: unable to get local issuer") as caught:
            await client.post("/")
    assert len(caught.value.attempts) == 1 and not caught.value.head_sent


async def test_a_name_that_the_server_does_not_know(nginx: Nginx) -> None:
    config = ClientConfig(verify_ssl=nginx.trusted, retry_attempts=0)
    async with AsyncHTTPClient(nginx.strict, config) as client:
        with pytest.raises(TLSError, match=r"no TLS: .*unrecognized name") as caught:
            await client.get("/")
    assert not isinstance(caught.value, CertificateError) and caught.value.phase == "connect"


async def test_a_certificate_of_ours_is_wanted(nginx: Nginx) -> None:
    """It is asked for in the handshake, and who has none, or another authority's, is told 400."""
    plain = {"verify_ssl": nginx.trusted, "retry_backoff_factor": 0.01}
    cases: Iterator[tuple[dict[str, Any], str | None]] = iter(
        [
            ({"client_certificate": nginx.client}, None),
            ({}, "No required SSL certificate was sent"),
            ({"client_certificate": nginx.stranger}, "The SSL certificate error"),
        ]
    )
    for options, refusal in cases:
        each = new_id()
        async with AsyncHTTPClient(nginx.mutual, ClientConfig(**plain, **options)) as client:
            response = await client.get("/", params={"id": each})
            assert len(response.attempts) == 1
            if refusal is None:
                assert response.json_data == {"verified": "SUCCESS"}
            else:
                assert response.status_code == 400 and refusal in response.text
                with pytest.raises(HTTPResponseError, match="400"):
                    response.raise_for_status()
        assert statuses(await nginx.told(), each) == [200 if refusal is None else 400]
