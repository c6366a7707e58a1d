"""The README: what it generates from the code is up to date, and its programs run."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from sansio_http import diagram
from sansio_http_anyio import ClientConfig
from tests.fixtures.mock_server import MockServer

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text("utf-8")
PROGRAMS = re.findall(r"<!-- run -->\n```python\n(.*?)```", README, re.DOTALL)


def section(name: str) -> str:
    return README.partition(f"<!-- {name}:begin -->")[2].partition(f"<!-- {name}:end -->")[0].strip()


def test_the_circuits_diagram_is_the_circuits_table() -> None:
    assert section("circuit") == f"```mermaid\n{diagram()}\n```"


def shown(value: object) -> str:
    return ", ".join(str(item) for item in sorted(value)) if isinstance(value, frozenset) else str(value)


def test_the_table_of_defaults_is_the_config() -> None:
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in section("defaults").splitlines()[2:]]
    told = {name.strip("`"): default for name, default, _ in rows}
    assert told == {name: shown(getattr(ClientConfig(), name)) for name in ClientConfig.model_fields}
    assert all(why for _, _, why in rows)


@pytest.mark.parametrize("program", PROGRAMS, ids=["quick start", "set up"])
def test_its_programs_run(program: str) -> None:
    with MockServer() as server:
        here = re.sub(r"https://api\.example\.com", server.url, program)
        assert here != program
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", here], capture_output=True, text=True, timeout=60, cwd=ROOT
        )
        assert done.stderr == "" and done.returncode == 0
        assert done.stdout.split()[0] in ("200", "201", "404")
        assert server.requests


def test_there_are_programs_to_run() -> None:
    assert len(PROGRAMS) == 2
    assert len([line for line in PROGRAMS[0].splitlines() if line.strip()]) <= 10, "the quick start has ten lines"
