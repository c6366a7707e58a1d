"""What it costs to import a client, configure it and make one: CPU and modules, each in a new interpreter, by turns.

python benchmarks/imports.py                  # a minute
python benchmarks/imports.py --rounds 5
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from statistics import median

from _clients import installed, versions
from _timing import bounded, interpreter

MADE = {
    "ours": "import sansio_http_anyio as s; s.ClientConfig(); s.AsyncHTTPClient('https://api.example.com')",
    "httpx2": "import httpx2; httpx2.AsyncClient()",
    "aiohttp": """
import asyncio, aiohttp
async def main():
    await aiohttp.ClientSession().close()
asyncio.run(main())""",
    "pyreqwest": "from pyreqwest.client import ClientBuilder; ClientBuilder().build()",
}
IMPORTED = {
    "ours": "import sansio_http_anyio",
    "httpx2": "import httpx2",
    "aiohttp": "import aiohttp",
    "pyreqwest": "import pyreqwest.client",
}
MEASURED = """
import sys
from time import process_time
before, began = len(sys.modules), process_time()
{}
cost = process_time() - began
print(cost, len(sys.modules) - before, flush=True)
import os
os._exit(0)
"""

FOOTNOTES = """\
CPU of a new interpreter, behind its own start, the best and the median of {rounds} turns; behind them, how many times
ours (the median over the rounds); the modules that it loads. The bytecode is there already. aiohttp needs an event loop
to make a client, and has one; httpx2 loads its certificates when a client is made, ours when the first connection is.
{versions}.
"""


def cost(code: str) -> tuple[float, int]:
    """Seconds of CPU, and modules."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, *(f"-W{option}" for option in sys.warnoptions), "-c", MEASURED.format(code)]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, timeout=120, check=True)
    seconds, modules = done.stdout.split()
    return float(seconds), int(modules)


def main() -> None:
    """Print the table and the verdict."""
    bounded(minutes=10)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20, help="turns of each (default: %(default)s)")
    parser.add_argument("--clients", default=",".join(MADE))
    options = parser.parse_args()
    there = installed(options.clients)
    pieces = {(name, kind): codes[name] for kind, codes in enumerate((IMPORTED, MADE)) for name in there}
    modules = {piece: cost(code)[1] for piece, code in pieces.items()}  # and the bytecode is written
    costs: dict[tuple[str, int], list[float]] = {piece: [] for piece in pieces}
    for number in range(options.rounds):
        for piece in pieces if number % 2 else reversed(pieces):
            costs[piece].append(cost(pieces[piece])[0])

    def times_ours(piece: tuple[str, int]) -> float:
        return median(its / own for its, own in zip(costs[piece], costs["ours", piece[1]], strict=True))

    for kind, title in enumerate(("import alone", "import, configure, make a client")):
        print(f"{title:34}{'best ms':>9}{'median':>9}{'x ours':>9}{'modules':>9}")
        for name in there:
            its = costs[name, kind]
            figures = f"{min(its) * 1e3:9.1f}{median(its) * 1e3:9.1f}{times_ours((name, kind)):9.2f}"
            print(f"{name:34}{figures}{modules[name, kind]:9}")
        print()
    told = ", ".join(f"{name} {number}" for name, number in versions(there).items())
    print(FOOTNOTES.format(rounds=options.rounds, versions=f"{interpreter()}; {told}"), end="")
    if "httpx2" in there:
        share = 1 / times_ours(("httpx2", 1))
        verdict = "met" if share <= 1 else "MISSED"
        print(f"Target: to import, configure and make ours costs what httpx2's does; {share:.2f} of it: {verdict}.")


if __name__ == "__main__":
    main()
