"""A walk along the pages ends, stays inside, and can be resumed: in another process too."""

from __future__ import annotations

import json
import subprocess
import sys
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
    PageNumber,
    PageRequest,
    Pages,
    PaginationError,
    Paginator,
)

BASE = "https://h/v1"


def page(body: Any = None, link: str | None = None, url: str | None = BASE + "/users") -> HTTPResponse:
    headers = {"Content-Type": "application/json"} | ({} if link is None else {"Link": link})
    response = HTTPResponse(200, headers, json.dumps(body).encode())
    response.request = None if url is None else HTTPRequest("GET", url)
    return response


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


@pytest.mark.parametrize("pages", [LinkHeader(), Cursor("next")])
def test_the_way_back_to_the_first_page_is_seen_at_once(pages: Pages) -> None:
    walk = Paginator(pages, BASE)
    walk.request()
    walk.arrived(page({"next": "https://h/v1/users?p=2"}, link="</v1/users?p=2>; rel=next"), [1])
    walk.gave()
    assert walk.request() == PageRequest("https://h/v1/users?p=2")
    back = page({"next": "https://h/v1/users"}, link="</v1/users>; rel=next", url=BASE + "/users?p=2&key=k")
    assert walk.arrived(back, [2]) == [2]
    walk.gave()
    with pytest.raises(PaginationError, match="had already"):
        walk.request()


def test_pages_whose_requests_are_not_known() -> None:
    walk = Paginator(Cursor("next"), BASE)
    for cursor in ("b", "c", None):
        assert walk.request() is not None
        walk.arrived(page({"next": cursor}, url=None), [1])
        walk.gave()
    assert walk.request() is None
    assert walk.state == {"version": 1, "pages": "Cursor", "page": None, "given": 0}
    assert Paginator(Cursor("next"), BASE, state=walk.state).request() is None


ELSEWHERE = """
import json, sys
from sansio_http import Cursor, HTTPResponse, Paginator
walk = Paginator(Cursor("next"), "https://h/v1", state=json.loads(sys.argv[1]))
asked = walk.request()
answer = HTTPResponse(200, {"Content-Type": "application/json"}, b'{"next": null}')
print(asked.url, dict(asked.params), *walk.arrived(answer, ["a", "b", "c"]))
"""


def test_a_new_process_goes_on_behind_the_last_item() -> None:
    walk = Paginator(Cursor("next"), BASE)
    walk.arrived(page({"next": "ä b"}), [])
    walk.arrived(page({"next": "x"}), ["a", "b", "c"])
    walk.gave()
    done = subprocess.run(
        [sys.executable, "-X", "utf8", "-c", ELSEWHERE, json.dumps(walk.state)],
        capture_output=True,
        text=True,
        check=True,
        encoding="utf-8",
    )
    assert done.stdout == "None {'cursor': 'ä b'} b c\n"


@pytest.mark.parametrize(
    "make",
    [
        lambda: Paginator("x", BASE),  # type: ignore[arg-type]
        lambda: Paginator(LinkHeader(), BASE, max_pages=0),
    ],
)
def test_bad_arguments(make: Any) -> None:
    with pytest.raises(ConfigurationError):
        make()
