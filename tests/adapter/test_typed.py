"""Typed results: whatever pydantic knows; a mismatch says which field, and nothing of what came."""

from __future__ import annotations

import dataclasses
import pickle
from datetime import date
from typing import Annotated, Any, ForwardRef, Literal

import pydantic
import pytest
from pydantic import BaseModel, Field, field_validator
from typing_extensions import TypedDict

from sansio_http_anyio import (
    AsyncHTTPClient,
    HTTPClientError,
    HTTPResponse,
    HTTPResponseError,
    InvalidRequestError,
    ResponseDecodeError,
    ResponseValidationError,
    validated,
)
from tests.adapter.answering import Answering
from tests.fixtures.mock_server import MockServer, Reply

pytestmark = pytest.mark.anyio

SECRET = "ca" + "nary"


class User(BaseModel):
    id: int
    name: str
    tags: list[str] = []
    joined: date | None = Field(default=None, alias="joinedOn")

    @field_validator("name")
    @classmethod
    def not_root(cls, value: str) -> str:
        if value.startswith("root"):
            raise ValueError(f"may not be {value}")
        return value


@dataclasses.dataclass
class Point:
    x: int
    y: int = 0


class Movie(TypedDict):
    title: str


class Cat(BaseModel):
    kind: Literal["cat"]


class Dog(BaseModel):
    kind: Literal["dog"]


Pet = Annotated[Cat | Dog, Field(discriminator="kind")]

ADA = {"id": 1, "name": "Ada", "joinedOn": "1815-12-10"}


@pytest.mark.parametrize("method", ["get", "post", "put", "delete", "patch", "options", "request"])
async def test_every_verb_takes_a_type(method: str, server: MockServer) -> None:
    server.on("/users", Reply(json=[ADA]))
    arguments = ("GET", "/users") if method == "request" else ("/users",)
    async with AsyncHTTPClient(server.url) as client:
        users = await getattr(client, method)(*arguments, response_type=list[User])
    assert users == [User(id=1, name="Ada", joinedOn=date(1815, 12, 10))]


@pytest.mark.parametrize(
    ("response_type", "document", "expected"),
    [
        (Point, {"x": 1}, Point(1)),
        (Movie, {"title": "Metropolis"}, {"title": "Metropolis"}),
        (Point | Movie, {"title": "M"}, {"title": "M"}),
        (dict[str, Point], {"a": {"x": 1}}, {"a": Point(1)}),
        (Pet, {"kind": "dog"}, Dog(kind="dog")),
        (int | None, None, None),
        (Any, [1, "x"], [1, "x"]),
        (tuple[int, ...], [1, 2], (1, 2)),
        (Annotated[int, {"no": ["hash"]}], 5, 5),
    ],
)
async def test_types_of_every_kind(response_type: Any, document: Any, expected: Any, server: MockServer) -> None:
    body = b"null" if document is None else b""
    server.on("/x", Reply(json=document, body=body, headers={"Content-Type": "application/json"} if body else {}))
    async with AsyncHTTPClient(server.url) as client:
        assert await client.get("/x", response_type=response_type) == expected


async def test_a_mismatch_says_where(server: MockServer) -> None:
    wrong = [ADA, {"id": SECRET, "name": None, "tags": [1, SECRET]}, {"id": 3}, {"id": 4, "name": f"root{SECRET}"}]
    server.on("/users", Reply(json=wrong))
    async with AsyncHTTPClient(server.url) as client:
        with pytest.raises(ResponseValidationError) as caught:
            await client.get("/users", response_type=list[User])
    error = caught.value
    assert error.status_code == 200 and error.response.status_code == 200
    assert [place for place, _ in error.problems] == ["[1].id", "[1].name", "[1].tags[0]", "[2].name", "[3].name"]
    assert "the 200 response is not a list[" in str(error)
    assert "[1].id: Input should be a valid integer" in str(error)
    assert "(came: str of 6 characters)" in str(error) and "(came: null)" in str(error)
    assert "[3].name: refused (value_error) (came: str of 10 characters)" in str(error)
    assert SECRET not in str(error) + repr(error) + repr(vars(error))
    assert error.__cause__ is None and error.__context__ is None
    assert isinstance(error, HTTPClientError) and isinstance(error, ValueError)
    assert pickle.loads(pickle.dumps(error)).problems == error.problems


@pytest.mark.parametrize(
    ("response_type", "document", "message"),
    [
        (list[int], ["x"] * 9, r"\[4\]: .*; and 4 more$"),
        (Pet, {"kind": SECRET}, r"refused \(union_tag_invalid\) \(came: dict of 1 keys\)$"),
        (User, [], r"is not a User: Input should be an object \(came: list of 0 items\)$"),
        (dict[str, int], {"k" * 500: "x"}, r"k\.\.\.: Input should"),
        (pydantic.UUID4, SECRET, r"refused \(uuid_parsing\) \(came: str of 6 characters\)$"),
    ],
)
async def test_messages_are_bounded(response_type: Any, document: Any, message: str, server: MockServer) -> None:
    server.on("/x", Reply(json=document))
    async with AsyncHTTPClient(server.url) as client:
        with pytest.raises(ResponseValidationError, match=message) as caught:
            await client.get("/x", response_type=response_type)
    assert len(str(caught.value)) < 1000 and SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("reply", "error", "message"),
    [
        (Reply(404, json={}), HTTPResponseError, "404 Not Found"),
        (Reply(body=b"<html>", headers={"Content-Type": "text/html"}), ResponseDecodeError, "says 'text/html', and"),
        (Reply(body=b"{", headers={"Content-Type": "application/json"}), ResponseDecodeError, "1 bytes, is not JSON"),
        (Reply(204), ResponseValidationError, r"Input should be .* \(came: null\)"),
    ],
)
async def test_what_is_no_document(reply: Reply, error: type[Exception], message: str, server: MockServer) -> None:
    server.on("/x", reply)
    async with AsyncHTTPClient(server.url) as client:
        with pytest.raises(error, match=message):
            await client.get("/x", response_type=User)


async def test_json_without_a_media_type_and_in_another_charset(server: MockServer) -> None:
    server.on("/none", Reply(body=b"[1]"))
    server.on("/latin", Reply(body='"ü"'.encode("latin-1"), headers={"Content-Type": "text/json; charset=latin-1"}))
    async with AsyncHTTPClient(server.url) as client:
        assert await client.get("/none", response_type=list[int]) == [1]
        assert await client.get("/latin", response_type=str) == "ü"


@pytest.mark.parametrize(
    "response_type",
    ["NoSuchName", object(), list[ForwardRef("NoSuchName")], AsyncHTTPClient],  # type: ignore[misc]
)
async def test_what_is_no_type_is_found_before_anything_is_sent(response_type: Any) -> None:
    transport = Answering()
    async with AsyncHTTPClient("http://h", transport=transport) as client:
        with pytest.raises(InvalidRequestError, match=r"^response_type: .* is not a type for pydantic"):
            await client.get("/", response_type=response_type)
    assert transport.sends == []


async def test_a_response_can_be_kept_beside_its_type() -> None:
    response = HTTPResponse(200, {"Content-Type": "application/json"}, b'{"x": 1}')
    assert validated(response, Point) == Point(1)
    assert validated(HTTPResponse(200, json_data={"x": 2}), Point) == Point(2)  # made by hand, in a user's test
