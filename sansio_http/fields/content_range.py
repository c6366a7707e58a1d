"""Content-Range: which bytes of a file a 206 or a 416 is about."""

from __future__ import annotations

import re
from typing import NamedTuple

# Twenty digits are more bytes than anybody has, and int() of a very long text raises.
_BYTES = re.compile(r"bytes (?:([0-9]{1,20})-([0-9]{1,20})|\*)/([0-9]{1,20}|\*)", re.IGNORECASE).fullmatch


class ContentRange(NamedTuple):
    """What a Content-Range says.

    Attributes:
        first, last: the bytes that are in the body, counted from 0; None where there are none (416).
        total: bytes of the whole; None where the server does not say.
    """

    first: int | None
    last: int | None
    total: int | None


def parse_content_range(value: str) -> ContentRange | None:
    """A range in bytes; None for another unit, for what is malformed, and for a range that cannot be.

    Args:
        value: of the one field line that there is.

    Source: RFC 9110 14.4.
    """
    match = _BYTES(value.strip(" \t"))
    if match is None:
        return None
    first, last, total = (None if part in (None, "*") else int(part) for part in match.groups())
    if first is None or last is None:
        return None if total is None else ContentRange(None, None, total)
    if last < first or (total is not None and last >= total):
        return None
    return ContentRange(first, last, total)
