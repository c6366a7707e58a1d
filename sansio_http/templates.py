"""Path templates: ``/users/{id}`` and the values that go into it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import quote

from .exceptions import InvalidRequestError
from .query import as_text
from .urls import contained

PathParams = Mapping[str, str | int | float | bool]
"""What goes into a path template, by name; True and False become ``true`` and ``false``."""

_FIELD = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*+)\}")


def expand(template: str, values: PathParams) -> str:
    """``template`` with each ``{name}`` replaced by the value of that name, percent-encoded.

    All but the unreserved characters of RFC 3986 are encoded, the slash too: a value never becomes two segments.
    Source: RFC 6570 3.2.2, simple string expansion.

    Args:
        template: such as ``/users/{id}/posts?after={date}``.
        values: one for each name.

    Raises:
        InvalidRequestError: a value is missing or left over, is empty (``/users/`` would be another resource), reads
            ``.`` or ``..``, or is none of :data:`PathParams`; or a brace belongs to no ``{name}``.
    """
    if not isinstance(template, str):
        raise InvalidRequestError(f"url: must be a str, not {type(template).__name__}")
    if not isinstance(values, Mapping):
        raise InvalidRequestError(f"path: must be a mapping of names to values, not {type(values).__name__}")
    texts = _FIELD.split(template)  # text, name, text, name, ... text
    names = texts[1::2]
    if any("{" in text or "}" in text for text in texts[::2]):
        raise InvalidRequestError(
            "url: has a { or } that belongs to no {name} (a name is letters, digits and _; write %7B for a brace)"
        )
    if missing := [name for name in names if name not in values]:
        raise InvalidRequestError(f"path: has no value for {', '.join(missing)!r:.80}, which the url has")
    if unused := [name for name in values if name not in names]:
        raise InvalidRequestError(
            f"path: {unused[0]!r:.80} is not in the url, which has {', '.join(names) or 'no name'}"
        )
    texts[1::2] = [_encoded(name, values[name]) for name in names]
    return "".join(texts)


def _encoded(name: str, value: object) -> str:
    """One value, as part of a segment."""
    try:
        encoded = quote(as_text(value), "")
        if not encoded:
            raise ValueError("may not be empty, which would make it another path")
        return contained(encoded)
    except ValueError as error:
        reason = "has a lone surrogate" if isinstance(error, UnicodeEncodeError) else error
        raise InvalidRequestError(f"path[{name!r:.80}]: {reason}") from None
