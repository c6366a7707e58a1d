"""What the rows of one call share: whom they ask, and what the call has to tell its driver."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from .exceptions import HTTPRequestError
from .models import HTTPRequest
from .notes import Note
from .policies import Policies
from .step import Waiter, nobody
from .urls import redact

E = TypeVar("E", bound=HTTPRequestError)


class Ledger(Waiter):
    """One call's shared state, and the one whom others wake.

    Attributes:
        policies: who is asked.
        stream: the answer is wanted with its body open.
        deadline: of the call, on its clock; None for none.
        sends: how many have gone out.
        nudges: whom the next step has to wake.
        notes: what was decided since the last step; None where nobody listens.
        nest: makes a call within this one; set where a token may have to be got.
    """

    __slots__ = ("deadline", "last_id", "nest", "notes", "nudges", "policies", "sends", "stream")

    nest: Callable[[HTTPRequest, Policies], Any]

    def __init__(self, policies: Policies, stream: bool, listen: bool) -> None:
        self.wake = nobody
        self.policies = policies
        self.stream = stream
        self.deadline: float | None = None
        self.sends = 0
        self.nudges: tuple[Waiter, ...] = ()
        self.notes: list[Note] | None = [] if listen else None
        self.last_id = 0  # ids count up, so none is used twice

    def nudge(self, waiter: Waiter | None) -> None:
        """Have ``waiter`` woken with the next step."""
        if waiter is not None:
            self.nudges += (waiter,)


def error_for(cls: type[E], message: str, request: HTTPRequest, cause: HTTPRequestError | None = None) -> E:
    """An error about ``request``, with the progress of ``cause``, or of a request still in our queues."""
    if cause is None:
        return cls(message, method=request.method, url=redact(request.url), phase="queue")
    error = cls(
        message,
        method=request.method,
        url=redact(request.url),
        phase=cause.phase,
        head_sent=cause.head_sent,
        body_started=cause.body_started,
        reused=cause.reused,
    )
    error.__cause__ = cause
    return error
