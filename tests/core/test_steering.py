"""What limiters hear of how sends end, and of what the server says."""

from __future__ import annotations

from typing import Any

import pytest

from sansio_http import (
    AIMD,
    AdaptiveRate,
    Combined,
    Concurrency,
    ConnectError,
    ConnectTimeoutError,
    HTTPRequest,
    HTTPResponse,
    Policies,
    PoolTimeoutError,
    RateLimitError,
    ReadTimeoutError,
    ServerQuota,
    TokenBucket,
)
from sansio_http.testing import Reply, SimulatedCall, Simulator, script

GET = HTTPRequest("GET", "http://h/x")


def run(reply: Reply, *, at: float = 0.0, timeout: float | None = None, **policies: Any) -> SimulatedCall:
    simulator = Simulator(script(reply), now=at)
    call = simulator.call(HTTPRequest("GET", "http://h/x", timeout=timeout), Policies(**policies))
    simulator.run()
    return call


@pytest.mark.parametrize("where", ["limiter", "slots"])
@pytest.mark.parametrize(
    ("reply", "limit"),
    [
        (Reply(200), 3),
        (Reply(404), 3),
        (Reply(500), 3),
        (Reply(429), 1),
        (Reply(503), 1),
        (Reply(error=ReadTimeoutError), 1),
        (Reply(error=ConnectTimeoutError), 1),
        (Reply(error=ConnectError), 2),
        (Reply(error=PoolTimeoutError), 2),
        (Reply(error=lambda send: ValueError()), 2),
    ],
)
def test_an_adaptive_limit_hears_how_each_send_ended(reply, limit, where):
    learns = AIMD(backoff=0.5, min_limit=1, initial=2)
    run(reply, **{where: learns})
    assert (learns.limit, learns.in_use) == (limit, 0)


def test_a_send_that_ran_out_of_time_was_dropped_and_one_that_nobody_waits_for_is_ignored():
    learns = AIMD(backoff=0.5, min_limit=1, initial=4)
    run(Reply(after=60.0), timeout=2.0, limiter=learns)
    assert learns.limit == 2
    simulator = Simulator(script(Reply(after=60.0)), now=100.0)
    simulator.call(GET, Policies(limiter=learns), cancel_at=101.0)
    simulator.run()
    assert (learns.limit, learns.in_use) == (2, 0)


def test_an_adaptive_rate_begins_with_the_first_refusal():
    limiter = AdaptiveRate()
    for reply, limited in ((Reply(200), False), (Reply(error=ReadTimeoutError), False), (Reply(429), True)):
        run(reply, limiter=limiter)
        assert limiter.limited is limited


@pytest.mark.parametrize(
    "limiter",
    [
        lambda: ServerQuota(),
        lambda: Combined(TokenBucket(100, 100), ServerQuota()),
        lambda: [Concurrency(5), ServerQuota()],
    ],
)
@pytest.mark.parametrize(("status", "waits"), [(429, 30.0), (503, 30.0), (200, 0.0), (500, 0.0)])
def test_retry_after_beside_a_refusal_holds_all_calls_back(limiter, status, waits):
    policies = {"limiter": limiter()}
    run(Reply(status, {"Retry-After": "30"}), **policies)
    simulator = Simulator(script(Reply(200)), now=0.0)
    calls = [simulator.call(GET, Policies(**policies)) for _ in range(2)]
    simulator.run()
    assert [call.ended_at for call in calls] == [waits, waits]


def test_a_date_is_measured_by_the_wall_where_the_server_shows_none():
    limiter = ServerQuota()
    reply = Reply(429, {"Retry-After": "Fri, 31 Dec 1999 23:59:59 GMT"})
    run(reply, limiter=limiter)
    assert limiter.take(0.0) is not None  # without a clock on the wall it cannot be known
    run(reply, limiter=limiter, wall=lambda: 946684796.0)
    assert limiter.take(2.9) is None and limiter.take(3.0) is not None


def test_who_cannot_wait_that_long_is_refused_at_once():
    limiter = ServerQuota()
    run(Reply(429, {"Retry-After": "30"}), limiter=limiter)
    error = run(Reply(200), timeout=10.0, limiter=limiter).outcome
    assert isinstance(error, RateLimitError) and error.local and error.retry_after == 30.0


def test_a_refusal_that_names_no_time_holds_nobody_back():
    limiter = ServerQuota()
    assert isinstance(run(Reply(429), limiter=limiter).outcome, HTTPResponse)
    assert limiter.take(0.0) is not None


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"RateLimit": '"default";r=2;t=30'}, [0.0, 0.0, 30.0]),
        ({"RateLimit": '"default";r=0;t=30', "RateLimit-Policy": '"default";q=2;w=60'}, [30.0, 30.0, 90.0]),
        (
            {"RateLimit": '"day";r=900;t=4000, "burst";r=1;t=20', "RateLimit-Policy": '"burst";q=5;w=20'},
            [0.0, 20.0, 20.0],
        ),
        ({"RateLimit": '"one";r=0;t=5, "two";r=0;t=50'}, [50.0, 100.0, 150.0]),
        ({"RateLimit": '"bytes";r=0;t=50', "RateLimit-Policy": '"bytes";q=9;w=50;qu="content-bytes"'}, [0.0] * 3),
        ({"RateLimit-Policy": '"default";q=1;w=60'}, [0.0] * 3),
        ({"RateLimit": "nonsense"}, [0.0] * 3),
    ],
)
def test_what_is_left_by_the_servers_count_is_what_goes(fields, expected):
    limiter = ServerQuota()
    run(Reply(200, fields), limiter=limiter)
    simulator = Simulator(script(Reply(200)))
    calls = [simulator.call(GET, Policies(limiter=limiter)) for _ in range(3)]
    simulator.run()
    assert [call.ended_at for call in calls] == expected


def test_it_is_told_to_each_of_a_row():
    quotas = ServerQuota(), Combined(ServerQuota(), TokenBucket(100, 100))
    run(Reply(200, {"RateLimit": '"default";r=0;t=30'}), limiter=list(quotas))
    assert all(quota.take(29.0) is None and quota.take(30.0) is not None for quota in quotas)
