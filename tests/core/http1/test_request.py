from __future__ import annotations

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sansio_http import Body, BodyWriter, Headers, HeadWriter, InvalidRequestError


def head(method="GET", target="/", host="example.com", headers=(), body=None, **options):
    return HeadWriter().write(method, target, host, Headers(headers), body, **options)


def test_the_smallest():
    assert head() == (b"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n", False)


def test_in_order_with_host_first():
    sent, is_last = head(
        target="/a?b=c", host="[::1]:8080", headers=[("B", "1"), ("a", "é"), ("B", "2"), ("Cookie", "x")]
    )
    assert sent == b"GET /a?b=c HTTP/1.1\r\nHost: [::1]:8080\r\nB: 1\r\na: \xe9\r\nB: 2\r\nCookie: x\r\n\r\n"
    assert not is_last


def test_the_callers_own_host_goes_first():
    sent, _ = head(headers=[("A", "b"), ("hOST", "other")])
    assert sent == b"GET / HTTP/1.1\r\nHost: other\r\nA: b\r\n\r\n"
    with pytest.raises(InvalidRequestError, match="Host is there twice"):
        head(headers=[("Host", "a"), ("host", "a")])


@pytest.mark.parametrize(
    ("method", "body", "said"),
    [
        ("GET", None, b""),
        ("DELETE", None, b""),
        ("POST", None, b"Content-Length: 0\r\n"),
        ("PUT", None, b"Content-Length: 0\r\n"),
        ("PATCH", None, b"Content-Length: 0\r\n"),
        ("GET", Body.of(b""), b"Content-Length: 0\r\n"),
        ("POST", Body.of(b"abc"), b"Content-Length: 3\r\n"),
        ("POST", Body(object()), b"Transfer-Encoding: chunked\r\n"),
    ],
)
def test_the_body_says_how_long_it_is(method, body, said):
    for mine in ((), [("Content-Length", "7"), ("transfer-encoding", "gzip"), ("Expect", "x")]):
        sent, _ = head(method, headers=mine, body=body)
        assert sent == b"%b / HTTP/1.1\r\nHost: example.com\r\n%b\r\n" % (method.encode(), said)


@pytest.mark.parametrize(
    ("body", "asked"), [(None, False), (Body.of(b""), False), (Body.of(b"a"), True), (Body(object()), True)]
)
def test_expect_100_continue_where_there_is_a_body(body, asked):
    sent, _ = head("POST", body=body, expect_continue=True)
    assert (b"\r\nExpect: 100-continue\r\n" in sent) is asked


@pytest.mark.parametrize(
    ("value", "last"), [("close", True), ("x, CLOSE", True), ("keep-alive", False), ("closed", False)]
)
def test_whether_it_is_the_last(value, last):
    sent, is_last = head(headers=[("Connection", value), ("Connection", "x")])
    assert is_last is last and f"\r\nConnection: {value}\r\n".encode() in sent


@pytest.mark.parametrize("method", ["", "GE T", "GET\r\n", "GÉT"])
def test_a_bad_method(method):
    with pytest.raises(InvalidRequestError, match="method"):
        head(method)


@pytest.mark.parametrize("target", ["", "/a b", "/\r\nA: b", "/\n", "/\0", "/é", "/\x7f"])
def test_a_bad_target(target):
    with pytest.raises(InvalidRequestError, match="target") as caught:
        head(target=target)
    assert "A: b" not in str(caught.value)


@pytest.mark.parametrize("value", ["a\r\nb", "a\nb", "a\rb", "a\0b", "€"])
def test_a_field_that_was_not_checked_cannot_split_the_head(value):
    headers = Headers()
    headers.put("Authorization", value)
    with pytest.raises(InvalidRequestError, match="headers: a field has") as caught:
        HeadWriter().write("GET", "/", "example.com", headers)
    assert value not in str(caught.value)
    with pytest.raises(InvalidRequestError, match="headers: a field has"):
        HeadWriter().write("GET", "/", value, Headers())


_PAIRS = st.lists(
    st.tuples(st.sampled_from(["A", "b", "Host", "Connection", "Expect"]), st.sampled_from(["x", "close", "é", "€"])),
    max_size=4,
)


@given(st.lists(st.tuples(_PAIRS, st.sampled_from(["GET", "POST"])), max_size=6))
def test_what_was_written_before_changes_nothing(requests):
    writer = HeadWriter()
    for pairs, method in requests:
        answers = []
        for each in (writer, HeadWriter(), writer):
            try:
                answers.append(each.write(method, "/", "example.com", Headers.of_pairs(pairs)))
            except InvalidRequestError as error:
                answers.append(str(error))
        assert answers[0] == answers[1] == answers[2]


def test_a_body_of_known_length():
    writer = BodyWriter(5)
    assert [writer.write(b"ab"), writer.write(b""), writer.write(b"cde")] == [(b"ab",), (), (b"cde",)]
    assert writer.end() == b""
    with pytest.raises(InvalidRequestError, match="longer than its length"):
        writer.write(b"f")
    with pytest.raises(InvalidRequestError, match="3 bytes shorter"):
        BodyWriter(3).end()


def test_a_chunked_body():
    writer = BodyWriter(None)
    piece = b"a" * 26
    framed = writer.write(piece)
    assert framed == (b"1a\r\n", piece, b"\r\n") and framed[1] is piece
    assert (writer.write(b""), writer.end()) == ((), b"0\r\n\r\n")


@given(st.lists(st.binary(max_size=20), max_size=5), st.booleans(), st.booleans())
def test_h11_reads_what_we_write(pieces, is_chunked, asks):
    whole = b"".join(pieces)
    sent, _ = head(
        "POST", "/a", headers=[("A", "b")], body=Body(pieces, None if is_chunked else len(whole)), expect_continue=asks
    )
    writer = BodyWriter(None if is_chunked else len(whole))
    server = h11.Connection(h11.SERVER)
    server.receive_data(sent + b"".join(part for piece in pieces for part in writer.write(piece)) + writer.end())
    request = server.next_event()
    assert isinstance(request, h11.Request) and request.target == b"/a"
    assert server.they_are_waiting_for_100_continue == (asks and (is_chunked or bool(whole)))
    body = b""
    while not isinstance(event := server.next_event(), h11.EndOfMessage):
        assert isinstance(event, h11.Data)
        body += event.data
    assert body == whole and server.trailing_data == (b"", False)
