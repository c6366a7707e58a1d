"""Both engines, wherever the network cuts the bytes: the same response, or both refuse.

A *trace* is all that can be seen of a parser after it was fed. The bytes are responses that mean something, and the
same with bytes changed, put in, taken out or doubled; and plain garbage.
"""

from __future__ import annotations

from typing import Any

import h11
import httptools
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sansio_http import HTTP1Error, HTTP1Limits, ResponseParser

SMALL = HTTP1Limits(head=200, fields=5, interim=2, chunk_line=12, trailer=20, trailer_fields=2)

LINES = [
    *(b"HTTP/1.1 200 OK", b"HTTP/1.0 200 OK", b"HTTP/1.1 204 No Content", b"HTTP/1.1 304 Not Modified"),
    *(b"HTTP/1.1 100 Continue", b"HTTP/1.1 103 Early Hints", b"HTTP/1.1 500", b"HTTP/1.1 999 \xe9", b"HTTP/1.1 101 Up"),
]
FIELDS = [
    *(b"Content-Length: 0", b"Content-Length: 5", b"content-length:05", b"Content-Length: 5, 5", b"Content-Length: -1"),
    *(b"Transfer-Encoding: chunked", b"Transfer-Encoding: Chunked", b"Transfer-Encoding: gzip, chunked"),
    *(b"Connection: close", b"Connection: keep-alive", b"Connection: upgrade", b"Upgrade: h2c", b"Trailer: A"),
    *(b"A: b", b"A:", b"A: \t b c \t", b" folded", b"\xe9: b", b"A: \xe9\x80", b"A : b", b"Set-Cookie: a=b; c", b"A b"),
]
BODIES = [
    *(b"", b"hello", b"hell", b"hello!", b"5\r\nhello\r\n0\r\n\r\n", b"5;a=b\r\nhello\r\n0\r\nA: b\r\n\r\n"),
    *(b"0\r\n\r\n", b"5\r\nhello!\r\n0\r\n\r\n", b"5\nhello\n0\n\n", b"0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"),
    b"5 \r\nhello\r\n00\r\n\r\n",
]
ENDS = [b"\r\n"] * 30 + [b"\n", b"\r", b"\r\r\n"]
HEADS = [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nA: b\r\n\r\n"]


@st.composite
def responses(draw) -> bytes:
    """One or more heads, and a body."""

    def pick(choices: list[bytes]) -> bytes:
        return draw(st.sampled_from(choices))

    data = b""
    for _ in range(draw(st.integers(1, 3))):
        for line in [pick(LINES), *draw(st.lists(st.sampled_from(FIELDS), max_size=4)), b""]:
            data += line + pick(ENDS)
    return data + pick(BODIES)


@st.composite
def mutated(draw) -> bytes:
    """A response that was tampered with."""
    data = draw(responses())
    for _ in range(draw(st.integers(0, 3))):
        place = draw(st.integers(0, len(data)))
        size = draw(st.integers(0, 4))
        middle = draw(st.sampled_from([b"", data[place : place + size] * 2]) | st.binary(max_size=2))
        data = data[:place] + middle + data[place + size :]
    return data


METHODS = st.sampled_from(["GET", "GET", "HEAD"])


def trace(engine: Any, data: bytes, cuts: list[int], method: str, limits: HTTP1Limits) -> Any:
    """What is seen of the response, or that it was refused. Anything but our own error is a failure."""
    parser = ResponseParser(limits, engine=engine)
    parser.expect(method)
    body = b""
    try:
        begin = 0
        for end in [*sorted(cut % (len(data) + 1) for cut in cuts), len(data)]:
            parser.feed(data[begin:end])
            body += parser.take()
            begin = end
        if not parser.complete:
            parser.eof()
    except HTTP1Error:
        assert not parser.reusable
        return "refused"
    seen = (parser.status, parser.reason, parser.version, parser.headers, parser.length)
    return (*seen, body, parser.interim, parser.trailers, parser.complete, parser.reusable)


@given(data=mutated(), cuts=st.lists(st.integers(0, 400), max_size=6), method=METHODS, is_small=st.booleans())
def test_the_same_response_or_both_refuse(data, cuts, method, is_small):
    limits = SMALL if is_small else HTTP1Limits()
    whole = trace("httptools", data, [], method, limits)
    assert trace("h11", data, [], method, limits) == whole
    assert trace("httptools", data, cuts, method, limits) == whole
    assert trace("h11", data, cuts, method, limits) == whole
    assert trace("httptools", data, list(range(len(data))), method, limits) == whole


@pytest.mark.parametrize("engine", ["httptools", "h11"])
@given(
    data=st.binary(max_size=200),
    after=st.sampled_from(HEADS),
)
def test_garbage_raises_nothing_but_our_own_error(engine, data, after):
    trace(engine, after + data, [len(after)], "GET", HTTP1Limits())


# The libraries as a whole, which read fields and bodies as well, are two more opinions on both.

FRAMING = {"content-length", "transfer-encoding"}  # h11 writes them anew


def text(pairs: Any) -> list[tuple[str, str]]:
    return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in pairs]


def by_all_of_h11(data: bytes) -> Any:
    """Status, fields and body as h11 alone reads them; None where it refuses."""
    connection = h11.Connection(h11.CLIENT)
    connection.send(h11.Request(method="GET", target="/", headers=[("Host", "a")]))
    connection.send(h11.EndOfMessage())
    status, body = 0, b""
    fields: list[tuple[str, str]] = []
    try:
        connection.receive_data(data)
        connection.receive_data(b"")
        while not isinstance(event := connection.next_event(), h11.EndOfMessage):
            assert not isinstance(event, type)
            fields = text(event.headers.raw_items()) if isinstance(event, h11.Response) else fields
            status = getattr(event, "status_code", status)
            body += getattr(event, "data", b"")
    except h11.RemoteProtocolError:
        return None
    return status, fields, body


class Whole:
    """Where httptools puts a whole response."""

    def __init__(self) -> None:
        self.fields: list[tuple[bytes, bytes]] = []
        self.body, self.done = b"", 0

    def on_header(self, name: bytes, value: bytes) -> None:
        self.fields.append((name, value.rstrip(b" \t")))

    def on_headers_complete(self) -> None:
        self.head = text(self.fields)

    def on_body(self, data: bytes) -> None:
        self.body += data if not self.done else b""

    def on_message_complete(self) -> None:
        self.done += 1


def by_all_of_httptools(data: bytes) -> Any:
    whole = Whole()
    parser = httptools.HttpResponseParser(whole)
    try:
        parser.feed_data(data)
    except httptools.HttpParserError:
        pass
    return (parser.get_status_code(), whole.head, whole.body) if whole.done == 1 else None


@given(
    st.lists(st.sampled_from(FIELDS), max_size=3),
    st.lists(st.binary(max_size=20), max_size=4),
    st.booleans(),
    st.booleans(),
)
def test_what_we_accept_both_libraries_read_alike(fields, pieces, is_chunked, has_trailer):
    whole = b"".join(pieces)
    if is_chunked:
        body = b"".join(b"%x;e\r\n%b\r\n" % (len(piece), piece) for piece in pieces if piece) + b"0\r\n"
        body += b"A: b\r\n\r\n" if has_trailer else b"\r\n"
        framing = b"Transfer-Encoding: chunked"
    else:
        body, framing = whole, b"Content-Length: %d" % len(whole)
    data = b"\r\n".join([b"HTTP/1.1 200 OK", framing, *fields, b"", body])
    ours = trace(None, data, [], "GET", HTTP1Limits())
    if ours != "refused":
        status, seen, read = by_all_of_h11(data)
        assert by_all_of_httptools(data) == (200, ours[3], whole) == (ours[0], ours[3], ours[5])
        rest = [(name, value) for name, value in ours[3] if name.lower() not in FRAMING]
        assert (status, [pair for pair in seen if pair[0].lower() not in FRAMING], read) == (200, rest, whole)
