"""Rate limiting: never more requests than the API allows, in the order in which they were asked for."""

import time

import anyio
from _loopback import MockServer

from sansio_http_anyio import AsyncHTTPClient, RateLimitError, SlidingWindowRateLimiter, TokenBucketRateLimiter


async def main() -> None:
    with MockServer() as server:
        # 20 at once, then 10 a second: of 25 requests the last one goes half a second after the first.
        limiter = TokenBucketRateLimiter(rate=10, burst=20)
        async with AsyncHTTPClient(base_url=server.url, rate_limiter=limiter) as client:
            began = time.monotonic()
            async with anyio.create_task_group() as tasks:
                for number in range(25):
                    tasks.start_soon(client.get, f"/users/{number}")
            print(f"{server.count('GET /users/{id}')} answers in {time.monotonic() - began:.1f} s")

    # Any limiter works alone, too. One that is told how long a wait may be refuses what would take longer.
    window = SlidingWindowRateLimiter(limit=2, window=1.0, max_wait=0.1)
    print("waited", [round(await window.acquire(), 1) for _ in range(2)])
    try:
        await window.acquire()
    except RateLimitError as error:
        print(f"refused, by us and not by a server: {error.local}; try again in {error.retry_after:.1f} s")


if __name__ == "__main__":
    anyio.run(main)  # on trio: anyio.run(main, backend="trio")
