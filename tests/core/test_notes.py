"""What a listener hears: each decision, when it was made and why; and never a secret."""

from __future__ import annotations

from typing import Any

from sansio_http import (
    APIKey,
    Bearer,
    Body,
    BodyRead,
    Call,
    CallEnded,
    Circuit,
    CircuitChanged,
    Concurrency,
    ConnectionLostError,
    Ended,
    ExponentialBackoff,
    HTTPRequest,
    HTTPResponse,
    Keyed,
    Note,
    Policies,
    Rebased,
    Redirected,
    RedirectPolicy,
    Resent,
    ResponseBodyError,
    Retrying,
    RetryPolicy,
    Send,
    SendEnded,
    Stopped,
    TokenBucket,
    Waited,
    Woke,
)
from sansio_http.testing import Reply, SimulatedCall, Simulator, script

SECRET = "s3cr3t"
GET = HTTPRequest("GET", "http://h/x?page=1")
STEADY = ExponentialBackoff(base=2.0, jitter="none")
SHOWN = "http://h/x?page=***"
WHERE = "GET", SHOWN


def run(
    *replies: Reply, request: HTTPRequest = GET, stream: bool = False, at: float = 0.0, **policies: Any
) -> SimulatedCall:
    simulator = Simulator(script(*replies), now=at)
    call = simulator.call(request, Policies(**policies), stream=stream)
    simulator.run()
    return call


def of(kind: type[Any], notes: list[Note]) -> list[Any]:
    return [note for note in notes if isinstance(note, kind)]


def test_a_call_that_succeeds_at_once_has_two():
    call = run(Reply(200, content=b"hello", after=0.5), at=100.0)
    assert call.notes == [
        SendEnded(100.5, 1, *WHERE, 200, None, 0.5, 5),
        CallEnded(100.5, *WHERE, 1, 0.5, 200, None),
    ]


def test_a_send_that_fails_is_told_in_one_line():
    call = run(Reply(error=ConnectionLostError, after=0.5))
    message = f"ConnectionLostError: scripted (GET {SHOWN})"
    assert call.notes == [
        SendEnded(0.5, 1, *WHERE, None, message, 0.5, 0),
        Stopped(0.5, 1, *WHERE, "not_retryable"),
        CallEnded(0.5, *WHERE, 1, 0.5, None, message),
    ]


def test_a_retry_is_told_with_its_wait_and_why():
    call = run(Reply(503), Reply(429, {"Retry-After": "7"}), Reply(200), retry=RetryPolicy(backoff=STEADY))
    assert of(Retrying, call.notes) == [
        Retrying(0.0, 1, *WHERE, "status", 2.0),
        Retrying(2.0, 2, *WHERE, "retry_after", 7.0),
    ]
    assert [note.attempt for note in of(SendEnded, call.notes)] == [1, 2, 3]
    assert of(CallEnded, call.notes)[0].attempts == 3


def test_giving_up_is_told_with_the_reason():
    call = run(Reply(503), retry=RetryPolicy(1, STEADY))
    assert of(Stopped, call.notes) == [Stopped(2.0, 2, *WHERE, "attempts")]
    message = f"RetryExhaustedError: GET {SHOWN}: gave up after 2 attempts (attempts); last: 503 Service Unavailable"
    assert call.notes[-1] == CallEnded(2.0, *WHERE, 2, 2.0, None, message)


def test_an_answer_that_is_returned_though_it_could_have_been_retried_is_told_too():
    call = run(Reply(503), retry=RetryPolicy(1, STEADY, on_exhausted="return"))
    assert of(Stopped, call.notes) == [Stopped(2.0, 2, *WHERE, "attempts")]
    assert call.notes[-1] == CallEnded(2.0, *WHERE, 2, 2.0, 503, None)


def test_a_wait_for_a_token_is_told_when_it_is_over():
    limiter = TokenBucket(rate=0.5, burst=1)
    simulator = Simulator(script(Reply()))
    calls = [simulator.call(GET, Policies(limiter=limiter)) for _ in range(2)]
    simulator.run()
    assert [of(Waited, call.notes) for call in calls] == [[], [Waited(2.0, 1, *WHERE, 2.0)]]


def test_a_wait_for_a_slot_is_told_when_it_is_over():
    slots = Concurrency(1)
    simulator = Simulator(script(Reply(after=0.25)))
    calls = [simulator.call(GET, Policies(slots=slots)) for _ in range(2)]
    simulator.run()
    assert [of(Waited, call.notes) for call in calls] == [[], [Waited(0.25, 1, *WHERE, 0.25)]]


def test_the_circuit_is_told_through_all_its_states():
    circuit = Circuit(failure_threshold=1, recovery_timeout=5.0)
    simulator = Simulator(script(Reply(500), Reply(200)))
    policies = Policies(circuit=circuit)
    opens, refused, probes = (simulator.call(GET, policies, at=at) for at in (0.0, 1.0, 6.0))
    simulator.run()
    assert of(CircuitChanged, opens.notes) == [CircuitChanged(0.0, "CLOSED", "OPEN")]
    assert of(CircuitChanged, refused.notes) == []
    assert of(CircuitChanged, probes.notes) == [
        CircuitChanged(6.0, "OPEN", "HALF_OPEN"),
        CircuitChanged(6.0, "HALF_OPEN", "CLOSED"),
    ]


def test_a_lost_probe_is_told_by_who_finds_out():
    circuit = Circuit(failure_threshold=1, recovery_timeout=5.0, lease=10.0)
    simulator = Simulator(script(Reply(500), Reply(200, after=1000.0), Reply(200)))
    policies = Policies(circuit=circuit)
    simulator.call(GET, policies)
    simulator.call(GET, policies, at=5.0)
    found = simulator.call(GET, policies, at=41.0)  # the lease of a send without a deadline is 35 s
    simulator.run()
    assert of(CircuitChanged, found.notes) == [CircuitChanged(41.0, "HALF_OPEN", "OPEN")]


def test_a_change_that_is_found_out_by_giving_a_permit_back_is_told():
    """Of two probes out, one lease has ended when the other's call is closed: that is when the circuit opens again."""
    circuit = Circuit(failure_threshold=1, recovery_timeout=5.0, half_open_permits=2)
    simulator = Simulator(script(Reply(500), Reply(after=1000.0)))
    simulator.call(GET, Policies(circuit=circuit))
    simulator.call(GET, Policies(circuit=circuit), at=5.0)
    late = simulator.call(GET, Policies(circuit=circuit), at=6.0, cancel_at=42.0)
    simulator.run(until=43.0)
    assert of(CircuitChanged, late.notes) == [CircuitChanged(42.0, "HALF_OPEN", "OPEN")]


def test_a_redirect_is_told():
    call = run(Reply(302, {"Location": f"http://h/y?key={SECRET}"}, after=0.5), Reply(200), redirects=RedirectPolicy())
    (note,) = of(Redirected, call.notes)
    assert (note.attempt, note.method, note.url) == (1, *WHERE)
    assert (note.status_code, note.to) == (302, "http://h/y?key=***")
    assert [sent.url for sent in of(SendEnded, call.notes)] == [SHOWN, "http://h/y?key=***"]


def dead(send: Send) -> BaseException:
    """The server had closed the kept connection that the request went out on."""
    send.progress.reused = True
    return send.error(ConnectionLostError, "closed")


def test_a_request_that_goes_out_again_for_a_dead_connection_is_told():
    call = run(Reply(error=dead, after=0.5), Reply(200))
    assert [type(note) for note in call.notes] == [SendEnded, Resent, SendEnded, CallEnded]
    assert of(Resent, call.notes) == [Resent(0.5, 1, *WHERE)]


def test_a_redirect_is_dated_when_it_was_followed():
    call = run(Reply(302, {"Location": "/y"}, after=0.5), Reply(200), redirects=RedirectPolicy())
    (note,) = of(Redirected, call.notes)
    assert note.at == 0.5


def test_a_body_that_was_read_is_told_with_its_size():
    call = run(Reply(200, after=0.5, chunks=[(1.0, b"hel"), (1.0, b"lo")]), stream=True)
    assert call.notes == [
        SendEnded(0.5, 1, *WHERE, 200, None, 0.5, 0),
        CallEnded(0.5, *WHERE, 1, 0.5, 200, None),
        BodyRead(2.5, 1, *WHERE, 5, None),
    ]


def test_a_body_that_failed_is_told_with_the_error():
    call = run(Reply(200, chunks=[(1.0, b"hel")], fails=ResponseBodyError), stream=True)
    assert call.notes[-1] == BodyRead(1.0, 1, *WHERE, 3, f"ResponseBodyError: scripted (GET {SHOWN})")


def test_a_circuit_that_met_another_clock_is_told():
    circuit = Circuit(failure_threshold=1)
    circuit.settle(circuit.admit(3600.0), True, 3600.0)  # type: ignore[arg-type]  # OPEN: it asks what time it is
    call = run(Reply(), at=0.0, circuit=circuit)
    (note,) = of(Rebased, call.notes)
    assert note.at == 0.0 and note.policy.startswith("<Circuit")


def test_a_limiter_that_met_another_clock_is_told():
    limiter = TokenBucket(rate=1.0, burst=1)
    run(Reply(), at=3600.0, limiter=limiter)
    call = run(Reply(), at=0.0, limiter=limiter)
    assert call.ended_at == 1.0  # the token that was spent is remembered
    (note,) = of(Rebased, call.notes)
    assert note.policy.startswith("<TokenBucket")


def test_without_a_listener_nothing_is_noted():
    policies = Policies(
        retry=RetryPolicy(backoff=STEADY),
        circuit=Circuit(failure_threshold=2, recovery_timeout=1.0),
        limiter=TokenBucket(0.5, 1),
        slots=Concurrency(1),
        redirects=RedirectPolicy(),
    )
    replies = [
        Reply(302, {"Location": "/y"}),
        Reply(error=dead),
        Reply(error=ConnectionLostError),
        Reply(503),
        Reply(200, chunks=[(1.0, b"x")]),
    ]
    simulator = Simulator(script(*replies))
    calls = [simulator.call(GET, policies, stream=True, listen=False) for _ in range(2)]
    calls += [simulator.call(GET, Policies(retry=RetryPolicy(1, STEADY)), listen=False, at=100.0)]
    simulator.run()
    assert [call.notes for call in calls] == [[], [], []]


def test_the_steps_of_a_call_tell_each_note_once():
    call = Call(GET, Policies(retry=RetryPolicy(1, STEADY)), listen=True)
    (send,) = call.start(0.0).send
    step = call.handle(Ended(send.id, HTTPResponse(503)), 1.0)
    assert [type(note) for note in step.notes] == [SendEnded, Retrying]
    assert call.handle(Woke(), 1.5).notes == ()
    assert call.close(2.0).notes == ()


def test_notes_without_an_outcome_are_those_of_who_went_away():
    """The caller knows that it did: only an outcome ends a call in the notes."""
    simulator = Simulator(script(Reply(after=10)))
    call = simulator.call(GET, Policies(), cancel_at=1.0)
    simulator.run()
    assert call.notes == []


def test_a_wait_that_its_caller_did_not_see_the_end_of_is_not_told():
    slots = Concurrency(1)
    simulator = Simulator(script(Reply(after=10)))
    simulator.call(GET, Policies(slots=slots))
    call = simulator.call(GET, Policies(slots=slots), cancel_at=1.0)
    simulator.run()
    assert call.notes == []


def test_no_note_has_a_secret():
    """One is put into every slot that there is."""

    class Hook:
        def process_request(self, request: HTTPRequest) -> None:
            request.headers["X-Hook"] = SECRET
            request.params = {"hook": SECRET}

        def process_response(self, response: HTTPResponse, request: HTTPRequest) -> None: ...

    request = HTTPRequest(
        "PUT",
        f"https://h/x?token={SECRET}",
        {"X-API-Key": SECRET, "Cookie": SECRET},
        {"key": SECRET},
        Body.of(SECRET.encode()),
        idempotency_key=SECRET,
    )
    circuit = Keyed(lambda: Circuit(2, 1.0), lambda request: request.url)
    auth = Bearer(SECRET)
    replies = [
        Reply(302, {"Location": f"https://h/y?key={SECRET}", "Set-Cookie": SECRET}),
        Reply(503, {"X-Debug": SECRET}, SECRET.encode()),
        Reply(error=lambda send: send.error(ConnectionLostError, "lost")),
        Reply(error=lambda send: ValueError(SECRET)),
    ]
    simulator = Simulator(script(*replies))
    calls = [
        simulator.call(
            request,
            Policies(
                retry=RetryPolicy(backoff=STEADY),
                circuit=circuit,
                limiter=TokenBucket(0.5, 1),
                auth=credentials,
                ask_auth=lambda request: request,
                hooks=(Hook(),),
                redirects=RedirectPolicy(),
            ),
        )
        for credentials in (auth, APIKey(SECRET, name="key", location="query"))
    ]
    simulator.run()
    kinds = {type(note) for call in calls for note in call.notes}
    assert {SendEnded, Retrying, Waited, Redirected, CallEnded} <= kinds
    assert any(SECRET in send.request.url for call in calls for send in call.sends)
    for call in calls:
        assert SECRET not in repr(call.notes)


def test_notes_can_be_read():
    assert repr(CircuitChanged(1.0, "CLOSED", "OPEN")) == "CircuitChanged(at=1.0, before='CLOSED', after='OPEN')"
