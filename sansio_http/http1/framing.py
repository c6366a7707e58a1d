"""What a head says about the rest: how its body ends, and whether the connection can be kept.

By RFC 9112 6.3 and 9.3 where the head says one thing. Where it says two it is refused, although the RFC knows which of
them counts: somebody between us and the server may know it otherwise, and would then see other messages than we do.
"""

from __future__ import annotations

from math import inf

from .errors import HTTP1Error

CHUNKED = -1
"""As a length: the body is chunked."""

_MOST_DIGITS = 18  # they stay below 2**63
_FRAMING = frozenset({"connection", "content-length", "transfer-encoding"})
_LENGTHS = frozenset(map(len, _FRAMING))  # nearly all other names are told apart by these, for less


def frame(method: str, status: int, version: str, pairs: list[tuple[str, str]]) -> tuple[float, bool]:
    """How many bytes the body has, and whether the connection ends with it.

    Args:
        method: of the request.
        status: final.
        version: ``1.1`` or ``1.0``.
        pairs: header fields.

    Returns:
        The length: :data:`CHUNKED`, or infinite where it is the end of the connection that ends the body. And True
        where no other request may follow.

    Raises:
        HTTP1Error: the head contradicts itself, or says what we cannot read.
    """
    length: int | None = None
    is_chunked = is_last = False
    is_kept = version == "1.1"
    for name, value in pairs:
        if len(name) not in _LENGTHS or (key := name.lower()) not in _FRAMING:
            continue
        if key == "content-length":
            if length is not None:
                raise HTTP1Error("there is more than one Content-Length")
            if len(value) > _MOST_DIGITS or not (value.isascii() and value.isdigit()):
                raise HTTP1Error("the Content-Length is not a valid number")
            length = int(value)
        elif key == "connection":
            options = [option.strip() for option in value.lower().split(",")]
            is_last = is_last or "close" in options
            is_kept = is_kept or "keep-alive" in options
        else:
            # A list is refused with the rest: what lies around chunked cannot be undone, and chunked twice is a trap.
            if is_chunked or value.lower() != "chunked":
                raise HTTP1Error("the Transfer-Encoding is not chunked alone")
            is_chunked = True
    if is_chunked and length is not None:
        raise HTTP1Error("there are both a Content-Length and a Transfer-Encoding")
    if is_chunked and version == "1.0":  # which does not know it; RFC 9112 6.1
        is_last = True
    is_last = is_last or not is_kept
    if method == "HEAD" or status == 304:
        return 0, is_last
    if status == 204:
        # Who cannot have a body and announces one may send it after all.
        return 0, is_last or is_chunked or bool(length)
    if is_chunked:
        return CHUNKED, is_last
    return inf if length is None else length, is_last or length is None
