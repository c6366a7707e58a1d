"""docs/circuit-breaker.md: its programs run, and its diagram and defaults are the code's."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sansio_http import CallWindow, Circuit, Keyed, diagram
from tests.fixtures.mock_server import MockServer

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "circuit-breaker.md").read_text("utf-8")
PROGRAMS = re.findall(r"<!-- run -->\n```python\n(.*?)```", PAGE, re.DOTALL)
PRINTED = [
    r"200 CLOSED",
    r"<CircuitBreaker CLOSED, 0 of 5 failures>",
    r"<CircuitBreaker CLOSED, 0 of 0 calls failed> opens when of the last 100 calls 50 % failed, from 20 on\n"
    r"<CircuitBreaker .*> opens when of the calls of the last 30 s 50 % failed or 80 % took longer than 2 s, from 20.*",
    r"/users/\{id\} CLOSED",
]


def section(name: str) -> str:
    return PAGE.partition(f"<!-- {name}:begin -->")[2].partition(f"<!-- {name}:end -->")[0].strip()


def test_the_diagram_is_the_circuits_table() -> None:
    assert section("circuit") == f"```mermaid\n{diagram()}\n```"


def defaults(callable_: Any) -> dict[str, Any]:
    parameters = inspect.signature(callable_).parameters.items()
    return {name: each.default for name, each in parameters if each.default is not inspect.Parameter.empty}


def test_the_table_of_defaults_is_the_signatures() -> None:
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in section("defaults").splitlines()[2:]]
    told = {name: default for names, default, _ in rows for name in re.findall(r"`(?:\w+\.)?(\w+)`", names)}
    # The dice are told of in the text; how a window is given, in its own section.
    expected = defaults(Circuit) | defaults(CallWindow) | defaults(Keyed)
    for name in ("rand", "calls", "seconds"):
        del expected[name]
    assert told == {name: str(default) for name, default in expected.items()}
    assert all(why for _, _, why in rows)


@pytest.mark.parametrize(("program", "printed"), list(zip(PROGRAMS, PRINTED, strict=True)), ids=range(len(PRINTED)))
def test_its_programs_run(program: str, printed: str) -> None:
    with MockServer() as server:
        here = program.replace("https://api.example.com", server.url)
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", here], capture_output=True, text=True, timeout=60, cwd=ROOT
        )
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(printed, done.stdout.strip()), done.stdout
