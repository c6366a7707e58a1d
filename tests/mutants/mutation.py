"""``make mutation``: changes the policies in every small way that a tool knows, and counts what the tests notice.

The tool is mutmut: it makes one mutant of each operator, number, string, argument and default in the functions of
``retry/``, ``circuit_breaker/`` and ``rate_limiter/``, and tries each against the tests that come by it. What it finds
out is kept in ``mutants/`` at the root (`rm -r` it to begin anew): a run that was interrupted goes on where it was, and
after a change to the code only functions that changed are tried again, and what survived, for there may be new tests.

It says for each module how many were killed and which survived. Less than 90 % of a family is a failure; SURVIVORS.md,
beside this file, explains those that are left. Decorated functions (properties), tables and class bodies are beyond the
tool; for the circuit's table and for defaults there is ``rows_and_defaults.py``, which ``make mutation`` runs as well.

    make mutation                                      # everything: an hour or two
    .venv/bin/python tests/mutants/mutation.py circuit_breaker.circuit retry   # these, whatever is known of them
    .venv/bin/python tests/mutants/mutation.py --count                         # what is known by now
"""

from __future__ import annotations

import collections
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MUTMUT = [str(Path(sys.executable).with_name("mutmut"))]

ENOUGH = 0.9
KILLED = {"killed", "timeout", "caught by type check", "suspicious", "segfault"}
UNTRIED = {"not checked", "skipped", "check was interrupted by user"}


def verdicts() -> dict[str, str]:
    """Of each mutant, by its name."""
    told = subprocess.run([*MUTMUT, "results", "--all", "true"], cwd=ROOT, capture_output=True, text=True, check=True)
    return dict(re.findall(r"^\s+(sansio_http\.\S+): (.+?)\s*$", told.stdout, re.MULTILINE))


def kind(verdict: str) -> str:
    """What it comes to."""
    return "killed" if verdict in KILLED else "untried" if verdict in UNTRIED else "survived"


def survivors(known: Mapping[str, str]) -> set[str]:
    """Their names, among the verdicts."""
    return {name for name, verdict in known.items() if kind(verdict) == "survived"}


def count() -> int:
    """Say what is known; the exit status."""
    found: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    known = verdicts()
    for name, verdict in known.items():
        module = ".".join(name.split(".")[1:3])
        for each in (module, module.partition(".")[0]):
            found[each][kind(verdict)] += 1
    print("\n".join(f"survived: {name}" for name in sorted(survivors(known))))
    print(f"\n{'':38}{'killed':>8}{'survived':>10}{'untried':>9}{'killed of tried':>17}")
    poor = False
    for name, counts in sorted(found.items()):
        tried = counts["killed"] + counts["survived"]
        share = counts["killed"] / tried if tried else 1.0
        poor |= "." not in name and share < ENOUGH
        print(f"{name:38}{counts['killed']:8}{counts['survived']:10}{counts['untried']:9}{share:17.1%}")
    if poor:
        print(f"FAILED: of some family less than {ENOUGH:.0%} were killed", file=sys.stderr)
    return 1 if poor else 0


def run(names: Iterable[str] = ()) -> None:
    """Try the mutants named, whatever is known of them; if none is, those of which nothing is known."""
    subprocess.run([*MUTMUT, "run", *names], cwd=ROOT, check=True)


def main(names: list[str]) -> int:
    """Try the mutants of the modules or families named, or of all; the exit status."""
    if names == ["--count"]:
        return count()
    if names:
        run(f"sansio_http.{name}.*" for name in names)  # `retry` is a family, `retry.budget` a module of it
        return count()
    before = survivors(verdicts())
    run()
    if again := sorted(before & survivors(verdicts())):
        run(again)
    return count()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
