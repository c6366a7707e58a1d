"""The whole vocabulary between a :class:`~sansio_http.Call` and its driver, on one screen.

A driver tells the call facts (:class:`Ended`, :class:`BodyEnded`, :class:`Woke`) and does what the returned
:class:`Step` says. What is made several times per call is slotted and not frozen: frozen costs four times as much.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, TypeVar

from .exceptions import HTTPRequestError, Phase
from .models import HTTPRequest, HTTPResponse, Outcome
from .notes import Note
from .urls import redact

E = TypeVar("E", bound=HTTPRequestError)

Via = Literal["api", "token"]
"""What a send is for: the API itself, or a token endpoint."""


def nobody() -> None:
    """The wake of a waiter whose driver set none: a nudge is a hint, and this one is lost."""


class Waiter:
    """Somebody who may be nudged. A driver that sleeps sets ``wake`` to what ends its sleep early.

    ``wake`` is called by whichever driver ran the step that freed something, so it must not block; a driver that shares
    policies between threads sets one that may be called from any of them.
    """

    __slots__ = ("wake",)

    def __init__(self, wake: Callable[[], object] = nobody) -> None:
        self.wake = wake


class Progress:
    """How far a send has come; its transport keeps it true, so that a timeout can say where it struck.

    The defaults are what must be feared of a transport that says nothing.

    Attributes: see :class:`~sansio_http.HTTPRequestError`.
    """

    __slots__ = ("body_started", "head_sent", "phase", "reused")

    def __init__(
        self,
        phase: Phase | None = None,
        head_sent: bool = True,
        body_started: bool = False,
        reused: bool = False,
    ) -> None:
        self.phase: Phase | None = phase
        self.head_sent = head_sent
        self.body_started = body_started
        self.reused = reused


class Send:
    """Put this request on the wire. Answer with an :class:`Ended` of the same ``id``, at ``deadline`` at the latest.

    Attributes:
        id: never reused within a call.
        attempt: which try this belongs to, from 1.
        request: as it goes out: nothing may change it any more.
        deadline: when to give up, on the call's clock; None for never.
        stream: True: end at the head of a 2xx, with its body open; else end after the last byte.
        via: the API, or a token endpoint.
        progress: how far it has come; the transport keeps it true.
        ended: where a transport that can be cancelled in the tick of completion puts the result before it returns it.
    """

    __slots__ = ("attempt", "deadline", "ended", "id", "progress", "request", "stream", "via")

    def __init__(
        self, id: int, attempt: int, request: HTTPRequest, deadline: float | None, stream: bool, via: Via = "api"
    ) -> None:
        self.id = id
        self.attempt = attempt
        self.request = request
        self.deadline = deadline
        self.stream = stream
        self.via: Via = via
        self.progress = Progress()
        self.ended: Ended | None = None

    def error(self, cls: type[E], message: str) -> E:
        """An error of class ``cls`` about this send, as far as it has come."""
        progress = self.progress
        return cls(
            message,
            method=self.request.method,
            url=redact(self.request.url),
            phase=progress.phase,
            head_sent=progress.head_sent,
            body_started=progress.body_started,
            reused=progress.reused,
        )

    def __repr__(self) -> str:
        return f"<Send {self.id} of attempt {self.attempt}: {self.request!r}>"


class Ask:
    """Call something of the user's: ``target(value)``, awaited where that is possible.

    Answer with an :class:`Ended` of the same ``id`` whose outcome is what it returned, or the exception it raised.

    Attributes:
        id: never reused within a call.
        target: the callable.
        value: its only argument.
        deadline: when to give up, on the call's clock; None for never.
    """

    __slots__ = ("deadline", "id", "target", "value")

    def __init__(self, id: int, target: Callable[[Any], Any], value: Any, deadline: float | None) -> None:
        self.id = id
        self.target = target
        self.value = value
        self.deadline = deadline

    def __repr__(self) -> str:
        return f"<Ask {self.id}: {getattr(self.target, '__qualname__', type(self.target).__name__)}>"


class Ended:
    """A send or an ask ended: with a response, with what the user's callable returned, or with an exception.

    Args:
        id: of the :class:`Send` or :class:`Ask`.
        outcome: an :class:`HTTPResponse`, the value returned, or an exception instance (an error is an outcome).
    """

    __slots__ = ("id", "outcome")

    def __init__(self, id: int, outcome: Outcome | Any) -> None:
        self.id = id
        self.outcome = outcome

    def __repr__(self) -> str:
        return f"<Ended {self.id}: {type(self.outcome).__name__}>"


class BodyEnded:
    """The open body of a streamed response was read to its end, failed, or was thrown away.

    Args:
        id: of the :class:`Send` it answered.
        error: why it failed; None where it did not.
        bytes: how many came.
    """

    __slots__ = ("bytes", "error", "id")

    def __init__(self, id: int, error: BaseException | None = None, bytes: int = 0) -> None:
        self.id = id
        self.error = error
        self.bytes = bytes


class Woke:
    """Time has passed, or a nudge came. Always harmless: one too many changes nothing."""

    __slots__ = ()


Event = Ended | BodyEnded | Woke
"""What a driver may tell a call."""


class Step:
    """What a driver has to do now.

    Attributes:
        send: put these on the wire, or ask these.
        abort: cancel the sends and asks with these ids; nothing more is believed from them.
        nudge: call ``wake()`` of each: a place in a queue came up, a token arrived.
        wake_at: call ``handle(Woke())`` no later than this, on the call's clock, if nothing of yours is in flight that
            would end earlier. It replaces the one before; None for nothing to wait for.
        notes: what was decided and why; empty unless the call was made with ``listen=True``.
        done: the answer: a response, or the exception to raise.
    """

    __slots__ = ("abort", "done", "notes", "nudge", "send", "wake_at")

    def __init__(
        self,
        send: tuple[Send | Ask, ...] = (),
        abort: tuple[int, ...] = (),
        nudge: tuple[Waiter, ...] = (),
        wake_at: float | None = None,
        notes: tuple[Note, ...] = (),
        done: HTTPResponse | BaseException | None = None,
    ) -> None:
        self.send = send
        self.abort = abort
        self.nudge = nudge
        self.wake_at = wake_at
        self.notes = notes
        self.done = done

    def __repr__(self) -> str:
        shown = ", ".join(
            f"{name}={value!r}" for name in self.__slots__ if (value := getattr(self, name)) not in ((), None)
        )
        return f"Step({shown})"
