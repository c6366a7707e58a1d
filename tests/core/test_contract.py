"""The nine lines of the contract between a call and its driver, as the README has them, each as a test.

All but the last are asked of a call in every place where it can stand. A place is reached by a function that brings a
:class:`World` there: a call, and what it shares with others.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from sansio_http import (
    Ask,
    BodyEnded,
    Call,
    Circuit,
    Concurrency,
    ConnectionLostError,
    DriverError,
    Ended,
    ExponentialBackoff,
    Hedging,
    HTTPRequest,
    HTTPResponse,
    Keyed,
    Policies,
    RedirectPolicy,
    RetryPolicy,
    Send,
    Slot,
    Step,
    TokenBucket,
    Woke,
)
from sansio_http.testing import Reply, Simulator, script

RETRY = RetryPolicy(2, ExponentialBackoff(base=2.0, jitter="none"))


class Opened:
    """An open body. It belongs to the driver: the core leaves it alone."""

    def discard(self) -> None:
        raise AssertionError("the core touched a response that is not its own")


class Hook:
    def process_request(self, request: HTTPRequest) -> None: ...
    def process_response(self, response: HTTPResponse, request: HTTPRequest) -> None: ...


class Hedge(Hedging):
    def next_at(self, first: float, extra: int) -> float | None:
        return first + 1.0 if extra < 1 else None


class World:
    """One call on its way, and the policies that it shares with others."""

    def __init__(self, *, stream: bool = False, **policies: Any) -> None:
        self.now = 0.0
        self.limiter = TokenBucket(rate=0.5, burst=2)
        self.slots = Concurrency(2)
        self.circuit = Circuit()
        shared: dict[str, Any] = {"limiter": self.limiter, "slots": self.slots, "circuit": self.circuit, "retry": RETRY}
        self.policies = Policies(**(shared | policies))
        self.call = Call(HTTPRequest("GET", "http://h/x"), self.policies, stream=stream, listen=True, max_live=2)
        self.others: list[Slot] = []  # that were taken for others
        self.gone: list[int] = []  # ids that are in flight no more
        self.step = Step()

    def start(self) -> World:
        self.step = self.call.start(self.now)
        return self

    def handle(self, event: Ended | BodyEnded | Woke, at: float | None = None) -> World:
        self.now = self.now if at is None else at
        if isinstance(event, Ended):
            self.gone.append(event.id)
        self.step = self.call.handle(event, self.now)
        self.gone += self.step.abort
        return self

    @property
    def order(self) -> Send | Ask:
        """The one that the last step asks for."""
        (order,) = self.step.send
        return order

    def end(self, outcome: Any, at: float | None = None) -> World:
        """What the last step asked for ends like this."""
        return self.handle(Ended(self.order.id, outcome), at)

    @property
    def held(self) -> tuple[int, int, int, int]:
        """What the policies say is out or waiting."""
        return (
            self.limiter.waiting,
            self.slots.waiting,
            self.slots.in_use - len(self.others),
            self.circuit.permits_out,
        )


def asking() -> World:
    return World(hooks=(Hook(),)).start()


def waiting_for_a_token() -> World:
    world = World()
    while world.limiter.take(0.0):
        pass
    return world.start()


def waiting_for_a_slot() -> World:
    world = World()
    while slot := world.slots.take(0.0):
        world.others.append(slot)
    return world.start()


def in_flight() -> World:
    return World().start()


def in_flight_twice() -> World:
    return World(hedging=Hedge()).start().handle(Woke(), 1.0)


def in_flight_after_a_redirect() -> World:
    world = World(redirects=RedirectPolicy()).start()
    return world.end(HTTPResponse(302, {"Location": "/y"}), 0.5)


def in_backoff() -> World:
    return World().start().end(HTTPResponse(503), 0.5)


def in_the_second_attempt() -> World:
    return in_backoff().handle(Woke(), 2.5)


def with_its_body_open() -> World:
    return World(stream=True).start().end(HTTPResponse(200, body=Opened()), 0.5)


def won_by_the_second_of_two() -> World:
    return in_flight_twice().end(HTTPResponse(200), 1.5)


def answered() -> World:
    return World().start().end(HTTPResponse(200), 0.5)


def failed() -> World:
    return World(retry=None).start().end(ConnectionLostError(), 0.5)


UNFINISHED: list[Callable[[], World]] = [
    asking,
    waiting_for_a_token,
    waiting_for_a_slot,
    in_flight,
    in_flight_twice,
    in_flight_after_a_redirect,
    in_backoff,
    in_the_second_attempt,
]
FINISHED: list[Callable[[], World]] = [with_its_body_open, won_by_the_second_of_two, answered, failed]

anywhere = pytest.mark.parametrize("place", UNFINISHED + FINISHED, ids=lambda place: place.__name__)
on_the_way = pytest.mark.parametrize("place", UNFINISHED, ids=lambda place: place.__name__)
done = pytest.mark.parametrize("place", FINISHED, ids=lambda place: place.__name__)


def is_quiet(step: Step) -> bool:
    """Whether a step asks for nothing that was not asked for before."""
    return not (step.send or step.abort or step.nudge or step.notes)


# --- 1 ---------------------------------------------------------------------------------------------------------------


class Raises(Exception):
    """Something of the user's raised."""


def raises(*args: Any, **kwargs: Any) -> Any:
    raise Raises


class RaisingAuth:
    def apply(self, request: HTTPRequest, now: float) -> None:
        raise Raises


class RaisingHook(Hook):
    def __init__(self, half: str) -> None:
        setattr(self, half, raises)


class RaisingHedge(Hedging):
    def next_at(self, first: float, extra: int) -> float | None:
        return raises(first, extra)


@pytest.mark.parametrize(
    "policies",
    [
        pytest.param({"ask_auth": raises}, id="ask_auth"),
        pytest.param({"ask_limiter": raises}, id="ask_limiter"),
        pytest.param({"auth": RaisingAuth()}, id="auth"),
        pytest.param({"hooks": (RaisingHook("process_request"),)}, id="process_request"),
        pytest.param({"hooks": (RaisingHook("process_response"),)}, id="process_response"),
        pytest.param({"circuit": Circuit(is_failure=raises)}, id="is_failure"),
        pytest.param({"circuit": Keyed(Circuit, raises)}, id="key-of-the-circuit"),
        pytest.param({"limiter": Keyed(lambda: TokenBucket(1, 1), raises)}, id="key-of-the-limiter"),
        pytest.param({"retry": RetryPolicy(), "rand": raises}, id="rand"),
        pytest.param({"retry": RETRY, "wall": raises}, id="wall"),
        pytest.param({"hedging": RaisingHedge()}, id="hedging"),
    ],
)
def test_1_an_exception_of_a_users_callable_becomes_the_outcome(policies):
    slots = Concurrency(1)
    simulator = Simulator(script(Reply(503, {"Retry-After": "1"})))
    call = simulator.call(HTTPRequest("GET", "http://h/x"), Policies(slots=slots, **policies))
    simulator.run()
    assert isinstance(call.outcome, Raises)
    assert slots.in_use == 0


class AnswersNonsense(Hook):
    def __init__(self, half: str) -> None:
        setattr(self, half, lambda *args, **kwargs: {"not": "a message"})


@pytest.mark.parametrize("half", ["process_request", "process_response"])
def test_1_a_hook_that_gives_back_something_else_ends_the_call(half):
    simulator = Simulator(script(Reply(200)))
    call = simulator.call(HTTPRequest("GET", "http://h/x"), Policies(hooks=(AnswersNonsense(half),)))
    simulator.run()
    assert isinstance(call.outcome, Exception)


@anywhere
def test_1_misuse_is_all_that_is_raised(place):
    call = place().call
    with pytest.raises(DriverError):
        call.start(100.0)


def test_1_a_call_that_was_not_started_cannot_be_told_anything():
    with pytest.raises(DriverError):
        World().call.handle(Woke(), 0.0)


@anywhere
def test_1_no_time_passes_but_what_it_is_told(place):
    """Two calls that are told the same do the same, whatever the clock on the wall says."""
    one, other = place(), place()
    for at in (0.1, 0.5, 3.0, 100.0):
        assert summary(one.handle(Woke(), one.now + at)) == summary(other.handle(Woke(), other.now + at))


def summary(world: World) -> tuple[Any, ...]:
    step = world.step
    orders = tuple((type(order), order.id, order.deadline) for order in step.send)
    return orders, step.abort, len(step.nudge), step.wake_at, step.notes, type(step.done), world.held


# --- 2 ---------------------------------------------------------------------------------------------------------------


@anywhere
def test_2_a_spurious_woke_changes_nothing(place):
    world = place()
    before, held = world.step, world.held
    for _ in range(3):
        step = world.handle(Woke()).step
        assert is_quiet(step)
        assert (step.wake_at, step.done) == (before.wake_at, before.done)
        assert world.held == held


# --- 3 ---------------------------------------------------------------------------------------------------------------


@anywhere
def test_3_ended_for_an_id_that_is_not_in_flight_changes_nothing(place):
    world = place()
    before, held = world.step, world.held
    for id in [0, -1, 99, *world.gone]:
        for outcome in (HTTPResponse(500, body=Opened()), ConnectionLostError(), ValueError(), None):
            step = world.handle(Ended(id, outcome)).step
            assert is_quiet(step)
            assert (step.wake_at, step.done) == (before.wake_at, before.done)
            assert world.held == held


# --- 4 ---------------------------------------------------------------------------------------------------------------


def test_4_wake_at_replaces_the_one_before():
    """A waiter was told 4; one ahead of it leaves, and it is told 2; then the token comes, and it waits no more."""
    policies = Policies(limiter=TokenBucket(rate=0.5, burst=1))
    first, ahead, behind = (Call(HTTPRequest("GET", "http://h/x"), policies) for _ in range(3))
    assert first.start(0.0).wake_at is None
    assert ahead.start(0.0).wake_at == 2.0
    assert behind.start(0.0).wake_at == 4.0
    assert ahead.close(1.0).nudge == (behind.waiter,)
    assert behind.handle(Woke(), 1.0).wake_at == 2.0
    step = behind.handle(Woke(), 2.0)
    assert step.send and step.wake_at is None


# --- 5 ---------------------------------------------------------------------------------------------------------------


@done
def test_5_after_done_there_is_no_send_and_no_wake_at(place):
    world = place()
    outcome = world.step.done
    assert outcome is not None
    for at in (0.0, 1.0, 1e9):
        for event in (Woke(), Ended(1, HTTPResponse(503)), Ended(2, None), BodyEnded(1), BodyEnded(1), BodyEnded(99)):
            step = world.handle(event, world.now + at).step
            assert not step.send and step.wake_at is None
            assert step.done is outcome


# --- 6 ---------------------------------------------------------------------------------------------------------------


@anywhere
def test_6_close_never_waits_and_never_fails_and_after_it_nothing_is_held(place):
    world = place()
    in_flight = {order.id for order in world.step.send}
    step = world.call.close(world.now)
    assert not step.send and step.wake_at is None and step.done is None
    assert in_flight <= set(step.abort)
    assert world.held == (0, 0, 0, 0)
    again = world.call.close(world.now + 1.0)
    assert is_quiet(again) and again.wake_at is None and again.done is None
    for event in (Woke(), Ended(1, HTTPResponse(200)), BodyEnded(1)):
        late = world.handle(event, world.now + 10.0).step
        assert is_quiet(late) and late.wake_at is None
    assert world.held == (0, 0, 0, 0)


@anywhere
def test_6_a_call_that_comes_after_one_that_was_closed_gets_through(place):
    world = place()
    world.call.close(world.now)
    for slot in world.others:
        world.slots.release(slot, "ok", world.now)
    after = Call(HTTPRequest("GET", "http://h/x"), world.policies, max_live=2)
    assert after.start(world.now + 4.0).send


# --- 7 ---------------------------------------------------------------------------------------------------------------


@anywhere
def test_7_now_may_repeat_and_going_back_is_clamped(place):
    world = place()
    before, held = world.step, world.held
    for back in (0.0, 0.25, 1e9):
        step = world.call.handle(Woke(), world.now - back)
        assert is_quiet(step)
        assert (step.wake_at, step.done) == (before.wake_at, before.done)
        assert world.held == held


def test_7_what_happens_in_the_past_happened_at_the_last_time_that_was_told():
    world = World().start()
    world.handle(Woke(), 5.0)
    step = world.call.handle(Ended(1, HTTPResponse(503)), 3.0)
    assert step.wake_at == 7.0
    assert world.call.attempts[0].elapsed == 5.0


# --- 8 ---------------------------------------------------------------------------------------------------------------


@on_the_way
def test_8_no_driver_can_wait_for_nothing(place):
    world = place()
    step = world.step
    in_flight = world.call.close(world.now).abort
    assert step.send or in_flight or (step.wake_at is not None and math.isfinite(step.wake_at))


def test_8_what_is_in_flight_goes_on_when_it_is_time_to_wake():
    """No driver cancels a send because of ``wake_at``: here it is time for another beside it, and the first wins."""
    world = World(hedging=Hedge()).start()
    first = world.order
    assert world.step.wake_at == 1.0
    assert not world.handle(Woke(), 1.0).step.abort
    answer = HTTPResponse(200)
    assert world.handle(Ended(first.id, answer), 1.5).step.done is answer


@pytest.mark.parametrize("scarce", [{"slots": Concurrency(1)}, {"limiter": TokenBucket(rate=2.0, burst=1)}])
def test_8_a_lost_nudge_costs_a_recheck_and_never_a_hang(scarce):
    simulator = Simulator(script(Reply(200, after=0.25)))
    calls = [simulator.call(HTTPRequest("GET", "http://h/x"), Policies(**scarce)) for _ in range(6)]
    simulator.run(until=0.0)
    for call in calls:
        call.call.waiter.wake = lambda: None  # every nudge is lost
    simulator.run()
    assert all(call.response.is_success for call in calls)
    assert simulator.now <= 6 * (0.25 + 1.0)


# --- 9 ---------------------------------------------------------------------------------------------------------------


def test_9_the_answer_is_handed_over_and_every_other_response_is_left_to_the_driver():
    """Each has an open body that fails the test when the core touches it."""
    world = World(hedging=Hedge(), retry=RETRY, stream=True)
    world.start().end(HTTPResponse(503, body=Opened()), 0.5)  # answered, and tried again
    world.handle(Woke(), 2.5)
    loser = world.order
    world.handle(Woke(), 3.5)
    answer = HTTPResponse(200, body=Opened())
    assert world.end(answer, 4.0).step.done is answer
    assert world.step.abort == (loser.id,)
    assert world.handle(Ended(loser.id, HTTPResponse(200, body=Opened())), 4.0).step.done is answer
    assert not world.call.close(5.0).abort


class Recorded(Reply):
    """A reply that keeps the heads that it gave."""

    heads: tuple[Any, ...] = ()

    def head(self, send: Send) -> Any:
        self.heads += (super().head(send),)
        return self.heads[-1]


def test_9_a_driver_that_keeps_it_throws_away_what_is_not_the_answer():
    """The simulator is one: of two heads, the loser's is thrown away, and the winner's is read."""
    wins = Recorded(after=2.0, chunks=[(1.0, b"a")])
    loses = Recorded(after=2.0, chunks=[(1.0, b"b")])
    simulator = Simulator(script(wins, loses))
    call = simulator.call(HTTPRequest("GET", "http://h/x"), Policies(hedging=Hedge()), stream=True)
    simulator.run()
    assert call.content == b"a"
    assert [reply.heads[0].body.discarded for reply in (wins, loses)] == [False, True]
