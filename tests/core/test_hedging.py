"""One more send beside a slow one: when, for whom, and who wins."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sansio_http import (
    AttemptTimeoutError,
    Bearer,
    Body,
    BodyEnded,
    Call,
    CertificateError,
    Circuit,
    CircuitState,
    Concurrency,
    ConfigurationError,
    ConnectError,
    ConnectionLostError,
    Ended,
    ExponentialBackoff,
    FixedHedging,
    Hedged,
    Hedging,
    HTTPRequest,
    HTTPResponse,
    PercentBudget,
    Policies,
    QuantileHedging,
    QuotaBudget,
    RedirectPolicy,
    RetryExhaustedError,
    RetryPolicy,
    Send,
    TokenBucket,
    Woke,
)
from sansio_http.testing import Reply, SimulatedCall, Simulator, script

GET = HTTPRequest("GET", "http://h/x")
RETRY = RetryPolicy(retries=1, backoff=ExponentialBackoff(base=2.0, jitter="none"))


class After(Hedging):
    """So many more sends, each so many seconds after the attempt's first."""

    def __init__(self, *seconds: float) -> None:
        self.seconds = seconds

    def next_at(self, first: float, extra: int) -> float | None:
        return first + self.seconds[extra] if extra < len(self.seconds) else None


AFTER_1 = After(1.0)


def run(
    *replies: Reply, request: HTTPRequest = GET, hedging: Hedging = AFTER_1, stream: bool = False, **policies: Any
) -> SimulatedCall:
    """One call, hedged after a second, against these replies in order of the sends."""
    simulator = Simulator(script(*replies))
    call = simulator.call(request, Policies(hedging=hedging, **policies), stream=stream)
    simulator.run()
    return call


def test_a_slow_send_gets_another_beside_it_and_the_first_answer_wins():
    call = run(Reply(200, content=b"slow", after=10), Reply(200, content=b"fast", after=0.5))
    assert call.response.content == b"fast" and call.ended_at == 1.5
    assert [send.attempt for send in call.sends] == [1, 1]
    assert [attempt.sends for attempt in call.response.attempts] == [2]


def test_the_first_send_may_still_win():
    call = run(Reply(200, content=b"first", after=1.5), Reply(200, content=b"second", after=10))
    assert call.response.content == b"first" and call.ended_at == 1.5


def test_a_fast_answer_is_not_hedged():
    assert len(run(Reply(200, after=0.9)).sends) == 1


def test_the_second_send_is_a_request_of_its_own():
    """Its own id, its own copy, its own credentials: so that one can be changed on its way and the other not."""
    first, second = run(Reply(after=10), Reply(), auth=Bearer("t")).sends
    assert first.id != second.id
    assert first.request is not second.request
    assert first.request.headers["Authorization"] == second.request.headers["Authorization"] == "Bearer t"


def test_the_policy_is_asked_for_as_many_as_it_likes():
    simulator = Simulator(script(Reply(after=10)), max_live=3)
    call = simulator.call(GET, Policies(hedging=After(1.0, 2.0)))
    simulator.run(until=1.5)
    assert len(call.sends) == 2
    simulator.run()
    assert len(call.sends) == 3 and call.ended_at == 10


def test_two_that_are_due_at_once_go_out_at_once():
    simulator = Simulator(script(Reply(after=10)), max_live=3, late=lambda: 2.0)
    call = simulator.call(GET, Policies(hedging=After(1.0, 2.0)))
    simulator.run(until=3.0)
    assert len(call.sends) == 3


# --- the driver's part -----------------------------------------------------------------------------------------------


def hedged(stream: bool = False, **policies: Any) -> tuple[Call, Send, Send]:
    """A call with two sends in flight since 0 and since 1."""
    call = Call(GET, Policies(hedging=After(1.0), **policies), max_live=2, stream=stream)
    step = call.start(0.0)
    (first,) = step.send
    assert step.wake_at == 1.0
    step = call.handle(Woke(), 1.0)
    (second,) = step.send
    assert step.wake_at is None and not step.abort
    assert isinstance(first, Send) and isinstance(second, Send)
    return call, first, second


def test_a_driver_with_one_send_at_a_time_is_refused():
    with pytest.raises(ConfigurationError, match=r"^Policies\.hedging: this driver has one send in flight at a time"):
        Call(GET, Policies(hedging=After(1.0)))


def test_no_more_sends_are_in_flight_than_the_driver_can_have():
    call = Call(GET, Policies(hedging=After(1.0, 2.0)), max_live=2)
    orders = [*call.start(0.0).send, *call.handle(Woke(), 1.0).send, *call.handle(Woke(), 2.0).send]
    assert len(orders) == 2


def test_the_loser_is_aborted_in_the_step_that_has_the_answer():
    call, first, second = hedged()
    step = call.handle(Ended(second.id, answer := HTTPResponse(200)), 1.5)
    assert step.done is answer
    assert step.abort == (first.id,)


def test_an_answer_of_the_loser_is_not_believed_any_more():
    call, first, second = hedged()
    answer = HTTPResponse(200)
    call.handle(Ended(second.id, answer), 1.5)
    step = call.handle(Ended(first.id, HTTPResponse(500)), 1.5)
    assert step.done is answer and not step.abort


def test_everything_that_the_loser_had_is_given_back():
    slots, circuit = Concurrency(5), Circuit()
    call, _, second = hedged(slots=slots, circuit=circuit)
    assert (slots.in_use, circuit.permits_out) == (2, 2)
    call.handle(Ended(second.id, HTTPResponse(200)), 1.5)
    assert (slots.in_use, circuit.permits_out) == (0, 0)


def test_the_loser_says_nothing_about_the_server():
    circuit = Circuit(failure_threshold=1)
    call, first, _ = hedged(circuit=circuit)
    call.handle(Ended(first.id, HTTPResponse(200)), 1.5)
    assert circuit.failures == 0 and circuit.state_at(1.5) is CircuitState.CLOSED


def test_closing_aborts_both():
    slots = Concurrency(5)
    call, first, second = hedged(slots=slots)
    assert sorted(call.close(2.0).abort) == [first.id, second.id]
    assert slots.in_use == 0


def test_a_hedge_that_is_asked_for_credentials_is_aborted_like_a_send():
    call = Call(GET, Policies(hedging=After(1.0), ask_auth=lambda request: request), max_live=2)
    (ask,) = call.start(0.0).send
    (first,) = call.handle(Ended(ask.id, None), 0.0).send
    (second_ask,) = call.handle(Woke(), 1.0).send
    step = call.handle(Ended(first.id, HTTPResponse(200)), 1.5)
    assert step.done is not None and step.abort == (second_ask.id,)


# --- for whom --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"])
def test_what_may_happen_twice_is_hedged(method):
    assert len(run(Reply(after=5), request=HTTPRequest(method, "http://h/")).sends) == 2


@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_what_may_not_is_not(method):
    assert len(run(Reply(after=5), request=HTTPRequest(method, "http://h/")).sends) == 1


@pytest.mark.parametrize(
    "vouched", [{"idempotent": True}, {"idempotency_key": "k"}, {"headers": {"Idempotency-Key": "k"}}]
)
def test_unless_the_caller_vouches_for_it(vouched):
    assert len(run(Reply(after=5), request=HTTPRequest("POST", "http://h/", **vouched)).sends) == 2


@pytest.mark.parametrize(("replay", "sends"), [("concurrent", 2), ("yes", 1), ("once", 1)])
def test_only_a_body_that_can_be_sent_twice_at_once_is(replay, sends):
    request = HTTPRequest("PUT", "http://h/", body=Body(object(), 3, replay))
    assert len(run(Reply(after=5), request=request).sends) == sends


# --- it never queues -------------------------------------------------------------------------------------------------


def test_it_is_skipped_where_the_limiter_would_have_it_wait():
    limiter = TokenBucket(rate=0.1, burst=1)
    call = run(Reply(after=5), limiter=limiter)
    assert len(call.sends) == 1 and call.ended_at == 5
    assert limiter.waiting == 0


def test_it_is_skipped_where_no_slot_is_free():
    slots = Concurrency(1)
    call = run(Reply(after=5), slots=slots)
    assert len(call.sends) == 1 and call.ended_at == 5
    assert (slots.in_use, slots.waiting) == (0, 0)


def test_what_it_took_of_the_one_is_given_back_for_the_lack_of_the_other():
    slots, limiter = Concurrency(1), TokenBucket(rate=0.001, burst=2)
    run(Reply(after=5), slots=slots, limiter=limiter)
    assert limiter.available(5.0) == pytest.approx(1.005)  # one was spent
    slots, limiter = Concurrency(2), TokenBucket(rate=0.001, burst=1)
    run(Reply(after=5), slots=slots, limiter=limiter)
    assert slots.in_use == 0


def test_it_does_not_overtake_who_waits():
    """Somebody waits for a slot; a slot that is free at that moment is not the hedge's."""
    slots = Concurrency(2)
    simulator = Simulator(script(Reply(after=5)))
    policies = Policies(slots=slots)
    simulator.call(GET, Policies(slots=slots, hedging=After(1.0)))
    simulator.call(GET, policies)
    waiting = simulator.call(GET, policies)
    simulator.run(until=1.0)
    assert (slots.in_use, slots.waiting) == (2, 1)
    simulator.run()
    assert waiting.ended_at == 10
    assert [len(call.sends) for call in simulator.calls] == [1, 1, 1]


def test_one_that_was_skipped_is_not_made_up_for():
    slots = Concurrency(2)
    simulator = Simulator(script(Reply(after=5)), max_live=3)
    simulator.call(GET, Policies(slots=slots), cancel_at=1.5)
    call = simulator.call(GET, Policies(slots=slots, hedging=After(1.0, 3.0)))
    simulator.run(until=2.0)
    assert len(call.sends) == 1
    simulator.run(until=3.0)
    assert len(call.sends) == 2


def test_it_is_no_probe():
    """While the circuit is HALF_OPEN only first sends go out."""
    circuit = Circuit(failure_threshold=1, recovery_timeout=1.0, half_open_permits=5)
    simulator = Simulator(script(Reply(500), Reply(after=5)))
    simulator.call(GET, Policies(circuit=circuit))
    probe = simulator.call(GET, Policies(circuit=circuit, hedging=After(1.0)), at=1.0)
    simulator.run()
    assert len(probe.sends) == 1 and probe.response.is_success


def test_it_goes_out_while_the_circuit_is_disabled():
    circuit = Circuit()
    circuit.disable()
    assert len(run(Reply(after=5), Reply(500), circuit=circuit).sends) == 2
    assert circuit.permits_out == 0


def test_it_is_skipped_while_the_circuit_is_open():
    circuit = Circuit(failure_threshold=1)
    simulator = Simulator(script(Reply(after=5), Reply(500)))
    call = simulator.call(GET, Policies(circuit=circuit, hedging=After(1.0)))
    simulator.call(GET, Policies(circuit=circuit), at=0.5)
    simulator.run()
    assert len(call.sends) == 1 and call.response.is_success


def test_where_hooks_are_asked_the_circuit_is_looked_at_before_them():
    asked: list[float] = []
    circuit = Circuit(failure_threshold=1)
    simulator = Simulator(script(Reply(after=5), Reply(500)))
    policies = Policies(circuit=circuit, hedging=After(1.0), ask_auth=lambda request: asked.append(simulator.now))
    simulator.call(GET, policies)
    simulator.call(GET, Policies(circuit=circuit), at=0.5)
    simulator.run()
    assert asked == [0.0]


def test_one_whose_credentials_cannot_be_written_is_skipped():
    class OnlyOnce:
        def __init__(self) -> None:
            self.times = 0

        def apply(self, request: HTTPRequest, now: float) -> None:
            self.times += 1
            if self.times > 1:
                raise ValueError("no more")

    call = run(Reply(after=5), auth=OnlyOnce())
    assert len(call.sends) == 1 and call.response.is_success


# --- failures --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("failure", [Reply(503, after=1), Reply(error=ConnectError, after=1)])
def test_a_failure_beside_a_send_in_flight_is_only_noted(failure):
    call = run(Reply(200, content=b"first", after=5), failure, retry=RETRY)
    assert call.response.content == b"first" and call.ended_at == 5
    assert [(attempt.sends, attempt.reason) for attempt in call.response.attempts] == [(2, None)]


def test_the_first_send_may_fail_and_its_hedge_win():
    call = run(Reply(503, after=2), Reply(200, content=b"second", after=5), retry=RETRY)
    assert call.response.content == b"second" and call.ended_at == 6


def test_an_answer_that_is_not_retried_wins_whatever_it_says():
    call = run(Reply(200, after=10), Reply(404, after=1), retry=RETRY)
    assert call.response.status_code == 404 and call.ended_at == 2


def test_retry_waits_start_when_none_is_in_flight():
    call = run(Reply(503, after=3), Reply(503, after=1.5), Reply(200), retry=RETRY)
    assert call.response.is_success and call.ended_at == 5  # both had failed at 3
    assert [send.attempt for send in call.sends] == [1, 1, 2]
    first, _ = call.response.attempts
    assert (first.sends, first.status_code, first.reason, first.delay, first.elapsed) == (2, 503, "status", 2.0, 3.0)


def test_no_hedge_is_sent_while_a_retry_waits():
    call = run(Reply(503), Reply(200, after=0.5), hedging=After(1.0), retry=RETRY)
    assert len(call.sends) == 2 and call.ended_at == 2.5


def test_each_attempt_is_hedged_anew():
    call = run(Reply(503, after=1.5), Reply(503, after=1), Reply(after=10), Reply(after=0.5), retry=RETRY)
    assert [send.attempt for send in call.sends] == [1, 1, 2, 2]
    assert call.ended_at == 2.0 + 2.0 + 1.0 + 0.5


def test_hedges_are_not_counted_as_attempts():
    call = run(Reply(503, after=2), retry=RETRY)
    assert isinstance(call.outcome, RetryExhaustedError) and call.outcome.reason == "attempts"
    assert [attempt.sends for attempt in call.outcome.attempts] == [2, 2]


def test_an_error_that_is_not_retried_waits_for_the_other_send_too():
    call = run(Reply(200, after=5), Reply(error=CertificateError, after=1), retry=RETRY)
    assert call.response.is_success and call.ended_at == 5


def test_where_all_fail_the_last_failure_decides():
    call = run(Reply(503, after=5), Reply(error=CertificateError, after=1), Reply(200), retry=RETRY)
    assert call.response.is_success and call.ended_at == 5 + 2
    call = run(Reply(503, after=2), Reply(error=CertificateError, after=4), Reply(200), retry=RETRY)
    assert isinstance(call.outcome, CertificateError) and call.ended_at == 5


@pytest.mark.parametrize("timeout", [None, 22.5])
def test_a_wait_that_either_answer_asked_for_is_kept_from_when_it_was_asked_for(timeout):
    """At 2 the server asked for 20 s, at 3 the other send failed: not sooner than 22, and not after the deadline."""
    call = run(
        Reply(429, {"Retry-After": "20"}, after=2),
        Reply(error=ConnectionLostError, after=2),
        Reply(200),
        request=HTTPRequest("GET", "http://h/", timeout=timeout),
        retry=RETRY,
    )
    assert call.response.is_success and call.ended_at == 22


def test_without_a_retry_policy_the_first_answer_wins_and_errors_wait():
    call = run(Reply(error=ConnectError, after=3), Reply(500, after=5))
    assert call.response.status_code == 500 and call.ended_at == 6
    call = run(Reply(error=ConnectError, after=3), Reply(error=ConnectionLostError, after=5))
    assert isinstance(call.outcome, ConnectionLostError) and call.ended_at == 6


def test_a_mistake_ends_the_call_at_once():
    call = run(Reply(after=5), Reply(error=lambda send: ValueError("a bug of the transport's"), after=1))
    assert isinstance(call.outcome, ValueError) and call.ended_at == 2


def test_both_sends_of_an_attempt_share_its_time():
    call = run(Reply(after=10), attempt_timeout=3.0)
    assert [send.deadline for send in call.sends] == [3.0, 3.0]
    assert isinstance(call.outcome, AttemptTimeoutError) and call.ended_at == 3.0


def test_the_calls_deadline_is_that_of_every_send():
    call = run(Reply(after=10), request=HTTPRequest("GET", "http://h/", timeout=3.0))
    assert [send.deadline for send in call.sends] == [3.0, 3.0]
    assert call.ended_at == 3.0


def test_a_redirect_of_the_hedge_that_would_have_to_wait_ends_the_hedge():
    """Its second send finds no token: it is given up, and the first send goes on."""
    limiter = TokenBucket(rate=0.01, burst=2)
    call = run(
        Reply(200, content=b"first", after=5),
        Reply(302, {"Location": "/y"}, after=1),
        limiter=limiter,
        redirects=RedirectPolicy(),
    )
    assert call.response.content == b"first" and call.ended_at == 5
    assert len(call.sends) == 2 and limiter.waiting == 0


def test_while_it_is_due_before_something_else_it_is_what_the_driver_wakes_for():
    """The first send was redirected, and waits for a token until 10; the hedge is due at 1, and skipped."""
    policies = Policies(hedging=After(1.0), limiter=TokenBucket(rate=0.1, burst=1), redirects=RedirectPolicy())
    call = Call(GET, policies, max_live=2)
    (send,) = call.start(0.0).send
    assert call.handle(Ended(send.id, HTTPResponse(302, {"Location": "/y"})), 0.5).wake_at == 1.0
    step = call.handle(Woke(), 1.0)
    assert not step.send and step.wake_at == 10.0


def test_an_attempt_that_was_answered_is_not_hedged_while_a_hook_looks_at_the_answer():
    class Slow:
        def process_request(self, request: HTTPRequest) -> None: ...
        def process_response(self, response: HTTPResponse, request: HTTPRequest) -> None: ...

    call = Call(GET, Policies(hedging=After(1.0), hooks=(Slow(),)), max_live=2)
    (ask,) = call.start(0.0).send
    (send,) = call.handle(Ended(ask.id, None), 0.0).send
    (looks,) = call.handle(Ended(send.id, HTTPResponse(200)), 0.5).send
    assert not call.handle(Woke(), 1.0).send
    assert call.handle(Ended(looks.id, None), 2.0).done is not None


# --- streams ---------------------------------------------------------------------------------------------------------


def test_of_streams_the_winner_is_chosen_on_the_head():
    call = run(
        Reply(chunks=[(1.0, b"slow")], after=3), Reply(chunks=[(5.0, b"late"), (5.0, b"r")], after=1), stream=True
    )
    assert call.ended_at == 2  # at its head
    assert call.content == b"later"


def test_the_slot_of_the_winner_is_kept_and_that_of_the_loser_freed():
    class Opened:
        def discard(self) -> None: ...

    slots = Concurrency(5)
    call, first, second = hedged(slots=slots, stream=True)
    step = call.handle(Ended(second.id, HTTPResponse(200, body=Opened())), 1.5)
    assert step.abort == (first.id,)
    assert slots.in_use == 1
    call.handle(BodyEnded(second.id), 2.0)
    assert slots.in_use == 0


@pytest.mark.parametrize("ties", ["first", "last"])
def test_of_two_heads_at_one_instant_one_wins_and_the_other_is_thrown_away(ties):
    simulator = Simulator(script(Reply(after=2, chunks=[(1, b"a")]), Reply(after=1, chunks=[(1, b"b")])), ties=ties)
    slots = Concurrency(5)
    call = simulator.call(GET, Policies(hedging=After(1.0), slots=slots), stream=True)
    simulator.run()
    first, second = call.sends
    assert call.response.request is (first if ties == "first" else second).request
    assert slots.in_use == 0


# --- the policy's own fault ------------------------------------------------------------------------------------------


def test_a_policy_of_a_function_will_do():
    """The protocol asks for two methods; nothing has to be inherited, and what is missing is said at once."""

    class Half:
        next_at: Callable[[float, int], float | None]

    class Duck(Half):
        def observe(self, seconds: float, now: float) -> None: ...

    with pytest.raises(ConfigurationError, match=r"Policies\.hedging: it has no method `observe`"):
        Policies(hedging=Half())

    duck = Duck()
    duck.next_at = lambda first, extra: None
    assert len(run(Reply(after=5), hedging=duck).sends) == 1


# --- who pays --------------------------------------------------------------------------------------------------------


def test_a_hedge_spends_budget_and_a_success_gives_it_back():
    budget = QuotaBudget(100)
    simulator = Simulator(script(Reply(after=10), Reply(after=5)))
    simulator.call(GET, Policies(hedging=AFTER_1, retry_budget=budget))
    simulator.run(until=2.0)
    assert (budget.tokens, budget.retries) == (86, 1)
    simulator.run()
    assert budget.tokens == 100


def test_a_hedge_that_the_budget_does_not_reach_for_is_skipped():
    budget = QuotaBudget(0)
    call = run(Reply(after=10), retry_budget=budget)
    assert len(call.sends) == 1 and call.ended_at == 10
    assert [note for note in call.notes if isinstance(note, Hedged)] == [
        Hedged(1.0, 1, "GET", "http://h/x", 1.0, "budget")
    ]


def test_a_hedge_that_found_no_place_costs_nothing():
    budget = QuotaBudget(100)
    call = run(Reply(after=10), retry_budget=budget, slots=Concurrency(1))
    assert len(call.sends) == 1 and (budget.tokens, budget.retries) == (100, 0)
    assert [note.skipped for note in call.notes if isinstance(note, Hedged)] == ["limiter"]
    assert [note.skipped for note in run(Reply(after=10), slots=Concurrency(1)).notes if isinstance(note, Hedged)] == [
        "limiter"
    ]


def test_a_hedge_beside_an_open_circuit_is_skipped_and_told():
    circuit = Circuit(failure_threshold=1)
    simulator = Simulator(script(Reply(after=10), Reply(500)))
    call = simulator.call(GET, Policies(hedging=AFTER_1, circuit=circuit))
    simulator.call(GET, Policies(circuit=circuit), at=0.5)
    simulator.run()
    assert [note.skipped for note in call.notes if isinstance(note, Hedged)] == ["circuit_open"]


def test_hedges_are_told():
    call = run(Reply(after=10), Reply(after=5))
    assert [note for note in call.notes if isinstance(note, Hedged)] == [Hedged(1.0, 1, "GET", "http://h/x", 1.0, None)]


def test_two_sends_that_fail_are_one_retry():
    budget = QuotaBudget(100)
    call = run(Reply(503, after=3), Reply(503, after=3), Reply(200), retry=RETRY, retry_budget=budget)
    assert call.response.is_success
    assert budget.retries == 2 and budget.tokens == 86  # the hedge's cost was not the last


def test_a_call_with_a_hedge_that_failed_counts_once():
    budget = PercentBudget(1.0, floor=0)
    run(Reply(503, after=3), Reply(503, after=3), retry=RetryPolicy(0, RETRY.backoff), retry_budget=budget)
    assert "on 0 calls" in budget.describe()
    budget.succeeded(None, 0.0)
    budget.succeeded(None, 0.0)
    run(Reply(503, after=3), Reply(503, after=3), Reply(200), retry=RETRY, retry_budget=budget)
    assert "2 retries were spent on 3 calls" in budget.describe()


# --- when: the policies ----------------------------------------------------------------------------------------------


def test_a_fixed_delay():
    hedging = FixedHedging(0.5, extra=2)
    assert [hedging.next_at(10.0, extra) for extra in range(4)] == [10.5, 11.0, None, None]
    hedging.observe(9.0, 0.0)
    assert hedging == FixedHedging(0.5, 2)


def test_a_quantile_of_the_last_answers():
    hedging = QuantileHedging(0.9, minimum=10, recent=10)
    for latency in range(1, 10):
        hedging.observe(float(latency), 0.0)
        assert hedging.delay is None and hedging.next_at(0.0, 0) is None
    hedging.observe(10.0, 0.0)
    assert hedging.delay == 9.0
    assert [hedging.next_at(100.0, extra) for extra in range(2)] == [109.0, None]


def test_old_answers_are_forgotten():
    hedging = QuantileHedging(0.5, minimum=2, recent=4, extra=2)
    for latency in (9.0, 9.0, 1.0, 2.0, 3.0, 4.0):
        hedging.observe(latency, 0.0)
    assert hedging.delay == 2.0
    assert [hedging.next_at(0.0, extra) for extra in range(3)] == [2.0, 4.0, None]


def test_no_sooner_than_so_many_seconds():
    hedging = QuantileHedging(0.5, minimum=1, at_least=0.25)
    hedging.observe(0.001, 0.0)
    assert hedging.delay == 0.25


@given(st.lists(st.floats(0, 100), min_size=1, max_size=80), st.floats(0.01, 0.99), st.integers(1, 30))
def test_it_is_the_quantile_of_the_recent_ones(latencies, quantile, recent):
    """Against the definition: the least of the recent ones that so many of them do not exceed."""
    hedging = QuantileHedging(quantile, minimum=1, recent=recent)
    for latency in latencies:
        hedging.observe(latency, 0.0)
    last = latencies[-recent:]
    assert hedging.delay == min(
        each for each in last if sum(other <= each for other in last) >= quantile * len(last) - 1e-9
    )


def test_calls_teach_it():
    hedging = QuantileHedging(0.95, minimum=5)
    simulator = Simulator(script(*(Reply(after=1.0) for _ in range(5)), Reply(after=60.0), Reply(after=0.5)))
    for number in range(5):
        simulator.call(GET, Policies(hedging=hedging), at=10.0 * number)
    simulator.run()
    assert hedging.delay == 1.0
    call = simulator.call(GET, Policies(hedging=hedging))
    began = simulator.now
    simulator.run()
    assert call.ended_at == began + 1.5
    hedging.observe(1.0, 0.0)
    assert sorted(hedging._ordered)[-1] == 1.5  # the hedged one counts from its first send


def test_failures_do_not_teach_it():
    hedging = QuantileHedging(minimum=1)
    run(Reply(error=ConnectError, after=0.5), hedging=hedging)
    run(Reply(503, after=0.5), hedging=hedging, retry=RETRY)
    assert hedging.delay is None


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: FixedHedging(0), r"^FixedHedging\.delay: 0 is not allowed; it is seconds above 0"),
        (lambda: FixedHedging("1"), r"^FixedHedging\.delay: '1' is not allowed"),  # type: ignore[arg-type]
        (lambda: FixedHedging(1, extra=0), r"^FixedHedging\.extra: 0 is not allowed; it is 1 to 7"),
        (lambda: FixedHedging(1, extra=8), r"^FixedHedging\.extra: 8 is not allowed"),
        (lambda: FixedHedging(1, extra=True), r"^FixedHedging\.extra: True is not allowed"),
        (lambda: QuantileHedging(95), r"^QuantileHedging\.quantile: 95 is not allowed; it is above 0 and below 1"),
        (lambda: QuantileHedging(1.0), r"^QuantileHedging\.quantile: 1.0 is not allowed"),
        (lambda: QuantileHedging(extra=9), r"^QuantileHedging\.extra: 9 is not allowed"),
        (lambda: QuantileHedging(at_least=-1), r"^QuantileHedging\.at_least: -1 is not allowed; it is seconds"),
        (lambda: QuantileHedging(recent=0), r"^QuantileHedging\.recent: 0 is not allowed; it is 1 or more"),
        (lambda: QuantileHedging(recent=5), r"^QuantileHedging\.minimum: 20 is not allowed; it is 1 to recent \(5\)"),
    ],
)
def test_what_is_out_of_range(make, message):
    with pytest.raises(ConfigurationError, match=message):
        make()
