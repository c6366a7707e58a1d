"""Each benchmark runs, in a moment, and prints its table; what the figures are is nobody's promise here."""

from __future__ import annotations

import importlib.util
import json
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
        timeout=300,
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
        "bodies.py",
        "breakers.py",
        "codec.py",
        "connections.py",
        "core_steps.py",
        "imports.py",
        "instructions.py",
        "limiters.py",
        "policy_overhead.py",
        "small_requests.py",
        "tls.py",
    ]


BACKENDS = ("asyncio", "trio")
OURS = ["--backends", "asyncio,trio", "--clients", "ours,floor,absent", "--rounds", "1"]


def cells(output: str) -> dict[str, list[str]]:
    """The lines of the tables that are written with bars: what it is, and its cells."""
    lines = [line.strip("| ").split(" | ") for line in output.splitlines() if re.match(r"\| [^|]", line)]
    return {name: row for name, *row in lines if name not in ("", "ours")}


def test_small_requests_puts_clients_side_by_side_on_each_library(tmp_path: Path) -> None:
    figures = tmp_path / "figures.json"
    output = run("small_requests.py", *OURS, "--concurrency", "1,3", "--json", str(figures))
    assert "not installed, so not measured: absent " in output
    table = cells(output)
    assert list(table) == [f"{each}, {n} at once" for each in BACKENDS for n in (1, 3)]
    assert all(re.fullmatch(r"\d+, \d+ \(\d+\.\d\d\)", cell) for row in table.values() for cell in row)
    result = json.loads(figures.read_text())
    assert result["python"] and result["machine"] and result["versions"]["anyio"]
    for row in result["rows"]:
        in_table = table[f"{row['backend']}, {row['concurrency']} at once"]
        best = [told["best"] for told in row["clients"].values()]
        assert best == pytest.approx([float(cell.split(",")[0]) for cell in in_table], abs=0.6)  # they are rounded


def test_bodies_says_what_is_left_of_the_bare_loop_and_whether_memory_is_constant() -> None:
    output = run("bodies.py", *OURS, "--mib", "4")
    times, _, memory = output.partition("MiB added to the peak")
    titles = [f"{each}, 0.00390625 GiB {way}" for each in BACKENDS for way in ("down", "up")]
    assert list(cells(times)) == titles == list(cells(memory))
    figure = r"\d+\.\d, \d+\.\d \(\d+\.\d\d, \d+\.\d\d\)"
    assert all(re.fullmatch(figure, cell) for row in cells(times).values() for cell in row)
    assert all(row[1].endswith("(1.00, 1.00)") for row in cells(times).values())
    assert all(re.fullmatch(r"[+-]\d+\.\d", cell) for row in cells(memory).values() for cell in row)
    verdicts = re.findall(r"^Target: (.*), at least 0\.8 of .*: (?:met|MISSED)\.$", output, re.MULTILINE)
    assert verdicts == titles
    verdicts = re.findall(r"^Target: (.*), at most 8 MiB of memory; -?[\d.]+: (?:met|MISSED)\.$", output, re.MULTILINE)
    assert verdicts == titles


def test_tls_measures_kept_and_new_connections_and_a_download() -> None:
    table = cells(run("tls.py", *OURS, "--mib", "16", "--concurrency", "1,3"))
    assert list(table) == [
        f"{each}, {what}" for each in BACKENDS for what in ("kept, 1 at once", "kept, 3 at once", "new", "16 MiB down")
    ]
    assert all(re.fullmatch(r"\d+, \d+ \(\d+\.\d\d\)", cell) for row in table.values() for cell in row)


def test_connections_measures_calls_and_memory_and_counts_what_is_opened() -> None:
    output = run("connections.py", *OURS, "--many", "40")
    calls, _, memory = output.partition("KiB of an idle connection")
    assert list(cells(calls)) == [
        f"{each}, {what}" for each in BACKENDS for what in ("20 at once", "40 at once", "40: times that at 20")
    ]
    assert list(cells(memory)) == list(BACKENDS)
    assert all(float(cell) > 0 for row in cells(memory).values() for cell in row)
    opened = re.findall(r"^Target: 30 workers x 20 requests .* on (\w+); (\d+): met\.$", output, re.MULTILINE)
    assert [name for name, _ in opened] == list(BACKENDS) and all(0 < int(number) <= 30 for _, number in opened)


def test_imports_starts_an_interpreter_for_each() -> None:
    output = run("imports.py", "--rounds", "1", "--clients", "ours,httpx2")
    alone, _, made = output.partition("import, configure, make a client")
    for table in (rows(alone), rows(made)):
        best, median, times, modules = table["ours"]
        assert 0 < best == median and times == 1 and modules > 100
    assert ("httpx2" in rows(alone)) == (importlib.util.find_spec("httpx2") is not None)
    if "httpx2" in rows(alone):
        assert re.search(r"^Target: .* httpx2's does; \d+\.\d\d of it: (?:met|MISSED)\.$", output, re.MULTILINE)


COUNTS = """#!/bin/sh
while [ "${1#-}" != "$1" ]; do shift; done
"$@" || exit
for each; do last=$each; done
echo "==1== I   refs:      $(( 7000000 + last * 6000 ))" | sed 's/000$/,000/' >&2
"""


def test_instructions_takes_the_difference_of_two_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a valgrind that says 6,000 for each of a worker's requests, whatever they do; they are made all the same."""
    fake = tmp_path / "valgrind"
    fake.write_text(COUNTS)
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    table = cells(run("instructions.py", *OURS[:2], "--clients", "ours", "--concurrency", "3"))
    assert table == {f"{each}, 3 at once": ["2 (1.00)"] for each in BACKENDS}


def test_instructions_says_what_it_lacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert run("instructions.py").startswith("valgrind is not installed, so nothing is counted")


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
    assert len(verdicts) == 5 + (importlib.util.find_spec("tenacity") is not None)
