"""API keys."""

from __future__ import annotations

import pytest

from sansio_http import APIKey, ConfigurationError, HTTPRequest


def applied(auth: APIKey, url: str = "https://h/x", headers=()) -> HTTPRequest:
    request = HTTPRequest("GET", url, headers)
    auth.apply(request, 0.0)
    return request


@pytest.mark.parametrize("name", ["Content-Length", "host", "Transfer-Encoding"])
def test_a_header_about_the_message_itself_carries_no_key(name):
    with pytest.raises(ConfigurationError, match=r"^APIKey\.name: "):
        APIKey("k", name=name)


def test_by_default_the_key_goes_into_a_header():
    assert applied(APIKey("k3y")).headers.pairs() == [("X-API-Key", "k3y")]


def test_the_header_may_have_another_name():
    assert applied(APIKey("k3y", name="Ocp-Key")).headers.pairs() == [("Ocp-Key", "k3y")]


def test_a_key_that_was_there_is_replaced():
    request = applied(APIKey("new"), headers=[("x-api-key", "old"), ("X-API-KEY", "older"), ("Accept", "*/*")])
    assert request.headers.get_list("X-API-Key") == ["new"]
    assert request.headers["Accept"] == "*/*"


@pytest.mark.parametrize(
    ("url", "result"),
    [
        ("https://h/x", "https://h/x?key=a%26b%3D%2B"),
        ("https://h/x?a=1", "https://h/x?a=1&key=a%26b%3D%2B"),
        ("https://h/x?a=1&", "https://h/x?a=1&key=a%26b%3D%2B"),
    ],
)
def test_in_the_query_the_key_is_encoded_and_comes_last(url, result):
    request = applied(APIKey("a&b=+", name="key", location="query"), url)
    assert request.url == result
    assert not request.headers


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([], "session=k3y"),
        ([("Cookie", "a=1")], "a=1; session=k3y"),
        ([("Cookie", "a=1; b=2")], "a=1; b=2; session=k3y"),
        ([("Cookie", "a=1"), ("cookie", "b=2")], "a=1; b=2; session=k3y"),
    ],
)
def test_a_cookie_stands_beside_those_that_are_there_in_one_field(before, after):
    request = applied(APIKey("k3y", name="session", location="cookie"), headers=before)
    assert request.headers.get_list("Cookie") == [after]


@pytest.mark.parametrize("location", ["header", "query", "cookie"])
def test_the_repr_hides_the_key(location):
    auth = APIKey("s3cr3t", name="n", location=location)
    assert repr(auth) == f"APIKey(***, name='n', location='{location}')"


@pytest.mark.parametrize("key", ["", None, b"s3cr3t", 7])
def test_a_key_is_a_text_that_is_not_empty(key):
    with pytest.raises(ConfigurationError, match=r"^APIKey\.key: must be a str that is not empty$"):
        APIKey(key)


@pytest.mark.parametrize("name", ["", None, 7])
def test_a_name_is_a_text_that_is_not_empty(name):
    with pytest.raises(ConfigurationError, match=r"^APIKey\.name: .* is not allowed"):
        APIKey("k", name=name)


def test_a_location_that_there_is_not():
    with pytest.raises(ConfigurationError, match=r"^APIKey\.location: 'body' is not allowed; it is 'header', 'query'"):
        APIKey("k", location="body")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("location", "name", "key"),
    [
        ("header", "X-Key", "s3cr3t\x7f"),
        ("header", "X-Key", "s3cr3t\r\nX: y"),
        ("header", "X-Key", "s3cr3t\0"),
        ("header", "X-Key", "s3cr3t\u20ac"),
        ("header", "X Key", "s3cr3t"),
        ("header", "X-Key:", "s3cr3t"),
        ("query", "key", "s3cr3t\ud800"),
        ("query", "\ud800", "s3cr3t"),
        ("cookie", "a b", "s3cr3t"),
        ("cookie", "n", "s3cr3t\n"),
    ],
)
def test_what_cannot_be_sent_is_refused_when_it_is_built_and_not_shown(location, name, key):
    fine = {"header": "X-Key", "query": "key", "cookie": "n"}[location]
    what = "key: has a character that" if name == fine else "name: .+ is not allowed; (the name of a|it is not text)"
    with pytest.raises(ConfigurationError, match=rf"^APIKey\.{what}") as e:
        APIKey(key, name=name, location=location)
    assert "s3cr3t" not in str(e.value)
    assert e.value.__context__ is None


@pytest.mark.parametrize("key", ["s3cr3t;", "s3cr3t,", 's3cr3t"', "s3cr3t\\", "s3cr3t a", "s3cr3t\xe4"])
def test_what_would_end_a_cookie_is_refused_and_not_shown(key):
    with pytest.raises(
        ConfigurationError, match=r"^APIKey\.key: has a character that may not be in a cookie"
    ) as caught:
        APIKey(key, name="n", location="cookie")
    assert "s3cr3t" not in str(caught.value)


def test_an_error_names_the_class_that_the_user_wrote():
    class APIKeyAuth(APIKey):
        pass

    with pytest.raises(ConfigurationError, match=r"^APIKeyAuth\.key:"):
        APIKeyAuth("")
