"""Problem details: what went wrong, in the words of an API that follows RFC 9457."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

_MEDIA_TYPE = re.compile(
    r"[ \t]*application/problem\+json[ \t]*(?:;.*)?", re.ASCII | re.IGNORECASE | re.DOTALL
).fullmatch


@dataclass(frozen=True, slots=True)
class ProblemDetails:
    """What ``application/problem+json`` says; a member of the wrong type is left out. Source: RFC 9457 3.

    Its repr leaves out what may quote the request.

    Attributes:
        type: a URI that names the kind of problem; ``about:blank`` where the status says it all.
        title: the kind in words.
        status: as the document has it, which intermediaries cannot change.
        detail: about this occurrence, in words.
        instance: a URI of this occurrence.
        extensions: all other members.
    """

    type: str = "about:blank"
    title: str | None = None
    status: int | None = None
    detail: str | None = field(default=None, repr=False)
    instance: str | None = field(default=None, repr=False)
    extensions: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False)


_KINDS = {"type": str, "title": str, "status": int, "detail": str, "instance": str}


def parse_problem(content_type: str, content: bytes) -> ProblemDetails | None:
    """The problem that a body tells of; None where it is of another type, or is no JSON object.

    Args:
        content_type: the header.
        content: the body.
    """
    if not content or not _MEDIA_TYPE(content_type):
        return None
    try:
        document: Any = json.loads(content)
    except (ValueError, RecursionError):
        return None
    if not isinstance(document, dict):
        return None
    members = cast("dict[str, Any]", document)
    known: dict[str, Any] = {}
    for name, kind in _KINDS.items():
        value = members.pop(name, None)
        if isinstance(value, kind) and not isinstance(value, bool):
            known[name] = value
    return ProblemDetails(**known, extensions=members)
