"""JSON Lines: an export of any length, read one typed line at a time; an error says which line it is about."""

from dataclasses import dataclass

import anyio
from _loopback import MockServer, Reply

from sansio_http_anyio import AsyncHTTPClient, ResponseValidationError


@dataclass
class User:
    id: int
    name: str


async def main() -> None:
    with MockServer() as server:
        lines = b'{"id": 1, "name": "Ada"}\n{"id": "two", "name": "Grace"}\n\n{"id": 3, "name": "Edsger"}\n'
        server.on("GET /export", Reply(body=lines))

        async with AsyncHTTPClient(server.url) as client, client.jsonl("/export", response_type=User) as users:
            print((await anext(users)).name)
            try:
                await anext(users)
            except ResponseValidationError as error:  # the lines behind it can still be had
                print("line", error.line, error.problems[0][0])
            async for user in users:
                print(user.name, "in line", users.line)


if __name__ == "__main__":
    anyio.run(main)  # on trio: anyio.run(main, backend="trio")
