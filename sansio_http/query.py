"""Query parameters: what they may be, and how they are written."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from math import isfinite
from typing import Any, Literal, cast
from urllib.parse import quote

from .exceptions import InvalidRequestError

QueryValue = str | int | float | bool | None
"""What a query parameter may be; True and False become ``true`` and ``false``, None is left out."""

QueryParams = Mapping[str, QueryValue | Sequence[QueryValue]] | Sequence[tuple[str, QueryValue]]
"""Query parameters: a mapping, in which a list repeats the name, or (name, value) pairs."""

ParamsStyle = Literal["repeat", "comma", "brackets"]
"""How a list of values is written: ``n=1&n=2``, ``n=1,2`` or ``n[]=1&n[]=2`` (its brackets percent-encoded)."""

_STYLES = ("repeat", "comma", "brackets")


def add_params(url: str, params: QueryParams | None, style: ParamsStyle = "repeat") -> str:
    """``url`` with ``params`` after what its query has already; nothing is replaced.

    All but the unreserved characters of RFC 3986 are percent-encoded as UTF-8, a space as ``%20``: every decoder
    reads that, where ``+`` is a space to forms only.

    Args:
        url: absolute; a fragment is dropped.
        params: see :data:`QueryParams`.
        style: see :data:`ParamsStyle`. In the comma style a comma that a value itself has is ``%2C``.

    Raises:
        InvalidRequestError: a name or a value of another type, a float that is not finite, or a lone surrogate; or an
            unknown style.
    """
    if not params:
        return url
    url = url.partition("#")[0]
    encoded = urlencode(params, style=style)
    if not encoded:
        return url
    mark = "?" if "?" not in url else "" if url[-1] in "?&" else "&"
    return f"{url}{mark}{encoded}"


def urlencode(
    params: QueryParams, field: str = "params", encode: Callable[..., str] = quote, style: ParamsStyle = "repeat"
) -> str:
    """``params`` as ``name=value`` joined by ``&``.

    Args:
        params: see :data:`QueryParams`.
        field: what the caller calls them, for error messages.
        encode: of one name or value; it takes the text, and which characters to leave alone besides its own.
        style: see :data:`ParamsStyle`.

    Raises:
        InvalidRequestError: see :func:`add_params`.
    """
    if style not in _STYLES:
        raise InvalidRequestError(f"params_style: {style!r:.40} is not allowed; it is {', '.join(_STYLES)}")
    encoded: list[str] = []
    for name, texts, several in named_texts(params, field):
        try:
            values = [encode(text, "") for text in texts]
            shown = encode(f"{name}[]" if several and style == "brackets" else name, "")
        except UnicodeEncodeError:
            raise InvalidRequestError(f"{field}[{name!r:.80}]: has a lone surrogate") from None
        if style == "comma" and values:
            values = [",".join(values)]
        encoded += [f"{shown}={value}" for value in values]
    return "&".join(encoded)


def named_texts(params: QueryParams, field: str) -> Iterator[tuple[str, list[str], bool]]:
    """Each name with the texts of its values, without None; and whether these were a list.

    Args:
        params: see :data:`QueryParams`.
        field: what the caller calls them, for error messages.

    Raises:
        InvalidRequestError: a name or a value of another type, or a float that is not finite.
    """
    if isinstance(params, str) or not isinstance(params, Iterable):
        raise InvalidRequestError(f"{field}: must be a mapping or (name, value) pairs, not {type(params).__name__}")
    pairs = cast("Iterable[Any]", params.items() if isinstance(params, Mapping) else params)
    for item in pairs:
        try:
            name, value = item
        except (TypeError, ValueError):
            raise InvalidRequestError(f"{field}: must be (name, value) pairs where it is no mapping") from None
        if not isinstance(name, str):
            raise InvalidRequestError(f"{field}: a name must be a str, not {type(name).__name__}")
        several = isinstance(value, Sequence) and not isinstance(value, str | bytes | bytearray)
        values = cast("Sequence[object]", value if several else (value,))
        try:
            yield name, [as_text(each) for each in values if each is not None], several
        except ValueError as error:
            raise InvalidRequestError(f"{field}[{name!r:.80}]: {error}") from None


def as_text(value: object) -> str:
    """A value of a query, a form or a path as text; ``ValueError`` where it is of another type, or not finite."""
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
