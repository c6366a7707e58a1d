"""A driver under test, as its author describes it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ...call import Call
from ...models import Outcome
from ...notes import Note
from ..script import Server

Driver = Callable[[Call, Server], Outcome | None]
"""Runs a call to its end, blocking; the server is what its transport asks."""

Later = Callable[[float, Callable[[], object]], object]
"""``later(seconds, function)`` has the function called in so many seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """See :func:`~sansio_http.testing.check_driver`."""

    driver: Driver
    max_live: int
    streams: bool
    later: Later | None
    cancel: Callable[[], object] | None
    sleep: Callable[[float], Any] | None
    notes: list[Note] | None

    def run(self, call: Call, server: Server) -> Outcome | None:
        """What the driver returned or raised."""
        try:
            return self.driver(call, server)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            return error


class Interrupt(BaseException):
    """Stands for KeyboardInterrupt and whatever else is no Exception."""
