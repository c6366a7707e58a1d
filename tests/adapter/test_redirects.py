"""Redirects as a caller sees them: asked for per client or per request, and told in the response's history."""

from __future__ import annotations

import contextlib
import pickle
from typing import Any

import httpcore
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sansio_http import Headers, HTTPResponse, Policies, RedirectPolicy, Send, origin, portable_headers
from sansio_http_anyio import (
    AsyncHTTPClient,
    BearerAuth,
    ClientConfig,
    ConfigurationError,
    HttpcoreTransport,
    InvalidRequestError,
    RedirectError,
)
from tests.adapter.answering import Answering
from tests.fixtures.mock_server import MockServer, Reply
from tests.fixtures.virtual_loop import run_virtual

pytestmark = pytest.mark.anyio

SECRET = "ca" + "nary"
FOLLOW = ClientConfig(follow_redirects=True)


async def test_history_has_each_answer_on_the_way(server: MockServer) -> None:
    server.on("/a", Reply(302, headers={"Location": "/b"}, body=b"one"))
    server.on("/b", Reply(307, headers={"Location": "/json"}))
    async with AsyncHTTPClient(server.url, FOLLOW) as client:
        response = await client.get("/a?x=1")
        straight = await client.get("/json")
    assert [(each.status_code, each.content) for each in response.history] == [(302, b"one"), (307, b"")]
    urls = [each.request.url for each in (*response.history, response) if each.request]
    assert urls == [f"{server.url}/a?x=1", f"{server.url}/b", f"{server.url}/json"]
    assert straight.history == () and len(response.attempts) == 1 and response.attempts[0].sends == 3
    assert [each.status_code for each in pickle.loads(pickle.dumps(response)).history] == [302, 307]


async def test_history_of_a_stream(server: MockServer) -> None:
    server.on("/a", Reply(302, headers={"Location": "/json"}))
    async with AsyncHTTPClient(server.url, FOLLOW) as client:
        async with client.stream("GET", "/a") as response:
            assert [each.status_code for each in response.history] == [302]
            assert await response.aread()


async def test_each_request_decides_for_itself(server: MockServer) -> None:
    server.on("/a", Reply(302, headers={"Location": "/json"}))
    async with AsyncHTTPClient(server.url) as client:
        statuses = [(await client.get("/a", follow_redirects=follow)).status_code for follow in (None, False, True)]
    async with AsyncHTTPClient(server.url, FOLLOW) as client:
        statuses += [(await client.get("/a", follow_redirects=follow)).status_code for follow in (None, False, True)]
    assert statuses == [302, 302, 200, 200, 302, 200]


async def test_a_requests_wish_keeps_the_policies_that_it_has(server: MockServer) -> None:
    server.on("/a", Reply(302, headers={"Location": "/b"}))
    server.on("/b", Reply(302, headers={"Location": "/c"}))
    one = Policies(redirects=RedirectPolicy(limit=1))
    async with AsyncHTTPClient(server.url, ClientConfig(max_redirects=1), policies=Policies()) as client:
        for options in ({"follow_redirects": True}, {"policies": one, "follow_redirects": True}):
            with pytest.raises(RedirectError, match="more than 1 redirects"):
                await client.get("/a", **options)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_each_kind(status: int, server: MockServer) -> None:
    server.on("/a", Reply(status, headers={"Location": "/echo"}))
    async with AsyncHTTPClient(server.url, FOLLOW) as client:
        for method in ("GET", "POST", "PUT"):
            await client.request(method, "/a", **({} if method == "GET" else {"json": 1}))
    followed = [(request.method, request.body) for request in server.requests if request.path == "/echo"]
    changed, kept = ("GET", b""), (b"1" if status != 303 else b"")
    assert followed[0] == ("GET", b"")
    assert followed[1] == (("POST", b"1") if status in (307, 308) else changed)
    assert followed[2] == (("PUT", kept) if status != 303 else changed)


async def test_a_file_is_wound_back(server: MockServer, tmp_path: Any) -> None:
    (tmp_path / "f").write_bytes(b"content")
    server.on("/a", Reply(307, headers={"Location": "/echo"}))
    async with AsyncHTTPClient(server.url, FOLLOW) as client:
        with (tmp_path / "f").open("rb") as file:
            await client.put("/a", data=file)
        with pytest.raises(RedirectError, match="the body cannot be sent again"):
            await client.put("/a", data=iter([b"content"]))
    assert [request.body for request in server.requests] == [b"content"] * 3


async def test_named_headers_go_along(server: MockServer, other: MockServer) -> None:
    server.on("/a", Reply(302, headers={"Location": f"{other.url}/echo"}))
    config = ClientConfig(follow_redirects=True, redirect_headers={"X-Request-ID"})
    headers = {"X-Request-ID": "7", "X-API-Key": SECRET, "Cookie": SECRET}
    async with AsyncHTTPClient(server.url, config, BearerAuth(SECRET), headers=headers) as client:
        await client.get("/a", cookies={"session": SECRET})
    (request,) = other.requests
    assert request.headers["x-request-id"] == "7"
    assert SECRET.encode() not in request.head


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ({"Cookie"}, r"redirect_headers\.0: 'Cookie' is not allowed: .*cookies stay with their origin"),
        ({"a b"}, "'a b' is not a header name"),
        ("X-Key", "redirect_headers: 'X-Key' is not allowed"),
    ],
)
def test_bad_names(names: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        ClientConfig(redirect_headers=names)


@settings(max_examples=30)
@given(
    name=st.from_regex(r"[A-Za-z][A-Za-z0-9\-]{0,20}", fullmatch=True),
    target=st.sampled_from(
        ["//other/", "https://h/", "http://h:81/", "http://H.evil/", "http:\\\\other", "///other/x", "http://h@other/"]
    ),
)
def test_no_header_of_any_name_reaches_a_hostile_target(anyio_backend: str, name: str, target: str) -> None:
    """Only what names nobody may travel, wherever the redirect leads."""
    sends: list[Send] = []

    def answer(send: Send) -> HTTPResponse:
        sends.append(send)
        return HTTPResponse(302, {"Location": target}) if len(sends) == 1 else HTTPResponse(200)

    async def main() -> None:
        async with AsyncHTTPClient("http://h", FOLLOW, transport=Answering(answer), headers={name: SECRET}) as client:
            with contextlib.suppress(RedirectError):
                await client.get("/")

    run_virtual(anyio_backend, main)
    for send in sends[1:]:
        if origin(send.request.url) != "http://h":
            carried = SECRET in [value for _, value in send.request.headers.pairs()]
            assert carried == bool(portable_headers(Headers({name: SECRET})).pairs())


# Through a proxy


async def test_the_rules_hold_through_a_proxy(server: MockServer) -> None:
    """To an HTTP proxy a request names its whole URL; the mock server passes for one, and sees what each host would."""
    here, there = "http://api.example.com/v1", "http://other.example.com"
    server.on(f"{here}/away", Reply(302, headers={"Location": f"{there}/x"}))
    server.on(f"{here}/home", Reply(302, headers={"Location": "/v1/x"}))
    server.on(f"{here}/seen", Reply(303, headers={"Location": f"{there}/x"}))
    server.on(f"{here}/loop", Reply(302, headers={"Location": "loop"}))
    server.on(f"{here}/x", Reply(json="here"))
    server.on(f"{there}/x", Reply(json="there"))
    headers = {"X-API-Key": SECRET, "X-Request-ID": "7"}
    config = ClientConfig(follow_redirects=True, redirect_headers={"X-Request-ID"})
    async with httpcore.AsyncHTTPProxy(server.url) as proxy:
        transport = HttpcoreTransport(config, pool=proxy)
        async with AsyncHTTPClient(here, config, BearerAuth(SECRET), headers=headers, transport=transport) as client:
            assert (await client.get("/away", cookies={"session": SECRET})).json_data == "there"
            assert (await client.post("/seen", json={"key": SECRET})).json_data == "there"
            assert (await client.get("/home")).json_data == "here"
            with pytest.raises(RedirectError, match="a loop"):
                await client.get("/loop")
            asked = len(server.requests)
            for url in (f"{there}/x", "//other.example.com/x", "/../x", "/%2e%2e/x", "http://api.example.com@evil/x"):
                with pytest.raises(InvalidRequestError, match=r"^url: "):
                    await client.get(url)
            assert len(server.requests) == asked
    for request in server.requests:
        elsewhere = request.headers["host"] == "other.example.com"
        assert (SECRET.encode() in request.head) is not elsewhere
        assert request.headers["x-request-id"] == "7"
        if elsewhere:
            assert (request.method, request.body) == ("GET", b"")
            assert "content-type" not in request.headers
    assert sum(request.headers["host"] == "other.example.com" for request in server.requests) == 2
