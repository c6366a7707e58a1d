"""JSON from bytes: what the standard library makes of it, whatever it is."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sansio_http import HTTPResponse
from sansio_http.json_text import parse_json

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
encodings = st.sampled_from(
    ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"]
)
blanks = st.sampled_from(["", " ", "\n", "\r\n\t "])


def outcome(parse: Callable[[bytes], Any], content: bytes) -> Any:
    """What it returns, or how it fails."""
    try:
        return repr(parse(content))  # tells 1 from 1.0 and from True
    except ValueError as error:
        return type(error), str(error)


@given(values, encodings, blanks, blanks, st.booleans())
def test_a_document_in_any_encoding_and_dress(value: Any, encoding: str, before: str, behind: str, plain: bool) -> None:
    content = (before + json.dumps(value, ensure_ascii=plain) + behind).encode(encoding, "surrogatepass")
    assert outcome(parse_json, content) == outcome(json.loads, content)


@given(st.binary(max_size=12) | st.text(' \t\n{}[]:,"0123456789.eE+-tfn\\u\0', max_size=12).map(str.encode))
@example(b"1\0")
@example(b'"\xed\xa0\x80"')  # a surrogate on its own
@example(b"1 1")
@example(b"\xef\xbb\xbf1")
def test_anything_at_all(content: bytes) -> None:
    assert outcome(parse_json, content) == outcome(json.loads, content)


def test_what_the_standard_library_adds_to_json():
    assert math.isnan(parse_json(b"NaN"))
    assert parse_json(b"[-Infinity]") == [-math.inf]


def test_a_document_that_is_too_deep():
    with pytest.raises(RecursionError):
        parse_json(b"[" * 100_000)


def test_responses_are_read_by_it():
    assert HTTPResponse(200, {"Content-Type": "application/json"}, b'{"a": 1}').json_data == {"a": 1}
    assert HTTPResponse(200).loads is parse_json
