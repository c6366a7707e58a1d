"""An outage of ten seconds that retries make last for ever, and that a budget lets end.

The server can do 300 requests a second and is asked for 280. Each caller gives up after a second, and tries once more a
second later. After an outage everybody's queue is full, so whatever the server does is for a caller who has gone: twice
280 a second are asked for, more than it can do, and so it stays. N. Bronson et al., "Metastable Failures in Distributed
Systems", HotOS 2021.
"""

from __future__ import annotations

from sansio_http import ConstantBackoff, HTTPRequest, Policies, QuotaBudget, RetryBudget, RetryPolicy, Send
from sansio_http.testing import Reply, Simulator

CAPACITY, LOAD = 300, 280  # requests a second
BEFORE, OUTAGE = 3, 10  # seconds
HEALED = BEFORE + OUTAGE
PATIENCE = 1.0  # seconds that a caller waits for an answer
QUEUE = 2.0  # seconds of work that fit into the server's queue

GET = HTTPRequest("GET", "http://h/")


def live_through(budget: RetryBudget | None, seconds: int) -> tuple[list[int], list[int]]:
    """Requests sent and answered in time, second by second."""
    sent, good = [0] * (seconds + 5), [0] * (seconds + 5)
    free_at = 0.0  # when the server has done all that is in its queue

    def server(send: Send) -> Reply:
        nonlocal free_at
        now = simulator.now
        sent[int(now)] += 1
        begins = HEALED if BEFORE <= now < HEALED else now  # in the outage its queue fills, and nothing is done
        if free_at - begins > QUEUE:
            return Reply(after=10 * PATIENCE)  # dropped: its caller waits for nothing
        free_at = max(free_at, begins) + 1 / CAPACITY
        if free_at <= now + PATIENCE:
            good[int(free_at)] += 1
        return Reply(after=free_at - now)

    simulator = Simulator(server)
    retry = RetryPolicy(1, ConstantBackoff(1.0, "none"))
    policies = Policies(retry=retry, retry_budget=budget, attempt_timeout=PATIENCE)
    for number in range(LOAD * seconds):
        simulator.call(GET, policies, at=number / LOAD, listen=False)
    simulator.run()
    return sent, good


def test_without_a_budget_nothing_is_ever_answered_in_time_again():
    sent, good = live_through(None, HEALED + 10)
    assert good[BEFORE - 2] == LOAD
    for second in range(HEALED + 1, HEALED + 9):
        assert abs(sent[second] - 2 * LOAD) <= 6 and good[second] == 0


def test_with_one_all_is_well_again():
    sent, good = live_through(QuotaBudget(), HEALED + 22)
    assert good[BEFORE - 2] == LOAD
    assert max(sent) < 1.2 * LOAD
    assert good[HEALED + 1] == 0, "the queue is full of what nobody waits for"
    for second in range(HEALED + 18, HEALED + 21):
        assert abs(sent[second] - LOAD) <= 6
        assert good[second] >= LOAD - 6, "all that is asked for, and what is left in the queue"
