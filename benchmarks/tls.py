"""What TLS costs: small requests over kept connections, a new connection for each request, and a large download.

    python benchmarks/tls.py                      # some minutes
    python benchmarks/tls.py --backends asyncio --concurrency 20

The clients take turns, as in ``small_requests.py``. All trust one authority, made for the occasion; the server is
asyncio's for small answers, and a blocking one for large bodies, each in a process of its own.
"""

from __future__ import annotations

import argparse
import contextlib
import ssl
from functools import partial
from importlib.util import find_spec

from _clients import CLIENTS, ON, check, installed, leave
from _memory import MIB
from _server import Server, serving
from _timing import bounded, interpreter
from _turns import Figures, Get, backends, by_turns, cell, heading, row, run

TURN = 60  # small requests in a row by one client, at least two for each of its workers
HANDSHAKES = 5
PARTS = 16

FOOTNOTES = """
us of CPU of this process, best and median turn; behind them, how many times ours (the median over the rounds).
*kept*: a small request over connections that are open. *new*: the same over a connection of its own, with the
handshake (pyreqwest brings its own TLS, the others use OpenSSL). *down*: for one MiB of a body, turns of {part:g} MiB.
*floor* is our stream and, but for a body, our parser. {python}, {openssl}.
"""


async def small(names: list[str], server: Server, concurrency: int, rounds: int, seconds: float) -> Figures:
    """Requests over kept connections; with ``concurrency`` 0, each over a new one, one after another."""
    async with contextlib.AsyncExitStack() as stack:
        pieces: dict[str, tuple[Get, int, int]] = {}
        for name in names:
            client = await stack.enter_async_context(CLIENTS[name](server, concurrency or 1, concurrency > 0))
            await check(client)
            each = max(TURN // concurrency, 2) if concurrency else HANDSHAKES
            pieces[name] = (partial(client.get, "/json"), concurrency or 1, each)
        return await by_turns(pieces, rounds=rounds, seconds=seconds)


async def large(names: list[str], server: Server, size: int, rounds: int, seconds: float) -> Figures:
    """Downloads, one after another; the figures are for a MiB."""
    async with contextlib.AsyncExitStack() as stack:
        pieces: dict[str, tuple[Get, int, int]] = {}
        for name in names:
            client = await stack.enter_async_context(CLIENTS[name](server, 1, True))
            came = await client.download(size)
            assert came == size, came
            pieces[name] = (partial(client.download, size), 1, 1)
        figures = await by_turns(pieces, rounds=rounds, seconds=seconds, warm_up=1)
        return {name: [figure / (size / MIB) for figure in known] for name, known in figures.items()}


def main() -> None:
    """Print the table."""
    bounded(minutes=15)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backends", default="asyncio,trio,uvloop")
    parser.add_argument("--concurrency", default="1,20")
    parser.add_argument("--clients", default=",".join(CLIENTS))
    parser.add_argument("--mib", type=int, default=256, help="size of the download (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=100, help="turns of each client (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=20, help="for a row, at most (default: %(default)s)")
    options = parser.parse_args()
    if not find_spec("trustme"):
        print("trustme, which makes the certificates, is not installed (pip install 'sansio-http[bench]')")
        return
    wanted = installed(options.clients)
    limits = options.rounds, options.seconds
    part = options.mib * MIB // PARTS
    print(heading(wanted))
    with serving(tls=True) as server, serving("bulk", tls=True) as bulk:
        for backend in backends(options.backends):
            names = [name for name in wanted if backend in ON.get(name, {backend})]

            def show(title: str, figures: Figures) -> None:
                cells = {name: cell(known, figures["ours"]) for name, known in figures.items()}
                print(row(title, cells, wanted), flush=True)

            for concurrency in map(int, options.concurrency.split(",")):
                figures = run(backend, small, names, server, concurrency, *limits)
                show(f"{backend}, kept, {concurrency} at once", figures)
            show(f"{backend}, new", run(backend, small, names, server, 0, *limits))
            show(f"{backend}, {options.mib} MiB down", run(backend, large, names, bulk, part, *limits))
    print(FOOTNOTES.format(part=part / MIB, python=interpreter(), openssl=ssl.OPENSSL_VERSION))


if __name__ == "__main__":
    main()
    leave()
