"""JSON by the standard library, orjson and msgspec: the same documents, and the same errors of ours."""

from __future__ import annotations

import builtins
import dataclasses
import enum
import json
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import pytest
from pydantic import BaseModel, Field

from sansio_http_anyio import (
    AsyncHTTPClient,
    ConfigurationError,
    HTTPResponse,
    InvalidRequestError,
    JSONSerializer,
    MsgspecSerializer,
    OrjsonSerializer,
    ResponseDecodeError,
    Serializer,
)
from tests.adapter.answering import Answering
from tests.fixtures.mock_server import MockServer, Reply

pytestmark = pytest.mark.anyio

SERIALIZERS: list[Any] = [None, OrjsonSerializer(), MsgspecSerializer()]


class Colour(enum.Enum):
    RED = "red"


class User(BaseModel):
    user_id: int = Field(alias="userId")
    joined: date


@dataclasses.dataclass
class Point:
    x: int
    at: datetime | None = None
    inner: list[Point] = dataclasses.field(default_factory=list)


DOCUMENTS: list[tuple[Any, Any]] = [
    ({"a": [1, 2.5, None, True, "ü\u2028"]}, {"a": [1, 2.5, None, True, "ü\u2028"]}),
    (User(userId=1, joined=date(2020, 1, 2)), {"userId": 1, "joined": "2020-01-02"}),
    ([User(userId=1, joined=date(2020, 1, 2))], [{"userId": 1, "joined": "2020-01-02"}]),
    (Point(1, None, [Point(2)]), {"x": 1, "at": None, "inner": [{"x": 2, "at": None, "inner": []}]}),
    ({"p": Point(1)}, {"p": {"x": 1, "at": None, "inner": []}}),
    ([Colour.RED, UUID(int=1)], ["red", "00000000-0000-0000-0000-000000000001"]),
    ({1: "x"}, {"1": "x"}),
    ("", ""),
    (False, False),
]


@pytest.mark.parametrize("serializer", SERIALIZERS)
@pytest.mark.parametrize(("value", "document"), DOCUMENTS)
async def test_the_same_documents(serializer: Any, value: Any, document: Any, server: MockServer) -> None:
    async with AsyncHTTPClient(server.url, serializer=serializer) as client:
        response = await client.post("/echo", json=value)
    assert json.loads(server.requests[0].body) == document
    assert server.requests[0].headers["content-type"] == "application/json"
    assert response.json_data["method"] == "POST"


async def test_dates_in_utc() -> None:
    transport = Answering()
    async with AsyncHTTPClient("http://h", transport=transport) as client:
        await client.post("/", json={"at": Point(1, datetime(2020, 1, 2, 3, 4, 5, tzinfo=UTC))})
    (send,) = transport.sends
    assert send.request.body is not None
    assert json.loads(send.request.body.source)["at"]["at"] == "2020-01-02T03:04:05Z"


@pytest.mark.parametrize("serializer", SERIALIZERS)
async def test_what_cannot_be_written(serializer: Any) -> None:
    class Odd:
        def __repr__(self) -> str:
            return "s3cr3t"

    transport = Answering()
    async with AsyncHTTPClient("http://h", transport=transport, serializer=serializer) as client:
        for value in (Odd(), {"a": [Odd()]}, "\ud800"):
            with pytest.raises(InvalidRequestError, match=r"^json: ") as caught:
                await client.post("/", json=value)
            assert "s3cr3t" not in str(caught.value)
        with pytest.raises(InvalidRequestError, match="json: Odd cannot be encoded"):
            await client.post("/", json={"a": Odd()})
    assert transport.sends == []


@pytest.mark.parametrize("serializer", SERIALIZERS)
async def test_what_cannot_be_read(serializer: Any, server: MockServer) -> None:
    server.on("/x", Reply(body=b"{", headers={"Content-Type": "application/json"}))
    async with AsyncHTTPClient(server.url, serializer=serializer) as client:
        response = await client.get("/x")
        with pytest.raises(ResponseDecodeError, match="its body of 1 bytes is not JSON"):
            _ = response.json_data
        async with client.stream("GET", "/json") as stream:
            await stream.aread()
            assert stream.json_data == {"hello": "world"}


async def test_one_of_your_own(server: MockServer) -> None:
    class Loud:
        def dumps(self, value: Any) -> bytes:
            return json.dumps(value).upper().encode()

        def loads(self, data: bytes) -> Any:
            return data.decode().upper()

    assert isinstance(Loud(), Serializer) and isinstance(JSONSerializer(), Serializer)
    async with AsyncHTTPClient(server.url, serializer=Loud()) as client:
        await client.post("/echo", json={"a": "b"})
        assert (await client.get("/json")).json_data == '{"HELLO": "WORLD"}'
    assert server.requests[0].body == b'{"A": "B"}'


async def test_a_module_that_writes_text() -> None:
    async with AsyncHTTPClient("http://h", transport=Answering(), serializer=json) as client:  # type: ignore[arg-type]
        with pytest.raises(InvalidRequestError, match="json: the serializer gave a str; it must give bytes"):
            await client.post("/", json=1)


@pytest.mark.parametrize("serializer", [5, OrjsonSerializer, object()])
def test_what_is_none(serializer: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"serializer: .* is not allowed"):
        AsyncHTTPClient("http://h", serializer=serializer)


@pytest.mark.parametrize(("build", "name"), [(OrjsonSerializer, "orjson"), (MsgspecSerializer, "msgspec")])
def test_without_the_package(build: Any, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def refuse(module: str, *arguments: Any, **more: Any) -> Any:
        if module == name:
            raise ImportError(module)
        return real(module, *arguments, **more)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(ConfigurationError, match=rf"pip install 'sansio-http\[{name}\]'"):
        build()


def test_a_response_made_by_hand_reads_as_the_standard_library_does() -> None:
    response = HTTPResponse(200, {"Content-Type": "application/json"}, b"[1]")
    response.loads = lambda data: "mine"
    assert response.json_data == "mine"
    assert HTTPResponse(200, {"Content-Type": "application/json"}, b"[1]").json_data == [1]
