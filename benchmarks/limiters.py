"""What a limiter costs: alone, beside other libraries', with a crowd that waits, and one for each of 100,000 keys.

python benchmarks/limiters.py            # some forty seconds
python benchmarks/limiters.py --keys 1000 --waiters 100
"""

from __future__ import annotations

import gc
import random
import tracemalloc
from collections.abc import Callable
from time import monotonic, process_time

from _timing import Timed, awaited, best, interpreter, parser, sync
from core_steps import Crowd
from policy_overhead import PLENTY, TARGET, with_tenacity

from sansio_http import (
    AIMD,
    GCRA,
    AdaptiveRate,
    Combined,
    Concurrency,
    Gradient2,
    Keyed,
    Limiter,
    Reservation,
    ServerQuota,
    SlidingCounter,
    SlidingWindow,
    Slot,
    Throttle,
    TokenBucket,
    Vegas,
)
from sansio_http_anyio import TokenBucketRateLimiter

OURS = "TokenBucket: reserve, claim"

LIMITERS: dict[str, Callable[[], Limiter]] = {
    "TokenBucket": lambda: TokenBucket(PLENTY, PLENTY),
    "GCRA": lambda: GCRA(PLENTY, PLENTY),
    "SlidingWindow": lambda: SlidingWindow(1000, 1e-6),
    "SlidingCounter": lambda: SlidingCounter(PLENTY, 1.0),
    "Combined of two": lambda: Combined(TokenBucket(PLENTY, PLENTY), SlidingCounter(PLENTY, 1.0)),
    "Concurrency": lambda: Concurrency(100),
    "AIMD": AIMD,
    "Gradient2": Gradient2,
    "Vegas": Vegas,
    "AdaptiveRate": AdaptiveRate,
    "Throttle": lambda: Throttle(lambda: 0.5),
    "ServerQuota": ServerQuota,
}

FOOTNOTES = """\
Best of {rounds} rounds of {calls} calls each, taking turns; CPU time of this process; no garbage collection; {python}.
(1) The clock read, `take`, and `release` where the limiter holds; nobody waits. Of TokenBucket also the long way, by a
    place in the queue.
(2) `await acquire()` of ours, `async with` of the others', one task; nobody waits.
(3) As many as there are join one TokenBucket's queue, come too early, and come in time; and how often a call's driver
    was woken by then, on average.
(4) A Keyed registry with a TokenBucket each: the time of a decision for a key that is there, in an order without a
    pattern. With many keys the processor waits for memory, as it does for a dictionary of as many small objects.
(5) A Keyed registry, of which each limiter has let one go: all that was allocated, keys and table too.
"""


def take(limiter: Limiter) -> Timed:
    """The short way through a limiter."""

    def piece() -> None:
        now = monotonic()
        slot = limiter.take(now)
        if isinstance(slot, Slot):
            limiter.release(slot, "ok", now)

    return sync(piece)


def reserve_and_claim() -> Timed:
    """The long way through a bucket."""
    bucket = TokenBucket(PLENTY, PLENTY)

    def piece() -> None:
        now = monotonic()
        place = bucket.reserve(now)
        assert isinstance(place, Reservation)
        bucket.claim(place, now)

    return sync(piece)


def with_aiolimiter() -> Timed:
    """Its leaky bucket."""
    from aiolimiter import AsyncLimiter

    limiter = AsyncLimiter(PLENTY, 1)

    async def piece() -> None:
        async with limiter:
            pass

    return awaited(piece)


def with_hyx() -> Timed:
    """Its token bucket, which raises where ours waits, and wants a running loop when it is made."""
    from hyx.ratelimit import tokenbucket

    made: list[Timed] = []

    async def timed(calls: int) -> float:
        if not made:
            limiter = tokenbucket(max_executions=PLENTY, per_time_secs=1, bucket_size=PLENTY)

            async def piece() -> None:
                async with limiter:
                    pass

            made.append(awaited(piece))
        return await made[0](calls)

    return timed


def peers() -> tuple[dict[str, Timed], list[str]]:
    """Of those that are installed; and the names of those that are not."""
    found: dict[str, Timed] = {}
    missing: list[str] = []
    for name, build in (("aiolimiter", with_aiolimiter), ("hyx", with_hyx)):
        try:
            found[f"{name} (2)"] = build()
            if name == "hyx":
                import hyx  # noqa: F401  # its own import comes with its first turn
        except ModuleNotFoundError:
            missing.append(name)
            found.pop(f"{name} (2)", None)
    try:
        found[TARGET] = with_tenacity()[TARGET]
    except ModuleNotFoundError:
        missing.append("tenacity")
    return found, missing


KEYED: dict[str, Callable[[], Limiter]] = {
    "TokenBucket": lambda: TokenBucket(1.0, 10),
    "GCRA": lambda: GCRA(1.0, 10),
    "SlidingWindow": lambda: SlidingWindow(10, 10.0),
    "SlidingCounter": lambda: SlidingCounter(10, 10.0),
    "Concurrency": lambda: Concurrency(10),
    "AIMD": AIMD,
    "Gradient2": Gradient2,
    "Vegas": Vegas,
    "AdaptiveRate": AdaptiveRate,
    "Throttle": lambda: Throttle(random.random),
    "ServerQuota": ServerQuota,
    "Combined of two": lambda: Combined(TokenBucket(1.0, 10), SlidingCounter(10, 10.0)),
}


def registry(make: Callable[[], Limiter], keys: int) -> Keyed[str, Limiter]:
    """As many limiters, each of which has let one go."""
    full: Keyed[str, Limiter] = Keyed(make, lambda request: request.url, max_keys=keys)
    for number in range(keys):
        limiter, now = full.get(f"tenant-{number}", float(number)), float(number)
        taken = limiter.take(now)
        if isinstance(taken, Slot):
            limiter.release(taken, "ok", now)
    assert len(full) == keys
    return full


def size(make: Callable[[], Limiter], keys: int) -> float:
    """MiB that a registry of so many takes."""
    gc.collect()
    tracemalloc.start()
    full = registry(make, keys)
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    del full
    return taken / 2**20


class Thing:
    """What a dictionary holds."""

    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count = 0.0


def look(keys: int) -> Timed:
    """Into a dictionary of so many, in the same order, and a count that goes up."""
    full = {f"tenant-{number}": Thing() for number in range(keys)}
    turn = 0

    def piece() -> None:
        nonlocal turn
        turn = (turn + 7919) % keys
        full[f"tenant-{turn}"].count += 1.0

    return sync(piece)


def decision(keys: int) -> Timed:
    """Of a registry of so many buckets, for keys that are there."""
    full = registry(KEYED["TokenBucket"], keys)
    turn = 0

    def piece() -> None:
        nonlocal turn
        turn = (turn + 7919) % keys
        full.get(f"tenant-{turn}", 0.0).take(0.0)

    return sync(piece)


def verdict(what: str, figure: float, limit: float) -> str:
    """One line on a target."""
    return f"Target: {what}, at most {limit:g}; it is {figure:.3g}: {'met' if figure <= limit else 'MISSED'}."


def main() -> None:
    arguments = parser(__doc__, rounds=40, calls=200)
    arguments.add_argument("--waiters", type=int, default=10_000, help="size of the crowd (default: %(default)s)")
    arguments.add_argument("--keys", type=int, default=100_000, help="of the registry (default: %(default)s)")
    given = arguments.parse_args()
    rounds, calls = given.rounds, given.calls

    ours = {f"{name}: take": take(make()) for name, make in LIMITERS.items()} | {OURS: reserve_and_claim()}
    others, missing = peers()
    face = TokenBucketRateLimiter(PLENTY, PLENTY)
    compared = {"ours: TokenBucketRateLimiter (2)": awaited(face.acquire)} | others
    registries = {f"{given.keys:,} keys (4)": decision(given.keys), "10 keys (4)": decision(10)}
    registries |= {f"a dictionary of {given.keys:,} (4)": look(given.keys), "a dictionary of 10 (4)": look(10)}
    cost = best(ours | compared | registries, rounds=rounds, calls=calls)

    print(f"{'One decision (1)':38}{'us':>8}")
    for name in [*ours, *compared, *registries]:
        print(f"{name:38}{cost[name] * 1e6:8.2f}")

    print(f"\n{'Waiters on one TokenBucket, each':38}{'us (3)':>8}{'wakes (3)':>11}")
    crowds = {size_: Crowd(size_) for size_ in (10, given.waiters)}
    repeats = {size_: max(1, given.waiters // size_) for size_ in crowds}
    waiting: dict[int, float] = {}
    for size_, crowd in crowds.items():

        async def places(_: int, crowd: Crowd = crowd, repeats: int = repeats[size_]) -> float:
            return await crowd.places(repeats)

        turn = best({"places": places}, rounds=min(rounds, 5), calls=1)
        waiting[size_] = turn["places"] / (size_ * repeats[size_]) * 1e6
        began = process_time()
        crowd._simulate()
        assert process_time() >= began
        print(f"{size_:<38,}{waiting[size_]:8.2f}{crowd.wakes:11.2f}")

    kept = f"A limiter for each of {given.keys:,} keys (5)"
    print(f"\n{kept:46}{'MiB':>8}{'bytes a key':>14}")
    sizes = {name: size(make, given.keys) for name, make in KEYED.items()}
    for name, taken in sizes.items():
        print(f"{name:46}{taken:8.1f}{taken * 2**20 / given.keys:14.0f}")
    largest = max(sizes.values()) / given.keys * 100_000
    print("\n" + FOOTNOTES.format(rounds=rounds, calls=calls, python=interpreter()), end="")
    if TARGET in cost:
        print(verdict(f"reserve and claim to {TARGET}", cost[OURS] / cost[TARGET], 0.1))
    print(verdict("a waiter in the crowd to one of ten", waiting[given.waiters] / waiting[10], 1.0))
    print(verdict("wakes of each", crowds[given.waiters].wakes, 1.4))
    print(verdict("MiB of 100,000 keys", largest, 60))
    print(
        verdict("a decision with all keys to one with ten", cost[f"{given.keys:,} keys (4)"] / cost["10 keys (4)"], 2)
    )
    ours_more, dictionary_more = (
        cost[f"{what}{given.keys:,}{rest} (4)"] - cost[f"{what}10{rest} (4)"]
        for what, rest in (("", " keys"), ("a dictionary of ", ""))
    )
    told = "what all those keys add to a decision, to what they add to a look into a dictionary"
    print(verdict(told, ours_more / dictionary_more, 3))
    if missing:
        print(f"Left out, not installed: {', '.join(missing)}. To compare: pip install 'sansio-http[bench]'")


if __name__ == "__main__":
    main()
