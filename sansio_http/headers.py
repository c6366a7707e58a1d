"""Header fields that keep their order, and cannot split a message."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from typing import Any, TypeVar, cast, overload

from .exceptions import InvalidRequestError

T = TypeVar("T")

HeadersLike = Mapping[str, str] | Iterable[tuple[str, str]]
"""What is accepted where headers are: a mapping, or pairs where a name occurs more than once."""

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+").fullmatch  # RFC 9110 5.6.2
_FIELD_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*").fullmatch  # RFC 9110 5.5

# Values that a repr may show. All others are hidden: any header may be somebody's API key.
_SHOWN = re.compile(
    r"accept.*|age|allow|cache-control|connection|content-.*|date|expires|host|retry-after|server|transfer-encoding"
    r"|user-agent|vary|x-ratelimit-.*|ratelimit.*"
).fullmatch


class Headers(MutableMapping[str, str]):
    """Header fields: case-insensitive names, several values a name, order kept, nothing that could split a message.

    ``headers[name]`` joins several values with a comma (RFC 9110 5.3); :meth:`get_list` gives each. Setting replaces
    all values of a name; :meth:`add` adds one.

    Args:
        fields: a mapping, or (name, value) pairs.

    Raises:
        InvalidRequestError: a name is not a token, or a value has CR, LF, NUL or characters outside ISO-8859-1
            (RFC 9110 5.5). The message names the header and never shows the value.
    """

    __slots__ = ("_items",)

    def __init__(self, fields: HeadersLike = ()) -> None:
        self._items: list[tuple[str, str]]
        if isinstance(fields, Headers):
            self._items = fields._items
            return
        try:
            pairs = [(name, value) for name, value in _pairs(fields)]
        except (TypeError, ValueError):
            raise InvalidRequestError(
                f"headers: must be a mapping or (name, value) pairs, not {type(fields).__name__}"
            ) from None
        self._items = [_checked(name, value) for name, value in pairs]

    @classmethod
    def of_pairs(cls, pairs: list[tuple[str, str]]) -> Headers:
        """Headers that hold ``pairs`` as they are, unchecked: for what an HTTP parser has already checked."""
        headers = cls.__new__(cls)
        headers._items = pairs
        return headers

    def add(self, name: str, value: str) -> None:
        """Append a value, beside those that the name already has."""
        self._items = [*self._items, _checked(name, value)]

    def put(self, name: str, value: str) -> None:
        """Replace all values of ``name``, unchecked: for what was checked when it was made, such as credentials."""
        key, size = name.lower(), len(name)
        self._items = [item for item in self._items if len(item[0]) != size or item[0].lower() != key]
        self._items.append((name, value))

    def get_list(self, name: str) -> list[str]:
        """Every value of ``name``, in order; empty where there is none."""
        key, size = name.lower(), len(name)  # most names are told apart by their length, for less
        return [value for found, value in self._items if len(found) == size and found.lower() == key]

    def pairs(self) -> list[tuple[str, str]]:
        """Every field as a (name, value) pair, in order."""
        return list(self._items)

    def copy(self) -> Headers:
        """An independent copy; it costs nothing, for a list of items is replaced and never changed."""
        new = Headers.__new__(Headers)
        new._items = self._items
        return new

    __copy__ = copy

    def __getitem__(self, name: str) -> str:
        value = self.get(name)
        if value is None:
            raise KeyError(name)
        return value

    @overload
    def get(self, name: str) -> str | None: ...
    @overload
    def get(self, name: str, default: str) -> str: ...
    @overload
    def get(self, name: str, default: T) -> str | T: ...
    def get(self, name: str, default: Any = None) -> Any:
        """``headers[name]``, or ``default`` where there is none."""
        values = self.get_list(name)
        if not values:
            return default
        return values[0] if len(values) == 1 else ", ".join(values)

    def __setitem__(self, name: str, value: str) -> None:
        pair = _checked(name, value)
        key = name.lower()
        kept = [item for item in self._items if item[0].lower() != key]
        place = next((index for index, (found, _) in enumerate(self._items) if found.lower() == key), len(kept))
        kept.insert(place, pair)
        self._items = kept

    def __delitem__(self, name: str) -> None:
        key = name.lower()
        kept = [item for item in self._items if item[0].lower() != key]
        if len(kept) == len(self._items):
            raise KeyError(name)
        self._items = kept

    def __contains__(self, name: object) -> bool:
        key = name.lower() if isinstance(name, str) else None
        return any(found.lower() == key for found, _ in self._items)

    def __iter__(self) -> Iterator[str]:
        first: dict[str, str] = {}
        for name, _ in self._items:
            first.setdefault(name.lower(), name)
        return iter(first.values())

    def __len__(self) -> int:
        return len({name.lower() for name, _ in self._items})

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Mapping):
            return NotImplemented
        try:
            theirs = other if isinstance(other, Headers) else Headers(cast("Mapping[str, str]", other))
        except InvalidRequestError:
            return False
        return sorted((name.lower(), value) for name, value in self._items) == sorted(
            (name.lower(), value) for name, value in theirs._items
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        shown = ((name, value if _SHOWN(name.lower()) else "***") for name, value in self._items)
        return f"Headers({list(shown)!r})"


def _pairs(fields: HeadersLike) -> Iterable[tuple[str, str]]:
    return cast("Mapping[str, str]", fields).items() if isinstance(fields, Mapping) else fields


def _checked(name: str, value: str) -> tuple[str, str]:
    """The pair, if both halves may go on the wire."""
    if not isinstance(name, str) or not _TOKEN(name):
        raise InvalidRequestError(
            f"headers: {name!r:.80} is not a header name; it is one or more of A-Z a-z 0-9 !#$%&'*+-.^_`|~"
        )
    if not isinstance(value, str):
        raise InvalidRequestError(f"headers[{name!r}]: the value must be a str, not {type(value).__name__}")
    if not _FIELD_VALUE(value):
        raise InvalidRequestError(
            f"headers[{name!r}]: the value has a character that may not be in a header (CR, LF, NUL, another control"
            " character, or one outside ISO-8859-1)"
        )
    return name, value.strip(" \t")
