"""The conformance kit: correct drivers of several kinds pass it, and no broken one does.

Two drivers are written down in full below. Each broken one is a correct one with a line changed, and has to be rejected
by the right rule. The drivers run in virtual time, which is a world like any other to the kit; that the kit also works
in real time is shown with the same drivers here, and on event loops in tests/adapter/test_driver_conformance.py.
"""

from __future__ import annotations

import heapq
import inspect
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Generator
from functools import partial
from typing import Any

import pytest

import sansio_http
from sansio_http import (
    Ask,
    AttemptTimeoutError,
    BodyEnded,
    Call,
    ConfigurationError,
    ConnectError,
    Ended,
    Hedging,
    HTTPRequest,
    HTTPResponse,
    Note,
    Outcome,
    Policies,
    Send,
    Step,
    Woke,
)
from sansio_http.testing import Server, check_driver
from sansio_http.testing.conformance import RULES, ConformanceError


class LateError(Exception):
    """A deadline passed during a sleep."""


class CancelledError(BaseException):
    """The caller went away during a sleep."""


class VirtualWorld:
    """A thread, its clock, and its timers, in virtual time.

    Attributes:
        deadline: a sleep ends there, in a LateError.
        woken: ends a sleep of :meth:`sleep_until` until it is cleared.
    """

    def __init__(self) -> None:
        self.now = 100.0
        self.deadline: float | None = None
        self.woken = False
        self._cancelled = False
        self._timers: list[tuple[float, int, Callable[[], object]]] = []
        self._count = 0
        self._void: set[int] = set()

    def begin(self) -> None:
        """Another driver begins."""
        self.woken = self._cancelled = False

    def clock(self) -> float:
        return self.now

    def wake(self) -> None:
        self.woken = True

    def cancel(self) -> None:
        self._cancelled = True

    def later(self, seconds: float, function: Callable[[], object]) -> int:
        self._count += 1
        heapq.heappush(self._timers, (self.now + seconds, self._count, function))
        return self._count

    def forget(self, timer: int) -> None:
        self._void.add(timer)

    def sleep(self, seconds: float) -> None:
        until = self.now + seconds
        late = self.deadline is not None and self.deadline < until
        self._pass(self.deadline if late and self.deadline is not None else until, lambda: False)
        if late:
            raise LateError

    def sleep_until(self, at: float) -> None:
        self._pass(at, lambda: self.woken)

    def finish(self, answer: Any) -> Any:
        """What an answer is, once it was awaited."""
        if not hasattr(answer, "__await__"):
            return answer
        steps: Generator[float, None, Any] = answer.__await__()
        while True:
            try:
                self.sleep(next(steps))
            except StopIteration as stop:
                return stop.value

    def _pass(self, until: float, over: Callable[[], bool]) -> None:
        while True:
            at = self._timers[0][0] if self._timers else math.inf
            if at > self.now:  # what is due is done first
                if over():
                    return
                if self._cancelled:
                    self._cancelled = False
                    raise CancelledError
                if at > until or until <= self.now:
                    assert until < math.inf, "this driver would sleep for ever"
                    self.now = max(self.now, until)
                    return
            _, timer, function = heapq.heappop(self._timers)
            if timer not in self._void:
                self.now = max(self.now, at)
                function()


class Pause:
    """What is awaited in a virtual world: it yields seconds."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def __await__(self) -> Generator[float, None, None]:
        yield self.seconds


class RealWorld:
    """The same with the real clock, for a driver that needs no timers."""

    def __init__(self) -> None:
        self.deadline: float | None = None
        self.woken = False
        self._woken = threading.Event()

    clock = staticmethod(time.monotonic)

    def wake(self) -> None:
        self._woken.set()

    def later(self, seconds: float, function: Callable[[], object]) -> None:
        threading.Timer(seconds, function).start()

    def sleep(self, seconds: float) -> None:
        left = math.inf if self.deadline is None else self.deadline - self.clock()
        time.sleep(max(0.0, min(seconds, left)))
        if left < seconds:
            raise LateError

    def sleep_until(self, at: float) -> None:
        self._woken.wait(max(0.0, at - self.clock()))
        self._woken.clear()

    def finish(self, answer: Any) -> Any:
        return answer


class Closing:
    """An open body that says when the caller is through with it."""

    def __init__(self, body: Any, end: Callable[[], object]) -> None:
        self.body = body
        self.end = end

    def discard(self) -> None:
        self.body.discard()
        self.end()


def blocking(call: Call, server: Server, world: VirtualWorld | RealWorld, notes: list[Note]) -> Outcome:
    """One send at a time, blocking."""
    held: dict[int, HTTPResponse] = {}
    handed_over = False
    call.waiter.wake = world.wake

    def obey(step: Step) -> Step:
        for waiter in step.nudge:
            waiter.wake()
        notes.extend(step.notes)
        return step

    def perform(order: Send | Ask) -> Ended:
        world.deadline = order.deadline
        try:
            if isinstance(order, Ask):
                return Ended(order.id, world.finish(order.target(order.value)))
            reply = server(order)
            world.sleep(reply.after)
            outcome = reply.head(order)
            if isinstance(outcome, BaseException):
                raise outcome
            return Ended(order.id, outcome)
        except LateError:
            return Ended(order.id, AttemptTimeoutError("too late"))
        except Exception as error:
            return Ended(order.id, error)
        finally:
            world.deadline = None

    def end(id: int) -> None:
        obey(call.handle(BodyEnded(id), world.clock()))
        obey(call.close(world.clock()))

    try:
        step = obey(call.start(world.clock()))
        while step.done is None:
            if step.send:
                (order,) = step.send
                event: Ended | Woke = (ended := perform(order))
                if isinstance(order, Send) and isinstance(ended.outcome, HTTPResponse):
                    held[order.id] = ended.outcome
            else:
                assert step.wake_at is not None
                world.sleep_until(step.wake_at)
                world.woken = False
                event = Woke()
            step = obey(call.handle(event, world.clock()))
        for id, response in held.items():
            if response is step.done and response.body is not None:
                response.body, handed_over = Closing(response.body, partial(end, id)), True
                del held[id]
                break
        return step.done
    finally:
        for response in held.values():
            response.discard()
        if not handed_over:
            obey(call.close(world.clock()))


def reactor(call: Call, server: Server, world: VirtualWorld, notes: list[Note]) -> Outcome:
    """Any number of sends at once, by callbacks."""
    held: dict[int, HTTPResponse] = {}
    handed_over = False
    timers: dict[int, int] = {}
    events: deque[Ended] = deque()
    call.waiter.wake = world.wake

    def obey(step: Step) -> Step:
        for waiter in step.nudge:
            waiter.wake()
        notes.extend(step.notes)
        for id in step.abort:
            world.forget(timers[id])
        for order in step.send:
            put_out(order)
        return step

    def put_out(order: Send | Ask) -> None:
        if isinstance(order, Ask):
            try:
                arrive(order, order.target(order.value))
            except Exception as error:
                arrive(order, error)
        else:
            reply = server(order)
            timers[order.id] = world.later(reply.after, lambda: arrive(order, reply.head(order)))
            if order.deadline is not None:
                world.later(order.deadline - world.clock(), lambda: give_up(order))

    def give_up(order: Send) -> None:
        world.forget(timers[order.id])
        arrive(order, AttemptTimeoutError("too late"))

    def arrive(order: Send | Ask, outcome: Any) -> None:
        if isinstance(order, Send) and isinstance(outcome, HTTPResponse):
            held[order.id] = outcome
        events.append(Ended(order.id, outcome))
        world.wake()

    def end(id: int) -> None:
        obey(call.handle(BodyEnded(id), world.clock()))
        obey(call.close(world.clock()))

    try:
        step = obey(call.start(world.clock()))
        while step.done is None:
            if not events:
                world.sleep_until(math.inf if step.wake_at is None else step.wake_at)
                world.woken = False
            event = events.popleft() if events else Woke()
            step = obey(call.handle(event, world.clock()))
        for id, response in held.items():
            if response is step.done and response.body is not None:
                response.body, handed_over = Closing(response.body, partial(end, id)), True
                del held[id]
                break
        return step.done
    finally:
        for response in held.values():
            response.discard()
        if not handed_over:
            obey(call.close(world.clock()))


def check_blocking(driver: Callable[..., Any] = blocking, **options: Any) -> None:
    """Put it to the test in virtual time, with all that it can do."""
    world, notes = VirtualWorld(), list[Note]()
    options = {"later": world.later, "cancel": world.cancel, "sleep": Pause, "notes": notes, **options}

    def run(call: Call, server: Server) -> Outcome:
        world.begin()
        outcome: Outcome = driver(call, server, world, notes)
        return outcome

    check_driver(run, **options)


def check_reactor(driver: Callable[..., Any] = reactor, **options: Any) -> None:
    """The same; but it has nothing against an Ask that takes its time."""
    check_blocking(driver, max_live=2, sleep=None, **options)


def changed(driver: Callable[..., Any], *edits: tuple[str, str]) -> Callable[..., Any]:
    """The driver, with pieces of its source replaced."""
    source = inspect.getsource(driver)
    for old, new in edits:
        assert source.count(old) == 1, f"{source.count(old)} times in {driver.__name__}: {old}"
        source = source.replace(old, new)
    namespace = {**vars(sansio_http), **globals()}
    exec(source, namespace)
    made: Callable[..., Any] = namespace[driver.__name__]
    return made


START, HANDLE = "step = obey(call.start(world.clock()))", "obey(call.handle(event, world.clock()))"
SET_WAKE, SLEEP = "call.waiter.wake = world.wake", "world.sleep_until(step.wake_at)"
AT_THE_END, CLOSE = "for response in held.values():", "if not handed_over:"

# Drivers that are right


def test_a_blocking_driver_in_virtual_time() -> None:
    check_blocking()
    check_blocking(sleep=None, later=None, cancel=None, notes=None, streams=False)


def test_a_blocking_driver_in_real_time() -> None:
    world, notes = RealWorld(), list[Note]()
    check_driver(
        lambda call, server: blocking(call, server, world, notes), later=world.later, sleep=world.sleep, notes=notes
    )


def test_the_blocking_driver_in_its_shortest_form() -> None:
    clock = time.monotonic

    def run(call: Call, server: Server) -> Outcome:
        def perform(order: Send | Ask) -> Ended:
            if isinstance(order, Ask):
                try:
                    return Ended(order.id, order.target(order.value))
                except Exception as error:
                    return Ended(order.id, error)
            reply = server(order)
            left = math.inf if order.deadline is None else order.deadline - clock()
            time.sleep(max(0.0, min(reply.after, left)))
            late = reply.after > left
            return Ended(order.id, order.error(AttemptTimeoutError, "too late") if late else reply.head(order))

        step = call.start(clock())
        try:
            while step.done is None:
                for waiter in step.nudge:
                    waiter.wake()
                if step.send:
                    (order,) = step.send
                    event: Ended | Woke = perform(order)
                else:
                    assert step.wake_at is not None
                    time.sleep(max(0.0, step.wake_at - clock()))
                    event = Woke()
                step = call.handle(event, clock())
        finally:
            for waiter in step.nudge + call.close(clock()).nudge:
                waiter.wake()
        return step.done

    check_driver(run, streams=False)


def test_a_driver_with_many_sends() -> None:
    check_reactor()
    check_reactor(later=None)


def test_what_a_driver_may_do_beyond_what_it_must() -> None:
    closes_twice = (f"{CLOSE}\n", f"{CLOSE}\n            obey(call.close(world.clock()))\n")
    check_blocking(changed(blocking, closes_twice))
    polls = (SLEEP, "world.sleep_until(min(step.wake_at, world.clock() + 0.1))")
    check_blocking(changed(blocking, polls))


# Drivers that are wrong

BLOCKING = [
    ("start", [(START, f"{START}; {START}")]),
    ("start", [(START, "step = call.handle(Woke(), world.clock())")]),
    ("start", [(SET_WAKE, "return None")]),
    ("clock", [(HANDLE, "obey(call.handle(event, -world.clock()))")]),
    ("send", [("if step.send:", "if False:")]),
    ("send", [("reply = server(order)", "server(order); reply = server(order)")]),
    ("send", [("reply = server(order)", "reply = server(Send(order.id, 1, order.request, None, True))")]),
    ("send", [("reply = server(order)", "raise LateError")]),
    ("nudge", [("for waiter in step.nudge:", "for waiter in ():")]),
    ("nudge", [("obey(call.start(world.clock()))", "call.start(world.clock())")]),
    ("nudge", [(HANDLE, "call.handle(event, world.clock())")]),
    (
        "nudge",
        [(f"{CLOSE}\n            obey(call.close(world.clock()))", f"{CLOSE}\n            call.close(world.clock())")],
    ),
    ("notes", [("notes.extend(step.notes)", "pass")]),
    ("notes", [("notes.extend(step.notes)", "notes[:0] = step.notes")]),
    ("wake_at", [(SLEEP, "world.sleep_until(world.clock() + 20.0)")]),
    ("wake_at", [(SLEEP, "world.sleep_until(math.inf)")]),  # the kit ends this sleep
    ("wake_at", [(SLEEP, "world.sleep_until(math.inf)"), (SET_WAKE, "pass")]),
    ("wake_at", [(SLEEP, "pass")]),
    ("wake_at", [(SLEEP, "world.sleep_until(step.wake_at - 90.0)")]),  # by another clock
    ("waiter", [(SET_WAKE, "pass")]),
    ("waiter", [(SET_WAKE, "call.waiter = Waiter(world.wake)")]),
    ("waiter", [("waiter.wake()", "waiter.wake = world.wake")]),
    ("waiter", [("world.woken = False", "pass")]),
    ("waiter", [(SET_WAKE, "call.waiter.wake = lambda: 1 / 0")]),
    ("patience", [("world.deadline = order.deadline", "world.deadline = order.deadline or step.wake_at")]),
    (
        "patience",
        [
            ("world.deadline = order.deadline", "world.deadline = order.deadline or step.wake_at"),
            ("except LateError:", "except LateError:\n            if order.deadline is None: return Woke()"),
            ("isinstance(ended.outcome,", "isinstance(getattr(ended, 'outcome', None),"),
        ],
    ),
    ("deadline", [("world.deadline = order.deadline", "pass")]),
    (
        "deadline",
        [("world.deadline = order.deadline", "world.deadline = order.deadline if isinstance(order, Send) else None")],
    ),
    ("deadline", [('AttemptTimeoutError("too late")', 'ConnectError("too late")')]),
    ("error", [("except Exception as error:", "except LookupError as error:")]),
    ("error", [("except Exception as error:", "except HTTPRequestError as error:")]),
    ("error", [("return Ended(order.id, error)", "return Ended(order.id, ConnectError(str(error)))")]),
    ("error", [("return Ended(order.id, error)", "return Ended(order.id, None)")]),
    ("id", [("Ended(order.id, outcome)", "Ended(order.id + 1, outcome)")]),
    ("id", [("Ended(order.id, outcome)", "Ended(1, outcome)")]),
    ("ask", [("order.target(order.value)", "order.target()")]),
    ("ask", [("order.target(order.value)", "order.target(value=order.value)")]),
    ("ask", [("order.target(order.value)", "order.target(order)")]),
    ("ask", [("world.finish(order.target(order.value))", "world.finish(order.target(order.value)) or order")]),
    ("ask", [("world.finish(order.target(order.value))", "order.target(order.value)")]),
    ("done", [("return step.done", "call.handle(Woke(), world.clock()); return step.done")]),
    ("done", [("while step.done is None:", "while step.done is None and step.wake_at is None:")]),
    ("outcome", [("return step.done", "return HTTPResponse(200)")]),
    ("outcome", [("return step.done", "raise BaseExceptionGroup('', [LookupError()])")]),
    ("outcome", [("Ended(order.id, outcome)", "Ended(order.id, HTTPResponse(200))")]),
    ("discard", [(AT_THE_END, "for response in ():")]),
    ("discard", [("del held[id]", "pass")]),
    ("discard", [(HANDLE, f"{HANDLE}; [each.discard() for each in held.values() if each is not step.done]")]),
    ("body", [(CLOSE, "if True:")]),
    ("body", [("obey(call.handle(BodyEnded(id), world.clock()))", "pass")]),
    ("body", [("BodyEnded(id)", "BodyEnded(id + 1)")]),
    ("body", [("partial(end, id)", "int")]),
    ("body", [("Closing(response.body, partial(end, id))", "Closing(Closing, partial(end, id))")]),
    ("close", [(CLOSE, "if False:")]),
    ("close", [(CLOSE, f"{CLOSE[:-1]} and step.done is not None:")]),
    ("close", [(CLOSE, f"{CLOSE[:-1]} and not isinstance(step.done, Exception):")]),
    ("close", [("event = Woke()", "event = Woke(); call.close(world.clock())")]),
    (
        "interrupt",
        [("    finally:\n        for", "    except BaseException:\n        return None\n    finally:\n        for")],
    ),
    ("interrupt", [("except Exception as error:", "except BaseException as error:")]),
    ("interrupt", [(SLEEP, f"try: {SLEEP}\n                except CancelledError: continue")]),
    ("interrupt", [("world.sleep(reply.after)", "world.begin(); world.sleep(reply.after)")]),
    ("interrupt", [("outcome = reply.head(order)", "outcome = reply.head(order); world.begin()")]),
    # right in scenes, wrong with real calls
    ("outcome", [(SET_WAKE, f"{SET_WAKE}\n    if type(call) is Call: return HTTPResponse(200)")]),
]


@pytest.mark.parametrize(("rule", "edits"), BLOCKING)
def test_a_broken_blocking_driver_is_rejected(rule: str, edits: list[tuple[str, str]]) -> None:
    driver = changed(blocking, *edits)
    with pytest.raises(ConformanceError) as caught:
        check_blocking(driver)
    assert caught.value.rule == rule, str(caught.value)
    assert RULES[rule].to_do in str(caught.value)


REACTOR = [
    ("together", [("put_out(order)\n        return", "put_out(order); world.sleep_until(math.inf)\n        return")]),
    ("together", [("for order in step.send:", "for order in step.send[:1]:")]),
    ("abort", [("for id in step.abort:", "for id in ():")]),
    (
        "abort",  # waits for the losers
        [
            ("for id in step.abort:", "for id in () if step.done else step.abort:"),
            ("return step.done", "world.sleep(30.0); return step.done"),
        ],
    ),
    ("wake_at", [("step.wake_at)", "math.inf if timers else step.wake_at)")]),
    (
        "wake_at",  # the latest that it was ever given
        [("else step.wake_at)", "else max(given.append(step.wake_at) or given))"), ("held:", "given = []; held:")],
    ),
    ("waiter", [(SET_WAKE, "call.waiter.wake = lambda: timers or world.wake()")]),
    ("send", [("for order in step.send:", "for order in ():")]),
    ("deadline", [('arrive(order, AttemptTimeoutError("too late"))', "pass")]),
    ("error", [("        events.append(", "        isinstance(outcome, HTTPResponse) and events.append(")]),
    ("id", [("        events.append(", "        isinstance(outcome, Exception) and events.append(")]),
    ("patience", [("else Woke()", "else [world.forget(timer) for timer in timers.values()] and Woke() or Woke()")]),
    ("id", [("events.append(Ended(order.id, outcome))", "events.append(Ended(1, outcome))")]),
    ("id", [("Ended(order.id, outcome)", "Ended(order.id, next(iter(held.values()), outcome))")]),
    ("id", [("events.append(Ended(order.id, outcome))", "events.extend(2 * [Ended(order.id, outcome)])")]),
    ("discard", [(AT_THE_END, "for response in ():")]),
    ("discard", [("step.abort:\n", "step.abort:\n            held.pop(id, None)\n")]),
    ("interrupt", [("reply = server(order)", "try: reply = server(order)\n            except BaseException: return")]),
]


@pytest.mark.parametrize(("rule", "edits"), REACTOR)
def test_a_broken_driver_with_many_sends_is_rejected(rule: str, edits: list[tuple[str, str]]) -> None:
    driver = changed(reactor, *edits)
    with pytest.raises(ConformanceError) as caught:
        check_reactor(driver)
    assert caught.value.rule == rule, str(caught.value)


def test_every_rule_has_a_driver_that_breaks_it() -> None:
    assert {rule for rule, _ in BLOCKING + REACTOR} == set(RULES)


def test_a_sleep_without_end_is_ended_where_nothing_can_be_cancelled() -> None:
    with pytest.raises(ConformanceError, match="its wake_at is overdue"):
        check_blocking(changed(blocking, (SLEEP, "world.sleep_until(math.inf)")), cancel=None)


def test_a_rule_of_time_is_broken_when_it_is_broken_thrice() -> None:
    def check(times: int) -> list[float]:
        waits: list[float] = []

        class Oversleeping(VirtualWorld):
            def sleep_until(self, at: float) -> None:
                waits.append(at - self.now)
                super().sleep_until(at + (100.0 * waits[-1] if len(waits) <= times else 0.0))

        check_driver(lambda call, server: blocking(call, server, Oversleeping(), []), tick=1.0)
        return waits

    assert check(2)[:3] == [2.0, 8.0, 32.0]
    with pytest.raises(ConformanceError, match=r"3\.2e\+03 s late"):
        check(3)


def test_the_error_says_which_rule_where_and_what_to_do() -> None:
    with pytest.raises(ConformanceError) as caught:
        check_blocking(changed(blocking, ("except Exception as error:", "except LookupError as error:")))
    assert str(caught.value) == (
        "error (scene 'failed'): it ended in ConnectError('scripted'), in which only one of its orders had ended."
        " An exception in which an order ends, of whatever class, is its outcome: Ended(order.id, exception)."
    )
    assert isinstance(caught.value.__cause__, ConnectError)


def test_a_person_can_stop_it() -> None:
    def stopped(call: Call, server: Server) -> Outcome:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        check_driver(stopped)


@pytest.mark.parametrize(
    ("options", "named"),
    [({"max_live": 0}, "max_live: 0"), ({"tick": 0.0}, "tick: 0.0"), ({"tick": math.inf}, "tick: inf")],
)
def test_a_wrong_argument(options: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigurationError, match=named):
        check_blocking(**options)


def test_a_driver_with_one_send_never_meets_a_hedge() -> None:
    class Hedge(Hedging):
        def next_at(self, first: float, extra: int) -> float | None: ...

    with pytest.raises(ConfigurationError, match="hedging"):
        Call(HTTPRequest("GET", "https://api.example/"), Policies(hedging=Hedge()), max_live=1)
