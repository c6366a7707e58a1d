"""OAuth 2, judged by a provider that is not ours (oidc-provider, for Node)."""

from __future__ import annotations

import re
import urllib.error
import urllib.parse
import urllib.request
from http.cookiejar import CookieJar
from typing import Any

import anyio
import pytest

from sansio_http_anyio import (
    AsyncHTTPClient,
    BasicAuth,
    ClientConfig,
    OAuth2ClientCredentials,
    OAuth2RefreshToken,
    OAuth2TokenExchange,
    Token,
    TokenError,
)

pytestmark = pytest.mark.anyio

SECRET = "s:e c%ret+/=&~*!"
WAYS: dict[str, dict[str, Any]] = {
    "id:b": {"client_secret": SECRET},
    "post": {"client_secret": SECRET, "client_auth": "client_secret_post"},
    "secret-jwt": {"client_secret": "0123456789abcdef0123456789abcdef", "client_auth": "client_secret_jwt"},
    "key-jwt": {"client_auth": "private_key_jwt", "algorithm": "ES256", "key_id": "k1"},
}
CONFIG = ClientConfig(retry_attempts=0)


class Memory:
    """A store of one token."""

    token: Token | None = None

    def get(self, key: str) -> Token | None:
        return self.token

    def set(self, key: str, token: Token) -> None:
        self.token = token


@pytest.mark.parametrize("client_id", list(WAYS))
async def test_every_way_to_prove_who_one_is(client_id: str, oidc: str, oidc_key: str) -> None:
    options = dict(WAYS[client_id])
    if client_id == "key-jwt":
        options["private_key"] = oidc_key
    auth = OAuth2ClientCredentials(f"{oidc}/token", client_id, scopes="read", **options)
    async with AsyncHTTPClient(oidc, CONFIG, auth) as client:
        answer = (await client.get("/api")).raise_for_status().json_data
    assert (answer["client"], answer["scope"]) == (client_id, "read")


async def test_a_wrong_secret(oidc: str) -> None:
    auth = OAuth2ClientCredentials(f"{oidc}/token", "id:b", "guess")
    async with AsyncHTTPClient(oidc, CONFIG, auth) as client:
        with pytest.raises(TokenError) as caught:
            await client.get("/api")
    assert (caught.value.reason, caught.value.status_code, caught.value.error) == ("refused", 401, "invalid_client")


async def test_a_token_runs_out_and_a_hundred_calls_get_one_more(oidc: str) -> None:
    auth = OAuth2ClientCredentials(f"{oidc}/token", "id:b", SECRET, margin=0)
    answers: list[Any] = []

    async def ask() -> None:
        answers.append((await client.get("/api")).raise_for_status().json_data)

    async with AsyncHTTPClient(oidc, CONFIG, auth) as client:
        await ask()
        await anyio.sleep(5.1)
        async with anyio.create_task_group() as tasks:
            for _ in range(100):
                tasks.start_soon(ask)
    assert {answer["asked"] - answers[0]["asked"] for answer in answers[1:]} == {1}


async def test_a_token_is_revoked(oidc: str) -> None:
    store = Memory()
    auth = OAuth2ClientCredentials(f"{oidc}/token", "id:b", SECRET, store=store)
    async with AsyncHTTPClient(oidc, CONFIG, auth) as client:
        await client.get("/api")
        first = store.token
        assert first is not None
        form = urllib.parse.quote_plus
        revoked = await client.post(
            "/token/revocation",
            data={"token": first.access_token},
            auth=BasicAuth(form("id:b"), form(SECRET)),
        )
        assert revoked.is_success
        response = await client.get("/api")
    assert response.is_success and response.attempts[0].sends == 2
    assert store.token is not first


def sign_in(oidc: str) -> str:
    """A refresh token, as a browser would get it: the form to sign in, the form to consent, and the code."""

    class Stay(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *args: Any) -> None:
            return None

    browser = urllib.request.build_opener(Stay, urllib.request.HTTPCookieProcessor(CookieJar()))

    def go(url: str, data: dict[str, str] | None = None, headers: dict[str, str] | None = None) -> tuple[str, str]:
        """Where it leads, and the page."""
        body = None if data is None else urllib.parse.urlencode(data).encode()
        request = urllib.request.Request(urllib.parse.urljoin(oidc, url), body, headers or {})
        try:
            with browser.open(request, timeout=20) as page:
                return "", page.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.headers.get("Location") or "", error.read().decode()

    query = {
        "client_id": "post",
        "response_type": "code",
        "scope": "openid offline_access",
        "prompt": "consent",
        "redirect_uri": "https://client.example.com/back",
    }
    where, page = go(f"/auth?{urllib.parse.urlencode(query)}")
    for _ in range(12):
        if where.startswith(query["redirect_uri"]):
            break
        if where:
            where, page = go(where)
        else:
            action = re.search(r'action="([^"]+)"', page)
            prompt = re.search(r'name="prompt" value="([^"]+)"', page)
            assert action is not None and prompt is not None, page
            where, page = go(action[1], {"prompt": prompt[1], "login": "ada", "password": "x"})
    code = urllib.parse.parse_qs(urllib.parse.urlsplit(where).query)["code"][0]
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": query["redirect_uri"],
        "client_id": "post",
        "client_secret": SECRET,
    }
    _, page = go("/token", form)
    found = re.search(r'"refresh_token":"([^"]+)"', page)
    assert found is not None, page
    return found[1]


async def test_a_user_who_has_signed_in(oidc: str) -> None:
    first = await anyio.to_thread.run_sync(sign_in, oidc)
    store = Memory()
    way = {"client_secret": SECRET, "client_auth": "client_secret_post"}
    auth = OAuth2RefreshToken(f"{oidc}/token", "post", first, store=store, margin=0, **way)  # type: ignore[arg-type]
    async with AsyncHTTPClient(oidc, CONFIG, auth) as client:
        assert (await client.get("/api")).raise_for_status().json_data["account"] == "ada"
        assert store.token is not None and store.token.refresh_token != first
        second = store.token.refresh_token
        await anyio.sleep(5.1)
        assert (await client.get("/api")).raise_for_status().json_data["account"] == "ada"
        assert store.token.refresh_token not in (None, first, second)
    # the first one is used up, and to use it again is what a thief would do
    again = OAuth2RefreshToken(f"{oidc}/token", "post", first, **way)  # type: ignore[arg-type]
    async with AsyncHTTPClient(oidc, CONFIG, again) as client:
        with pytest.raises(TokenError) as caught:
            await client.get("/api")
    assert caught.value.error == "invalid_grant"


async def test_an_exchange(oidc: str) -> None:
    store = Memory()
    auth = OAuth2ClientCredentials(f"{oidc}/token", "id:b", SECRET, store=store)

    def subject() -> str:
        assert store.token is not None
        return store.token.access_token

    exchange = OAuth2TokenExchange(f"{oidc}/token", "id:b", subject, SECRET, scopes="read")
    async with AsyncHTTPClient(oidc, CONFIG, auth) as client:
        await client.get("/api")
        answer = (await client.get("/api", auth=exchange)).raise_for_status().json_data
        assert answer["scope"] == "read"
        with pytest.raises(TokenError) as caught:
            await client.get("/api", auth=OAuth2TokenExchange(f"{oidc}/token", "id:b", "unknown", SECRET))
    assert caught.value.error == "invalid_grant"
