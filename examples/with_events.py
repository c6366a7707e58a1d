"""Server-sent events: a stream that is cut off goes on behind its last event, and the loop notices nothing."""

import anyio
from _loopback import MockServer, Received, Reply

from sansio_http_anyio import AsyncHTTPClient

EVENTS = [b'id: 1\nevent: joined\ndata: {"name": "Ada"}\n\n', b'id: 2\nevent: said\ndata: {"text": "Hello"}\n\n']


def feed(request: Received) -> Reply:
    """One event on each connection, behind the one that the client has had; then 204: there are no more."""
    had = int(request.headers.get("last-event-id", "0"))
    if had == len(EVENTS):
        return Reply(204)
    return Reply(body=b"retry: 10\n" + EVENTS[had], headers={"Content-Type": "text/event-stream"})


async def main() -> None:
    with MockServer() as server:
        server.on("GET /events", feed)
        async with AsyncHTTPClient(base_url=server.url) as client:
            async with client.sse("/events") as events:
                async for event in events:
                    print(event.id, event.event, event.json_data)
            print("connections to the stream:", server.count("/events"))

            # A program that stopped behind the first event goes on there, another day.
            async with client.sse("/events", last_event_id="1") as events:
                async for event in events:
                    print("later:", event.id, event.event)
                    break


if __name__ == "__main__":
    anyio.run(main)  # on trio: anyio.run(main, backend="trio")
