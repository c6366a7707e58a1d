"""The event loop that runs here: which one it is, its clock, and its timers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

import anyio


class Timer(Protocol):
    """What was asked for by :meth:`EventLoop.call_at`."""

    def cancel(self) -> None:
        """It is not wanted any more. Idempotent, never fails."""
        ...


class EventLoop(Protocol):
    """What asyncio's loops have, and :class:`~.trio_loop.TrioLoop` has for a run of trio. Each equals only itself."""

    def time(self) -> float:
        """Now, in seconds, on the loop's own clock."""
        ...

    def call_at(self, when: float, callback: Callable[[], None], /) -> Timer:
        """Call ``callback``, which never raises, once the clock says ``when``."""
        ...

    def call_soon_threadsafe(self, callback: Callable[[], None], /) -> object:
        """Call ``callback``, which never raises, in a turn of its own; from any thread.

        Raises:
            RuntimeError: the loop is over.
        """
        ...


def finder() -> Callable[[], EventLoop]:
    """What finds the :class:`EventLoop` that runs, as fast as the library that runs here can tell.

    What is returned raises RuntimeError where that library runs no loop.
    """
    if anyio.get_cancelled_exc_class() is asyncio.CancelledError:
        return asyncio.get_running_loop
    from .trio_loop import current  # here alone, and in the stream for it: trio need not be installed

    return current


def later(loop: EventLoop, callback: Callable[[], None]) -> None:
    """Have ``callback``, which never raises, called by ``loop`` when nothing else is under way in it.

    For finalisers: the garbage collector may call them in the middle of anything, and in any thread. Where the loop
    does not run there is nothing to be in the middle of.
    """
    if not isinstance(loop, asyncio.AbstractEventLoop) or loop.is_running():
        try:
            loop.call_soon_threadsafe(callback)
            return
        except RuntimeError:  # it is over
            pass
    callback()
