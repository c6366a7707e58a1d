"""The chunked transfer coding (RFC 9112 7.1), from bytes to bytes.

A line is read only when it is whole, so that where the network cut the bytes makes no difference to what is accepted.
"""

from __future__ import annotations

import re

from .errors import HTTP1Error, too_much
from .limits import HTTP1Limits

# The blanks are RFC 9112's BWS; servers that pad the size with them are still about. Not more than 16 digits: 2**63 is
# passed with no arithmetic, and zeros in front are no way to write a long line.
_SIZE = re.compile(rb"([0-9A-Fa-f]{1,16})[ \t]*(?:;[\t\x20-\x7e\x80-\xff]*)?").fullmatch
_DIGITS = b"0123456789abcdefABCDEF"
_FIELD = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([\t\x20-\x7e\x80-\xff]*)").fullmatch

_LARGEST = 2**63 - 1

_AFTER_DATA = -1  # as `left`: the CRLF behind a chunk's data comes next
_TRAILER = -2  # the trailer section, or the empty line that ends it


class ChunkedBody:
    """One chunked body.

    Args:
        limits: on lines and trailers.

    Attributes:
        trailers: fields behind the last chunk, once it is complete; (name, value) pairs.
    """

    __slots__ = ("_left", "_limits", "_line", "_trailer_size", "trailers")

    def __init__(self, limits: HTTP1Limits) -> None:
        self.trailers: list[tuple[str, str]] = []
        self._limits = limits
        self._left = 0  # of the chunk's data; 0: the line before a chunk comes next
        self._line = b""  # the beginning of a line
        self._trailer_size = 0

    def feed(self, data: bytes, pieces: list[bytes]) -> bytes | None:
        """Take ``data``, and append the pieces of the body in it.

        Returns:
            What is behind the end of the body, once it has come; else None.

        Raises:
            HTTP1Error: this is not the coding, or passes a limit.
        """
        if self._line:
            data = self._line + data
            self._line = b""
        place, size, left = 0, len(data), self._left
        while True:
            if left > 0:
                if size - place < left:  # the end is not here
                    if place < size:
                        pieces.append(data[place:] if place else data)
                    self._left = left - (size - place)
                    return None
                pieces.append(data[place : place + left])
                place += left
                left = _AFTER_DATA
            end = data.find(b"\r\n", place)
            if end < 0:
                self._left = left
                self._line = data[place:]
                self._check_beginning(left, self._line)
                return None
            line, place = data[place:end], end + 2
            if left == 0:
                left = self._size(line)
            elif left == _AFTER_DATA:
                if line:
                    raise HTTP1Error("a chunk is longer than its size")
                left = 0
            elif line:
                self._add_trailer(line)
            else:
                return data[place:]

    def _size(self, line: bytes) -> int:
        """How many bytes of data the chunk has that ``line`` is before; what comes after the last one."""
        if len(line) > self._limits.chunk_line:
            raise too_much(f"the line before a chunk has more than {self._limits.chunk_line} bytes")
        match = _SIZE(line)
        if match is None:
            raise HTTP1Error("a chunk has no valid size")
        size = int(match[1], 16)
        if size > _LARGEST:
            raise HTTP1Error("a chunk has no valid size")
        return size or _TRAILER

    def _add_trailer(self, line: bytes) -> None:
        self._trailer_size += len(line) + 2
        if self._trailer_size > self._limits.trailer:
            raise too_much(f"the trailer section has more than {self._limits.trailer} bytes")
        if len(self.trailers) == self._limits.trailer_fields:
            raise too_much(f"the trailer section has more than {self._limits.trailer_fields} fields")
        match = _FIELD(line)
        if match is None:
            raise HTTP1Error("a trailer field is malformed")
        self.trailers.append((match[1].decode("latin-1"), match[2].rstrip(b" \t").decode("latin-1")))

    def _check_beginning(self, left: int, line: bytes) -> None:
        """Refuse what will not become a line, without waiting for its end: it may never come."""
        if left == _AFTER_DATA:
            if line not in (b"", b"\r"):
                raise HTTP1Error("a chunk is longer than its size")
            return
        if b"\n" in line:
            raise HTTP1Error("a line of a chunked body ends without CR")
        if left == 0:
            if line and line[0] not in _DIGITS:
                raise HTTP1Error("a chunk has no valid size")
            if len(line) > self._limits.chunk_line + 1:  # the CR may be its last byte
                raise too_much(f"the line before a chunk has more than {self._limits.chunk_line} bytes")
        elif self._trailer_size + len(line) > self._limits.trailer + 1:
            raise too_much(f"the trailer section has more than {self._limits.trailer} bytes")
