"""JSON Lines: a body with a JSON document on each line, read as it comes."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from typing import Any, Generic, TypeVar

from sansio_http import HTTPResponse, Lines, ResponseBodyError, ResponseDecodeError

from .streaming import ResponseStream, StreamedResponse
from .typed import ValidateLine, line_validator, not_json

T = TypeVar("T")

_NO_TEXT = re.compile("[\udc80-\udcff]").search  # what the decoder makes of bytes that it does not know
_CLOSED = "the lines were closed before they were read to their end"


class JSONLines(Generic[T]):
    """The documents of one answer. Iterate over it once, inside of ``async with client.jsonl(...) as lines``.

    Lines without anything but white space are passed over. A line that is not what was asked for raises, and does no
    harm to those behind it: iterate on to have them.

    Attributes:
        response: the answer.
        line: the number of the line that was read last, from 1; 0 before the first.

    Source: jsonlines.org.
    """

    response: StreamedResponse

    def __init__(self, stream: ResponseStream, response_type: Any, limit: int | None) -> None:
        Lines(limit)  # refuses what is no limit
        self._stream = stream
        self._limit = limit
        self._load: ValidateLine = _parsed if response_type is None else line_validator(response_type)
        self._texts: AsyncIterator[str] | None = None
        self.line = 0

    async def open(self) -> None:
        """Ask for the answer, and wait for its head. The context does that."""
        self.response = response = await self._stream.__aenter__()
        try:
            if not response.raise_for_status().is_success:
                raise ResponseDecodeError(f"the {response.status_code} response has no lines of JSON", response)
            # Bytes that are no text are the matter of their own line.
            self._texts = response.cut_into(Lines(self._limit, cr=False), "surrogateescape")
        except BaseException:
            await self.aclose()
            raise

    async def aclose(self) -> None:
        """Close the connection, unless all was read. The context does that. Idempotent."""
        self._texts = None
        await self._stream.__aexit__(None, None, None)

    def __aiter__(self) -> JSONLines[T]:
        return self

    async def __anext__(self) -> T:
        if self._texts is None:
            raise ResponseBodyError(_CLOSED, phase="body")
        async for text in self._texts:
            self.line += 1
            if self.line == 1:
                text = text.removeprefix("\ufeff")
            if not text.isascii() and _NO_TEXT(text):
                raise not_json(self.response, self.line)
            if text and not text.isspace():
                found: T = self._load(text, self.response, self.line)
                return found
        raise StopAsyncIteration


def _parsed(text: str, response: HTTPResponse, number: int) -> Any:
    """A line as JSON, by the client's serializer."""
    loads: Callable[[bytes], Any] = response.loads
    try:
        return loads(text.encode())
    except (ValueError, RecursionError):
        raise not_json(response, number) from None  # the parser's error holds the whole document
