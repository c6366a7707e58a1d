"""The stream for trio: what anyio does, without asking each time which library runs."""

from __future__ import annotations

import anyio
import trio

from .anyio_stream import AnyioStream


class TrioStream(AnyioStream):
    """A stream that waits by ``trio.lowlevel``."""

    __slots__ = ()

    async def _wait_for_input(self) -> None:
        try:
            await trio.lowlevel.wait_readable(self._socket)
        except trio.ClosedResourceError:
            return
        except trio.BusyResourceError:
            raise anyio.BusyResourceError("reading from") from None
        self._receive()
