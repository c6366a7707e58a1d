"""Cuts text into lines, whatever pieces it comes in."""

from __future__ import annotations

from collections.abc import Iterator
from io import StringIO

from .exceptions import ConfigurationError, ResponseTooLargeError

LINE_LIMIT = 4_194_304
"""Characters that a line may have, unless somebody says otherwise."""


class Lines:
    """What has come so far of a line, and where it ends: at LF, CRLF or CR.

    Args:
        limit: characters that a line may have, without its end; 1 or more, None for any number.
        cr: a CR ends a line, alone or before a LF; False: only LF does, and a CR before it is a part of the line.
        option: what the limit is called, for messages.

    Raises:
        ConfigurationError: the limit is none.
    """

    __slots__ = ("_after_cr", "_cr", "_limit", "_option", "_size", "_text")

    def __init__(self, limit: int | None = LINE_LIMIT, *, cr: bool = True, option: str = "max_line_size") -> None:
        if limit is not None and (type(limit) is not int or limit < 1):
            raise ConfigurationError(f"{option}: {limit!r:.40} is not allowed; it is an int, 1 or more, or None")
        self._limit = limit
        self._cr = cr
        self._option = option
        self._text = StringIO()  # of a line that is not over; a list of its pieces could take many times its size
        self._size = 0
        self._after_cr = False  # a LF would belong to the line before

    def feed(self, text: str, final: bool = False) -> Iterator[str]:
        """The lines that are over now, without their ends. Take all of them before the next call.

        Args:
            text: what has come.
            final: nothing follows it; what has no end yet is a line too, unless it is empty.

        Raises:
            ResponseTooLargeError: while iterating, behind the lines before: a line is longer than the limit.
        """
        if self._cr:
            if text:
                if self._after_cr:
                    text = text.removeprefix("\n")
                self._after_cr = text.endswith("\r")
            text = text.replace("\r\n", "\n").replace("\r", "\n")
        *ended, rest = text.split("\n")
        for piece in ended:
            self._add(piece)
            yield self._take(piece)
        self._add(rest)
        if rest:
            self._text.write(rest)
        if final and self._size:
            yield self._take("")

    def _add(self, piece: str) -> None:
        self._size += len(piece)
        if self._limit is not None and self._size > self._limit:
            raise too_large("a line", self._limit, self._option)

    def _take(self, piece: str) -> str:
        """The line, whose last piece this is."""
        if self._size > len(piece):
            piece = self._text.getvalue() + piece
            self._text = StringIO()
        self._size = 0
        return piece


def too_large(what: str, limit: int, option: str) -> ResponseTooLargeError:
    """The error about a part of a body that is longer than it may be."""
    return ResponseTooLargeError(
        f"{what} of the body has more than {option}, {limit} characters",
        phase="body",
        head_sent=True,
        body_started=True,
    )
