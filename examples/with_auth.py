"""Credentials: a bearer token, an API key, user and password, and a handler of one's own that has to await them."""

import anyio
from _loopback import MockServer

from sansio_http_anyio import (
    APIKeyAuth,
    AsyncHTTPClient,
    AuthHandler,
    BasicAuth,
    BearerAuth,
    HTTPRequest,
    PreparedRequest,
)


class VaultAuth(AuthHandler):
    """A token that somebody else keeps. It is asked for each send, before that queues for anything."""

    async def prepare_request(self, request: HTTPRequest) -> PreparedRequest:
        await anyio.sleep(0.01)  # stands for the way to the vault
        request.headers["Authorization"] = "Bearer secret"
        return request


async def newest_token() -> str:
    """Called for each send: for tokens that somebody else renews."""
    await anyio.sleep(0.01)
    return "secret"


async def main() -> None:
    with MockServer() as server:
        async with AsyncHTTPClient(base_url=server.url, auth=BearerAuth("secret")) as client:
            print("bearer ", (await client.get("/bearer")).status_code)

            print("asked  ", (await client.get("/bearer", auth=BearerAuth(newest_token))).status_code)

            # A single request may have other credentials. None of them ever shows in a repr, a log or an error.
            print("API key", (await client.get("/api-key", auth=APIKeyAuth("secret"))).status_code)
            print("basic  ", (await client.get("/basic", auth=BasicAuth("user", "secret"))).status_code)
            print("vault  ", (await client.get("/bearer", auth=VaultAuth())).status_code)
            print("wrong  ", (await client.get("/bearer", auth=BearerAuth("guess"))).status_code)


if __name__ == "__main__":
    anyio.run(main)  # on trio: anyio.run(main, backend="trio")
