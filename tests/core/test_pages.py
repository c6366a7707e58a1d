"""Pages: each strategy finds the next page or says why not, and a walk ends, stays inside, and can be resumed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sansio_http import (
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
    Paginator,
    find_items,
)

BASE = "https://h/v1"


def page(body: Any = None, link: str | None = None, url: str | None = BASE + "/users") -> HTTPResponse:
    headers = {"Content-Type": "application/json"} | ({} if link is None else {"Link": link})
    response = HTTPResponse(200, headers, json.dumps(body).encode())
    response.request = None if url is None else HTTPRequest("GET", url)
    return response


@pytest.mark.parametrize(
    ("pages", "asked", "response", "count", "following"),
    [
        (LinkHeader(), PageRequest(), page(link='</v1/u?p=2>; rel="next"'), 1, PageRequest("https://h/v1/u?p=2")),
        (LinkHeader(), PageRequest(), page(link="<https://h/x>; rel=next", url=None), 1, PageRequest("https://h/x")),
        (LinkHeader(), PageRequest(), page(link="</x>; rel=prev"), 1, None),
        (LinkHeader(), PageRequest(), page(link='</x>; rel=next; anchor="/y"'), 1, None),
        (LinkHeader(), PageRequest(), page(), 1, None),
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


def test_items() -> None:
    assert find_items(page([1]), None) == [1]
    assert find_items(page({"a": {"b": [2]}}), "a.b") == [2]
    for body, where in (({}, None), ({"a": 1}, "a"), ({}, "a")):
        with pytest.raises(PaginationError, match=r"a: |the answer: "):
            find_items(page(body), where)


@pytest.mark.parametrize(
    ("target", "reason"),
    [("/v1/users?p=1", "loop"), ("https://other/v1/x", "outside"), ("/v2/x", "outside"), ("/v1/%2e%2e/x", "outside")],
)
def test_a_way_that_leads_nowhere_is_told_after_the_items(target: str, reason: str) -> None:
    walk = Paginator(LinkHeader(), BASE)
    assert walk.request() == PageRequest()
    walk.arrived(page(link="</v1/users?p=1>; rel=next"), [1])
    walk.gave()
    assert (following := walk.request()) is not None and following.names == ("p",)
    assert walk.arrived(page(link=f"<{target}>; rel=next"), [2]) == [2]
    walk.gave()
    for _ in range(2):
        with pytest.raises(PaginationError) as caught:
            walk.request()
        assert caught.value.reason == reason
    assert walk.state["given"] == 1


def test_one_page_too_many() -> None:
    walk = Paginator(PageNumber(), BASE, max_pages=1)
    walk.arrived(page(), [1])
    walk.gave()
    with pytest.raises(PaginationError, match="max_pages"):
        walk.request()
    again = Paginator(PageNumber(), BASE, state=walk.state)
    assert again.request() == PageRequest(params={"page": 2})


@given(st.lists(st.integers(1, 4), max_size=5), st.integers(0, 20))
def test_resumed_anywhere_it_gives_each_item_once(sizes: list[int], stop: int) -> None:
    texts = [[f"{at}.{each}" for each in range(size)] for at, size in enumerate(sizes)] + [[]]

    def walk_on(walk: Paginator, most: int) -> list[str]:
        given: list[str] = []
        while (asked := walk.request()) is not None:
            for item in walk.arrived(page(), texts[int(asked.params["page"])]):
                if len(given) == most:
                    return given
                walk.gave()
                given.append(item)
        return given

    walk = Paginator(PageNumber(start=0), BASE)
    before = walk_on(walk, stop)
    after = walk_on(Paginator(PageNumber(start=0), BASE, state=json.loads(json.dumps(walk.state))), 100)
    assert before + after == [item for each in texts for item in each]


GOOD = {"version": 1, "pages": "PageNumber", "page": {"url": None, "params": {"page": 2}}, "given": 0}


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"pages": "Cursor"},
        {"given": -1},
        {"given": "1"},
        {"page": {}},
        {"page": 3},
        {"page": {"url": None, "params": {"page": "x"}}},
        {"page": {"url": None, "params": {"page": None}}},
        {"page": {"url": "https://other/", "params": {"page": 1}}},
    ],
)
def test_a_state_that_is_none(change: dict[str, Any]) -> None:
    assert Paginator(PageNumber(), BASE, state=GOOD).state == GOOD
    with pytest.raises(ConfigurationError, match="state"):
        Paginator(PageNumber(), BASE, state=GOOD | change)


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
        lambda: Paginator("x", BASE),  # type: ignore[arg-type]
        lambda: Paginator(LinkHeader(), BASE, max_pages=0),
    ],
)
def test_bad_arguments(make: Any) -> None:
    with pytest.raises(ConfigurationError):
        make()
