"""What type checkers refuse: under ``mypy --strict`` an ignored error that is none is one."""

from __future__ import annotations

from typing import TextIO

from sansio_http_anyio import AsyncHTTPClient, BearerAuth, OAuth2ClientCredentials, RequestSigner, Unsigned


async def no_data(client: AsyncHTTPClient, text: TextIO) -> None:
    """Neither a form nor content."""
    await client.post("/x", data=5)  # type: ignore[call-overload]
    await client.post("/x", data={"a": object()})  # type: ignore[dict-item]
    await client.post("/x", data={"a": {"b": 1}})  # type: ignore[dict-item]
    await client.post("/x", data={b"a": 1})  # type: ignore[dict-item]
    await client.post("/x", data=["a", "b"])  # type: ignore[list-item]
    await client.post("/x", data=[b"a", b"b"])  # type: ignore[list-item]
    await client.post("/x", data=text)  # type: ignore[arg-type]


async def no_auth(client: AsyncHTTPClient) -> None:
    """User and password are no auth, and a class is no instance."""
    await client.get("/x", auth=("user", "password"))  # type: ignore[arg-type]
    await client.get("/x", auth=BearerAuth)  # type: ignore[call-overload]
    OAuth2ClientCredentials("https://h/", "id", "secret", client_auth="basic")  # type: ignore[arg-type]
    OAuth2ClientCredentials("https://h/", "id", "secret", scope="read")  # type: ignore[call-arg]


class Late(RequestSigner):
    """Nothing is awaited as late as that."""

    async def sign(self, message: Unsigned) -> dict[str, str]:  # type: ignore[override]
        return {}
