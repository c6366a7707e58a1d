"""What a short piece of code costs on a machine that others use too.

Others can only ever add time, so the best of many short rounds counts; the pieces take turns within each round, so that
a slow minute hits all of them; it is CPU time of this process, not time on the wall; and the garbage collector is off
while the clock runs, because whose garbage it is that one collection finds is a matter of luck.
"""

from __future__ import annotations

import argparse
import asyncio
import faulthandler
import gc
import platform
from collections.abc import Awaitable, Callable, Mapping
from time import process_time

Timed = Callable[[int], Awaitable[float]]
"""Runs a piece so many times, and gives the seconds of CPU that took."""


def sync(piece: Callable[[], object]) -> Timed:
    """A function without arguments, called in a loop."""

    async def timed(calls: int) -> float:
        began = process_time()
        for _ in range(calls):
            piece()
        return process_time() - began

    return timed


def awaited(piece: Callable[[], Awaitable[object]]) -> Timed:
    """A coroutine function without arguments, awaited in a loop: one task, as in one client's call after another."""

    async def timed(calls: int) -> float:
        began = process_time()
        for _ in range(calls):
            await piece()
        return process_time() - began

    return timed


def best(pieces: Mapping[str, Timed], *, rounds: int, calls: int) -> dict[str, float]:
    """Seconds of CPU that one call of each piece costs, in the best of all rounds.

    Args:
        pieces: by name.
        rounds: how often each has its turn; 1 or more.
        calls: how often a piece is called in a round; the first round is preceded by as many that do not count.
    """
    return asyncio.run(_best(pieces, rounds, calls))


async def _best(pieces: Mapping[str, Timed], rounds: int, calls: int) -> dict[str, float]:
    for timed in pieces.values():
        await timed(calls)
    lowest = dict.fromkeys(pieces, float("inf"))
    gc.collect()
    gc.freeze()  # what is there already is not looked through again between the rounds
    gc.disable()
    try:
        for _ in range(rounds):
            for name, timed in pieces.items():
                gc.collect()
                lowest[name] = min(lowest[name], await timed(calls) / calls)
    finally:
        gc.enable()
        gc.unfreeze()
    return lowest


def parser(description: str | None, *, rounds: int, calls: int) -> argparse.ArgumentParser:
    """Reads ``--rounds`` and ``--calls``, with these defaults."""
    made = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--rounds", type=int, default=rounds, help="turns of each piece (default: %(default)s)")
    made.add_argument("--calls", type=int, default=calls, help="calls in a turn (default: %(default)s)")
    return made


def interpreter() -> str:
    """Which Python this was."""
    return f"{platform.python_implementation()} {platform.python_version()}"


def bounded(minutes: float) -> None:
    """End this process, with a word about where it was, if it has not ended by itself by then."""
    faulthandler.dump_traceback_later(minutes * 60, exit=True)
