"""Multipart forms: a standard parser reads back what was said, and no name can split the message."""

from __future__ import annotations

from email import message_from_bytes, policy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sansio_http import (
    PART_END,
    Headers,
    InvalidRequestError,
    multipart_end,
    multipart_fields,
    multipart_head,
    multipart_type,
)

SECRET = "s3cr3t"

names = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1)


def test_a_whole_form():
    body = (
        multipart_fields("b", {"a": "1 2", "n": [1, True], "none": None})
        + multipart_head("b", "f", "x.txt", "text/plain", Headers({"X-Part": "1"}))
        + b"content"
        + PART_END
        + multipart_end("b")
    )
    assert body.decode() == (
        '--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n1 2\r\n'
        '--b\r\nContent-Disposition: form-data; name="n"\r\n\r\n1\r\n'
        '--b\r\nContent-Disposition: form-data; name="n"\r\n\r\ntrue\r\n'
        '--b\r\nContent-Disposition: form-data; name="f"; filename="x.txt"\r\nContent-Type: text/plain\r\n'
        "X-Part: 1\r\n\r\n"
        "content\r\n--b--\r\n"
    )


@pytest.mark.parametrize(
    ("name", "filename", "written"),
    [
        ('a"b', 'c"d', b'name="a%22b"; filename="c%22d"'),
        ("ü", "日本.txt", 'name="ü"; filename="日本.txt"'.encode()),
        ("a\\b", "c%22", b'name="a\\b"; filename="c%22"'),
        ("", "", b'name=""; filename=""'),
    ],
)
def test_names_are_quoted_by_the_html_rule(name, filename, written):
    assert written in multipart_head("b", name, filename)


@pytest.mark.parametrize("bad", ["a\rb", "a\nb", "a\0b", f"{SECRET}\r\nEvil: 1"])
def test_no_name_splits_the_message(bad):
    for arguments in [("b", bad), ("b", "a", bad)]:
        with pytest.raises(InvalidRequestError, match="has CR, LF or NUL") as caught:
            multipart_head(*arguments)
        assert SECRET not in str(caught.value)
    with pytest.raises(InvalidRequestError, match="has a character that may not be in a header"):
        multipart_head("b", "a", "f", bad)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: multipart_head("b", 1), "files: a name must be a str, not int"),
        (lambda: multipart_head("b", "a", 1), "files: a filename must be a str, not int"),
        (lambda: multipart_head("b", "\ud800"), "files: a name has a lone surrogate"),
        (
            lambda: multipart_head("b", "a", "f", None, Headers({"content-type": "x"})),
            "files: the header 'content-type'",
        ),
        (lambda: multipart_fields("b", {"a": object()}), r"data\['a'\]: must be a str, int"),
        (lambda: multipart_fields("b", {"a": "\ud800"}), r"data\['a'\]: has a lone surrogate"),
        (lambda: multipart_fields("b", {"a\n": "x"}), "files: a name has CR, LF or NUL"),
        (lambda: multipart_type(""), "boundary: must be 1 to 70"),
        (lambda: multipart_type("a b"), "boundary: must be 1 to 70"),
        (lambda: multipart_type("x" * 71), "boundary: must be 1 to 70"),
        (lambda: multipart_type(None), "boundary: must be 1 to 70"),
    ],
)
def test_what_is_refused(call, message):
    with pytest.raises(InvalidRequestError, match=message):
        call()


def test_a_boundary_is_quoted_where_it_has_to_be():
    assert multipart_type("aB1-_") == "multipart/form-data; boundary=aB1-_"
    assert multipart_type("a:b?") == 'multipart/form-data; boundary="a:b?"'


@given(st.lists(st.tuples(names, st.binary()), max_size=4))
def test_a_standard_parser_reads_it_back(files):
    boundary = "0123456789abcdef0123456789abcdef"
    body = b"".join(multipart_head(boundary, name, "f") + content + PART_END for name, content in files)
    message = message_from_bytes(
        f"Content-Type: {multipart_type(boundary)}\r\n\r\n".encode() + body + multipart_end(boundary),
        policy=policy.HTTP,
    )
    if files:
        parts = body.split(f"--{boundary}\r\n".encode())[1:]
        assert len(list(message.iter_parts())) == len(parts) == len(files)
        for part, (name, content) in zip(parts, files, strict=True):
            head, _, rest = part.partition(b"\r\n\r\n")
            assert rest == content + b"\r\n"
            assert f'name="{name.replace(chr(34), "%22")}"; filename="f"'.encode() in head
