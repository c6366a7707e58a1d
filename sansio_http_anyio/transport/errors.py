"""Our errors for httpcore's, which tell less apart: DNS, refusal and TLS failures are all its ``ConnectError``.

What an error says may be shown to anybody. So of what httpcore and h11 say only the words are kept, not the bytes of
the peer that they quote, and those exceptions do not become causes.
"""

from __future__ import annotations

import re
import ssl
from typing import TypeVar

import h11
import httpcore

from sansio_http import (
    ConnectError,
    ConnectionLostError,
    ConnectTimeoutError,
    HTTPRequestError,
    InvalidRequestError,
    PoolTimeoutError,
    ProtocolError,
    ReadTimeoutError,
    Send,
    WriteTimeoutError,
)

from .reasons import reason, refused_ours, tls_failure

E = TypeVar("E", bound=Exception)

_TIMEOUTS: dict[type[Exception], tuple[type[HTTPRequestError], str]] = {
    httpcore.ConnectTimeout: (ConnectTimeoutError, "connecting took too long"),
    httpcore.ReadTimeout: (ReadTimeoutError, "the server sent nothing for too long"),
    httpcore.WriteTimeout: (WriteTimeoutError, "the server took nothing for too long"),
    httpcore.PoolTimeout: (PoolTimeoutError, "no connection came free in time"),
}

# How h11 and httpcore begin to say that the answer was cut short. They have no class for it.
_CUT_SHORT = ("Server disconnected", "peer closed connection", "peer unexpectedly closed connection")

_QUOTED = re.compile(r":? (?:b|bytearray\(b)['\"].*", re.DOTALL)


def translate(error: Exception, send: Send) -> Exception:
    """What ``error`` means for ``send``; itself, where it is nobody's but the caller's own."""
    if isinstance(error, HTTPRequestError) and error.method is None:  # the network knows of no request
        return _caused(send.error(type(error), error.args[0]), error.__cause__)
    for timeout, (cls, message) in _TIMEOUTS.items():
        if isinstance(error, timeout):
            return send.error(cls, message)
    if isinstance(error, httpcore.ConnectError):
        return _no_connection(error, send)
    if isinstance(error, httpcore.ProxyError):
        return send.error(ConnectError, f"the proxy made no connection: {_words(error)}")
    if isinstance(error, httpcore.RemoteProtocolError):
        if str(error).startswith(_CUT_SHORT):
            return send.error(ConnectionLostError, "the server closed the connection too early")
        return send.error(ProtocolError, f"the answer is not valid HTTP: {_words(error)}")
    alert = _behind(error, ssl.SSLError)
    if alert is not None and refused_ours(alert):
        return _caused(send.error(*tls_failure(alert)), alert)
    if isinstance(error, httpcore.NetworkError | ssl.SSLError):
        message = f"the connection was lost: {_reason(error)}"
        return _caused(send.error(ConnectionLostError, message), _behind(error, OSError))
    if isinstance(error, httpcore.LocalProtocolError | h11.LocalProtocolError):
        return InvalidRequestError(f"the request is not valid HTTP: {_words(error)}")
    return error


def _no_connection(error: httpcore.ConnectError, send: Send) -> HTTPRequestError:
    tls = _behind(error, ssl.SSLError)
    if tls is not None:
        return _caused(send.error(*tls_failure(tls)), tls)
    return _caused(send.error(ConnectError, f"no connection: {_reason(error)}"), _behind(error, OSError))


def _caused(error: E, cause: BaseException | None) -> E:
    error.__cause__ = cause
    return error


def _behind(error: BaseException | None, kind: type[E]) -> E | None:
    """The innermost exception of ``kind`` that led to ``error``; of several at once the first counts."""
    found: E | None = None
    while error is not None:
        if isinstance(error, kind):
            found = error
        # httpcore's pools hide the cause (`from None`). Any other context may be of something else altogether.
        before = error.__cause__ or (error.__context__ if error.__suppress_context__ else None)
        error = before or getattr(error, "exceptions", (None,))[0]
    return found


def _reason(error: Exception) -> str:
    """What the operating system or the TLS library said, where one of them did."""
    behind = _behind(error, OSError)
    return _words(error) if behind is None else reason(behind)


def _words(error: Exception) -> str:
    """What a library says, without the bytes it quotes."""
    return _QUOTED.sub("", str(error)) or type(error).__name__
