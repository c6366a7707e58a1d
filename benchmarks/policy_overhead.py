"""What a call costs with every policy on, beside the libraries that do one or some of these things.

    python benchmarks/policy_overhead.py            # some ten seconds
    python benchmarks/policy_overhead.py --rounds 200

No request goes out: the wire is an async function that returns at once, so what is left is the price of deciding. The
peers are in the extra ``bench``; without them our own figures are printed, and what to install.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from importlib.metadata import version
from time import monotonic
from typing import Any

from _timing import Timed, awaited, best, interpreter, parser, sync

from sansio_http import (
    Bearer,
    Call,
    Circuit,
    Concurrency,
    Ended,
    HTTPRequest,
    HTTPResponse,
    Permit,
    Policies,
    Reservation,
    RetryPolicy,
    Slot,
    TokenBucket,
    Woke,
)

PLENTY = 10**9  # tokens a second, calls a second: nobody waits
ORIGIN = "https://api.example.com"
REQUEST = HTTPRequest("GET", f"{ORIGIN}/items/1", {"Accept": "application/json"}, timeout=30.0)
RESPONSE = HTTPResponse(200, {"Content-Type": "application/json"}, b'{"id": 1}')

NONE = Policies()
ALL = Policies(
    retry=RetryPolicy(),
    circuit=Circuit(),
    limiter=TokenBucket(rate=PLENTY, burst=PLENTY),
    slots=Concurrency(100),
    auth=Bearer("token"),
    auth_origin=ORIGIN,
    rand=random.random,
)

OURS = "ours, all policies (1)"
TARGET = "tenacity, async (2)"

FOOTNOTES = """\
Best of {rounds} rounds of {calls} calls each, taking turns; CPU time of this process; no garbage collection; {python}.
(1) The pure core behind an async function: Call() of a request that is there already, start, handle, close, with the
    clock read each time, and the no-op awaited in between. On: RetryPolicy, Circuit, TokenBucket, Concurrency, Bearer
    with auth_origin. One attempt, which succeeds. Not in it: building the request, the response, any I/O.
(2) The decorator alone, which only retries, by the rules of our RetryPolicy: stop_after_attempt | stop_after_delay,
    wait_random_exponential, retry_if_exception_type | retry_if_result (by status), reraise; around the no-op.
(3) @stamina.retry(on=...), which only retries; with its default instrumentation.
(4) hyx's decorators @retry, @consecutive_breaker and @tokenbucket, one upon the other.
(5) tenacity's decorator as in (2), purgatory's decorator in it, and aiolimiter's `async with` around the no-op.
"""


async def wire() -> HTTPResponse:
    """The no-op that everybody wraps."""
    return RESPONSE


def wire_sync() -> HTTPResponse:
    """The same for who does not await."""
    return RESPONSE


def ours(policies: Policies) -> Callable[[], Awaitable[object]]:
    """The driver of the README, whose wire answers at once."""

    async def call() -> object:
        machine = Call(REQUEST, policies)
        step = machine.start(monotonic())
        try:
            while step.done is None:
                (order,) = step.send
                step = machine.handle(Ended(order.id, await wire()), monotonic())
            assert step.done is RESPONSE, step.done
            return step.done
        finally:
            for waiter in machine.close(monotonic()).nudge:
                waiter.wake()

    return call


# --- the others, each in its usual form ----------------------------------------------------------------------------


def with_tenacity() -> dict[str, Timed]:
    """Its decorator alone, around a coroutine function and around a function."""
    decorate = tenacity_retry()
    return {TARGET: awaited(decorate(wire)), "tenacity, sync (2)": sync(decorate(wire_sync))}


def tenacity_retry() -> Any:
    """The decorator as a client would use it."""
    from tenacity import (
        retry,
        retry_if_exception_type,
        retry_if_result,
        stop_after_attempt,
        stop_after_delay,
        wait_random_exponential,
    )

    return retry(
        stop=stop_after_attempt(4) | stop_after_delay(30),
        wait=wait_random_exponential(multiplier=1, max=60),
        retry=retry_if_exception_type(OSError) | retry_if_result(_is_retryable),
        reraise=True,
    )


def _is_retryable(response: HTTPResponse) -> bool:
    """What our retry policy looks at in an answer."""
    return response.status_code in (408, 429, 500, 502, 503, 504)


def with_stamina() -> dict[str, Timed]:
    """Its decorator."""
    import stamina

    return {"stamina (3)": awaited(stamina.retry(on=OSError, attempts=4)(wire))}


def with_hyx() -> dict[str, Timed]:
    """Three decorators, of which one wants a running loop when it is made."""
    from hyx.circuitbreaker import consecutive_breaker
    from hyx.ratelimit import tokenbucket
    from hyx.retry import retry
    from hyx.retry.backoffs import expo

    made: list[Timed] = []

    async def timed(calls: int) -> float:
        if not made:
            call = tokenbucket(max_executions=PLENTY, per_time_secs=1, bucket_size=PLENTY)(wire)
            call = consecutive_breaker(exceptions=OSError, failure_threshold=5, recovery_time_secs=60)(call)
            call = retry(on=OSError, attempts=4, backoff=expo(min_delay_secs=1, max_delay_secs=60))(call)
            made.append(awaited(call))
        return await made[0](calls)

    return {"hyx: retry, breaker, bucket (4)": timed}


def with_three() -> dict[str, Timed]:
    """A library for each: tenacity retries, purgatory breaks the circuit, aiolimiter limits the rate."""
    from aiolimiter import AsyncLimiter
    from purgatory import AsyncCircuitBreakerFactory

    breaker = AsyncCircuitBreakerFactory(default_threshold=5, default_ttl=60)("api")
    limiter = AsyncLimiter(PLENTY, 1)

    async def limited() -> object:
        async with limiter:
            return await wire()

    return {"tenacity, purgatory, aiolimiter (5)": awaited(tenacity_retry()(breaker(limited)))}


PEERS: dict[Callable[[], dict[str, Timed]], tuple[str, ...]] = {
    with_tenacity: ("tenacity",),
    with_stamina: ("stamina",),
    with_hyx: ("hyx",),
    with_three: ("tenacity", "purgatory", "aiolimiter"),
}


def peers() -> tuple[dict[str, Timed], list[str], list[str]]:
    """The pieces of all peers that are installed, what they are, and which are not."""
    found: dict[str, Timed] = {}
    there: dict[str, None] = {}
    missing: dict[str, None] = {}
    for build, packages in PEERS.items():
        try:
            found |= build()
        except ModuleNotFoundError as error:
            missing[error.name or packages[0]] = None
        else:
            there |= dict.fromkeys(packages)
    return found, [f"{name} {version(name)}" for name in there], list(missing)


# --- ours in parts ---------------------------------------------------------------------------------------------------


def parts() -> dict[str, Timed]:
    """Each policy by itself: what one send asks of it."""
    circuit, slots, retry, auth = Circuit(), Concurrency(100), RetryPolicy(), Bearer("token")
    bucket = TokenBucket(rate=PLENTY, burst=PLENTY)
    request = REQUEST.copy()

    def reserve_and_claim() -> None:
        now = monotonic()
        place = bucket.reserve(now)
        assert isinstance(place, Reservation)
        bucket.claim(place, now)

    def admit_and_record() -> None:
        permit = circuit.admit(monotonic())
        assert isinstance(permit, Permit)
        circuit.record(permit, RESPONSE, monotonic())

    def take_and_release() -> None:
        slot = slots.take(monotonic())
        assert isinstance(slot, Slot)
        slots.release(slot, "ok", monotonic())

    def decide() -> None:
        retry.decide(request, RESPONSE, 0, sent=True, left=30.0, rand=random.random)

    def spurious_wake() -> None:
        waiting.handle(woke, monotonic())

    waiting, woke = Call(REQUEST, ALL), Woke()
    waiting.start(monotonic())
    return {
        "TokenBucket: take": sync(lambda: bucket.take(monotonic())),
        "TokenBucket: reserve, claim": sync(reserve_and_claim),
        "Circuit: admit, record": sync(admit_and_record),
        "Concurrency: take, release": sync(take_and_release),
        "RetryPolicy: decide on a success": sync(decide),
        "Bearer: apply": sync(lambda: auth.apply(request, monotonic())),
        "Call: handle(Woke()) for nothing": sync(spurious_wake),
    }


def main() -> None:
    given = parser(__doc__, rounds=60, calls=100).parse_args()
    compared: dict[str, Timed] = {
        "the no-op alone, awaited": awaited(wire),
        "ours, no policies (1)": awaited(ours(NONE)),
        OURS: awaited(ours(ALL)),
    }
    others, installed, missing = peers()
    split = parts()
    cost = best(compared | others | split, rounds=given.rounds, calls=given.calls)

    print(f"{'One call that succeeds at once':38}{'us':>8}{'x ours':>9}")
    for name in [*compared, *others]:
        print(f"{name:38}{cost[name] * 1e6:8.2f}{cost[name] / cost[OURS]:9.2f}")
    print(f"\n{'Its parts, with the clock read':38}{'us':>8}{'of ours':>9}")
    for name in split:
        print(f"{name:38}{cost[name] * 1e6:8.2f}{cost[name] / cost[OURS]:9.0%}")
    print("\n" + FOOTNOTES.format(rounds=given.rounds, calls=given.calls, python=interpreter()), end="")
    if installed:
        print("Peers: " + ", ".join(installed) + ".")
    if TARGET in cost:
        share = cost[OURS] / cost[TARGET]
        verdict = "met" if share <= 1 / 3 else "MISSED"
        print(f"Target: ours costs at most 0.333 of {TARGET}; it costs {share:.3f}: {verdict}.")
    if missing:
        print(f"Left out, not installed: {', '.join(missing)}. To compare: pip install 'sansio-http[bench]'")


if __name__ == "__main__":
    main()
