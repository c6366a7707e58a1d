"""What a driver has to keep to, rule by rule, and the error that names the rule it broke."""

from __future__ import annotations

from typing import NamedTuple


class Rule(NamedTuple):
    """One rule of the contract.

    Attributes:
        to_do: what a driver has to do.
        timed: whether a slow machine can break it: then it is tried again with more time before it counts.
    """

    to_do: str
    timed: bool = False


RULES = {
    "start": Rule("Call start() once, then handle() with each event."),
    "clock": Rule("Give start(), handle() and close() the time of one monotonic clock, in seconds."),
    "send": Rule("Put each Send of step.send on the wire, and ask each Ask, exactly once, as it is."),
    "together": Rule(
        "Have all of step.send in flight at once: a task for each, and a queue of what they end in.", True
    ),
    "abort": Rule("Cancel the orders that step.abort names, also where the step has `done`.", True),
    "nudge": Rule("Call wake() of each waiter in step.nudge, as the first thing, with every step, also close()'s."),
    "wake_at": Rule(
        "Sleep until step.wake_at by the clock that handle() is given, then call handle(Woke()); the last one counts.",
        True,
    ),
    "waiter": Rule(
        "Before you sleep set call.waiter.wake, and no other waiter's, to what ends this sleep; it may be called at any"
        " time, blocks nobody and raises nothing.",
        True,
    ),
    "patience": Rule("Let a send go on until its deadline: neither wake_at nor a wake-up ends it.", True),
    "deadline": Rule("Give up at order.deadline, with an AttemptTimeoutError as the outcome.", True),
    "error": Rule(
        "An exception in which an order ends, of whatever class, is its outcome: Ended(order.id, exception)."
    ),
    "id": Rule("Give each Ended the id of its own order, once."),
    "ask": Rule("Call ask.target(ask.value), await the result if it can be; Ended(ask.id, what came of it)."),
    "notes": Rule("Pass on every note of every step, also of close()'s, in order."),
    "done": Rule("Stop where step.done is not None, and not before; do what else that step says."),
    "outcome": Rule("Hand on what came, and return or raise step.done, as they are: no copy, no group around them."),
    "discard": Rule(
        "Keep a list of the responses that the transport returned; at the end discard() all but step.done, which is the"
        " caller's. (streams=False, if your transport reads every body to its end.)"
    ),
    "body": Rule(
        "Where the outcome's body is open, leave the call open with it: at its end, however it comes, tell"
        " handle(BodyEnded(id of the send)), then close(). (streams=False, if you never hand over an open body.)"
    ),
    "interrupt": Rule("Let a cancellation, KeyboardInterrupt and the like end the driver.", True),
    "close": Rule("Call close() at the end, whatever the end: in the `finally` of the loop."),
}


class ConformanceError(AssertionError):
    """A driver broke its contract.

    Args:
        rule: a key of :data:`RULES`.
        scene: in which part of the play.
        what: what it did.

    Attributes:
        rule: as given.
        timed: whether a slow machine may be to blame.
    """

    def __init__(self, rule: str, scene: str, what: str) -> None:
        super().__init__(f"{rule} (scene {scene!r}): {what}. {RULES[rule].to_do}")
        self.rule = rule
        self.timed = RULES[rule].timed
