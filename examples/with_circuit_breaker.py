"""A circuit breaker: what keeps failing is left alone for a while, then tried again with care."""

import anyio
from _loopback import MockServer, Reply

from sansio_http_anyio import (
    AsyncHTTPClient,
    CircuitBreaker,
    CircuitBreakerOpenError,
    ClientConfig,
    HTTPClientError,
)


async def main() -> None:
    config = ClientConfig(retry_attempts=0)
    with MockServer() as server:
        server.on("GET /x", *[Reply(500)] * 5, Reply(json={"it": "works"}))

        # In a client it judges every send: five failures in a row open it.
        breaker = CircuitBreaker(failure_threshold=5, recovery_timeout=1.0)
        async with AsyncHTTPClient(base_url=server.url, config=config, circuit_breaker=breaker) as client:
            for _ in range(5):
                print((await client.get("/x")).status_code, breaker.state)
            try:
                await client.get("/x")
            except CircuitBreakerOpenError as error:
                print(error.state, "after", error.last_failure, "- arrived:", server.count("GET /x"))
                await anyio.sleep(error.retry_after or 0)
            print(breaker.state, (await client.get("/x")).status_code, breaker.state)

        # Or it guards any call: what raises an expected exception has failed.
        breaker = CircuitBreaker(failure_threshold=5, recovery_timeout=60.0, expected_exception=HTTPClientError)
        server.refuse()
        async with AsyncHTTPClient(base_url=server.url, config=config) as client:
            try:
                await breaker.call(client.get, "/x")
            except HTTPClientError as error:
                print(type(error).__name__, breaker)


if __name__ == "__main__":
    anyio.run(main)  # on trio: anyio.run(main, backend="trio")
