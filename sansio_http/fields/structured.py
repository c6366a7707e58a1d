"""Structured fields: lists, as newer header fields write them (RFC 9651).

A *list* has members between commas; each is an item or an inner list, with parameters behind it::

    "burst";q=100;w=60, (a b);lvl=1, ?1

All types of RFC 9651 are read, because one member of a type we have no use for must not cost us the others. A field is
read as a whole or not at all: by RFC 9651 4.2 whatever is malformed in it makes all of it as good as missing.
"""

from __future__ import annotations

import re
from binascii import Error as NotBase64
from binascii import a2b_base64
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import NamedTuple


class Token(str):
    """A word without quotes. It equals the string of the same letters, and can be told from one by its type."""

    __slots__ = ()


class DisplayString(str):
    """A string that may have any character of Unicode, meant for people."""

    __slots__ = ()


class Date(int):
    """Seconds since the epoch."""

    __slots__ = ()


BareItem = int | Decimal | str | Token | bytes | bool | Date | DisplayString
"""What a value can be."""

Parameters = dict[str, BareItem]
"""By their keys, in the order of the field; a key without a value is True."""


class Item(NamedTuple):
    """A value and its parameters."""

    value: BareItem
    parameters: Parameters


class InnerList(NamedTuple):
    """A list in parentheses and its parameters."""

    items: tuple[Item, ...]
    parameters: Parameters


def parse_list(values: Sequence[str]) -> list[Item | InnerList] | None:
    """The members of a list; None where it is malformed.

    Args:
        values: the field's lines, as they came; together they are one list.

    Source: RFC 9651 4.2.
    """
    reader = _Reader(", ".join(values))
    try:
        return reader.members()
    except _Malformed:
        return None


class _Malformed(Exception):
    """The field is no list."""


_Match = Callable[[str, int], re.Match[str] | None]


# Of each type by its first character. The digits are counted: more could not be represented everywhere.
_NUMBER = re.compile(r"-?(?:([0-9]{1,12}\.[0-9]{1,3})|[0-9]{1,15})(?![0-9.])").match
_STRING = re.compile(r'"((?:[ !#-\[\]-~]|\\["\\])*)"').match
_TOKEN = re.compile(r"[A-Za-z*][A-Za-z0-9!#$%&'*+\-.^_`|~:/]*").match
_BYTES = re.compile(r":([A-Za-z0-9+/=]*):").match
_BOOLEAN = re.compile(r"\?([01])").match
_DATE = re.compile(r"@(-?[0-9]{1,15})(?![0-9.])").match
_DISPLAYED = re.compile(r'%"((?:[ !#$&-~]|%[0-9a-f]{2})*)"').match
_KEY = re.compile(r"[a-z*][a-z0-9_\-.*]*").match

_SPACES = re.compile(r" *").match
_BLANKS = re.compile(r"[ \t]*").match

_ESCAPED = re.compile(r"\\(.)")
_HEXADECIMAL = re.compile(r"%(..)")


class _Reader:
    """Goes through a field from left to right."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def members(self) -> list[Item | InnerList]:
        """All of it."""
        members: list[Item | InnerList] = []
        self._skip(_SPACES)
        while self._at < len(self._text):
            members.append(self._inner_list() if self._next("(") else self._item())
            self._skip(_BLANKS)
            if self._at == len(self._text):
                break
            if not self._next(","):
                raise _Malformed
            self._skip(_BLANKS)
            if self._at == len(self._text):  # nothing follows the comma
                raise _Malformed
        return members

    def _item(self) -> Item:
        return Item(self._bare_item(), self._parameters())

    def _inner_list(self) -> InnerList:
        items: list[Item] = []
        while True:
            spaces = self._skip(_SPACES)
            if self._next(")"):
                return InnerList(tuple(items), self._parameters())
            if items and not spaces:
                raise _Malformed
            items.append(self._item())

    def _parameters(self) -> Parameters:
        parameters: Parameters = {}
        while self._next(";"):
            self._skip(_SPACES)
            key = self._take(_KEY)[0]
            parameters[key] = self._bare_item() if self._next("=") else True
        return parameters

    def _bare_item(self) -> BareItem:
        first = self._text[self._at : self._at + 1]
        if first == '"':
            return _ESCAPED.sub(r"\1", self._take(_STRING)[1])
        if first == "?":
            return self._take(_BOOLEAN)[1] == "1"
        if first == ":":
            return _bytes(self._take(_BYTES)[1])
        if first == "@":
            return Date(self._take(_DATE)[1])
        if first == "%":
            return _displayed(self._take(_DISPLAYED)[1])
        if first == "-" or first.isdigit():
            number = self._take(_NUMBER)
            return int(number[0]) if number[1] is None else Decimal(number[0])
        return Token(self._take(_TOKEN)[0])

    def _take(self, match: _Match) -> re.Match[str]:
        found = match(self._text, self._at)
        if found is None:
            raise _Malformed
        self._at = found.end()
        return found

    def _skip(self, match: _Match) -> bool:
        before = self._at
        self._take(match)
        return self._at > before

    def _next(self, character: str) -> bool:
        """Whether ``character`` comes next; then it is passed."""
        found = self._text.startswith(character, self._at)
        self._at += found
        return found


def _bytes(text: str) -> bytes:
    try:
        return a2b_base64(text + "=" * (-len(text) % 4), strict_mode=True)
    except NotBase64:
        raise _Malformed from None


def _displayed(text: str) -> DisplayString:
    try:
        raw = _HEXADECIMAL.sub(lambda found: chr(int(found[1], 16)), text).encode("latin-1")
        return DisplayString(raw.decode("utf-8"))
    except UnicodeDecodeError:
        raise _Malformed from None
