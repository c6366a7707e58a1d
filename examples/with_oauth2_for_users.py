"""OAuth 2 for a user who has signed in elsewhere: refresh tokens that rotate, a store for them, and token exchange."""

import anyio
from _loopback import MockServer, Reply

from sansio_http_anyio import AsyncHTTPClient, OAuth2RefreshToken, OAuth2TokenExchange, Token


class Store:
    """Keeps tokens between runs: in a file, a database or a vault. Here it is a dictionary."""

    def __init__(self) -> None:
        self.tokens: dict[str, Token] = {}

    async def get(self, key: str) -> Token | None:
        return self.tokens.get(key)

    async def set(self, key: str, token: Token) -> None:
        self.tokens[key] = token


async def main() -> None:
    with MockServer() as server:
        granted = {"access_token": "secret", "token_type": "Bearer", "expires_in": 3600}
        server.on("POST /token", Reply(json=granted | {"refresh_token": "the next one"}), Reply(json=granted))
        url, store = f"{server.url}/token", Store()

        user = OAuth2RefreshToken(url, "my-client", "from the sign-in", "my secret", store=store)
        async with AsyncHTTPClient(server.url, auth=user) as client:
            print("a user   ", (await client.get("/bearer")).status_code)
            print("in store ", [token.refresh_token for token in store.tokens.values()])

            exchange = OAuth2TokenExchange(url, "my-client", "the user's token", "my secret", audience="backend")
            print("exchanged", (await client.get("/bearer", auth=exchange)).status_code)


if __name__ == "__main__":
    anyio.run(main)  # on trio: anyio.run(main, backend="trio")
