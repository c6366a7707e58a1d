"""What the limiters say about their arguments: whole sentences, bounds, defaults, and that each argument arrives."""

import random
from collections.abc import Callable
from sys import float_info
from typing import Any

import pytest

from sansio_http.exceptions import ConfigurationError
from sansio_http.rate_limiter import (
    AIMD,
    GCRA,
    AdaptiveRate,
    Combined,
    Concurrency,
    Cubic,
    Gradient2,
    Limiter,
    ServerQuota,
    SlidingCounter,
    SlidingWindow,
    Throttle,
    TokenBucket,
    Vegas,
)

# What has to be given to each, besides what a test gives.
NEEDED: dict[Callable[..., object], dict[str, Any]] = {
    Concurrency: {"limit": 5},
    GCRA: {"rate": 1, "burst": 1},
    SlidingCounter: {"limit": 5, "window": 1.0},
    SlidingWindow: {"limit": 5, "window": 1.0},
    Throttle: {"rand": random.random},
    TokenBucket: {"rate": 1, "burst": 1},
}
LEARNERS = [AIMD, Gradient2, Vegas]
WAITING = [AIMD, Concurrency, Gradient2, Vegas]
PUNCTUAL = [AdaptiveRate, GCRA, ServerQuota, SlidingCounter, SlidingWindow, TokenBucket]
SECONDS = "finite seconds above 0"


def make(cls: Callable[..., Any], **options: Any) -> Any:
    return cls(**{**NEEDED.get(cls, {}), **options})


@pytest.mark.parametrize(
    ("cls", "field", "value", "allowed"),
    [
        (TokenBucket, "rate", 0, "a finite number above 0 (tokens a second)"),
        (TokenBucket, "burst", 0.5, "a finite number, 1 or more (tokens)"),
        (SlidingWindow, "limit", 0, "a whole number, 1 or more (tokens)"),
        (SlidingWindow, "window", 0, SECONDS),
        (SlidingCounter, "limit", 0, "a whole number, 1 or more (tokens)"),
        (SlidingCounter, "window", 0, SECONDS),
        (Concurrency, "limit", 0, "a whole number, 1 or more (held at once)"),
        (Concurrency, "max_waiting", -1, "a whole number, 0 or more, or None"),
        (AdaptiveRate, "min_rate", 0, "a finite number above 0 (a second)"),
        (AdaptiveRate, "burst", 0.5, "a finite number, 1 or more (tokens)"),
        (AdaptiveRate, "cubic", 1, "a Cubic"),
        (Cubic, "beta", 1, "a number between 0 and 1"),
        (Cubic, "scale", 0, "a finite number above 0"),
        (AIMD, "timeout", 0, SECONDS),
        (AIMD, "backoff", 1, "a number, 0.5 to below 1"),
        (Gradient2, "tolerance", 0.5, "a finite number, 1 or more"),
        (Gradient2, "queue", -1, "a finite number, 0 or more"),
        (Gradient2, "smoothing", 1.5, "a number above 0, at most 1"),
        (Vegas, "probe", 0.5, "a finite number, 1 or more"),
        (Throttle, "rand", 0.5, "a function that gives numbers from 0 to below 1"),
        (Throttle, "k", 1, "a finite number above 1"),
        (Throttle, "padding", -1, "a finite number, 0 or more (requests)"),
        (Throttle, "window", 0, SECONDS),
        (ServerQuota, "longest", 0, SECONDS),
        *((cls, "min_limit", 0, "a whole number, 1 or more") for cls in LEARNERS),
        *((cls, "max_limit", 0, f"a whole number, min_limit ({cls().min_limit}) or more") for cls in LEARNERS),
        *((cls, "max_wait", -1, "finite seconds, 0 or more, or None") for cls in [*WAITING, *PUNCTUAL]),
        (AIMD, "initial", 5, "a whole number, min_limit (20) to max_limit (200)"),
    ],
)
def test_what_is_refused_is_told_with_what_is_allowed(
    cls: Callable[..., object], field: str, value: object, allowed: str
):
    with pytest.raises(ConfigurationError) as caught:
        make(cls, **{field: value})
    assert str(caught.value) == f"{field}: {value!r} is not allowed; it must be {allowed}"


@pytest.mark.parametrize(
    ("cls", "field", "value"),
    [
        (TokenBucket, "rate", 0.01),
        (TokenBucket, "rate", float_info.max),
        (TokenBucket, "burst", 1),
        (SlidingWindow, "limit", 1),
        (SlidingWindow, "window", 0.01),
        (SlidingCounter, "limit", 1),
        (SlidingCounter, "window", 0.01),
        (Concurrency, "limit", 1),
        (Concurrency, "max_waiting", 0),
        (AdaptiveRate, "min_rate", 0.01),
        (AdaptiveRate, "burst", 1),
        (Cubic, "beta", 0.01),
        (Cubic, "scale", 0.01),
        (AIMD, "timeout", 0.01),
        (AIMD, "backoff", 0.5),
        (Gradient2, "tolerance", 1),
        (Gradient2, "queue", 0),
        (Gradient2, "smoothing", 0.01),
        (Gradient2, "smoothing", 1),
        (Vegas, "probe", 1),
        (Throttle, "k", 1.01),
        (Throttle, "padding", 0),
        (Throttle, "window", 0.01),
        (ServerQuota, "longest", 0.01),
        *((cls, "max_wait", 0) for cls in [*WAITING, *PUNCTUAL]),
    ],
)
def test_the_bounds_are_allowed_and_arrive(cls: Callable[..., object], field: str, value: object):
    assert getattr(make(cls, **{field: value}), field, value) == value


@pytest.mark.parametrize("cls", LEARNERS)
def test_a_limit_may_be_fixed(cls: Callable[..., Any]):
    limiter = cls(min_limit=1, max_limit=1, initial=1)
    assert (limiter.min_limit, limiter.limit, limiter.max_limit) == (1, 1, 1)


@pytest.mark.parametrize("cls", WAITING)
def test_the_queues_own_arguments_arrive(cls: Callable[..., Any]):
    limiter = make(cls, max_waiting=7, max_wait=3.0)
    assert (limiter.max_waiting, limiter.max_wait) == (7, 3.0)


@pytest.mark.parametrize("cls", PUNCTUAL)
def test_the_longest_wait_arrives(cls: Callable[..., Limiter]):
    assert make(cls, max_wait=3.0).max_wait == 3.0
    assert Combined(make(cls), Concurrency(1), max_wait=3.0).max_wait == 3.0


def test_the_defaults():
    quick, rate, throttle = AIMD(), AdaptiveRate(), Throttle(random.random)
    assert (quick.timeout, quick.backoff) == (5.0, 0.9)
    assert (Gradient2().tolerance, Gradient2().queue, Gradient2().smoothing) == (1.5, 4, 0.2)
    assert Vegas().probe == 30
    assert (rate.min_rate, rate.burst, rate.cubic, rate.limited) == (0.5, 1, Cubic(0.7, 0.4), False)
    assert (throttle.k, throttle.padding, throttle.window, throttle.rejected) == (2.0, 1.0, 120.0, 0)
    assert ServerQuota().longest == 3600.0


@pytest.mark.parametrize(
    ("limiter", "tokens", "allowed"),
    [
        (TokenBucket(1, 2.5), 3, "a number above 0, at most 2.5"),
        (SlidingWindow(2, 1.0), 1.5, "a whole number above 0, at most 2"),
        (Concurrency(2), 0, "a whole number above 0, at most 2"),
        (ServerQuota(), 0, "a number above 0, at most inf"),
    ],
)
def test_so_many_tokens_can_never_be_had(limiter: Limiter, tokens: float, allowed: str):
    for ask in (limiter.take, limiter.reserve):
        with pytest.raises(ConfigurationError) as caught:
            ask(0.0, tokens)
        assert str(caught.value) == f"tokens: {tokens!r} is not allowed; it must be {allowed}"
