"""Downloads: the right bytes or none, whatever breaks; and nothing left behind that is of no use."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import stat
import sys
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

from sansio_http_anyio import (
    AsyncHTTPClient,
    ChecksumError,
    ClientClosedError,
    ClientConfig,
    ConnectionLostError,
    FileError,
    HttpcoreTransport,
    HTTPResponseError,
    InvalidRequestError,
    LoggingMiddleware,
    PooledTransport,
    ProtocolError,
    ResponseBodyError,
    ResponseTooLargeError,
    RetryExhaustedError,
    Retrying,
    Stopped,
)
from sansio_http_anyio.part_file import CHUNK, HASHED, PartFile
from tests.fixtures.mock_server import MockServer, Received, Reply

pytestmark = pytest.mark.anyio

DATA = bytes(number * number % 251 for number in range(300_000))
SIXTY = len(DATA) * 6 // 10
TAG = {"ETag": '"one"'}
OLD = {"Last-Modified": "Tue, 15 Nov 1994 12:45:26 GMT", "Date": "Tue, 15 Nov 1994 12:50:00 GMT"}


@pytest.fixture
async def client(server: MockServer) -> AsyncIterator[AsyncHTTPClient]:
    """One connection at a time: who keeps it is noticed by the next."""
    config = ClientConfig(retry_backoff_factor=0.001, max_connections=1, pool_timeout=0)
    async with AsyncHTTPClient(server.url, config) as client:
        yield client
        policies: Any = client.policies
        assert policies.slots.in_use == 0
    assert server.open_connections == 0


class Origin:
    """Serves one file as RFC 9110 14 says, and breaks it off where it is told to."""

    def __init__(self, data: bytes = DATA, validator: dict[str, str] | None = None, cuts: tuple[int, ...] = ()) -> None:
        self.data = data
        self.validator = TAG if validator is None else validator
        self.cuts = list(cuts)  # of each answer, where it breaks off
        self.asked: list[tuple[str | None, str | None]] = []

    def __call__(self, request: Received) -> Reply:
        wanted, condition = request.headers.get("range"), request.headers.get("if-range")
        self.asked.append((wanted, condition))
        assert request.headers["accept-encoding"] == "identity"
        cut = self.cuts.pop(0) if self.cuts else None
        data, fields = self.data, {**self.validator}
        if wanted is None or (condition is not None and condition not in self.validator.values()):
            return Reply(body=data, headers=fields, cut=cut)
        start = int(wanted.removeprefix("bytes=").removesuffix("-"))
        if start >= len(data):
            return Reply(416, headers={"Content-Range": f"bytes */{len(data)}"})
        fields["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        return Reply(206, body=data[start:], headers=fields, cut=cut)


def left(path: Path) -> list[str]:
    """The names of what is there."""
    return sorted(each.name for each in path.iterdir())


# All of it


async def test_a_file(server: MockServer, client: AsyncHTTPClient, tmp_path: Path) -> None:
    server.on("/file", Origin())
    told: list[tuple[int, int | None]] = []
    done = await client.download("/file", tmp_path / "file", progress=lambda *far: told.append(far))
    assert (tmp_path / "file").read_bytes() == DATA
    assert (done.path, done.size, done.status_code, done.etag) == (tmp_path / "file", len(DATA), 200, '"one"')
    assert not done.resumed and len(done.attempts) == 1
    assert (told[0], told[-1]) == ((0, len(DATA)), (len(DATA), len(DATA)))
    assert told == sorted(told, key=lambda far: far[0])
    assert left(tmp_path) == ["file"]


@pytest.mark.parametrize("size", [0, 1, CHUNK, CHUNK + 1, HASHED])
async def test_files_of_any_size(size: int, server: MockServer, client: AsyncHTTPClient, tmp_path: Path) -> None:
    server.on("/file", Reply(body=bytes(size)))
    digest = hashlib.sha256(bytes(size)).hexdigest()
    done = await client.download("/file", str(tmp_path / "file"), sha256=digest.upper(), max_response_size=size)
    assert done.size == size == (tmp_path / "file").stat().st_size
    assert left(tmp_path) == ["file"]


async def test_a_size_that_nobody_knows(server: MockServer, client: AsyncHTTPClient, tmp_path: Path) -> None:
    server.on("/file", Reply(body=[DATA[:1000], DATA[1000:]], chunked=True))
    told: list[tuple[int, int | None]] = []
    await client.download("/file", tmp_path / "file", progress=lambda *far: told.append(far))
    assert (tmp_path / "file").read_bytes() == DATA
    assert (told[0], told[-1]) == ((0, None), (len(DATA), None))


async def test_a_coding_that_the_server_insists_on_is_taken_off(
    server: MockServer, client: AsyncHTTPClient, tmp_path: Path
) -> None:
    import gzip

    coded = gzip.compress(DATA)
    reply = {**TAG, "Content-Encoding": "gzip"}
    server.on("/file", Reply(body=coded, headers=reply, cut=len(coded) // 2), Reply(body=coded, headers=reply))
    done = await client.download("/file", tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == DATA and not done.resumed
    assert all("range" not in request.headers for request in server.requests)


async def test_options_are_those_of_any_request(server: MockServer, client: AsyncHTTPClient, tmp_path: Path) -> None:
    server.on("/files/{name}", Origin(cuts=(10,)))
    await client.download(
        "/files/{name}", tmp_path / "file", path={"name": "a"}, params={"q": 1}, headers={"X-A": "1"}, timeout=20
    )
    assert len(server.requests) == 2
    for request in server.requests:
        assert (request.method, request.path, request.params, request.headers["x-a"]) == (
            "GET",
            "/files/a",
            {"q": "1"},
            "1",
        )


async def test_a_redirect_is_followed_with_the_range(
    server: MockServer, other: MockServer, client: AsyncHTTPClient, tmp_path: Path
) -> None:
    origin = Origin(cuts=(SIXTY,))
    server.on("/file", Reply(302, headers={"Location": f"{other.url}/there"}))
    other.on("/there", origin)
    await client.download("/file", tmp_path / "file", follow_redirects=True)
    assert (tmp_path / "file").read_bytes() == DATA
    assert origin.asked == [(None, None), (f"bytes={SIXTY}-", '"one"')]
    with pytest.raises(HTTPResponseError, match="302 Found: there is no file"):
        await client.download("/file", tmp_path / "more")
    assert left(tmp_path) == ["file"]


# Broken off


@pytest.mark.parametrize("transport", [PooledTransport, HttpcoreTransport])
@pytest.mark.parametrize("then", ["close", "reset"])
@pytest.mark.parametrize(("validator", "value"), [(TAG, '"one"'), (OLD, OLD["Last-Modified"])])
async def test_broken_at_sixty_percent_and_resumed_it_is_the_same(
    then: Any, validator: dict[str, str], value: str, transport: Any, server: MockServer, tmp_path: Path
) -> None:
    whole = Reply(body=DATA, headers=validator, cut=SIXTY, then=then)
    origin = Origin(validator=validator)
    server.on("/file", whole, origin)
    digest = hashlib.sha256(DATA).hexdigest()
    config = ClientConfig(retry_backoff_factor=0.001)
    async with AsyncHTTPClient(server.url, config, transport=transport(config)) as client:
        done = await client.download("/file", tmp_path / "file", sha256=digest)
    assert (tmp_path / "file").read_bytes() == DATA
    ((wanted, condition),) = origin.asked
    assert condition == value and wanted is not None
    assert 0 < int(wanted[6:-1]) <= SIXTY  # a reset may take with it what was not read
    assert done.resumed and done.status_code == 206 and done.size == len(DATA)
    assert [attempt.reason for attempt in done.attempts] == ["transport", None]
    assert left(tmp_path) == ["file"]


@pytest.mark.parametrize("validator", [{}, {"ETag": 'W/"one"'}, {"Last-Modified": OLD["Last-Modified"]}])
async def test_without_a_strong_validator_it_begins_anew(
    validator: dict[str, str], server: MockServer, client: AsyncHTTPClient, tmp_path: Path
) -> None:
    origin = Origin(validator=validator, cuts=(SIXTY,))
    server.on("/file", origin)
    told: list[int] = []
    done = await client.download("/file", tmp_path / "file", progress=lambda far, total: told.append(far))
    assert (tmp_path / "file").read_bytes() == DATA
    assert origin.asked == [(None, None)] * 2 and not done.resumed
    assert told.count(0) == 2


async def test_another_version_comes_whole(server: MockServer, client: AsyncHTTPClient, tmp_path: Path) -> None:
    new = DATA[::-1]
    server.on("/file", Origin(cuts=(SIXTY,)), Origin(new, {"ETag": '"two"'}))
    done = await client.download("/file", tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == new
    assert (done.status_code, done.resumed, done.etag) == (200, False, '"two"')


@pytest.mark.parametrize(
    "wrong",
    [
        Reply(416, headers={"Content-Range": "bytes */5"}),
        Reply(206, body=DATA[SIXTY:]),
        Reply(206, body=DATA[5:], headers={"Content-Range": f"bytes 5-{len(DATA) - 1}/{len(DATA)}"}),
        Reply(206, body=DATA[SIXTY:], headers={"Content-Range": f"bytes {SIXTY}-{len(DATA) - 1}/999999"}),
        Reply(
            206,
            body=DATA[SIXTY:],
            headers={"ETag": '"two"', "Content-Range": f"bytes {SIXTY}-{len(DATA) - 1}/{len(DATA)}"},
        ),
    ],
)
async def test_a_part_that_does_not_fit_is_not_taken(
    wrong: Reply, server: MockServer, client: AsyncHTTPClient, tmp_path: Path
) -> None:
    origin = Origin()
    server.on("/file", Origin(cuts=(SIXTY,)), wrong, origin)
    await client.download("/file", tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == DATA
    assert origin.asked == [(None, None)]


async def test_a_part_that_is_shorter_than_it_should_be(
    server: MockServer, client: AsyncHTTPClient, tmp_path: Path
) -> None:
    half = {**TAG, "Content-Range": f"bytes {SIXTY}-{SIXTY + 9}/{len(DATA)}"}
    origin = Origin()
    server.on("/file", Origin(cuts=(SIXTY,)), Reply(206, body=DATA[SIXTY : SIXTY + 10], headers=half), origin)
    done = await client.download("/file", tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == DATA
    assert origin.asked == [(f"bytes={SIXTY + 10}-", '"one"')]
    assert [attempt.reason for attempt in done.attempts] == ["transport", "transport", None]


async def test_a_part_that_nobody_asked_for(server: MockServer, client: AsyncHTTPClient, tmp_path: Path) -> None:
    server.on("/file", Reply(206, body=b"x", headers={"Content-Range": "bytes 0-0/9"}))
    with pytest.raises(ProtocolError):
        await client.download("/file", tmp_path / "file")
    assert left(tmp_path) == []


async def test_retries_are_bounded_told_and_paid_for(server: MockServer, tmp_path: Path) -> None:
    decisions: list[Any] = []
    origin = Origin(cuts=(10, 10, 10, 10, 10))
    server.on("/file", Reply(503), origin)
    config = ClientConfig(retry_backoff_factor=0.001, retry_attempts=2)
    async with AsyncHTTPClient(server.url, config, on_decision=decisions.append) as client:
        with pytest.raises(RetryExhaustedError) as caught:
            await client.download("/file", tmp_path / "file")
        budget: Any = client.policies.retry_budget
        assert budget.retries == 2
    error = caught.value
    assert error.reason == "attempts" and isinstance(error.last_error, ResponseBodyError)
    assert [attempt.reason for attempt in error.attempts] == ["status", "transport", "attempts"]
    assert [attempt.status_code for attempt in error.attempts] == [503, 200, 206]
    assert len(server.requests) == 3
    assert [type(each) for each in decisions] == [Retrying, Retrying, Stopped]
    assert [each.reason for each in decisions] == ["status", "transport", "attempts"]


async def test_without_retries_the_failure_is_raised_and_the_next_call_goes_on(
    server: MockServer, tmp_path: Path
) -> None:
    origin = Origin(cuts=(SIXTY,))
    server.on("/file", origin)
    async with AsyncHTTPClient(server.url, ClientConfig(retry_attempts=0)) as client:
        with pytest.raises(ResponseBodyError) as caught:
            await client.download("/file", tmp_path / "file")
        assert isinstance(caught.value.__cause__, ConnectionLostError) and len(caught.value.attempts) == 1
        assert left(tmp_path) == ["file.part", "file.part.json"]
        assert (tmp_path / "file.part").read_bytes() == DATA[:SIXTY]
        server.refuse()
        server.drop()
        with pytest.raises(Exception, match="refused"):
            await client.download("/file", tmp_path / "file")
        assert (tmp_path / "file.part").read_bytes() == DATA[:SIXTY]
        server.accept()
    async with AsyncHTTPClient(server.url, ClientConfig(retry_attempts=0)) as client:
        told: list[int] = []
        digest = hashlib.sha256(DATA).hexdigest()
        done = await client.download(
            "/file", tmp_path / "file", sha256=digest, progress=lambda far, total: told.append(far)
        )
    assert (tmp_path / "file").read_bytes() == DATA
    assert done.resumed and told[0] == SIXTY
    assert origin.asked[-1] == (f"bytes={SIXTY}-", '"one"')
    assert left(tmp_path) == ["file"]


KILLED = """
import os, sys
import anyio
from sansio_http_anyio import AsyncHTTPClient

def progress(far, total):
    if far > 2_500_000:
        os._exit(9)

async def main():
    async with AsyncHTTPClient(sys.argv[1]) as client:
        await client.download("/file", sys.argv[2], progress=progress)

anyio.run(main, backend=sys.argv[3])
"""


async def test_a_process_that_is_killed_leaves_what_the_next_can_go_on_with(
    server: MockServer, client: AsyncHTTPClient, anyio_backend_name: str, tmp_path: Path
) -> None:
    data = DATA * 10
    origin = Origin(data)
    server.on("/file", origin)
    command = [sys.executable, "-c", KILLED, server.url, str(tmp_path / "file"), anyio_backend_name]
    assert (await anyio.run_process(command, check=False)).returncode == 9
    assert left(tmp_path) == ["file.part", "file.part.json"]
    digest = hashlib.sha256(data).hexdigest()
    assert (await client.download("/file", tmp_path / "file", sha256=digest)).resumed
    ((_, _), (wanted, condition)) = origin.asked
    assert wanted is not None and int(wanted[6:-1]) >= CHUNK and condition == '"one"'
    assert left(tmp_path) == ["file"]


async def test_what_is_of_another_url_is_not_gone_on_with(
    server: MockServer, client: AsyncHTTPClient, tmp_path: Path
) -> None:
    await leave_a_part(server, tmp_path)
    assert "s3cr3t" not in (tmp_path / "file.part.json").read_text()
    origin = Origin(DATA[::-1])
    server.on("/other", origin)
    done = await client.download("/other", tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == DATA[::-1] and not done.resumed
    assert origin.asked == [(None, None)]


async def leave_a_part(server: MockServer, folder: Path, size: int = SIXTY, **headers: str) -> None:
    """What a download leaves that broke off."""
    server.on("/file", Origin(cuts=(size,)))
    async with AsyncHTTPClient(server.url, ClientConfig(retry_attempts=0)) as client:
        with pytest.raises(ResponseBodyError):
            await client.download("/file", folder / "file")
    assert left(folder) == ["file.part", "file.part.json"]


@pytest.mark.parametrize(
    "state", ["", "[]", "{}", "nonsense", '{"key": 1, "validator": "x", "total": 1}', "[" * 100_000]
)
async def test_a_state_that_is_none_is_not_believed(
    state: str, server: MockServer, client: AsyncHTTPClient, tmp_path: Path
) -> None:
    (tmp_path / "file.part").write_bytes(b"rubbish")
    (tmp_path / "file.part.json").write_text(state)
    server.on("/file", Origin())
    done = await client.download("/file", tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == DATA and not done.resumed
    assert left(tmp_path) == ["file"]


async def test_where_only_the_name_was_missing(server: MockServer, client: AsyncHTTPClient, tmp_path: Path) -> None:
    await leave_a_part(server, tmp_path)
    (tmp_path / "file.part").write_bytes(DATA)
    origin = Origin()
    server.on("/file", origin)
    assert (await client.download("/file", tmp_path / "file")).resumed
    assert (tmp_path / "file").read_bytes() == DATA
    assert origin.asked == [(f"bytes={len(DATA) - 1}-", '"one"')]


# Ends before the end


@pytest.mark.parametrize("validator", [TAG, {}])
@pytest.mark.parametrize("native", [False, True])
async def test_cancelled_in_the_middle(
    native: bool, validator: dict[str, str], server: MockServer, anyio_backend: str, tmp_path: Path
) -> None:
    if native and anyio_backend == "trio":
        return
    server.on("/file", Reply(body=DATA, headers=validator, cut=SIXTY, then="hang"))
    async with AsyncHTTPClient(server.url) as client:
        there = anyio.Event()

        def progress(far: int, total: int | None) -> None:
            if far == SIXTY:
                there.set()

        if native:
            task = asyncio.create_task(client.download("/file", tmp_path / "file", progress=progress))
            await there.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        else:
            async with anyio.create_task_group() as tasks:

                async def run() -> None:
                    await client.download("/file", tmp_path / "file", progress=progress)

                tasks.start_soon(run)
                await there.wait()
                tasks.cancel_scope.cancel()
    if validator:
        assert left(tmp_path) == ["file.part", "file.part.json"]
        assert (tmp_path / "file.part").read_bytes() == DATA[:SIXTY]
    else:
        assert left(tmp_path) == []
    assert server.open_connections == 0


async def until(condition: Callable[[], object]) -> None:
    """Wait for what happens in a thread."""
    with anyio.fail_after(30):
        while not condition():  # noqa: ASYNC110 - it happens in threads
            await anyio.sleep(0.005)


STEPS = ["open", "start", "go_on", "write", "digest", "finish", "settle"]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("native", [False, True])
async def test_cancelled_while_a_thread_is_at_it(
    native: bool,
    step: str,
    server: MockServer,
    anyio_backend: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The thread goes on, and all is as if it had been one thing or the other."""
    if native and anyio_backend == "trio":
        return
    begun, go = threading.Event(), threading.Event()
    original: Callable[..., Any] = getattr(PartFile, step)

    def slow(self: PartFile, *arguments: Any) -> Any:
        begun.set()
        go.wait(60)
        return original(self, *arguments)

    server.on("/file", Origin(cuts=(SIXTY,)))
    async with AsyncHTTPClient(server.url, ClientConfig(retry_backoff_factor=0.001)) as client:
        monkeypatch.setattr(PartFile, step, slow)
        digest = hashlib.sha256(DATA).hexdigest()
        if native:
            task = asyncio.create_task(client.download("/file", tmp_path / "file", sha256=digest))
            await until(begun.is_set)
            task.cancel()
            threading.Timer(0.02, go.set).start()
            with pytest.raises(asyncio.CancelledError):
                await task
        else:
            async with anyio.create_task_group() as tasks:

                async def run() -> None:
                    await client.download("/file", tmp_path / "file", sha256=digest)

                tasks.start_soon(run)
                await until(begun.is_set)
                tasks.cancel_scope.cancel()
                threading.Timer(0.02, go.set).start()
        monkeypatch.undo()
        there = left(tmp_path)
        if "file" in there:
            assert there == ["file"] and (tmp_path / "file").read_bytes() == DATA
        else:
            assert there in ([], ["file.part", "file.part.json"])
        # Whatever it left, the place is free, and the next one comes to the same end.
        await client.download("/file", tmp_path / "file", sha256=digest)
    assert left(tmp_path) == ["file"]


async def test_a_client_that_is_closed_during_the_wait(server: MockServer, tmp_path: Path) -> None:
    server.on("/file", Origin(cuts=(SIXTY,)))
    config = ClientConfig(retry_backoff_factor=60, retry_jitter="none")
    told = anyio.Event()
    client = AsyncHTTPClient(server.url, config, on_decision=lambda note: told.set())

    async def close() -> None:
        await told.wait()
        await client.aclose()

    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(close)
            with pytest.raises(ClientClosedError):
                await client.download("/file", tmp_path / "file")
    with pytest.raises(ClientClosedError):
        await client.download("/file", tmp_path / "file")
    assert left(tmp_path) == ["file.part", "file.part.json"]


async def test_what_the_callback_raises_ends_it(server: MockServer, client: AsyncHTTPClient, tmp_path: Path) -> None:
    server.on("/file", Origin())

    def progress(far: int, total: int | None) -> None:
        if far:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await client.download("/file", tmp_path / "file", progress=progress)
    assert left(tmp_path) == ["file.part", "file.part.json"]
    assert (await client.download("/file", tmp_path / "file")).resumed


@pytest.mark.parametrize(("status", "kept"), [(404, False), (410, False), (403, True), (500, True)])
async def test_an_answer_that_is_no_file(status: int, kept: bool, server: MockServer, tmp_path: Path) -> None:
    await leave_a_part(server, tmp_path)
    server.on("/file", Reply(status, json={"error": "no"}))
    async with AsyncHTTPClient(server.url, ClientConfig(retry_attempts=0)) as client:
        with pytest.raises(HTTPResponseError) as caught:
            await client.download("/file", tmp_path / "file")
        assert caught.value.status_code == status
        assert left(tmp_path) == (["file.part", "file.part.json"] if kept else [])
        with pytest.raises(HTTPResponseError):
            await client.download("/file", tmp_path / "new")
        assert "new.part" not in left(tmp_path)


async def test_another_checksum(server: MockServer, client: AsyncHTTPClient, tmp_path: Path) -> None:
    server.on("/file", Origin())
    (tmp_path / "file").write_bytes(b"mine")
    with pytest.raises(ChecksumError, match="sha256: the file is") as caught:
        await client.download("/file", tmp_path / "file", sha256="AB" * 32)
    assert (caught.value.expected, caught.value.actual) == ("ab" * 32, hashlib.sha256(DATA).hexdigest())
    assert left(tmp_path) == ["file"] and (tmp_path / "file").read_bytes() == b"mine"


@pytest.mark.parametrize("chunked", [False, True])
async def test_too_large(chunked: bool, server: MockServer, client: AsyncHTTPClient, tmp_path: Path) -> None:
    server.on("/file", Reply(body=[DATA[:-1], DATA[-1:]], headers=TAG, chunked=chunked))
    told: list[int] = []
    with pytest.raises(ResponseTooLargeError, match="max_response_size, 299999 bytes"):
        await client.download(
            "/file", tmp_path / "file", max_response_size=299_999, progress=lambda far, total: told.append(far)
        )
    assert chunked or not told  # it was said before
    assert left(tmp_path) == []
    async with AsyncHTTPClient(server.url, ClientConfig(max_response_size=1000)) as bounded:
        with pytest.raises(ResponseTooLargeError):
            await bounded.download("/file", tmp_path / "file")
    assert left(tmp_path) == []


@pytest.mark.parametrize("step", ["writelines", "flush"])
async def test_a_disk_that_is_full(
    step: str, server: MockServer, client: AsyncHTTPClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.on("/file", Reply(body=bytes(3 * CHUNK), headers=TAG))
    real = os.fdopen

    class Full:
        def __init__(self, file: Any) -> None:
            self._file = file

        def __getattr__(self, name: str) -> Any:
            if name == step:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return getattr(self._file, name)

    monkeypatch.setattr(
        os, "fdopen", lambda *arguments: Full(real(*arguments)) if arguments[1] == "r+b" else real(*arguments)
    )
    with pytest.raises(FileError, match="cannot be written: No space left on device") as caught:
        await client.download("/file", tmp_path / "file")
    assert caught.value.errno == errno.ENOSPC and isinstance(caught.value.__cause__, OSError)
    assert left(tmp_path) == []


# Where it is put


async def test_what_is_there_is_replaced_at_the_end_and_its_mode_kept(
    server: MockServer, client: AsyncHTTPClient, tmp_path: Path
) -> None:
    server.on("/file", Origin())
    target = tmp_path / "file"
    target.write_bytes(b"old")
    target.chmod(0o600)
    seen: list[bytes] = []
    await client.download("/file", target, progress=lambda far, total: seen.append(target.read_bytes()))
    assert set(seen) == {b"old"} and target.read_bytes() == DATA
    assert stat.S_IMODE(target.stat().st_mode) == 0o600


async def test_what_is_there_stays_where_it_is_to_stay(
    server: MockServer, client: AsyncHTTPClient, tmp_path: Path
) -> None:
    server.on("/file", Origin())
    target = tmp_path / "file"
    assert (await client.download("/file", target, overwrite=False)).size == len(DATA)
    assert left(tmp_path) == ["file"]
    with pytest.raises(InvalidRequestError, match=r"file: .* is there already, and overwrite is False"):
        await client.download("/file", target, overwrite=False)
    assert len(server.requests) == 1
    late = tmp_path / "late"
    with pytest.raises(FileError, match="has come to be there") as caught:
        await client.download("/file", late, overwrite=False, progress=lambda far, total: late.write_bytes(b"mine"))
    assert caught.value.errno == errno.EEXIST
    assert late.read_bytes() == b"mine" and left(tmp_path) == ["file", "late"]


async def test_a_link_is_followed(server: MockServer, client: AsyncHTTPClient, tmp_path: Path) -> None:
    server.on("/file", Origin())
    (tmp_path / "real").write_bytes(b"")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    await client.download("/file", tmp_path / "link")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "real").read_bytes() == DATA
    # But what somebody has put where we write is not.
    (tmp_path / "file.part").symlink_to(tmp_path / "real")
    with pytest.raises(FileError) as caught:
        await client.download("/file", tmp_path / "file")
    assert caught.value.errno == errno.ELOOP
    assert (tmp_path / "real").read_bytes() == DATA


async def test_two_at_one_place(server: MockServer, tmp_path: Path) -> None:
    server.on("/file", Reply(body=DATA, headers=TAG, cut=SIXTY, then="hang"), Origin())
    async with AsyncHTTPClient(server.url) as client:
        there = anyio.Event()

        def progress(far: int, total: int | None) -> None:
            if far == SIXTY:
                there.set()

        async def first() -> None:
            await client.download("/file", tmp_path / "file", progress=progress)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(first)
            await there.wait()
            with pytest.raises(FileError, match="another download is writing to") as caught:
                await client.download("/file", tmp_path / "file")
            assert caught.value.errno == errno.EBUSY
            tasks.cancel_scope.cancel()
        assert (await client.download("/file", tmp_path / "file")).resumed
    assert (tmp_path / "file").read_bytes() == DATA


async def test_what_gets_its_name_before_we_have_the_lock_is_not_written_to(tmp_path: Path) -> None:
    """Between opening and locking it a rival may have finished."""
    one, two = PartFile(tmp_path / "file", True, "key"), PartFile(tmp_path / "file", True, "key")
    one.open()
    one.start(None, None)
    one.add(b"whole")
    one.write()
    real = os.fdopen

    def late(*arguments: Any) -> Any:
        os.fdopen = real  # type: ignore[assignment]
        file = real(*arguments)
        one.finish()
        return file

    os.fdopen = late  # type: ignore[assignment]
    assert two.open().have == 0
    two.start(None, None)
    two.settle(False)
    assert (tmp_path / "file").read_bytes() == b"whole" and left(tmp_path) == ["file"]


# Mistakes


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"file": "."}, "file: .* is a directory"),
        ({"file": "no/such/file"}, "file: the directory .*no/such' does not exist"),
        ({"file": "some/file"}, "file: the directory .*some' does not exist"),
        ({"file": "/dev/null"}, "file: '/dev/null' is no regular file"),
        ({"file": 5}, "file: 5 is not allowed; it is a path"),
        ({"file": "a\0b"}, "file: .* is not allowed; it is a path"),
        ({"sha256": "abc"}, "sha256: 'abc' is not allowed; it is 64 hexadecimal digits"),
        ({"sha256": b"ab" * 32}, "sha256: .* is not allowed"),
        ({"max_response_size": -1}, "max_response_size: -1 is not allowed; it is 0 or more, or None"),
        ({"max_response_size": True}, "max_response_size: True"),
        ({"max_response_size": 1.5}, "max_response_size: 1.5"),
        ({"progress": 5}, "progress: 5 is not allowed; it is a plain function"),
        ({"progress": anyio.sleep}, "progress: .* is not allowed; it is a plain function"),
        ({"data": b"x"}, "data: a download is a GET, which has no body"),
        ({"json": {}}, "json: a download"),
        ({"headers": {"range": "bytes=0-"}}, "headers: range is the download's own to say"),
        ({"headers": {"Accept-Encoding": "gzip"}}, "headers: accept-encoding is"),
    ],
)
async def test_mistakes_are_found_before_anything_is_sent(
    arguments: dict[str, Any],
    message: str,
    server: MockServer,
    client: AsyncHTTPClient,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "some").write_text("a file")
    with pytest.raises(InvalidRequestError, match=message):
        await client.download("/json", **{"file": "file", **arguments})
    with pytest.raises(TypeError, match="no_such_option"):
        await client.download("/json", "file", no_such_option=1)  # type: ignore[call-arg]
    assert server.requests == [] and left(tmp_path) == ["some"]


async def test_a_directory_that_may_not_be_written_to(
    server: MockServer, client: AsyncHTTPClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: Any) -> int:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(FileError, match="cannot be written: Permission denied") as caught:
        await client.download("/json", tmp_path / "file")
    assert caught.value.errno == errno.EACCES
    assert server.requests == []


async def test_nothing_secret_is_told(server: MockServer, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    server.on("/file", Origin(cuts=(10, 10)))
    caplog.set_level("DEBUG")
    config = ClientConfig(retry_attempts=1, retry_backoff_factor=0.001)
    async with AsyncHTTPClient(server.url, config, middlewares=[LoggingMiddleware()]) as client:
        with pytest.raises(RetryExhaustedError) as caught:
            await client.download("/file", tmp_path / "file", params={"key": "s3cr3t"})
    state = (tmp_path / "file.part.json").read_text()
    assert caplog.text
    assert "s3cr3t" not in f"{caught.value} {caught.value.describe()} {caplog.text} {state}"
