"""The event loop's timers: asyncio's own, and ours for trio."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from typing import Any

import anyio
import pytest
import trio
import trio.testing

from sansio_http_anyio.loops import EventLoop, finder, later
from sansio_http_anyio.trio_loop import current
from tests.fixtures.mock_server import MockServer

pytestmark = pytest.mark.anyio


def tasks_living() -> int:
    return trio.lowlevel.current_statistics().tasks_living


async def test_each_timer_goes_off_at_its_time_and_in_order(eventually: Any) -> None:
    loop: EventLoop = finder()()
    went_off: list[tuple[int, bool]] = []
    now = loop.time()
    for place in (3, 1, 4, 2, 0):  # 0 is earlier than what is waited for
        when = now + 0.02 * place
        loop.call_at(when, lambda place=place, when=when: went_off.append((place, loop.time() >= when)))  # type: ignore[misc]
    await eventually(lambda: len(went_off) == 5)
    assert went_off == [(place, True) for place in range(5)]


async def test_cancelled_timers_never_go_off(eventually: Any) -> None:
    loop: EventLoop = finder()()
    went_off: list[int] = []
    timers = [loop.call_at(loop.time() + 0.01, lambda place=place: went_off.append(place)) for place in range(20)]  # type: ignore[misc]
    for timer in timers[1:]:
        timer.cancel()
        timer.cancel()
    await eventually(lambda: went_off)
    await anyio.sleep(0.02)
    timers[0].cancel()  # it is too late
    assert went_off == [0]


async def test_a_timer_may_set_another(eventually: Any) -> None:
    loop: EventLoop = finder()()
    went_off: list[int] = []

    def again() -> None:
        went_off.append(1)
        if len(went_off) < 3:
            loop.call_at(loop.time(), again)

    loop.call_at(loop.time() - 1, again)
    await eventually(lambda: len(went_off) == 3)


async def test_a_loop_is_found_again_and_in_its_run_only() -> None:
    find = finder()
    assert find() is find()
    found: list[object] = []

    def elsewhere() -> None:
        try:
            find()
        except RuntimeError as error:
            found.append(error)

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert len(found) == 1


@pytest.mark.parametrize("thread", [False, True])
async def test_later_is_not_now(thread: bool, eventually: Any) -> None:
    loop: EventLoop = finder()()
    called_in: list[int] = []
    arguments = loop, lambda: called_in.append(threading.get_ident())
    if thread:
        other = threading.Thread(target=later, args=arguments)
        other.start()
        other.join()
    else:
        later(*arguments)
    assert not called_in
    await eventually(lambda: called_in)
    assert called_in == [threading.get_ident()]


@pytest.mark.parametrize("backend", ["asyncio", "trio", "between two runs"])
def test_later_is_now_where_no_loop_runs(backend: str) -> None:
    called: list[int] = []
    loops: list[EventLoop] = []

    async def main() -> None:
        loops.append(finder()())

    if backend == "between two runs":
        loop = asyncio.new_event_loop()
        loop.run_until_complete(main())
        later(loops[0], lambda: called.append(1))
        loop.close()
    else:
        anyio.run(main, backend=backend)
        later(loops[0], lambda: called.append(1))
    assert called == [1]


# Ours for trio


@pytest.mark.parametrize("how", ["gone off", "cancelled"])
def test_no_task_is_left_when_no_timer_is(how: str) -> None:
    async def main() -> None:
        before, loop = tasks_living(), current()
        for _ in range(3):  # the second begins anew
            timers = [loop.call_at(loop.time() + (0.01 if how == "gone off" else 600), int) for _ in range(9)]
            assert tasks_living() == before + 1
            if how == "gone off":
                await trio.sleep(0.02)
            for timer in timers:
                timer.cancel()
            await trio.testing.wait_all_tasks_blocked()
            assert tasks_living() == before

    trio.run(main)


def test_one_that_is_set_while_the_last_is_swept_goes_off() -> None:
    async def main() -> None:
        loop, done = current(), trio.Event()
        loop.call_at(loop.time() + 600, int).cancel()
        loop.call_at(loop.time() + 0.01, done.set)
        with trio.fail_after(30):
            await done.wait()

    trio.run(main)


def test_what_was_cancelled_is_not_kept_until_its_time() -> None:
    async def main() -> None:
        loop: Any = current()
        loop.call_at(loop.time() + 600, int)
        for _ in range(10):
            for _ in range(100):
                loop.call_at(loop.time() + 600, int).cancel()
            await trio.testing.wait_all_tasks_blocked()
            assert len(loop._timers) < 10

    trio.run(main)


def test_cancelled_by_a_thread_or_after_the_run() -> None:
    """As finalisers do."""
    timers: list[Any] = []
    went_off: list[int] = []

    def note() -> None:
        went_off.append(1)  # pragma: no cover: none does

    async def main() -> None:
        loop = current()
        timers.extend(loop.call_at(loop.time() + 0.01, note) for _ in range(3))
        timers.append(loop.call_at(loop.time() + 600, note))
        thread = threading.Thread(target=lambda: [timer.cancel() for timer in timers[:3]])
        thread.start()
        thread.join()
        await trio.sleep(0.05)

    trio.run(main)
    timers[3].cancel()
    assert not went_off


def test_each_run_has_its_own() -> None:
    loops: list[object] = []

    async def main() -> None:
        loops.append(current())

    trio.run(main)
    trio.run(main)
    assert loops[0] is not loops[1]
    with pytest.raises(RuntimeError):
        current()


# What is loaded

ASKS = """
import sys, anyio, sansio_http_anyio
sys.modules["trio"] = None  # as if it were not installed
async def main():
    async with sansio_http_anyio.AsyncHTTPClient("http://127.0.0.1:{port}") as client:
        return (await client.get("/json")).status_code
assert anyio.run(main) == 200
assert "httpcore" not in sys.modules
assert sansio_http_anyio.HttpcoreTransport.__module__ in sys.modules
"""


def test_asyncio_needs_neither_trio_nor_httpcore(server: MockServer) -> None:
    code = ASKS.replace("{port}", str(server.port))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
