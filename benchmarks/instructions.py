"""What a small request costs in instructions, which no other program on the machine can change.

    python benchmarks/instructions.py              # ten minutes; needs valgrind, a package of every Linux distribution
    python benchmarks/instructions.py --backends trio --concurrency 20 --clients ours,httpx2

Each client runs under valgrind's cachegrind, which counts the instructions that a process carries out. It does so
twice, with few and with more requests; the difference is what the requests have cost. Run again, a figure is the same
to within one in a hundred, so what a change to the code does to it can be told where the clock tells nothing.

What it leaves out is the kernel's share, which is much the same for all clients: each request is a send, a recv and a
part of a wait. And not every instruction takes equally long; the clock has the last word, in ``small_requests.py``.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys

from _clients import CLIENTS, ON, check, installed, leave, versions
from _server import Server, serving
from _timing import bounded, interpreter
from _turns import backends, heading, row, run, turn

FEW, MORE = 200, 1200  # requests in all, but never fewer than a worker's share
COUNTED = re.compile(r"I\s+refs:\s+([\d,]+)")
CACHEGRIND = "valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"
PATIENCE = 300.0  # seconds for one process

FOOTNOTES = """
Thousands of instructions of a small request, and how many times the first client's. {python}; {versions}.
"""


async def requests(name: str, server: Server, concurrency: int, each: int) -> None:
    """What is counted: so many requests of each worker."""
    async with CLIENTS[name](server, concurrency, True) as client:
        await check(client)
        await turn(lambda: client.get("/json"), concurrency, each, PATIENCE)


def counted(name: str, backend: str, url: str, concurrency: int, each: int) -> int:
    """Instructions of a process that does it."""
    command = [*CACHEGRIND, sys.executable, *(f"-W{option}" for option in sys.warnoptions), __file__]
    command += ["--count", name, backend, url, str(concurrency), str(each)]
    # What a dict with str keys costs depends on their hashes.
    environment = {**os.environ, "PYTHONHASHSEED": "0"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False)
    found = COUNTED.search(done.stderr)
    if done.returncode or found is None:
        raise SystemExit(f"{name} on {backend}: {done.stderr[-2000:]}")
    return int(found[1].replace(",", ""))


def cost(name: str, backend: str, url: str, concurrency: int) -> float:
    """Instructions of one request."""
    few, more = (max(total // concurrency, least) for total, least in ((FEW, 2), (MORE, 4)))
    difference = counted(name, backend, url, concurrency, more) - counted(name, backend, url, concurrency, few)
    return difference / ((more - few) * concurrency)


def main() -> None:
    """Print the table."""
    bounded(minutes=40)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backends", default="asyncio,trio")
    parser.add_argument("--clients", default="ours,floor,aiohttp,httpx2")
    parser.add_argument("--concurrency", default="1,20", help="requests at once (default: %(default)s)")
    parser.add_argument("--count", nargs=5, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.count is not None:
        name, backend, url, concurrency, each = options.count
        run(backend, requests, name, Server(url, None), int(concurrency), int(each))
        return
    if shutil.which(CACHEGRIND[0]) is None:
        print("valgrind is not installed, so nothing is counted (apt-get install valgrind)")
        return
    wanted = installed(options.clients)
    print(heading(wanted))
    with serving() as server:
        for backend in backends(options.backends):
            names = [name for name in wanted if backend in ON.get(name, {backend})]
            for concurrency in map(int, options.concurrency.split(",")):
                costs = {name: cost(name, backend, server.url, concurrency) for name in names}
                cells = {name: f"{its / 1e3:.0f} ({its / costs[wanted[0]]:.2f})" for name, its in costs.items()}
                print(row(f"{backend}, {concurrency} at once", cells, wanted), flush=True)
    told = ", ".join(f"{name} {number}" for name, number in versions(wanted).items())
    print(FOOTNOTES.format(python=interpreter(), versions=told), end="")


if __name__ == "__main__":
    main()
    leave()
