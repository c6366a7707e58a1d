"""What a call has decided and why, as data: for logs, metrics and a person who asks what happened.

Notes are made only where somebody listens (``Call(..., listen=True)``). They name the request by its method and by its
URL without query values, and carry no header and no body.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class SendEnded:
    """One request on the wire came to its end.

    Attributes:
        at: when, on the call's clock.
        attempt: which try it belonged to, from 1.
        method, url: of the request; the URL without query values.
        status_code: of the answer; None where it ended in an error.
        error: one line on the error; None where it was answered.
        elapsed: seconds on the wire.
        bytes: of content received (0 for a stream, whose size is known at :class:`BodyRead`).
    """

    at: float
    attempt: int
    method: str
    url: str
    status_code: int | None
    error: str | None
    elapsed: float
    bytes: int


@dataclass(slots=True)
class Retrying:
    """Another attempt follows after ``delay`` seconds; ``reason`` is status, transport, timeout or retry_after."""

    at: float
    attempt: int
    method: str
    url: str
    reason: str
    delay: float


@dataclass(slots=True)
class Stopped:
    """The outcome could have been retried, and no attempt follows, because of ``reason``."""

    at: float
    attempt: int
    method: str
    url: str
    reason: str


@dataclass(slots=True)
class Hedged:
    """An attempt got one more send beside it, ``delay`` seconds after its first; or was to, and it was ``skipped``.

    ``skipped`` is None where it went out; else ``budget``, ``circuit_open`` or ``limiter``, which had none to spare.
    """

    at: float
    attempt: int
    method: str
    url: str
    delay: float
    skipped: str | None


@dataclass(slots=True)
class Waited:
    """A place came after ``seconds``: the rate limiter's or the in-flight slot's."""

    at: float
    attempt: int
    method: str
    url: str
    seconds: float


@dataclass(slots=True)
class CircuitChanged:
    """The circuit breaker went from one state to another."""

    at: float
    before: str
    after: str


@dataclass(slots=True)
class Resent:
    """The server had closed a kept connection before it saw the request: it goes out once more, at once."""

    at: float
    attempt: int
    method: str
    url: str


@dataclass(slots=True)
class Challenged:
    """A 401 was answered: the request goes out once more, with new credentials."""

    at: float
    attempt: int
    method: str
    url: str


@dataclass(slots=True)
class Redirected:
    """A redirect was followed, ``to`` a URL (without query values)."""

    at: float
    attempt: int
    method: str
    url: str
    status_code: int
    to: str


@dataclass(slots=True)
class Rebased:
    """A shared policy met a clock that is not the one before, and counts on from there."""

    at: float
    policy: str


@dataclass(slots=True)
class BodyRead:
    """The open body of a streamed response came to its end, after ``bytes`` bytes, or failed with ``error``."""

    at: float
    attempt: int
    method: str
    url: str
    bytes: int
    error: str | None


@dataclass(slots=True)
class CallEnded:
    """The call has its outcome: ``attempts`` tries and ``elapsed`` seconds after its start."""

    at: float
    method: str
    url: str
    attempts: int
    elapsed: float
    status_code: int | None
    error: str | None


Note = (
    SendEnded
    | Retrying
    | Stopped
    | Hedged
    | Waited
    | CircuitChanged
    | Resent
    | Challenged
    | Redirected
    | Rebased
    | BodyRead
    | CallEnded
)
"""Any of them."""

Decision = Retrying | Stopped | Hedged
"""Those that say what follows from a failure, or from a slow answer, and why."""
