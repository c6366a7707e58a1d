"""JSON from bytes, by the standard library, without the detours that it makes for bytes."""

from __future__ import annotations

import json
from typing import Any

_decode = json.JSONDecoder().raw_decode


def parse_json(content: bytes) -> Any:
    """What :func:`json.loads` makes of ``content``.

    Nearly all JSON is UTF-8 without blanks around it (RFC 8259 8.1), and is read at once; for anything else the
    standard library finds out what it is, or what is wrong with it.

    Raises:
        ValueError: it is not JSON.
        RecursionError: it is nested too deep.
    """
    try:
        text = content.decode()
        value, end = _decode(text)
        if end == len(text):
            return value
    except ValueError:
        pass
    return json.loads(content)
