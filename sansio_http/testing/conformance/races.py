"""The scenes that a driver plays that can have several sends in flight at once."""

from __future__ import annotations

from ...exceptions import ConnectError
from ...step import Ended, Step
from .stage import LATE, Play, Stage


def together(stage: Stage) -> Play:
    """Two sends of one step."""

    def look() -> None:
        if not all(stage.is_out(send) for send in both):
            stage.fail("together", "it put only one of two sends out before that one ended")

    both = stage.send(after=6, on_end=look), stage.send(after=6, on_end=look)
    yield Step(both)
    ended = yield Step()
    yield Step(done=ended.outcome)


def hedged(stage: Stage) -> Play:
    """A second send joins one that is slow; the slow one answers first."""
    yield Step((stage.send(after=8),), wake_at=stage.at(1))
    yield Step((stage.send(after=10),))
    ended = yield Step()
    yield Step(done=ended.outcome)


def earlier(stage: Stage) -> Play:
    """With each step another `wake_at` counts."""
    yield Step((stage.send(after=1), stage.send(after=20)), wake_at=stage.at(30))
    yield Step(wake_at=stage.at(2))
    ended = yield Step()
    yield Step(done=ended.outcome)


def woken_in_flight(stage: Stage) -> Play:
    """Somebody wakes the call while a send is in flight."""
    latest = stage.at(2 + LATE)
    stage.wake_later(2)
    event = yield Step((stage.send(after=12),))
    if isinstance(event, Ended) or stage.now > latest:
        stage.fail("waiter", "call.waiter.wake() was not followed by a Woke while a send was in flight")
    event = yield Step()
    yield Step(done=event.outcome)


def aborted(stage: Stage) -> Play:
    """One of two sends is aborted, and the call goes on."""
    slow, fast = stage.send(after=8), stage.send(after=1)
    ended = yield Step((slow, fast))
    yield Step(abort=(slow.id,), wake_at=stage.at(12))
    yield Step(done=ended.outcome)


def won(stage: Stage) -> Play:
    """One of two sends is aborted, and the call is done."""
    slow, fast = stage.send(after=20), stage.send(after=1)
    ended = yield Step((slow, fast))
    yield Step(abort=(slow.id,), done=ended.outcome)


def tied(stage: Stage) -> Play:
    """Two sends are answered at once; the call is done with whichever is told first."""
    both = stage.send(after=1), stage.send(after=1)
    ended = yield Step(both)
    yield Step(abort=tuple(send.id for send in both if send.id != ended.id), done=ended.outcome)


def tied_for_nothing(stage: Stage) -> Play:
    """Two sends are answered at once, and the call wants neither."""
    both = stage.send(after=1), stage.send(after=1)
    ended = yield Step(both)
    yield Step(abort=tuple(send.id for send in both if send.id != ended.id), wake_at=stage.at(2))
    yield Step(done=ConnectError("scripted"))


def interrupted_in_a_race(stage: Stage) -> Play:
    """Something strikes in the driver's loop when one of two sends was answered."""
    yield Step((stage.send(after=1), stage.send(after=15)))
    stage.interrupt()
