"""Pages: items that come some at a time, as one loop, which can be left and taken up again later."""

import json

import anyio
from _loopback import MockServer, Reply

from sansio_http_anyio import AsyncHTTPClient, Cursor


async def main() -> None:
    with MockServer() as server:
        first = Reply(json={"users": [{"name": "Ada"}, {"name": "Grace"}], "next": "b"})
        second = Reply(json={"users": [{"name": "Edith"}], "next": None})
        server.on("GET /users", lambda request: second if "cursor=b" in request.target else first)

        async with AsyncHTTPClient(base_url=server.url) as client:
            users = client.paginate("/users", pages=Cursor("next"), items="users")
            print([user["name"] async for user in users])

            # Left after the first one; what is saved may be written to a file.
            users = client.paginate("/users", pages=Cursor("next"), items="users")
            user = await anext(users)
            saved = json.dumps(users.state)
            print("saved at", user["name"])

            users = client.paginate("/users", pages=Cursor("next"), items="users", state=json.loads(saved))
            print([user["name"] async for user in users])


if __name__ == "__main__":
    anyio.run(main)  # on trio: anyio.run(main, backend="trio")
