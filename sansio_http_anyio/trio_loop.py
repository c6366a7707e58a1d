"""Timers for trio: to call a function at a time, without a cancel scope for whoever may need it.

Theory of operation. On trio only a task can wait. One for each run waits for all its timers: it sleeps until the first
is due, and is there only while there are any. It is a system task, as those that wait for signals and child processes
are: it belongs to the run and to no nursery, so that a client needs none, and ends with the run at the latest.

A deadline so kept costs a request a comparison, where a scope of its own costs a tenth of the request.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from itertools import count

import trio


class TrioTimer:
    """A function that is to be called."""

    __slots__ = ("_loop", "callback")

    def __init__(self, loop: TrioLoop, callback: Callable[[], None]) -> None:
        self._loop = loop
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        """Never call it. Idempotent; from anywhere, a finaliser included."""
        if self.callback is not None:
            self.callback = None
            self._loop.forget_one()


class TrioLoop:
    """A run of trio, with the part of an asyncio loop's methods that we need of either."""

    time = staticmethod(trio.current_time)

    def __init__(self) -> None:
        self._token = trio.lowlevel.current_trio_token()
        self._timers: list[tuple[float, int, TrioTimer]] = []  # a heap
        self._order = count()
        self._cancelled = 0  # of them
        self._sleep: trio.CancelScope | None = None  # of the task; None where there is none

    def call_at(self, when: float, callback: Callable[[], None], /) -> TrioTimer:
        """Call ``callback``, which never raises, once trio's clock says ``when``."""
        timer = TrioTimer(self, callback)
        heapq.heappush(self._timers, (when, next(self._order), timer))
        if self._sleep is None:
            self._sleep = trio.CancelScope(deadline=when)
            trio.lowlevel.spawn_system_task(self._keep_time, name="sansio_http_anyio timers")
        elif when < self._sleep.deadline:
            self._sleep.deadline = when
        return timer

    def call_soon_threadsafe(self, callback: Callable[[], None], /) -> None:
        """Call ``callback``, which never raises, in a turn of its own. RuntimeError: the run is over."""
        self._token.run_sync_soon(callback)

    def forget_one(self) -> None:
        """A timer was cancelled: half of them, and it is time to sweep."""
        self._cancelled += 1
        if self._sleep is not None and 2 * self._cancelled > len(self._timers):
            try:
                here = trio.lowlevel.current_trio_token() is self._token
            except RuntimeError:  # the run is over, or this is a finaliser in another thread
                here = False
            if here:
                self._sleep.cancel()

    async def _keep_time(self) -> None:
        """Only this takes timers out, so that a finaliser may cancel one at any moment."""
        while self._timers:
            assert self._sleep is not None
            with self._sleep:
                await trio.sleep_forever()
            now = trio.current_time()
            while self._timers and self._timers[0][0] <= now:
                timer = heapq.heappop(self._timers)[2]
                callback, timer.callback = timer.callback, None
                if callback is not None:
                    callback()
            self._timers = [each for each in self._timers if each[2].callback is not None]
            heapq.heapify(self._timers)
            self._cancelled = 0
            if self._timers:
                self._sleep = trio.CancelScope(deadline=self._timers[0][0])
        self._sleep = None


_loop: trio.lowlevel.RunVar[TrioLoop] = trio.lowlevel.RunVar("sansio_http_anyio loop")


def current() -> TrioLoop:
    """That of the run that we are in.

    Raises:
        RuntimeError: in none.
    """
    try:
        return _loop.get()
    except LookupError:
        loop = TrioLoop()
        _loop.set(loop)
        return loop
