"""Items that come in pages: typed, by the client's policies, and never from elsewhere."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Annotated, Any

import anyio
import pytest
from pydantic import Field

from sansio_http_anyio import (
    AsyncHTTPClient,
    ClientConfig,
    Cursor,
    HTTPResponseError,
    InvalidRequestError,
    LinkHeader,
    Offset,
    PageNumber,
    Pages,
    PaginationError,
    ResponseValidationError,
)
from tests.fixtures.mock_server import MockServer, Reply

pytestmark = pytest.mark.anyio

QUICK = ClientConfig(retry_backoff_factor=0.001, allow_absolute_urls=True)


@dataclass
class User:
    id: int


def numbered(*ids: int) -> list[dict[str, int]]:
    return [{"id": each} for each in ids]


async def test_links_are_followed_with_retries_and_nothing_is_said_twice(server: MockServer) -> None:
    link = {"Link": '</users?page=2&key=k>; rel="next"'}
    server.on("GET /users", Reply(json=numbered(1, 2), headers=link), Reply(503), Reply(json=numbered(3)))
    async with AsyncHTTPClient(server.url, QUICK, params={"key": "k", "own": "o"}) as client:
        users = client.paginate(
            "/{what}", path={"what": "users"}, params={"size": 2}, response_type=User, pages=LinkHeader()
        )
        assert [user async for user in users] == [User(1), User(2), User(3)]
    assert [request.target for request in server.requests] == [
        "/users?key=k&own=o&size=2",
        "/users?page=2&key=k&own=o",
        "/users?page=2&key=k&own=o",
    ]


async def test_no_page_comes_from_elsewhere(server: MockServer, other: MockServer) -> None:
    server.on("GET /users", Reply(json=numbered(1), headers={"Link": f"<{other.url}/users>; rel=next"}))
    async with AsyncHTTPClient(server.url, QUICK) as client:
        users = client.paginate("/users", pages=LinkHeader())
        assert await anext(users) == {"id": 1}
        with pytest.raises(PaginationError, match="outside"):
            await anext(users)
    assert other.requests == []


async def test_resumed_behind_the_last_item(server: MockServer) -> None:
    server.on(
        "GET /users",
        lambda request: Reply(
            json=numbered(*range(int(request.target.partition("offset=")[2].partition("&")[0]), 5)[:2])
        ),
    )
    async with AsyncHTTPClient(server.url, QUICK) as client:
        users = client.paginate("/users", pages=Offset(2), response_type=User)
        assert [(await anext(users)).id for _ in range(3)] == [0, 1, 2]
        saved = json.loads(json.dumps(users.state))
        rest = client.paginate("/users", pages=Offset(2), response_type=User, state=saved)
        assert [user.id async for user in rest] == [3, 4]


async def test_an_item_of_another_shape_has_its_place(server: MockServer) -> None:
    server.on("GET /users", Reply(json={"data": {"users": [{"id": 1}, {"id": "x"}]}, "next": None}))
    async with AsyncHTTPClient(server.url, QUICK) as client:
        with pytest.raises(ResponseValidationError) as caught:
            await anext(client.paginate("/users", pages=Cursor("next"), items="data.users", response_type=User))
        assert caught.value.problems[0][0] == "data.users[1].id"
        with pytest.raises(InvalidRequestError, match="items"):
            client.paginate("/users", pages=Cursor("next"), items="a..b")


async def test_an_error_status_is_one_and_the_page_can_be_asked_for_again(server: MockServer) -> None:
    server.on("GET /users", Reply(404), Reply(json={"users": [1], "next": None}))
    async with AsyncHTTPClient(server.url, QUICK) as client:
        users = client.paginate("/users", pages=Cursor("next"), items="users")
        with pytest.raises(HTTPResponseError):
            await anext(users)
        assert [user async for user in users] == [1]


@pytest.mark.parametrize(
    ("pages", "queries"),
    [
        (Offset(1), ["size=2&n=1&n=2&offset=0&limit=1", "size=2&n=1&n=2&offset=1&limit=1"]),
        (PageNumber(), ["size=2&n=1&n=2&page=1", "size=2&n=1&n=2&page=2"]),
        (Cursor("next", "at"), ["size=2&at=first&n=1&n=2", "size=2&n=1&n=2&at=b"]),
    ],
)
async def test_the_page_is_said_beside_params_in_pairs(pages: Pages, queries: list[str], server: MockServer) -> None:
    server.on("GET /users", Reply(json={"users": [1], "next": "b"}), Reply(json={"users": [], "next": None}))
    pairs = [("size", 2), ("at", "first"), ("n", 1), ("n", 2)]
    params: Any = pairs if isinstance(pages, Cursor) else [pair for pair in pairs if pair[0] != "at"]
    async with AsyncHTTPClient(server.url, QUICK) as client:
        assert [user async for user in client.paginate("/users", pages=pages, items="users", params=params)] == [1]
    assert [request.query for request in server.requests] == queries


async def test_a_link_back_to_the_first_page_is_seen_at_once(server: MockServer) -> None:
    server.on("GET /users", Reply(json=[1], headers={"Link": "</users?own=o>; rel=next"}))
    async with AsyncHTTPClient(server.url, QUICK, params={"own": "o"}) as client:
        users = client.paginate("/users", pages=LinkHeader())
        assert await anext(users) == 1
        with pytest.raises(PaginationError) as caught:
            await anext(users)
    assert (caught.value.reason, len(caught.value.attempts), server.count()) == ("loop", 1, 1)


async def test_a_second_task_does_not_disturb_the_first(server: MockServer) -> None:
    server.on("GET /users", lambda request: Reply(json=[] if request.query == "page=3" else [1], delay=0.05))
    had: list[Any] = []

    async with AsyncHTTPClient(server.url, QUICK) as client:
        users = client.paginate("/users", pages=PageNumber())

        async def first() -> None:
            had.extend([user async for user in users])

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(first)
            await anyio.wait_all_tasks_blocked()
            with pytest.raises(anyio.BusyResourceError):
                await anext(users)
    assert had == [1, 1] and server.count() == 3


async def test_types_that_are_no_class(server: MockServer) -> None:
    server.on("GET /users", Reply(json={"users": [1, "x"], "next": None}))
    async with AsyncHTTPClient(server.url, QUICK) as client:
        for kind in (int | str, Annotated[Any, Field(examples=[[]])]):
            users = client.paginate("/users", pages=Cursor("next"), items="users", response_type=kind)
            assert [user async for user in users] == [1, "x"]


async def test_leaving_early_leaves_nothing(server: MockServer) -> None:
    server.on("GET /users", Reply(json=numbered(1, 2), headers={"Link": "</users?page=2>; rel=next"}))
    async with AsyncHTTPClient(server.url, ClientConfig(max_connections=1, pool_timeout=0)) as client:
        async for user in client.paginate("/users", pages=LinkHeader()):
            assert user == {"id": 1}
            break
        assert client.policies.slots is not None and client.policies.slots.in_use == 0
        assert (await client.get("/json")).is_success
    assert (server.count("/users"), server.connections) == (1, 1)


async def test_a_cancelled_page_gives_everything_back_and_can_be_asked_for_again(
    server: MockServer, eventually: Any
) -> None:
    pages = Reply(json=[1], headers={"Link": "</users?page=2>; rel=next"}), Reply.hang(), Reply(json=[2])
    server.on("GET /users", *pages)
    async with AsyncHTTPClient(server.url, ClientConfig(max_connections=1, pool_timeout=0)) as client:
        users = client.paginate("/users", pages=LinkHeader())
        assert await anext(users) == 1

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: anext(users))
            await eventually(lambda: server.count("/users") == 2)
            tasks.cancel_scope.cancel()
        await eventually(lambda: server.open_connections == 0)
        assert client.policies.slots is not None and client.policies.slots.in_use == 0
        assert [user async for user in users] == [2]
