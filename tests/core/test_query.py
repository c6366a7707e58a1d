"""Query parameters: every decoder gets them back, and what cannot be written is refused by name."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sansio_http.exceptions import InvalidRequestError
from sansio_http.query import add_params
from sansio_http.urls import normalise

SECRET = "s3cr3t"


class Colour(enum.Enum):
    RED = "red"


class Shade(enum.StrEnum):
    LIGHT = "light"


class Level(enum.IntEnum):
    HIGH = 3


@pytest.mark.parametrize(
    ("params", "query"),
    [
        ({"a": "b"}, "a=b"),
        ({"page": 2, "size": 1.5, "ok": True, "off": False}, "page=2&size=1.5&ok=true&off=false"),
        ({"a": None, "b": "", "c": 0}, "b=&c=0"),
        ({"a": ["x", None, 1], "b": ("y",), "c": []}, "a=x&a=1&b=y"),
        ([("a", 1), ("b", 2), ("a", 3)], "a=1&b=2&a=3"),
        ((("a", 1),), "a=1"),
        ({"b": 1, "a": 2}, "b=1&a=2"),
        ({"q": "a b+c"}, "q=a%20b%2Bc"),
        ({"q": "ü&=?/#%:@,;"}, "q=%C3%BC%26%3D%3F%2F%23%25%3A%40%2C%3B"),
        ({"filter[a]": "~x-._"}, "filter%5Ba%5D=~x-._"),
        ({"q": "%20"}, "q=%2520"),
        ({"q": "\r\n\0"}, "q=%0D%0A%00"),
        ({"x": 1e16}, "x=1e%2B16"),
        ({"x": -0.1}, "x=-0.1"),
        ({"x": Shade.LIGHT, "y": Level.HIGH}, "x=light&y=3"),
        ({"": "v"}, "=v"),
    ],
)
def test_encoding(params, query):
    assert add_params("https://h/x", params) == f"https://h/x?{query}"


@pytest.mark.parametrize(
    ("style", "query"),
    [
        ("repeat", "n=1&n=a%2Cb&m=x"),
        ("comma", "n=1,a%2Cb&m=x"),
        ("brackets", "n%5B%5D=1&n%5B%5D=a%2Cb&m=x"),
    ],
)
def test_styles_of_a_list(style, query):
    params = {"n": [1, None, "a,b"], "m": "x", "none": [], "void": [None]}
    assert add_params("https://h/x", params, style) == f"https://h/x?{query}"
    assert add_params("https://h/x", {"n": []}, style) == "https://h/x"


@pytest.mark.parametrize("style", ["pipes", None, 1, []])
def test_an_unknown_style(style):
    with pytest.raises(InvalidRequestError, match=r"^params_style: .* is not allowed; it is repeat, comma, brackets$"):
        add_params("https://h/x", {"a": 1}, style)


@pytest.mark.parametrize("params", [None, {}, [], (), {"a": None}, {"a": []}])
def test_nothing_to_add(params):
    assert add_params("https://h/x?y=1", params) == "https://h/x?y=1"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://h/", "https://h/?a=2"),
        ("https://h/?", "https://h/?a=2"),
        ("https://h/?a=1", "https://h/?a=1&a=2"),
        ("https://h/?a=1&", "https://h/?a=1&a=2"),
        ("https://h/#f", "https://h/?a=2"),
        ("https://h/a&", "https://h/a&?a=2"),
        ("", "?a=2"),
    ],
)
def test_the_url_s_own_query_comes_first(url, expected):
    assert add_params(url, {"a": 2}) == expected


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"a": Colour.RED}, "params['a']: must be a str, int, float, bool, None or a sequence of them, not Colour"),
        ({"a": b"x"}, "params['a']: must be"),
        ({"a": {"b": 1}}, "params['a']: must be"),
        ({"a": {1, 2}}, "params['a']: must be"),
        ({"a": [["x"]]}, "params['a']: must be"),
        ({"a": object()}, "params['a']: must be"),
        ({"a": float("nan")}, "params['a']: a float must be finite"),
        ({"a": float("inf")}, "params['a']: a float must be finite"),
        ({"a": 10**5000}, "params['a']: "),
        ({"a": "\ud800"}, "params['a']: has a lone surrogate"),
        ({"\ud800": "a"}, "params['\\ud800']: has a lone surrogate"),
        ({1: "a"}, "params: a name must be a str, not int"),
        ([(b"a", "b")], "params: a name must be a str, not bytes"),
        (["a=b"], "params: must be (name, value) pairs"),
        ([("a", "b", "c")], "params: must be (name, value) pairs"),
        ([1], "params: must be (name, value) pairs"),
        ("a=b", "params: must be a mapping or (name, value) pairs, not str"),
        (5, "params: must be a mapping or (name, value) pairs, not int"),
    ],
)
def test_refused(params, message):
    with pytest.raises(InvalidRequestError) as caught:
        add_params("https://h/x", params)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("params", [{"a": [SECRET, b""]}, {"a": SECRET + "\ud800"}, [(SECRET, SECRET, SECRET)]])
def test_an_error_shows_no_value(params):
    with pytest.raises(InvalidRequestError) as caught:
        add_params("https://h/x", params)
    assert SECRET not in str(caught.value)


scalars = st.none() | st.text(st.characters(exclude_categories=["Cs"])) | st.integers() | st.booleans()


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), scalars | st.lists(scalars, max_size=3)))
def test_every_decoder_gets_it_back(params: Mapping):
    expected = [
        (name, str(value).lower() if isinstance(value, bool) else str(value))
        for name, values in params.items()
        for value in (values if isinstance(values, list) else [values])
        if value is not None
    ]
    url = add_params("https://h/x?first=1", params)
    query = urlsplit(url).query
    assert parse_qsl(query, keep_blank_values=True, strict_parsing=True) == [("first", "1"), *expected]
    assert url == normalise(url)
