"""Several limiters in a row, as a call meets them: all or none, in order, and nothing left behind."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sansio_http import (
    AIMD,
    Call,
    Circuit,
    CircuitState,
    Combined,
    Concurrency,
    ConfigurationError,
    ConnectError,
    Ended,
    ExponentialBackoff,
    Hedging,
    HTTPRequest,
    HTTPResponse,
    Keyed,
    Limiter,
    Permit,
    Policies,
    RateLimitError,
    Rebased,
    Rejected,
    RetryPolicy,
    ServerQuota,
    SlidingWindow,
    Throttle,
    TokenBucket,
    Woke,
)
from sansio_http.testing import Reply, SimulatedCall, Simulator, script

GET = HTTPRequest("GET", "http://h/x")


def several(count: int, reply: Reply, limiters: list[Any], **policies: Any) -> list[SimulatedCall]:
    """So many calls at 0 by these limiters, run to their end."""
    simulator, bundle = Simulator(script(reply)), Policies(limiter=limiters, **policies)
    calls = [simulator.call(GET, bundle) for _ in range(count)]
    simulator.run()
    return calls


def test_a_send_passes_all_of_them():
    bucket, window, bulkhead = TokenBucket(10, 1), SlidingWindow(3, 10.0), Concurrency(2)
    calls = several(4, Reply(after=0.25), [window, bucket, bulkhead])
    assert [call.ended_at for call in calls] == pytest.approx([0.25, 0.35, 0.5, 10.25])
    assert bulkhead.in_use == bulkhead.waiting == bucket.waiting == window.waiting == 0


def test_while_one_holds_back_nothing_is_taken_of_the_others():
    bulkhead, bucket = Concurrency(2), TokenBucket(0.001, 1)
    simulator = Simulator(script(Reply(after=100.0)))
    for _ in range(3):
        simulator.call(GET, Policies(limiter=[bulkhead, bucket]))
    simulator.run(until=0.5)
    assert (bulkhead.in_use, bucket.waiting) == (1, 1)  # one is out; of those who wait only the head is in both lines


def test_one_that_is_there_twice_is_asked_once():
    bucket = TokenBucket(1, 2)
    (call,) = several(1, Reply(), [bucket, bucket])
    assert call.response.is_success and bucket.available(0.0) == 1


def test_each_is_of_the_requests_key():
    """All of the API, and each of its tenants."""
    tenants: Keyed[str | None, Limiter] = Keyed(lambda: TokenBucket(0.01, 2), lambda r: r.headers.get("X-Tenant"))
    everybody = TokenBucket(0.01, 3)
    simulator, policies = Simulator(script(Reply())), Policies(limiter=(tenants, everybody))
    for tenant in "aaabbb":
        simulator.call(HTTPRequest("GET", "http://h/", {"X-Tenant": tenant}, timeout=1.0), policies)
    simulator.run()
    kinds = [type(call.outcome) for call in simulator.calls]
    assert kinds == [HTTPResponse, HTTPResponse, RateLimitError, HTTPResponse, RateLimitError, RateLimitError]
    assert everybody.waiting == 0


@pytest.mark.parametrize("limiters", [[TokenBucket(0.01, 1), Concurrency(5)], [Concurrency(5), TokenBucket(0.01, 1)]])
def test_a_wait_that_is_too_long_for_any_of_them_is_not_begun(limiters):
    simulator = Simulator(script(Reply()))
    calls = [simulator.call(HTTPRequest("GET", "http://h/", timeout=9.0), Policies(limiter=limiters)) for _ in range(2)]
    simulator.run()
    error = calls[1].outcome
    assert isinstance(error, RateLimitError) and error.local and error.retry_after == 100.0
    assert calls[1].ended_at == 0.0
    assert all(limiter.waiting == 0 for limiter in limiters)


def test_who_is_rejected_by_the_last_leaves_the_others_as_they_were():
    bucket, bulkhead = TokenBucket(0.001, 10), Concurrency(10)
    throttle = Throttle(lambda: 0.0)
    slot = throttle.take(0.0)
    assert slot is not None
    (call,) = several(1, Reply(), [bucket, bulkhead, throttle])
    assert isinstance(call.outcome, RateLimitError) and not call.sends
    assert str(call.outcome).startswith(
        "the client's own rate limiter rejects this request: the server accepted 0 of the"
    )
    assert (bucket.available(0.0), bulkhead.in_use, bulkhead.waiting) == (10, 0, 0)
    assert throttle.rejected == 1


def test_who_is_rejected_after_a_wait_rolled_the_dice_once():
    dice = iter([0.9, 0.0])
    throttle, busy = Throttle(lambda: next(dice)), Concurrency(1)
    throttle.take(0.0)
    simulator = Simulator(script(Reply()))
    slot = busy.take(0.0)
    assert slot is not None
    call = simulator.call(GET, Policies(limiter=[busy, throttle], slots=Concurrency(1)))
    simulator.run(until=0.5)
    busy.release(slot, "ok", 0.5)
    simulator.run()
    assert isinstance(call.outcome, RateLimitError) and call.ended_at == 1.0
    assert (throttle.rejected, busy.in_use, busy.waiting) == (1, 0, 0)


def test_who_is_rejected_while_every_slot_is_taken_rolled_the_dice_once():
    dice = iter([0.9, 0.0])
    throttle, slots = Throttle(lambda: next(dice)), Concurrency(1)
    throttle.take(0.0)
    assert slots.take(0.0) is not None
    simulator = Simulator(script(Reply()))
    call = simulator.call(GET, Policies(limiter=[TokenBucket(10, 10), throttle], slots=slots))
    simulator.run()
    assert isinstance(call.outcome, RateLimitError) and call.ended_at == 0.0
    assert (throttle.rejected, slots.in_use, slots.waiting) == (1, 1, 0)


def test_who_loses_its_turn_in_the_first_line_leaves_the_others():
    bucket, busy = TokenBucket(0.5, 1), Concurrency(1)
    slot = busy.take(0.0)
    assert slot is not None
    call = Call(GET, Policies(limiter=[bucket, busy]))
    assert call.start(0.0).wake_at == 1.0 and busy.waiting == 1
    assert Call(GET, Policies(limiter=bucket)).start(1.5).send  # passes a head that is late
    assert call.handle(Woke(), 1.5).wake_at == 3.5 and busy.waiting == 0
    busy.release(slot, "ok", 2.0)
    assert call.handle(Woke(), 3.5).send and busy.in_use == 1


class Fickle(Circuit):
    """It would admit, when it is looked at; and does not, when it is asked."""

    def admit(self, now: float, lease: float | None = None) -> Permit | Rejected:
        return Rejected(CircuitState.HALF_OPEN, None, None)


@pytest.mark.parametrize("queued", [False, True])
def test_a_permit_that_is_refused_undoes_the_claim_of_each(queued):
    bucket, bulkhead, learns = TokenBucket(0.5, 1), Concurrency(1), AIMD()
    if queued:
        bucket.take(0.0)
    calls = several(1, Reply(), [bucket, bulkhead, learns], circuit=Fickle())
    assert calls[0].outcome is not None and not calls[0].sends
    assert bucket.available(2.0) == 1
    assert bulkhead.in_use == learns.in_use == 0


@pytest.mark.parametrize("limiter", [AIMD(), [AIMD(), TokenBucket(1, 1)], Combined(TokenBucket(1, 1), AIMD())])
def test_or_of_the_only_one_that_holds(limiter):
    calls = several(1, Reply(), limiter, circuit=Fickle()) if isinstance(limiter, list) else []
    if not calls:
        simulator = Simulator(script(Reply()))
        calls = [simulator.call(GET, Policies(limiter=limiter, circuit=Fickle()))]
        simulator.run()
    assert not calls[0].sends
    learns = (
        limiter
        if isinstance(limiter, AIMD)
        else next(each for each in (limiter if isinstance(limiter, list) else limiter.limits) if isinstance(each, AIMD))
    )
    assert learns.in_use == 0


def test_two_that_have_a_part_in_common_are_a_mistake():
    part = TokenBucket(1, 1)
    one, two = (Combined(part, Concurrency(5)) for _ in range(2))
    part.put_back(0.0)
    simulator = Simulator(script(Reply()))
    policies = Policies(limiter=[one, two])
    calls = [simulator.call(GET, policies) for _ in range(2)]
    simulator.run(until=20.0)
    assert isinstance(calls[-1].outcome, ConfigurationError)
    assert str(calls[-1].outcome) == "Policies.limiter: two of the limiters have a part in common"
    assert one.waiting == two.waiting == 0


def test_another_clock_is_noted_once_for_all():
    bucket = TokenBucket(1, 5)
    bucket.take(1000.0)
    simulator = Simulator(script(Reply()))
    call = simulator.call(GET, Policies(limiter=[bucket, Concurrency(1)]))
    simulator.run()
    (note,) = [note for note in call.notes if isinstance(note, Rebased)]
    assert (
        note.policy == "<Series of <TokenBucket 1/s, burst 5, 0 waiting>, <Concurrency 0 of 1 in use, 0 waiting>>"
        or ("<Series of <TokenBucket" in note.policy)
    )


class Hedge(Hedging):
    def next_at(self, first: float, extra: int) -> float | None:
        return first + 0.25 if extra < 1 else None


@given(data=st.data())
def test_when_all_is_over_nothing_is_held_and_the_next_call_gets_through(data):
    """Any calls, answers and callers that go away, in steps of a quarter, so that it ties; any limiters in a row."""
    ticks = st.integers(0, 12).map(lambda tick: tick / 4)
    dice = random.Random(data.draw(st.integers(0, 2**32)))
    parts: dict[str, Any] = {
        "bulkhead": Concurrency(2),
        "bucket": TokenBucket(rate=2.0, burst=2),
        "learns": AIMD(timeout=0.5, min_limit=1, initial=2),
        "both": Combined(SlidingWindow(3, 1.0), Concurrency(2), ServerQuota(longest=1.0)),
        "throttle": Throttle(lambda: 0.99, window=2.0),
    }
    order = data.draw(st.permutations(list(parts)))
    slots, circuit = Concurrency(3), Circuit(failure_threshold=5, recovery_timeout=1.0)
    limiters = [parts[name] for name in order[: data.draw(st.integers(1, 5))]]
    bundle = Policies(
        limiter=limiters if data.draw(st.booleans()) or len(limiters) > 1 else limiters[0],
        slots=slots,
        circuit=circuit,
        retry=RetryPolicy(retries=1, backoff=ExponentialBackoff(base=0.5, jitter="none")),
        hedging=data.draw(st.sampled_from([None, Hedge()])),
    )
    reply = st.builds(
        Reply,
        st.sampled_from([200, 200, 429, 503]),
        st.just({"Retry-After": "1"}),
        after=ticks,
        chunks=st.lists(st.tuples(ticks, st.just(b"x")), max_size=2),
        error=st.sampled_from([None, None, None, ConnectError]),
    )
    replies = data.draw(st.lists(reply, min_size=1, max_size=8))
    simulator = Simulator(script(*replies), ties=dice.random, late=lambda: dice.choice([0.0, 0.0, 0.25, 2.0]))
    for _ in range(data.draw(st.integers(1, 8))):
        simulator.call(
            HTTPRequest("GET", "http://h/x", timeout=data.draw(st.sampled_from([None, 0.5, 2.0, 10.0]))),
            bundle,
            at=data.draw(ticks),
            stream=data.draw(st.booleans()),
            cancel_at=data.draw(st.none() | ticks),
        )
    simulator.run()
    assert all(call.outcome is not None or call.cancelled for call in simulator.calls)
    assert slots.in_use == slots.waiting == circuit.permits_out == 0
    assert all(limiter.waiting == 0 for limiter in parts.values())
    held = [parts["bulkhead"], parts["learns"], parts["both"].limits[1]]
    assert all(limiter.in_use == 0 for limiter in held)
    healthy = Simulator(script(Reply(200)), now=simulator.now + 600.0)
    after = healthy.call(GET, bundle)
    healthy.run(until=healthy.now)
    assert after.response.is_success


def test_ended_calls_leave_a_stream_its_place():
    bulkhead, learns = Concurrency(1), AIMD(timeout=1.0, min_limit=1, initial=4)
    simulator = Simulator(script(Reply(200, after=0.5, chunks=[(5.0, b"x")]), Reply(200)))
    policies = Policies(limiter=[TokenBucket(100, 10), bulkhead, learns])  # the first of which holds nothing
    stream = simulator.call(GET, policies, stream=True)
    other = simulator.call(GET, policies, at=1.0)
    simulator.run(until=2.0)
    assert (stream.response.is_success, bulkhead.in_use, learns.in_use) == (True, 1, 1)
    simulator.run()
    assert other.ended_at == 5.5
    assert learns.limit == 4  # the stream's head came in time: its reader may take its own


def test_a_lone_limit_of_concurrency_is_held_by_a_stream_too():
    bulkhead = Concurrency(1)
    call = Call(GET, Policies(limiter=bulkhead), stream=True)
    (send,) = call.start(0.0).send
    response = HTTPResponse(200)
    response.body = Body()
    call.handle(Ended(send.id, response), 1.0)
    assert bulkhead.in_use == 1
    call.close(2.0)
    assert bulkhead.in_use == 0


class Body:
    def discard(self) -> None: ...
