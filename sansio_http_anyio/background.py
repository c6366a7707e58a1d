"""What a client does beside its calls: getting tokens, while it is entered.

A token request that many wait for must not end with the call that happened to begin it: where the endpoint is slower
than its callers are patient, each would begin anew, and none would see it end.

On asyncio that is a task which the client holds on to: a task group would have to be left by the task that entered it,
and test fixtures do not keep to that. Elsewhere it is a task group, made only for a client that has such a credential.
"""

from __future__ import annotations

import asyncio
from typing import Any

import anyio
import sniffio

from .driver import Clock, drive, relay
from .transport.base import Transport
from .transport.httpcore_wire import CLOSE_TIMEOUT


class Background:
    """Runs refreshes of tokens beside the calls of one client."""

    def __init__(self) -> None:
        self._transport: Transport
        self._clock: Clock
        self._tasks: set[asyncio.Task[None]] = set()
        self._group: Any = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def open(self, transport: Transport, clock: Clock, wanted: bool) -> None:
        """The client is entered.

        Args:
            transport: puts the sends of a refresh on the wire.
            clock: the client's.
            wanted: it has a credential that may have to be got.
        """
        self._transport, self._clock = transport, clock
        if sniffio.current_async_library() == "asyncio":
            self._loop = asyncio.get_running_loop()
        elif wanted and self._group is None:
            group = anyio.create_task_group()
            self._group = await group.__aenter__()

    def run(self, refresh: Any) -> bool:
        """Drive ``refresh`` in a task of its own; False where there is no place for that."""
        if self._loop is not None:
            task = self._loop.create_task(self._drive(refresh))
            self._tasks.add(task)
            task.add_done_callback(lambda task: self._ended(task, refresh))
        elif self._group is not None:
            self._group.start_soon(self._drive, refresh)
        else:
            return False
        return True

    def stop(self) -> None:
        """The client is closed: cancel everything, and take nothing more."""
        self._loop = None
        for task in self._tasks:
            task.cancel()
        if self._group is not None:
            self._group.cancel_scope.cancel()

    async def aclose(self) -> None:
        """Wait until it has ended, half a second at most. After :meth:`stop`."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=CLOSE_TIMEOUT)
        group, self._group = self._group, None
        if group is not None:
            await group.__aexit__(None, None, None)

    async def _drive(self, refresh: Any) -> None:
        try:
            await drive(refresh, self._transport, self._clock)
        except Exception:
            pass  # whoever waits for the token is told, whoever it was that raised: a store, a signing function, we

    def _ended(self, task: asyncio.Task[None], refresh: Any) -> None:
        self._tasks.discard(task)
        relay(refresh.close(self._clock()), None)  # where it was cancelled before it ran
