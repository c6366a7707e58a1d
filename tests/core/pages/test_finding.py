"""What is looked for in a page is found, or named in an error."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sansio_http import Cursor, HTTPResponse, Offset, PageRequest, PaginationError, find_items

ANY = PageRequest()


def page(body: Any) -> HTTPResponse:
    return HTTPResponse(200, {"Content-Type": "application/json"}, json.dumps(body).encode())


def test_items() -> None:
    assert find_items(page([1]), None) == [1]
    assert find_items(page({"a": {"b": [2]}}), "a.b") == [2]
    for body, where in (({}, None), ({"a": 1}, "a"), ({}, "a")):
        with pytest.raises(PaginationError, match=r"a: |the answer: "):
            find_items(page(body), where)


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (HTTPResponse(204), "the 204 response is empty, and a page is JSON"),
        (
            HTTPResponse(200, {"Content-Type": "text/html"}, b"<h1>Log in</h1>"),
            "the 200 response says 'text/html', and a page is JSON",
        ),
        (HTTPResponse(200, {}, b"[1]"), "the 200 response says '', and a page is JSON"),
    ],
)
def test_what_is_no_json_at_all(answer: HTTPResponse, says: str) -> None:
    for find in (lambda: find_items(answer, None), lambda: Cursor("next", optional=True).following(ANY, answer, 1)):
        with pytest.raises(PaginationError) as caught:
            find()
        assert (str(caught.value), caught.value.reason, caught.value.response) == (says, "missing", answer)


@pytest.mark.parametrize("body", [{"n": True}, {"n": 1.0}, {"n": None}, {}, [], "n"])
def test_a_number_that_is_none(body: Any) -> None:
    with pytest.raises(PaginationError, match=r"^n: "):
        Offset(total="n").following(Offset().first(), page(body), 1)
