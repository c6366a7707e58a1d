"""Middleware: one's own around each call, a log, and metrics."""

import logging
import sys

import anyio
from _loopback import MockServer, Reply

from sansio_http_anyio import (
    AsyncHTTPClient,
    ClientConfig,
    HTTPRequest,
    HTTPResponse,
    LoggingMiddleware,
    MetricsMiddleware,
    Middleware,
)


class Tenant(Middleware):
    """Each request says for whom it is made, and each answer for whom it was."""

    async def process_request(self, request: HTTPRequest, client: AsyncHTTPClient) -> HTTPRequest:
        request.headers["X-Tenant"] = "acme"
        return request

    async def process_response(self, response: HTTPResponse, request: HTTPRequest) -> HTTPResponse:
        response.headers["X-Served-To"] = request.headers["X-Tenant"]
        return response


async def main() -> None:
    logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(levelname)s %(message)s")
    metrics = MetricsMiddleware()
    middlewares = [Tenant(), LoggingMiddleware(), metrics]
    with MockServer() as server:
        server.on("GET /users/1", Reply(503), Reply(json={"id": 1, "name": "Ada"}))
        config = ClientConfig(retry_backoff_factor=0.1)
        async with AsyncHTTPClient(base_url=server.url, config=config, middlewares=middlewares) as client:
            response = await client.get("/users/1")
    print(response.json_data["name"], "for", response.headers["X-Served-To"])
    print("calls", metrics.snapshot()["calls"]["count"], "sends", metrics.snapshot()["sends"]["count"])


if __name__ == "__main__":
    anyio.run(main)  # on trio: anyio.run(main, backend="trio")
