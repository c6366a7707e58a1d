"""What a REST client does all day, judged by httpbin."""

from __future__ import annotations

import io
import os
import socket
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from sansio_http_anyio import (
    AsyncHTTPClient,
    AttemptTimeoutError,
    BearerAuth,
    ClientConfig,
    CookieJar,
    HTTPResponseError,
    ReadTimeoutError,
    RedirectError,
    ResponseBodyError,
    TotalTimeoutError,
)
from tests.adapter.raw_server import raw_server

pytestmark = pytest.mark.anyio

CONFIG = ClientConfig(retry_attempts=0, timeout=60)
LETTERS = bytes(ord("a") + number % 26 for number in range(100_000))


@pytest.fixture
async def client(httpbin: str) -> AsyncIterator[AsyncHTTPClient]:
    async with AsyncHTTPClient(httpbin, CONFIG) as client:
        yield client


# Requests


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
async def test_methods(method: str, client: AsyncHTTPClient) -> None:
    body = None if method == "GET" else {"a": [1, "ä"]}
    response = await client.request(
        method, "/anything/{name}", path={"name": "a b"}, params={"q": ["1", "é"], "none": None}, json=body
    )
    seen: Any = response.json_data
    assert (seen["method"], seen["args"], seen["json"]) == (method, {"q": ["1", "é"]}, body)
    assert seen["url"].partition("?")[0].endswith(("/anything/a b", "/anything/a%20b"))
    assert response.reason == "OK" and response.http_version == "HTTP/1.1"


async def test_methods_without_a_body(client: AsyncHTTPClient) -> None:
    head = await client.head("/get")
    assert (head.status_code, head.content, int(head.headers["content-length"]) > 0) == (200, b"", True)
    options = await client.options("/get")
    assert {"GET", "HEAD", "OPTIONS"} <= {each.strip() for each in options.headers["allow"].split(",")}
    wrong = await client.post("/get")
    assert wrong.status_code == 405
    with pytest.raises(HTTPResponseError, match="405"):
        wrong.raise_for_status()
    assert [(await client.get(f"/status/{code}")).status_code for code in (204, 404, 418, 501)] == [204, 404, 418, 501]


async def test_headers(client: AsyncHTTPClient) -> None:
    seen: Any = (await client.get("/headers", headers={"X-Trace": "a; b", "Accept": "text/x"})).json_data["headers"]
    assert (seen["X-Trace"], seen["Accept"], seen["User-Agent"].partition("/")[0]) == ("a; b", "text/x", "sansio-http")
    back = await client.get("/response-headers", params={"X-One": ["1", "2"]})
    assert back.headers.get_list("x-one") == ["1", "2"]


async def test_forms(client: AsyncHTTPClient) -> None:
    seen: Any = (await client.post("/post", data={"a": "1 2", "b": ["x", "y&z"], "c": "ä+"})).json_data
    assert seen["form"] == {"a": "1 2", "b": ["x", "y&z"], "c": "ä+"}
    assert seen["headers"]["Content-Type"] == "application/x-www-form-urlencoded"


async def test_files(client: AsyncHTTPClient) -> None:
    files = [
        ("one", ("ä.txt", b"first", "text/plain")),
        ("two", ('a"b.bin', io.BytesIO(bytes(3)))),
        ("three", iter([b"pie", b"ces"])),
    ]
    seen: Any = (await client.post("/post", data={"field": "value"}, files=files)).json_data
    assert seen["form"] == {"field": "value"}
    assert (seen["files"]["one"], seen["files"]["three"]) == ("first", "pieces")
    assert seen["files"]["two"].strip("\0") in ("", "data:application/octet-stream;base64,AAAA")


async def test_bodies_of_every_kind(client: AsyncHTTPClient, tmp_path: Path) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"in "
        await anyio.lowlevel.checkpoint()
        yield b"pieces"

    for data, expected in [("text ä", "text ä"), (b"bytes", "bytes"), (pieces(), "in pieces"), (pieces, "in pieces")]:
        seen: Any = (await client.put("/put", data=data)).json_data
        assert seen["data"] == expected
    path = tmp_path / "letters.txt"
    path.write_bytes(LETTERS)
    told: list[int] = []
    response = await client.upload("/put", path, progress=lambda far, total: told.append(far))
    sent: Any = response.json_data
    assert sent["data"].encode() == LETTERS and told[-1] == len(LETTERS)
    assert (sent["headers"]["Content-Type"], sent["headers"]["Content-Length"]) == ("text/plain", "100000")


# Answers


@pytest.mark.parametrize(("path", "name"), [("/gzip", "gzipped"), ("/deflate", "deflated"), ("/brotli", "brotli")])
async def test_codings(path: str, name: str, client: AsyncHTTPClient) -> None:
    response = await client.get(path)
    seen: Any = response.json_data
    assert seen[name] is True
    assert response.headers["content-encoding"] == {"gzipped": "gzip", "deflated": "deflate", "brotli": "br"}[name]
    async with client.stream("GET", path) as stream:
        assert name.encode() in await stream.aread()


async def test_texts(client: AsyncHTTPClient) -> None:
    assert "∮ E⋅da = Q" in (await client.get("/encoding/utf8")).text
    assert (await client.get("/robots.txt")).text.startswith("User-agent: *")
    assert (await client.get("/image/png")).content.startswith(b"\x89PNG")


async def test_streams(client: AsyncHTTPClient) -> None:
    async with client.stream("GET", "/stream/20", params={"a": "b"}) as response:
        lines = [line async for line in response.iter_lines()]
    assert len(lines) == 20 and all('"args": {"a": "b"}' in line for line in lines)
    async with client.stream("GET", "/stream-bytes/50000", params={"seed": 7, "chunk_size": 1000}) as response:
        pieces = [piece async for piece in response.iter_bytes()]
    assert sum(map(len, pieces)) == 50_000
    assert b"".join(pieces) == (await client.get("/stream-bytes/50000", params={"seed": 7})).content
    async with client.stream("GET", "/stream-bytes/100000") as response:
        await anext(response.iter_bytes())  # and not the rest: that connection is no good any more
    assert (await client.get("/get")).status_code == 200


async def test_ranges(client: AsyncHTTPClient, tmp_path: Path) -> None:
    part = await client.get("/range/1000", headers={"Range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, LETTERS[10:20])
    assert part.headers["content-range"] == "bytes 10-19/1000"
    last = await client.get("/range/1000", headers={"Range": "bytes=-5"})
    assert (last.status_code, last.content) == (206, LETTERS[995:1000])
    nothing = await client.get("/range/1000", headers={"Range": "bytes=1000-"})
    assert (nothing.status_code, nothing.headers["content-range"]) == (416, "bytes */1000")
    told: list[tuple[int, int | None]] = []
    done = await client.download("/range/100000", tmp_path / "file", progress=lambda *far: told.append(far))
    assert (done.size, done.status_code, told[-1][0]) == (100_000, 200, 100_000)
    assert (tmp_path / "file").read_bytes() == LETTERS
    with pytest.raises(HTTPResponseError, match="404"):
        await client.download("/range/0", tmp_path / "nothing")
    assert os.listdir(tmp_path) == ["file"]


async def test_a_download_that_breaks_off(httpbin: str, tmp_path: Path) -> None:
    """The entity tags here have no quotes and are none: what broke off comes from its start again, or not at all."""
    connections: list[int] = []

    def breaking(client: socket.socket) -> None:
        """Passes a request on, and of the first answer 60 %."""
        connections.append(1)
        left = 60_000 if len(connections) == 1 else 1_000_000
        with socket.create_connection(("127.0.0.1", int(httpbin.rpartition(":")[2]))) as server:
            server.sendall(client.recv(65_536))
            while left > 0 and (data := server.recv(4096)):
                client.sendall(data)
                left -= len(data)

    with raw_server(breaking) as port:
        config = ClientConfig(retry_backoff_factor=0.001, max_keepalive_connections=0)
        async with AsyncHTTPClient(f"http://127.0.0.1:{port}", config) as client:
            done = await client.download("/range/100000", tmp_path / "file", headers={"Connection": "close"})
    assert [attempt.reason for attempt in done.attempts] == ["transport", None] and not done.resumed
    assert (tmp_path / "file").read_bytes() == LETTERS
    async with AsyncHTTPClient(httpbin, ClientConfig(retry_attempts=0, read_timeout=0.5)) as client:
        with pytest.raises(ResponseBodyError):
            await client.download("/drip?numbytes=3&duration=6&delay=0", tmp_path / "drops")
    assert os.listdir(tmp_path) == ["file"]


# Redirects


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("absolute", [False, True])
async def test_redirects_of_each_kind(status: int, absolute: bool, httpbin: str, client: AsyncHTTPClient) -> None:
    target = f"{httpbin if absolute else ''}/anything/there"
    response = await client.post(
        "/redirect-to", params={"url": target, "status_code": status}, data=b"body", follow_redirects=True
    )
    seen: Any = response.json_data
    kept = status in (307, 308)
    assert (seen["method"], seen["data"]) == (("POST", "body") if kept else ("GET", ""))
    assert ("Content-Type" in seen["headers"]) is kept
    assert [each.status_code for each in response.history] == [status]
    assert response.request is not None and response.request.url == f"{httpbin}/anything/there"
    plain = await client.get("/redirect-to", params={"url": target, "status_code": status})
    assert (plain.status_code, plain.headers["location"]) == (status, target)


@pytest.mark.parametrize("kind", ["redirect", "relative-redirect", "absolute-redirect"])
async def test_chains_of_redirects(kind: str, httpbin: str) -> None:
    async with AsyncHTTPClient(httpbin, ClientConfig(follow_redirects=True, max_redirects=3)) as client:
        response = await client.get(f"/{kind}/3")
        assert response.status_code == 200 and len(response.history) == 3
        assert response.request is not None and response.request.url == f"{httpbin}/get"
        with pytest.raises(RedirectError, match="more than 3 redirects"):
            await client.get(f"/{kind}/4")


async def test_redirects_to_another_scheme(httpbin: str, httpbin_tls: tuple[str, Path]) -> None:
    secure, bundle = httpbin_tls
    config = ClientConfig(follow_redirects=True, verify_ssl=bundle, retry_attempts=0)
    async with AsyncHTTPClient(secure, config, BearerAuth("secret")) as client:
        assert (await client.get("/bearer")).json_data["token"] == "secret"
        with pytest.raises(RedirectError, match="leads from https to http"):
            await client.get("/redirect-to", params={"url": f"{httpbin}/headers"})
        for url in ("ftp://127.0.0.1/file", "file:///etc/passwd"):
            with pytest.raises(RedirectError):
                await client.get("/redirect-to", params={"url": url})
    async with AsyncHTTPClient(httpbin, config, BearerAuth("secret"), headers={"X-API-Key": "secret"}) as client:
        response = await client.get("/redirect-to", params={"url": f"{secure}/headers"})
        seen: Any = response.json_data
        assert response.request is not None and response.request.url == f"{secure}/headers"
        assert "secret" not in str(seen)
        assert "secret" in (await client.get("/redirect-to", params={"url": "/headers"})).text


# Cookies


async def test_cookies(httpbin: str) -> None:
    jar = CookieJar()
    async with AsyncHTTPClient(httpbin, CONFIG, cookies=jar) as client:
        set_here = await client.get("/cookies/set", params={"a": "1", "b": "two"}, follow_redirects=True)
        assert set_here.json_data == {"cookies": {"a": "1", "b": "two"}}
        once: Any = (await client.get("/cookies", cookies={"c": "3"})).json_data
        assert once == {"cookies": {"a": "1", "b": "two", "c": "3"}}
        await client.get("/cookies/delete", params={"a": ""})
        assert (await client.get("/cookies")).json_data == {"cookies": {"b": "two"}}
    async with AsyncHTTPClient(httpbin, CONFIG) as plain:
        await plain.get("/cookies/set", params={"a": "1"})
        assert (await plain.get("/cookies")).json_data == {"cookies": {}}


# Time


async def test_a_drip(client: AsyncHTTPClient) -> None:
    begun = time.monotonic()
    async with client.stream("GET", "/drip", params={"numbytes": 5, "duration": 0.5, "delay": 0}) as response:
        assert [piece async for piece in response.iter_bytes()] and response.headers["content-length"] == "5"
    assert time.monotonic() - begun > 0.4
    whole = await client.get("/drip", params={"numbytes": 3, "duration": 0.1, "delay": 0, "code": 203})
    assert (whole.status_code, whole.content) == (203, b"***")


async def test_a_delay(httpbin: str, client: AsyncHTTPClient) -> None:
    assert (await client.get("/delay/0")).status_code == 200
    assert (await client.get("/delay/1")).elapsed >= 0.9
    with pytest.raises(TotalTimeoutError):
        await client.get("/delay/3", timeout=0.3)
    for limit, error in (("read_timeout", ReadTimeoutError), ("attempt_timeout", AttemptTimeoutError)):
        limits: Any = {limit: 0.3}
        async with AsyncHTTPClient(httpbin, ClientConfig(retry_attempts=0, **limits)) as impatient:
            with pytest.raises(error):
                await impatient.get("/delay/3")
