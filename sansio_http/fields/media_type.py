"""What a Content-Type says: is it JSON, or an event stream, and in which charset."""

from __future__ import annotations

import re

_TOKEN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"  # RFC 9110 5.6.2

_JSON = re.compile(
    rf"[ \t]*(?:application/(?:{_TOKEN}\+)?json|text/json)[ \t]*(?:;.*)?", re.ASCII | re.IGNORECASE | re.DOTALL
).fullmatch

# One parameter and whatever follows it: quotes are read as a whole, so that a `; charset=` inside them is no parameter.
_PARAMETER = re.compile(
    r';[ \t]*+([^;=" \t]*+)[ \t]*+(?:=[ \t]*+(?:"((?:[^"\\]|\\.)*+)"|([^;" \t]*+)))?[^;]*+', re.DOTALL
)

_CHARSET = re.compile(_TOKEN).fullmatch


def is_json(content_type: str) -> bool:
    """Whether a Content-Type says JSON: ``application/json``, ``application/*+json`` or ``text/json``.

    Case and parameters do not matter. Source: RFC 8259 11, RFC 6839 3.1.
    """
    return content_type == "application/json" or _JSON(content_type) is not None


def is_event_stream(content_type: str) -> bool:
    """Whether a Content-Type says ``text/event-stream``; case and parameters do not matter.

    Source: WHATWG HTML, "Server-sent events", 9.2.3.
    """
    return content_type.partition(";")[0].strip(" \t").lower() == "text/event-stream"


def charset(content_type: str) -> str | None:
    """The charset that a Content-Type names, as written; None where there is none. Source: RFC 9110 8.3.2."""
    for name, quoted, plain in _PARAMETER.findall(content_type):
        if name.lower() == "charset":
            found = re.sub(r"\\(.)", r"\1", quoted) or plain
            return found if _CHARSET(found) else None
    return None
