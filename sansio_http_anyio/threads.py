"""Work in threads that has to be done whatever becomes of the task."""

from __future__ import annotations

from collections.abc import Callable

from anyio import CancelScope
from anyio.to_thread import run_sync


async def shielded(work: Callable[[], None]) -> None:
    """Have a thread do it, cancelled or not; where none was found in time, do it here.

    Args:
        work: can be called twice, even at once, and never fails.
    """
    try:
        with CancelScope(shield=True):
            await run_sync(work)
    finally:
        work()
