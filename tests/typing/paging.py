"""What type checkers infer of items that come in pages and in streams."""

from __future__ import annotations

from typing import Any, assert_type

from pydantic import BaseModel

from sansio_http_anyio import AsyncHTTPClient, Cursor, LinkHeader, PageIterator


class User(BaseModel):
    """A model."""

    id: int


async def pages(client: AsyncHTTPClient) -> list[User]:
    """An item has the type that was asked for."""
    users = client.paginate("/users", response_type=User, pages=LinkHeader())
    assert_type(users, PageIterator[User])
    async for user in users:
        assert_type(user, User)
    assert_type(client.paginate("/users", response_type=list[User], pages=LinkHeader()), PageIterator[list[User]])
    assert_type(client.paginate("/users", pages=Cursor("next")), PageIterator[Any])
    assert_type(client.paginate("/users", response_type=User | None, pages=Cursor("next")), PageIterator[Any])
    found = [user async for user in client.paginate("/users", response_type=User, pages=LinkHeader(), items="data")]
    assert_type(found, list[User])
    assert_type(users.state, dict[str, Any])
    return found
