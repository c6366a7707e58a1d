"""docs/retry.md: its program runs, and its picture is what the real policy does."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tests.fixtures.mock_server import MockServer, Reply

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "retry.md").read_text("utf-8")


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", *arguments], capture_output=True, text=True, timeout=60, cwd=ROOT, check=False
    )


def test_its_program_runs_and_asks_until_the_work_is_done() -> None:
    (program,) = re.findall(r"<!-- run -->\n```python\n(.*?)```", PAGE, re.DOTALL)
    with MockServer() as server:
        server.on("GET /users/1", Reply(202), Reply(200))
        done = python("-c", program.replace("https://api.example.com", server.url))
        assert done.stderr == ""
        assert server.count() == 2
    status, *story = done.stdout.splitlines()
    assert status == "200"
    assert any("202; the next one" in line for line in story), story


def test_its_picture_is_what_the_real_policy_does() -> None:
    done = python("docs/draw_jitter.py", "--check")
    assert (done.returncode, done.stderr) == (0, "")
    assert "(jitter.svg)" in PAGE


def test_a_picture_of_something_else_is_noticed(tmp_path: Path) -> None:
    script = (ROOT / "docs" / "draw_jitter.py").read_text("utf-8")
    (tmp_path / "draw_jitter.py").write_text(script, "utf-8")
    (tmp_path / "jitter.svg").write_text("<svg/>", "utf-8")
    assert python(str(tmp_path / "draw_jitter.py"), "--check").returncode == 1
