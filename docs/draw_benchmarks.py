"""Draws ``docs/benchmarks.svg``: what a small request costs, from the figures that a run of the benchmark has written.

    python docs/draw_benchmarks.py            # writes docs/benchmarks.svg; make bench ends with it
    python docs/draw_benchmarks.py --check    # fails if that would change it

The figures are ``benchmarks/small_requests.py --json benchmarks/results/small_requests.json``'s.
"""

from __future__ import annotations

import json
import sys
from html import escape
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
FIGURES = HERE.parent / "benchmarks" / "results" / "small_requests.json"
PICTURE = HERE / "benchmarks.svg"

PANEL, LABEL, LONGEST, BAR, TOP, CAPTION = 260, 66, 96, 15, 64, 44
SCALE = 2.5  # times the dearest of ours; what is longer is cut off, and says so

STYLE = """\
<style>
 .paper { fill: #fff } text { fill: #1f2328 } .quiet { fill: #59636e }
 .ours { fill: #1f6fb2 } .floor { fill: #b6c4d1 } .peer { fill: #a3a3a3 } .cut { stroke: #fff }
 @media (prefers-color-scheme: dark) {
  .paper { fill: #0d1117 } text { fill: #e6edf3 } .quiet { fill: #9198a1 }
  .ours { fill: #4a9be0 } .floor { fill: #465a6d } .peer { fill: #6e7681 } .cut { stroke: #0d1117 }
 }
</style>"""


ENOUGH = 10
"""Turns without which a best one means nothing: what has fewer is left out, whoever's it is."""


def drawn(result: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows of a run, without the clients that had too few turns, and without the rows in which we are one."""
    rows: list[dict[str, Any]] = []
    for row in result["rows"]:
        clients = {name: told for name, told in row["clients"].items() if told["turns"] >= ENOUGH}
        if "ours" in clients:
            rows.append(row | {"clients": clients})
    return rows


def draw(result: dict[str, Any]) -> str:
    """The picture of a run's result: a column for each backend, in it a group of bars for each concurrency."""
    rows = drawn(result)
    columns = list(dict.fromkeys(row["backend"] for row in rows))
    groups = list(dict.fromkeys(row["concurrency"] for row in rows))
    group = 24 + BAR * max(len(row["clients"]) for row in rows)
    width, height = PANEL * max(len(columns), 2), TOP + group * len(groups) + CAPTION
    pixels = LONGEST / (SCALE * max(row["clients"]["ours"]["best"] for row in rows))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}"'
        ' font-family="sans-serif" font-size="11">',
        "<title>What a small request costs, beside other clients</title>",
        STYLE,
        f'<rect class="paper" width="{width}" height="{height}"/>',
        '<text x="8" y="18" font-size="13" font-weight="bold">CPU of a small JSON GET, in us (the best turn)</text>',
        '<text x="8" y="34" class="quiet">Ours with retry, breaker, limits and auth on, the others bare;'
        " floor: our stream and parser alone.</text>",
    ]
    for row in rows:
        left, top = PANEL * columns.index(row["backend"]), TOP + group * groups.index(row["concurrency"])
        parts.append(
            f'<text x="{left + 8}" y="{top}" font-weight="bold">{row["backend"]}, {row["concurrency"]} at once</text>'
        )
        for place, (name, told) in enumerate(row["clients"].items()):
            parts.append(bar(name, told, left, top + 6 + place * BAR, pixels))
    for line, text in enumerate(captions(result)):
        parts.append(f'<text x="8" y="{height - CAPTION + 18 + 15 * line}" class="quiet">{escape(text)}</text>')
    return "\n".join([*parts, "</svg>", ""])


def bar(name: str, told: dict[str, float], left: int, top: int, pixels: float) -> str:
    """One client's: its name, its length, its figure."""
    long = told["best"] * pixels
    shown = min(long, LONGEST)
    kind = name if name in ("ours", "floor") else "peer"
    cut = ""
    if long > shown:
        x = left + LABEL + LONGEST - 12
        cut = f'<path class="cut" stroke-width="3" d="M{x} {top + 13}l6 -13"/>'
    return (
        f'<g><text x="{left + LABEL - 4}" y="{top + 10}" text-anchor="end">{escape(name)}</text>'
        f'<rect class="{kind}" x="{left + LABEL}" y="{top + 1}" width="{shown:.1f}" height="{BAR - 4}"/>{cut}'
        f'<text x="{left + LABEL + shown + 4:.1f}" y="{top + 10}">{told["best"]:.0f}</text></g>'
    )


def captions(result: dict[str, Any]) -> list[str]:
    """On what it was measured, and with which libraries."""
    libraries = ", ".join(f"{name} {version}" for name, version in result["versions"].items())
    turns = [told["turns"] for row in drawn(result) for told in row["clients"].values()]
    most = f"the best of {min(turns)} to {max(turns)} turns; with less than {ENOUGH}, left out"
    return [f"{result['python']}, {result['machine']}; kept connections on loopback; {most}.", libraries]


def main(arguments: list[str]) -> int:
    """Write the picture, or check it; the exit status."""
    picture = draw(json.loads(FIGURES.read_text("utf-8")))
    if arguments == ["--check"]:
        if PICTURE.read_text("utf-8") == picture:
            return 0
        print(f"{PICTURE} is not what this draws: python docs/draw_benchmarks.py", file=sys.stderr)
        return 1
    PICTURE.write_text(picture, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
