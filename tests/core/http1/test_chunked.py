from __future__ import annotations

from itertools import pairwise

import pytest

from sansio_http import HTTP1Error, HTTP1Limits, ProtocolError, ResponseParser, ResponseTooLargeError

HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def parse(body: bytes, cuts: list[int] | None = None, limits: HTTP1Limits | None = None) -> ResponseParser:
    """The parser that has got ``body``, cut before each of these."""
    parser = ResponseParser(limits or HTTP1Limits())
    parser.expect("GET")
    parser.feed(HEAD)
    places = [0, *(cuts or []), len(body)]
    for begin, end in pairwise(places):
        parser.feed(body[begin:end])
    return parser


@pytest.mark.parametrize(
    ("body", "content", "trailers"),
    [
        (b"0\r\n\r\n", b"", []),
        (b"00000000000000000\r\n\r\n"[1:], b"", []),
        (b"5\r\nhello\r\n0\r\n\r\n", b"hello", []),
        (b"0005\r\nhello\r\n000\r\n\r\n", b"hello", []),
        (b"1\r\na\r\nA\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n", b"a01234567890123456789", []),
        (b"2\r\n\r\n\r\n0\r\n\r\n", b"\r\n", []),
        (b"2 \t\r\nhi\r\n0 \r\n\r\n", b"hi", []),
        (b"2;a\r\nhi\r\n0;b=c\r\n\r\n", b"hi", []),
        (b'2 ; a="b;\xe9"\r\nhi\r\n0\r\n\r\n', b"hi", []),
        (b"2;\r\nhi\r\n0\r\n\r\n", b"hi", []),
        (b"0\r\nA: b\r\nA:\t c d \t\r\nE:\r\n\r\n", b"", [("A", "b"), ("A", "c d"), ("E", "")]),
    ],
)
def test_accepted(body, content, trailers):
    for cut in range(len(body) + 1):
        parser = parse(body, [cut])
        assert (parser.take(), parser.trailers, parser.complete, parser.reusable) == (content, trailers, True, True)
    parser = parse(body, list(range(1, len(body))))
    assert (parser.take(), parser.trailers, parser.complete, parser.reusable) == (content, trailers, True, True)


@pytest.mark.parametrize(
    ("body", "match"),
    [
        (b"\r\n", "no valid size"),
        (b"x\r\n", "no valid size"),
        (b"-1\r\n", "no valid size"),
        (b"+1\r\n", "no valid size"),
        (b" 1\r\n", "no valid size"),
        (b"0x1\r\n", "no valid size"),
        (b"1 1\r\n", "no valid size"),
        (b"1_0\r\n", "no valid size"),
        (b"\xb2\r\n", "no valid size"),
        (b"8000000000000000\r\n", "no valid size"),
        (b"FFFFFFFFFFFFFFFF\r\n", "no valid size"),
        (b"00000000000000001\r\n", "no valid size"),
        (b"1;a\0\r\n", "no valid size"),
        (b"1;a\rb\r\n", "no valid size"),
        (b"1;a\nb\r\n", "no valid size|without CR"),
        (b"1\na\n0\n\n", "without CR"),
        (b"rubbish that no line ends", "no valid size"),
        (b"1\r\na\r\nrubbish", "no valid size"),
        (b"1\r\nab\r\n", "longer than its size"),
        (b"1\r\na\n0\r\n\r\n", "longer than its size"),
        (b"1\r\na0\r\n\r\n", "longer than its size"),
        (b"1\r\na\rb", "longer than its size"),
        (b"0\r\nA\r\n\r\n", "trailer field is malformed"),
        (b"0\r\nA : b\r\n\r\n", "trailer field is malformed"),
        (b"0\r\nA: b\0\r\n\r\n", "trailer field is malformed"),
        (b"0\r\nA: b\r\n c\r\n\r\n", "trailer field is malformed"),
        (b"0\r\nA: b\n\r\n", "trailer field is malformed|without CR"),
        (b"0\r\nA: b\n\n", "without CR"),
        (b"0\r\n\n", "without CR"),
    ],
)
def test_refused(body, match):
    for cut in range(len(body) + 1):
        with pytest.raises(HTTP1Error, match=match) as caught:
            parse(body, [cut])
        assert caught.value.becomes is ProtocolError
    with pytest.raises(HTTP1Error, match=match):
        parse(body, list(range(1, len(body))))


def test_the_largest_chunk_is_awaited():
    parser = parse(b"7FFFFFFFFFFFFFFF\r\nab")
    assert not parser.complete and parser.take() == b"ab"


def test_a_piece_within_a_chunk_is_not_copied():
    parser = parse(b"20000\r\n")
    piece = bytes(65536)
    parser.feed(piece)
    assert parser.take() is piece


@pytest.mark.parametrize(
    ("limits", "within", "beyond", "match"),
    [
        (HTTP1Limits(chunk_line=6), b"1;abcd\r\na\r\n0\r\n\r\n", b"1;abcde\r\na\r\n0\r\n\r\n", "before a chunk"),
        (HTTP1Limits(trailer=6), b"0\r\nA: b\r\n\r\n", b"0\r\nA: bc\r\n\r\n", "more than 6 bytes"),
        (HTTP1Limits(trailer=12), b"0\r\nA: b\r\nA: b\r\n\r\n", b"0\r\nA: b\r\nA: bc\r\n\r\n", "more than 12 bytes"),
        (HTTP1Limits(trailer_fields=1), b"0\r\nA: b\r\n\r\n", b"0\r\nA: b\r\nC: d\r\n\r\n", "more than 1 fields"),
    ],
)
def test_limits_wherever_the_bytes_are_cut(limits, within, beyond, match):
    for cut in range(len(within) + 1):
        assert parse(within, [cut], limits).complete
    assert parse(within, list(range(1, len(within))), limits).complete
    for cut in range(len(beyond) + 1):
        with pytest.raises(HTTP1Error, match=match) as caught:
            parse(beyond, [cut], limits)
        assert caught.value.becomes is ResponseTooLargeError


@pytest.mark.parametrize("beginning", [b"1;", b"0\r\nA: "])
def test_a_line_without_end_is_not_collected_for_ever(beginning):
    with pytest.raises(HTTP1Error, match="more than"):
        parse(beginning + b"a" * 20_000)
