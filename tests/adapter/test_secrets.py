"""A secret in every slot, every failure there is, and a search of whatever can be seen of it."""

from __future__ import annotations

import io
import logging
import pickle
import traceback
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from sansio_http import Policies
from sansio_http_anyio import (
    APIKeyAuth,
    AsyncHTTPClient,
    BasicAuth,
    BearerAuth,
    CircuitBreaker,
    ClientConfig,
    DigestAuth,
    HTTPClientError,
    HTTPRequest,
    LoggingMiddleware,
    MetricsMiddleware,
    RequestSigner,
    TokenBucketRateLimiter,
    Unsigned,
)
from tests.fixtures.mock_server import MockServer, Reply

pytestmark = pytest.mark.anyio

SECRET = "ca" + "nary"  # tracebacks show lines of this file, where it may not stand as it is
BASE64 = "Y2" + "FuYXJ5"


class Signature(RequestSigner):
    """Makes a signature out of what is secret."""

    def sign(self, message: Unsigned) -> dict[str, str]:
        return {"X-Signature": SECRET}

    def __repr__(self) -> str:
        return "Signature()"


AUTHS = (
    BearerAuth(SECRET),
    BasicAuth(SECRET, SECRET),
    APIKeyAuth(SECRET),
    APIKeyAuth(SECRET, location="query"),
    APIKeyAuth(SECRET, location="cookie"),
    BearerAuth(lambda: SECRET),
    DigestAuth(SECRET, SECRET),
    [Signature(), APIKeyAuth(SECRET)],
)
EVERYWHERE: dict[str, Any] = {
    "params": {"token": SECRET},
    "headers": {"X-Secret": SECRET, "Cookie": f"session={SECRET}"},
    "json": {"password": SECRET},
    "idempotent": True,
}
CONFIG = ClientConfig(retry_backoff_factor=0.001, retry_attempts=1, follow_redirects=True, attempt_timeout=0.2)


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """All that is logged, by anybody; but httpcore's DEBUG level shows what the server says, byte by byte."""
    text, root = io.StringIO(), logging.getLogger()
    handler, level = logging.StreamHandler(text), root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    monkeypatch.setattr(logging.getLogger("httpcore"), "level", logging.INFO)
    yield text
    root.setLevel(level)
    root.removeHandler(handler)


@pytest.fixture
def leaky(server: MockServer) -> MockServer:
    """A server whose own answers are full of secrets, and wrong."""
    secret = SECRET.encode()
    server.on("/reset", Reply.reset())
    server.on("/hang", Reply.hang())
    server.on("/cut", Reply(body=secret * 10, cut=12))
    server.on("/no-http", Reply(raw=(secret + b"\r\n\r\n",)))
    server.on("/bad-header", Reply(raw=(b"HTTP/1.1 200 OK\r\nSet Cookie: " + secret + b"\r\n\r\n",)))
    server.on("/bad-chunk", Reply(raw=(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", secret, b"\r\n")))
    server.on("/digest", Reply(401, headers={"WWW-Authenticate": f'Digest realm="{SECRET}", nonce="n"'}))
    server.on("/unknown", Reply(401, headers={"WWW-Authenticate": f'Digest realm="{SECRET}", nonce="{SECRET}", qop=x'}))
    server.on("/busy", Reply(429, headers={"Retry-After": "0"}))
    server.on("/loop", Reply(302, headers={"Location": f"/loop?token={SECRET}"}))
    server.on("/userinfo", Reply(302, headers={"Location": f"http://{SECRET}:{SECRET}@127.0.0.1/"}))
    server.on("/json", Reply(body=b"{" + secret, headers={"Content-Type": "application/json"}))
    server.on("/text", Reply(body=b"\xff" + secret, headers={"Content-Type": "text/plain"}))
    return server


PATHS = "reset hang cut no-http bad-header bad-chunk busy loop userinfo json text digest unknown status/500".split()


class Witness:
    """Keeps every error, and whatever else a program might print."""

    def __init__(self) -> None:
        self.errors: list[BaseException] = []
        self.things: list[object] = []

    async def watch(self, call: Callable[[], Awaitable[Any]]) -> None:
        """Make a call, and whatever one does with its answer."""
        try:
            answer = await call()
            self.things += [answer, answer.headers, answer.request, answer.attempts]
            _ = answer.raise_for_status().json_data, answer.text
        except Exception as error:
            self.errors.append(error)

    def texts(self) -> Iterator[str]:
        """All of it."""
        for thing in self.things:
            yield repr(thing)
            yield str(thing)
        for error in self.errors:
            link: BaseException | None = error
            while link is not None:
                yield repr(link)
                yield str(link)
                link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)
            yield "".join(traceback.format_exception(error))
            yield repr(vars(error))


def assert_no_secret(texts: list[str]) -> None:
    for text in texts:
        for secret in (SECRET, BASE64):
            at = text.find(secret)
            assert at < 0, f"...{text[max(0, at - 200) : at + 50]}..."


@pytest.mark.parametrize("auth", AUTHS, ids=repr)
async def test_calls(auth: Any, leaky: MockServer, log: io.StringIO) -> None:
    witness, metrics = Witness(), MetricsMiddleware()
    client = AsyncHTTPClient(
        leaky.url,
        CONFIG,
        auth,
        [LoggingMiddleware(), metrics],
        TokenBucketRateLimiter(1000, 1000),
        CircuitBreaker(failure_threshold=1000),
        headers={"X-Also-Secret": SECRET},
        params={"also": SECRET},
    )

    async def stream(path: str) -> Any:
        async with client.stream("POST", path, **EVERYWHERE) as response:
            await response.aread()
            return response

    async with client:
        for path in PATHS:
            await witness.watch(lambda path=path: client.post(f"/{path}", **EVERYWHERE))  # type: ignore[misc]
            await witness.watch(lambda path=path: stream(path))  # type: ignore[misc]
    witness.things += [auth, client, client.policies, metrics.snapshot()]
    assert len(witness.errors) >= 2 * len(PATHS) - 1
    assert all(isinstance(error, HTTPClientError) for error in witness.errors)
    assert log.getvalue().count("POST") > 50
    # What every one of them had to carry there.
    assert all(SECRET.encode() in request.head for request in leaky.requests)
    assert_no_secret([*witness.texts(), log.getvalue()])


async def test_refusals_of_our_own(leaky: MockServer, log: io.StringIO) -> None:
    witness = Witness()
    limiter, breaker = TokenBucketRateLimiter(0.01, 2), CircuitBreaker(failure_threshold=1)
    client = AsyncHTTPClient(
        leaky.url, CONFIG, AUTHS[0], [LoggingMiddleware()], circuit_breaker=breaker, rate_limiter=limiter
    )
    async with client:
        for policies in (None, None, Policies(limiter=limiter), Policies(limiter=limiter)):
            await witness.watch(
                lambda policies=policies: client.post(f"/no-http?key={SECRET}", policies=policies, **EVERYWHERE)  # type: ignore[misc]
            )
        leaky.refuse()
        await witness.watch(lambda: client.post("/", policies=Policies(), **EVERYWHERE))
    witness.things += [breaker, limiter]
    names = [type(error).__name__ for error in witness.errors]
    assert names == "ProtocolError CircuitBreakerOpenError ProtocolError RateLimitError ConnectError".split()
    assert_no_secret([*witness.texts(), log.getvalue()])


MISTAKES: list[Callable[[AsyncHTTPClient], Any]] = [
    lambda client: client.get(f"/x?token={SECRET}", headers={"X": f"{SECRET}\n"}),
    lambda client: client.get("/x", headers={f"X {SECRET}"[:1]: f"{SECRET}\r"}),
    lambda client: client.get(f"http://{SECRET}:{SECRET}@127.0.0.1/?{SECRET}"),
    lambda client: client.get(f"/../{SECRET}"),
    lambda client: client.get(f"/{SECRET}\n"),
    lambda client: client.post("/", json={SECRET: object()}),
    lambda client: client.post("/", json=float("nan"), params={"a": SECRET}),
    lambda client: client.post("/", data={"a": {SECRET: 1}}),
    lambda client: client.post("/", data=b"x", idempotency_key=f"{SECRET}\n"),
    lambda client: client.get("/", auth=f"Bearer {SECRET}"),
]
SETTINGS: list[Callable[[str], Any]] = [
    lambda url: BearerAuth(f"{SECRET} {SECRET}"),
    lambda url: BasicAuth(f"{SECRET}:", SECRET),
    lambda url: BasicAuth(SECRET, f"{SECRET}\n"),
    lambda url: APIKeyAuth(f"{SECRET}\n"),
    lambda url: APIKeyAuth(f"{SECRET};", location="cookie"),
    lambda url: AsyncHTTPClient(f"http://{SECRET}:{SECRET}@127.0.0.1"),
    lambda url: AsyncHTTPClient(f"{url}?key={SECRET}"),
    lambda url: AsyncHTTPClient(url, headers={"X": f"{SECRET}\n"}),
    lambda url: AsyncHTTPClient(url, auth=(SECRET, SECRET)),  # type: ignore[arg-type]
]


async def test_mistakes(server: MockServer, log: io.StringIO) -> None:
    witness = Witness()
    async with AsyncHTTPClient(server.url, CONFIG, AUTHS[0], [LoggingMiddleware()]) as client:
        for ask in MISTAKES:
            await witness.watch(lambda ask=ask: ask(client))  # type: ignore[misc]
    for build in SETTINGS:
        with pytest.raises(HTTPClientError) as caught:
            build(server.url)
        witness.errors.append(caught.value)
    witness.things += [HTTPRequest("GET", f"http://h/?a={SECRET}", {"X": SECRET}, {"a": SECRET}, SECRET.encode())]
    assert len(witness.errors) == len(MISTAKES) + len(SETTINGS)
    assert_no_secret([*witness.texts(), log.getvalue()])
    assert server.connections == 0


@pytest.mark.parametrize("path", [*PATHS, "status/404"])
async def test_pickles(path: str, server: MockServer, leaky: MockServer) -> None:
    """Of the request nothing is left in them; what the server said is."""
    if path in ("json", "text"):
        server.on(f"/{path}", Reply(body=b"\xff{", headers={"Content-Type": "application/json; charset=utf-8"}))
    if path in ("loop", "userinfo"):
        server.on(f"/{path}", Reply(302, headers={"Location": f"/{path}"}))
    if path in ("digest", "unknown"):
        server.on(f"/{path}", Reply(401, headers={"WWW-Authenticate": "Digest"}))
    witness = Witness()
    async with AsyncHTTPClient(server.url, CONFIG, AUTHS[0]) as client:
        await witness.watch(lambda: client.post(f"/{path}", **EVERYWHERE))
    (error,) = witness.errors
    assert isinstance(error, HTTPClientError)
    data = pickle.dumps(error)
    assert_no_secret([data.decode("latin-1")])
    copy = pickle.loads(data)
    assert (type(copy), str(copy)) == (type(error), str(error))
    assert copy.attempts == error.attempts
