"""Draws ``docs/jitter.svg``: what a hundred clients do to a recovering server with each jitter.

    python docs/draw_jitter.py            # writes docs/jitter.svg
    python docs/draw_jitter.py --check    # fails if that would change it

As the laws in ``tests/laws`` do, it has the ``Simulator`` run the real retry policy. A hundred clients are at work when
their server goes down; each meets the outage at its own moment of a tenth of a second, and retries with
exponential backoff from 1 s. The server is back after ten seconds, and can do ten requests a second: what comes beyond
that in any second is refused with a 503, and comes again.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

from sansio_http import ExponentialBackoff, HTTPRequest, Jitter, Policies, RetryPolicy, Send
from sansio_http.testing import Reply, Simulator

CLIENTS, CAPACITY, DOWN, SHOWN = 100, 10, 10.0, 40  # clients, requests a second, seconds, seconds
JITTERS: tuple[Jitter, ...] = ("none", "proportional", "equal", "full", "decorrelated", "smooth")
PICTURE = Path(__file__).parent / "jitter.svg"

WIDTH, HEIGHT, LEFT, GAP = 760, 96, 110, 34
BAR = (WIDTH - LEFT - 20) / SHOWN


def arrivals(jitter: Jitter) -> tuple[list[int], list[int], float]:
    """Requests and answers second by second, and when the last client was served."""
    dice = random.Random(2015)
    came, served = [0] * 1000, [0] * 1000

    def server(send: Send) -> Reply:
        second = int(simulator.now)
        came[second] += 1
        if simulator.now < DOWN or served[second] == CAPACITY:
            return Reply(503)
        served[second] += 1
        return Reply(200)

    simulator = Simulator(server)
    policies = Policies(retry=RetryPolicy(1000, ExponentialBackoff(1.0, 16.0, jitter)), rand=dice.random)
    for _ in range(CLIENTS):
        simulator.call(HTTPRequest("GET", "http://h/"), policies, at=dice.random() * 0.1, listen=False)
    simulator.run(until=900.0)
    return came[:SHOWN], served[:SHOWN], max(call.ended_at or 900.0 for call in simulator.calls)


def draw() -> str:
    """The picture."""
    height = GAP + len(JITTERS) * (HEIGHT + GAP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}"',
        ' font-family="sans-serif" font-size="12">',
        "<title>What 100 clients do to a recovering server with each jitter</title>",
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
        f'<text x="{LEFT}" y="18">Requests a second (grey: refused, blue: served). The server is down for the first'
        f" {DOWN:.0f} s, then serves {CAPACITY} a second.</text>",
    ]
    for row, jitter in enumerate(JITTERS):
        parts += panel(jitter, GAP + row * (HEIGHT + GAP))
    return "\n".join([*parts, "</svg>", ""])


def panel(jitter: Jitter, top: float) -> list[str]:
    """One jitter's part of it."""
    came, served, last = arrivals(jitter)
    bottom = top + HEIGHT
    scale = HEIGHT / CLIENTS
    done = f"all served after {last:.0f} s" if last < 900 else "not all served after 900 s"
    parts = [
        f'<text x="8" y="{top + 14:.0f}" font-weight="bold">{jitter}</text>',
        f'<text x="8" y="{top + 32:.0f}">{sum(came)} requests</text>',
        f'<text x="{WIDTH - 20}" y="{top + 14:.0f}" text-anchor="end">{done}</text>',
        f'<rect x="{LEFT}" y="{top}" width="{DOWN * BAR:.1f}" height="{HEIGHT}" fill="#f6e3e0"/>',
        f'<line x1="{LEFT}" x2="{WIDTH - 20}" y1="{bottom}" y2="{bottom}" stroke="#888"/>',
    ]
    for second, (all_, good) in enumerate(zip(came, served, strict=True)):
        x = LEFT + second * BAR
        for count, colour in ((all_, "#aaa"), (good, "#1f6fb2")):
            if count:
                tall = count * scale
                parts.append(
                    f'<rect x="{x + 1:.1f}" y="{bottom - tall:.1f}" width="{BAR - 2:.1f}" height="{tall:.1f}"'
                    f' fill="{colour}"/>'
                )
        if second % 10 == 0:
            parts.append(f'<text x="{x:.1f}" y="{bottom + 14}">{second} s</text>')
    return parts


def main(arguments: list[str]) -> int:
    """Write the picture, or check it; the exit status."""
    picture = draw()
    if arguments == ["--check"]:
        if PICTURE.read_text("utf-8") == picture:
            return 0
        print(f"{PICTURE} is not what this draws: python docs/draw_jitter.py", file=sys.stderr)
        return 1
    PICTURE.write_text(picture, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
