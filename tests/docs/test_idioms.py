"""docs/idioms.md: every line of its tables runs, and the lines beside ours say the same to the server."""

from __future__ import annotations

import ast
import gc
import inspect
import io
import json
import re
import warnings
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote

import aiohttp
import httpx2
import pytest
import requests
from pydantic import BaseModel, TypeAdapter
from yarl import URL

from sansio_http_anyio import AsyncHTTPClient, BasicAuth, BearerAuth, LinkHeader
from tests.fixtures.mock_server import MockServer, Received, Reply

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "idioms.md").read_text("utf-8")
LIBRARIES = ("httpx2", "requests", "aiohttp", "here")


def rows() -> list[tuple[str, list[str]]]:
    """The name of each line that compares, and its four cells."""
    found: list[tuple[str, list[str]]] = []
    for line in PAGE.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split(" | ")]
        if line.startswith("| ") and len(cells) == 5 and cells[0] and not cells[1].startswith("httpx2"):
            found.append((cells[0].strip("| "), [cell.strip("`") for cell in cells[1:]]))
    return found


ROWS = rows()


class User(BaseModel):
    """What the mock server has."""

    id: int
    name: str


async def pieces() -> AsyncIterator[bytes]:
    yield b"one "
    yield b"two"


def paged(request: Received) -> Reply:
    """Two pages, the first of which names the second."""
    if request.query:
        return Reply(json=[3])
    return Reply(json=[1, 2], headers={"Link": f'<http://{request.headers["host"]}/paged?page=2>; rel="next"'})


EVENTS = Reply(
    body=b": hello\n\ndata: one\n\ndata: two\ndata: lines\n\n", headers={"Content-Type": "text/event-stream"}
)


async def run(code: str, client: Any, url: str, path: Path) -> Any:
    """What the last expression of a cell gives; of an error, the status that it is about."""
    names: dict[str, Any] = {
        "path": path,
        "client": client,
        "url": url,
        "json": json,
        "name": "a/b",
        "user": User(id=7, name="Ada"),
        "file": io.BytesIO(b"content"),
        "pieces": pieces,
        **{each.__name__: each for each in (aiohttp, httpx2, requests, quote, URL, TypeAdapter, User)},
        **{each.__name__: each for each in (AsyncHTTPClient, BasicAuth, BearerAuth, LinkHeader)},
    }
    tree = ast.parse("\n".join(part.strip() for part in code.split(";")))
    last = tree.body[-1]
    assert isinstance(last, ast.Expr)
    tree.body[-1] = ast.Assign([ast.Name("result", ast.Store())], last.value)
    compiled = compile(ast.fix_missing_locations(tree), "docs/idioms.md", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    try:
        coroutine = eval(compiled, names)
        if inspect.isawaitable(coroutine):
            await coroutine
    except Exception as error:
        response = getattr(error, "response", None)
        return getattr(error, "status", None) or response.status_code  # type: ignore[union-attr]
    result = names["result"]
    if isinstance(result, aiohttp.ClientResponse):
        await result.read()
    return result


def said(request: Received) -> Any:
    """What a request means, without what each library has its own way with."""
    content_type = request.headers.get("content-type", "")
    body: Any = request.body
    if content_type == "application/json":
        body = json.loads(body)
    elif content_type.startswith("multipart/"):
        boundary = content_type.partition("boundary=")[2].encode()
        parts = [part.partition(b"\r\n\r\n") for part in body.split(b"--" + boundary)[1:-1]]
        body = [(sorted(head.strip().split(b"\r\n")), content) for head, _, content in parts]
        content_type = "multipart"
    own = ("authorization", "cookie", "x-a")
    return (
        request.method,
        request.path,
        parse_qsl(request.query),
        body,
        content_type if content_type != "application/octet-stream" else "",
        {name: request.headers.get(name) for name in own},
    )


async def outcome(library: str, code: str, server: MockServer, path: Path) -> tuple[list[Any], Any]:
    """What the server was told by one cell, and what it gave."""
    before = len(server.requests)
    if library == "requests":
        with requests.Session() as session:
            result = await run(code, session, server.url, path)
    else:
        makers = {
            "httpx2": lambda: httpx2.AsyncClient(base_url=server.url),
            "here": lambda: AsyncHTTPClient(server.url),
        }
        maker: Any = makers.get(library, lambda: aiohttp.ClientSession(server.url))
        async with maker() as client:
            result = await run(code, client, server.url, path)
    plain = isinstance(result, str | bytes | int | dict | list | User)
    return [said(request) for request in server.requests[before:]], result if plain else None


@pytest.mark.anyio
@pytest.mark.parametrize(("name", "cells"), ROWS, ids=[f"{number} {name}" for number, (name, _) in enumerate(ROWS)])
async def test_a_line(name: str, cells: list[str], anyio_backend: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"from the disk")
    with MockServer() as server, warnings.catch_warnings():
        server.on("GET /paged", paged)
        server.on("GET /events", EVENTS)
        ours = await outcome("here", cells[3], server, tmp_path / "file")
        assert ours[0], "the server was asked"
        warnings.simplefilter("ignore")  # what the others warn of is theirs
        for library, code in zip(LIBRARIES, cells, strict=True):
            if code == "-" or library == "here" or (library == "aiohttp" and anyio_backend == "trio"):
                continue
            theirs = await outcome(library, code, server, tmp_path / "file")
            assert theirs == ours, library
        gc.collect()


@pytest.mark.anyio
async def test_the_clients_are_made_as_it_says(anyio_backend: str, tmp_path: Path) -> None:
    (line,) = [line for line in PAGE.splitlines() if "AsyncClient(base_url" in line]
    cells = re.findall(r"`([^`]+)`", line)
    assert len(cells) == 4
    with MockServer() as server:
        for code in cells:
            if "aiohttp" in code and anyio_backend == "trio":
                continue
            client = await run(code, None, server.url, tmp_path / "file")
            closing = getattr(client, "aclose", None) or client.close
            closed = closing()
            if inspect.isawaitable(closed):
                await closed


def test_no_line_is_left_out() -> None:
    lines = [line for line in PAGE.splitlines() if line.startswith("| ") and "`" in line]
    assert len(ROWS) == len(lines) - 1 and len(ROWS) > 25
    assert all(cells[3] != "-" for _, cells in ROWS)
