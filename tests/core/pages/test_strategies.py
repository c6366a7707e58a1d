"""Each strategy finds the next page, or says why not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sansio_http import (
    Attempt,
    ConfigurationError,
    Cursor,
    HTTPRequest,
    HTTPResponse,
    LinkHeader,
    Offset,
    PageNumber,
    PageRequest,
    Pages,
    PaginationError,
)

BASE = "https://h/v1"


def page(body: Any = None, link: str | None = None, url: str | None = BASE + "/users") -> HTTPResponse:
    headers = {"Content-Type": "application/json"} | ({} if link is None else {"Link": link})
    response = HTTPResponse(200, headers, json.dumps(body).encode())
    response.request = None if url is None else HTTPRequest("GET", url)
    response.attempts = (Attempt(1, 0.0, 0.0, 1, 200, None, None, None),)
    return response


@pytest.mark.parametrize(
    ("pages", "asked", "response", "count", "following"),
    [
        (LinkHeader(), PageRequest(), page(link='</v1/u?p=2>; rel="next"'), 1, PageRequest("https://h/v1/u?p=2")),
        (LinkHeader(), PageRequest(), page(link="<https://h/x>; rel=next", url=None), 1, PageRequest("https://h/x")),
        (LinkHeader(), PageRequest(), page(link="</x>; rel=prev"), 1, None),
        (LinkHeader(), PageRequest(), page(link='</x>; rel=next; anchor="/y"'), 1, None),
        (LinkHeader(), PageRequest(), page(), 1, None),
        (LinkHeader(), PageRequest(), page(link=" , "), 1, None),
        (Cursor("m.next"), PageRequest(), page({"m": {"next": "c"}}), 1, PageRequest(params={"cursor": "c"})),
        (Cursor("next"), PageRequest(), page({"next": 7}), 1, PageRequest(params={"cursor": 7})),
        (Cursor("next"), PageRequest(), page({"next": "https://h/v1/2"}), 1, PageRequest("https://h/v1/2")),
        (Cursor("next"), PageRequest(), page({"next": None}), 1, None),
        (Cursor("next"), PageRequest(), page({"next": ""}), 1, None),
        (Cursor("next", optional=True), PageRequest(), page({}), 1, None),
        (Offset(10), Offset(10).first(), page(), 3, PageRequest(params={"offset": 3, "limit": 10})),
        (Offset(None), Offset(None).first(), page(), 0, None),
        (Offset(total="n"), Offset().first(), page({"n": 3}), 3, None),
        (PageNumber(), PageNumber().first(), page(), 1, PageRequest(params={"page": 2})),
        (PageNumber(), PageNumber().first(), page(), 0, None),
        (PageNumber(start=0, total="n"), PageRequest(params={"page": 1}), page({"n": 2}), 1, None),
    ],
)
def test_the_next_page(
    pages: Pages, asked: PageRequest, response: HTTPResponse, count: int, following: PageRequest | None
) -> None:
    assert pages.following(asked, response, count) == following


@pytest.mark.parametrize(
    ("pages", "response", "reason", "text"),
    [
        (LinkHeader(), page(link="<broken"), "missing", "Link"),
        (LinkHeader(), page(link="broken"), "missing", "Link"),
        (LinkHeader(), page(link="<ftp://h/x>; rel=next"), "outside", "Link"),
        (Cursor("m.next"), page({"m": []}), "missing", "m.next"),
        (Cursor("next"), page({"next": True}), "missing", "bool"),
        (Offset(total="n"), page({"n": "3"}), "missing", "n: must be"),
    ],
)
def test_nothing_where_something_must_be(pages: Pages, response: HTTPResponse, reason: str, text: str) -> None:
    with pytest.raises(PaginationError, match=text) as caught:
        pages.following(pages.first(), response, 1)
    assert (caught.value.reason, caught.value.response) == (reason, response)
    assert caught.value.attempts == response.attempts != ()


@pytest.mark.parametrize(
    "make",
    [
        lambda: LinkHeader("a b"),
        lambda: Cursor(""),
        lambda: Cursor("a", ""),
        lambda: Offset(0),
        lambda: Offset(total="."),
        lambda: PageNumber(start=-1),
        lambda: PageNumber(total=""),
    ],
)
def test_bad_arguments(make: Any) -> None:
    with pytest.raises(ConfigurationError):
        make()
