"""What a circuit breaker costs, a call at a time and a hundred thousand keys at a time.

    python benchmarks/breakers.py            # some ten seconds
    python benchmarks/breakers.py --keys 1000

The peers are in the extra ``bench``; without them our own figures are printed, and what to install.
"""

from __future__ import annotations

import tracemalloc
from collections.abc import Awaitable, Callable
from time import monotonic, process_time

from _timing import Timed, awaited, best, interpreter, parser, sync
from policy_overhead import TARGET, wire, with_tenacity

from sansio_http import CallWindow, Circuit, HTTPRequest, HTTPResponse, Keyed, Permit, by_origin

GOOD, BAD = HTTPResponse(200), HTTPResponse(503)
OURS = "ours: in a row"
MIB = 2**20
MOST = 60.0

LAST = CallWindow(calls=100)
RECENT = CallWindow(seconds=30.0, slow_after=1.0, slow_rate=0.5)
KINDS: dict[str, Callable[[], Circuit]] = {
    OURS: Circuit,
    "ours: the last 100 calls": lambda: Circuit(window=LAST),
    "ours: the last 30 s, and slow calls": lambda: Circuit(window=RECENT),
}

FOOTNOTES = """\
Best of {rounds} rounds of {calls} calls each, taking turns; CPU time of this process; no garbage collection; {python}.
(1) admit and record of a call that succeeds, with the clock read twice; the others wrap a coroutine that returns at
    once.
(2) Keyed(Circuit, by_origin), {keys:,} keys: each was asked for, and counted {failures}. Memory is all that was
    allocated: circuits, keys and table. A look is for_request() of a key that is held, in an order without a pattern.
"""


def admit_and_record(circuit: Circuit) -> Callable[[], object]:
    """What one call asks of a breaker."""

    def call() -> None:
        permit = circuit.admit(monotonic())
        assert isinstance(permit, Permit)
        circuit.record(permit, GOOD, monotonic())

    return call


def with_hyx() -> dict[str, Timed]:
    """Its decorator, which wants a running loop when it is made."""
    from hyx.circuitbreaker import consecutive_breaker

    made: list[Timed] = []

    async def timed(calls: int) -> float:
        if not made:
            breaker = consecutive_breaker(exceptions=OSError, failure_threshold=5, recovery_time_secs=60)
            made.append(awaited(breaker(wire)))
        return await made[0](calls)

    return {"hyx: consecutive_breaker": timed}


def with_purgatory() -> dict[str, Timed]:
    """Its decorator."""
    from purgatory import AsyncCircuitBreakerFactory

    breaker: Callable[[Callable[[], Awaitable[object]]], Callable[[], Awaitable[object]]]
    breaker = AsyncCircuitBreakerFactory(default_threshold=5, default_ttl=60)("api")
    return {"purgatory": awaited(breaker(wire))}


def registry(make: Callable[[], Circuit], keys: int, failures: int) -> tuple[float, float, float]:
    """MiB that a full registry takes; seconds of CPU to look into one of few keys, and into the full one."""
    requests = [HTTPRequest("GET", f"https://tenant-{number:06}.api.example/items") for number in range(keys)]
    for request in requests:
        by_origin(request)  # what it caches is not the registry's
    tracemalloc.start(1)
    before, _ = tracemalloc.get_traced_memory()
    full = Keyed(make, by_origin, max_keys=keys)
    for number, request in enumerate(requests):
        circuit = full.for_request(request, float(number))
        for _ in range(failures):
            permit = circuit.admit(float(number))
            assert isinstance(permit, Permit)
            circuit.record(permit, BAD, float(number))
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    few = Keyed(make, by_origin, max_keys=keys)
    return (after - before) / MIB, _look(few, requests[:10], keys), _look(full, requests, keys)


def _look(circuits: Keyed[str, Circuit], requests: list[HTTPRequest], times: int) -> float:
    # A stride that has no divisor in common with the number of keys visits all of them.
    order = [requests[number * 7919 % len(requests)] for number in range(min(times, 10_000))]
    lowest = float("inf")
    for _ in range(5):
        began = process_time()
        for request in order:
            circuits.for_request(request, 0.0)
        lowest = min(lowest, (process_time() - began) / len(order))
    return lowest


def main() -> None:
    reader = parser(__doc__, rounds=60, calls=100)
    reader.add_argument("--keys", type=int, default=100_000, help="keys of the registry (default: %(default)s)")
    given = reader.parse_args()
    pieces: dict[str, Timed] = {name: sync(admit_and_record(make())) for name, make in KINDS.items()}
    missing: dict[str, None] = {}
    for build, package in ((with_tenacity, "tenacity"), (with_hyx, "hyx"), (with_purgatory, "purgatory")):
        try:
            pieces |= build()
        except ModuleNotFoundError as error:
            missing[error.name or package] = None
    cost = best(pieces, rounds=given.rounds, calls=given.calls)

    print(f"{'One call that succeeds (1)':38}{'us':>8}{'x ours':>9}")
    for name in pieces:
        print(f"{name:38}{cost[name] * 1e6:8.2f}{cost[name] / cost[OURS]:9.2f}")
    print(f"\n{'A registry of breakers (2)':38}{'MiB':>8}{'bytes a key':>14}{'us a look':>12}{'of 10 keys':>12}")
    failures, largest = 2, 0.0
    for name, make in KINDS.items():
        size, few, full = registry(make, given.keys, failures)
        largest = max(largest, size / given.keys * 100_000)
        print(f"{name:38}{size:8.1f}{size * MIB / given.keys:14.0f}{full * 1e6:12.2f}{few * 1e6:12.2f}")
    about = {"rounds": given.rounds, "calls": given.calls, "keys": given.keys, "failures": f"{failures} failures"}
    print("\n" + FOOTNOTES.format(python=interpreter(), **about), end="")
    verdict = "met" if largest <= MOST else "MISSED"
    print(f"Target: 100,000 keys take at most {MOST:.0f} MiB; they take {largest:.1f}: {verdict}.")
    if TARGET in cost:
        share = cost[OURS] / cost[TARGET]
        verdict = "met" if share <= 1 / 10 else "MISSED"
        print(f"Target: admit and record cost at most 0.100 of {TARGET}; they cost {share:.3f}: {verdict}.")
    if missing:
        print(f"Left out, not installed: {', '.join(missing)}. To compare: pip install 'sansio-http[bench]'")


if __name__ == "__main__":
    main()
