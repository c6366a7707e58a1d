"""The law of client-side throttling: what goes out is k times what the server accepts, however much is wanted.

B. Beyer et al., "Site Reliability Engineering", 2016, chapter 21.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sansio_http import HTTPRequest, Policies, RateLimitError, Send, Throttle, TokenBucket
from sansio_http.testing import Reply, Simulator

CAPACITY = 100  # requests a second that the server accepts; it refuses the others
WINDOW = 8.0  # seconds, of the throttle: the law does not depend on it, how soon it holds does


def evenly() -> Callable[[], float]:
    """Dice without luck: any run of them is spread evenly over [0, 1) (a golden-ratio sequence)."""
    shows = 0.0

    def roll() -> float:
        nonlocal shows
        shows = (shows + 0.6180339887498949) % 1
        return shows

    return roll


@pytest.mark.parametrize(
    ("k", "offered", "least", "most"), [(2.0, 300, 199, 201), (2.0, 500, 199, 201), (1.1, 300, 109, 110)]
)
def test_the_server_sees_k_times_what_it_accepts(k: float, offered: int, least: float, most: float) -> None:
    seen: list[float] = []
    capacity = TokenBucket(CAPACITY, burst=10)  # of the server

    def server(send: Send) -> Reply:
        seen.append(simulator.now)
        return Reply(200 if capacity.take(simulator.now) else 503, after=0.01)

    simulator = Simulator(server)
    throttle = Throttle(evenly(), k=k, window=WINDOW)
    policies, request = Policies(limiter=throttle), HTTPRequest("GET", "http://h/")
    seconds = int(3 * WINDOW)
    calls = [
        simulator.call(request, policies, at=number / offered, listen=False) for number in range(seconds * offered)
    ]
    simulator.run()
    settled = sum(at >= 2 * WINDOW for at in seen) / WINDOW
    assert least <= round(settled) <= most
    rejected = [call.outcome for call in calls if isinstance(call.outcome, RateLimitError)]
    assert len(rejected) == throttle.rejected == len(calls) - len(seen)


def test_and_all_that_is_wanted_where_it_accepts_all() -> None:
    simulator = Simulator(lambda send: Reply(200, after=0.01))
    throttle = Throttle(evenly(), window=WINDOW)
    policies = Policies(limiter=throttle)
    for number in range(900):
        simulator.call(HTTPRequest("GET", "http://h/"), policies, at=number / 90, listen=False)
    simulator.run()
    assert throttle.rejected == 0


def test_it_notices_in_time_that_the_server_is_well_again() -> None:
    """It has refused everything for a window: then the few that still go out, and the more that follow them, tell."""
    ill = True
    simulator = Simulator(lambda send: Reply(503 if ill else 200, after=0.01))
    throttle = Throttle(evenly(), window=WINDOW)
    policies = Policies(limiter=throttle)
    for number in range(int(7 * WINDOW * 50)):
        simulator.call(HTTPRequest("GET", "http://h/"), policies, at=number / 50, listen=False)
    simulator.run(until=WINDOW)
    assert throttle.rejected > 0.95 * 50 * WINDOW
    ill = False
    simulator.run(until=6 * WINDOW)
    before = throttle.rejected
    simulator.run()
    assert throttle.rejected == before
