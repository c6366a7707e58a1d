"""From ``json``, ``data`` and ``files`` to one body, and what kind of body it is."""

from __future__ import annotations

import io
import os
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from mimetypes import MimeTypes
from typing import Any, Protocol, cast

from sansio_http import (
    PART_END,
    Body,
    Headers,
    HeadersLike,
    InvalidRequestError,
    QueryParams,
    Serializer,
    bytes_body,
    form_body,
    json_body,
    multipart_end,
    multipart_fields,
    multipart_head,
    multipart_type,
    text_body,
)

from .sources import BinaryFile, Joined, Once, Pieces, Reader, Source

_ButIterables = (
    bytes
    | bytearray
    | memoryview
    | str
    | BinaryFile
    | AsyncIterable[bytes]
    | Callable[[], Iterable[bytes] | AsyncIterable[bytes]]
    | Body
)

Content = _ButIterables | Iterable[bytes]
"""What a body, or a file in a form, can be made of.

A file was opened in binary mode, and is sent from where it stands. An iterator can be sent once. What makes a new
iterator each time (a function without arguments, or an iterable that is no iterator) can be sent again.
"""


class BytesIterable(Protocol):
    """An iterable of bytes that has a hash, and so is no dict and no list: those are forms.

    Were it a plain ``Iterable[bytes]``, mypy could not tell of ``{"a": 1, "b": ["x"]}`` what it is to be.
    """

    def __iter__(self) -> Iterator[bytes]: ...
    def __hash__(self) -> int: ...


Data = QueryParams | _ButIterables | Iterator[bytes] | BytesIterable
"""What ``data`` takes: the fields of a form, as a mapping or as pairs; or content as it is."""

FileContent = (
    Content
    | tuple[str | None, Content]
    | tuple[str | None, Content, str | None]
    | tuple[str | None, Content, str | None, HeadersLike]
)
"""A file of a form: its content; or with its name, its media type and further headers, as far as they are given.

Without a name it has that of the file object, else ``upload``; with None it is a field without one. Without a media
type it has that of its name.
"""

Files = Mapping[str, FileContent] | Sequence[tuple[str, FileContent]]
"""Files of a form by field name; as pairs where a name occurs more than once."""

_ANY = "application/octet-stream"


def body_of(json: Any, data: Any, files: Files | None, serializer: Serializer) -> tuple[Body | None, str | None]:
    """The body, and the Content-Type it has where the caller says nothing.

    Raises:
        InvalidRequestError: they contradict each other, or cannot be encoded.
    """
    if json is not None:
        if data is not None or files is not None:
            other = "data" if files is None else "files"
            raise InvalidRequestError(f"json, {other}: a request has one body; give one of them")
        return json_body(json, serializer)
    if files is not None:
        return multipart(data, files, os.urandom(16).hex())
    if data is None:
        return None, None
    if isinstance(data, Mapping | Sequence) and not isinstance(data, str | bytes | bytearray | memoryview):
        return form_body(cast("QueryParams", data))
    return content_of(data, "data")


def content_of(data: Any, field: str) -> tuple[Body, str | None]:
    """One content as a body.

    Args:
        data: see :data:`Content`.
        field: what the caller calls it.

    Raises:
        InvalidRequestError: it is none.
    """
    if isinstance(data, Body):
        return data, None
    if isinstance(data, str):
        return text_body(data)
    if isinstance(data, bytes | bytearray | memoryview):
        return bytes_body(cast("bytes | bytearray", data))
    if hasattr(data, "read"):
        return _file(data, field), _ANY
    if isinstance(data, AsyncIterator | Iterator):
        pieces = cast("AsyncIterator[bytes] | Iterator[bytes]", data)
        return Body(Source(Once(Pieces(pieces))), replay="once"), _ANY
    if isinstance(data, AsyncIterable | Iterable):
        again = cast("AsyncIterable[bytes] | Iterable[bytes]", data)
        return Body(Source(lambda: Pieces(again)), replay="yes"), _ANY
    if callable(data) and not isinstance(data, type):
        return Body(Source(lambda: Pieces(_made(data(), field))), replay="yes"), _ANY
    raise InvalidRequestError(
        f"{field}: {type(data).__name__} is not allowed; it is {'a mapping, pairs, ' if field == 'data' else ''}str,"
        " bytes, a file, an iterator of bytes, a function that makes one, or a Body"
    )


def _made(pieces: Any, field: str) -> Iterable[bytes] | AsyncIterable[bytes]:
    """What a function of the caller's has made, if it can be iterated over."""
    if isinstance(pieces, AsyncIterable | Iterable) and not isinstance(pieces, str | bytes):
        return cast("Iterable[bytes]", pieces)
    raise InvalidRequestError(
        f"{field}: the function gave a {type(pieces).__name__}; it must give an iterator of bytes"
    )


def _file(file: Any, field: str) -> Body:
    """A file from where it stands: replayable, and of a known length, where it can be wound back."""
    if isinstance(file, io.TextIOBase):
        raise InvalidRequestError(f"{field}: a file must be opened in binary mode ('rb'), not as text")
    try:
        if isinstance(file, io.BytesIO):
            return Body.of(bytes(file.getbuffer()[file.tell() :]))
        if not file.seekable():
            raise OSError
        start = file.tell()
        length = max(0, file.seek(0, os.SEEK_END) - start)
        file.seek(start)
    except (OSError, AttributeError):  # a pipe, or something that has no more than read()
        return Body(Source(Once(Reader(file, None, None))), replay="once")
    except ValueError as error:  # it is closed
        raise InvalidRequestError(f"{field}: the file cannot be read: {error}") from None
    return Body(Source(lambda: Reader(file, start, length)), length, "yes")


def multipart(data: Any, files: Any, boundary: str) -> tuple[Body, str]:
    """A form with files, and its Content-Type.

    Args:
        data: its other fields.
        files: see :data:`Files`.
        boundary: between its parts; it may not occur in them, so it is made by chance.

    Raises:
        InvalidRequestError: names what is wrong.
    """
    if isinstance(files, str | bytes) or not isinstance(files, Mapping | Sequence):
        raise InvalidRequestError(
            f"files: must be a mapping of names to files, or (name, file) pairs, not {type(files).__name__}"
        )
    if not (data is None or isinstance(data, Mapping | Sequence)) or isinstance(data, str | bytes | bytearray):
        raise InvalidRequestError(
            f"data, files: beside files data is the form's other fields: a mapping or pairs, not {type(data).__name__}"
        )
    sources: list[Any] = [multipart_fields(boundary, cast("QueryParams", data or {}))]
    length: int | None = len(sources[0])
    replayable = True
    for item in cast("Any", files.items() if isinstance(files, Mapping) else files):
        head, body = _part(boundary, *_pair(item))
        for source in (head, body.source, PART_END):
            _append(sources, source)
        length = None if length is None or body.length is None else length + len(head) + body.length + len(PART_END)
        replayable = replayable and body.replayable
    if not sources[0]:
        raise InvalidRequestError("files: there is no file, and no field beside")
    end = multipart_end(boundary)
    _append(sources, end)
    if len(sources) == 1:
        return Body.of(sources[0]), multipart_type(boundary)
    length = None if length is None else length + len(end)
    return Body(Parts(sources), length, "yes" if replayable else "once"), multipart_type(boundary)


def _append(sources: list[Any], source: Any) -> None:
    """Add a source; bytes go on those before them."""
    if isinstance(source, bytes) and isinstance(sources[-1], bytes):
        sources[-1] += source
    else:
        sources.append(source)


class Parts(Source):
    """The source of a form with files."""

    def __init__(self, sources: Sequence[Any]) -> None:
        super().__init__(lambda: Joined(sources))
        self._sources = sources

    async def aclose(self) -> None:
        """Close what the last send has not read to its end."""
        for source in self._sources:
            if isinstance(source, Source):
                await source.aclose()


def _pair(item: Any) -> tuple[str, Any]:
    try:
        name, content = item
    except (TypeError, ValueError):
        raise InvalidRequestError("files: must be (name, file) pairs where it is no mapping") from None
    return name, content


def _part(boundary: str, name: str, file: Any) -> tuple[bytes, Body]:
    """The head and the content of one file."""
    content, filename, content_type, headers = file, _name_of(file), None, None
    if isinstance(file, tuple):
        several = cast("Sequence[Any]", file)
        if not 2 <= len(several) <= 4:
            raise InvalidRequestError(
                f"files[{name!r:.80}]: a tuple of {len(several)} is not allowed; it is (filename, content), with a"
                " media type and headers behind as you like"
            )
        filename, content, content_type, headers = (*several, None, None)[:4]
    body, _ = content_of(content, f"files[{name!r:.80}]")
    if content_type is None and filename is not None:
        content_type = media_type_of(filename) if isinstance(filename, str) else _ANY
    return multipart_head(boundary, name, filename, content_type, None if headers is None else Headers(headers)), body


def media_type_of(filename: str) -> str:
    """The media type that goes with a file's name; of bytes where its name says nothing."""
    return _media_types().guess_type(filename)[0] or _ANY


@cache
def _media_types() -> MimeTypes:
    """The standard library's own table: what the system adds would make a request depend on the machine."""
    return MimeTypes()


def _name_of(file: Any) -> str:
    """The name under which a file goes that was given without one."""
    name = getattr(file, "name", None)
    return os.path.basename(name) if isinstance(name, str) and os.path.basename(name) else "upload"
