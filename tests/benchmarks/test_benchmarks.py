"""Each benchmark runs, in a moment, and prints its table; what the figures are is nobody's promise here."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = sorted(path.name for path in (ROOT / "benchmarks").glob("[!_]*.py"))
PEERS = {
    "tenacity, async (2)": {"tenacity"},
    "tenacity, sync (2)": {"tenacity"},
    "stamina (3)": {"stamina"},
    "hyx: retry, breaker, bucket (4)": {"hyx"},
    "tenacity, purgatory, aiolimiter (5)": {"tenacity", "purgatory", "aiolimiter"},
}


def run(script: str, *arguments: str, without: Path | None = None) -> str:
    """What the script prints; ``without``: a folder whose modules take the place of the installed ones."""
    path = [str(ROOT), *([str(without)] if without else [])]
    done = subprocess.run(
        [sys.executable, "-W", "error", f"benchmarks/{script}", *arguments],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(reversed(path))},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def rows(output: str) -> dict[str, list[float]]:
    """The lines of a table: what it is, and its figures."""
    found = re.findall(r"^(\S.*?)((?: +[\d,]+(?:\.\d+)?%?)+)$", output, re.MULTILINE)
    return {name: [float(figure.strip("%").replace(",", "")) for figure in figures.split()] for name, figures in found}


def test_these_are_all() -> None:
    assert SCRIPTS == [
        "breakers.py",
        "codec.py",
        "core_steps.py",
        "limiters.py",
        "policy_overhead.py",
        "small_requests.py",
    ]


def test_small_requests_puts_clients_side_by_side_on_each_library() -> None:
    options = "--rounds 1 --concurrency 1,3 --backends asyncio,trio --clients ours,floor,absent"
    output = run("small_requests.py", *options.split())
    assert "not installed, so not measured: absent " in output
    table = [line.strip("| ").split(" | ") for line in output.splitlines() if line.startswith("|")][2:]
    assert [row[0] for row in table] == [f"{each}, {n} at once" for each in ("asyncio", "trio") for n in (1, 3)]
    assert all(re.fullmatch(r"\d+, \d+ \(\d+\.\d\d\)", cell) for row in table for cell in row[1:])


def test_breakers_measures_calls_and_registries() -> None:
    output = run("breakers.py", "--rounds", "1", "--calls", "3", "--keys", "50")
    calls, _, registries = output.partition("A registry of breakers (2)")
    kinds = {"ours: in a row", "ours: the last 100 calls", "ours: the last 30 s, and slow calls"}
    assert kinds <= rows(calls).keys() and kinds == rows(registries).keys() & kinds
    assert rows(calls)["ours: in a row"][1] == 1.0
    assert re.search(r"^Target: 100,000 keys take at most 60 MiB; they take [\d.]+: \w+\.$", output, re.MULTILINE)


def test_policy_overhead_compares_us_with_the_peers_that_are_there() -> None:
    table = rows(run("policy_overhead.py", "--rounds", "1", "--calls", "3"))
    there = {name for name, modules in PEERS.items() if all(map(importlib.util.find_spec, modules))}
    assert table.keys() & PEERS.keys() == there
    assert table["ours, all policies (1)"][1] == 1.0
    assert {"ours, no policies (1)", "Circuit: admit, record", "Concurrency: take, release"} <= table.keys()
    assert all(figure >= 0 for figures in table.values() for figure in figures)


def test_policy_overhead_without_the_peers_says_what_to_install(tmp_path: Path) -> None:
    for name in set().union(*PEERS.values()):
        (tmp_path / f"{name}.py").write_text(f"raise ModuleNotFoundError('No module named {name}', name={name!r})\n")
    output = run("policy_overhead.py", "--rounds", "1", "--calls", "3", without=tmp_path)
    assert "ours, all policies (1)" in rows(output)
    assert output.endswith(
        "Left out, not installed: tenacity, stamina, hyx, aiolimiter. To compare: pip install 'sansio-http[bench]'\n"
    )


@pytest.mark.parametrize("waiters", [1, 30])
def test_core_steps_times_a_crowd(waiters: int) -> None:
    output = run("core_steps.py", "--rounds", "1", "--calls", "5", "--waiters", str(waiters))
    assert re.search(r"^Simulator \(1\) +[\d,]+ steps a second$", output, re.MULTILINE)
    table = rows(output)
    assert {"a call that succeeds at once", "one that is retried once", "one that waits for the bucket"} <= table.keys()
    call, place, wakes = table[str(waiters)]
    assert call > 0 and place > 0
    assert wakes == pytest.approx((waiters - 1) / waiters, abs=0.006)  # each but the first is woken once


def test_codec_times_both_engines_and_the_pool() -> None:
    table = rows(re.sub(r" (?:us|ms)$", "", run("codec.py", "--rounds", "1", "--calls", "5"), flags=re.MULTILINE))
    names = {
        "a small response, httptools (1)",
        "a small response, h11 (1)",
        "1 GiB chunked (2)",
        "pool: 100 connections (3)",
    }
    assert names <= table.keys()
    assert all(table[name][0] > 0 for name in names)


def test_limiters_says_what_each_costs_and_which_targets_are_met() -> None:
    output = run("limiters.py", "--rounds", "1", "--calls", "3", "--keys", "20", "--waiters", "30")
    table = rows(output)
    assert {
        "AIMD: take",
        "TokenBucket: reserve, claim",
        "20 keys (4)",
        "ours: TokenBucketRateLimiter (2)",
    } <= table.keys()
    assert table["10"][1] == 0.9 and table["30"][1] == pytest.approx(
        29 / 30, abs=0.006
    )  # each but the first wakes once
    verdicts = re.findall(r"^Target: (.*), at most .*: (?:met|MISSED)\.$", output, re.MULTILINE)
    assert len(verdicts) == 4 + (importlib.util.find_spec("tenacity") is not None)
