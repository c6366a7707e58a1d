"""``make mutants``: breaks the code on purpose, once per patch beside this file, and expects the tests to notice.

A *mutant* is a copy of the code with one rule broken. The tests that its patch names run against the copy, and at least
one of them has to fail: a mutant that survives is a rule that nobody checks. First all of these tests run against a
copy that is as it should be. The working tree is left alone.

A patch begins with a line that says what is broken and which rule that is, and a line with the tests, quickest first:

    # A slot is not given back when its send has ended: after close nothing is held.
    # tests: tests/core/test_admission.py
    --- a/sansio_http/admission.py
    ...

To write one, or to write one anew that does not apply any more:

1. make the change in the working tree, as small as it can be;
2. ``git diff --unified=1 sansio_http sansio_http_anyio``, below the two lines: one line of context, so that changes
   nearby do not matter;
3. undo the change with ``git apply --reverse``, and try it: ``.venv/bin/python tests/mutants/run.py NAME``.

Killed means that a test failed. A mutant that cannot be imported, or that hangs, proves nothing about the tests: choose
a change that the program survives.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PACKAGES = ("sansio_http", "sansio_http_anyio")
BESIDE = ("tests", "docs", "examples", "benchmarks")  # tests read them
AT_ONCE = 2
TIME_FOR_ALL, TIME_FOR_ONE = 900.0, 60.0  # seconds that the tests may take

_FAILED = re.compile(r"^FAILED (\S+?)(?:\[.*)?(?: - .*)?$", re.MULTILINE)


class Refused(Exception):
    """A mutant about which nothing can be said."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """One patch.

    Attributes:
        patch: the file.
        tests: arguments of pytest, relative to the root.
    """

    patch: Path
    tests: tuple[str, ...]

    @property
    def name(self) -> str:
        """The file's name without its ending."""
        return self.patch.stem

    @classmethod
    def of(cls, patch: Path, root: Path) -> Mutant:
        """Reads what stands above the diff.

        Raises:
            Refused: it does not say what it has to.
        """
        says, tests, *_ = [*patch.read_text("utf-8").splitlines(), "", ""]
        if not says.startswith("# ") or not tests.startswith("# tests: "):
            raise Refused("begins with a line '# what it breaks: the rule', then a line '# tests: FILE ...'")
        named = tuple(tests.removeprefix("# tests: ").split())
        if missing := [test for test in named if not (root / test.partition("::")[0]).exists()]:
            raise Refused(f"names tests that do not exist: {' '.join(missing)}")
        return cls(patch, named)

    def killer(self, root: Path) -> str | None:
        """The test that notices; None if none does.

        Raises:
            Refused: it does not apply, or its tests come to no verdict.
        """
        with copy_of(root) as tree:
            # Out of any repository that the copy may be in, where git would skip what that does not track.
            outside = {**os.environ, "GIT_CEILING_DIRECTORIES": str(tree.parent)}
            arguments = ["git", "apply", str(self.patch.resolve())]
            applied = subprocess.run(arguments, cwd=tree, env=outside, capture_output=True, text=True, check=False)
            if applied.returncode:
                raise Refused(
                    f"does not apply any more; make its change anew, as {Path(__file__).name} says at its top"
                    f"\n{applied.stderr.rstrip()}"
                )
            status, output = pytest(tree, self.tests, TIME_FOR_ONE)
        failed = _FAILED.search(output)
        if status == 1 and failed is not None:
            return failed[1]
        if status == 0:
            return None
        raise Refused(f"no test failed, but pytest ended with {status}\n{_end_of(output)}")


@contextmanager
def copy_of(root: Path) -> Iterator[Path]:
    """The code and its tests in a directory of their own."""
    with tempfile.TemporaryDirectory(prefix="mutant-") as directory:
        tree = Path(directory).resolve()
        # Without bytecode: that of a file is believed for as long as its time and size are the same.
        ignored = shutil.ignore_patterns("__pycache__")
        for name in (*PACKAGES, *BESIDE):
            if (root / name).is_dir():
                shutil.copytree(root / name, tree / name, ignore=ignored)
        for name in ("pyproject.toml", "README.md", "CHANGELOG.md", "Makefile"):
            shutil.copy(root / name, tree)
        yield tree


def pytest(tree: Path, tests: Iterable[str], seconds: float) -> tuple[int, str]:
    """The exit status and output of the tests, run in the copy. (The plugin sees to it that they import the copy.)

    Raises:
        Refused: they take too long.
    """
    arguments = "-m pytest -x -q -rf --tb=short -p no:cacheprovider -p tests.mutants.plugin".split()
    process = subprocess.Popen(
        [sys.executable, *arguments, *tests],
        cwd=tree,
        # COLUMNS: the line that names the test that failed is cut to it.
        env={**os.environ, "PYTHONPATH": str(tree), "HYPOTHESIS_PROFILE": "default", "COLUMNS": "500"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        output, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        raise Refused(f"no verdict after {seconds:.0f} s") from None
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)  # with whatever the tests have started
            process.communicate()
    return process.returncode, output


def verdict(patch: Path, root: Path) -> tuple[bool, str]:
    """Whether a mutant was killed, and the line that says so."""
    began = time.monotonic()
    try:
        killer = Mutant.of(patch, root).killer(root)
        killed, what = killer is not None, f"by {killer}" if killer else "no test notices: survived"
    except Refused as error:
        killed, what = False, str(error)
    return killed, f"{'killed' if killed else 'FAILED'}  {patch.stem:<32} {time.monotonic() - began:4.1f} s  {what}"


def tests_of(patches: Sequence[Path], root: Path) -> list[str]:
    """All that the patches name, each once."""
    named: dict[str, None] = {}
    for patch in patches:
        try:
            named.update(dict.fromkeys(Mutant.of(patch, root).tests))
        except Refused:  # which its verdict says
            pass
    return list(named)


def main(names: Sequence[str], root: Path) -> int:
    """Judge the mutants whose names have one of ``names`` in them, or all; the exit status."""
    patches = sorted((root / "tests/mutants").glob("*.patch"))
    patches = [patch for patch in patches if not names or any(name in patch.stem for name in names)]
    began = time.monotonic()
    try:
        with copy_of(root) as tree:
            status, output = pytest(tree, tests_of(patches, root), TIME_FOR_ALL)
    except Refused as error:
        status, output = 1, str(error)
    if status:
        print(f"{_end_of(output)}\nthe tests fail without a mutant: nothing can be said about any")
        return 1
    print(f"passed  {'without a mutant':<32} {time.monotonic() - began:4.1f} s", flush=True)
    passed = 0
    with ThreadPoolExecutor(AT_ONCE) as workers:
        for killed, line in workers.map(lambda patch: verdict(patch, root), patches):
            print(line, flush=True)
            passed += killed
    print(f"{passed} passed, {len(patches) - passed} failed")
    return 0 if patches and passed == len(patches) else 1


def _end_of(output: str) -> str:
    return "\n".join(f"    {line}" for line in output.rstrip().splitlines()[-15:])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], Path(__file__).resolve().parents[2]))
