"""What a limiter answers: a place in its queue, leave to go, or why there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from ..step import Waiter

Fate = Literal["ok", "throttled", "dropped", "ignored"]
"""How a send ended: well; the server refused it as one too many (429, 503); by another sign of overload (a timeout); or
in a way that tells nothing about the server's load."""


class Refused:
    """There is no place.

    Attributes:
        retry_at: when the tokens would come, on the caller's clock; where that cannot be known, a guess.
        why: in words, after "the rate limiter".
    """

    __slots__ = ("retry_at", "why")

    def __init__(self, retry_at: float, why: str = "has no place in time") -> None:
        self.retry_at = retry_at
        self.why = why

    def __repr__(self) -> str:
        return f"<Refused until {self.retry_at:.6g}>"


class Claimed:
    """The tokens are taken.

    Attributes:
        nudge: whom to wake now; None for nobody.
    """

    __slots__ = ("nudge",)

    def __init__(self, nudge: Waiter | None) -> None:
        self.nudge = nudge

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>" if self.nudge is None else f"<{type(self).__name__}, with a nudge>"


CLAIMED = Claimed(None)
"""The usual answer, made once: there is nobody to wake."""


class Slot(Claimed):
    """Leave to be in flight, until :meth:`Limiter.release`.

    Attributes:
        tokens: that it holds; 0 once it was released.
        nudge: whom to wake now; None for nobody.
    """

    __slots__ = ("tokens",)

    def __init__(self, tokens: float, nudge: Waiter | None) -> None:
        self.tokens = tokens
        self.nudge = nudge


class TimedSlot(Slot):
    """A slot of a limiter that learns.

    Attributes:
        began: when it was claimed, in the limiter's own time.
        heard: whether the limiter knows how it ended.
    """

    __slots__ = ("began", "heard")

    def __init__(self, tokens: float, nudge: Waiter | None, began: float) -> None:
        super().__init__(tokens, nudge)
        self.began = began
        self.heard = False


class Reservation:
    """A place in a queue: made by :meth:`Limiter.reserve`, opaque to everybody else.

    Attributes:
        tokens: that it will take.
        waiter: whom to wake when its turn comes early.
        due: when it ought to come, in own time: a head that is late may be passed. Infinite: when it is nudged.
        told: when it was told to come: the same, but for a head that could not be told of an earlier turn.
        state: ``waiting`` in the queue, ``passed`` by others, ``claimed`` or ``cancelled``.
        mark: tokens that were ever queued before it, for the estimate of what is ahead.
        before, behind: its neighbours in the queue.
    """

    __slots__ = ("before", "behind", "due", "mark", "state", "tokens", "told", "waiter")

    def __init__(self, tokens: float, waiter: Waiter | None, due: float) -> None:
        self.tokens = tokens
        self.waiter = waiter
        self.due = self.told = due
        self.state: Literal["waiting", "passed", "claimed", "cancelled"] = "waiting"
        self.mark: float = 0
        self.before: Reservation | None = None
        self.behind: Reservation | None = None

    def __repr__(self) -> str:
        return f"<Reservation of {self.tokens:g}, {self.state}>"
