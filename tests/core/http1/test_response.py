from __future__ import annotations

import pytest

from sansio_http import (
    ConnectionLostError,
    DriverError,
    Headers,
    HTTP1Error,
    HTTP1Limits,
    ProtocolError,
    ResponseParser,
    ResponseTooLargeError,
)

OK = b"HTTP/1.1 200 OK\r\n"


@pytest.fixture(params=["httptools", "h11"])
def engine(request):
    return request.param


@pytest.fixture
def parser(engine):
    return ResponseParser(engine=engine)


def answer(parser: ResponseParser, data: bytes, method: str = "GET") -> bytes:
    """The body of a complete response that comes in one piece."""
    parser.expect(method)
    parser.feed(data)
    assert parser.complete
    return parser.take()


def refused(parser: ResponseParser, data: bytes, becomes: type[Exception], match: str) -> None:
    parser.expect("GET")
    with pytest.raises(HTTP1Error, match=match) as caught:
        parser.feed(data)
    assert caught.value.becomes is becomes
    assert not parser.reusable
    with pytest.raises(HTTP1Error, match=match):
        parser.feed(OK)
    with pytest.raises(HTTP1Error, match=match):
        parser.eof()


def test_a_response_in_one_piece(parser):
    body = answer(parser, OK + b"Content-Type: text/plain\r\nContent-Length: 5\r\nX:\r\nx: \t a\xe9  b\t \r\n\r\nhello")
    assert (parser.status, parser.reason, parser.version, parser.length) == (200, "OK", "HTTP/1.1", 5)
    assert parser.headers == [("Content-Type", "text/plain"), ("Content-Length", "5"), ("X", ""), ("x", "aé  b")]
    assert Headers.of_pairs(parser.headers)["x"] == ", aé  b"
    assert body == b"hello" and parser.reusable
    assert parser.take() == b""


def test_one_after_another_on_a_connection(parser):
    assert answer(parser, OK + b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nT: u\r\n\r\n") == b"a"
    assert parser.trailers == [("T", "u")]
    assert answer(parser, b"HTTP/1.1 100 \r\n\r\n" + OK + b"Content-Length: 1\r\n\r\nb") == b"b"
    assert parser.trailers == [] and parser.interim == ((100, []),)
    assert answer(parser, b"HTTP/1.1 204 No Content\r\n\r\n") == b""
    assert parser.interim == () and parser.length == 0 and parser.reusable


def test_a_body_in_pieces(parser):
    parser.expect("GET")
    parser.feed(OK + b"Content-Length: 6\r\n\r\n")
    assert parser.status == 200 and parser.length == 6 and not parser.complete and parser.take() == b""
    parser.feed(b"ab")
    assert parser.take() == b"ab"
    parser.feed(b"c")
    parser.feed(b"")
    parser.feed(b"d")
    assert parser.take() == b"cd" and not parser.complete
    parser.feed(b"ef")
    assert parser.take() == b"ef" and parser.complete and parser.reusable


def test_a_piece_of_a_counted_body_is_not_copied(parser):
    parser.expect("GET")
    parser.feed(OK + b"Content-Length: 100000\r\n\r\n")
    piece = bytes(65536)
    parser.feed(piece)
    assert parser.take() is piece


@pytest.mark.parametrize(
    ("method", "status", "fields"),
    [
        ("HEAD", 200, b"Content-Length: 5\r\n"),
        ("HEAD", 200, b"Transfer-Encoding: chunked\r\n"),
        ("HEAD", 200, b""),
        ("GET", 304, b"Content-Length: 5\r\n"),
        ("GET", 304, b"Transfer-Encoding: chunked\r\n"),
        ("GET", 204, b""),
        ("GET", 204, b"Content-Length: 0\r\n"),
        ("GET", 200, b"Content-Length: 0\r\n"),
        ("GET", 200, b"content-LENGTH:00\r\n"),
    ],
)
def test_no_body(parser, method, status, fields):
    head = b"HTTP/1.1 %d X\r\n%b\r\n" % (status, fields)
    assert answer(parser, head, method) == b"" and parser.reusable and parser.length == 0
    answer(parser, head + b"x", method)
    assert not parser.reusable and parser.take() == b""


@pytest.mark.parametrize("fields", [b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n"])
def test_a_204_that_announces_a_body_is_the_last(parser, fields):
    assert answer(parser, b"HTTP/1.1 204 No Content\r\n%b\r\n" % fields) == b""
    assert not parser.reusable


@pytest.mark.parametrize(
    ("version", "fields", "kept"),
    [
        (b"1.1", b"", True),
        (b"1.1", b"Connection: close\r\n", False),
        (b"1.1", b"Connection: Upgrade, CLOSE\r\n", False),
        (b"1.1", b"Connection: close\r\nConnection: keep-alive\r\n", False),
        (b"1.1", b"Connection: keep-alive\r\n", True),
        (b"1.1", b"Connection: closed\r\n", True),
        (b"1.1", b"Upgrade: h2c\r\nConnection: Upgrade\r\n", True),
        (b"1.0", b"", False),
        (b"1.0", b"Connection: Keep-Alive\r\n", True),
        (b"1.0", b"Connection: keep-alive\r\nConnection: close\r\n", False),
    ],
)
def test_whether_the_connection_is_kept(parser, version, fields, kept):
    assert answer(parser, b"HTTP/%b 200 OK\r\n%bContent-Length: 1\r\n\r\nx" % (version, fields)) == b"x"
    assert parser.reusable is kept and parser.version == f"HTTP/{version.decode()}"


def test_the_last_request_of_a_connection(parser):
    parser.expect("GET", is_last=True)
    parser.feed(OK + b"Content-Length: 0\r\n\r\n")
    assert parser.complete and not parser.reusable
    with pytest.raises(DriverError, match="not reusable"):
        parser.expect("GET")


def test_no_request_while_an_answer_is_awaited(parser):
    parser.expect("GET")
    with pytest.raises(DriverError):
        parser.expect("GET")


@pytest.mark.parametrize("fields", [b"", b"Connection: keep-alive\r\n"])
def test_a_body_until_the_end_of_the_connection(parser, fields):
    parser.expect("GET")
    parser.feed(OK + fields + b"\r\nab")
    parser.feed(b"c")
    assert parser.length is None and not parser.complete and parser.take() == b"abc"
    parser.eof()
    assert parser.complete and not parser.reusable


def test_a_chunked_answer_of_http_1_0_is_the_last(parser):
    head = b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert answer(parser, head + b"1\r\na\r\n0\r\n\r\n") == b"a"
    assert not parser.reusable


@pytest.mark.parametrize(
    "whole",
    [
        OK + b"Content-Length: 2\r\n\r\nhi",
        OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nA: b\r\n\r\n",
    ],
)
@pytest.mark.parametrize("behind", [b"x", b"\r\n", b"\n", OK])
@pytest.mark.parametrize("at_once", [True, False])
def test_bytes_behind_the_end(parser, whole, behind, at_once):
    parser.expect("GET")
    parser.feed(whole + behind if at_once else whole)
    if not at_once:
        assert parser.reusable
        parser.feed(b"")
        assert parser.reusable
        parser.feed(behind)
    assert parser.complete and parser.take() == b"hi"
    assert not parser.reusable


def test_bytes_that_nobody_asked_for(parser):
    parser.feed(b"HTTP/1.1 408 Request Timeout\r\n\r\n")
    assert not parser.reusable


def test_the_end_of_an_idle_connection(parser):
    parser.eof()
    assert parser.complete and not parser.reusable


def test_the_end_at_every_point():
    for whole in (
        b"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n" + OK + b"Content-Length: 2\r\n\r\nhi",
        OK + b"Transfer-Encoding: chunked\r\n\r\n2;e=f\r\nhi\r\n0\r\nA: b\r\n\r\n",
    ):
        for length in range(len(whole)):
            parser = ResponseParser()
            parser.expect("GET")
            parser.feed(whole[:length])
            for _ in range(2):
                with pytest.raises(HTTP1Error, match="the connection ended") as caught:
                    parser.eof()
                assert caught.value.becomes is ConnectionLostError
            assert not parser.reusable


@pytest.mark.parametrize(
    ("come", "match"),
    [
        (b"", "before an answer came"),
        (b"HTT", "within the head"),
        (OK + b"Content-Length: 5\r\n\r\nab", "3 bytes before the end of the body"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nab", "within a chunked body"),
    ],
)
def test_how_far_it_came(parser, come, match):
    parser.expect("GET")
    parser.feed(come)
    with pytest.raises(HTTP1Error, match=match):
        parser.eof()


def test_interim_responses(parser):
    parser.expect("POST")
    parser.feed(b"HTTP/1.1 100 Continue\r\n\r\n")
    assert parser.interim == ((100, []),) and parser.status == 0 and not parser.complete
    parser.feed(
        b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nContent-Length: 3\r\n\r\n" + OK + b"Content-Length: 1\r\n\r\na"
    )
    assert parser.interim == ((100, []), (103, [("Link", "</a>"), ("Content-Length", "3")]))
    assert parser.complete and parser.reusable and parser.status == 200


@pytest.mark.parametrize(
    ("data", "match"),
    [
        # what is no head
        (b"\r\n\r\n", "does not begin"),
        (b"\r\n" + OK + b"\r\n", "does not begin"),
        (b"\x16\x03\x01", "does not begin"),
        (b"HTTQ", "does not begin"),
        (b"HTTP/2 200 OK\r\n\r\n", "does not begin"),
        (b"http/1.1 200 OK\r\n\r\n", "does not begin"),
        (b"HTTP/1.2 200 OK\r\n\r\n", "malformed"),
        (b"HTTP/1.9 200 OK\r\n\r\n", "malformed"),
        (b"HTTP/1.1\r\n\r\n", "malformed"),
        (b"HTTP/1.1 \r\n\r\n", "malformed"),
        (b"HTTP/1.1 20 OK\r\n\r\n", "malformed"),
        (b"HTTP/1.1 2000 OK\r\n\r\n", "malformed"),
        (b"HTTP/1.1 2x0 OK\r\n\r\n", "malformed"),
        (b"HTTP/1.1  200 OK\r\n\r\n", "malformed"),
        (b"HTTP/1.1\t200 OK\r\n\r\n", "malformed"),
        (b"HTTP/1.1 099 OK\r\n\r\n", "malformed|below 100"),
        (b"HTTP/1.1 200 O\x00K\r\n\r\n", "malformed"),
        (b"HTTP/1.1 200 O\x07K\r\n\r\n", "malformed"),
        # what splits a head
        (b"HTTP/1.1 200 OK\n\n", "without CR"),
        (b"HTTP/1.1 200 OK\r\nA: b\nC: d\r\n\r\n", "malformed|not one header field"),
        (b"HTTP/1.1 200 OK\r\nA: b\rC: d\r\n\r\n", "malformed|not one header field"),
        (b"HTTP/1.1 200 O\rK\r\n\r\n", "malformed|not one header field"),
        (OK + b"A: b\r\n folded\r\n\r\n", "malformed|not one header field"),
        (OK + b" A: b\r\n\r\n", "malformed"),
        (OK + b"A: b\0c\r\n\r\n", "malformed"),
        (OK + b"A: b\x7fc\r\n\r\n", "malformed"),
        (OK + b"A\0: b\r\n\r\n", "malformed"),
        (OK + b"A : b\r\n\r\n", "malformed"),
        (OK + b": b\r\n\r\n", "malformed"),
        (OK + b"A\r\n\r\n", "malformed"),
        (OK + b"A b: c\r\n\r\n", "malformed"),
        (OK + b"\xe9: c\r\n\r\n", "malformed"),
        # what frames the body twice, or not at all
        (OK + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", "malformed|both"),
        (OK + b"Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n", "malformed|both"),
        (OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n", "malformed|more than one"),
        (OK + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\n", "malformed|more than one"),
        (OK + b"Content-Length: 1, 1\r\n\r\n", "malformed|valid number"),
        (OK + b"Content-Length: -1\r\n\r\n", "malformed|valid number"),
        (OK + b"Content-Length: +1\r\n\r\n", "malformed|valid number"),
        (OK + b"Content-Length: 1.0\r\n\r\n", "malformed|valid number"),
        (OK + b"Content-Length: 0x1\r\n\r\n", "malformed|valid number"),
        (OK + b"Content-Length: 1 2\r\n\r\n", "malformed|valid number"),
        (OK + b"Content-Length: \xb2\r\n\r\n", "malformed|valid number"),
        (OK + b"Content-Length:\r\n\r\n", "malformed|valid number"),
        (OK + b"Content-Length: 1000000000000000000\r\n\r\n", "malformed|valid number"),
        (OK + b"Content-Length: 99999999999999999999999999\r\n\r\n", "malformed|valid number"),
        (OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n", "malformed|chunked alone"),
        (OK + b"Transfer-Encoding: chunked, gzip\r\n\r\n", "malformed|chunked alone"),
        (OK + b"Transfer-Encoding: chunked, chunked\r\n\r\n", "malformed|chunked alone"),
        (OK + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", "malformed|chunked alone"),
        (OK + b"Transfer-Encoding: identity\r\n\r\n", "malformed|chunked alone"),
        (OK + b"Transfer-Encoding: chunkedd\r\n\r\n", "malformed|chunked alone"),
        (OK + b"Transfer-Encoding:\r\n\r\n", "malformed|chunked alone"),
        # what we never asked for
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n", "switched"),
        (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", "switched"),
    ],
)
def test_refused(parser, data, match):
    refused(parser, data, ProtocolError, match)


def test_a_bare_line_feed_is_refused_at_once_however_it_comes(parser):
    parser.expect("GET")
    parser.feed(b"HTTP/1.1 200 OK\r")
    parser.feed(b"\n")
    parser.feed(b"A: b")
    with pytest.raises(HTTP1Error, match="without CR"):
        parser.feed(b"\n")


# Limits


def fed_in_two(parser: ResponseParser, data: bytes, cut: int) -> None:
    parser.expect("HEAD")
    parser.feed(data[:cut])
    parser.feed(data[cut:])
    assert parser.complete


HEAD_OF_50 = OK + b"A: " + b"b" * 26 + b"\r\n\r\n"


def test_the_size_of_a_head(engine):
    assert len(HEAD_OF_50) == 50
    for cut in range(51):
        fed_in_two(ResponseParser(HTTP1Limits(head=50), engine=engine), HEAD_OF_50, cut)
        with pytest.raises(HTTP1Error, match="more than 49 bytes"):
            fed_in_two(ResponseParser(HTTP1Limits(head=49), engine=engine), HEAD_OF_50, cut)


@pytest.mark.parametrize(
    ("limits", "data", "match"),
    [
        (HTTP1Limits(), OK + b"A: " + b"b" * 70_000, "head has more than 65536 bytes"),
        (HTTP1Limits(), OK + b"A: b\r\n" * 257 + b"\r\n", "more than 256 fields"),
        (HTTP1Limits(), b"HTTP/1.1 102 Processing\r\n\r\n" * 21, "more than 20 interim"),
    ],
)
def test_limits(engine, limits, data, match):
    refused(ResponseParser(limits, engine=engine), data, ResponseTooLargeError, match)


def test_what_is_within_the_limits(parser):
    assert answer(parser, OK + b"A: b\r\n" * 255 + b"Content-Length: 0\r\n\r\n") == b""
    assert answer(parser, b"HTTP/1.1 102 Processing\r\n\r\n" * 20 + OK + b"Content-Length: 0\r\n\r\n") == b""
    assert len(parser.interim) == 20


def test_a_status_beyond_599_is_handed_on(parser):
    assert answer(parser, b"HTTP/1.1 999 Request Denied\r\nContent-Length: 1\r\n\r\na") == b"a"
    assert parser.status == 999 and parser.reason == "Request Denied"


def test_nothing_of_the_peer_is_in_an_error(parser):
    parser.expect("GET")
    with pytest.raises(HTTP1Error) as caught:
        parser.feed(OK + b"Set-Cookie: s3cret\0\r\n\r\n")
    error: BaseException | None = caught.value
    assert "s3cret" not in f"{error!s}{error!r}" and caught.value.__suppress_context__


@pytest.mark.parametrize("line", [b"A: b\n c\r\n", b"A: b\nC: d\r\n", b"A: b\rC: d\r\n", b"A: b\r\n c\r\n"])
def test_one_line_is_one_field_whatever_an_engine_lets_pass(parser, line):
    refused(parser, OK + line + b"Content-Length: 0\r\n\r\n", ProtocolError, "head")
