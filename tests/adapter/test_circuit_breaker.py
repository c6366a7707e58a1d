"""The circuit breaker around any function."""

from __future__ import annotations

import asyncio
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from sansio_http_anyio import (
    CallWindow,
    CircuitBreaker,
    CircuitBreakerOpenError,
    CircuitState,
    ConnectError,
    HTTPClientError,
    HTTPResponseError,
    RateLimitError,
)
from tests.fixtures.virtual_loop import run_virtual

pytestmark = pytest.mark.anyio

BOTH_BACKENDS = pytest.mark.parametrize("backend", ["asyncio", "trio"])


async def fail(error: BaseException = ConnectError("refused")) -> None:  # noqa: B008
    raise error


async def test_functions_sync_and_async_with_all_their_arguments() -> None:
    async def slowly(*args: int, **kwargs: int) -> tuple[Any, ...]:
        await anyio.lowlevel.checkpoint()
        return args, kwargs

    def quickly(*args: int, **kwargs: int) -> tuple[Any, ...]:
        return args, kwargs

    breaker = CircuitBreaker()
    for function in (slowly, quickly):
        assert await breaker.call(function, 1, 2, a=3) == ((1, 2), {"a": 3})
    await breaker.call(anyio.sleep, 0)
    assert breaker.permits_out == 0


async def test_it_opens_refuses_and_heals() -> None:
    now = 0.0
    breaker = CircuitBreaker(failure_threshold=2, recovery_timeout=10, clock=lambda: now)
    assert breaker.state is CircuitState.CLOSED
    for _ in range(2):
        with pytest.raises(ConnectError):
            await breaker.call(fail)
    assert breaker.state is CircuitState.OPEN
    now = 4.0
    with pytest.raises(CircuitBreakerOpenError, match=r"OPEN \(last failure: ConnectError: refused\)") as caught:
        await breaker.call(fail)
    assert (caught.value.state, caught.value.retry_after) == ("OPEN", 6)
    assert caught.value.last_failure == "ConnectError: refused"
    now = 10.0
    assert breaker.state is CircuitState.HALF_OPEN
    assert await breaker.call(lambda: "well") == "well"
    assert breaker.state is CircuitState.CLOSED


async def test_a_probe_at_a_time() -> None:
    now = 0.0
    breaker = CircuitBreaker(failure_threshold=1, recovery_timeout=1, clock=lambda: now)
    with pytest.raises(ConnectError):
        await breaker.call(fail)
    now = 1.0
    event = anyio.Event()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(breaker.call, event.wait)
        await anyio.wait_all_tasks_blocked()
        with pytest.raises(CircuitBreakerOpenError) as caught:
            await breaker.call(fail)
        assert caught.value.state == "HALF_OPEN"
        event.set()
    assert breaker.state is CircuitState.CLOSED


@pytest.mark.parametrize(
    ("expected", "error", "is_failure"),
    [
        (HTTPClientError, ConnectError("x"), True),
        (HTTPClientError, HTTPResponseError(500, "x"), True),
        (HTTPClientError, HTTPResponseError(599, "x"), True),
        (HTTPClientError, HTTPResponseError(None, "x"), True),
        (HTTPClientError, HTTPResponseError(499, "x"), False),
        (HTTPClientError, HTTPResponseError(404, "x"), False),
        (HTTPClientError, RateLimitError(429, "x"), False),
        (HTTPClientError, RateLimitError(None, "x", local=True), False),
        (HTTPClientError, ValueError("x"), False),
        (ValueError, ValueError("x"), True),
        (ValueError, UnicodeError("x"), True),
        (ValueError, ConnectError("x"), False),
        ((KeyError, OSError), OSError("x"), True),
        ((KeyError, OSError), ValueError("x"), False),
    ],
)
async def test_what_is_a_failure(expected: Any, error: Exception, is_failure: bool) -> None:
    breaker = CircuitBreaker(failure_threshold=1, expected_exception=expected)
    with pytest.raises(type(error)) as caught:
        await breaker.call(fail, error)
    assert caught.value is error
    assert breaker.state == ("OPEN" if is_failure else "CLOSED")
    assert breaker.permits_out == 0


async def test_a_success_starts_the_count_anew() -> None:
    breaker = CircuitBreaker(failure_threshold=2)
    for good in (lambda: None, lambda: fail(HTTPResponseError(404))):
        with pytest.raises(ConnectError):
            await breaker.call(fail)
        assert breaker.failures == 1
        try:
            await breaker.call(good)
        except HTTPResponseError:
            pass
        assert breaker.failures == 0


async def test_a_verdict_of_the_users_goes_first() -> None:
    seen: list[object] = []

    def verdict(outcome: Any) -> bool | None:
        seen.append(outcome)
        return {"bad": True, "good": False}.get(outcome) if isinstance(outcome, str) else isinstance(outcome, OSError)

    breaker = CircuitBreaker(failure_threshold=2, is_failure=verdict)
    assert await breaker.call(lambda: "bad") == "bad"
    assert await breaker.call(lambda: "neither") == "neither"
    assert breaker.failures == 1
    with pytest.raises(ConnectError):
        await breaker.call(fail)
    assert breaker.failures == 0
    with pytest.raises(OSError, match="x"):
        await breaker.call(fail, OSError("x"))
    assert await breaker.call(lambda: "bad") == "bad"
    assert breaker.state == "OPEN" and len(seen) == 5


async def test_a_verdict_that_raises_gives_the_permit_back() -> None:
    breaker = CircuitBreaker(is_failure=lambda outcome: 1 / 0 > 0)
    with pytest.raises(ZeroDivisionError):
        await breaker.call(lambda: "well")
    with pytest.raises(ZeroDivisionError) as caught:
        await breaker.call(fail)
    assert isinstance(caught.value.__context__, ConnectError)
    assert (breaker.permits_out, breaker.failures) == (0, 0)


@BOTH_BACKENDS
def test_cancellation_is_neutral_and_gives_the_permit_back(backend: str) -> None:
    async def main() -> None:
        clock = anyio.current_time
        breaker = CircuitBreaker(failure_threshold=1, recovery_timeout=1, expected_exception=BaseException, clock=clock)
        with anyio.move_on_after(1):
            await breaker.call(anyio.sleep, 60)
        assert (breaker.state, breaker.permits_out) == ("CLOSED", 0)
        with pytest.raises(ConnectError):
            await breaker.call(fail)
        await anyio.sleep(1)
        with anyio.move_on_after(1):
            await breaker.call(anyio.sleep, 60)
        assert (breaker.state, breaker.permits_out) == ("HALF_OPEN", 0)
        await breaker.call(anyio.sleep, 1)
        assert breaker.state == "CLOSED"

    run_virtual(backend, main)


@pytest.mark.asyncio_only("native cancellation is asyncio's")
async def test_native_cancellation_is_neutral() -> None:
    breaker = CircuitBreaker(failure_threshold=1, expected_exception=BaseException)
    task = asyncio.create_task(breaker.call(asyncio.sleep, 60))
    await asyncio.sleep(0)
    assert breaker.permits_out == 1
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (breaker.state, breaker.permits_out) == ("CLOSED", 0)


async def test_a_late_result_from_before_a_transition_changes_nothing() -> None:
    breaker = CircuitBreaker(failure_threshold=1, recovery_timeout=60)
    event = anyio.Event()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(breaker.call, event.wait)
        await anyio.wait_all_tasks_blocked()
        with pytest.raises(ConnectError):
            await breaker.call(fail)
        event.set()
    assert breaker.state == "OPEN"


async def test_it_opens_by_rates_too() -> None:
    now = 0.0
    window = CallWindow(calls=4, slow_after=1.0, slow_rate=0.5)
    breaker = CircuitBreaker(window=window, half_open_permits=3, success_threshold=2, clock=lambda: now)

    def slowly() -> None:
        nonlocal now
        now += 2

    for function in (slowly, lambda: None, lambda: None):
        await breaker.call(function)
    assert (breaker.state, breaker.calls, breaker.slow_calls) == ("CLOSED", 3, 1)
    await breaker.call(slowly)
    with pytest.raises(CircuitBreakerOpenError, match="2 of 4 calls took longer than 1 s"):
        await breaker.call(slowly)
    now += 60
    await breaker.call(lambda: None)
    assert breaker.state == "HALF_OPEN"
    await breaker.call(slowly)
    assert breaker.state == "HALF_OPEN"
    await breaker.call(lambda: None)
    assert breaker.state == "CLOSED"


async def test_its_break_grows_and_is_jittered_by_dice_of_its_own() -> None:
    now = 0.0
    options = {"recovery_factor": 3.0, "recovery_max": 20.0, "recovery_jitter": 0.5, "lease": 7.0}
    breaker = CircuitBreaker(1, 10.0, **options, rand=lambda: 0.5, clock=lambda: now)
    lengths = []
    for _ in range(3):
        with pytest.raises(ConnectError):
            await breaker.call(fail)
        with pytest.raises(CircuitBreakerOpenError) as caught:
            await breaker.call(fail)
        lengths.append(caught.value.retry_after)
        now += caught.value.retry_after or 0
    assert lengths == [12.5, 25.0, 25.0]
    assert breaker.lease == 7.0
    usual = CircuitBreaker(1, 10.0, recovery_jitter=0.5, clock=lambda: 0.0)
    opened = set()
    for _ in range(20):
        usual.force_open()
        with pytest.raises(CircuitBreakerOpenError) as caught:
            await usual.call(fail)
        assert caught.value.retry_after is not None
        opened.add(caught.value.retry_after)
    assert len(opened) > 1 and all(10.0 <= length < 15.0 for length in opened)


async def test_it_does_as_it_is_told() -> None:
    now = 5.0
    breaker = CircuitBreaker(clock=lambda: now)
    breaker.force_open()
    now = 64.0
    assert breaker.state == "OPEN"
    breaker.force_open(now + 0.5)
    now = 124.0
    assert breaker.state == "OPEN"
    breaker.isolate()
    now = 1e9
    with pytest.raises(CircuitBreakerOpenError, match=r"^circuit breaker is ISOLATED \(last failure: it was") as caught:
        await breaker.call(fail)
    assert (caught.value.state, caught.value.retry_after) == ("ISOLATED", None)
    breaker.disable()
    for _ in range(10):
        with pytest.raises(ConnectError):
            await breaker.call(fail)
    assert breaker.state == "DISABLED"
    breaker.reset()
    assert (breaker.state, breaker.failures) == ("CLOSED", 0)
