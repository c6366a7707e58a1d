"""A signature over each request, as the last thing before it goes out, and anew for each send."""

import hashlib
import hmac

import anyio
from _loopback import MockServer, Reply

from sansio_http_anyio import AsyncHTTPClient, ClientConfig, RequestSigner, Unsigned


class HmacSigner(RequestSigner):
    """Signs method, URL, time and body with a shared key. AWS SigV4 and RFC 9421 have the same shape."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def sign(self, message: Unsigned) -> dict[str, str]:
        if message.digest is None:
            raise ValueError("a body that can be sent only once cannot be signed before")
        when = str(int(message.wall))
        covered = "\n".join((message.method, message.url, when, message.digest("sha256").hex()))
        signature = hmac.new(self._key, covered.encode(), "sha256").hexdigest()
        return {"X-Date": when, "X-Signature": signature}


async def main() -> None:
    with MockServer() as server:
        server.on("POST /orders", Reply(503), Reply(201))
        config = ClientConfig(retry_backoff_factor=0.01)
        async with AsyncHTTPClient(server.url, config, auth=HmacSigner(b"shared key")) as client:
            response = await client.post("/orders", json={"item": 7})
            print(response.status_code, [attempt.status_code for attempt in response.attempts])
        for request in server.requests:
            covered = "\n".join(
                ("POST", f"{server.url}/orders", request.headers["x-date"], hashlib.sha256(request.body).hexdigest())
            )
            good = hmac.new(b"shared key", covered.encode(), "sha256").hexdigest() == request.headers["x-signature"]
            print("signature", "good" if good else "bad")


if __name__ == "__main__":
    anyio.run(main)  # on trio: anyio.run(main, backend="trio")
