"""The simulation: a driver in virtual time, and a judge of the contract."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Generator

import pytest

from sansio_http import (
    AttemptTimeoutError,
    BodyRead,
    CallEnded,
    Concurrency,
    ConnectError,
    ExponentialBackoff,
    Hedging,
    HTTPRequest,
    HTTPResponse,
    Policies,
    ResponseBodyError,
    RetryPolicy,
    Send,
    TokenBucket,
    TotalTimeoutError,
)
from sansio_http.testing import ContractError, Reply, Simulator, Ties, script

GET = HTTPRequest("GET", "https://api.example/")
RETRY = RetryPolicy(backoff=ExponentialBackoff(jitter="none"))  # after 1 s, then after 2


class Recorded(Reply):
    """A reply that keeps the heads it gave."""

    def __init__(self, status: int = 200, *, after: float = 0.0) -> None:
        super().__init__(status, after=after)
        self.heads: list[HTTPResponse | BaseException] = []

    def head(self, send: Send) -> HTTPResponse | BaseException:
        self.heads.append(super().head(send))
        return self.heads[-1]


class Hedge(Hedging):
    """A hedging policy: so many more sends, at these seconds after the first."""

    def __init__(self, *after: float) -> None:
        self.after = after

    def next_at(self, first: float, extra: int) -> float | None:
        return first + self.after[extra] if extra < len(self.after) else None


class Hook:
    """A hook that lets everything pass, unless it is given an error to raise."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error

    def process_request(self, request: HTTPRequest) -> None:
        if self.error is not None:
            raise self.error

    def process_response(self, response: HTTPResponse, request: HTTPRequest) -> None: ...


def test_time_passes_from_event_to_event() -> None:
    simulator = Simulator(script(Reply(503, after=0.5), Reply(200, content=b"hello", after=0.25)), now=100.0)
    first = simulator.call(GET, Policies(retry=RETRY))
    second = simulator.call(GET, Policies(), at=100.25)
    assert simulator.run() == 101.75
    assert simulator.trace == [
        (100.0, "start", 0),
        (100.25, "start", 1),
        (100.5, "ended", 0),
        (100.5, "ended", 1),
        (101.5, "wake", 0),
        (101.75, "ended", 0),
    ]
    assert first.response.content == b"hello" and first.ended_at == 101.75
    assert [send.attempt for send in first.sends] == [1, 2]
    assert first.wakes == 1
    assert isinstance(first.notes[-1], CallEnded) and first.notes[-1].attempts == 2
    assert second.ended_at == 100.5
    assert simulator.calls == [first, second] and [call.number for call in simulator.calls] == [0, 1]


def test_run_stops_at_a_given_time() -> None:
    simulator = Simulator(script(Reply(after=2.0)))
    call = simulator.call(GET, Policies())
    assert simulator.run(until=1.0) == simulator.now == 1.0
    with pytest.raises(AssertionError, match="no outcome"):
        _ = call.response
    assert simulator.run(until=2.0) == 2.0
    assert call.response.is_success
    assert simulator.run(until=5.0) == 5.0


def test_an_error_that_is_the_outcome_is_raised() -> None:
    simulator = Simulator(script(Reply(error=ConnectError, after=1.0)))
    call = simulator.call(GET, Policies())
    simulator.run()
    with pytest.raises(ConnectError):
        _ = call.response
    assert call.outcome is not None and call.ended_at == 1.0


def test_notes_are_kept_only_where_they_are_wanted() -> None:
    simulator = Simulator(script(Reply()))
    call = simulator.call(GET, Policies(), listen=False)
    simulator.run()
    assert not call.notes


def test_a_send_ends_at_its_deadline() -> None:
    simulator = Simulator(script(Reply(after=3.0), Reply(after=2.0)))
    call = simulator.call(GET, Policies(retry=RETRY, attempt_timeout=2.0))
    simulator.run()
    assert [(at, what) for at, what, _ in simulator.trace] == [
        (0.0, "start"),
        (2.0, "deadline"),
        (3.0, "wake"),
        (5.0, "ended"),  # an answer in the instant of the deadline is an answer
    ]
    first, _ = call.response.attempts
    assert first.error is not None and first.error.startswith(AttemptTimeoutError.__name__)


def test_a_buffered_body_belongs_to_the_answer() -> None:
    simulator = Simulator(script(Reply(content=b"a", after=1.0, chunks=[(0.5, b"b"), (0.5, b"c")])))
    call = simulator.call(GET, Policies())
    assert simulator.run() == 2.0
    assert call.response.content == b"abc" and call.response.body is None


def test_a_buffered_body_that_fails_is_an_attempt_that_failed() -> None:
    simulator = Simulator(script(Reply(chunks=[(0.5, b"b")], fails=ConnectError), Reply()))
    call = simulator.call(GET, Policies(retry=RETRY))
    assert simulator.run() == 1.5
    assert [attempt.status_code for attempt in call.response.attempts] == [None, 200]


@pytest.mark.parametrize("hooks", [(), (Hook(),)])  # with a hook, the call holds the response while it asks
def test_a_stream_is_read_to_its_end(hooks: tuple[Hook, ...]) -> None:
    slots = Concurrency(1)
    simulator = Simulator(script(Reply(after=1.0, chunks=[(0.5, b"a"), (0.5, b"b")])))
    call = simulator.call(GET, Policies(slots=slots, hooks=hooks), stream=True)
    simulator.run(until=1.0)
    assert call.ended_at == 1.0 and slots.in_use == 1
    simulator.run(until=1.5)
    assert call.content == b"a" and slots.in_use == 1
    assert simulator.run() == 2.0
    assert call.content == b"ab" and call.body_error is None and slots.in_use == 0
    assert call.response.body is not None and not call.response.body.discarded  # type: ignore[attr-defined]
    assert isinstance(call.notes[-1], BodyRead) and call.notes[-1].bytes == 2


def test_a_stream_may_fail_on_its_way() -> None:
    simulator = Simulator(script(Reply(chunks=[(0.5, b"a")], fails=ResponseBodyError)))
    call = simulator.call(GET, Policies(retry=RETRY), stream=True)
    simulator.run()
    assert call.response.is_success and call.content == b"a"
    assert isinstance(call.body_error, ResponseBodyError)
    assert isinstance(call.notes[-1], BodyRead) and call.notes[-1].error is not None


def test_of_a_stream_only_a_2xx_is_handed_over_open() -> None:
    simulator = Simulator(script(Reply(404, chunks=[(0.5, b"not "), (0.5, b"here")])))
    call = simulator.call(GET, Policies(), stream=True)
    assert simulator.run() == 1.0
    assert call.response.content == b"not here" and call.response.body is None


def test_a_caller_may_go_away_while_it_reads() -> None:
    slots = Concurrency(1)
    simulator = Simulator(script(Reply(chunks=[(1.0, b"a"), (1.0, b"b")])))
    call = simulator.call(GET, Policies(slots=slots), stream=True, cancel_at=1.5)
    simulator.run()
    assert call.cancelled and call.ended_at == 0.0 and call.content == b"a" and slots.in_use == 0
    assert call.response.body is not None and call.response.body.discarded  # type: ignore[attr-defined]


@pytest.mark.parametrize("stream", [False, True])
def test_a_caller_may_go_away_in_flight(stream: bool) -> None:
    slots, reply = Concurrency(1), Recorded(after=2.0)
    simulator = Simulator(script(reply))
    call = simulator.call(GET, Policies(slots=slots), stream=stream, cancel_at=1.0)
    simulator.run()
    assert call.cancelled and call.outcome is None and call.ended_at == 1.0 and slots.in_use == 0
    (head,) = reply.heads
    assert isinstance(head, HTTPResponse)
    assert head.body is None if not stream else head.body is not None and head.body.discarded  # type: ignore[attr-defined]


def test_a_caller_may_go_away_before_the_start_and_after_the_end() -> None:
    simulator = Simulator(script(Reply()))
    early = simulator.call(GET, Policies(), at=2.0, cancel_at=1.0)
    late = simulator.call(GET, Policies(), cancel_at=1.0)
    simulator.run()
    assert early.cancelled and not early.sends
    assert not late.cancelled and late.response.is_success


def test_a_caller_may_go_away_in_backoff() -> None:
    simulator = Simulator(script(Reply(503)))
    call = simulator.call(GET, Policies(retry=RETRY), cancel_at=0.5)
    assert simulator.run() == 0.5
    assert call.cancelled and len(call.sends) == 1


def test_the_hook_is_asked() -> None:
    error = ValueError("mine")
    simulator = Simulator(script(Reply()))
    passed = simulator.call(GET, Policies(hooks=(Hook(),)))
    failed = simulator.call(GET, Policies(hooks=(Hook(error),)))
    simulator.run()
    assert passed.response.is_success
    assert failed.outcome is error and not failed.sends
    assert [what for _, what, number in simulator.trace if number == 0] == ["start", "answered", "ended", "answered"]


def test_a_slot_that_comes_free_wakes_the_next() -> None:
    slots = Concurrency(1)
    simulator = Simulator(script(Reply(after=0.25)))
    calls = [simulator.call(GET, Policies(slots=slots)) for _ in range(3)]
    assert simulator.run() == 0.75
    assert [call.ended_at for call in calls] == [0.25, 0.5, 0.75]
    assert [what for _, what, _ in simulator.trace].count("wake") == 0


def test_a_wake_up_after_the_end_does_nothing() -> None:
    simulator = Simulator(script(Reply()))
    call = simulator.call(GET, Policies())
    simulator.run()
    call.call.waiter.wake()
    simulator.run()
    assert simulator.trace[-1] == (0.0, "nudged", 0) and call.wakes == 0


def test_wake_ups_may_come_late() -> None:
    late = iter([0.5, 3.0])
    simulator = Simulator(script(Reply(503), Reply(503), Reply(200)), late=lambda: next(late))
    call = simulator.call(GET, Policies(retry=RETRY))
    assert simulator.run() == 1.5 + 5.0
    assert len(call.sends) == 3


@pytest.mark.parametrize(("ties", "served"), [("first", False), ("last", True), (iter([0.0, 2.0, 1.0]).__next__, True)])
def test_events_of_one_instant_come_in_either_order(ties: Ties, served: bool) -> None:
    simulator = Simulator(script(Reply(after=1.0)), ties=ties)
    call = simulator.call(GET, Policies(), cancel_at=1.0)  # planned before the answer is
    simulator.run()
    assert call.cancelled is not served


@pytest.mark.parametrize("stream", [False, True])
def test_the_loser_of_a_race_is_thrown_away(stream: bool) -> None:
    slow, fast = Recorded(after=5.0), Recorded(after=1.0)
    simulator = Simulator(script(slow, fast))
    call = simulator.call(GET, Policies(hedging=Hedge(1.0)), stream=stream)
    assert simulator.run() == 5.0  # the answer comes all the same, and changes nothing
    assert call.outcome is fast.heads[0] and call.ended_at == 2.0
    if stream:
        (loser,) = slow.heads
        assert isinstance(loser, HTTPResponse) and loser.body is not None and loser.body.discarded  # type: ignore[attr-defined]
        assert call.response.body is not None and not call.response.body.discarded  # type: ignore[attr-defined]


def test_no_more_sends_are_in_flight_than_the_driver_can_have() -> None:
    simulator = Simulator(script(Reply(after=5.0)), max_live=2)
    call = simulator.call(GET, Policies(hedging=Hedge(1.0, 2.0)))
    simulator.run()
    assert len(call.sends) == 2


def test_a_wait_without_end_breaks_the_contract() -> None:
    simulator = Simulator(script(Reply(after=5.0)))
    simulator.call(GET, Policies(hedging=Hedge(math.inf)))
    with pytest.raises(ContractError, match="wake_at is finite"):
        simulator.run()


TIES: list[Callable[[random.Random], Ties]] = [lambda _: "first", lambda _: "last", lambda dice: dice.random]


@pytest.mark.parametrize("make_ties", TIES)
def test_the_same_chance_gives_the_same_trace(make_ties: Callable[[random.Random], Ties]) -> None:
    def trace(seed: int) -> list[tuple[float, str, int]]:
        dice = random.Random(seed)
        server_dice = random.Random(seed + 1)
        policies = Policies(
            retry=RetryPolicy(), slots=Concurrency(3), limiter=TokenBucket(20.0, 5), rand=random.Random(seed + 2).random
        )
        simulator = Simulator(
            lambda _: Reply(server_dice.choice([200, 200, 503]), after=server_dice.randrange(10) / 10),
            ties=make_ties(dice),
            late=dice.random,
        )
        for index in range(30):
            simulator.call(GET, policies, at=index / 10, cancel_at=3.0 if index % 7 == 0 else None)
        simulator.run()
        assert all(call.closed for call in simulator.calls)
        return simulator.trace

    assert trace(1) == trace(1) != trace(2)


def test_a_server_that_time_passes_in():
    """What it answers may depend on what others do in the meantime."""
    order: list[str] = []

    def server(send: Send) -> Generator[float, None, Reply]:
        name = send.request.url[-1]
        yield {"a": 5.0, "b": 1.0}[name]
        order.append(name)
        yield 1.0
        return Reply(200, content=f"{len(order)}".encode(), after=0.5)

    simulator = Simulator(server)
    first, second = (simulator.call(HTTPRequest("GET", f"http://h/{name}"), Policies()) for name in "ab")
    simulator.run()
    assert order == ["b", "a"]
    assert (first.response.content, first.ended_at) == (b"2", 6.5)
    assert (second.response.content, second.ended_at) == (b"1", 2.5)


def test_such_a_server_goes_on_when_nobody_waits_any_more():
    done: list[float] = []

    def server(send: Send) -> Generator[float, None, Reply]:
        yield 10.0
        done.append(simulator.now)
        return Reply()

    simulator = Simulator(server)
    call = simulator.call(HTTPRequest("GET", "http://h/", timeout=2.0), Policies())
    simulator.run()
    assert isinstance(call.outcome, TotalTimeoutError) and call.ended_at == 2.0
    assert done == [10.0]


def test_such_a_server_may_be_in_time():
    def server(send: Send) -> Generator[float, None, Reply]:
        yield 1.0
        return Reply()

    simulator = Simulator(server)
    call = simulator.call(HTTPRequest("GET", "http://h/", timeout=2.0), Policies())
    simulator.run()
    assert call.response.is_success and call.ended_at == 1.0
