"""Queries, forms and multipart beside httpx2 and aiohttp: the same bytes wherever the standards allow one answer."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl

import aiohttp
import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sansio_http import form_body
from sansio_http.query import add_params
from sansio_http_anyio import AsyncHTTPClient
from sansio_http_anyio.uploads import multipart
from tests.adapter.test_bodies import form
from tests.fixtures.mock_server import MockServer

URL = "http://h/x"
BOUNDARY = "0123456789abcdef0123456789abcdef"

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
values = st.one_of(texts, st.integers(-(10**6), 10**6), st.booleans())
fields = st.dictionaries(texts, st.one_of(values, st.lists(values, min_size=1, max_size=3)), max_size=4)
# Names on which HTML and httpx2 agree: it writes a backslash twice, and HTML does not.
names = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\\"), min_size=1, max_size=20)


@given(fields)
def test_queries_read_the_same(params: dict[str, Any]) -> None:
    ours = add_params(URL, params).partition("?")[2]
    theirs = httpx2.Request("GET", URL, params=params).url.query.decode()
    assert parse_qsl(ours, keep_blank_values=True) == parse_qsl(theirs, keep_blank_values=True)


@given(st.dictionaries(st.from_regex(r"[A-Za-z0-9._~-]+", fullmatch=True), st.integers() | st.booleans(), max_size=4))
def test_queries_of_unreserved_characters_are_the_same(params: dict[str, Any]) -> None:
    assert add_params(URL, params) == str(httpx2.Request("GET", URL, params=params).url).rstrip("?")


@given(fields.filter(bool))
def test_forms_are_the_same(data: dict[str, Any]) -> None:
    request = httpx2.Request("POST", URL, data=data)
    body, content_type = form_body(data)
    assert (body.source, content_type) == (request.content, request.headers["content-type"])


@settings(max_examples=40)
@given(
    st.dictionaries(names, st.one_of(texts, st.integers(), st.booleans()), max_size=3),
    st.lists(
        st.tuples(names, st.tuples(names, st.binary(max_size=50), st.sampled_from(["text/plain", "image/png"]))),
        min_size=1,
        max_size=3,
    ),
)
def test_multipart_forms_are_the_same(data: dict[str, Any], files: list[Any]) -> None:
    headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    request = httpx2.Request("POST", URL, data=data, files=files, headers=headers)
    body, content_type = multipart(data, files, BOUNDARY)
    assert body.source == request.read()
    assert (content_type, str(body.length)) == (headers["Content-Type"], request.headers["content-length"])


@pytest.mark.anyio
@pytest.mark.asyncio_only("aiohttp runs on asyncio")
async def test_what_arrives_is_what_aiohttp_sends(server: MockServer) -> None:
    data = {"a": "1 2", "b": "ü&=+%*~", "c": ""}
    upload = aiohttp.FormData()
    for name, value in data.items():
        upload.add_field(name, value)
    upload.add_field("f", b"\0content", filename="x.bin", content_type="application/octet-stream")
    async with aiohttp.ClientSession(server.url) as theirs, AsyncHTTPClient(server.url) as ours:
        params = {"q": "a b", "ü": "&="}
        for sent in (
            theirs.get("/echo", params=params),
            theirs.post("/echo", data=data),
            theirs.post("/echo", data=upload),
        ):
            async with sent as response:
                await response.read()
        await ours.get("/echo", params=params)
        await ours.post("/echo", data=data)
        await ours.post("/echo", data=data, files={"f": ("x.bin", b"\0content")})
    queries, forms, multiparts = [server.requests[index::3] for index in range(3)]
    assert parse_qsl(queries[0].query) == parse_qsl(queries[1].query)
    assert forms[0].body == forms[1].body
    assert forms[0].headers["content-type"] == forms[1].headers["content-type"]
    heads, contents = zip(*form(multiparts[1]), strict=True)
    boundary = multiparts[0].headers["content-type"].partition("boundary=")[2].encode()
    parts = [part.partition(b"\r\n\r\n") for part in multiparts[0].body.split(b"--" + boundary)[1:-1]]
    assert [content.removesuffix(b"\r\n") for _, _, content in parts] == list(contents)
    for (theirs_head, _, _), head in zip(parts, heads, strict=True):  # theirs has a Content-Type for text, too
        assert {line for line in head.split("\r\n") if line} <= set(theirs_head.decode().split("\r\n"))
