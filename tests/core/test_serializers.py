"""From values to bodies."""

from __future__ import annotations

import dataclasses
import json
from datetime import datetime
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sansio_http.exceptions import InvalidRequestError
from sansio_http.serializers import JSONSerializer, Serializer, bytes_body, form_body, json_body, text_body

SECRET = "s3cr3t"

texts = st.text(st.characters(exclude_categories=["Cs"]))


@dataclasses.dataclass
class Point:
    x: int


def loop():
    value: list = []
    value.append(value)
    return value


def nested():
    value: list = []
    for _ in range(100_000):
        value = [value]
    return value


class TestJSON:
    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            ({"a": 1, "b": [True, None, 1.5]}, b'{"a":1,"b":[true,null,1.5]}'),
            ({"ü": "日本"}, '{"ü":"日本"}'.encode()),
            (None, b"null"),
            ("", b'""'),
            ([], b"[]"),
            ((1, 2), b"[1,2]"),
            ({1: 2}, b'{"1":2}'),
        ],
    )
    def test_compact_and_in_utf_8(self, value, expected):
        body, content_type = json_body(value)
        assert (body.source, body.length, body.replay) == (expected, len(expected), "concurrent")
        assert content_type == "application/json"

    @pytest.mark.parametrize(
        ("value", "message"),
        [
            ({"a": [object()]}, "json: object cannot be encoded"),
            (Point(1), "json: Point cannot be encoded"),
            ({"at": datetime(2000, 1, 1)}, "json: datetime cannot be encoded"),
            (b"x", "json: bytes cannot be encoded"),
            ({1, 2}, "json: set cannot be encoded"),
            ({(1, 2): 3}, "json: keys must be str, int, float, bool or None, not tuple"),
            (float("nan"), "json: Out of range float values"),
            ([float("-inf")], "json: Out of range float values"),
            (loop(), "json: Circular reference"),
            (nested(), "json: nested too deeply"),
            (10**5000, "json: Exceeds the limit"),
            (["\ud800"], "json: a str has a lone surrogate"),
        ],
        ids=lambda value: value if isinstance(value, str) else "value",
    )
    def test_what_json_cannot_say(self, value, message):
        with pytest.raises(InvalidRequestError) as caught:
            json_body(value)
        assert str(caught.value).startswith(message)

    @pytest.mark.parametrize("value", [{"a": SECRET, "b": {SECRET}}, [SECRET + "\ud800"], {(SECRET,): 1}])
    def test_an_error_shows_no_value(self, value):
        with pytest.raises(InvalidRequestError) as caught:
            json_body(value)
        assert SECRET not in str(caught.value)

    values = st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
        lambda inner: st.lists(inner) | st.dictionaries(texts, inner),
        max_leaves=10,
    )

    @given(values)
    def test_it_comes_back(self, value):
        assert json.loads(json_body(value)[0].source) == value


class TestSerializers:
    def test_the_standard_one_writes_and_reads(self):
        assert JSONSerializer().dumps({"ü": [1, None]}) == '{"ü":[1,null]}'.encode()
        assert JSONSerializer().loads(b'{"a": 1}') == {"a": 1}
        assert isinstance(JSONSerializer(), Serializer)

    def test_what_it_does_not_know_can_be_told(self):
        body, _ = json_body([Point(1)], JSONSerializer(dataclasses.asdict))
        assert body.source == b'[{"x":1}]'

    def test_another_one(self):
        class Other:
            def dumps(self, value):
                return repr(value).encode()

            def loads(self, data):
                return data

        assert json_body(5, Other())[0].source == b"5"
        assert isinstance(Other(), Serializer)

    def test_one_that_gives_text(self):
        with pytest.raises(InvalidRequestError, match="json: the serializer gave a str; it must give bytes"):
            json_body(5, json)


class TestForm:
    @pytest.mark.parametrize(
        ("fields", "expected"),
        [
            ({"a": "b c", "d": "e+f&g=h"}, b"a=b+c&d=e%2Bf%26g%3Dh"),
            ([("a", 1), ("a", True), ("b", None)], b"a=1&a=true"),
            ({"a": ["x", "y"]}, b"a=x&a=y"),
            ({"ü": "ü"}, b"%C3%BC=%C3%BC"),
            ({}, b""),
        ],
    )
    def test_as_a_browser_sends_it(self, fields, expected):
        body, content_type = form_body(fields)
        assert (body.source, body.length) == (expected, len(expected))
        assert content_type == "application/x-www-form-urlencoded"

    @pytest.mark.parametrize(
        ("fields", "message"),
        [
            ({"a": b""}, "data['a']: must be a str"),
            ("a=b", "data: must be a mapping"),
            ({1: 2}, "data: a name must be"),
        ],
    )
    def test_refused(self, fields, message):
        with pytest.raises(InvalidRequestError) as caught:
            form_body(fields)
        assert str(caught.value).startswith(message)

    @given(st.lists(st.tuples(texts, texts)))
    def test_it_comes_back(self, fields):
        assert parse_qsl(form_body(fields)[0].source.decode(), keep_blank_values=True) == fields


class TestTextAndBytes:
    def test_text(self):
        body, content_type = text_body("ü")
        assert (body.source, body.length, body.replay) == (b"\xc3\xbc", 2, "concurrent")
        assert content_type == "text/plain; charset=utf-8"

    @pytest.mark.parametrize(("text", "reason"), [(b"x", "not bytes"), (None, "not NoneType"), ("\ud800", "surrogate")])
    def test_no_text(self, text, reason):
        with pytest.raises(InvalidRequestError, match=f"^text: .*{reason}"):
            text_body(text)

    @pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
    def test_bytes(self, kind):
        body, content_type = bytes_body(kind(b"\x00\xff"))
        assert (type(body.source), body.source, body.length) == (bytes, b"\x00\xff", 2)
        assert content_type == "application/octet-stream"

    def test_bytes_that_change_later_were_copied(self):
        data = bytearray(b"a")
        body, _ = bytes_body(data)
        data[:] = b"b"
        assert body.source == b"a"

    @pytest.mark.parametrize("data", ["x", 5, None, [1]])
    def test_no_bytes(self, data):
        with pytest.raises(InvalidRequestError, match=r"^data: must be bytes, not "):
            bytes_body(data)
