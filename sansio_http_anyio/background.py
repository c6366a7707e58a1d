"""What a client does beside its calls: getting tokens, while it is entered.

A token request that many wait for must not end with the call that happened to begin it: where the endpoint is slower
than its callers are patient, each would begin anew, and none would see it end.

On asyncio that is a task which the client holds on to: a task group would have to be left by the task that entered it,
and test fixtures do not keep to that. Elsewhere it is a task group, made only for a client that has such a credential,
and left only where the client is: whoever closes it before, in another task or under a scope, ends what runs in the
group one by one, for the group's own scope is also around the block that the client is used in.
"""

from __future__ import annotations

import asyncio
from typing import Any

import anyio
import sniffio

from .driver import Clock, drive, relay
from .sources import CLOSE_TIMEOUT
from .transport.base import Transport


class Background:
    """Runs refreshes of tokens beside the calls of one client."""

    def __init__(self) -> None:
        self._transport: Transport
        self._clock: Clock
        self._stopped = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._group: Any = None
        self._scopes: set[anyio.CancelScope] = set()  # of what runs in the group, whose own is around the client's user
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
        elif self._group is not None and not self._stopped:
            scope = anyio.CancelScope()
            self._scopes.add(scope)
            self._group.start_soon(self._drive_in, scope, refresh)
        else:
            return False
        return True

    def stop(self) -> None:
        """The client is closed: cancel everything, and take nothing more."""
        self._loop, self._stopped = None, True
        for task in self._tasks:
            task.cancel()
        for scope in self._scopes:
            scope.cancel()

    async def aclose(self) -> None:
        """Wait until it has ended, half a second at most. After :meth:`stop`; from any task."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=CLOSE_TIMEOUT)

    async def leave(self) -> None:
        """The client is left, in the task that entered it, and at the same depth: only there can a group be left."""
        group, self._group = self._group, None
        if group is not None:
            await group.__aexit__(None, None, None)

    async def _drive_in(self, scope: anyio.CancelScope, refresh: Any) -> None:
        try:
            with scope:
                await self._drive(refresh)
        finally:
            self._scopes.discard(scope)

    async def _drive(self, refresh: Any) -> None:
        try:
            await drive(refresh, self._transport, self._clock)
        except Exception:
            pass  # whoever waits for the token is told, whoever it was that raised: a store, a signing function, we

    def _ended(self, task: asyncio.Task[None], refresh: Any) -> None:
        self._tasks.discard(task)
        relay(refresh.close(self._clock()), None)  # where it was cancelled before it ran
