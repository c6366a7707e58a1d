"""Many clients contend for one row: what backoff and jitter do to the time and to the calls that it takes.

The model of M. Brooker, "Exponential Backoff And Jitter" (AWS Architecture Blog, 2015): each client reads the row's
version and writes the row, which succeeds if nobody else has written in between; else it backs off and starts again.
Every message takes abs(N(10, 2)) ms; backoff from a base of 5 ms, at most 2 s. Time is told in milliseconds.
"""

from __future__ import annotations

import os
import random
from collections.abc import Generator
from statistics import fmean

import pytest

from sansio_http import Backoff, ConstantBackoff, ExponentialBackoff, HTTPRequest, Policies, RetryPolicy, Send
from sansio_http.testing import Reply, Simulator

CLIENTS = 100
# The figures are means of a hundred runs, which the longer search has; a few are as near to them as may be asked.
LONG = os.environ.get("HYPOTHESIS_PROFILE") == "ci"
TOLERANCE = 0.1 if LONG else 0.25

FIRST = 10.0  # milliseconds: the model counts its retries from 1, so that the first backs off from twice the base


def commit_all(backoff: Backoff, seed: int) -> tuple[float, int]:
    """Milliseconds until every client has written, and the writes that it took."""
    dice = random.Random(seed)
    version = writes = 0

    def message() -> float:
        return abs(dice.gauss(10, 2))

    def server(send: Send) -> Generator[float, None, Reply]:
        nonlocal version, writes
        yield message()  # the question has come
        seen = version
        yield message() + message()  # its answer has gone back, and the write has come
        writes += 1
        if seen != version:
            return Reply(409, after=message())
        version += 1
        return Reply(after=message())

    simulator = Simulator(server)
    policies = Policies(retry=RetryPolicy(10**6, backoff, statuses={409}), rand=dice.random)
    for _ in range(CLIENTS):
        simulator.call(HTTPRequest("PUT", "http://row/"), policies, listen=False)
    simulator.run()
    assert version == CLIENTS, "each commits once"
    return simulator.now, writes


@pytest.mark.parametrize(
    ("backoff", "milliseconds", "calls", "few"),
    [
        (ConstantBackoff(0.0, "none"), 2033, 2425, 1),
        (ExponentialBackoff(FIRST, 2000.0, "none"), 63459, 1856, 2),
        (ExponentialBackoff(FIRST, 2000.0, "equal"), 6657, 812, 6),
        (ExponentialBackoff(FIRST, 2000.0, "full"), 4954, 796, 6),
        (ExponentialBackoff(5.0, 2000.0, "decorrelated"), 4554, 1002, 12),
    ],
    ids=["none", "exponential", "equal", "full", "decorrelated"],
)
def test_time_and_calls_are_those_of_the_model(backoff, milliseconds, calls, few):
    runs = [commit_all(backoff, seed) for seed in range(100 if LONG else few)]
    assert fmean(time for time, _ in runs) == pytest.approx(milliseconds, rel=TOLERANCE)
    assert fmean(writes for _, writes in runs) == pytest.approx(calls, rel=TOLERANCE)
