"""Server-sent events: what a ``text/event-stream`` says.

A stream is UTF-8 text in lines. A line is a field (``data: text``), a comment (``: anything``), or empty: then the
event that the fields before it have described is over. Whatever is not understood is ignored, and an event that the
stream's end cuts off never happened.

Source: WHATWG HTML, "Server-sent events", 9.2.5 and 9.2.6. Two things differ. An id with a control character is
ignored, and not only one with NUL: no header could take it back to the server. And the last id outlives its connection,
as it does in browsers, so that an event without an id after a reconnection does not send the next one to the beginning.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from io import StringIO
from typing import Any

from .exceptions import InvalidRequestError, ResponseDecodeError
from .lines import LINE_LIMIT, Lines, too_large

_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]").search
_LONGEST = 15  # digits of a time; a number that has more is as good as never


@dataclass(frozen=True, slots=True, repr=False)
class ServerSentEvent:
    """One event.

    Args:
        data: its text; several ``data`` lines are joined by LF.
        event: its type; ``message`` where the stream names none.
        id: the last one that the stream has named, in this event or before it; empty where it never has.
        retry: milliseconds to wait before a reconnection, where the stream says so along with this event.
    """

    data: str
    event: str = "message"
    id: str = ""
    retry: int | None = None

    @property
    def json_data(self) -> Any:
        """The data parsed as JSON.

        Raises:
            ResponseDecodeError: it is not JSON.
        """
        try:
            return json.loads(self.data)
        except (ValueError, RecursionError):
            raise ResponseDecodeError(
                f"the data of the event {self.event!r:.80}, {len(self.data)} characters, is not JSON"
            ) from None  # the parser's error holds the whole document

    def __repr__(self) -> str:
        return f"<ServerSentEvent {self.event!r:.80}, {len(self.data)} characters, id {self.id!r:.80}>"


class EventParser:
    """From the bytes of an event stream to its events.

    Args:
        limit: characters that an event's data, and any line, may have; 1 or more, None for any number.
        last_event_id: of the last event that was had before, in an earlier stream.

    Attributes:
        last_event_id: what to say in Last-Event-ID, to go on behind the events that were given out.
        reconnection_time: seconds to wait before a reconnection; None where the stream has not said.

    Raises:
        ConfigurationError: the limit is none.
        InvalidRequestError: the id cannot be said in a header.
    """

    __slots__ = (
        "_data",
        "_decoder",
        "_id",
        "_limit",
        "_lines",
        "_retry",
        "_size",
        "_type",
        "last_event_id",
        "reconnection_time",
    )

    # Set by _clear(), anew for each event.
    _data: StringIO  # with a LF behind each line; a list of them could take many times its size
    _size: int
    _type: str
    _retry: int | None

    def __init__(self, limit: int | None = LINE_LIMIT, last_event_id: str = "") -> None:
        if not isinstance(last_event_id, str) or _CONTROL(last_event_id):
            raise InvalidRequestError("last_event_id: must be a str without control characters")
        self._limit = limit
        self._data = StringIO()
        self._size = 0
        self.last_event_id = last_event_id
        self.reconnection_time: float | None = None
        self.restart()

    def restart(self) -> None:
        """A new connection: what has come of an event that was not over is forgotten."""
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")("replace")
        self._lines = Lines(self._limit, option="max_event_size")
        self._id = self.last_event_id
        self._clear()

    def feed(self, data: bytes) -> Iterator[ServerSentEvent]:
        """The events that are over now. Take all of them before the next call.

        The attributes are those of the last event that was taken.

        Raises:
            ResponseTooLargeError: while iterating, behind the events before: one is longer than the limit.
        """
        for line in self._lines.feed(self._decoder.decode(data)):
            if line:
                self._field(line)
            else:
                self.last_event_id = self._id
                event: ServerSentEvent | None = None
                if self._size:
                    text = self._data.getvalue()[:-1]
                    event = ServerSentEvent(text, self._type or "message", self._id, self._retry)
                self._clear()
                if event is not None:
                    yield event

    def _field(self, line: str) -> None:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self._size += len(value) + 1
            if self._limit is not None and self._size > self._limit + 1:  # the last line's end is not a part of it
                raise too_large("an event", self._limit, "max_event_size")
            self._data.write(value)
            self._data.write("\n")
        elif name == "event":
            self._type = value
        elif name == "id":
            if not _CONTROL(value):
                self._id = value
        elif name == "retry" and value.isascii() and value.isdigit():
            digits = value.lstrip("0")
            self._retry = int(digits or "0") if len(digits) <= _LONGEST else 10**_LONGEST
            self.reconnection_time = self._retry / 1000

    def _clear(self) -> None:
        if self._size:
            self._data = StringIO()
            self._size = 0
        self._type = ""
        self._retry = None
