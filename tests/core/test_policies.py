"""The bundle: what may be in it, and what is found to be missing before anything is sent."""

from __future__ import annotations

import dataclasses
import gc
import weakref

import pytest

from sansio_http import (
    AttemptHook,
    Call,
    Concurrency,
    ConfigurationError,
    ExponentialBackoff,
    HTTPRequest,
    HTTPResponse,
    Keyed,
    Limiter,
    Policies,
    RetryPolicy,
    TokenBucket,
    origin,
)
from sansio_http.testing import Reply, Simulator, script

GET = HTTPRequest("GET", "http://h/x")


def test_of_nothing_a_request_is_sent_once_and_the_answer_believed():
    simulator = Simulator(script(Reply(503, {"Location": "/y"}, after=1000.0)))
    call = simulator.call(GET, Policies())
    simulator.run()
    assert call.response.status_code == 503 and len(call.sends) == 1
    assert call.sends[0].deadline is None


@pytest.mark.parametrize("value", [0, -1, -0.5, float("nan")])
def test_an_attempt_needs_some_time(value):
    with pytest.raises(
        ConfigurationError, match=r"^Policies\.attempt_timeout: .* is not allowed; it is seconds above 0"
    ):
        Policies(attempt_timeout=value)


@pytest.mark.parametrize("value", [-1, -0.5, float("nan")])
def test_a_wait_for_a_slot_is_not_negative(value):
    with pytest.raises(
        ConfigurationError, match=r"^Policies\.pool_timeout: .* is not allowed; it is seconds, 0 or more"
    ):
        Policies(pool_timeout=value)


@pytest.mark.parametrize("field", ["retry", "circuit", "limiter", "slots", "redirects"])
def test_a_part_of_another_kind_is_refused_by_name(field):
    with pytest.raises(ConfigurationError, match=rf"^Policies\.{field}: int is not allowed"):
        Policies(**{field: 5})


def test_what_is_at_the_edge_is_allowed():
    policies = Policies(attempt_timeout=0.001, pool_timeout=0)
    assert (policies.attempt_timeout, policies.pool_timeout) == (0.001, 0)


@pytest.mark.parametrize("field", ["attempt_timeout", "pool_timeout"])
def test_what_is_no_number_is_refused_by_name(field):
    with pytest.raises(ConfigurationError, match=rf"^Policies\.{field}: "):
        Policies(**{field: "3"})  # type: ignore[arg-type]


def test_what_bounds_all_requests_cannot_bound_them_twice():
    slots = Concurrency(1)
    for limiter in (slots, [TokenBucket(1, 1), slots]):
        with pytest.raises(ConfigurationError, match=r"^Policies\.limiter: what is in slots cannot be in limiter"):
            Policies(limiter=limiter, slots=slots)
    assert Policies(limiter=Concurrency(1), slots=slots).slots is slots


def test_a_list_of_limiters_is_kept_as_a_tuple():
    several = [TokenBucket(1, 1), Concurrency(1), Keyed(lambda: TokenBucket(1, 1), origin)]
    assert Policies(limiter=several).limiter == tuple(several)


@pytest.mark.parametrize(
    ("limiter", "says"),
    [([], "an empty list is not allowed; None is for no limiter"), ([Concurrency(1), 5], "int is not allowed in it")],
)
def test_a_list_of_limiters_has_limiters_in_it(limiter, says):
    with pytest.raises(ConfigurationError, match=rf"^Policies\.limiter: {says}"):
        Policies(limiter=limiter)


def test_a_registry_of_limits_of_concurrency_gives_each_key_its_own():
    bulkheads: Keyed[str, Limiter] = Keyed(lambda: Concurrency(1), lambda request: request.url)
    simulator = Simulator(script(Reply(after=1.0)))
    calls = [simulator.call(HTTPRequest("GET", f"http://h/{path}"), Policies(limiter=bulkheads)) for path in "xyx"]
    simulator.run()
    assert [call.ended_at for call in calls] == [1.0, 1.0, 2.0]


def test_jitter_needs_dice():
    with pytest.raises(ConfigurationError, match=r"^Policies\.rand: needed for jitter"):
        Call(GET, Policies(retry=RetryPolicy()))


def test_without_jitter_there_are_none_to_roll():
    policies = Policies(retry=RetryPolicy(backoff=ExponentialBackoff(jitter="none")))
    simulator = Simulator(script(Reply(503), Reply(200)))
    call = simulator.call(GET, policies)
    simulator.run()
    assert call.response.is_success


def test_a_key_of_ours_needs_entropy():
    with pytest.raises(ConfigurationError, match=r"^Policies\.entropy: needed for idempotency_key='auto'"):
        Call(HTTPRequest("POST", "http://h/", idempotency_key="auto"), Policies())


def test_it_is_a_value():
    retry = RetryPolicy()
    assert Policies(retry=retry) == Policies(retry=retry) != Policies()
    with pytest.raises(dataclasses.FrozenInstanceError):
        Policies().retry = retry  # type: ignore[misc]


def test_another_bundle_may_share_its_parts():
    slots = Concurrency(1)
    policies = Policies(slots=slots, pool_timeout=1.0)
    assert dataclasses.replace(policies, pool_timeout=2.0).slots is slots


def test_it_can_be_referred_to_weakly():
    """So that an adapter can keep what it derived from a bundle for as long as there is the bundle."""
    policies = Policies()
    reference = weakref.ref(policies)
    assert reference() is policies
    del policies
    gc.collect()
    assert reference() is None


class Counts(AttemptHook):
    """Has one half of a hook; the other is the protocol's own."""

    def __init__(self) -> None:
        self.requests = 0

    def process_request(self, request: HTTPRequest) -> None:
        self.requests += 1


class Looks(AttemptHook):
    def __init__(self) -> None:
        self.statuses: list[int] = []

    def process_response(self, response: HTTPResponse, request: HTTPRequest) -> None:
        self.statuses.append(response.status_code)


def test_a_hook_needs_to_have_one_half_only():
    simulator = Simulator(script(Reply(204)))
    counts, looks = Counts(), Looks()  # type: ignore[abstract]  # an empty half is one that returns None
    call = simulator.call(GET, Policies(hooks=(counts, looks)))
    simulator.run()
    assert call.response.status_code == 204
    assert (counts.requests, looks.statuses) == (1, [204])
