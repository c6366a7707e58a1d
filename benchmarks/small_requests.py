"""What a small request costs, beside other clients: CPU of this process for a JSON GET over kept connections.

Ours has its whole stack on (retry, circuit breaker, token bucket, in-flight limit, bearer auth); the others run bare.
All are in one process and take turns of a few dozen requests, so that whatever else the machine does hits all of them;
the server is in a process of its own. *floor* is our stream and our parser with nothing around them.

    .venv/bin/python benchmarks/small_requests.py --backends asyncio,trio --concurrency 1,20
    .venv/bin/python benchmarks/small_requests.py --json FILE    # which docs/draw_benchmarks.py draws
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
from functools import partial
from pathlib import Path
from statistics import median

from _clients import CLIENTS, ON, check, installed, leave, versions
from _server import Server, serving
from _timing import bounded, interpreter
from _turns import Figures, Get, backends, by_turns, cell, heading, row, run, times

TURN = 60  # requests in a row by one client, at least two for each of its workers


async def measure(names: list[str], server: Server, concurrency: int, rounds: int, seconds: float) -> Figures:
    """The figures of every turn, by client."""
    async with contextlib.AsyncExitStack() as stack:
        pieces: dict[str, tuple[Get, int, int]] = {}
        for name in names:
            client = await stack.enter_async_context(CLIENTS[name](server, concurrency, True))
            await check(client)
            pieces[name] = (partial(client.get, "/json"), concurrency, max(TURN // concurrency, 2))
        return await by_turns(pieces, rounds=rounds, seconds=seconds)


def main() -> None:
    """Print the table."""
    bounded(minutes=20)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backends", default="asyncio,trio,uvloop")
    parser.add_argument("--concurrency", default="1,20,100,500")
    parser.add_argument("--clients", default=",".join(CLIENTS))
    parser.add_argument("--rounds", type=int, default=100, help="turns of each client (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=30, help="for a row, at most (default: %(default)s)")
    parser.add_argument("--json", type=Path, help="a file that gets the figures as well")
    options = parser.parse_args()
    wanted = installed(options.clients)
    rows: list[dict[str, object]] = []
    print("us of CPU per request, best and median turn; behind them, how many times ours (median over the rounds)\n")
    print(heading(wanted))
    with serving() as server:
        for backend in backends(options.backends):
            for concurrency in map(int, options.concurrency.split(",")):
                names = [name for name in wanted if backend in ON.get(name, {backend})]
                figures = run(backend, measure, names, server, concurrency, options.rounds, options.seconds)
                cells = {name: cell(figures[name], figures["ours"]) for name in names}
                print(row(f"{backend}, {concurrency} at once", cells, wanted), flush=True)
                told = {name: summary(figures[name], figures["ours"]) for name in names}
                rows.append({"backend": backend, "concurrency": concurrency, "clients": told})
    if options.json is not None:
        machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} processors"
        result = {"python": interpreter(), "machine": machine, "versions": versions(wanted), "rows": rows}
        options.json.write_text(json.dumps(result, indent=1) + "\n", "utf-8")


def summary(figures: list[float], ours: list[float]) -> dict[str, float]:
    """A client's figures as the file has them: us, and how many times ours."""
    return {
        "best": round(min(figures) * 1e6, 1),
        "median": round(median(figures) * 1e6, 1),
        "times_ours": round(times(figures, ours), 3),
        "turns": len(figures),
    }


if __name__ == "__main__":
    main()
    leave()
