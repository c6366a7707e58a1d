"""Retries: how many, how long to wait, what each attempt came to, and what is raised when none is left."""

import anyio
from _loopback import MockServer, Reply

from sansio_http_anyio import (
    AsyncHTTPClient,
    ClientConfig,
    ExponentialBackoff,
    RetryExhaustedError,
    RetryMiddleware,
    RetryPolicy,
)


async def main() -> None:
    with MockServer() as server:
        server.on("GET /flaky", Reply.reset(), Reply(503), Reply(json={"it": "works"}))
        server.on("GET /down", Reply(502))

        config = ClientConfig(timeout=10.0, retry_attempts=3, retry_backoff_factor=0.1)
        async with AsyncHTTPClient(base_url=server.url, config=config) as client:
            response = await client.get("/flaky")
            for attempt in response.attempts:
                print(attempt.number, attempt.status_code or attempt.error, "->", attempt.reason)
            print(response.json_data)

        # The same, and more, as a policy: no jitter, one retry, and of all the statuses only these.
        policy = RetryPolicy(retries=1, backoff=ExponentialBackoff(0.1, jitter="none"), statuses={502, 503})
        async with AsyncHTTPClient(base_url=server.url, middlewares=[RetryMiddleware(policy)]) as client:
            try:
                await client.get("/down")
            except RetryExhaustedError as error:
                print(error.reason, error.status_code, [attempt.delay for attempt in error.attempts])


if __name__ == "__main__":
    anyio.run(main)  # on trio: anyio.run(main, backend="trio")
