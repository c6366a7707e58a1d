"""What reads the head of a response: httptools (llhttp, in C) where it is installed, else h11.

An engine gets one whole head, with the empty line at its end, and judges the syntax of its lines and fields. What the
fields are, and what they *mean* for the framing of the body, is read in :mod:`.response`, for both alike. Both are
loaded when the first response comes, for they lie outside the standard library.

httptools would tell of each field, by a call for each, which costs no less than to cut the lines. It reads a body as
well, and is not asked to. A response to HEAD cannot be told to it; it passes over empty lines behind a body, which must
not be reused; it says neither how long a chunk's extensions are nor where a message ended; and it copies each piece of
a body that needs no more than counting.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Literal

from ..exceptions import ConfigurationError

Verdict = tuple[int, str, str]
"""Status, reason (ISO-8859-1) and version (``1.1``)."""

Engine = Callable[[bytes], Verdict]
"""Judges a head.

Raises:
    Malformed: it is none.
"""

EngineName = Literal["httptools", "h11"]


_TEXT = re.compile(r"[\t\x20-\x7e\x80-\xff]*").fullmatch
_CONTROLS = bytes([*range(9), 11, 12, *range(14, 32), 127])  # all but tab, CR and LF


class Malformed(Exception):
    """The engine says that this is not a head."""


def find_engine(name: EngineName | None = None) -> Engine:
    """The engine of that name, or the best that is installed (looked for once).

    Raises:
        ConfigurationError: it is not installed.
    """
    global _best
    if name is None:
        if _best is None:
            try:
                _best = _httptools()
            except ImportError:
                _best = find_engine("h11")
        return _best
    try:
        return _MADE_BY[name]()
    except (ImportError, KeyError):
        raise ConfigurationError(
            f"engine: {name!r:.40} is not installed; it must be one of {', '.join(_MADE_BY)}, or None"
        ) from None


def _httptools() -> Engine:
    from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

    nobody = object()  # listens: the parser asks for its callbacks by name, and not for those that are absent

    def judge(head: bytes) -> Verdict:
        parser = HttpResponseParser(nobody)
        try:
            parser.feed_data(head)
        except HttpParserUpgrade:  # a 101: it is whole
            pass
        except HttpParserError as error:
            raise Malformed from error
        reason = head[13 : head.index(b"\r")].decode("latin-1")
        if not reason.isprintable() and not _TEXT(reason):  # llhttp looks at all but this
            raise Malformed
        return parser.get_status_code(), reason, parser.get_http_version()

    return judge


def _h11() -> Engine:
    import h11

    versions = (b"1.1", b"1.0")
    request = h11.Request(method="GET", target="/", headers=[("Host", "example.com")])

    def judge(head: bytes) -> Verdict:
        if len(head.translate(None, _CONTROLS)) < len(head):  # h11 looks for some of them only
            raise Malformed
        connection = h11.Connection(h11.CLIENT)
        connection.send(request)
        connection.receive_data(head)
        try:
            event = connection.next_event()
        except h11.RemoteProtocolError as error:
            raise Malformed from error
        if not isinstance(event, h11.Response | h11.InformationalResponse) or event.http_version not in versions:
            raise Malformed
        return event.status_code, event.reason.decode("latin-1"), event.http_version.decode("latin-1")

    return judge


_MADE_BY: dict[str, Callable[[], Engine]] = {"httptools": _httptools, "h11": _h11}
_best: Engine | None = None
