"""Where a request goes: templates, styles of lists, hosts of every kind, and absolute URLs by consent only."""

from __future__ import annotations

from typing import Any

import pytest

from sansio_http import HTTPResponse, Send
from sansio_http_anyio import (
    APIKeyAuth,
    AsyncHTTPClient,
    AuthHandler,
    BearerAuth,
    ClientConfig,
    ConfigurationError,
    HTTPRequest,
    InvalidRequestError,
)
from tests.adapter.answering import Answering
from tests.fixtures.mock_server import MockServer

pytestmark = pytest.mark.anyio

SECRET = "ca" + "nary"
ABSOLUTE = ClientConfig(allow_absolute_urls=True)


async def sent(base: str, url: str, config: ClientConfig | None = None, **options: Any) -> Send:
    """What a client would put on the wire."""
    transport = Answering()
    async with AsyncHTTPClient(base, config, transport=transport) as client:
        response = await client.get(url, **options)
    (send,) = transport.sends
    assert response.request is not None and response.request.url == send.request.url
    return send


async def test_a_template_takes_values_that_cannot_leave_their_segment(server: MockServer) -> None:
    async with AsyncHTTPClient(f"{server.url}/v1") as client:
        response = await client.get("/users/{id}/files/{name}", path={"id": 7, "name": "a/b ü?"})
        assert response.request is not None
        assert response.request.url == f"{server.url}/v1/users/7/files/a%2Fb%20%C3%BC%3F"
        await client.get("/{literally}")  # without path= a brace is a character like any other
        for path, message in [
            ({"id": 1}, "path: has no value for 'name'"),
            ({"id": 1, "name": "x", "more": 2}, "path: 'more' is not in the url"),
            ({"id": 1, "name": ".."}, r"path\['name'\]: has a \. or \.\. segment"),
        ]:
            with pytest.raises(InvalidRequestError, match=message):
                await client.get("/users/{id}/files/{name}", path=path)
    targets = [request.target for request in server.requests]
    assert targets == ["/v1/users/7/files/a%2Fb%20%C3%BC%3F", "/v1/%7Bliterally%7D"]


async def test_params_join_the_query_that_the_url_has(server: MockServer) -> None:
    async with AsyncHTTPClient(server.url, ClientConfig(params_style="comma"), params={"key": "k"}) as client:
        await client.get("/echo?a=1", params={"a": 2, "none": None, "n": [1, "x,y"]})
        await client.get("/echo", params={"n": [1, 2]}, params_style="brackets")
        await client.get("/echo", params={"n": [1, 2]}, params_style="repeat")
        with pytest.raises(InvalidRequestError, match="params_style: 'pipes' is not allowed"):
            await client.get("/echo", params_style="pipes")
    queries = [request.query for request in server.requests]
    assert queries == ["a=1&key=k&a=2&n=1,x%2Cy", "key=k&n%5B%5D=1&n%5B%5D=2", "key=k&n=1&n=2"]
    with pytest.raises(ConfigurationError, match=r"ClientConfig\.params_style: 'pipes' is not allowed"):
        ClientConfig(params_style="pipes")


@pytest.mark.parametrize(
    ("base", "url"),
    [
        ("http://bücher.example/ä", "http://xn--bcher-kva.example/%C3%A4/x"),
        ("HTTP://API.Example.COM:80/v1/", "http://api.example.com/v1/x"),
        ("http://[2001:DB8::0:1]:8080", "http://[2001:db8::1]:8080/x"),
    ],
)
async def test_what_was_sent_is_what_the_request_shows(base: str, url: str) -> None:
    assert (await sent(base, "/x")).request.url == url


@pytest.mark.parametrize(
    "url",
    [
        "//evil.example/",
        "http://evil.example/",
        "HTTP://api.example@evil.example/",
        "https://api.example/v1/x",
        "http://api.example:81/v1/x",
        "http://api.example/v2",
        "http://api.example/v1/../v2",
        "http://api.example/v1/%2e%2e/v2",
        "http://api.example.evil.example/v1",
        "/\\evil.example",
        "/..",
        "/%252e%252e/x",
        "/a\tb",
    ],
)
async def test_no_url_leaves_the_base(url: str) -> None:
    transport = Answering()
    async with AsyncHTTPClient("http://api.example/v1", transport=transport) as client:
        with pytest.raises(InvalidRequestError, match=r"^url: "):
            await client.get(url)
    assert transport.sends == []


@pytest.mark.parametrize("url", ["x:y", "@evil.example", "/@evil.example", "http:x", "/http://evil.example/"])
async def test_what_only_looks_like_another_host_is_a_path(url: str) -> None:
    assert (await sent("http://api.example/v1", url)).request.url.startswith("http://api.example/v1/")


class Handler(AuthHandler):
    async def prepare_request(self, request: HTTPRequest) -> HTTPRequest:
        request.headers["Authorization"] = SECRET
        return request


@pytest.mark.parametrize("auth", [BearerAuth(SECRET), APIKeyAuth(SECRET, location="query"), Handler(), None])
async def test_an_absolute_url_elsewhere_carries_nothing_of_the_clients(auth: Any) -> None:
    transport = Answering()
    client = AsyncHTTPClient(
        "http://api.example/v1",
        ABSOLUTE,
        auth,
        transport=transport,
        headers={"X-API-Key": SECRET, "Cookie": SECRET, "Accept": "text/plain"},
        params={"key": SECRET},
    )
    async with client:
        await client.get("HTTP://Other.example:80/a/../b", headers={"X-Own": "mine"}, params={"q": "1"})
        await client.get("http://api.example/elsewhere")
    (there, here) = [send.request for send in transport.sends]
    assert there.url == "http://other.example/b?q=1"
    assert [name for name, _ in there.headers.pairs()] == ["User-Agent", "Accept", "X-Own"]
    assert (there.headers["accept"], there.headers["x-own"]) == ("text/plain", "mine")
    assert here.url.startswith("http://api.example/elsewhere?key=canary")
    assert (here.headers["x-api-key"], here.headers["cookie"]) == (SECRET, SECRET)
    assert auth is None or SECRET in here.headers.get("authorization", "") + here.url


async def test_an_absolute_url_elsewhere_gets_the_credentials_that_it_was_given() -> None:
    send = await sent("http://api.example", "https://other.example/x", ABSOLUTE, auth=BearerAuth(SECRET))
    assert send.request.headers["authorization"] == f"Bearer {SECRET}"


@pytest.mark.parametrize("url", ["http://user:pass@h/", "http://h:0/", "http:///x", "http://a\\b/", "//other.example/"])
async def test_consent_is_not_for_nonsense(url: str) -> None:
    async with AsyncHTTPClient("http://api.example", ABSOLUTE, transport=Answering()) as client:
        with pytest.raises(InvalidRequestError, match=r"^url: "):
            await client.get(url)


async def test_consent_is_for_urls_of_requests_only() -> None:
    def redirect(send: Send) -> HTTPResponse:
        return HTTPResponse(302, {"Location": "http://other.example/"})

    transport = Answering(redirect)
    async with AsyncHTTPClient("http://api.example", ABSOLUTE, transport=transport) as client:
        assert (await client.get("/x")).status_code == 302  # redirects are followed by consent of their own
    assert len(transport.sends) == 1
