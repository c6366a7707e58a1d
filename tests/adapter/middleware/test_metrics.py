"""What is counted from each note, what a snapshot holds, and that neither grows nor tells a secret."""

from __future__ import annotations

import json
import threading
from typing import Any, get_args

import pytest

from sansio_http import (
    BodyRead,
    CallEnded,
    Challenged,
    Circuit,
    CircuitChanged,
    CircuitState,
    ConfigurationError,
    Hedged,
    Keyed,
    Note,
    Permit,
    Rebased,
    Redirected,
    Resent,
    Reservation,
    Retrying,
    SendEnded,
    Stopped,
    TokenBucket,
    Waited,
)
from sansio_http_anyio import (
    AsyncHTTPClient,
    BearerAuth,
    CircuitBreaker,
    CircuitBreakerOpenError,
    ClientConfig,
    RetryExhaustedError,
    SlidingWindowRateLimiter,
    TokenBucketRateLimiter,
)
from sansio_http_anyio.middleware import MetricsMiddleware
from sansio_http_anyio.middleware.metrics import BUCKETS
from tests.fixtures.mock_server import MockServer, Reply

URL = "https://api.example.com/users?token=***"
LABELS = ["0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "10", "30", "60", "inf"]
NOTHING: dict[str, Any] = {"count": 0, "sum": 0.0, "max": 0.0, "buckets": dict.fromkeys(LABELS, 0)}
EMPTY: dict[str, Any] = {
    "calls": {"count": {}, "errors": {}, "seconds": NOTHING},
    "attempts": {},
    "sends": {"count": {}, "errors": {}, "seconds": NOTHING},
    "response_bytes": 0,
    "body_errors": {},
    "retries": {},
    "stops": {},
    "hedges": {},
    "waits": NOTHING,
    "redirects": 0,
    "resends": 0,
    "challenges": 0,
    "rebases": 0,
    "circuit_breaker": {"state": None, "failures": None, "transitions": {}},
    "rate_limiter": None,
}


def sent(status: int | None = 200, error: str | None = None, *, elapsed: float = 0.02, size: int = 0) -> SendEnded:
    return SendEnded(7.0, 1, "GET", URL, status, error, elapsed, size)


def ended(status: int | None = 200, error: str | None = None, *, method: str = "GET", attempts: int = 1) -> CallEnded:
    return CallEnded(7.0, method, URL, attempts, 0.02, status, error)


def told(*notes: Note, **given: Any) -> dict[str, Any]:
    """The snapshot after the notes."""
    metrics = MetricsMiddleware(**given)
    for note in notes:
        metrics.on_note(note)
    return {**metrics.snapshot()}


def test_nothing_yet() -> None:
    assert told() == EMPTY


def test_calls_by_method_and_outcome() -> None:
    notes = [
        ended(),
        ended(404, attempts=2),
        ended(204, method="POST"),
        ended(None, "RetryExhaustedError: GET https://api.example.com: gave up", attempts=4),
        ended(None, "CircuitBreakerOpenError: circuit breaker is OPEN", method="POST", attempts=0),
        ended(None, "KeyError"),
    ]
    snapshot = told(*notes)
    assert snapshot["calls"]["count"] == {"GET": {"2xx": 1, "4xx": 1, "error": 2}, "POST": {"2xx": 1, "error": 1}}
    assert snapshot["calls"]["errors"] == {"RetryExhaustedError": 1, "CircuitBreakerOpenError": 1, "KeyError": 1}
    assert snapshot["attempts"] == {"GET": 8, "POST": 1}
    assert snapshot["calls"]["seconds"]["count"] == 6
    assert snapshot["sends"] == EMPTY["sends"]


def test_sends_by_outcome_and_bytes() -> None:
    lost = sent(None, "ConnectionLostError: reset (GET https://api.example.com, phase head)")
    snapshot = told(sent(size=40), sent(503, size=2), lost, lost)
    assert snapshot["sends"]["count"] == {"GET": {"2xx": 1, "5xx": 1, "error": 2}}
    assert snapshot["sends"]["errors"] == {"ConnectionLostError": 2}
    assert snapshot["response_bytes"] == 42
    assert snapshot["calls"] == EMPTY["calls"]


def test_durations_fall_into_buckets() -> None:
    durations = [0.0, 0.005, 0.0051, 1.0, 59.0, 60.0, 61.0]
    seconds = told(*(sent(elapsed=elapsed) for elapsed in durations))["sends"]["seconds"]
    assert (seconds["count"], seconds["sum"], seconds["max"]) == (7, pytest.approx(sum(durations)), 61.0)
    # Each holds those before it, as in Prometheus.
    assert seconds["buckets"] == {label: sum(each <= float(label) for each in durations) for label in LABELS}
    assert [float(label) for label in LABELS] == [*BUCKETS, float("inf")]


def test_retries_stops_waits_redirects_resends_and_clocks() -> None:
    snapshot = told(
        Retrying(7.0, 1, "GET", URL, "status", 1.0),
        Retrying(7.0, 2, "GET", URL, "status", 2.0),
        Retrying(7.0, 3, "GET", URL, "timeout", 4.0),
        Stopped(7.0, 4, "GET", URL, "attempts"),
        Waited(7.0, 1, "GET", URL, 0.25),
        Waited(7.0, 2, "GET", URL, 3.0),
        Redirected(7.0, 1, "GET", URL, 302, URL),
        Resent(7.0, 1, "GET", URL),
        Resent(7.0, 2, "GET", URL),
        Challenged(7.0, 2, "GET", URL),
        Rebased(7.0, "<TokenBucket 1/s>"),
    )
    assert snapshot["retries"] == {"status": 2, "timeout": 1}
    assert snapshot["stops"] == {"attempts": 1}
    waits = snapshot["waits"]
    assert (waits["count"], waits["sum"], waits["max"]) == (2, 3.25, 3.0)
    assert (snapshot["redirects"], snapshot["resends"], snapshot["rebases"]) == (1, 2, 1)
    assert snapshot["challenges"] == 1


def test_streams() -> None:
    snapshot = told(
        sent(size=0),
        BodyRead(7.0, 1, "GET", URL, 500, None),
        BodyRead(7.0, 1, "GET", URL, 20, "ResponseBodyError: cut off"),
    )
    assert snapshot["response_bytes"] == 520
    assert snapshot["body_errors"] == {"ResponseBodyError": 1}


def test_the_circuit_as_the_notes_tell_it() -> None:
    changes = [("CLOSED", "OPEN"), ("OPEN", "HALF_OPEN"), ("HALF_OPEN", "OPEN"), ("OPEN", "HALF_OPEN")]
    notes = [CircuitChanged(7.0, CircuitState(before), CircuitState(after)) for before, after in changes]
    assert told(*notes)["circuit_breaker"] == {
        "state": "HALF_OPEN",
        "failures": None,
        "transitions": {"CLOSED->OPEN": 1, "OPEN->HALF_OPEN": 2, "HALF_OPEN->OPEN": 1},
    }


def test_the_circuit_itself_and_it_does_not_move() -> None:
    circuit = Circuit(failure_threshold=2, recovery_timeout=10.0)
    metrics = MetricsMiddleware(circuit_breaker=circuit, clock=lambda: 1000.0)

    def fail() -> None:
        permit = circuit.admit(0.0)
        assert isinstance(permit, Permit)
        circuit.settle(permit, True, 0.0)

    fail()
    assert metrics.snapshot()["circuit_breaker"] == {"state": "CLOSED", "failures": 1, "transitions": {}}
    fail()
    assert metrics.snapshot()["circuit_breaker"] == {"state": "OPEN", "failures": 0, "transitions": {}}
    assert circuit.last_state is CircuitState.OPEN  # long after its break: that is for a call to notice, and to note


def test_the_limiter_itself() -> None:
    bucket = TokenBucket(rate=1.0, burst=3.0)
    place = bucket.reserve(0.0)
    assert isinstance(place, Reservation)
    bucket.claim(place, 0.0)
    bucket.reserve(0.0)
    assert told(rate_limiter=bucket, clock=lambda: 0.5)["rate_limiter"] == {"waiting": 1, "available": 2.5}
    assert told(rate_limiter=SlidingWindowRateLimiter(5, 1.0))["rate_limiter"] == {"waiting": 0, "available": None}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"circuit_breaker": TokenBucket(1, 1)},
            "circuit_breaker: TokenBucket is not allowed; it is a Circuit, or None",
        ),
        ({"rate_limiter": Circuit()}, "rate_limiter: Circuit is not allowed; it is a Limiter, or None"),
        ({"circuit_breaker": Keyed(Circuit, lambda request: request.url)}, "circuit_breaker: Keyed is not allowed"),
    ],
)
def test_wrong_arguments(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        MetricsMiddleware(**given)
    assert str(raised.value).startswith(message)


ONE_OF_EACH: list[Note] = [
    sent(),
    sent(None, "ConnectError: refused"),
    ended(),
    Retrying(7.0, 1, "GET", URL, "status", 1.0),
    Stopped(7.0, 4, "GET", URL, "attempts"),
    Waited(7.0, 1, "GET", URL, 0.25),
    Hedged(7.0, 1, "GET", URL, 0.5, None),
    CircuitChanged(7.0, CircuitState.CLOSED, CircuitState.OPEN),
    Redirected(7.0, 1, "GET", URL, 302, URL),
    Resent(7.0, 1, "GET", URL),
    Challenged(7.0, 1, "GET", URL),
    Rebased(7.0, "<TokenBucket 1/s>"),
    BodyRead(7.0, 1, "GET", URL, 20, "ResponseBodyError: cut off"),
]


def test_every_kind_of_note_counts() -> None:
    assert {type(note) for note in ONE_OF_EACH} == {*get_args(Note)}
    for note in ONE_OF_EACH:
        assert told(note) != EMPTY


def test_a_snapshot_is_plain_and_a_copy() -> None:
    metrics = MetricsMiddleware(circuit_breaker=Circuit(), rate_limiter=TokenBucket(1, 1))
    for note in ONE_OF_EACH:
        metrics.on_note(note)
    first = metrics.snapshot()
    text = json.dumps(first, allow_nan=False)
    assert json.loads(text) == first
    for note in ONE_OF_EACH:
        metrics.on_note(note)
    assert json.dumps(first) == text
    assert metrics.snapshot()["sends"]["count"] == {"GET": {"2xx": 2, "error": 2}}


def test_reset_forgets_all_but_the_state() -> None:
    metrics = MetricsMiddleware()
    for note in ONE_OF_EACH:
        metrics.on_note(note)
    metrics.reset()
    snapshot = metrics.snapshot()
    assert snapshot["circuit_breaker"]["state"] == "OPEN"
    snapshot["circuit_breaker"]["state"] = None
    assert snapshot == EMPTY


def test_tables_do_not_grow_without_end_and_have_no_urls() -> None:
    notes: list[Note] = []
    for number in range(1000):
        notes.append(sent(None, f"Error{number}: about {URL}"))
        notes.append(ended(None, f"Error{number}: about {URL}"))
        notes.append(Retrying(7.0, 1, "GET", URL, f"reason {number}", 1.0))
        notes.append(Stopped(7.0, 1, "GET", URL, f"reason {number}"))
        notes.append(Redirected(7.0, 1, "GET", URL, 302, f"https://host{number}.example.com/"))
    snapshot = told(*notes)
    tables = [snapshot["sends"]["errors"], snapshot["calls"]["errors"], snapshot["retries"], snapshot["stops"]]
    for table in tables:
        assert (len(table), sum(table.values()), table["other"]) == (65, 1000, 936)
    assert "example.com" not in json.dumps(snapshot)


def test_several_threads() -> None:
    metrics = MetricsMiddleware()
    done = threading.Event()

    def work(number: int) -> None:
        for count in range(500):
            metrics.on_note(sent(size=1))
            metrics.on_note(Retrying(7.0, 1, "GET", URL, f"{number} {count % 10}", 1.0))

    def look() -> None:
        while not done.is_set():
            metrics.snapshot()

    onlooker = threading.Thread(target=look)
    workers = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in (onlooker, *workers):
        thread.start()
    for thread in workers:
        thread.join()
    done.set()
    onlooker.join()
    snapshot = metrics.snapshot()
    assert (snapshot["response_bytes"], sum(snapshot["retries"].values())) == (2000, 2000)


@pytest.mark.anyio
async def test_two_clients_are_counted_and_no_secret_is_told() -> None:
    breaker = CircuitBreaker(failure_threshold=2, recovery_timeout=60.0)
    limiter = TokenBucketRateLimiter(rate=0.001, burst=100)
    metrics = MetricsMiddleware(circuit_breaker=breaker, rate_limiter=limiter)
    config = ClientConfig(retry_attempts=1, retry_backoff_factor=0.0, follow_redirects=True)
    with MockServer() as server:
        answered = Reply(503, body=b"canary-answer", headers={"X-Key": "canary-field", "Connection": "close"})
        server.on("POST /flaky", answered, Reply.reset())
        server.on("GET /moved", Reply(302, headers={"Location": "/json?q=canary-location"}))
        async with (
            AsyncHTTPClient(server.url, config, BearerAuth("canary-token"), [metrics], limiter, breaker) as first,
            AsyncHTTPClient(server.url, config, middlewares=[metrics], headers={"X-API-Key": "canary-key"}) as second,
        ):
            await second.get("/moved", params={"q": "canary-query"})
            async with second.stream("GET", "/bytes/1000") as response:
                await response.aread()
            with pytest.raises(RetryExhaustedError):
                await first.post("/flaky", json="canary-body", idempotency_key="canary-idempotency")
            with pytest.raises(CircuitBreakerOpenError):
                await first.get("/json")

    snapshot = metrics.snapshot()
    assert snapshot["calls"]["count"] == {"GET": {"2xx": 2, "error": 1}, "POST": {"error": 1}}
    assert snapshot["calls"]["errors"] == {"RetryExhaustedError": 1, "CircuitBreakerOpenError": 1}
    assert snapshot["attempts"] == {"GET": 2, "POST": 2}
    assert snapshot["sends"]["count"] == {"GET": {"3xx": 1, "2xx": 2}, "POST": {"5xx": 1, "error": 1}}
    assert snapshot["sends"]["errors"] == {"ConnectionLostError": 1}
    assert snapshot["response_bytes"] == len(b'{"hello": "world"}') + 1000 + len(b"canary-answer")
    assert snapshot["redirects"] == 1
    assert (snapshot["retries"], snapshot["stops"]) == ({"status": 1}, {"attempts": 1})
    assert snapshot["circuit_breaker"] == {"state": "OPEN", "failures": 0, "transitions": {"CLOSED->OPEN": 1}}
    assert snapshot["rate_limiter"] == {"waiting": 0, "available": pytest.approx(98, abs=0.1)}
    assert "canary" not in json.dumps(snapshot)
    assert "127.0.0.1" not in json.dumps(snapshot)


def test_hedges() -> None:
    metrics = MetricsMiddleware()
    for skipped in (None, "budget", None):
        metrics.on_note(Hedged(1.0, 1, "GET", URL, 0.1, skipped))
    assert metrics.snapshot()["hedges"] == {"sent": 2, "budget": 1}
