"""Settings that are fine alone and make no sense together are refused when a client is built, with what to change."""

from __future__ import annotations

from typing import Any

import pytest

from sansio_http import Hedging
from sansio_http_anyio import (
    AsyncHTTPClient,
    CallWindow,
    CircuitBreaker,
    ClientConfig,
    ConfigurationError,
    Keyed,
    Policies,
    by_origin,
)
from tests.adapter.answering import Answering


class Delayed(Hedging):
    """A hedge after a fixed delay."""

    def __init__(self, delay: float) -> None:
        self.delay = delay

    def next_at(self, first: float, extra: int) -> float | None:
        return None


def build(config: dict[str, Any], **options: Any) -> AsyncHTTPClient:
    return AsyncHTTPClient("http://h", ClientConfig(**config), transport=Answering(), **options)


def breaker(**window: Any) -> CircuitBreaker:
    return CircuitBreaker(window=CallWindow(**window))


def slow(after: float) -> CircuitBreaker:
    return breaker(calls=10, slow_after=after, slow_rate=0.5)


REFUSED = [
    (
        {"attempt_timeout": 5},
        {"circuit_breaker": breaker(seconds=9.9)},
        "circuit_breaker: a window of 9.9 s is shorter than two attempts of 5 s (attempt_timeout), so that timeouts"
        " would never be counted together; make seconds 10 or more, or attempt_timeout 4.95 or less",
    ),
    (
        {"attempt_timeout": 5},
        {"circuit_breaker": Keyed(lambda: breaker(seconds=9.9), by_origin)},
        "circuit_breaker: a window of 9.9 s is shorter than two attempts",
    ),
    (
        {},
        {"policies": Policies(attempt_timeout=5, circuit=breaker(seconds=9.9))},
        "circuit_breaker: a window of 9.9 s is shorter than two attempts",
    ),
    (
        {"attempt_timeout": 2},
        {"circuit_breaker": slow(2)},
        "circuit_breaker: slow_after (2 s) is not below attempt_timeout (2 s), which would end a call before it is"
        " slow; make slow_after shorter, or attempt_timeout longer",
    ),
    (
        {"timeout": 2},
        {"circuit_breaker": slow(3)},
        "circuit_breaker: slow_after (3 s) is not below timeout (2 s), which",
    ),
    (
        {"timeout": 2},
        {"policies": Policies(attempt_timeout=3)},
        "policies.attempt_timeout (3 s) is longer than timeout (2 s) and could never pass; make it 2 s or less, or"
        " timeout longer",
    ),
    (
        {"timeout": 2},
        {"policies": Policies(pool_timeout=3)},
        "policies.pool_timeout (3 s) is longer than timeout (2 s) and could never pass",
    ),
    (
        {"timeout": 2},
        {"policies": Policies(hedging=Delayed(2))},
        "policies.hedging: a delay of 2 s is not below timeout (2 s), so that no hedge would ever go out; make it"
        " shorter: the time that nearly all answers take",
    ),
    (
        {"timeout": 9},
        {"policies": Policies(hedging=Delayed(3), attempt_timeout=2)},
        "policies.hedging: a delay of 3 s is not below attempt_timeout (2 s)",
    ),
    (
        {},
        {"circuit_breaker": Keyed(dict, by_origin)},  # type: ignore[type-var]
        "circuit_breaker: its factory makes a dict; it has to make a CircuitBreaker",
    ),
]


@pytest.mark.parametrize(("config", "options", "message"), REFUSED)
def test_a_contradiction_is_refused_with_its_remedy(
    config: dict[str, Any], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        build(config, **options)
    assert str(caught.value).startswith(message)


def test_each_contradiction_is_named() -> None:
    with pytest.raises(ConfigurationError) as caught:
        build({"timeout": 2}, policies=Policies(attempt_timeout=3, pool_timeout=3, circuit=slow(4)))
    assert len(str(caught.value).split("; make ")) == 5


def test_a_factory_that_fails_is_noticed_when_the_client_is_built() -> None:
    with pytest.raises(ConfigurationError, match=r"^CircuitBreaker\.failure_threshold: 0 is not allowed"):
        build({}, circuit_breaker=Keyed(lambda: CircuitBreaker(0), by_origin))


@pytest.mark.parametrize(
    ("config", "options"),
    [
        ({}, {"policies": Policies(attempt_timeout=100, pool_timeout=100)}),  # only the default timeout is shorter
        ({}, {"circuit_breaker": slow(100)}),
        ({}, {"policies": Policies(hedging=Delayed(100))}),
        ({"timeout": None}, {"policies": Policies(attempt_timeout=100)}),
        ({"attempt_timeout": 5}, {"circuit_breaker": breaker(seconds=10)}),
        ({"attempt_timeout": 5}, {"circuit_breaker": breaker(calls=10)}),
        ({"attempt_timeout": 5}, {"circuit_breaker": CircuitBreaker()}),
        ({"timeout": 5}, {"circuit_breaker": breaker(seconds=1)}),
        ({"attempt_timeout": 5}, {"circuit_breaker": slow(4.9)}),
        ({"timeout": 2}, {"policies": Policies(attempt_timeout=2, pool_timeout=2, hedging=Delayed(1.9))}),
        *(({}, {"policies": getattr(Policies, name)()}) for name in ("standard", "aggressive", "careful", "patient")),
        ({"timeout": 5}, {"policies": Policies.fail_fast()}),
    ],
)
def test_what_goes_together_or_was_not_given_is_accepted(config: dict[str, Any], options: dict[str, Any]) -> None:
    assert not build(config, **options).is_closed
