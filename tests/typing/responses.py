"""What type checkers infer from ``response_type``, and what they refuse."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, assert_type

from pydantic import BaseModel
from typing_extensions import TypedDict

from sansio_http_anyio import (
    AsyncHTTPClient,
    Body,
    CookieJar,
    Download,
    HTTPResponse,
    OrjsonSerializer,
    ProgressBar,
    ProgressCallback,
    validated,
)


class User(BaseModel):
    """A model."""

    id: int


@dataclass
class Point:
    """A dataclass."""

    x: int


class Movie(TypedDict):
    """A dict with known keys."""

    title: str


async def typed(client: AsyncHTTPClient) -> None:
    """Each verb, and each kind of type."""
    assert_type(await client.get("/users/1"), HTTPResponse)
    assert_type(await client.get("/users/1", response_type=None), HTTPResponse)
    assert_type(await client.get("/users", response_type=list[User]), list[User])
    assert_type(await client.post("/users", json=User(id=1), response_type=User), User)
    assert_type(await client.put("/points", json=Point(1), response_type=Point), Point)
    assert_type(await client.patch("/movies", response_type=Movie), Movie)
    assert_type(await client.delete("/x", response_type=dict[str, int]), dict[str, int])
    assert_type(await client.options("/x", response_type=tuple[int, ...]), tuple[int, ...])
    assert_type(await client.head("/x"), HTTPResponse)
    assert_type(await client.request("GET", "/users", response_type=list[User]), list[User])
    assert_type(validated(await client.get("/users"), list[User]), list[User])


async def untyped(client: AsyncHTTPClient) -> User | None:
    """A union is no class: a checker takes what it is assigned to."""
    user: User | None = await client.get("/users/1", response_type=User | None)
    return user


class Chunks:
    """Makes a new iterator each time."""

    def __iter__(self) -> Iterator[bytes]:
        yield b"piece"


def pieces() -> Iterator[bytes]:
    """A body, piece by piece."""
    yield b"piece"


async def later() -> AsyncIterator[bytes]:
    """The same, with pauses."""
    yield b"piece"


async def forms(client: AsyncHTTPClient, some: dict[str, str], more: Mapping[str, int | None], any: Any) -> None:
    """Mappings and pairs, of one kind of value or several."""
    await client.post("/x", data={"a": 1, "b": ["x", None]})
    await client.post("/x", data={"a": 1, "b": "x", "c": None, "d": True, "e": 1.5})
    await client.post("/x", data=[("a", 1), ("a", "x"), ("b", None)])
    await client.post("/x", data=(("a", 1), ("a", "x")))
    await client.post("/x", data={})
    await client.post("/x", data=some)
    await client.post("/x", data=more)
    await client.post("/x", data=any)
    await client.post("/x", files={"f": [b"a", b"b"]}, data={"a": 1, "b": ["x", None]})
    await client.get("/x", params={"a": 1, "b": ["x", None]})


async def bodies(client: AsyncHTTPClient, file: BinaryIO) -> None:
    """What goes up."""
    await client.post("/x", data="text")
    await client.post("/x", data=bytearray(b"bytes"))
    await client.post("/x", data=Body.of(b"bytes"))
    await client.post("/x", data=pieces())
    await client.post("/x", data=pieces)
    await client.post("/x", data=later())
    await client.post("/x", data=later)
    await client.post("/x", data=Chunks())
    await client.post("/x", data=(b"piece" for _ in range(2)))
    await client.post("/x", data=b"bytes", content_type="image/png")
    await client.post("/x", data=file)
    await client.post("/x", files={"f": file, "g": ("name.txt", b"content", "text/plain")}, data={"a": "1"})
    await client.post("/x", data=lambda: iter([b"piece"]))
    await client.get("/x/{id}", path={"id": 1}, params={"n": [1, 2]}, params_style="comma", cookies={"a": "1"})


async def transfers(client: AsyncHTTPClient, progress: ProgressCallback) -> None:
    """Files, down and up."""
    done = await client.download("/x/{id}", "x", path={"id": 1}, sha256="0" * 64, progress=progress)
    assert_type(done, Download)
    assert_type(done.etag, str | None)
    with ProgressBar("x") as bar:
        assert_type(await client.upload("/x", "x", progress=bar), HTTPResponse)
    assert_type(await client.upload("/x", Path("x"), method="POST", response_type=User), User)


def made() -> AsyncHTTPClient:
    """A client with a jar and another serializer."""
    return AsyncHTTPClient("https://api.example.com", cookies=CookieJar(), serializer=OrjsonSerializer())
