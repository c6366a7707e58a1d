"""What counts against a server, and one line about it that may be shown to anybody."""

from __future__ import annotations

import re
from sys import intern

from ..exceptions import (
    AddressRefusedError,
    HTTPClientError,
    HTTPRequestError,
    PoolTimeoutError,
    ResponseTooLargeError,
)
from ..models import HTTPResponse, Outcome

_NEUTRAL = (AddressRefusedError, PoolTimeoutError, ResponseTooLargeError)  # ours, not the server's

_LONGEST = 200  # characters of a summary: it is kept for each open circuit

# Messages come without these already; but a summary is told to other calls, so one that slipped through stops here.
_SECRET_PARTS_OF_A_URL = re.compile(r"(?<=://)[^/\s@]*@|\?\S*")


def is_failure(outcome: Outcome) -> bool | None:
    """The default verdict on how a send ended.

    Args:
        outcome: the response, or the exception.

    Returns:
        True, a failure: a 5xx, or no complete response (no connection, TLS, a timeout on the wire, a connection lost,
        a malformed answer). False, a success: any other response; a 404 comes from a server in good health. None,
        neutral, says nothing about the server: whatever was not sent, a size limit of ours, decoding, cancellation, an
        exception of the user's.
    """
    if isinstance(outcome, HTTPResponse):
        return outcome.status_code >= 500
    if not isinstance(outcome, HTTPRequestError) or isinstance(outcome, _NEUTRAL):
        return None
    return None if outcome.phase == "queue" else True


def summary(outcome: object) -> str | None:
    """One line on a failure: a status, or the class of an exception with its message if that is ours; no secrets."""
    if outcome is None:
        return None
    if isinstance(outcome, HTTPResponse):
        return intern(f"{outcome.status_code} {outcome.reason}".rstrip())  # one for all that are open for it
    name = type(outcome).__name__
    if not isinstance(outcome, HTTPClientError):
        return name
    message = " ".join(_SECRET_PARTS_OF_A_URL.sub("", str(outcome)).split())
    return f"{name}: {message}"[:_LONGEST] if message else name
