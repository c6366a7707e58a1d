"""A conformance kit for drivers, in the spirit of trio.testing's ``check_stream``: any framework, any thread model.

The kit is as pure as what it tests. It never sleeps and reads no clock: the driver under test does both, and what it
says of time, in ``now``, is what it is measured by.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from ...exceptions import ConfigurationError
from ...notes import Note
from . import calls, races, scenes
from .rules import RULES, ConformanceError, Rule
from .stage import Play, Stage
from .subject import Driver, Later, Subject

__all__ = ["RULES", "ConformanceError", "Driver", "Later", "Rule", "check_driver"]

SLOWER = (4.0, 16.0)
"""Where a rule of time is broken, the scene is played again so many times slower before it counts."""

Trial = Callable[[Subject, float], None]


def check_driver(
    driver: Driver,
    *,
    max_live: int = 1,
    streams: bool = True,
    later: Later | None = None,
    cancel: Callable[[], object] | None = None,
    sleep: Callable[[float], Any] | None = None,
    notes: list[Note] | None = None,
    tick: float = 0.02,
) -> None:
    """Put a driver to the test: play it scenes in real time, and see whether it keeps the contract of ``Call``.

    You give a function that runs your driver to its end, blocking. It gets a call that was not started, and a server
    for your transport to ask: that says how long to wait, in your way of waiting, and what comes then. ::

        class ScriptedTransport:
            def __init__(self, server):
                self.server = server

            async def send(self, send):                        # as your transport does
                reply = self.server(send)
                await asyncio.sleep(reply.after)
                return Ended(send.id, reply.head(send))        # a response or an exception: an error is an outcome

        def test_my_driver():
            check_driver(lambda call, server: asyncio.run(my_drive(call, ScriptedTransport(server), time.monotonic)))

    Each optional argument has more of the contract tested. About two seconds, most of it spent waiting.

    Args:
        driver: ``driver(call, server)`` returns the outcome, or raises it where it is an exception.
        max_live: how many sends it can have in flight at once.
        streams: its transport can return a response whose body is open. Not so for one that reads every body to its
            end: it has nothing to discard, and nothing to leave open.
        later: ``later(seconds, function)`` has ``function()`` called in so many seconds from where another driver would
            wake this one: on the same event loop (``asyncio.get_running_loop().call_later``), or in another thread
            (``threading.Timer(...).start()``). Asked from inside the driver's loop. Without it nobody wakes the driver
            but ``wake_at``, and one that sleeps for ever hangs the test.
        cancel: cancels the running driver, as its caller could. Asked from inside the driver's loop or its transport.
        sleep: ``asyncio.sleep`` or the like, for what an Ask calls; ``time.sleep`` for a driver that asks in another
            thread. Without it what is asked answers at once.
        notes: a list to which the driver's observer appends every note.
        tick: seconds in which time is counted, above 0; the driver may be late by five of them.

    Raises:
        ConformanceError: names the rule that the driver broke, and what to do; see :data:`RULES`.
        ConfigurationError: an argument is out of its range.
    """
    if max_live < 1:
        raise ConfigurationError(f"max_live: {max_live!r} is not allowed; it is a whole number, 1 or more")
    if not (tick > 0 and math.isfinite(tick)):
        raise ConfigurationError(f"tick: {tick!r} is not allowed; it is finite seconds above 0")
    subject = Subject(
        driver=driver, max_live=max_live, streams=streams, later=later, cancel=cancel, sleep=sleep, notes=notes
    )
    for trial in _trials(subject):
        for factor in (1.0, *SLOWER[:-1]):
            try:
                trial(subject, tick * factor)
                break
            except ConformanceError as failure:
                if not failure.timed:
                    raise
        else:
            trial(subject, tick * SLOWER[-1])


def _trials(subject: Subject) -> Iterator[Trial]:
    """What is tried: the simplest first, so that the first failure says most."""
    for scene in _scenes(subject):
        yield partial(_play, scene)
    yield from (calls.retried, calls.exhausted, calls.late, calls.hooked)
    if subject.max_live > 1:
        yield calls.hedged


def _play(scene: Callable[[Stage], Play], subject: Subject, tick: float) -> None:
    Stage(scene, subject, tick).run()


def _scenes(subject: Subject) -> Iterator[Callable[[Stage], Play]]:
    yield from (scenes.answered, scenes.failed, scenes.crashed, scenes.done_at_once, scenes.refused_at_once)
    yield from (scenes.retried, scenes.late, scenes.patient)
    yield from (scenes.asked, scenes.ask_failed)
    if subject.sleep is not None:
        yield from (scenes.ask_slow, scenes.ask_late)
    if subject.streams:
        yield from (scenes.replaced, scenes.not_kept)
    if subject.later is not None:
        yield scenes.woken
    if subject.max_live > 1:
        yield from (races.together, races.hedged, races.earlier, races.aborted, races.won, races.tied)
        yield races.tied_for_nothing
        if subject.later is not None:
            yield races.woken_in_flight
        yield races.interrupted_in_a_race
    yield from (scenes.interrupted, scenes.interrupted_on_the_wire)
    if subject.cancel is not None:
        yield from (scenes.cancelled_asleep, scenes.cancelled_in_flight, scenes.cancelled_at_the_answer)
