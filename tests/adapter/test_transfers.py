"""Uploads: the file as it is, from its start for each try, and closed in the end."""

from __future__ import annotations

import asyncio
import errno
import gc
import os
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
from pydantic import BaseModel

from sansio_http_anyio import (
    AsyncHTTPClient,
    ClientConfig,
    ConnectionLostError,
    FileError,
    InvalidRequestError,
    RetryExhaustedError,
)
from sansio_http_anyio.upload_file import UploadFile
from tests.fixtures.mock_server import MockServer, Reply

pytestmark = pytest.mark.anyio

DATA = bytes(number * number % 251 for number in range(2_500_000))


class Taken(BaseModel):
    """What the server says it got."""

    size: int


@pytest.fixture
async def client(server: MockServer) -> AsyncIterator[AsyncHTTPClient]:
    server.on("/files/{name}", lambda request: Reply(201, json={"size": len(request.body)}))
    async with AsyncHTTPClient(server.url, ClientConfig(retry_backoff_factor=0.001)) as client:
        yield client


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "picture.png"
    path.write_bytes(DATA)
    return path


async def test_a_file(server: MockServer, client: AsyncHTTPClient, file: Path) -> None:
    told: list[tuple[int, int | None]] = []
    response = await client.upload("/files/a", file, progress=lambda *far: told.append(far))
    assert (response.status_code, response.json_data) == (201, {"size": len(DATA)})
    (request,) = server.requests
    assert (request.method, request.body == DATA) == ("PUT", True)
    assert request.headers["content-type"] == "image/png"
    assert request.headers["content-length"] == str(len(DATA)) and "transfer-encoding" not in request.headers
    assert told[0] == (0, len(DATA)) and told[-1] == (len(DATA), len(DATA))
    assert told == sorted(told) and len(told) > 20


async def test_options_are_those_of_any_request(server: MockServer, client: AsyncHTTPClient, file: Path) -> None:
    taken = await client.upload(
        "/files/{name}", str(file), path={"name": "a b"}, method="POST", content_type="x/y", response_type=Taken
    )
    assert taken == Taken(size=len(DATA))
    await client.upload("/files/b", file, headers={"content-type": "a/b"})
    plain = file.with_name("plain")
    os.rename(file, plain)
    await client.upload("/files/c", plain)
    assert [request.headers["content-type"] for request in server.requests] == [
        "x/y",
        "a/b",
        "application/octet-stream",
    ]
    assert [request.method for request in server.requests] == ["POST", "PUT", "PUT"]


async def test_an_empty_file(server: MockServer, client: AsyncHTTPClient, file: Path) -> None:
    os.truncate(file, 0)
    told: list[tuple[int, int | None]] = []
    assert (await client.upload("/files/a", file, progress=lambda *far: told.append(far))).json_data == {"size": 0}
    assert server.requests[0].headers["content-length"] == "0"
    assert (0, 0) in told


@pytest.mark.parametrize("first", [Reply(503), Reply(raw=(), early=100_000, then="reset"), Reply.eof()])
async def test_each_try_begins_at_the_start(
    first: Reply, server: MockServer, client: AsyncHTTPClient, file: Path
) -> None:
    server.on("/again", first, lambda request: Reply(json={"size": len(request.body)}))
    told: list[int] = []
    response = await client.upload("/again", file, progress=lambda far, total: told.append(far))
    assert response.json_data == {"size": len(DATA)} and len(response.attempts) == 2
    assert server.requests[-1].body == DATA
    assert told.count(0) == 2 and told[-1] == len(DATA)


async def test_a_post_that_breaks_off_is_repeated_where_somebody_vouches_for_it(
    server: MockServer, client: AsyncHTTPClient, file: Path
) -> None:
    server.on("/again", Reply.eof(), Reply(204), Reply.eof(), Reply(204))
    assert (await client.upload("/again", file, method="POST", idempotent=True)).status_code == 204
    with pytest.raises(ConnectionLostError):
        await client.upload("/again", file, method="POST")


async def test_a_file_that_grows_and_one_that_shrinks(server: MockServer, client: AsyncHTTPClient, file: Path) -> None:
    def grow(far: int, total: int | None) -> None:
        with file.open("ab") as more:
            more.write(b"more")

    response = await client.upload("/files/a", file, progress=grow)
    assert response.json_data == {"size": len(DATA)} and server.requests[0].body == DATA

    def shrink(far: int, total: int | None) -> None:
        os.truncate(file, 10)

    with pytest.raises(InvalidRequestError, match="has become shorter"):
        await client.upload("/files/b", file, progress=shrink)


async def test_what_the_callback_raises_ends_it(server: MockServer, client: AsyncHTTPClient, file: Path) -> None:
    def progress(far: int, total: int | None) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await client.upload("/files/a", file, progress=progress)


async def until(condition: Callable[[], object]) -> None:
    """Wait for what happens in a thread."""
    with anyio.fail_after(30):
        while not condition():  # noqa: ASYNC110 - it happens in threads and sockets
            await anyio.sleep(0.005)


@pytest.mark.parametrize("native", [False, True])
@pytest.mark.parametrize("step", ["open", "close", "send"])
async def test_cancelled_the_file_is_closed(
    step: str,
    native: bool,
    server: MockServer,
    anyio_backend: str,
    file: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if native and anyio_backend == "trio":
        return
    begun, go = threading.Event(), threading.Event()
    files: list[UploadFile] = []
    if step != "send":
        original: Any = getattr(UploadFile, step)

        def slow(self: UploadFile) -> Any:
            files.append(self)
            begun.set()
            go.wait(60)
            return original(self)

        monkeypatch.setattr(UploadFile, step, slow)
        server.on("/file", Reply(204))
    else:
        server.on("/file", Reply.hang())
    async with AsyncHTTPClient(server.url) as client:

        async def run() -> None:
            await client.upload("/file", file)

        there = begun.is_set if step != "send" else lambda: bool(server.requests)
        if native:
            task = asyncio.create_task(run())
            await until(there)
            task.cancel()
            threading.Timer(0.02, go.set).start()
            with pytest.raises(asyncio.CancelledError):
                await task
        else:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(run)
                await until(there)
                tasks.cancel_scope.cancel()
                threading.Timer(0.02, go.set).start()
    for each in files:
        await until(lambda: each._file is None or each._file.closed)
    files.clear()
    gc.collect()  # a file that nobody has closed warns, which is an error


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"file": "nothing"}, "file: 'nothing' does not exist"),
        ({"file": "picture.png/x"}, "file: 'picture.png/x' does not exist"),
        ({"file": "."}, "file: '.' is no regular file"),
        ({"file": "/dev/null"}, "file: '/dev/null' is no regular file"),
        ({"file": b"x"}, "file: bytes is not allowed; it is a path"),
        ({"file": "a\0b"}, "file: 'a.x00b' is not a path"),
        ({"progress": 1}, "progress: 1 is not allowed"),
        ({"data": b""}, "data: the file is the body; there is no other"),
        ({"json": 1}, "json: the file is the body"),
        ({"files": {}}, "files: the file is the body"),
        ({"method": "GE T"}, "method"),
        ({"content_type": "a/b", "headers": {"Content-Type": "c/d"}}, "content_type"),
    ],
)
async def test_mistakes_are_found_before_anything_is_sent(
    arguments: dict[str, Any],
    message: str,
    server: MockServer,
    client: AsyncHTTPClient,
    file: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(file.parent)
    with pytest.raises(InvalidRequestError, match=message):
        await client.upload("/files/a", **{"file": "picture.png", **arguments})
    assert server.requests == []


async def test_a_file_that_may_not_be_read(
    server: MockServer, client: AsyncHTTPClient, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: Any) -> int:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(os, "fstat", refuse)
    with pytest.raises(FileError, match="cannot be read: Permission denied") as caught:
        await client.upload("/files/a", file)
    monkeypatch.undo()
    assert caught.value.errno == errno.EACCES and server.requests == []


async def test_a_server_that_is_down(server: MockServer, client: AsyncHTTPClient, file: Path) -> None:
    server.on("/down", Reply(503))
    with pytest.raises(RetryExhaustedError):
        await client.upload("/down", file)
    assert server.count("/down") == 4
    assert all(request.body == DATA for request in server.requests)
