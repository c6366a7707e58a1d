"""The body of a response on its way from the wire to its reader: freed of its codings, and counted.

Every path goes through here - a body that is read whole, one that is read in pieces, the beginning of an error's body -
so that one limit holds on all of them, and on what comes out: what goes in may be a thousandth of it.
"""

from __future__ import annotations

from collections.abc import Iterator

from sansio_http import Headers, ResponseTooLargeError, Send

from .decoding import Decoding, codings_of

_AS_IT_IS = frozenset({204, 206, 304})  # no body, or a part of one, which cannot be decoded by itself


class Content:
    """The body of one response.

    Args:
        send: the order that it answers.
        status: of the response.
        limit: bytes that it may have, decoded; None for any number.

    Attributes:
        size: bytes that were given out.
    """

    __slots__ = ("_decoding", "_limit", "_send", "_status", "size")

    def __init__(self, send: Send, status: int, limit: int | None) -> None:
        self._decoding: Decoding | None = None
        self._send = send
        self._status = status
        self._limit = limit
        self.size = 0

    def open(self, headers: Headers) -> None:
        """Find out which codings the body is in; without that it is taken as it comes.

        Raises:
            ResponseDecodeError: it has more codings than an honest server would use.
        """
        if self._status not in _AS_IT_IS and self._send.request.method != "HEAD" and (codings := codings_of(headers)):
            self._decoding = Decoding(codings)

    def pieces(self, data: bytes) -> Iterator[bytes]:
        """What ``data`` from the wire adds to the body, in pieces of bounded size; what is not taken is not decoded.

        Raises:
            ResponseDecodeError: it is not in the coding that it is said to be in.
            ResponseTooLargeError: the body is longer than the limit.
        """
        if self._decoding is None:
            if data:
                self._count(len(data))
                yield data
        else:
            for piece in self._decoding.pieces(data):
                self._count(len(piece))
                yield piece

    def finish(self) -> None:
        """All has come from the wire.

        Raises:
            ResponseDecodeError: the body ends in the middle of its coding.
        """
        if self._decoding is not None:
            self._decoding.finish()

    def whole(self, data: bytes) -> bytes:
        """The body, where ``data`` is all that came. It fails as the others do."""
        if self._decoding is None and (self._limit is None or len(data) <= self._limit):
            self.size = len(data)
            return data
        pieces = list(self.pieces(data))
        self.finish()
        return b"".join(pieces)

    def _count(self, size: int) -> None:
        self.size += size
        limit = self._limit
        if limit is not None and self.size > limit:
            raise self._send.error(ResponseTooLargeError, f"the body has more than max_response_size, {limit} bytes")
