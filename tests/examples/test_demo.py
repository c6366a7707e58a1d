"""``make demo`` tells its story within its limits, and its exit status is to be believed."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import anyio
import pytest

from sansio_http_anyio import HTTPResponse
from tests.fixtures.messages import Received
from tests.fixtures.mock_server import MockServer, Reply

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.fixture(scope="module")
def demo() -> Iterator[Any]:
    """The module, to be called from here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(EXAMPLES))
        yield importlib.import_module("demo")


def run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Python, told to take warnings for errors."""
    command = [sys.executable, "-W", "error", *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=60)


# As a person sees it


def test_it_tells_its_story_on_both_event_loops_within_its_limits(tmp_path: Path) -> None:
    began = time.monotonic()
    done = run(str(EXAMPLES / "demo.py"), cwd=tmp_path)
    elapsed = time.monotonic() - began
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert elapsed < 45  # seconds, on the slowest machine; 6 on most
    assert len(lines) <= 40
    assert max(map(len, lines)) <= 100
    assert done.stdout.isascii()  # whatever the terminal's encoding is

    _, on_asyncio, on_trio = re.split(r"^(?:asyncio|trio): .*$", done.stdout, flags=re.MULTILINE)
    for told in (on_asyncio, on_trio):
        for happened in (
            r"/users +1 +- +\d+ ms  ConnectError +again in 0\.10 s: transport",
            r"/users +3 +- +\d+ ms  503 Service Unavailable +again in 0\.40 s: status\n.* CLOSED -> OPEN ",
            r"circuit +OPEN -> HALF_OPEN +one probe passes\n.*/users +4 .* 200 OK +done\n.* HALF_OPEN -> CLOSED ",
            r"/users/1 +1 .* AttemptTimeoutError +again in 0\.10 s: timeout",
            r"/users/2 +1 .* 429 Too Many Requests +again in 1\.00 s: retry_after",
            r"/users/\d +1 +\d\.\d\d s +\d+ ms  ",  # the limiter's wait
            r"result +Ada, Grace, Edsger, Barbara: \d+ attempts, of which \d+ reached the server",
        ):
            assert re.search(happened, told), f"{happened} is not in\n{told}"
        ends = [float(at) for at in re.findall(r"^ +(\d+\.\d\d) s", told, re.MULTILINE)]
        assert ends == sorted(ends)
    assert lines[-1] == "All went as it should on asyncio and trio."


# Sabotage


def never_recovers(demo: Any, server: MockServer) -> None:
    demo.REFUSALS = 99


def gives_a_wrong_answer(demo: Any, server: MockServer) -> None:
    server.on("GET /users/3", Reply(json={"id": 3, "name": "Mallory"}))


@pytest.mark.parametrize(
    ("sabotage", "wrong"),
    [
        (never_recovers, "the job failed: RetryExhaustedError: GET http://.*/users: gave up after 6 attempts"),
        (gives_a_wrong_answer, "the job's result is .*Mallory"),
    ],
)
def test_it_says_what_was_wrong_where_the_server_is_sabotaged(
    demo: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    sabotage: Callable[[Any, MockServer], None],
    wrong: str,
) -> None:
    misbehave = demo.misbehave

    def sabotaged(server: MockServer) -> None:
        misbehave(server)
        sabotage(demo, server)

    monkeypatch.setattr(demo, "misbehave", sabotaged)
    monkeypatch.setattr(demo, "REFUSALS", demo.REFUSALS)  # put back, whatever the sabotage does
    assert demo.main(["asyncio"]) == 1
    last = capsys.readouterr().out.splitlines()[-1]
    assert re.match(f"WRONG on asyncio: {wrong}", last), last


WITHOUT_REFUSALS = """\
import runpy, sys
sys.path.insert(0, {folder!r})
from _loopback import MockServer
MockServer.refuse = lambda server: None
runpy.run_path({folder!r} + "/demo.py", run_name="__main__")
"""


def test_its_exit_status_is_1_where_something_was_wrong(tmp_path: Path) -> None:
    done = run("-c", WITHOUT_REFUSALS.format(folder=str(EXAMPLES)), cwd=tmp_path)
    assert (done.returncode, done.stderr) == (1, ""), done.stdout + done.stderr
    wrong = re.findall(r"^WRONG on (asyncio|trio): (.*)$", done.stdout, re.MULTILINE)
    missing = "what should have happened and did not: {'ConnectError'}"
    assert {("asyncio", missing), ("trio", missing)} <= set(wrong), done.stdout
    assert "All went as it should" not in done.stdout


# The check, fact by fact


@dataclass
class Facts:
    """What :func:`demo.check` is told."""

    server: Any
    story: Any
    responses: list[HTTPResponse]


@dataclass
class Account:
    """What the check asks a server for."""

    requests: list[Received]
    open_connections: int = 0


@dataclass
class Told:
    """What the check asks a story for."""

    sends: list[Any]
    moves: list[str]
    waits: list[float] = field(default_factory=list)


@pytest.fixture(scope="module")
def good_run(demo: Any) -> Facts:
    """One run in which all went well."""
    with MockServer() as server:
        demo.misbehave(server)
        story = demo.Story(server)
        responses = anyio.run(demo.job, server.url, story)
        account = Account(server.requests, server.open_connections)
    return Facts(account, Told(story.sends, story.moves, story.waits), responses)


def again(response: HTTPResponse, **changes: Any) -> HTTPResponse:
    """The response, with other attempts or other content."""
    new = HTTPResponse(response.status_code, response.headers, changes.pop("content", response.content))
    new.request, new.attempts = response.request, changes.pop("attempts", response.attempts)
    return new


def test_all_is_well_with_a_good_run(demo: Any, good_run: Facts) -> None:
    assert list(demo.check(good_run.server, good_run.story, good_run.responses)) == []


def without_the_last_user(facts: Facts) -> None:
    facts.responses[4] = again(facts.responses[4], content=b"[]")


def with_no_hang(facts: Facts) -> None:
    facts.story.sends = [send for send in facts.story.sends if "AttemptTimeoutError" not in str(send.error)]
    facts.responses[1] = again(facts.responses[1], attempts=facts.responses[1].attempts[1:])
    facts.server.requests = [*facts.server.requests]
    facts.server.requests.remove(next(each for each in facts.server.requests if each.path == "/users/1"))


def with_a_circuit_that_stays_open(facts: Facts) -> None:
    facts.story.moves = ["OPEN"]


def without_a_wait(facts: Facts) -> None:
    facts.story.waits = []


def with_an_attempt_that_nobody_noted(facts: Facts) -> None:
    facts.story.sends = facts.story.sends[:-1]


def with_a_request_that_nobody_reports(facts: Facts) -> None:
    facts.server.requests = [*facts.server.requests, facts.server.requests[-1]]


def with_a_request_that_has_no_token(facts: Facts) -> None:
    facts.server.requests = [replace(facts.server.requests[0], headers={}), *facts.server.requests[1:]]


def with_a_retry_too_soon(facts: Facts) -> None:
    response = facts.responses[2]
    first, second = response.attempts
    facts.responses[2] = again(response, attempts=(first, second._replace(started=first.started + 0.9)))


def with_all_at_once(facts: Facts) -> None:
    start = facts.responses[4].attempts[0].started + 100
    for index in (3, 4, 0):
        *before, last = facts.responses[index].attempts
        facts.responses[index] = again(facts.responses[index], attempts=(*before, last._replace(started=start)))


def with_a_connection_left_open(facts: Facts) -> None:
    facts.server.open_connections = 1


@pytest.mark.parametrize(
    ("doctored", "wrong"),
    [
        (without_the_last_user, r"the job's result is .*\[\]\]"),
        (with_no_hang, r"what should have happened and did not: \{'AttemptTimeoutError'\}"),
        (with_a_circuit_that_stays_open, r"the circuit's moves were \['OPEN'\]; .*"),
        (without_a_wait, "nobody had to wait for the limiter"),
        (with_an_attempt_that_nobody_noted, r"the responses tell of \d+ attempts, the notes of \d+"),
        (with_a_request_that_nobody_reports, "by the client's account there arrived .*, by the server's .*"),
        (with_a_request_that_has_no_token, "a request came without the token"),
        (with_a_retry_too_soon, r"the server asked for 1 s, and /users/2 came after 0\.\d+ s"),
        (with_all_at_once, r"the limiter let 3 requests through in 0\.000 s"),
        (with_a_connection_left_open, "connections left open: 1"),
    ],
)
def test_one_fact_that_is_wrong_is_found_and_nothing_else(
    demo: Any, good_run: Facts, doctored: Callable[[Facts], None], wrong: str
) -> None:
    facts = Facts(replace(good_run.server), replace(good_run.story), list(good_run.responses))
    doctored(facts)
    (problem,) = demo.check(facts.server, facts.story, facts.responses)
    assert re.fullmatch(wrong, problem), problem
