"""What type checkers infer of streams of items."""

from __future__ import annotations

from typing import Any, assert_type

from pydantic import BaseModel

from sansio_http_anyio import AsyncHTTPClient, EventStream, JSONLines, ServerSentEvent, StreamContext


class User(BaseModel):
    """A model."""

    id: int


async def events(client: AsyncHTTPClient) -> None:
    """An event is one, and its context has to be entered."""
    assert_type(client.sse("/events"), StreamContext[EventStream])
    async with client.sse("/events", method="POST", json={"a": 1}, max_event_size=None) as stream:
        assert_type(stream, EventStream)
        async for event in stream:
            assert_type(event, ServerSentEvent)
            assert_type((event.event, event.data, event.id, event.retry), tuple[str, str, str, int | None])
        assert_type(stream.last_event_id, str)


async def lines(client: AsyncHTTPClient) -> list[User]:
    """A line has the type that was asked for."""
    async with client.jsonl("/users", response_type=User) as users:
        assert_type(users, JSONLines[User])
        found = [user async for user in users]
        assert_type(found, list[User])
    async with client.jsonl("/users", response_type=list[User]) as several:
        assert_type(await anext(several), list[User])
    assert_type(client.jsonl("/users"), StreamContext[JSONLines[Any]])
    assert_type(client.jsonl("/users", response_type=User | None), StreamContext[JSONLines[Any]])
    async with client.stream("GET", "/users") as response:
        assert_type([line async for line in response.iter_lines(max_line_size=1000)], list[str])
    return found
