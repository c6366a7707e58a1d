"""What a large body costs on its way down and up, beside a bare loop over the same stream and beside other clients.

    python benchmarks/bodies.py                    # some minutes
    python benchmarks/bodies.py --mib 64 --backends trio

The bare loop reads (writes) the socket's stream and does nothing else: no parser, no policies, nobody who iterates.
Both directions are streamed: what comes is dropped, what goes out is made 64 KiB at a time.

For time, the clients take turns of a 16th of the body, which are over before the machine has turned to something else;
for memory, each moves the whole body at once, in a process of its own.
"""

from __future__ import annotations

import argparse
import contextlib
from time import perf_counter, process_time

from _clients import CLIENTS, ON, Client, installed, leave
from _memory import MIB, by_itself, peak
from _server import Server, serving
from _timing import bounded, interpreter
from _turns import FEWEST, backends, heading, row, run, times

DIRECTIONS = {"download": "down", "upload": "up"}
PARTS = 16
AT_LEAST = 0.8  # of the bare loop's throughput
AT_MOST = 8.0  # MiB that a body may add to the peak, whatever its size

FOOTNOTES = """
Milliseconds of CPU of this process, and on the wall, for {turn:g} MiB: the best of {rounds} transfers at most; behind
them the share of the bare loop's throughput, by CPU and by the wall: the median over the rounds. {python}.
Memory: what {mib} MiB in one body add to the peak of a process of its own, which has moved 4 MiB before.
"""


async def transfer(client: Client, direction: str, size: int) -> tuple[float, float]:
    """Seconds of CPU, and on the wall."""
    cpu, wall = process_time(), perf_counter()
    if direction == "download":
        came = await client.download(size)
        assert came == size, came
    else:
        answer = await client.upload(size)
        assert answer is not None
    return process_time() - cpu, perf_counter() - wall


Costs = dict[str, list[tuple[float, float]]]


async def measure(names: list[str], server: Server, direction: str, size: int, rounds: int, seconds: float) -> Costs:
    """What each transfer cost, by client."""
    costs: Costs = {name: [] for name in names}
    async with contextlib.AsyncExitStack() as stack:
        clients = {name: await stack.enter_async_context(CLIENTS[name](server, 1, True)) for name in names}
        for client in clients.values():
            await transfer(client, direction, min(size, 4 * MIB))
        ends = perf_counter() + seconds
        for number in range(rounds):
            if number >= FEWEST and perf_counter() > ends:
                break
            for name in names if number % 2 else reversed(names):
                costs[name].append(await transfer(clients[name], direction, size))
    return costs


async def growth(name: str, server: Server, size: int) -> list[float]:
    """MiB that one transfer adds to the peak of this process, in each direction."""
    grown: list[float] = []
    async with CLIENTS[name](server, 1, True) as client:
        for direction in DIRECTIONS:
            await transfer(client, direction, min(size, 4 * MIB))
            before = peak()
            await transfer(client, direction, size)
            grown.append((peak() - before) / MIB)
    return grown


def shares(costs: Costs, name: str) -> tuple[float, float]:
    """Of the bare loop's throughput, by CPU and by the wall."""
    cpu, wall = (
        times([cost[kind] for cost in costs["floor"]], [cost[kind] for cost in costs[name]]) for kind in (0, 1)
    )
    return cpu, wall


def main() -> None:
    """Print the tables and the verdicts."""
    bounded(minutes=15)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backends", default="asyncio,trio,uvloop")
    parser.add_argument("--clients", default=",".join(CLIENTS))
    parser.add_argument(
        "--mib", type=int, default=1024, help="size of the body, a multiple of 4 (default: %(default)s)"
    )
    parser.add_argument("--rounds", type=int, default=200, help="transfers of each client (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=20, help="for a row, at most (default: %(default)s)")
    parser.add_argument("--growth", nargs=3, metavar=("CLIENT", "BACKEND", "URL"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.mib % 4:
        parser.error("--mib: a multiple of 4, please: its 16th parts are made of pieces of 64 KiB")
    size = options.mib * MIB
    if options.growth is not None:
        name, backend, url = options.growth
        print(*run(backend, growth, name, Server(url, None), size))
        return
    wanted = installed(options.clients)
    verdicts: list[str] = []
    memory: list[str] = []
    print(heading(wanted))
    with serving("bulk") as server:
        for backend in backends(options.backends):
            names = [name for name in wanted if backend in ON.get(name, {backend})]
            for direction, way in DIRECTIONS.items():
                title = f"{backend}, {options.mib / 1024:g} GiB {way}"
                costs = run(backend, measure, names, server, direction, size // PARTS, options.rounds, options.seconds)
                print(row(title, {name: cell(costs, name) for name in names}, wanted), flush=True)
                cpu, wall = shares(costs, "ours")
                verdict = "met" if min(cpu, wall) >= AT_LEAST else "MISSED"
                told = f"at least {AT_LEAST} of the bare loop's throughput; {cpu:.2f} by CPU, {wall:.2f} by the wall"
                verdicts.append(f"Target: {title}, {told}: {verdict}.")
            grown = {name: grow(name, backend, server.url, options.mib) for name in names}
            for number, way in enumerate(DIRECTIONS.values()):
                title = f"{backend}, {options.mib / 1024:g} GiB {way}"
                added = {name: "not done" if each is None else f"{each[number]:+.1f}" for name, each in grown.items()}
                memory.append(row(title, added, wanted))
                if (ours := grown["ours"]) is not None:
                    verdict = "met" if ours[number] <= AT_MOST else "MISSED"
                    told = f"at most {AT_MOST:.0f} MiB of memory; {ours[number]:.1f}"
                    verdicts.append(f"Target: {title}, {told}: {verdict}.")
    print(f"\nMiB added to the peak\n\n{heading(wanted)}")
    print("\n".join(memory))
    print(FOOTNOTES.format(turn=options.mib / PARTS, mib=options.mib, rounds=options.rounds, python=interpreter()))
    print("\n".join(verdicts))


def grow(name: str, backend: str, url: str, mib: int) -> list[float] | None:
    """:func:`growth` in a process of its own."""
    return by_itself(__file__, "--growth", name, backend, url, "--mib", str(mib), seconds=120)


def cell(costs: Costs, name: str) -> str:
    """A client's figures as the table has them."""
    cpu, wall = (min(cost[kind] for cost in costs[name]) for kind in (0, 1))
    by_cpu, by_wall = shares(costs, name)
    return f"{cpu * 1e3:.1f}, {wall * 1e3:.1f} ({by_cpu:.2f}, {by_wall:.2f})"


if __name__ == "__main__":
    main()
    leave()
