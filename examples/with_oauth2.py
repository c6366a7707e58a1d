"""OAuth 2 for a program itself: one token for all calls, renewed in time, and an error that says why there is none.

The client proves who it is by its secret, or by a signed JWT.
"""

import anyio
from _loopback import MockServer, Reply

from sansio_http_anyio import AsyncHTTPClient, OAuth2ClientCredentials, TokenError


async def main() -> None:
    with MockServer() as server:
        server.on("POST /token", Reply(json={"access_token": "secret", "token_type": "Bearer", "expires_in": 3600}))
        server.on("POST /closed", Reply(401, json={"error": "invalid_client"}))

        auth = OAuth2ClientCredentials(f"{server.url}/token", "my-client", "my secret", scopes=["read"])
        async with AsyncHTTPClient(server.url, auth=auth) as client:
            async with anyio.create_task_group() as tasks:
                for _ in range(10):
                    tasks.start_soon(client.get, "/bearer")
            print("calls", server.count("GET /bearer"), "token requests", server.count("POST /token"))

            # With a JWT by its secret in the place of that; or by a private key. pip install "sansio-http[jwt]"
            secret = "my secret, of 32 bytes or more: HS256"
            jwt = OAuth2ClientCredentials(f"{server.url}/token", "me", secret, client_auth="client_secret_jwt")
            print("by JWT", (await client.get("/bearer", auth=jwt)).status_code)

            try:
                await client.get("/bearer", auth=OAuth2ClientCredentials(f"{server.url}/closed", "me", "old secret"))
            except TokenError as error:
                print(error.reason, error.status_code, error.error)


if __name__ == "__main__":
    anyio.run(main)  # on trio: anyio.run(main, backend="trio")
