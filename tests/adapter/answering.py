"""A transport without a network, for what needs no socket."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anyio

from sansio_http import Ended, HTTPResponse, Send


class Answering:
    """A transport without a network: every answer is made by a function, after some time."""

    def __init__(self, answer: Callable[[Send], Any] = lambda send: HTTPResponse(200), after: float = 0.0) -> None:
        self.answer = answer
        self.after = after
        self.sends: list[Send] = []
        self.closed = 0

    async def send(self, send: Send) -> Ended:
        self.sends.append(send)
        await anyio.sleep(self.after)
        return Ended(send.id, self.answer(send))

    async def aclose(self) -> None:
        self.closed += 1
