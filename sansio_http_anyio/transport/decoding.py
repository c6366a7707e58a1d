"""Content codings undone: gzip, deflate, br and zstd, in pieces of bounded size.

Theory of operation. What a few bytes decode to may be a million times as long, so nothing here ever decodes all that it
was given: each stage gives out at most :data:`PIECE` bytes and is asked again, and several codings are stages in a row,
each of which takes the pieces of the one before. Whoever takes the pieces counts them and may stop at any one; what was
not taken is never decoded.

A body must be whole in its coding as well: one that ends in the middle of a gzip member is an error even if the message
around it was complete. br needs the package ``brotli`` (the extra ``br``), zstd is the standard library's from Python
3.14 on and ``backports.zstd`` before (the extra ``zstd``).

Sources: RFC 9110 8.4 (codings), RFC 1950 to 1952, RFC 7932 (br), RFC 8878 and 9659 (zstd).
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Protocol

from sansio_http import Headers, ResponseDecodeError

PIECE = 65_536
"""Bytes of one piece at most."""

MOST_CODINGS = 5
"""So many codings may be on top of each other; honest servers use one."""

_ZSTD_WINDOW = 23  # RFC 9659: a server may count on 8 MiB, 2**23 bytes, and no more


class Corrupt(Exception):
    """What came is not in the coding that it is said to be in. The message says what is wrong, never the bytes."""


class Stage(Protocol):
    """One coding of one body."""

    def pieces(self, data: bytes) -> Iterator[bytes]:
        """What ``data`` adds, in pieces of at most :data:`PIECE` bytes."""
        ...

    def is_complete(self) -> bool:
        """Whether the body may end here."""
        ...


class _Inflating:
    """gzip and deflate, by zlib."""

    def __init__(self, gzip: bool) -> None:
        self._gzip = gzip
        self._inflate: Any = None  # between two gzip members, or before the first byte, there is none

    def pieces(self, data: bytes) -> Iterator[bytes]:
        more = bool(data)
        while more:
            if self._inflate is None:
                self._inflate = zlib.decompressobj(self._window(data[0]))
            inflate = self._inflate
            try:
                piece = inflate.decompress(data, PIECE)
            except zlib.error:
                raise Corrupt("it is damaged") from None
            if piece:
                yield piece
            if inflate.eof:
                data = inflate.unused_data
                more = bool(data)
                if not self._gzip and data:
                    raise Corrupt("bytes follow its end")
                if self._gzip:  # RFC 1952 2.2: several members make one file
                    self._inflate = None
            else:
                data = inflate.unconsumed_tail
                more = bool(data) or len(piece) == PIECE  # it may have taken everything in and not given everything out

    def is_complete(self) -> bool:
        return self._inflate is None or bool(self._inflate.eof)

    def _window(self, first: int) -> int:
        if self._gzip:
            return 31
        # "deflate" is a zlib stream, but some servers send it without the header of two bytes. The header begins with
        # an 8 in the low half; a bare stream would begin so only with a stored block whose padding is not zero.
        return 15 if first & 15 == 8 else -15


class _Brotli:
    """br, by the package brotli."""

    def __init__(self) -> None:
        module: Any = import_module("brotli")
        self._error: type[Exception] = module.error
        self._decoder = module.Decompressor()
        self._begun = False

    def pieces(self, data: bytes) -> Iterator[bytes]:
        decoder = self._decoder
        self._begun = True
        try:
            if decoder.is_finished():
                raise Corrupt("bytes follow its end")
            more = True
            while more:
                some = decoder.process(data, output_buffer_limit=PIECE)  # it may be half as much again
                for start in range(0, len(some), PIECE):
                    yield some[start : start + PIECE]
                data = b""
                more = len(some) >= PIECE and not decoder.is_finished()  # whatever it says that it can accept
        except self._error:
            raise Corrupt("it is damaged") from None

    def is_complete(self) -> bool:
        return not self._begun or bool(self._decoder.is_finished())


class _Zstandard:
    """zstd, by the standard library or its backport."""

    def __init__(self) -> None:
        module: Any = import_module(_zstd_module() or "backports.zstd")
        self._error: type[Exception] = module.ZstdError
        options = {module.DecompressionParameter.window_log_max: _ZSTD_WINDOW}
        self._new: Callable[[], Any] = lambda: module.ZstdDecompressor(options=options)
        self._frame: Any = None  # between two frames there is none

    def pieces(self, data: bytes) -> Iterator[bytes]:
        try:
            while data:
                frame = self._frame = self._frame or self._new()
                piece = frame.decompress(data, PIECE)
                if piece:
                    yield piece
                while not (frame.eof or frame.needs_input):
                    piece = frame.decompress(b"", PIECE)
                    if piece:
                        yield piece
                data = b""
                if frame.eof:  # RFC 8878 3.1: several frames make one content
                    data, self._frame = frame.unused_data, None
        except self._error:
            raise Corrupt("it is damaged, or needs a window of more than 8 MiB") from None

    def is_complete(self) -> bool:
        return self._frame is None


class Decoding:
    """The codings of one body.

    Args:
        codings: as :func:`codings_of` gives them, not empty.
    """

    def __init__(self, codings: tuple[str, ...]) -> None:
        self._names = ", ".join(codings)
        self._stages = [_STAGES[name]() for name in reversed(codings)]  # what was put on last comes off first

    def pieces(self, data: bytes) -> Iterator[bytes]:
        """What ``data`` adds to the body, in pieces of at most :data:`PIECE` bytes.

        Raises:
            ResponseDecodeError: it is not in these codings.
        """
        try:
            yield from _through(self._stages, data)
        except Corrupt as error:
            raise self._error(str(error)) from None

    def finish(self) -> None:
        """The message is over.

        Raises:
            ResponseDecodeError: the body is not.
        """
        if not all(stage.is_complete() for stage in self._stages):
            raise self._error("it ends too early")

    def _error(self, reason: str) -> ResponseDecodeError:
        return ResponseDecodeError(f"the body says Content-Encoding: {self._names}, and {reason}")


def codings_of(headers: Headers) -> tuple[str, ...]:
    """The content codings that a body is to be freed of, in the order in which they were put on.

    Empty where there are none, or where one is none of ours: such a body is given as it came.

    Raises:
        ResponseDecodeError: there are more than five.
    """
    value = ",".join(headers.get_list("content-encoding"))
    if not value:
        return ()
    names = tuple(name for each in value.lower().split(",") if (name := each.strip(" \t")) not in ("", "identity"))
    if len(names) > MOST_CODINGS:
        raise ResponseDecodeError(f"the body has {len(names)} content codings; at most {MOST_CODINGS} are undone")
    known = all(name in _STAGES and (name not in _OPTIONAL or name in accepted()) for name in names)
    return names if known else ()


@cache
def accepted() -> tuple[str, ...]:
    """The codings that can be undone here, best known first: what Accept-Encoding says."""
    optional = [name for name, module in (("br", _brotli_module()), ("zstd", _zstd_module())) if module is not None]
    return ("gzip", "deflate", *optional)


def _through(stages: list[Stage], data: bytes) -> Iterator[bytes]:
    """Through every stage, a piece at a time."""
    first, *others = stages
    for piece in first.pieces(data):
        if others:
            yield from _through(others, piece)
        else:
            yield piece


def _brotli_module() -> str | None:
    """The package, unless it is one from before 1.2, whose output nobody can bound."""
    if find_spec("brotli") is None:
        return None
    module = import_module("brotli")
    return module.__name__ if hasattr(module.Decompressor, "can_accept_more_data") else None


def _zstd_module() -> str | None:
    for package, name in (("compression", "compression.zstd"), ("backports", "backports.zstd")):
        if find_spec(package) is not None and find_spec(name) is not None:
            return name
    return None


_STAGES: dict[str, Callable[[], Stage]] = {
    "gzip": lambda: _Inflating(True),
    "x-gzip": lambda: _Inflating(True),  # RFC 9110 8.4.1.3: the same
    "deflate": lambda: _Inflating(False),
    "br": _Brotli,
    "zstd": _Zstandard,
}
_OPTIONAL = frozenset({"br", "zstd"})
