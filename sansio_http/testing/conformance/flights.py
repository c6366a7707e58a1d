"""What a stage gives to a driver, each piece made so that the stage knows what became of it."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

from ...models import Outcome
from ...step import Ask, Send, Waiter
from ..script import Reply


def nothing() -> None:
    """The default where something may be done."""


class Flight:
    """One order, what is scripted for it, and how far it has come.

    Args:
        order: the send or ask.
        after: seconds until a send ends.
        ends: makes what it ends in.
        on_out: called when it goes out; may raise.
        on_end: called when it ends, while only the transport knows.

    Attributes:
        ordered: a step had it.
        out: the driver has put it on the wire, or has called its target.
        came: it has ended, in ``outcome``.
        told: the driver has said so.
        aborted: a step aborted it.
    """

    def __init__(
        self,
        order: Send | Ask,
        after: float,
        ends: Callable[[], Any],
        on_out: Callable[[], object] = nothing,
        on_end: Callable[[], object] = nothing,
    ) -> None:
        self.order = order
        self.after = after
        self.ends = ends
        self.on_out = on_out
        self.on_end = on_end
        self.outcome: Any = None
        self.ordered = self.out = self.came = self.told = self.aborted = False

    @property
    def live(self) -> bool:
        """Whether the driver has it in hand."""
        return self.ordered and not self.told and not self.aborted


class PlayedReply(Reply):
    """A reply whose head the stage makes."""

    __slots__ = ("_head",)

    def __init__(self, after: float, head: Callable[[], Outcome]) -> None:
        super().__init__(after=after)
        self._head = head

    def head(self, send: Send) -> Outcome:
        """The response, or the error."""
        return self._head()


class Pause:
    """An awaitable that takes its time, and then answers."""

    def __init__(self, sleeping: Any, answer: Callable[[], Any]) -> None:
        self.sleeping = sleeping
        self._answer = answer

    def __await__(self) -> Generator[Any, Any, Any]:
        yield from self.sleeping.__await__()
        return self._answer()


class OpenBody:
    """The open body of a response."""

    def __init__(self) -> None:
        self.discarded = False

    def discard(self) -> None:
        """Note that it was thrown away."""
        self.discarded = True


class Nudge(Waiter):
    """The waiter of somebody else, who is to be woken.

    Args:
        spoilt: called where somebody sets an attribute of it.
    """

    __slots__ = ("_spoilt", "woken")
    _spoilt: Callable[[], object]
    woken: bool

    def __init__(self, spoilt: Callable[[], object]) -> None:
        for name, value in (("_spoilt", spoilt), ("woken", False), ("wake", self._wake)):
            object.__setattr__(self, name, value)

    def _wake(self) -> None:
        object.__setattr__(self, "woken", True)

    def __setattr__(self, name: str, value: object) -> None:
        self._spoilt()
