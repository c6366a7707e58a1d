"""Counts and durations of what the clients do, in this process and without a dependency."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Callable
from itertools import accumulate
from threading import Lock
from typing import Final, TypedDict, assert_never

from sansio_http import (
    BodyRead,
    CallEnded,
    Challenged,
    Circuit,
    CircuitChanged,
    ConfigurationError,
    Hedged,
    Limiter,
    Note,
    Rebased,
    Redirected,
    Resent,
    Retrying,
    SendEnded,
    Stopped,
    TokenBucket,
    Waited,
)

from .base import Middleware

BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""The upper bounds of a histogram's buckets, in seconds; above the last there is one more, without a bound."""

_LABELS: Final = (*(f"{bound:g}" for bound in BUCKETS), "inf")

# Methods, classes of errors and reasons are few, but a policy or an error of the user's may bring any. What comes when
# a table has so many keys is counted as OTHER.
_MOST_KEYS, _OTHER = 64, "other"


class Histogram(TypedDict):
    """Durations, in seconds.

    Keys:
        count: how many.
        sum: all together; by ``count`` it gives the mean.
        max: the longest; 0 where there is none.
        buckets: how many took at most so long, by the bound in seconds as text, from ``"0.005"`` to ``"60"``; all of
            them at ``"inf"``.
    """

    count: int
    sum: float
    max: float
    buckets: dict[str, int]


class Traffic(TypedDict):
    """What went, and how it ended.

    Keys:
        count: by method, then by how it ended: ``"2xx"`` and the like, or ``"error"``.
        errors: those that ended in an error, by its class.
        seconds: how long they took.
    """

    count: dict[str, dict[str, int]]
    errors: dict[str, int]
    seconds: Histogram


class BreakerMetrics(TypedDict):
    """The circuit breaker.

    Keys:
        state: one of :class:`CircuitState`, as in ``"CLOSED"``, as a call noticed it last; None where none did.
        failures: that count, while CLOSED; None where the middleware was not given the breaker.
        transitions: how often it changed, as in ``{"CLOSED->OPEN": 1}``.
    """

    state: str | None
    failures: int | None
    transitions: dict[str, int]


class LimiterMetrics(TypedDict):
    """The rate limiter, now.

    Keys:
        waiting: places in its queue.
        available: tokens in its bucket; None for a limiter that has none.
    """

    waiting: int
    available: float | None


class MetricsSnapshot(TypedDict):
    """What :meth:`MetricsMiddleware.snapshot` gives: numbers and text, ready for ``json.dumps``.

    Keys:
        calls: calls that came to an outcome; one that was cancelled did not.
        attempts: their attempts, by method.
        sends: requests on the wire that came to an outcome. A stream's ends at its head.
        response_bytes: of content received.
        body_errors: streams whose body failed, by the class of the error.
        retries: attempts that were followed by another, by reason: ``status``, ``transport``, ``timeout``,
            ``retry_after``.
        stops: failures that could have been followed by another attempt and were not, by reason: see
            :class:`~sansio_http.RetryExhaustedError`.
        hedges: further sends beside a slow one, as ``sent`` or by the reason why they were skipped: ``budget``,
            ``circuit_open``, ``limiter``.
        waits: sends that had to wait for the rate limiter or for one of ``max_connections``.
        redirects: that were followed.
        resends: requests that went out once more at once, as their kept connection was dead.
        challenges: requests that went out once more with new credentials, after a 401.
        rebases: how often a shared policy met another clock.
        circuit_breaker: its state and transitions.
        rate_limiter: its queue; None where the middleware was not given the limiter.
    """

    calls: Traffic
    attempts: dict[str, int]
    sends: Traffic
    response_bytes: int
    body_errors: dict[str, int]
    retries: dict[str, int]
    stops: dict[str, int]
    hedges: dict[str, int]
    waits: Histogram
    redirects: int
    resends: int
    challenges: int
    rebases: int
    circuit_breaker: BreakerMetrics
    rate_limiter: LimiterMetrics | None


class MetricsMiddleware(Middleware):
    """Counts what its clients do. One may serve several clients, in several threads; no URL and no host is a key.

    Args:
        circuit_breaker: the clients', for its failures and its state from the start. Without it the state is that of
            whichever circuit changed last.
        rate_limiter: the clients', for its queue.
        clock: the clients', in seconds, at which a ``rate_limiter`` is asked.

    Raises:
        ConfigurationError: the breaker or the limiter is none of the core's (a registry by key has no one state).
    """

    def __init__(
        self,
        *,
        circuit_breaker: Circuit | None = None,
        rate_limiter: Limiter | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        _check("circuit_breaker", circuit_breaker, Circuit)
        _check("rate_limiter", rate_limiter, Limiter)
        self._circuit = circuit_breaker
        self._limiter = rate_limiter
        self._clock = clock
        self._lock = Lock()
        self._state: str | None = None
        self._counts = _Counts()

    def on_note(self, note: Note) -> None:
        """Count it."""
        with self._lock:
            self._counts.add(note)
            if isinstance(note, CircuitChanged):
                self._state = str(note.after)

    def snapshot(self) -> MetricsSnapshot:
        """What was counted since the start, or since :meth:`reset`; a copy.

        Nothing moves because it is looked at: a circuit whose break is over stays OPEN until a call comes to probe. Any
        thread may ask; where a ``rate_limiter`` was given, the one that uses it.
        """
        circuit, limiter = self._circuit, self._limiter
        with self._lock:
            counts, state = self._counts, self._state
            return {
                "calls": counts.calls.view(),
                "attempts": counts.attempts.copy(),
                "sends": counts.sends.view(),
                "response_bytes": counts.bytes,
                "body_errors": counts.body_errors.copy(),
                "retries": counts.retries.copy(),
                "stops": counts.stops.copy(),
                "hedges": counts.hedges.copy(),
                "waits": counts.waits.view(),
                "redirects": counts.redirects,
                "resends": counts.resends,
                "challenges": counts.challenges,
                "rebases": counts.rebases,
                "circuit_breaker": {
                    # Not the state of this moment: to notice that a break is over is the next call's, which notes it.
                    "state": state if circuit is None else str(circuit.last_state),
                    "failures": None if circuit is None else circuit.failures,
                    "transitions": counts.transitions.copy(),
                },
                "rate_limiter": None if limiter is None else self._of_limiter(limiter),
            }

    def reset(self) -> None:
        """Count from zero again. The state of the circuit breaker stays known."""
        with self._lock:
            self._counts = _Counts()

    def _of_limiter(self, limiter: Limiter) -> LimiterMetrics:
        available = limiter.available(self._clock()) if isinstance(limiter, TokenBucket) else None
        return {"waiting": limiter.waiting, "available": available}


class _Durations:
    __slots__ = ("_buckets", "_count", "_max", "_sum")

    def __init__(self) -> None:
        self._count = 0
        self._sum = self._max = 0.0
        self._buckets = [0] * len(_LABELS)

    def add(self, seconds: float) -> None:
        self._count += 1
        self._sum += seconds
        self._max = max(self._max, seconds)
        self._buckets[bisect_left(BUCKETS, seconds)] += 1

    def view(self) -> Histogram:
        buckets = dict(zip(_LABELS, accumulate(self._buckets), strict=True))
        return {"count": self._count, "sum": self._sum, "max": self._max, "buckets": buckets}


class _Traffic:
    __slots__ = ("_count", "_errors", "_seconds")

    def __init__(self) -> None:
        self._count: dict[str, dict[str, int]] = {}
        self._errors: dict[str, int] = {}
        self._seconds = _Durations()

    def add(self, note: SendEnded | CallEnded) -> None:
        by_status = self._count.setdefault(note.method, {})
        _increment(by_status, "error" if note.status_code is None else f"{note.status_code // 100}xx")
        if note.error is not None:
            _increment(self._errors, _class_of(note.error))
        self._seconds.add(note.elapsed)

    def view(self) -> Traffic:
        count = {method: by_status.copy() for method, by_status in self._count.items()}
        return {"count": count, "errors": self._errors.copy(), "seconds": self._seconds.view()}


class _Counts:
    """All that :meth:`MetricsMiddleware.reset` forgets."""

    def __init__(self) -> None:
        self.calls = _Traffic()
        self.attempts: dict[str, int] = {}
        self.sends = _Traffic()
        self.bytes = 0
        self.body_errors: dict[str, int] = {}
        self.retries: dict[str, int] = {}
        self.stops: dict[str, int] = {}
        self.hedges: dict[str, int] = {}
        self.waits = _Durations()
        self.redirects = 0
        self.resends = 0
        self.challenges = 0
        self.rebases = 0
        self.transitions: dict[str, int] = {}

    def add(self, note: Note) -> None:
        match note:
            case SendEnded():
                self.sends.add(note)
                self.bytes += note.bytes
            case CallEnded():
                self.calls.add(note)
                _increment(self.attempts, note.method, note.attempts)
            case Waited():
                self.waits.add(note.seconds)
            case Retrying():
                _increment(self.retries, note.reason)
            case Stopped():
                _increment(self.stops, note.reason)
            case Hedged():
                _increment(self.hedges, note.skipped or "sent")
            case BodyRead():
                self.bytes += note.bytes
                if note.error is not None:
                    _increment(self.body_errors, _class_of(note.error))
            case Redirected():
                self.redirects += 1
            case Resent():
                self.resends += 1
            case Challenged():
                self.challenges += 1
            case CircuitChanged():
                _increment(self.transitions, f"{note.before}->{note.after}")
            case Rebased():
                self.rebases += 1
            case _:
                assert_never(note)


def _increment(table: dict[str, int], key: str, by: int = 1) -> None:
    if key not in table and len(table) >= _MOST_KEYS:
        key = _OTHER
    table[key] = table.get(key, 0) + by


def _class_of(error: str) -> str:
    """The class of an error, of which a note tells one line: ``Class: message``."""
    return error.partition(":")[0]


def _check(field: str, value: object, kind: type) -> None:
    if value is not None and not isinstance(value, kind):
        raise ConfigurationError(f"{field}: {type(value).__name__} is not allowed; it is a {kind.__name__}, or None")
