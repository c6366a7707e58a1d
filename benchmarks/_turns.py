"""Clients that take turns: whatever else the machine does hits all of them, so that ratios can be believed.

A client that is very much slower than the others must not keep them waiting: a turn takes no new request once its limit
of seconds is over, and whose turns were cut so twice (once may be the machine's fault) has no other.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping
from importlib.util import find_spec
from statistics import median
from time import perf_counter, process_time
from typing import Any, TypeVar

import anyio

R = TypeVar("R")
Get = Callable[[], Awaitable[object]]
Figures = dict[str, list[float]]
TURN_LIMIT = 2.0
WARM_UP = 5  # requests of each worker
FEWEST = 3  # rounds, however slow the machine is


def run(backend: str, function: Callable[..., Awaitable[R]], *arguments: object) -> R:
    """``function`` on asyncio, trio or uvloop."""
    library, options = ("asyncio", {"use_uvloop": True}) if backend == "uvloop" else (backend, {})
    chosen: Any = function
    result: R = anyio.run(chosen, *arguments, backend=library, backend_options=options)
    return result


def backends(names: str) -> Iterator[str]:
    """Those of ``names``, with commas between them, that are installed; the others are told of."""
    for name in names.split(","):
        if name == "asyncio" or find_spec(name):
            yield name
        else:
            print(f"{name} is not installed", file=sys.stderr)


async def turn(get: Get, concurrency: int, each: int, limit: float) -> tuple[float, bool]:
    """Seconds of CPU that a request took, and whether all of them came in time.

    Args:
        get: makes one request.
        concurrency: workers at once.
        each: requests of each of them, one after another.
        limit: seconds after which nobody begins another one.
    """
    done = 0
    ends = perf_counter() + limit

    async def worker() -> None:
        nonlocal done
        for _ in range(each):
            await get()
            done += 1
            if perf_counter() > ends:
                return

    began = process_time()
    async with anyio.create_task_group() as workers:
        for _ in range(concurrency):
            workers.start_soon(worker)
    return (process_time() - began) / done, done == each * concurrency


async def by_turns(
    pieces: dict[str, tuple[Get, int, int]],
    *,
    rounds: int,
    seconds: float,
    warm_up: int = WARM_UP,
    limit: float = TURN_LIMIT,
) -> Figures:
    """Seconds of CPU per request of every turn, by piece.

    Args:
        pieces: by name, the first arguments of :func:`turn`.
        rounds: turns of each.
        seconds: after which no other round begins; the turns that were cut do not count.
        warm_up: requests of each worker that do not count.
        limit: seconds for a turn.
    """
    figures: Figures = {name: [] for name in pieces}
    for get, concurrency, _ in pieces.values():
        await turn(get, concurrency, warm_up, limit)
    ends = perf_counter() + seconds
    cut = dict.fromkeys(pieces, 0)
    for number in range(rounds):
        if number >= FEWEST and perf_counter() > ends:
            break
        for name in pieces if number % 2 else reversed(pieces):
            if cut[name] < 2:
                began = perf_counter()
                cost, whole = await turn(*pieces[name], limit)
                figures[name].append(cost)
                if not whole:
                    cut[name] += 1
                    ends += perf_counter() - began
    return figures


def times(figures: list[float], base: list[float]) -> float:
    """How many times the base's the figures are: the median over the rounds that both had."""
    return median(theirs / own for theirs, own in zip(figures, base, strict=False))


def cell(figures: list[float], base: list[float]) -> str:
    """A client's figures as the tables have them: us, best and median turn, and how many times ours."""
    return f"{min(figures) * 1e6:.0f}, {median(figures) * 1e6:.0f} ({times(figures, base):.2f})"


def heading(names: list[str]) -> str:
    """The first two lines of a table."""
    return f"| | {' | '.join(names)} |\n|---|{'---|' * len(names)}"


def row(title: str, cells: Mapping[str, str], names: list[str]) -> str:
    """A line of a table; a dash for whom it was not measured."""
    return f"| {title} | {' | '.join(cells.get(name, '-') for name in names)} |"
