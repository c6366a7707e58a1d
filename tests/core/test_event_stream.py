"""Event streams: the specification's examples, any split of the bytes, and what is ignored."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sansio_http import (
    ConfigurationError,
    EventParser,
    InvalidRequestError,
    ResponseDecodeError,
    ResponseTooLargeError,
    ServerSentEvent,
)


def read(*pieces: bytes, parser: EventParser | None = None) -> list[tuple[str, str, str]]:
    """Type, data and id of each event."""
    parser = EventParser() if parser is None else parser
    return [(event.event, event.data, event.id) for piece in pieces for event in parser.feed(piece)]


# The examples of WHATWG HTML 9.2.1 and 9.2.6
EXAMPLES = [
    (
        b"data: This is the first message.\n\ndata: This is the second message, it\ndata: has two lines.\n\n"
        b"data: This is the third message.\n\n",
        [
            ("message", "This is the first message.", ""),
            ("message", "This is the second message, it\nhas two lines.", ""),
            ("message", "This is the third message.", ""),
        ],
    ),
    (
        b"event: add\ndata: 73857293\n\nevent: remove\ndata: 2153\n\nevent: add\ndata: 113411\n\n",
        [("add", "73857293", ""), ("remove", "2153", ""), ("add", "113411", "")],
    ),
    (b"data: YHOO\ndata: +2\ndata: 10\n\n", [("message", "YHOO\n+2\n10", "")]),
    (
        b": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n",
        [("message", "first event", "1"), ("message", "second event", ""), ("message", " third event", "")],
    ),
    (b"data\n\ndata\ndata\n\ndata:", [("message", "", ""), ("message", "\n", "")]),
    (b"data:test\n\ndata: test\n\n", [("message", "test", ""), ("message", "test", "")]),
]


@pytest.mark.parametrize(("stream", "events"), EXAMPLES)
@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_the_examples_of_the_specification(
    stream: bytes, events: list[tuple[str, str, str]], end: bytes, size: int
) -> None:
    stream = stream.replace(b"\n", end)
    assert read(*(stream[at : at + size] for at in range(0, len(stream), size))) == events


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        (b"\xef\xbb\xbfdata: x\n\n", ["x"]),
        (b"\xef\xbb\xbf\xef\xbb\xbfdata: x\n\n", []),  # the second one is a part of the name
        (b"data: \xff\xc3\n\n", ["\ufffd\ufffd"]),
        (b"data: \xc3\xa4\xe2\x82\xac\n\n", ["ä€"]),
        (b"Data: x\nDATA: x\ndata : x\n data: x\n\n", []),
        (b"data: a\nunknown: b\nalso\n:c\ndata: d\n\n", ["a\nd"]),
        (b"data: x\n", []),
        (b"event: x\n\ndata: y\n\n", ["y"]),
        (b"data: a:b\n\n", ["a:b"]),
        (b"data:\x00\n\n", ["\x00"]),
        (b"data: x\r\rdata: y\r\n\r\ndata: z\n\r", ["x", "y", "z"]),
    ],
)
def test_data(stream: bytes, events: list[str]) -> None:
    assert [data for _, data, _ in read(stream)] == events


def test_a_type_is_for_one_event() -> None:
    assert read(b"event: a\nevent: b\ndata: 1\n\ndata: 2\n\nevent\ndata: 3\n\n") == [
        ("b", "1", ""),
        ("message", "2", ""),
        ("message", "3", ""),
    ]


def test_an_id_stays_and_counts_from_the_empty_line_on() -> None:
    parser = EventParser(last_event_id="0")
    assert read(b"data: a\n\nid: 1\ndata: b\n\ndata: c\n\nid: 2\n", parser=parser) == [
        ("message", "a", "0"),
        ("message", "b", "1"),
        ("message", "c", "1"),
    ]
    assert parser.last_event_id == "1"
    assert read(b"\n", parser=parser) == []
    assert parser.last_event_id == "2"


@pytest.mark.parametrize("id", [b"a\x00b", b"a\x01", b"\x7f"])
def test_an_id_that_no_header_can_hold_is_ignored(id: bytes) -> None:
    parser = EventParser()
    read(b"id: good\ndata: x\n\nid: " + id + b"\ndata: x\n\n", parser=parser)
    assert parser.last_event_id == "good"


@pytest.mark.parametrize(
    ("value", "milliseconds", "seconds"),
    [
        (b"1500", 1500, 1.5),
        (b" 0", 0, 0.0),
        (b"0" * 40 + b"7", 7, 0.007),
        (b"9" * 5000, 10**15, 10**12),
        (b"-1", None, None),
        (b"+1", None, None),
        (b"1.5", None, None),
        (b"1e3", None, None),
        (b"", None, None),
        ("١".encode(), None, None),
    ],
)
def test_a_reconnection_time_is_ascii_digits(value: bytes, milliseconds: int | None, seconds: float | None) -> None:
    parser = EventParser()
    (event,) = parser.feed(b"retry:" + value + b"\ndata: x\n\n")
    assert (event.retry, parser.reconnection_time) == (milliseconds, seconds)
    (event,) = parser.feed(b"data: x\n\n")
    assert (event.retry, parser.reconnection_time) == (None, seconds)


def test_a_reconnection_time_needs_no_event() -> None:
    parser = EventParser()
    assert read(b"retry: 10\n\n", parser=parser) == [] and parser.reconnection_time == 0.01


def test_after_a_restart_the_half_of_an_event_is_gone_and_the_id_is_not() -> None:
    parser = EventParser()
    assert len(read(b"id: 1\ndata: x\n\nid: 2\nevent: y\ndata: half\nda", parser=parser)) == 1
    parser.restart()
    assert read(b"\xef\xbb\xbfdata: z\n\n", parser=parser) == [("message", "z", "1")]


def test_what_is_said_of_the_last_event_is_of_the_one_that_was_taken() -> None:
    parser = EventParser()
    events = parser.feed(b"id: 1\ndata: x\n\nid: 2\nretry: 1\ndata: y\n\n")
    assert (next(events).data, parser.last_event_id, parser.reconnection_time) == ("x", "1", None)
    assert (next(events).data, parser.last_event_id, parser.reconnection_time) == ("y", "2", 0.001)


def naive(stream: bytes) -> list[tuple[str, str, str]]:
    """The specification word for word, on a stream that is there as a whole."""
    text = stream.decode("utf-8", "replace").removeprefix("\ufeff")
    data = kind = last = ""
    events: list[tuple[str, str, str]] = []
    for line in re.split("\r\n|\r|\n", text)[:-1]:  # what has no end is not processed
        if line == "":
            if data:
                events.append((kind or "message", data.removesuffix("\n"), last))
            data = kind = ""
            continue
        field, colon, value = line.partition(":")
        if colon and value.startswith(" "):
            value = value[1:]
        if field == "event":
            kind = value
        elif field == "data":
            data += value + "\n"
        elif field == "id" and "\0" not in value:
            last = value
    return events


TOKENS = st.sampled_from(["data", "id", "event", "retry", ":", ": ", " ", "\r", "\n", "\n\n", "\0", "\ufeff", "7", "ä"])


@given(st.lists(TOKENS | st.sampled_from(["data:a\n", "id:b\n", "event:c\n", "\r\n"])))
def test_it_does_what_the_specification_says(tokens: list[str]) -> None:
    stream = "".join(tokens).encode()
    assert read(stream) == naive(stream)


@given(st.lists(TOKENS), st.data())
def test_any_split_of_the_bytes_gives_the_same(tokens: list[str], data: st.DataObject) -> None:
    stream = "".join(tokens).encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    pieces = [stream[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    whole, parts = EventParser(), EventParser()
    assert read(*pieces, parser=parts) == read(stream, parser=whole)
    assert parts.last_event_id == whole.last_event_id
    assert parts.reconnection_time == whole.reconnection_time


@given(st.binary())
def test_nothing_that_a_server_sends_raises(stream: bytes) -> None:
    read(stream)


@pytest.mark.parametrize(
    ("stream", "good"),
    [
        (b"data: 12345678\n\ndata: 123456789\n\n", 0),  # the line is too long
        (b"data: 1\n\n: 123456789\n\n", 1),
        (b"data: 1\n\ndata: 1234\ndata: 1234\n\n", 1),
        (b"data: 1\n\n" + b"data\n" * 11, 1),
        (b"data: 1\n\n12345678901", 1),
    ],
)
def test_an_event_that_is_too_large_is_an_error_behind_those_before(stream: bytes, good: int) -> None:
    for size in (1, 100):
        events = events_of(EventParser(8), [stream[at : at + size] for at in range(0, len(stream), size)])
        for _ in range(good):
            next(events)
        with pytest.raises(ResponseTooLargeError, match="max_event_size, 8 characters"):
            next(events)


def events_of(parser: EventParser, pieces: list[bytes]) -> Iterator[ServerSentEvent]:
    for piece in pieces:
        yield from parser.feed(piece)


def test_the_limit_is_on_the_data_as_it_is_given() -> None:
    assert [len(data) for _, data, _ in read(b"data: 123\ndata: 12345\n\n" * 3, parser=EventParser(11))] == [9, 9, 9]


@pytest.mark.parametrize("limit", [0, -1, "1"])
def test_a_limit_that_is_none(limit: Any) -> None:
    with pytest.raises(ConfigurationError, match="max_event_size"):
        EventParser(limit)


@pytest.mark.parametrize("id", ["a\nb", "\x00", 7])
def test_an_id_to_begin_with_that_is_none(id: Any) -> None:
    with pytest.raises(InvalidRequestError, match="last_event_id"):
        EventParser(last_event_id=id)


def test_an_event_has_its_data_as_json_and_does_not_show_it() -> None:
    event = ServerSentEvent('{"password": 1}', "add", "7")
    assert event.json_data == {"password": 1}
    assert repr(event) == "<ServerSentEvent 'add', 15 characters, id '7'>"
    with pytest.raises(
        ResponseDecodeError, match="the data of the event 'message', 6 characters, is not JSON"
    ) as caught:
        _ = ServerSentEvent("secret").json_data
    assert "secret" not in f"{caught.value!r} {caught.value.__cause__!r}"
