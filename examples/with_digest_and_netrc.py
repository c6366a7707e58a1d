"""Digest, where the password does not travel; a netrc file; several credentials at once, and none."""

import tempfile

import anyio
from _loopback import MockServer, Received, Reply

from sansio_http_anyio import APIKeyAuth, AsyncHTTPClient, BearerAuth, DigestAuth, NetrcAuth, NoAuth


def digest_only(request: Received) -> Reply:  # stands for a server that asks for a digest
    if request.headers.get("authorization", "").startswith('Digest username="ada"'):
        return Reply(json={"welcome": "ada"})
    challenge = 'Digest realm="lab", nonce="5f2a", qop="auth", algorithm=SHA-256'
    return Reply(401, headers={"WWW-Authenticate": challenge})


async def main() -> None:
    with MockServer() as server, tempfile.NamedTemporaryFile("w") as netrc:
        server.on("/lab", digest_only)
        print("machine 127.0.0.1 login user password secret", file=netrc, flush=True)

        async with AsyncHTTPClient(server.url, auth=DigestAuth("ada", "secret")) as client:
            # The first request is answered with a challenge and goes out twice; the others carry their proof.
            print("digest", [(await client.get("/lab")).attempts[0].sends for _ in range(3)])
            print("netrc ", (await client.get("/basic", auth=NetrcAuth(netrc.name))).status_code)
            both = await client.get("/echo", auth=[APIKeyAuth("key"), BearerAuth("token")])
            print("both  ", both.json_data["headers"]["x-api-key"], both.json_data["headers"]["authorization"])
            print("none  ", (await client.get("/lab", auth=NoAuth())).status_code)


if __name__ == "__main__":
    anyio.run(main)  # on trio: anyio.run(main, backend="trio")
