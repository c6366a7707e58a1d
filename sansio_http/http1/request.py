"""A request to bytes."""

from __future__ import annotations

import re

from ..bodies import Body
from ..exceptions import InvalidRequestError
from ..headers import Headers

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+").fullmatch  # RFC 9110 5.6.2
_COMMON = frozenset({"GET", "POST", "PUT", "DELETE", "PATCH"})  # methods that need no second look
_WITH_CONTENT = frozenset({"POST", "PUT", "PATCH"})  # of these the length of the body is said even where it has none

# The body says the first two, and we the third, by an option.
_OURS = frozenset({"content-length", "transfer-encoding", "expect"})
_SPECIAL = _OURS | {"host", "connection"}


class HeadWriter:
    """Writes the heads of requests. What a client's requests have in common, their header fields, is written once.

    The fields of the request before are kept, credentials included: a writer lives as long as the client it writes for.
    """

    __slots__ = ("_fields", "_host", "_is_last", "_lines", "_pairs")

    def __init__(self) -> None:
        self._pairs: list[tuple[str, str]] = []  # what the others are made of
        self._fields = ""
        self._lines = 0
        self._host: str | None = None
        self._is_last = False

    def write(
        self,
        method: str,
        target: str,
        host: str,
        headers: Headers,
        body: Body | None = None,
        *,
        expect_continue: bool = False,
    ) -> tuple[bytes, bool]:
        """The head of a request: the request line, Host, the caller's header fields, and how long the body is.

        Args:
            method: in capitals.
            target: path and query as they go out (origin form), in ASCII without blanks.
            host: for the Host field where the headers have none: with the port, if it is not the scheme's own; an IPv6
                address in brackets.
            headers: they go out in their order; Host goes first, and what the body decides (Content-Length,
                Transfer-Encoding) is left out, as is Expect.
            body: whose length is sent, or that it is chunked; the body itself follows by a :class:`BodyWriter`.
            expect_continue: ask the server to say, by an interim response, that it wants the body (RFC 9110 10.1.1).
                Nothing is asked where there is none.

        Returns:
            The bytes, and whether they say that the connection ends with this request:
            :meth:`ResponseParser.expect <sansio_http.ResponseParser.expect>` wants to know.

        Raises:
            InvalidRequestError: the method or target cannot be written, a header field would split the head, or there
                are two Host fields.
        """
        if method not in _COMMON and not _TOKEN(method):
            raise InvalidRequestError(f"method: {method!r:.40} is not a token")
        if not target or not (target.isascii() and target.isprintable()) or " " in target:
            raise InvalidRequestError("target: it has a blank, a control character or one outside ASCII, or is empty")
        if (pairs := headers.pairs()) != self._pairs:
            self._take(pairs)
        lines, rest = self._lines + 3, ""  # the request line, Host, and the empty one
        if body is None:
            if method in _WITH_CONTENT:
                lines, rest = lines + 1, "Content-Length: 0\r\n"
        else:
            length = body.length
            lines += 1
            rest = "Transfer-Encoding: chunked\r\n" if length is None else f"Content-Length: {length}\r\n"
            if expect_continue and length != 0:
                lines, rest = lines + 1, f"{rest}Expect: 100-continue\r\n"
        own = self._host
        text = f"{method} {target} HTTP/1.1\r\nHost: {host if own is None else own}\r\n{self._fields}{rest}\r\n"
        try:
            head = text.encode("latin-1")
        except UnicodeEncodeError:
            raise InvalidRequestError("headers: a field has a character outside ISO-8859-1") from None
        # Headers were checked when they were made; this is the last place where a mistake elsewhere can be stopped.
        if len(head) - len(head.translate(None, b"\r\n\0")) != 2 * lines:
            raise InvalidRequestError("headers: a field has CR, LF or NUL")
        return head, self._is_last

    def _take(self, pairs: list[tuple[str, str]]) -> None:
        """These are the header fields from now on."""
        own_host: str | None = None
        is_last = False
        fields: list[str] = []
        for name, value in pairs:
            key = name.lower()
            if key in _SPECIAL:
                if key == "host":
                    if own_host is not None:
                        raise InvalidRequestError("headers: Host is there twice")
                    own_host = value
                    continue
                if key in _OURS:
                    continue
                is_last = is_last or "close" in [option.strip() for option in value.lower().split(",")]
            fields.append(f"{name}: {value}\r\n")
        self._pairs, self._host, self._is_last = pairs, own_host, is_last
        self._fields, self._lines = "".join(fields), len(fields)


class BodyWriter:
    """The pieces of a request's body, framed as its head says.

    Args:
        length: in bytes; None for the chunked coding.
    """

    __slots__ = ("_left",)

    def __init__(self, length: int | None) -> None:
        self._left = length

    def write(self, piece: bytes) -> tuple[bytes, ...]:
        """What to send for the next piece, one behind the other; nothing for an empty one. It is not copied.

        Raises:
            InvalidRequestError: the body is longer than it was said to be. The connection must be closed.
        """
        if self._left is None:
            return (b"%x\r\n" % len(piece), piece, b"\r\n") if piece else ()  # an empty chunk would end it
        self._left -= len(piece)
        if self._left < 0:
            raise InvalidRequestError("body: it is longer than its length says")
        return (piece,) if piece else ()

    def end(self) -> bytes:
        """What to send after the last piece; it may be empty.

        Raises:
            InvalidRequestError: the body is shorter than it was said to be. The connection must be closed.
        """
        if self._left is None:
            return b"0\r\n\r\n"
        if self._left:
            raise InvalidRequestError(f"body: it is {self._left} bytes shorter than its length says")
        return b""
