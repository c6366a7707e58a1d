"""Basic authentication."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sansio_http import Basic, ConfigurationError, HTTPRequest


def authorization(auth: Basic) -> list[str]:
    request = HTTPRequest("GET", "http://h/")
    auth.apply(request, 0.0)
    return request.headers.get_list("Authorization")


@pytest.mark.parametrize(
    ("username", "password", "credentials"),
    [
        ("Aladdin", "open sesame", "QWxhZGRpbjpvcGVuIHNlc2FtZQ=="),  # source: RFC 7617 2
        ("test", "123\u00a3", "dGVzdDoxMjPCow=="),  # source: RFC 7617 2.1, in UTF-8
    ],
)
def test_the_examples_of_the_rfc(username, password, credentials):
    assert authorization(Basic(username, password)) == [f"Basic {credentials}"]


def test_credentials_that_were_there_are_replaced():
    request = HTTPRequest("GET", "http://h/", [("authorization", "Bearer a"), ("Authorization", "b")])
    Basic("u", "p").apply(request, 0.0)
    assert request.headers.pairs() == [("Authorization", "Basic dTpw")]


_texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]))


@given(_texts.map(lambda text: text.replace(":", "")), _texts)
def test_a_server_reads_what_was_given(username, password):
    """It splits at the first colon, so a password may have more of them."""
    (value,) = authorization(Basic(username, password))
    read = base64.b64decode(value.removeprefix("Basic "), validate=True).decode()
    assert read.partition(":") == (username, ":", password)


def test_a_username_with_a_colon_is_refused():
    with pytest.raises(ConfigurationError, match=r"^Basic\.username: may not have a colon") as caught:
        Basic("s3cr3t:more", "p")
    assert "s3cr3t" not in str(caught.value)


@pytest.mark.parametrize("bad", ["s3cr3t\n", "s3cr3t\0", "s3cr3t\x7f", "\x1fs3cr3t", None, b"s3cr3t"])
@pytest.mark.parametrize("field", ["username", "password"])
def test_control_characters_are_refused_and_not_shown(field, bad):
    with pytest.raises(ConfigurationError, match=rf"^Basic\.{field}: must be a str without control") as caught:
        Basic(**{"username": "u", "password": "p", field: bad})
    assert "s3cr3t" not in str(caught.value)


@pytest.mark.parametrize(("username", "password"), [("\ud800s3cr3t", "p"), ("u", "s3cr3t\udfff")])
def test_half_a_character_is_refused_and_nothing_is_shown(username, password):
    with pytest.raises(ConfigurationError, match=r"^Basic: the username or the password is not text") as caught:
        Basic(username, password)
    assert "s3cr3t" not in str(caught.value)
    assert caught.value.__suppress_context__  # the codec's error holds the text


def test_the_repr_hides_both():
    assert repr(Basic("someone", "s3cr3t")) == "Basic(***)"
