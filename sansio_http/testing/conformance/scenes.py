"""The scenes that every driver plays.

Each is a generator of steps; what it is sent is the event it waits for (see :class:`~.stage.Stage`). A scene says only
what it is about: the stage judges the rest.
"""

from __future__ import annotations

from ...exceptions import ConnectError
from ...models import HTTPResponse
from ...step import Ended, Step
from .stage import LATE, Play, Stage


def answered(stage: Stage) -> Play:
    """A send is answered."""
    ended = yield Step((stage.send(after=1),))
    yield Step(done=ended.outcome)


def failed(stage: Stage) -> Play:
    """A send ends in an error, and the call in it."""
    ended = yield Step((stage.send(error=ConnectError("scripted")),))
    yield Step(done=ended.outcome)


def crashed(stage: Stage) -> Play:
    """A send ends in an exception that is none of ours."""
    ended = yield Step((stage.send(error=LookupError("scripted")),))
    yield Step(done=ended.outcome)


def done_at_once(stage: Stage) -> Play:
    """There is nothing to do but to answer."""
    yield Step(done=HTTPResponse(200))


def refused_at_once(stage: Stage) -> Play:
    """There is nothing to do but to raise."""
    yield Step(done=ConnectError("scripted"))


def retried(stage: Stage) -> Play:
    """A failure, a wait, an answer."""
    yield Step((stage.send(error=ConnectError("scripted")),))
    yield Step(wake_at=stage.at(2))
    ended = yield Step((stage.send(),))
    yield Step(done=ended.outcome)


def late(stage: Stage) -> Play:
    """A send is not answered by its deadline."""
    ended = yield Step((stage.send(after=20, deadline=2),))
    yield Step(done=ended.outcome)


def patient(stage: Stage) -> Play:
    """A send takes longer than `wake_at`."""
    event = yield Step((stage.send(after=5),), wake_at=stage.at(1))
    if not isinstance(event, Ended):
        event = yield Step(wake_at=stage.at(15))
    if not isinstance(event, Ended):
        stage.fail("patience", "a send was lost after a wake-up")
    yield Step(done=event.outcome)


def asked(stage: Stage) -> Play:
    """Something of the user's is asked before and after a send; one answer is None."""
    yield Step((stage.ask(object(), value=object()),))
    ended = yield Step((stage.send(),))
    yield Step((stage.ask(None, value=ended.outcome),))
    yield Step(done=ended.outcome)


def ask_failed(stage: Stage) -> Play:
    """What is asked raises."""
    ended = yield Step((stage.ask(LookupError("scripted")),))
    yield Step(done=ended.outcome)


def ask_slow(stage: Stage) -> Play:
    """What is asked takes its time."""
    yield Step((stage.ask(object(), pause=1),))
    yield Step(done=HTTPResponse(200))


def ask_late(stage: Stage) -> Play:
    """What is asked does not answer by its deadline."""
    ended = yield Step((stage.ask(object(), pause=20, deadline=2),))
    yield Step(done=ended.outcome)


def replaced(stage: Stage) -> Play:
    """A response is answered with another one of the user's."""
    ended = yield Step((stage.send(),))
    ended = yield Step((stage.ask(HTTPResponse(200), value=ended.outcome),))
    yield Step(done=ended.outcome)


def not_kept(stage: Stage) -> Play:
    """The call does not want a response."""
    yield Step((stage.send(),))
    yield Step(wake_at=stage.at(1))
    yield Step(done=ConnectError("scripted"))


def interrupted(stage: Stage) -> Play:
    """Something strikes in the driver's loop, with a response in its hand."""
    yield Step((stage.send(),))
    stage.interrupt()


def interrupted_on_the_wire(stage: Stage) -> Play:
    """Something strikes in the transport."""
    event = yield Step((stage.send(on_out=stage.interrupt),), wake_at=stage.at(15))
    if not isinstance(event, Ended):
        stage.fail("interrupt", "what struck in the transport was lost")
    yield Step(done=event.outcome)


def woken(stage: Stage) -> Play:
    """Somebody wakes the call, again and again; in between it sleeps."""
    for _ in range(2):
        latest = stage.at(2 + LATE)
        stage.wake_later(2)
        yield Step(wake_at=stage.at(20))
        if stage.now > latest:
            stage.fail("waiter", "call.waiter.wake() did not end its sleep")
        yield Step(wake_at=stage.at(2))
    yield Step(done=HTTPResponse(200))


def cancelled_asleep(stage: Stage) -> Play:
    """The caller goes away while the call sleeps."""
    stage.cancel()
    yield Step(wake_at=stage.at(15))
    stage.fail("interrupt", "it slept on after it was cancelled")


def cancelled_in_flight(stage: Stage) -> Play:
    """The caller goes away while a send is in flight."""
    yield Step((stage.send(after=15, on_out=stage.cancel),))
    stage.fail("interrupt", "it went on with a send after it was cancelled")


def cancelled_at_the_answer(stage: Stage) -> Play:
    """The caller goes away in the tick of the answer."""
    yield Step((stage.send(after=1, on_end=stage.cancel),), wake_at=stage.at(15))
    yield Step(wake_at=stage.at(15))
    stage.fail("interrupt", "it slept on after it was cancelled")
