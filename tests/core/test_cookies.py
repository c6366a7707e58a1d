"""Whom the core asks for cookies, and when: before each send, after each head, and never for another origin."""

from __future__ import annotations

from typing import Any

import pytest

from sansio_http import (
    APIKey,
    Call,
    ConfigurationError,
    Ended,
    HTTPRequest,
    HTTPResponse,
    Policies,
    RedirectPolicy,
    RetryPolicy,
)

URL = "https://h/start"


class Notebook:
    """A store that says what it was asked."""

    def __init__(self, **cookies: str) -> None:
        self.cookies = cookies
        self.seen: list[Any] = []

    def header(self, url):
        self.seen.append(url)
        return self.cookies.get(url.split("/")[2])

    def store(self, url, lines, wall):
        self.seen.append((url, list(lines), wall))


def run(request, policies, *answers):
    """The requests that are sent, and the outcome."""
    call = Call(request, policies)
    step = call.start(0.0)
    sent = []
    for answer in answers:
        (send,) = step.send
        sent.append(send.request)
        step = call.handle(Ended(send.id, answer), 0.0)
    return sent, step.done


def test_each_send_asks_and_each_head_tells():
    store = Notebook(h="a=1; b=2", other="c=3")
    policies = Policies(cookies=store, wall=lambda: 5.0, redirects=RedirectPolicy())
    redirect = HTTPResponse(302, [("Location", "https://other/x?y"), ("Set-Cookie", "a=2"), ("Set-Cookie", "d=4")])
    sent, done = run(HTTPRequest("GET", URL), policies, redirect, HTTPResponse(200))
    assert [request.headers.get("cookie") for request in sent] == ["a=1; b=2", "c=3"]
    assert store.seen == [URL, (URL, ["a=2", "d=4"], 5.0), "https://other/x?y"]
    assert done.history == (redirect,)


def test_what_an_answer_changes_is_sent_with_the_redirect_it_asks_for():
    class Renewing(Notebook):
        def store(self, url, lines, wall):
            self.cookies["h"] = lines[0]

    policies = Policies(cookies=Renewing(h="a=1"), wall=lambda: 5.0, redirects=RedirectPolicy())
    redirect = HTTPResponse(302, {"Location": "/next", "Set-Cookie": "a=2"})
    sent, _ = run(HTTPRequest("GET", URL), policies, redirect, HTTPResponse(200))
    assert [each.headers["cookie"] for each in sent] == ["a=1", "a=2"]


def test_a_retry_asks_anew():
    store = Notebook(h="a=1")
    policies = Policies(cookies=store, wall=lambda: 5.0, retry=RetryPolicy(), rand=lambda: 0.0)
    sent, _ = run(HTTPRequest("GET", URL), policies, HTTPResponse(503, {"Set-Cookie": "a=2"}), HTTPResponse(200))
    assert len(sent) == 2 and store.seen == [URL, (URL, ["a=2"], 5.0), URL]


@pytest.mark.parametrize(
    ("own", "stored", "header"),
    [
        ("b=9", "a=1; b=2", "b=9; a=1"),
        ("a=9;b=9", "a=1; b=2", "a=9;b=9"),
        ("x", "a=1; =2; nameless", "x; a=1; =2; nameless"),
        (None, None, None),
        (None, "", None),
        ("own=1", None, "own=1"),
    ],
)
def test_of_one_name_the_requests_own_counts(own, stored, header):
    store = Notebook(**({} if stored is None else {"h": stored}))
    request = HTTPRequest("GET", URL, None if own is None else {"Cookie": own})
    sent, _ = run(request, Policies(cookies=store), HTTPResponse(200))
    assert sent[0].headers.get("cookie") == header
    assert len(sent[0].headers.get_list("cookie")) == (header is not None)


def test_a_cookie_of_the_request_stays_with_its_origin():
    policies = Policies(cookies=Notebook(other="c=3"), redirects=RedirectPolicy())
    request = HTTPRequest("GET", URL, {"Cookie": "mine=1"})
    sent, _ = run(request, policies, HTTPResponse(302, {"Location": "https://other/"}), HTTPResponse(200))
    assert [each.headers.get("cookie") for each in sent] == ["mine=1", "c=3"]


def test_credentials_come_after_cookies():
    policies = Policies(cookies=Notebook(h="a=1"), auth=APIKey("k", name="key", location="cookie"))
    sent, _ = run(HTTPRequest("GET", URL), policies, HTTPResponse(200))
    assert sent[0].headers["cookie"] == "a=1; key=k"


def test_a_store_needs_a_wall_clock():
    _, done = run(HTTPRequest("GET", URL), Policies(cookies=Notebook()), HTTPResponse(200, {"Set-Cookie": "a=1"}))
    assert isinstance(done, ConfigurationError) and "Policies.wall" in str(done)
    _, done = run(HTTPRequest("GET", URL), Policies(cookies=Notebook()), HTTPResponse(200))
    assert done.status_code == 200


def test_what_a_store_raises_is_the_outcome():
    class Broken(Notebook):
        def header(self, url):
            raise LookupError

    call = Call(HTTPRequest("GET", URL), Policies(cookies=Broken()))
    assert isinstance(call.start(0.0).done, LookupError)


def test_what_is_no_store():
    with pytest.raises(ConfigurationError, match=r"^Policies\.cookies: dict is not allowed; it is CookieStore$"):
        Policies(cookies={"a": "1"})
    with pytest.raises(ConfigurationError, match=r"^headers: 'Cookie' is not allowed; cookies stay with their origin$"):
        RedirectPolicy(headers=frozenset({"Cookie"}))
