"""Getting tokens: one at a time, for everybody, in time; what becomes of those who wait; and what a store is for."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import pytest

from sansio_http import (
    Ask,
    AttemptTimeoutError,
    BodyEnded,
    Circuit,
    ClientCredentials,
    Concurrency,
    ConnectError,
    Ended,
    ExponentialBackoff,
    HTTPRequest,
    HTTPResponse,
    Permit,
    Policies,
    RefreshToken,
    ResponseDecodeError,
    RetryPolicy,
    Send,
    Token,
    TokenBucket,
    TokenError,
    TotalTimeoutError,
    Woke,
)
from sansio_http.testing import Reply, SimulatedCall, Simulator

TOKEN_URL = "https://login/token"
API = "https://api/x"
NO_RETRY = RetryPolicy(retries=0)


class World:
    """An API and its token endpoint. Tokens are t1, t2, ...; the API takes those that are in ``valid``."""

    def __init__(self, source: Any, *, lifetime: Any = 100, after: float = 0.5, **policies: Any) -> None:
        self.source = source
        self.lifetime = lifetime
        self.after = after
        self.issued = 0
        self.valid: set[str] = set()
        self.token_sends: list[Send] = []
        self.answer: Callable[[], Reply] | None = None  # of the endpoint, in the place of a token
        self.simulator = Simulator(self.serve)
        self.policies = Policies(
            auth=source, auth_origin="https://api", rand=lambda: 0.5, entropy=bytes, wall=self.wall, **policies
        )

    def wall(self) -> float:
        return 1e9 + self.simulator.now

    def serve(self, send: Send) -> Reply:
        if send.via == "token":
            self.token_sends.append(send)
            if self.answer is not None:
                return self.answer()
            self.issued += 1
            token = f"t{self.issued}"
            self.valid.add(token)
            answer = {"access_token": token, "token_type": "Bearer", "expires_in": self.lifetime}
            return Reply(200, content=json.dumps(answer).encode(), after=self.after)
        token = send.request.headers["authorization"].removeprefix("Bearer ")
        return Reply(200 if token in self.valid else 401, after=0.01)

    def call(self, at: float | None = None, timeout: float | None = None, **options: Any) -> SimulatedCall:
        return self.simulator.call(HTTPRequest("GET", API, timeout=timeout), self.policies, at=at, **options)

    def run(self, until: float = math.inf) -> None:
        self.simulator.run(until)


def client(**options: Any) -> ClientCredentials:
    return ClientCredentials(TOKEN_URL, "id", "secret", **options)


def test_two_hundred_calls_ask_for_one_token():
    world = World(client())
    calls = [world.call() for _ in range(200)]
    world.run()
    assert len(world.token_sends) == 1
    assert {call.response.status_code for call in calls} == {200}
    assert all(call.response.attempts[0].sends == 1 for call in calls)
    assert max(call.wakes for call in calls) <= 2  # no herd, and nobody looked for long


def test_a_token_is_used_until_its_margin_and_renewed_by_one_while_others_use_it():
    world = World(client(margin=30))
    world.call(at=0)
    world.call(at=69)
    world.run(69.9)
    assert world.issued == 1
    calls = [world.call(at=75.0) for _ in range(10)]
    world.run()
    assert world.issued == 2
    used = [call.sends[-1].request.headers["authorization"] for call in calls]
    assert used == ["Bearer t2"] + ["Bearer t1"] * 9
    assert [call.ended_at for call in calls[1:]] == [75.01] * 9


def test_a_short_life_has_a_short_margin():
    world = World(client(margin=30), lifetime=4, after=0)
    for at in (0, 2.9, 3.5):
        world.call(at=at)
        world.run(at + 0.1)
    assert world.issued == 2


@pytest.mark.parametrize("lifetime", [0.1, 1])
def test_a_token_that_is_over_when_it_comes_is_told_once_and_not_asked_for_again_at_once(lifetime: float):
    world = World(client(), lifetime=lifetime, after=1.0)
    calls = [world.call(at=at) for at in (0, 0, 1.5)]
    world.run()
    assert [call.outcome.reason for call in calls] == ["expired"] * 3
    assert len(world.token_sends) == 1  # the third came before the backoff was over


def test_the_next_refresh_token_is_kept_even_where_the_access_token_is_over():
    world = World(RefreshToken(TOKEN_URL, "id", "r0", "secret"))
    body = {"access_token": "t", "token_type": "Bearer", "expires_in": 1, "refresh_token": "r1"}
    world.answer = lambda: Reply(200, content=json.dumps(body).encode(), after=2)
    for at in (0, 10):
        call = world.call(at=at)
        world.run()
        assert call.outcome.reason == "expired"
    sources = [send.request.body.source for send in world.token_sends]
    assert [b"refresh_token=r1" in source for source in sources] == [False, True]


def test_the_life_of_a_token_counts_from_the_try_that_brought_it():
    world = World(client(), lifetime=2, after=0.1)

    def down() -> Reply:
        world.answer = None
        return Reply(503, after=5)

    world.answer = down
    call = world.call()
    world.run()
    assert call.response.is_success and len(world.token_sends) == 2


def test_a_token_in_a_coding_that_it_is_not_in_is_malformed():
    world = World(client())
    world.answer = lambda: Reply(error=lambda send: ResponseDecodeError("the body says gzip, and is none"))
    call = world.call()
    world.run()
    error = call.outcome
    assert isinstance(error, TokenError) and error.reason == "malformed"
    assert "https://" in str(error) and isinstance(error.__cause__, ResponseDecodeError)


def test_a_renewal_that_fails_does_no_harm_while_the_old_token_lives():
    world = World(client(margin=25, retry=NO_RETRY))
    world.call(at=0)
    world.run()
    world.answer = lambda: Reply(400)
    calls = [world.call(at=at) for at in (80, 80.2, 82, 99)]
    world.run(99.5)
    assert {call.response.status_code for call in calls} == {200}
    assert len(world.token_sends) == 1 + 3  # not again before its backoff
    late = world.call(at=110)
    world.run()
    assert isinstance(late.outcome, TokenError) and late.outcome.reason == "refused"


def test_a_refused_token_is_renewed_once_and_each_call_is_sent_once_more():
    world = World(client())
    world.call(at=0, listen=False)
    world.run(1)
    world.valid.clear()
    world.call(at=2, listen=False)
    calls = [world.call(at=2) for _ in range(50)]
    world.run()
    assert world.issued == 2
    assert {call.response.status_code for call in calls} == {200}
    assert all(call.response.attempts[0].sends == 2 and len(call.response.attempts) == 1 for call in calls)


def test_a_token_that_others_have_renewed_meanwhile_is_not_given_up():
    world = World(client())
    world.call(at=0)
    world.run(1)
    world.valid.clear()
    slow = world.call(at=2)
    world.run(2.005)  # its refusal, with the old token, is on its way
    world.source.take("t9", 100, 2.0)
    world.valid.add("t9")
    world.run()
    assert slow.response.is_success and slow.response.attempts[0].sends == 2
    assert world.issued == 1


def test_an_api_that_refuses_every_token_is_asked_twice():
    world = World(client())
    simulator = Simulator(
        lambda send: world.serve(send) if send.via == "token" else Reply(401, {"WWW-Authenticate": "Bearer"})
    )
    call = simulator.call(HTTPRequest("GET", API), world.policies)
    simulator.run()
    assert call.response.status_code == 401
    assert [send.via for send in call.sends] == ["token", "api", "token", "api"]


def test_the_apis_policies_are_not_asked_for_a_token():
    circuit, limiter, slots = Circuit(failure_threshold=1), TokenBucket(1, 1), Concurrency(1)
    world = World(client(retry=NO_RETRY), circuit=circuit, limiter=limiter, slots=slots)
    world.answer = lambda: Reply(500)
    call = world.call()
    world.run()
    assert isinstance(call.outcome, TokenError)
    assert isinstance(circuit.admit(0.0), Permit) and limiter.take(0.0) is not None and slots.take(0.0) is not None
    assert call.outcome.attempts == ()


def test_nothing_is_held_while_a_token_is_got():
    slots, limiter = Concurrency(1), TokenBucket(1, 1)
    world = World(client(), after=5, slots=slots, limiter=limiter)
    world.call()
    world.run(2)
    assert slots.in_use == 0 and limiter.waiting == 0


def test_a_token_that_runs_out_in_a_queue_is_renewed_before_it_is_used():
    limiter = TokenBucket(0.02, 1)
    world = World(client(), lifetime=40, limiter=limiter)
    calls = [world.call(at=0), world.call(at=0)]
    world.run()
    assert [call.response.status_code for call in calls] == [200, 200]
    assert calls[1].sends[-1].request.headers["authorization"] != "Bearer t1"
    assert world.issued >= 2


# --- who leads, and who waits ----------------------------------------------------------------------------------------


def test_a_leader_that_goes_away_hands_over():
    world = World(client(), after=1.0)
    leader = world.call(at=0, cancel_at=0.5)
    calls = [world.call(at=0.1) for _ in range(20)]
    world.run()
    assert leader.cancelled and {call.response.status_code for call in calls} == {200}
    assert len(world.token_sends) == 2
    assert max(call.ended_at or 0 for call in calls) < 1.6  # at once, not when somebody happened to look


@pytest.mark.parametrize("when", [0.0, 0.2, 0.5, 0.7, 1.0])
def test_leaders_may_go_away_at_any_time(when):
    """Also the heir, in the very moment in which it is told."""
    for ties in ("first", "last"):
        world = World(client(), after=0.5)
        world.simulator._ties = ties  # type: ignore[assignment]
        gone = [world.call(at=0, cancel_at=when) for _ in range(3)]
        stays = [world.call(at=0) for _ in range(3)]
        world.run()
        assert {call.response.status_code for call in stays} == {200}
        assert world.source.refreshing is None and not world.source._waiting
        assert all(call.cancelled or call.response.is_success for call in gone)


def test_a_waiter_that_goes_away_is_missed_by_nobody():
    world = World(client(), after=1.0)
    world.call(at=0)
    world.call(at=0, cancel_at=0.5)
    last = world.call(at=0)
    world.run()
    assert last.response.is_success and len(world.token_sends) == 1


def test_waiters_keep_their_own_deadlines():
    world = World(client(), after=5.0)
    leader = world.call(at=0, timeout=60)
    hasty = world.call(at=0, timeout=2)
    world.run()
    assert isinstance(hasty.outcome, TotalTimeoutError) and hasty.ended_at == 2
    assert leader.response.is_success and len(world.token_sends) == 1


def test_a_leader_has_no_more_time_than_its_call_and_hands_over():
    world = World(client(), after=5.0)
    hasty = world.call(at=0, timeout=2)
    patient = world.call(at=0, timeout=60)
    world.run()
    assert isinstance(hasty.outcome, TotalTimeoutError) and hasty.ended_at == 2
    assert hasty.outcome.phase == "queue" and hasty.sends[0].deadline == 2
    assert patient.response.is_success and patient.ended_at == pytest.approx(7.01)


def test_the_time_of_a_refresh_counts_from_its_first_leader():
    world = World(client(timeout=10, attempt_timeout=None), after=100)
    calls = [world.call(at=0, timeout=timeout) for timeout in (4, 60, 60)]
    world.run()
    assert isinstance(calls[0].outcome, TotalTimeoutError)
    for call in calls[1:]:
        assert isinstance(call.outcome, TokenError) and call.outcome.reason == "timeout" and call.ended_at == 10
    # nobody is left of those: the next has all the time there is
    world.after = 0.5
    late = world.call(at=200)
    world.run()
    assert late.response.is_success


def test_who_takes_over_when_the_time_is_up_is_told_so():
    world = World(client(timeout=10, attempt_timeout=None), after=100)
    world.call(at=0, cancel_at=10)
    heir = world.call(at=0)
    world.run()
    assert isinstance(heir.outcome, TokenError) and heir.outcome.reason == "timeout"
    assert "gave no token in 10 s" in str(heir.outcome)


def test_a_hung_endpoint_is_given_up_and_tried_again():
    world = World(client(attempt_timeout=3, retry=RetryPolicy(retries=1)), after=100)
    call = world.call()
    world.run()
    assert isinstance(call.outcome, TokenError) and call.outcome.reason == "timeout"
    assert len(world.token_sends) == 2 and world.token_sends[0].deadline == 3


# --- failures --------------------------------------------------------------------------------------------------------


def test_a_failure_reaches_everybody_as_an_error_of_his_own():
    world = World(client(retry=NO_RETRY))
    world.answer = lambda: Reply(400, content=b'{"error": "invalid_client"}', after=0.5)
    calls = [world.call(at=0.1 * number) for number in range(5)]
    world.run(0.6)
    errors = [call.outcome for call in calls]
    assert all(isinstance(error, TokenError) and error.error == "invalid_client" for error in errors)
    assert len(set(map(id, errors))) == 5 and len(world.token_sends) == 1


def test_a_failed_refresh_is_not_repeated_before_its_backoff_and_not_believed_for_ever():
    world = World(client(retry=NO_RETRY))
    world.answer = lambda: Reply(503)
    for at in (0, 0.5, 0.99, 1.0, 2.9, 3.0):
        world.call(at=at)
    world.run(3.5)
    assert [send.id for send in world.token_sends] and len(world.token_sends) == 3  # at 0, 1 and 3
    world.answer = None
    call = world.call(at=8)
    world.run(9)
    assert call.response.is_success
    assert not [each for each in world.simulator.calls[:-1] if not isinstance(each.outcome, TokenError)]


def test_the_endpoint_is_left_alone_for_as_long_as_it_asks():
    world = World(client(retry=NO_RETRY))
    world.answer = lambda: Reply(429, {"Retry-After": "20"})
    first = world.call(at=0)
    second = world.call(at=15)
    third = world.call(at=20)
    world.run()
    assert [call.outcome.retry_after for call in (first, second)] == [20, 5]  # type: ignore[union-attr]
    assert len(world.token_sends) == 2 and isinstance(third.outcome, TokenError)


def test_a_waiter_that_wakes_after_the_backoff_is_told_all_the_same():
    world = World(client(retry=NO_RETRY), after=0.5)
    world.simulator._late = lambda: 30.0
    world.answer = lambda: Reply(400, after=5)
    world.call(at=0)
    waiter = world.call(at=0)
    waiter.call.waiter.wake = lambda: None
    world.run(5.5)
    # its driver lost the nudge, and looks much later
    world.run()
    assert isinstance(waiter.outcome, TokenError)


def test_the_retries_of_a_token_request_wait_between_tries():
    world = World(client(retry=RetryPolicy(retries=2, backoff=ExponentialBackoff(base=1.0, jitter="none"))))
    replies = iter([Reply(503), Reply(error=ConnectError)])
    world.answer = lambda: next(replies, None) or Reply(200, content=b'{"access_token": "t", "token_type": "bearer"}')
    world.valid.add("t")
    calls = [world.call(), world.call(timeout=2), world.call(timeout=0.5)]
    world.run()
    assert calls[0].response.is_success and calls[0].ended_at == pytest.approx(3.01)
    assert isinstance(calls[1].outcome, TotalTimeoutError) and isinstance(calls[2].outcome, TotalTimeoutError)


def test_a_leader_runs_out_of_time_between_two_tries():
    world = World(client(retry=RetryPolicy(retries=2, backoff=ExponentialBackoff(base=10.0, jitter="none"))))
    world.answer = lambda: Reply(503)
    call = world.call(timeout=2)
    world.run()
    assert isinstance(call.outcome, TotalTimeoutError) and call.ended_at == 2
    assert world.source.refreshing is None


def test_an_open_circuit_ends_the_wait_for_a_token():
    circuit = Circuit(failure_threshold=1)
    world = World(client(), after=5.0, circuit=circuit)
    world.call(at=0)
    waiter = world.call(at=0)
    world.run(0.5)
    permit: Any = circuit.admit(0.5)
    circuit.record(permit, ConnectError("x"), 0.5)
    world.run(4)
    assert type(waiter.outcome).__name__ == "CircuitBreakerOpenError"


def test_what_something_of_the_users_raises_is_the_cause():
    def sign(claims: Any) -> str:
        raise ZeroDivisionError("canary")

    world = World(ClientCredentials(TOKEN_URL, "id", client_auth="private_key_jwt", sign=sign))
    call = world.call()
    world.run()
    error = call.outcome
    assert isinstance(error, TokenError) and error.reason == "callable"
    assert isinstance(error.__cause__, ZeroDivisionError) and "canary" not in str(error)


# --- stores and rotation ---------------------------------------------------------------------------------------------


class Store:
    """Keeps tokens in a dictionary."""

    def __init__(self, **kept: Token) -> None:
        self.kept: dict[str, Any] = kept
        self.fails: BaseException | None = None

    def get(self, key: str) -> Any:
        return self.kept.get(key)

    def set(self, key: str, token: Token) -> None:
        if self.fails is not None:
            raise self.fails
        self.kept[key] = token


def test_a_store_is_asked_first_and_told_after():
    store = Store()
    world = World(client(store=store))
    world.call()
    world.run()
    (token,) = store.kept.values()
    assert (token.access_token, token.expires_at, token.refresh_token) == ("t1", 1e9 + 100, None)
    # another process
    again = World(client(store=store))
    again.valid.add("t1")
    call = again.call()
    again.run()
    assert call.response.is_success and again.token_sends == []
    assert again.source.live(99) and not again.source.live(101)


@pytest.mark.parametrize(
    ("kept", "used"),
    [
        (Token("kept", 1e9 + 10), False),
        (Token("kept", 1e9 + 40), True),
        (Token("kept"), True),
        ("junk", False),
        (None, False),
    ],
)
def test_what_a_store_has_is_used_if_it_is_good_for_something(kept, used):
    source = client(store=(store := Store()))
    store.kept[source.key] = kept
    world = World(source)
    world.valid.add("kept")
    call = world.call()
    world.run()
    assert call.response.is_success and (world.issued == 0) == used


def test_a_stored_token_that_was_refused_is_not_used_again():
    source = client(store=(store := Store()))
    store.kept[source.key] = Token("kept", 1e9 + 1000)
    world = World(source)
    call = world.call()
    world.run()
    assert call.response.is_success
    assert [send.request.headers["authorization"][:6] for send in call.sends] == ["Bearer", "Basic ", "Bearer"]
    assert store.kept[source.key].access_token == "t1"


def test_a_store_that_fails_is_heard_of_before_its_token_is_used():
    source = client(store=(store := Store()))
    world = World(source)
    store.fails = OSError("canary")
    first = world.call(at=0)
    world.run()
    assert isinstance(first.outcome, TokenError) and first.outcome.__cause__ is store.fails
    assert "canary" not in str(first.outcome)
    store.fails = None
    second = world.call(at=2)
    world.run()
    assert second.response.is_success and store.kept[source.key].access_token == "t2"


def test_refresh_tokens_rotate():
    rotated: list[str] = []

    def endpoint() -> Reply:
        rotated.append(world.token_sends[-1].request.body.source.decode().split("refresh_token=")[1])  # type: ignore[union-attr]
        answer = {"access_token": f"t{len(rotated)}", "token_type": "Bearer", "expires_in": 10}
        if len(rotated) != 2:
            answer["refresh_token"] = f"r{len(rotated)}"
        world.valid.add(f"t{len(rotated)}")
        return Reply(200, content=json.dumps(answer).encode())

    source = RefreshToken(TOKEN_URL, "id", "r0", "secret", store=(store := Store()))
    world = World(source)
    world.answer = endpoint
    for at in (0, 20, 40, 60):
        world.call(at=at)
    world.run()
    assert rotated == ["r0", "r1", "r1", "r3"]
    # the next run of the program is told the first one again
    after = RefreshToken(TOKEN_URL, "id", "r0", "secret", store=store)
    world = World(after)
    world.simulator.now = 1000.0
    world.answer = endpoint
    world.call()
    world.run()
    assert rotated[4:] == ["r4"]


# --- clocks, and drivers ---------------------------------------------------------------------------------------------


def test_another_clock_is_noticed():
    source = client()
    source.take("t", 100, 1000.0)
    assert source.live(1050.0)
    assert source.live(50.0) and not source.live(100.5)  # fifty seconds were left
    source.begin(object(), 200.0)
    source.live(200.0)
    source.live(0.0)
    assert source.deadline == 30.0


def test_outside_a_call_there_is_no_token():
    source = client()
    with pytest.raises(TokenError, match="no token yet") as caught:
        source.apply(HTTPRequest("GET", API), 0.0)
    assert caught.value.reason == "missing"
    assert repr(source) == "<ClientCredentials: no token>"
    source.take("t", None, 0.0)
    source.begin(object(), 0.0)
    assert repr(source) == "<ClientCredentials: a token, refreshing>"


class Desk:
    """Runs refreshes beside their callers, one order at a time."""

    def __init__(self, world: World | None = None) -> None:
        self.refreshes: list[Any] = []
        self.open = True

    def __call__(self, refresh: Any) -> bool:
        if self.open:
            self.refreshes.append(refresh)
        return self.open


def test_beside_its_callers_a_refresh_outlives_them():
    desk = Desk()
    world = World(client(), background=desk)
    calls = [world.call(at=0, timeout=1) for _ in range(3)]
    world.run(2)
    assert {type(call.outcome) for call in calls} == {TotalTimeoutError}
    assert len(desk.refreshes) == 1 and world.token_sends == []
    (refresh,) = desk.refreshes
    late = world.call(at=2)
    world.run(2.5)
    step = refresh.start(2.5)
    (send,) = step.send
    assert send.via == "token" and step.done is None
    assert refresh.handle(Woke(), 2.6).send == () and refresh.handle(Ended(99, None), 2.6).send == ()
    answer = HTTPResponse(200, content=b'{"access_token": "t", "token_type": "bearer", "expires_in": 40}')
    world.valid.add("t")
    step = refresh.handle(Ended(send.id, answer), 3.0)
    assert isinstance(step.done, HTTPResponse) and step.done.content == b""
    for waiter in step.nudge:
        waiter.wake()
    assert refresh.close(3.0).nudge == () and refresh.attempts == ()
    world.run()
    assert late.response.is_success
    # ahead of its end nobody waits for it at all
    early = world.call(at=35)
    world.run()
    assert early.response.is_success and early.ended_at == pytest.approx(35.01) and len(desk.refreshes) == 2


def test_where_there_is_no_place_beside_the_call_does_it_itself():
    desk = Desk()
    desk.open = False
    world = World(client(), background=desk)
    call = world.call()
    world.run()
    assert call.response.is_success and len(world.token_sends) == 1


def test_a_refresh_that_is_closed_is_taken_over():
    desk = Desk()
    world = World(client(), background=desk)
    call = world.call(at=0)
    world.run(0.1)
    refresh = desk.refreshes[0]
    refresh.start(0.1)
    desk.open = False
    (heir,) = refresh.close(0.2).nudge
    heir.wake()
    world.run()
    assert call.response.is_success
    assert refresh.close(1.0).nudge == ()


def test_a_refresh_waits_between_tries():
    desk = Desk()
    world = World(client(retry=RetryPolicy(retries=1, backoff=ExponentialBackoff(jitter="none"))), background=desk)
    world.call(at=0)
    world.run(0.1)
    refresh = desk.refreshes[0]
    (send,) = refresh.start(0.0).send
    step = refresh.handle(Ended(send.id, HTTPResponse(503)), 0.0)
    assert step.wake_at == 1.0
    assert refresh.handle(Woke(), 0.5).wake_at == 1.0
    assert refresh.handle(BodyEnded(9), 0.5).wake_at == 1.0
    assert len(refresh.handle(Woke(), 1.0).send) == 1


def test_what_does_not_answer_in_time_ends_the_refresh_by_name():
    for gave_up_at, reason, text in (
        (30.0, "timeout", "https://login/token could not be had in 30 s: its store did"),
        (9, "callable", "AttemptTimeoutError was raised"),
    ):
        desk = Desk()
        world = World(client(store=Store()), background=desk)
        call = world.call(at=0)
        world.run(0.1)
        refresh = desk.refreshes[0]
        (order,) = refresh.start(0.0).send
        assert isinstance(order, Ask) and order.deadline == 30
        for waiter in refresh.handle(Ended(order.id, AttemptTimeoutError("late")), gave_up_at).nudge:
            waiter.wake()
        world.run()
        assert isinstance(call.outcome, TokenError) and call.outcome.reason == reason and text in str(call.outcome)
