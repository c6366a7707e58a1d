"""Path templates: a value is one segment, whatever is in it, and none is forgotten."""

from __future__ import annotations

from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sansio_http import InvalidRequestError, expand, join

BASE = "https://h/v1"


@pytest.mark.parametrize(
    ("template", "values", "path"),
    [
        ("/users/{id}", {"id": 1}, "/users/1"),
        ("/users/{id}", {"id": "a/b"}, "/users/a%2Fb"),
        ("/{a}/{b_2}/{a}", {"a": "x", "b_2": 2.5}, "/x/2.5/x"),
        ("/{a}", {"a": True}, "/true"),
        ("/{a}", {"a": "ü ?#%&="}, "/%C3%BC%20%3F%23%25%26%3D"),
        ("/{a}", {"a": "{b}"}, "/%7Bb%7D"),
        ("/{a}", {"a": "a\nb\\"}, "/a%0Ab%5C"),
        ("/{a}.json?x={b}", {"a": "v1.0", "b": "c d"}, "/v1.0.json?x=c%20d"),
        ("/{a}", {"a": "..."}, "/..."),
        ("/users", {}, "/users"),
    ],
)
def test_expansion(template, values, path):
    assert expand(template, values) == path
    assert join(BASE, path) == BASE + path


@pytest.mark.parametrize(
    ("template", "values", "message"),
    [
        ("/{a}/{b}", {"a": 1}, r"^path: has no value for 'b', which the url has$"),
        ("/{a}/{b}", {}, r"^path: has no value for 'a, b'"),
        ("/{a}", {"a": 1, "extra": "s3cr3t"}, r"^path: 'extra' is not in the url, which has a$"),
        ("/x", {"a": 1}, r"^path: 'a' is not in the url, which has no name$"),
        ("/{a}", {"a": ""}, r"^path\['a'\]: may not be empty"),
        ("/{a}", {"a": "."}, r"^path\['a'\]: has a \. or \.\. segment"),
        ("/{a}", {"a": ".."}, r"^path\['a'\]: has a \. or \.\. segment"),
        ("/{a}", {"a": "x/../y"}, r"^path\['a'\]: has a \. or \.\. segment"),
        ("/{a}", {"a": "%2e%2e"}, r"^path\['a'\]: has a \. or \.\. segment"),
        ("/{a}", {"a": "..\\x"}, r"^path\['a'\]: has a \. or \.\. segment"),
        ("/{a}", {"a": "..;v=1"}, r"^path\['a'\]: has a \. or \.\. segment"),
        ("/{a}", {"a": "\ud800"}, r"^path\['a'\]: has a lone surrogate"),
        ("/{a}", {"a": None}, r"^path\['a'\]: must be a str, int"),
        ("/{a}", {"a": ["x"]}, r"^path\['a'\]: must be a str, int"),
        ("/{a}", {"a": float("nan")}, r"^path\['a'\]: a float must be finite"),
        ("/{}", {}, r"^url: has a \{ or \} that belongs to no \{name\}"),
        ("/{a", {"a": 1}, r"^url: has a \{ or \}"),
        ("/{a b}", {"a b": 1}, r"^url: has a \{ or \}"),
        ("/{{a}}", {"a": 1}, r"^url: has a \{ or \}"),
        ("/{a}", [("a", 1)], r"^path: must be a mapping of names to values, not list$"),
        (None, {}, r"^url: must be a str, not NoneType$"),
    ],
)
def test_what_is_refused(template, values, message):
    with pytest.raises(InvalidRequestError, match=message):
        expand(template, values)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_value_is_one_segment_and_comes_back(value):
    try:
        path = expand("/users/{id}/posts", {"id": value})
    except InvalidRequestError:
        assert value == "" or any(part in value for part in (".", "%"))
        return
    url = join(BASE, path)
    before, segment, after = url.removeprefix("https://h/v1/").split("/")
    assert (before, unquote(segment), after) == ("users", value, "posts")
