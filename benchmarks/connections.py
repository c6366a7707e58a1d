"""What many connections cost: a call when a thousand are at work, memory when a thousand idle, and how many are opened.

    python benchmarks/connections.py                         # some minutes
    python benchmarks/connections.py --many 200 --backends trio

Ten thousand calls go out over a thousand connections, a thousand at once, by turns with as many over twenty.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import http.client
from functools import partial
from urllib.parse import urlsplit

import anyio
from _clients import CLIENTS, ON, check, installed, leave
from _memory import by_itself, resident
from _server import Server, serving
from _timing import bounded, interpreter
from _turns import Figures, Get, backends, by_turns, cell, heading, row, run, times

from sansio_http_anyio import AsyncHTTPClient

FEW, CALLS = 20, 10  # CALLS: of each worker among many
WORKERS, REQUESTS = 30, 20
LONGEST = 20.0  # seconds that a turn may take

FOOTNOTES = """
Calls: us of CPU of this process, best and median turn; behind them, how many times ours (the median over the rounds).
A turn is {calls:,} calls; a client that is not done after {seconds:g} s has no other. Memory: what {many:,} kept
connections that idle add to a process of its own, divided by their number; the operating system's part is not in it.
{python}.
"""


async def calls(names: list[str], server: Server, many: int, rounds: int, seconds: float) -> Figures:
    """The figures by client and number of connections."""
    async with contextlib.AsyncExitStack() as stack:
        pieces: dict[str, tuple[Get, int, int]] = {}
        for name in names:
            for number in (FEW, many):
                client = await stack.enter_async_context(CLIENTS[name](server, number, True))
                await check(client)
                get = partial(client.get, "/json")
                pieces[f"{name} {number}"] = (get, number, max(many * CALLS // number, 1))
        return await by_turns(pieces, rounds=rounds, seconds=seconds, warm_up=1, limit=LONGEST)


async def idle(name: str, server: Server, many: int) -> float:
    """Bytes of memory of one of ``many`` connections that are kept."""
    async with CLIENTS[name](server, many, True) as client:

        async def together() -> None:
            await client.get(f"/together/{many}")

        for _ in range(50):
            await check(client)
        gc.collect()
        before = resident()
        async with anyio.create_task_group() as workers:
            for _ in range(many):
                workers.start_soon(together)
        await anyio.sleep(0.1)
        gc.collect()
        return (resident() - before) / many


async def at_once(server: Server) -> None:
    """A few workers and a client as it comes, with the default limits."""
    async with AsyncHTTPClient(server.url) as client:

        async def worker() -> None:
            for _ in range(REQUESTS):
                await client.get("/json")

        async with anyio.create_task_group() as workers:
            for _ in range(WORKERS):
                workers.start_soon(worker)


def opened(server: Server) -> int:
    """Connections that were opened to it, this one included."""
    asking = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=60)
    with contextlib.closing(asking):
        asking.request("GET", "/opened")
        return int(asking.getresponse().read())


def more_files() -> None:
    """Ask for as many open files as one is allowed."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def main() -> None:
    """Print the tables and the verdicts."""
    bounded(minutes=20)
    more_files()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backends", default="asyncio,trio")
    parser.add_argument("--clients", default=",".join(CLIENTS))
    parser.add_argument("--many", type=int, default=1000, help="connections (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=20, help="turns of each client (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=60, help="for a library, at most (default: %(default)s)")
    parser.add_argument("--idle", nargs=3, metavar=("CLIENT", "BACKEND", "URL"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    many = options.many
    if options.idle is not None:
        name, backend, url = options.idle
        print(run(backend, idle, name, Server(url, None), many))
        return
    wanted = installed(options.clients)
    memory, verdicts = [], []
    print(heading(wanted))
    with serving() as server:
        for backend in backends(options.backends):
            names = [name for name in wanted if backend in ON.get(name, {backend})]
            figures = run(backend, calls, names, server, many, options.rounds, options.seconds)
            for number in (FEW, many):
                cells = {name: cell(figures[f"{name} {number}"], figures[f"ours {number}"]) for name in names}
                print(row(f"{backend}, {number:,} at once", cells, wanted))
            more = {name: f"{times(figures[f'{name} {many}'], figures[f'{name} {FEW}']):.2f}" for name in names}
            print(row(f"{backend}, {many:,}: times that at {FEW}", more, wanted), flush=True)
            memory.append(row(backend, {name: kib(name, backend, server.url, many) for name in names}, wanted))
            before = opened(server)
            run(backend, at_once, server)
            number = opened(server) - before - 1  # this asks over one of its own
            told = f"{WORKERS} workers x {REQUESTS} requests open at most {WORKERS} connections on {backend}; {number}"
            verdicts.append(f"Target: {told}: {'met' if number <= WORKERS else 'MISSED'}.")
    print(f"\nKiB of an idle connection\n\n{heading(wanted)}")
    print("\n".join(memory))
    print(FOOTNOTES.format(calls=many * CALLS, seconds=LONGEST, many=many, python=interpreter()))
    print("\n".join(verdicts))


def kib(name: str, backend: str, url: str, many: int) -> str:
    """:func:`idle` in a process of its own."""
    sizes = by_itself(__file__, "--idle", name, backend, url, "--many", str(many), seconds=120)
    return "not done" if sizes is None else f"{sizes[0] / 1024:.1f}"


if __name__ == "__main__":
    main()
    leave()
