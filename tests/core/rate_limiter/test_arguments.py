"""What the limiters that learn say about their arguments: whole sentences, bounds, and that each arrives."""

from collections.abc import Callable

import pytest

from sansio_http.exceptions import ConfigurationError
from sansio_http.rate_limiter import AdaptiveRate, Gradient2, Limiter, ServerQuota, Vegas

LEARNERS = [Gradient2, Vegas]


@pytest.mark.parametrize(
    ("cls", "field", "value", "allowed"),
    [
        (AdaptiveRate, "min_rate", 0, "a finite number above 0 (a second)"),
        (AdaptiveRate, "burst", 0, "a finite number, 1 or more (tokens)"),
        (AdaptiveRate, "cubic", 1, "a Cubic"),
        (Gradient2, "tolerance", 0.5, "a finite number, 1 or more"),
        (Gradient2, "queue", -1, "a finite number, 0 or more"),
        (Gradient2, "smoothing", 1.5, "a number above 0, at most 1"),
        (Vegas, "probe", 0.5, "a finite number, 1 or more"),
    ],
)
def test_what_is_refused_is_told_with_what_is_allowed(
    cls: Callable[..., Limiter], field: str, value: object, allowed: str
):
    with pytest.raises(ConfigurationError) as caught:
        cls(**{field: value})
    assert str(caught.value) == f"{field}: {value!r} is not allowed; it must be {allowed}"


@pytest.mark.parametrize(
    ("cls", "field", "value"),
    [
        (AdaptiveRate, "burst", 1),
        (Gradient2, "tolerance", 1),
        (Gradient2, "queue", 0),
        (Gradient2, "smoothing", 1),
        (Vegas, "probe", 1),
    ],
)
def test_the_bounds_are_allowed(cls: Callable[..., Limiter], field: str, value: object):
    cls(**{field: value})


@pytest.mark.parametrize("cls", LEARNERS)
def test_the_queues_own_arguments_arrive(cls: Callable[..., Limiter]):
    limiter = cls(max_waiting=7, max_wait=3.0)
    assert (limiter.max_waiting, limiter.max_wait) == (7, 3.0)


@pytest.mark.parametrize("cls", [AdaptiveRate, ServerQuota])
def test_the_longest_wait_arrives(cls: Callable[..., Limiter]):
    assert cls(max_wait=3.0).max_wait == 3.0
