from __future__ import annotations

import sys

import pytest

from sansio_http import ConfigurationError, HTTP1Error, HTTP1Limits, ResponseParser
from sansio_http.http1 import engines


@pytest.fixture(autouse=True)
def looks_anew(monkeypatch):
    monkeypatch.setattr(engines, "_best", None)


def works(parser: ResponseParser) -> bool:
    parser.expect("GET")
    parser.feed(b"HTTP/1.1 204 No Content\r\n\r\n")
    return parser.reusable


def folded(parser: ResponseParser) -> str:
    """What is said of something that h11 alone reads."""
    parser.expect("GET")
    with pytest.raises(HTTP1Error) as caught:
        parser.feed(b"HTTP/1.1 1000 \r\n\r\n")
    return type(caught.value.__context__.__cause__).__module__  # type: ignore[union-attr]


def test_httptools_is_taken_where_it_is_installed():
    assert folded(ResponseParser()).startswith("httptools")
    assert works(ResponseParser())


def test_h11_is_taken_where_it_is_not(monkeypatch):
    monkeypatch.setitem(sys.modules, "httptools", None)
    assert folded(ResponseParser()).startswith("h11")
    assert works(ResponseParser())
    assert works(ResponseParser(engine="h11"))


def test_it_is_looked_for_once(monkeypatch):
    ResponseParser()
    monkeypatch.setitem(sys.modules, "httptools", None)
    assert folded(ResponseParser()).startswith("httptools")


def test_what_is_not_installed_cannot_be_had(monkeypatch):
    monkeypatch.setitem(sys.modules, "httptools", None)
    monkeypatch.setitem(sys.modules, "h11", None)
    with pytest.raises(
        ConfigurationError, match="engine: 'httptools' is not installed; it must be one of httptools, h11"
    ):
        ResponseParser(engine="httptools")
    with pytest.raises(ConfigurationError, match="engine: 'h11'"):
        ResponseParser()
    with pytest.raises(ConfigurationError, match="engine: 'nginx'"):
        ResponseParser(engine="nginx")


@pytest.mark.parametrize("value", [-1, 1.5, True, "10", None])
def test_a_limit_is_a_number(value):
    with pytest.raises(ConfigurationError, match=r"HTTP1Limits\.head: .* must be a whole number, 0 or more"):
        HTTP1Limits(head=value)
