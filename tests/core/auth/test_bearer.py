"""Bearer tokens."""

from __future__ import annotations

import pytest

from sansio_http import Bearer, ConfigurationError, HTTPRequest


def test_the_token_goes_into_the_authorization_header():
    request = HTTPRequest("GET", "http://h/")
    Bearer("mF_9.B5f-4.1JqM").apply(request, 0.0)
    assert request.headers.pairs() == [("Authorization", "Bearer mF_9.B5f-4.1JqM")]  # source: RFC 6750 2.1


def test_credentials_that_were_there_are_replaced():
    request = HTTPRequest("GET", "http://h/", [("authorization", "Basic a"), ("Accept", "*/*"), ("Authorization", "b")])
    Bearer("t").apply(request, 0.0)
    assert request.headers.get_list("Authorization") == ["Bearer t"]
    assert request.headers["Accept"] == "*/*"


@pytest.mark.parametrize("token", ["a", "AZaz09-._~+/", "abc==", "eyJhbGciOiJub25lIn0.e30."])
def test_every_character_of_a_bearer_token(token):
    request = HTTPRequest("GET", "http://h/")
    Bearer(token).apply(request, 0.0)
    assert request.headers["Authorization"] == f"Bearer {token}"


@pytest.mark.parametrize(
    "token", ["", "==", "a=b", "a b", " a", "s3cr3t\r\n", "s3cr3t\n", "s3cr3t\0", "s3cr3tä", None, b"s3cr3t"]
)
def test_what_is_no_token_is_refused_and_not_shown(token):
    with pytest.raises(ConfigurationError, match=r"^Bearer\.token: not a bearer token") as caught:
        Bearer(token)
    assert "s3cr3t" not in str(caught.value)


def test_an_error_names_the_class_that_the_user_wrote():
    class BearerAuth(Bearer):
        pass

    with pytest.raises(ConfigurationError, match=r"^BearerAuth\.token:"):
        BearerAuth("")
    assert repr(BearerAuth("a")) == "BearerAuth(***)"


def test_the_repr_hides_the_token():
    assert repr(Bearer("s3cr3t")) == "Bearer(***)"
