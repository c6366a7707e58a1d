"""What the core does in a second: steps of the Simulator, a retry, a wait for the limiter, and a crowd that waits.

python benchmarks/core_steps.py                 # some ten seconds
python benchmarks/core_steps.py --waiters 1 --waiters 100000
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import cycle
from time import process_time

from _timing import Timed, best, interpreter, parser, sync

from sansio_http import (
    Bearer,
    Call,
    Circuit,
    Claimed,
    Concurrency,
    Ended,
    ExponentialBackoff,
    HTTPRequest,
    HTTPResponse,
    Policies,
    Reservation,
    RetryPolicy,
    Step,
    TokenBucket,
    Woke,
)
from sansio_http.testing import Reply, Simulator

REQUEST = HTTPRequest("GET", "https://api.example.com/items/1", timeout=1e9)
OK = HTTPResponse(200, {"Content-Type": "application/json"}, b'{"id": 1}')
BUSY = HTTPResponse(503)
RATE = 1000.0  # tokens a second, of the bucket that a crowd waits for

FOOTNOTES = """\
Best of {rounds} rounds, taking turns; CPU time of this process; no garbage collection; {python}.
(1) Events that the Simulator delivered in a second (starts, answers, wake-ups), while {calls} calls with every policy
    on met a server of which each third answer is a 503. The Simulator's own work is in it: its heap, its checks.
(2) With every policy on, driven by hand: Call, start, handle, close. A retry: a 503, the wait, a second send. A wait:
    the bucket is empty at first. What either adds is the difference.
(3) So many calls start at once, by a bucket of one token that gets {rate:g} a second; each sends when it is let in, and
    is answered at once. By the Simulator, whose heap they share.
(4) The queue without calls: reserve, claim too early, claim in time.
(5) How often one is woken before it goes out: 1 is the least there can be, for all but the first.
"""


def policies(limiter: TokenBucket | None = None) -> Policies:
    return Policies(
        retry=RetryPolicy(backoff=ExponentialBackoff(jitter="none")),
        circuit=Circuit(),
        limiter=limiter or TokenBucket(rate=1e9, burst=10**9),
        slots=Concurrency(10**6),
        auth=Bearer("token"),
        auth_origin="https://api.example.com",
    )


# --- one call --------------------------------------------------------------------------------------------------------


def drive(shared: Policies, now: float, answers: Callable[[], HTTPResponse]) -> float:
    """One call from start to close; the time at its end."""
    call = Call(REQUEST, shared)
    step: Step = call.start(now)
    while step.done is None:
        if step.send:
            now += 0.01
            step = call.handle(Ended(step.send[0].id, answers()), now)
        else:
            assert step.wake_at is not None
            now = step.wake_at
            step = call.handle(Woke(), now)
    call.close(now)
    return now


def one_call() -> dict[str, Timed]:
    """A call that succeeds at once, one that is retried, and one that waits for its token."""

    def piece(shared: Policies, pause: float, *answers: HTTPResponse) -> Timed:
        given = cycle(answers).__next__
        now = 0.0

        def run() -> None:
            nonlocal now
            now = drive(shared, now + pause, given)

        return sync(run)

    return {
        "a call that succeeds at once": piece(policies(), 10.0, OK),
        "one that is retried once": piece(policies(), 10.0, BUSY, OK),
        "one that waits for the bucket": piece(policies(TokenBucket(rate=1.0, burst=1)), 0.0, OK),
    }


# --- many ------------------------------------------------------------------------------------------------------------


class Crowd:
    """Calls that start at once by one bucket.

    Attributes:
        wakes: of each, on average.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.wakes = 0.0

    async def calls(self, repeats: int) -> float:
        """All of them in a Simulator; seconds of CPU a round of the crowd."""
        return sum(self._simulate() for _ in range(repeats))

    def _simulate(self) -> float:
        shared = policies(TokenBucket(rate=RATE, burst=1))
        simulator = Simulator(lambda send: Reply(200))
        began = process_time()
        crowd = [simulator.call(REQUEST, shared, listen=False) for _ in range(self.size)]
        simulator.run()
        took = process_time() - began
        assert all(call.response.is_success for call in crowd)
        self.wakes = sum(call.wakes for call in crowd) / self.size
        return took

    async def places(self, repeats: int) -> float:
        """The bucket's queue alone."""
        return sum(self._queue() for _ in range(repeats))

    def _queue(self) -> float:
        bucket = TokenBucket(rate=RATE, burst=1)
        began = process_time()
        bucket.claim(_place(bucket), 0.0)
        queue = [_place(bucket) for _ in range(self.size)]
        for place in queue:
            bucket.claim(place, 0.0)
        for number, place in enumerate(queue, 1):
            assert isinstance(bucket.claim(place, number / RATE), Claimed)
        return process_time() - began


def _place(bucket: TokenBucket) -> Reservation:
    place = bucket.reserve(0.0)
    assert isinstance(place, Reservation)
    return place


class Traffic:
    """Calls of all kinds in a Simulator.

    Attributes:
        steps: events that came.
    """

    def __init__(self) -> None:
        self.steps = 0

    async def run(self, calls: int) -> float:
        """So many calls, one every 10 ms."""
        answers = cycle([Reply(200, after=0.05), Reply(200, after=0.2), Reply(503, after=0.01)]).__next__
        simulator = Simulator(lambda send: answers())
        shared = policies(TokenBucket(rate=90.0, burst=10))
        for number in range(calls):
            simulator.call(REQUEST, shared, at=number / 100, listen=False)
        began = process_time()
        simulator.run()
        took = process_time() - began
        self.steps = len(simulator.trace)
        return took


def main() -> None:
    arguments = parser(__doc__, rounds=20, calls=500)
    arguments.add_argument("--waiters", type=int, action="append", help="size of a crowd (default: 1, 100, 10000)")
    given = arguments.parse_args()
    rounds, calls = given.rounds, given.calls

    traffic = Traffic()
    cost = best({"traffic": traffic.run} | one_call(), rounds=rounds, calls=calls)
    print(f"{'Simulator (1)':38}{traffic.steps / (cost.pop('traffic') * calls):8,.0f} steps a second")

    print(f"\n{'One call (2)':38}{'us':>8}{'adds':>8}")
    plain = min(cost.values())
    for name, seconds in cost.items():
        print(f"{name:38}{seconds * 1e6:8.2f}{(seconds - plain) * 1e6:8.2f}")

    print(f"\n{'Waiters on one TokenBucket, each':24}{'call, us (3)':>14}{'place, us (4)':>15}{'wakes (5)':>11}")
    for size in given.waiters or (1, 100, 10_000):
        crowd = Crowd(size)
        turns, repeats = max(1, min(rounds, 30_000 // size)), max(1, calls // size)
        each = best({"calls": crowd.calls, "places": crowd.places}, rounds=turns, calls=repeats)
        figures = [seconds / size * 1e6 for seconds in each.values()]
        print(f"{size:<24,}{figures[0]:22.2f}{figures[1]:15.2f}{crowd.wakes:11.2f}")

    print("\n" + FOOTNOTES.format(rounds=rounds, calls=calls, rate=RATE, python=interpreter()), end="")


if __name__ == "__main__":
    main()
