"""One record for each note: its level, its line, its attributes, and no secret in any of them."""

from __future__ import annotations

import logging
import re
from typing import Any, get_args

import pytest

from sansio_http import (
    BodyRead,
    CallEnded,
    Challenged,
    CircuitChanged,
    ConfigurationError,
    Hedged,
    Note,
    Rebased,
    Redirected,
    Resent,
    Retrying,
    SendEnded,
    Stopped,
    Waited,
)
from sansio_http_anyio import AsyncHTTPClient, BearerAuth, ClientConfig, RetryExhaustedError
from sansio_http_anyio.middleware import LoggingMiddleware
from sansio_http_anyio.middleware.logging import LEVELS
from tests.fixtures.mock_server import MockServer, Reply

URL = "https://api.example.com/users?token=***"
OTHER = "https://www.example.com/people?token=***"

ONE_OF_EACH: list[tuple[Note, int, str, dict[str, Any]]] = [
    (
        SendEnded(7.0, 1, "GET", URL, 200, None, 0.0123, 42),
        logging.INFO,
        f"GET {URL} attempt 1: 200 in 12.3 ms, 42 bytes",
        {
            "http_at": 7.0,
            "http_attempt": 1,
            "http_method": "GET",
            "http_url": URL,
            "http_status_code": 200,
            "http_error": None,
            "http_elapsed": 0.0123,
            "http_milliseconds": pytest.approx(12.3),
            "http_bytes": 42,
        },
    ),
    (
        SendEnded(7.0, 2, "GET", URL, None, f"ConnectError: refused (GET {URL}, phase connect)", 0.5, 0),
        logging.INFO,
        f"GET {URL} attempt 2: no answer in 500.0 ms, ConnectError: refused (phase connect)",
        {"http_status_code": None, "http_error": "ConnectError: refused (phase connect)"},
    ),
    (
        Redirected(7.0, 1, "GET", URL, 302, OTHER),
        logging.INFO,
        f"GET {URL} attempt 1: 302 leads to {OTHER}",
        {"http_attempt": 1, "http_method": "GET", "http_status_code": 302, "http_url": URL, "http_to": OTHER},
    ),
    (
        Resent(7.0, 1, "GET", URL),
        logging.INFO,
        f"GET {URL} attempt 1: the kept connection had been closed, sent once more",
        {"http_attempt": 1, "http_method": "GET", "http_url": URL},
    ),
    (
        Challenged(7.0, 1, "GET", URL),
        logging.INFO,
        f"GET {URL} attempt 1: a 401 was answered, sent once more with new credentials",
        {"http_attempt": 1, "http_method": "GET", "http_url": URL},
    ),
    (
        Hedged(7.0, 1, "GET", URL, 0.25, None),
        logging.INFO,
        f"GET {URL} attempt 1: no answer in 0.250 s, sent once more beside it",
        {"http_attempt": 1, "http_method": "GET", "http_url": URL, "http_delay": 0.25, "http_skipped": None},
    ),
    (
        Hedged(7.0, 1, "GET", URL, 0.25, "budget"),
        logging.INFO,
        f"GET {URL} attempt 1: no answer in 0.250 s, not sent again beside it (budget)",
        {"http_skipped": "budget"},
    ),
    (
        Retrying(7.0, 1, "GET", URL, "retry_after", 1.5),
        logging.WARNING,
        f"GET {URL} attempt 1 failed (retry_after): the next one in 1.500 s",
        {"http_attempt": 1, "http_method": "GET", "http_url": URL, "http_reason": "retry_after", "http_delay": 1.5},
    ),
    (
        CircuitChanged(7.0, "CLOSED", "OPEN"),
        logging.WARNING,
        "circuit breaker: CLOSED -> OPEN",
        {"http_before": "CLOSED", "http_after": "OPEN"},
    ),
    (
        Rebased(7.0, "<TokenBucket 1/s>"),
        logging.WARNING,
        "<TokenBucket 1/s> met another clock and counts on from there",
        {"http_policy": "<TokenBucket 1/s>"},
    ),
    (
        Stopped(7.0, 4, "GET", URL, "attempts"),
        logging.ERROR,
        f"GET {URL} attempt 4 failed, and no other follows (attempts)",
        {"http_attempt": 4, "http_method": "GET", "http_url": URL, "http_reason": "attempts"},
    ),
    (
        Waited(7.0, 1, "GET", URL, 0.25),
        logging.DEBUG,
        f"GET {URL} attempt 1 waited 0.250 s for its place",
        {"http_attempt": 1, "http_method": "GET", "http_url": URL, "http_seconds": 0.25},
    ),
    (
        BodyRead(7.0, 1, "GET", URL, 5000, None),
        logging.DEBUG,
        f"GET {URL} attempt 1: the body ended after 5000 bytes",
        {"http_attempt": 1, "http_method": "GET", "http_url": URL, "http_bytes": 5000, "http_error": None},
    ),
    (
        BodyRead(7.0, 1, "GET", URL, 500, f"ResponseBodyError: cut off (GET {URL}, phase body)"),
        logging.DEBUG,
        f"GET {URL} attempt 1: the body failed after 500 bytes, ResponseBodyError: cut off (phase body)",
        {"http_bytes": 500, "http_error": "ResponseBodyError: cut off (phase body)"},
    ),
    (
        CallEnded(7.0, "GET", URL, 2, 1.25, 404, None),
        logging.DEBUG,
        f"GET {URL}: 404 (attempts: 2, 1250.0 ms)",
        {"http_attempts": 2, "http_status_code": 404, "http_elapsed": 1.25, "http_milliseconds": 1250.0},
    ),
    (
        CallEnded(7.0, "GET", URL, 4, 1.25, None, f"RetryExhaustedError: GET {URL}: gave up"),
        logging.DEBUG,
        f"GET {URL}: failed (attempts: 4, 1250.0 ms), RetryExhaustedError: gave up",
        {"http_status_code": None, "http_error": "RetryExhaustedError: gave up"},
    ),
]


class Records(logging.Handler):
    """Keeps the records as they come."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)

    @property
    def everything(self) -> str:
        """All text, attributes and arguments there are."""
        return "\n".join(f"{record.getMessage()} {record.__dict__!r}" for record in self.records)


def listening(level: int = logging.DEBUG) -> tuple[logging.Logger, Records]:
    """A logger of its own, and what it was told."""
    logger = logging.Logger("of-this-test", level)
    records = Records()
    logger.addHandler(records)
    return logger, records


@pytest.mark.parametrize(("note", "level", "line", "attributes"), ONE_OF_EACH)
def test_a_note_becomes_one_record(note: Note, level: int, line: str, attributes: dict[str, Any]) -> None:
    logger, seen = listening()
    LoggingMiddleware(logger).on_note(note)
    (record,) = seen.records
    assert (record.levelno, record.getMessage()) == (level, line)
    assert vars(record) == vars(record) | attributes | {"http_event": type(note).__name__, "http_at": 7.0}


def test_every_kind_of_note_has_its_record() -> None:
    kinds = {*get_args(Note)}
    assert {type(note) for note, *_ in ONE_OF_EACH} == kinds == {*LEVELS}


def test_the_levels_are_those_that_the_docstring_names() -> None:
    rows = re.findall(r"``(\w+)`` +([A-Z]+) ", LoggingMiddleware.__doc__ or "")
    assert dict(rows) == {kind.__name__: logging.getLevelName(level) for kind, level in LEVELS.items()}


def test_the_text_is_put_together_only_if_somebody_wants_it() -> None:
    logger, seen = listening()
    LoggingMiddleware(logger).on_note(Stopped(7.0, 4, "GET", URL, "attempts"))
    (record,) = seen.records
    template = "%(http_method)s %(http_url)s attempt %(http_attempt)d failed, and no other follows (%(http_reason)s)"
    assert record.msg == template


def test_a_level_that_is_off_costs_nothing() -> None:
    class Loud(logging.Logger):
        def log(self, level: int, msg: object, *args: object, **kwargs: Any) -> None:
            raise AssertionError(f"asked to log at {level}")

    watcher = LoggingMiddleware(Loud("loud", logging.ERROR))
    for note, level, *_ in ONE_OF_EACH:
        if level < logging.ERROR:
            watcher.on_note(note)


@pytest.mark.parametrize("name", ["sansio_http", "of.the.program"])
def test_a_logger_may_be_named(name: str) -> None:
    watcher = LoggingMiddleware() if name == "sansio_http" else LoggingMiddleware(name)
    assert watcher.logger is logging.getLogger(name)


def test_other_levels() -> None:
    logger, seen = listening(logging.NOTSET)
    watcher = LoggingMiddleware(logger, levels={Waited: logging.WARNING, Stopped: logging.NOTSET})
    waited, stopped = Waited(7.0, 1, "GET", URL, 0.25), Stopped(7.0, 4, "GET", URL, "attempts")
    for note in (waited, stopped, Retrying(7.0, 1, "GET", URL, "status", 1.0)):
        watcher.on_note(note)
    assert [(record.levelname, vars(record)["http_event"]) for record in seen.records] == [
        ("WARNING", "Waited"),
        ("WARNING", "Retrying"),
    ]


@pytest.mark.parametrize(
    ("levels", "told"),
    [
        ({Stopped: "ERROR"}, r"^levels\[Stopped\]: 'ERROR' is not allowed; it is a number such as logging.INFO$"),
        ({Stopped: True}, r"^levels\[Stopped\]: True is not allowed"),
        ({"Stopped": 10}, r"^levels: 'Stopped' is not a note; the notes are SendEnded, Redirected, "),
        ({int: 10}, r"^levels: <class 'int'> is not a note"),
    ],
)
def test_wrong_levels(levels: Any, told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        LoggingMiddleware(levels=levels)


@pytest.mark.anyio
async def test_a_client_logs_every_send_and_decision_and_no_secret() -> None:
    logger, seen = listening()
    config = ClientConfig(retry_attempts=1, retry_backoff_factor=0.0, follow_redirects=True)
    with MockServer() as server:
        answered = Reply(503, body=b"canary-answer", headers={"X-Key": "canary-field", "Connection": "close"})
        server.on("POST /flaky", answered, Reply.reset())
        server.on("GET /moved", Reply(302, headers={"Location": "/json?q=canary-location"}))
        async with AsyncHTTPClient(
            server.url,
            config,
            BearerAuth("canary-token"),
            [LoggingMiddleware(logger)],
            headers={"X-API-Key": "canary-header"},
            params={"key": "canary-param"},
        ) as client:
            with pytest.raises(RetryExhaustedError):
                await client.post("/flaky", json={"password": "canary-body"}, idempotency_key="canary-idempotency")
            await client.get("/moved?q=canary-query")
            async with client.stream("GET", "/bytes/10") as response:
                await response.aread()
        assert all("canary-param" in request.query for request in server.requests[:3])
        assert server.requests[0].headers["authorization"] == "Bearer canary-token"

    told = [vars(record)["http_event"] for record in seen.records]
    assert told == [
        *("SendEnded", "Retrying", "SendEnded", "Stopped", "CallEnded"),
        *("SendEnded", "Redirected", "SendEnded", "CallEnded"),
        *("SendEnded", "CallEnded", "BodyRead"),
    ]
    flaky = f"{server.url}/flaky?key=***"
    assert seen.records[0].getMessage().startswith(f"POST {flaky} attempt 1: 503 in ")
    assert seen.records[4].getMessage().startswith(f"POST {flaky}: failed (attempts: 2, ")
    moved = f"GET {server.url}/moved?q=***&key=*** attempt 1: 302 leads to {server.url}/json?q=***"
    assert seen.records[6].getMessage() == moved
    streamed = f"GET {server.url}/bytes/10?key=*** attempt 1"
    assert seen.records[-1].getMessage() == f"{streamed}: the body ended after 10 bytes"
    assert "canary" not in seen.everything


@pytest.mark.anyio
async def test_an_error_of_the_users_is_told_by_its_class_alone() -> None:
    class Broken:
        capacity = None

        async def send(self, send: Any) -> Any:
            raise ValueError("canary-error")

        async def aclose(self) -> None:
            pass

    logger, seen = listening()
    async with AsyncHTTPClient(
        "http://127.0.0.1", middlewares=[LoggingMiddleware(logger)], transport=Broken()
    ) as client:
        with pytest.raises(ValueError, match="canary-error"):
            await client.get("/")
    assert [vars(record)["http_error"] for record in seen.records] == ["ValueError", "ValueError"]
    assert "canary" not in seen.everything
