"""A log record for each decision, by the standard library."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

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

from .base import Middleware

LEVELS: Final[Mapping[type[Note], int]] = MappingProxyType(
    {
        SendEnded: logging.INFO,
        Redirected: logging.INFO,
        Resent: logging.INFO,
        Challenged: logging.INFO,
        Hedged: logging.INFO,
        Retrying: logging.WARNING,
        CircuitChanged: logging.WARNING,
        Rebased: logging.WARNING,
        Stopped: logging.ERROR,
        Waited: logging.DEBUG,
        BodyRead: logging.DEBUG,
        CallEnded: logging.DEBUG,
    }
)
"""The level of each kind of note, where :class:`LoggingMiddleware` is told no other."""

# Each is filled in from the record's own `http_*` attributes, and only if a handler wants the text.
_ATTEMPT: Final = "%(http_method)s %(http_url)s attempt %(http_attempt)d"
_TEXTS: Final[Mapping[type[Note], str]] = {
    SendEnded: f"{_ATTEMPT}: %(http_status_code)d in %(http_milliseconds).1f ms, %(http_bytes)d bytes",
    Redirected: f"{_ATTEMPT}: %(http_status_code)d leads to %(http_to)s",
    Resent: f"{_ATTEMPT}: the kept connection had been closed, sent once more",
    Challenged: f"{_ATTEMPT}: a 401 was answered, sent once more with new credentials",
    Hedged: f"{_ATTEMPT}: no answer in %(http_delay).3f s, sent once more beside it",
    Retrying: f"{_ATTEMPT} failed (%(http_reason)s): the next one in %(http_delay).3f s",
    CircuitChanged: "circuit breaker: %(http_before)s -> %(http_after)s",
    Rebased: "%(http_policy)s met another clock and counts on from there",
    Stopped: f"{_ATTEMPT} failed, and no other follows (%(http_reason)s)",
    Waited: f"{_ATTEMPT} waited %(http_seconds).3f s for its place",
    BodyRead: f"{_ATTEMPT}: the body ended after %(http_bytes)d bytes",
    CallEnded: "%(http_method)s %(http_url)s: %(http_status_code)d"
    " (attempts: %(http_attempts)d, %(http_milliseconds).1f ms)",
}
_TEXTS_OF_ERRORS: Final[Mapping[type[Note], str]] = {
    SendEnded: f"{_ATTEMPT}: no answer in %(http_milliseconds).1f ms, %(http_error)s",
    BodyRead: f"{_ATTEMPT}: the body failed after %(http_bytes)d bytes, %(http_error)s",
    CallEnded: "%(http_method)s %(http_url)s: failed"
    " (attempts: %(http_attempts)d, %(http_milliseconds).1f ms), %(http_error)s",
}

_HEDGE_SKIPPED: Final = f"{_ATTEMPT}: no answer in %(http_delay).3f s, not sent again beside it (%(http_skipped)s)"


class LoggingMiddleware(Middleware):
    """Logs what becomes of every send, and every decision about it: one record each, with one readable line.

    ==================  =========  ============================================================================
    note                level      says
    ==================  =========  ============================================================================
    ``SendEnded``       INFO       method, URL, attempt, status or error, milliseconds, bytes
    ``Redirected``      INFO       method, URL, attempt, status, the URL that it led to
    ``Resent``          INFO       method, URL, attempt that goes out once more, as its kept connection was dead
    ``Challenged``      INFO       method, URL, attempt that goes out once more, with new credentials after a 401
    ``Hedged``          INFO       method, URL, attempt that got one more send beside it, or why it was skipped
    ``Retrying``        WARNING    method, URL, attempt, reason, seconds until the next one
    ``CircuitChanged``  WARNING    the circuit breaker's state before and after
    ``Rebased``         WARNING    a policy that met another clock
    ``Stopped``         ERROR      method, URL, attempt, the reason why no other follows
    ``Waited``          DEBUG      method, URL, attempt, seconds spent in a queue of ours
    ``BodyRead``        DEBUG      method, URL, attempt, bytes of a stream's body, its error
    ``CallEnded``       DEBUG      method, URL, status or error, attempts, milliseconds of the whole call
    ==================  =========  ============================================================================

    The same facts stand on each record as attributes, for structured logs: every field of the note by its name with
    ``http_`` before it (``http_url``, ``http_status_code``, ``http_elapsed`` in seconds, ...), ``http_milliseconds``
    where there is an ``http_elapsed``, and the note's class as ``http_event``. An error is told without the method and
    URL that stand beside it. URLs are without query values; there is no header and no body.

    Args:
        logger: or its name.
        levels: other levels than these, by the class of the note; ``logging.NOTSET`` leaves it out.

    Raises:
        ConfigurationError: ``levels`` has something that is not a note or not a level.
    """

    def __init__(
        self, logger: logging.Logger | str = "sansio_http", *, levels: Mapping[type[Note], int] | None = None
    ) -> None:
        self.logger = logging.getLogger(logger) if isinstance(logger, str) else logger
        self._levels = {**LEVELS, **(levels or {})}
        for kind, level in self._levels.items():
            if kind not in LEVELS:
                known = ", ".join(known.__name__ for known in LEVELS)
                raise ConfigurationError(f"levels: {kind!r:.80} is not a note; the notes are {known}")
            if type(level) is not int:
                raise ConfigurationError(
                    f"levels[{kind.__name__}]: {level!r:.40} is not allowed; it is a number such as logging.INFO"
                )

    def on_note(self, note: Note) -> None:
        """Log it, if its level is enabled."""
        kind = type(note)
        level = self._levels[kind]
        if level == logging.NOTSET or not self.logger.isEnabledFor(level):
            return
        facts: dict[str, Any] = {f"http_{name}": getattr(note, name) for name in kind.__slots__}
        facts["http_event"] = kind.__name__
        if isinstance(note, SendEnded | CallEnded):
            facts["http_milliseconds"] = note.elapsed * 1000
        text = _TEXTS[kind]
        if isinstance(note, Hedged) and note.skipped is not None:
            text = _HEDGE_SKIPPED
        if isinstance(note, SendEnded | BodyRead | CallEnded) and note.error is not None:
            facts["http_error"] = _without(f"{note.method} {note.url}", note.error)
            text = _TEXTS_OF_ERRORS[kind]
        # One mapping is both: what the text is filled in from, and the record's attributes.
        self.logger.log(level, text, facts, extra=facts)


def _without(where: str, error: str) -> str:
    """The error without the method and URL that our own messages name."""
    return error.replace(f"{where}, ", "").replace(f"{where}: ", "")
