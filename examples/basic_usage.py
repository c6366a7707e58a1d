"""Ask an API for JSON, send it some, read an answer piece by piece, and see what an error looks like."""

import anyio
from _loopback import MockServer

from sansio_http_anyio import AsyncHTTPClient, HTTPResponseError


async def main() -> None:
    with MockServer() as server:
        async with AsyncHTTPClient(base_url=server.url) as client:
            response = await client.get("/users/1")
            print(response.status_code, response.json_data)

            response = await client.post("/users", json={"name": "Barbara"})
            print(response.status_code, response.json_data, response.headers["Location"])

            response = await client.get("/echo", params={"page": 2}, headers={"X-Trace": "42"}, timeout=5.0)
            print(response.json_data["query"], response.json_data["headers"]["x-trace"])

            async with client.stream("GET", "/lines/3") as lines:
                async for line in lines.iter_lines():
                    print("line by line:", line)

            response = await client.get("/no/such/page")  # a 404 is an answer; nothing is raised ...
            print(response.status_code, response.is_success)
            try:
                response.raise_for_status()  # ... until you say that it should be
            except HTTPResponseError as error:
                print(type(error).__name__, error.status_code, error.attempts[0].number)


if __name__ == "__main__":
    anyio.run(main)  # on trio: anyio.run(main, backend="trio")
