"""Problem details: RFC 9457, whose members of a wrong type are ignored."""

from __future__ import annotations

import json
import pickle
from typing import Any

import pytest

from sansio_http import HTTPResponse, HTTPResponseError, ProblemDetails, RateLimitError

PROBLEM = {
    "type": "https://example.com/probs/out-of-credit",
    "title": "You do not have enough credit.",
    "status": 403,
    "detail": "Your current balance is 30, but that costs 50.",
    "instance": "/account/12345/msgs/abc",
    "balance": 30,
    "accounts": ["/account/12345"],
}


def answer(document, content_type="application/problem+json", status=403):
    content = document if isinstance(document, bytes) else json.dumps(document).encode()
    return HTTPResponse(status, {"Content-Type": content_type}, content)


def test_the_example_of_the_rfc():
    with pytest.raises(HTTPResponseError) as caught:
        answer(PROBLEM).raise_for_status()
    problem = caught.value.problem
    assert problem is not None
    assert (problem.type, problem.title, problem.status) == (PROBLEM["type"], PROBLEM["title"], 403)
    assert (problem.detail, problem.instance) == (PROBLEM["detail"], PROBLEM["instance"])
    assert problem.extensions == {"balance": 30, "accounts": ["/account/12345"]}
    assert "balance" not in str(caught.value) + repr(problem) + repr(vars(caught.value))
    assert pickle.loads(pickle.dumps(caught.value)).problem == problem


def test_any_error_has_one():
    with pytest.raises(RateLimitError) as caught:
        answer({"title": "Slow down"}, "Application/Problem+JSON; charset=utf-8", 429).raise_for_status()
    assert caught.value.problem == ProblemDetails(title="Slow down")
    assert HTTPResponseError(404, "made by hand").problem is None


def test_members_of_a_wrong_type_are_left_out():
    document: Any = {"type": None, "title": 5, "status": True, "detail": ["x"], "instance": {}, "more": None}
    assert answer(document).problem == ProblemDetails(extensions={"more": None})


@pytest.mark.parametrize(
    ("document", "content_type"),
    [
        (PROBLEM, "application/json"),
        (PROBLEM, "application/problem+xml"),
        (PROBLEM, ""),
        (b"", "application/problem+json"),
        (b"{", "application/problem+json"),
        (b"[" * 100_000, "application/problem+json"),
        ([PROBLEM], "application/problem+json"),
        (b"\xff", "application/problem+json"),
    ],
)
def test_what_is_no_problem(document, content_type):
    assert answer(document, content_type).problem is None
