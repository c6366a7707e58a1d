"""Query parameters: what they may be, and how they are written."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from math import isfinite
from typing import Any, cast
from urllib.parse import quote

from .exceptions import InvalidRequestError

QueryValue = str | int | float | bool | None
"""What a query parameter may be; True and False become ``true`` and ``false``, None is left out."""

QueryParams = Mapping[str, QueryValue | Sequence[QueryValue]] | Sequence[tuple[str, QueryValue]]
"""Query parameters: a mapping, in which a list repeats the name, or (name, value) pairs."""


def add_params(url: str, params: QueryParams | None) -> str:
    """``url`` with ``params`` after what its query has already; nothing is replaced.

    All but the unreserved characters of RFC 3986 are percent-encoded as UTF-8, a space as ``%20``: every decoder
    reads that, where ``+`` is a space to forms only.

    Args:
        url: absolute; a fragment is dropped.
        params: see :data:`QueryParams`.

    Raises:
        InvalidRequestError: a name or a value of another type, a float that is not finite, or a lone surrogate.
    """
    if not params:
        return url
    url = url.partition("#")[0]
    encoded = urlencode(params)
    if not encoded:
        return url
    mark = "?" if "?" not in url else "" if url[-1] in "?&" else "&"
    return f"{url}{mark}{encoded}"


def urlencode(params: QueryParams, field: str = "params", encode: Callable[..., str] = quote) -> str:
    """``params`` as ``name=value`` joined by ``&``.

    Args:
        params: see :data:`QueryParams`.
        field: what the caller calls them, for error messages.
        encode: of one name or value; it takes the text, and which characters to leave alone besides its own.

    Raises:
        InvalidRequestError: see :func:`add_params`.
    """
    if isinstance(params, str) or not isinstance(params, Iterable):
        raise InvalidRequestError(f"{field}: must be a mapping or (name, value) pairs, not {type(params).__name__}")
    pairs = cast("Iterable[Any]", params.items() if isinstance(params, Mapping) else params)
    encoded: list[str] = []
    for item in pairs:
        try:
            name, value = item
        except (TypeError, ValueError):
            raise InvalidRequestError(f"{field}: must be (name, value) pairs where it is no mapping") from None
        if not isinstance(name, str):
            raise InvalidRequestError(f"{field}: a name must be a str, not {type(name).__name__}")
        for each in value if _several(value) else (value,):
            try:
                if each is not None:
                    encoded.append(f"{encode(name, '')}={encode(_text(each), '')}")
            except ValueError as error:
                reason = "has a lone surrogate" if isinstance(error, UnicodeEncodeError) else error
                raise InvalidRequestError(f"{field}[{name!r:.80}]: {reason}") from None
    return "&".join(encoded)


def _several(value: object) -> bool:
    """Whether a name has a list of values."""
    return isinstance(value, Sequence) and not isinstance(value, str | bytes | bytearray)


def _text(value: object) -> str:
    """A query value as text."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, float) and isfinite(value):
        return repr(float(value))
    if isinstance(value, float):
        raise ValueError("a float must be finite")
    raise ValueError(f"must be a str, int, float, bool, None or a sequence of them, not {type(value).__name__}")
