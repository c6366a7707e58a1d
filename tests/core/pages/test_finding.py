"""What is looked for in a page is found, or named in an error."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sansio_http import HTTPResponse, Offset, PaginationError, find_items


def page(body: Any) -> HTTPResponse:
    return HTTPResponse(200, {"Content-Type": "application/json"}, json.dumps(body).encode())


def test_items() -> None:
    assert find_items(page([1]), None) == [1]
    assert find_items(page({"a": {"b": [2]}}), "a.b") == [2]
    for body, where in (({}, None), ({"a": 1}, "a"), ({}, "a")):
        with pytest.raises(PaginationError, match=r"a: |the answer: "):
            find_items(page(body), where)


@pytest.mark.parametrize("body", [{"n": True}, {"n": 1.0}, {"n": None}, {}, [], "n"])
def test_a_number_that_is_none(body: Any) -> None:
    with pytest.raises(PaginationError, match=r"^n: "):
        Offset(total="n").following(Offset().first(), page(body), 1)
