"""The examples run as a user runs them, on both event loops, and say what their text promises."""

from __future__ import annotations

import ast
import importlib
import io
import re
import subprocess
import sys
import tokenize
from pathlib import Path
from types import ModuleType

import pytest

from sansio_http import (
    AttemptTimeoutError,
    ConnectError,
    ConnectionLostError,
    HTTPRequest,
    HTTPRequestError,
    Policies,
    ProtocolError,
    TotalTimeoutError,
)
from tests.fixtures.mock_server import MockServer, Reply

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"

PRINTED = {
    "basic_usage": r"""
        200 \{'id': 1, 'name': 'Ada'\}
        201 \{'id': 4, 'name': 'Barbara'\} /users/4
        \{'page': '2'\} 42
        line by line: \{"line": 0\}
        line by line: \{"line": 1\}
        line by line: \{"line": 2\}
        404 False
        HTTPResponseError 404 1
        """,
    "with_auth": r"""
        bearer  200
        asked   200
        API key 200
        basic   200
        vault   200
        wrong   401
        """,
    "with_digest_and_netrc": r"""
        digest \[2, 1, 1\]
        netrc  200
        both   key Bearer token
        none   401
        """,
    "with_oauth2": r"""
        calls 10 token requests 1
        by JWT 200
        refused 401 invalid_client
        """,
    "with_oauth2_for_users": r"""
        a user    200
        in store  \['the next one'\]
        exchanged 200
        """,
    "with_signing": r"""
        201 \[503, 201\]
        signature good
        signature good
        """,
    "with_files": r"""
        big\.iso .+ 1\.0/1\.0 MB .+
        1000000 resumed: True \['transport', None\]
        \['big\.iso'\]
        201 \{'bytes': 1000000\}
        not the file that was wanted: True
        """,
    "with_pages": r"""
        \['Ada', 'Grace', 'Edith'\]
        saved at Ada
        \['Grace', 'Edith'\]
        """,
    "with_events": r"""
        1 joined \{'name': 'Ada'\}
        2 said \{'text': 'Hello'\}
        connections to the stream: 3
        later: 2 said
        """,
    "with_json_lines": r"""
        Ada
        line 2 id
        Edsger in line 4
        """,
    "with_retry": r"""
        1 ConnectionLostError: .+ -> transport
        2 503 -> status
        3 200 -> None
        \{'it': 'works'\}
        attempts 502 \[0\.1, None\]
        """,
    "with_rate_limiting": r"""
        25 answers in (0\.[5-9]|[1-9]\d*\.\d) s
        waited \[0\.0, 0\.0\]
        refused, by us and not by a server: True; try again in (0\.[1-9]|1\.0) s
        """,
    "with_circuit_breaker": r"""
        500 CLOSED
        500 CLOSED
        500 CLOSED
        500 CLOSED
        500 OPEN
        OPEN after 500 Internal Server Error - arrived: 5
        HALF_OPEN 200 CLOSED
        ConnectError <CircuitBreaker CLOSED, 1 of 5 failures>
        """,
    "custom_middleware": r"""
        INFO GET http://127\.0\.0\.1:\d+/users/1 attempt 1: 503 in \d+\.\d ms, 0 bytes
        WARNING GET http://127\.0\.0\.1:\d+/users/1 attempt 1 failed \(status\): the next one in 0\.\d+ s
        INFO GET http://127\.0\.0\.1:\d+/users/1 attempt 2: 200 in \d+\.\d ms, 24 bytes
        Ada for acme
        calls \{'GET': \{'2xx': 1\}\} sends \{'GET': \{'5xx': 1, '2xx': 1\}\}
        """,
}
"""What each sample prints, as a pattern for each line."""

AS_WRITTEN = "import anyio, sys; sys.path.insert(0, {folder!r}); import {name}; anyio.run({name}.main, backend='trio')"
"""What the last line of each sample says of trio."""


def run(*arguments: object, cwd: Path) -> str:
    """What Python printed, who was told to take warnings for errors; it must have had nothing to complain of."""
    command = [sys.executable, "-W", "error", *map(str, arguments)]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def embed_blocking(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module, to be called from here."""
    monkeypatch.syspath_prepend(str(EXAMPLES))
    return importlib.import_module("embed_blocking")


def test_every_example_is_tested_here_or_in_a_file_of_its_own() -> None:
    others = {"_loopback", "demo", "embed_blocking", "test_policy_with_fake_clock"}
    assert {path.stem for path in EXAMPLES.glob("*.py")} == {*PRINTED, *others}


# The samples


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize("name", PRINTED)
def test_a_sample_prints_what_it_is_about(name: str, backend: str, tmp_path: Path) -> None:
    if backend == "asyncio":
        printed = run(EXAMPLES / f"{name}.py", cwd=tmp_path)
    else:
        printed = run("-c", AS_WRITTEN.format(folder=str(EXAMPLES), name=name), cwd=tmp_path)
    expected = [line.strip() for line in PRINTED[name].strip().splitlines()]
    lines = printed.splitlines()
    assert len(lines) == len(expected), printed
    for line, pattern in zip(lines, expected, strict=True):
        assert re.fullmatch(pattern, line), f"{line!r} is not {pattern!r}"


@pytest.mark.parametrize("name", PRINTED)
def test_a_sample_is_short_and_imports_from_one_place(name: str) -> None:
    text = (EXAMPLES / f"{name}.py").read_text()
    assert len(text.splitlines()) <= 50
    assert text.endswith('    anyio.run(main)  # on trio: anyio.run(main, backend="trio")\n')
    others = {module for module in imports(text) if module.split(".")[0] not in sys.stdlib_module_names}
    assert others == {"anyio", "_loopback", "sansio_http_anyio"}


def imports(text: str) -> set[str]:
    """The modules that a source imports, or imports from."""
    found = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(str(node.module))
    return found


# The core under a blocking client


def test_the_blocking_program_prints_what_it_is_about(tmp_path: Path) -> None:
    assert run(EXAMPLES / "embed_blocking.py", cwd=tmp_path).splitlines() == [
        "[503, 503, 200] {'it': 'works'}",
        "TotalTimeoutError in phase head, head sent: True",
    ]


def test_the_blocking_program_needs_the_standard_library_and_the_core() -> None:
    modules = imports((EXAMPLES / "embed_blocking.py").read_text())
    assert {module for module in modules if module.split(".")[0] not in sys.stdlib_module_names} == {
        "_loopback",
        "sansio_http",
    }


def test_to_embed_the_core_takes_less_than_40_lines() -> None:
    """All functions but the program's own main; comments, docstrings and empty lines are not counted."""
    text = (EXAMPLES / "embed_blocking.py").read_text()
    not_code = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT}
    code: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in not_code:
            code |= set(range(token.start[0], token.end[0] + 1))
    counted: set[int] = set()
    for function in ast.parse(text).body:
        if isinstance(function, ast.FunctionDef) and function.name != "main":
            docstring = function.body[0]
            counted |= set(range(function.lineno, docstring.lineno))
            counted |= set(range((docstring.end_lineno or 0) + 1, (function.end_lineno or 0) + 1))
    assert 20 < len(counted & code) < 40


@pytest.mark.parametrize(
    ("reply", "kind", "phase", "body_started"),
    [
        (Reply.reset(), ConnectionLostError, "head", False),
        (Reply.eof(), ConnectionLostError, "head", False),
        (Reply.garbage(), ProtocolError, "head", False),
        (Reply(body=b"hello", cut=2), ConnectionLostError, "body", True),
        (Reply(body=b"hello", cut=2, then="hang"), AttemptTimeoutError, "body", True),
        (Reply.hang(), AttemptTimeoutError, "head", False),
    ],
    ids=["reset", "eof", "garbage", "cut", "stalled", "hang"],
)
def test_what_goes_wrong_on_the_blocking_wire_has_our_name_and_its_progress(
    embed_blocking: ModuleType, reply: Reply, kind: type[HTTPRequestError], phase: str, body_started: bool
) -> None:
    policies = Policies(attempt_timeout=0.3) if kind is AttemptTimeoutError else Policies()
    with MockServer() as server:
        server.on("GET /", reply)
        with pytest.raises(kind) as caught:
            embed_blocking.ask(HTTPRequest("GET", server.url + "/", timeout=30.0), policies)
        error = caught.value
        assert (error.phase, error.head_sent, error.body_started) == (phase, True, body_started)
        assert server.open_connections == 0


def test_a_refused_connection_has_sent_nothing(embed_blocking: ModuleType) -> None:
    with MockServer() as server:
        server.refuse()
        with pytest.raises(ConnectError) as caught:
            embed_blocking.ask(HTTPRequest("GET", server.url + "/", timeout=30.0), Policies())
        assert (caught.value.phase, caught.value.head_sent) == ("connect", False)


def test_a_connection_that_does_not_come_is_given_up_at_the_deadline(embed_blocking: ModuleType) -> None:
    with MockServer() as server:
        server.hang_accept()
        with pytest.raises(TotalTimeoutError) as caught:
            embed_blocking.ask(HTTPRequest("GET", server.url + "/", timeout=0.3), Policies())
        assert (caught.value.phase, caught.value.head_sent) == ("connect", False)


def test_the_blocking_wire_carries_a_body_and_headers(embed_blocking: ModuleType) -> None:
    with MockServer() as server:
        request = HTTPRequest("POST", server.url + "/echo?a=b", {"X-Trace": "42"}, body=b"hello", timeout=30.0)
        echo = embed_blocking.ask(request, Policies()).json_data
    assert (echo["method"], echo["query"], echo["body"]) == ("POST", {"a": "b"}, "hello")
    assert echo["headers"]["x-trace"] == "42"


# A user's own tests


def test_policies_are_tested_without_network_and_waiting(tmp_path: Path) -> None:
    config = EXAMPLES.parent / "pyproject.toml"
    arguments = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", config, "--rootdir", tmp_path)
    printed = run(*arguments, EXAMPLES / "test_policy_with_fake_clock.py", cwd=tmp_path)
    assert re.search(r"^6 passed in ", printed, re.MULTILINE), printed
