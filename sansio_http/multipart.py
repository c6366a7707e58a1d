"""The frame of a multipart/form-data body: everything around the contents, which may be streams.

No file is held in memory here: whoever sends the body puts its parts one after the other. These are
:func:`multipart_fields`; for each file :func:`multipart_head`, its content and :data:`PART_END`; and
:func:`multipart_end` behind the last. Source: RFC 7578, and HTML 4.10.21.8 ("multipart form data").
"""

from __future__ import annotations

import re

from .exceptions import InvalidRequestError
from .headers import Headers
from .query import QueryParams, named_texts

PART_END = b"\r\n"
"""What goes between the content of a part and the next boundary."""

_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,\-./:=?]{1,70}").fullmatch  # RFC 2046 5.1.1, without the space
_UNSAFE = re.compile(r"[\r\n\x00]").search
_OURS = frozenset({"content-disposition", "content-type", "content-transfer-encoding"})


def multipart_type(boundary: str) -> str:
    """The Content-Type of a body whose parts are divided by ``boundary``.

    Raises:
        InvalidRequestError: it is no boundary.
    """
    if not isinstance(boundary, str) or not _BOUNDARY(boundary):
        raise InvalidRequestError("boundary: must be 1 to 70 of 0-9 A-Z a-z ' ( ) + _ , - . / : = ?")
    quoted = boundary if re.fullmatch(r"[0-9A-Za-z'+_\-.]+", boundary) else f'"{boundary}"'
    return f"multipart/form-data; boundary={quoted}"


def multipart_head(
    boundary: str,
    name: str,
    filename: str | None = None,
    content_type: str | None = None,
    headers: Headers | None = None,
) -> bytes:
    """What goes before the content of one part.

    A quote in a name is written ``%22``, all else of it as UTF-8: the rule of HTML, which servers read best.

    Args:
        boundary: as in :func:`multipart_type`.
        name: of the form's field.
        filename: None for a field that is no file.
        content_type: of the content; None where the server is to take it as text.
        headers: further ones.

    Raises:
        InvalidRequestError: a name has CR, LF, NUL or a lone surrogate, or a header is not one, or one of ours. The
            message shows no value.
    """
    disposition = f'form-data; name="{_quoted(name, "name")}"'
    if filename is not None:
        disposition += f'; filename="{_quoted(filename, "filename")}"'
    lines = [f"--{boundary}", f"Content-Disposition: {disposition}"]
    if content_type is not None:
        lines.append(f"Content-Type: {Headers({'Content-Type': content_type})['content-type']}")
    for header, value in headers.pairs() if headers is not None else ():
        if header.lower() in _OURS:
            raise InvalidRequestError(f"files: the header {header!r} of a part is made of what else is said about it")
        lines.append(f"{header}: {value}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def multipart_fields(boundary: str, fields: QueryParams) -> bytes:
    """The parts of fields that are no files: text in UTF-8.

    Args:
        boundary: as in :func:`multipart_type`.
        fields: by name; None is left out, a list repeats the name.

    Raises:
        InvalidRequestError: a name or a value cannot be written.
    """
    parts: list[bytes] = []
    for name, texts, _ in named_texts(fields, "data"):
        head = multipart_head(boundary, name)
        try:
            parts += [part for text in texts for part in (head, text.encode(), PART_END)]
        except UnicodeEncodeError:
            raise InvalidRequestError(f"data[{name!r:.80}]: has a lone surrogate") from None
    return b"".join(parts)


def multipart_end(boundary: str) -> bytes:
    """What goes behind the last part."""
    return f"--{boundary}--\r\n".encode()


def _quoted(text: str, what: str) -> str:
    """A name as it goes between quotes."""
    if not isinstance(text, str):
        raise InvalidRequestError(f"files: a {what} must be a str, not {type(text).__name__}")
    if _UNSAFE(text):
        raise InvalidRequestError(f"files: a {what} has CR, LF or NUL, which could split the message")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidRequestError(f"files: a {what} has a lone surrogate, which UTF-8 cannot encode") from None
    return text.replace('"', "%22")
