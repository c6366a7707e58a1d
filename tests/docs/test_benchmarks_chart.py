"""The chart of the README: it is drawn from the figures beside it, and shows them all."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parents[2]
FIGURES = ROOT / "benchmarks" / "results" / "small_requests.json"
ENOUGH = 10  # turns
SVG = "{http://www.w3.org/2000/svg}"


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", *arguments], capture_output=True, text=True, timeout=60, cwd=ROOT, check=False
    )


def test_it_is_drawn_from_the_figures() -> None:
    done = python("docs/draw_benchmarks.py", "--check")
    assert (done.returncode, done.stderr) == (0, "")
    assert "(docs/benchmarks.svg)" in (ROOT / "README.md").read_text("utf-8")


def test_each_bar_has_its_label_and_its_value() -> None:
    result = json.loads(FIGURES.read_text("utf-8"))
    picture = ElementTree.parse(ROOT / "docs" / "benchmarks.svg").getroot()
    texts = [text.text or "" for text in picture.iter(f"{SVG}text")]
    bars = [[text.text for text in group.iter(f"{SVG}text")] for group in picture.iter(f"{SVG}g")]
    expected: list[list[str]] = []
    rows = [row for row in result["rows"] if row["clients"]["ours"]["turns"] >= ENOUGH]
    assert len(rows) >= 3
    for row in rows:
        assert f"{row['backend']}, {row['concurrency']} at once" in texts
        for name, told in row["clients"].items():
            if told["turns"] >= ENOUGH:
                expected.append([name, f"{told['best']:.0f}"])
    assert bars == expected
    widths = [float(group.find(f"{SVG}rect").get("width")) for group in picture.iter(f"{SVG}g")]
    assert min(widths) > 0 and max(widths) <= 96
    caption = " ".join(texts)
    assert result["python"] in caption and result["machine"] in caption
    turns = [told["turns"] for row in rows for told in row["clients"].values() if told["turns"] >= ENOUGH]
    assert f"best of {min(turns)} to {max(turns)} turns" in caption  # how far to believe it
    assert all(f"{name} {version}" in caption for name, version in result["versions"].items())


def test_a_longer_bar_costs_more(tmp_path: Path) -> None:
    for part in ("docs", "benchmarks/results"):
        (tmp_path / part).mkdir(parents=True)
    script = tmp_path / "docs" / "draw_benchmarks.py"
    script.write_text((ROOT / "docs" / "draw_benchmarks.py").read_text("utf-8"), "utf-8")
    told = {
        name: {"best": best, "median": best, "times_ours": best / 100, "turns": ENOUGH - (name == "seldom")}
        for name, best in (("ours", 100), ("half", 50), ("dear", 100_000), ("seldom", 70))
    }
    result = {
        "python": "P",
        "machine": "<m>",
        "versions": {},
        "rows": [{"backend": "b", "concurrency": 1, "clients": told}],
    }
    (tmp_path / "benchmarks" / "results" / "small_requests.json").write_text(json.dumps(result))
    assert python(str(script)).returncode == 0
    picture = (tmp_path / "docs" / "benchmarks.svg").read_text("utf-8")
    ours, half, dear = (float(width) for width in re.findall(r'class="(?:ours|peer)"[^>]* width="([\d.]+)"', picture))
    assert half * 2 == ours and dear == 96
    assert picture.count("<path") == 1  # the one that is cut off
    assert "seldom" not in picture
    (tmp_path / "docs" / "benchmarks.svg").write_text("<svg/>", "utf-8")
    assert python(str(script), "--check").returncode == 1
