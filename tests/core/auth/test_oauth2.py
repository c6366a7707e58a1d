"""OAuth 2: what a token request looks like, what is refused before, and what is made of each answer."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs

import pytest

from sansio_http import (
    ClientCredentials,
    ConfigurationError,
    HTTPRequest,
    Policies,
    RefreshToken,
    RetryPolicy,
    Send,
    TokenError,
    TokenExchange,
)
from sansio_http.testing import Reply, SimulatedCall, Simulator

TOKEN_URL = "https://login/token"
SECRET = "s:e c%ret+/=&~*!"


def granted(**fields: Any) -> bytes:
    answer = {"access_token": "token", "token_type": "Bearer", "expires_in": 60} | fields
    return json.dumps({name: value for name, value in answer.items() if value is not ...}).encode()


def ask(source: Any, reply: Reply | None = None, wall: Any = lambda: 1000.5) -> SimulatedCall:
    """One call that needs a token; the endpoint gives this reply."""

    def server(send: Send) -> Reply:
        if send.via == "token":
            return reply or Reply(200, content=granted())
        return Reply(200)

    simulator = Simulator(server)
    policies = Policies(auth=source, auth_origin="https://api", entropy=bytes, wall=wall)
    call = simulator.call(HTTPRequest("GET", "https://api/x"), policies)
    simulator.run()
    return call


def asked(call: SimulatedCall) -> tuple[HTTPRequest, dict[str, str]]:
    """The token request and its fields."""
    request = call.sends[0].request
    assert request.body is not None
    return request, {name: values[0] for name, values in parse_qs(request.body.source.decode()).items()}


# --- the request -----------------------------------------------------------------------------------------------------


def test_the_rfcs_client():
    """RFC 6749 2.3.1 and 4.4.2."""
    call = ask(ClientCredentials(TOKEN_URL, "s6BhdRkqt3", "gX1fBat3bV"))
    request, fields = asked(call)
    assert (request.method, request.url) == ("POST", TOKEN_URL)
    assert request.headers["Authorization"] == "Basic czZCaGRSa3F0MzpnWDFmQmF0M2JW"
    assert request.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert fields == {"grant_type": "client_credentials"}
    assert call.sends[1].request.headers["Authorization"] == "Bearer token"


def test_everything_that_can_be_asked_for():
    source = ClientCredentials(
        TOKEN_URL,
        "id",
        SECRET,
        scopes=["read", "write"],
        audience="https://api",
        extra={"resource": "x"},
        client_auth="client_secret_post",
    )
    request, fields = asked(ask(source))
    assert "authorization" not in request.headers
    assert fields == {
        "grant_type": "client_credentials",
        "scope": "read write",
        "audience": "https://api",
        "resource": "x",
        "client_id": "id",
        "client_secret": SECRET,
    }


def test_an_exchange_says_what_is_exchanged():
    """RFC 8693 2.1."""
    source = TokenExchange(
        TOKEN_URL,
        "id",
        lambda: "subject",
        SECRET,
        actor_token="actor",
        actor_token_type="urn:x",
        resource="https://backend",
        requested_token_type="urn:y",
    )
    _, fields = asked(ask(source, Reply(200, content=granted(issued_token_type="urn:y"))))
    assert fields == {
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "subject_token": "subject",
        "subject_token_type": "urn:ietf:params:oauth:token-type:access_token",
        "actor_token": "actor",
        "actor_token_type": "urn:x",
        "resource": "https://backend",
        "requested_token_type": "urn:y",
    }
    _, fields = asked(ask(TokenExchange(TOKEN_URL, "id", "subject", SECRET)))
    assert set(fields) == {"grant_type", "subject_token", "subject_token_type"}


def test_a_function_that_has_no_subject_token():
    call = ask(TokenExchange(TOKEN_URL, "id", lambda: None, SECRET))
    assert isinstance(call.outcome, TokenError) and call.sends == []
    what = "TokenExchange.subject_token: its function returned NoneType; it returns a str that is not empty"
    assert str(call.outcome.__cause__) == what
    call = ask(TokenExchange(TOKEN_URL, "id", "subject", SECRET, actor_token=lambda: b"canary"))
    assert isinstance(call.outcome, TokenError) and call.sends == []
    assert str(call.outcome.__cause__).startswith("TokenExchange.actor_token: its function returned bytes; it")


def test_a_refresh_token_is_not_sent_twice_where_it_may_have_arrived():
    def lost(send: Send) -> Reply:
        return Reply(error=lambda send: send.error(ConnectionLostError, "lost"))

    from sansio_http import ConnectionLostError

    counts = []
    for source in (RefreshToken(TOKEN_URL, "id", "first", SECRET), ClientCredentials(TOKEN_URL, "id", SECRET)):
        simulator = Simulator(lost)
        call = simulator.call(HTTPRequest("GET", "https://api/x"), Policies(auth=source))
        simulator.run()
        assert isinstance(call.outcome, TokenError) and call.outcome.reason == "transport"
        assert isinstance(call.outcome.__cause__, ConnectionLostError)
        counts.append(len(call.sends))
    assert counts == [1, 3]


# --- the answer ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expires_in", "lifetime"),
    [(..., None), (None, None), ("3600", 3600), (3600, 3600), (1.5, 1.5), (10**12, 2.0**31), (10**400, 2.0**31)],
)
def test_how_long_a_token_lives(expires_in, lifetime):
    source = ClientCredentials(TOKEN_URL, "id", SECRET)
    assert ask(source, Reply(200, content=granted(expires_in=expires_in))).response.is_success
    if lifetime is None:
        assert source.live(1e18)
    else:
        assert source.live(lifetime - 0.01) and not source.live(lifetime)


@pytest.mark.parametrize("kind", ["Bearer", "bearer", ..., None])
def test_a_token_of_which_nobody_says_the_type_is_a_bearers(kind):
    source = ClientCredentials(TOKEN_URL, "id", SECRET)
    assert ask(source, Reply(200, content=granted(token_type=kind))).response.is_success


BROKEN = [
    (Reply(400, content=b'{"error": "invalid_grant", "error_description": "canary"}'), "refused", 400, "invalid_grant"),
    (Reply(401, content=b'{"error": "invalid_client"}'), "refused", 401, "invalid_client"),
    (Reply(400, content=b'{"error": "canary"}'), "refused", 400, None),
    (Reply(400, content=b'{"error": ["canary"]}'), "refused", 400, None),
    (Reply(429, {"Retry-After": "7"}), "refused", 429, None),
    (Reply(500, content=b"canary"), "refused", 500, None),
    (Reply(302, {"Location": "https://canary/"}), "refused", 302, None),
    (Reply(200, content=b"<html>canary</html>"), "malformed", 200, None),
    (Reply(200, content=b'["canary"]'), "malformed", 200, None),
    (Reply(200, content=b"[" * 60000), "malformed", 200, None),
    (Reply(200, content=granted() + b" " * 65536), "malformed", 200, None),
    (Reply(200, content=granted(access_token="canary\n")), "malformed", 200, None),
    (Reply(200, content=granted(access_token=7)), "malformed", 200, None),
    (Reply(200, content=granted(token_type="mac")), "malformed", 200, None),
    (Reply(200, content=granted(token_type="N_A")), "malformed", 200, None),
    (Reply(200, content=granted(token_type=7)), "malformed", 200, None),
    (Reply(200, content=granted(expires_in="soon")), "malformed", 200, None),
    (Reply(200, content=granted(expires_in=True)), "malformed", 200, None),
    (Reply(200, content=granted(expires_in=[])), "malformed", 200, None),
    (Reply(200, content=granted(expires_in=0)), "expired", 200, None),
    (Reply(200, content=granted(expires_in=-1)), "expired", 200, None),
    (Reply(200, content=granted(expires_in="-5")), "expired", 200, None),
]


@pytest.mark.parametrize(("reply", "reason", "status", "code"), BROKEN)
def test_each_answer_that_is_no_token(reply, reason, status, code):
    call = ask(ClientCredentials(TOKEN_URL, "id", SECRET, retry=RetryPolicy(retries=0)), reply)
    error = call.outcome
    assert isinstance(error, TokenError)
    assert (error.reason, error.status_code, error.error) == (reason, status, code)
    assert error.response is None and error.__cause__ is None
    assert TOKEN_URL in str(error) and "canary" not in str(error) + repr(vars(error))
    assert len(call.sends) == 1
    assert error.retry_after == (7 if status == 429 else 1)


def test_a_retry_policy_that_raises_tells_the_same():
    for status in (429, 503):
        source = ClientCredentials(TOKEN_URL, "id", SECRET, retry=RetryPolicy(retries=1))
        call = ask(source, Reply(status))
        assert isinstance(call.outcome, TokenError) and call.outcome.status_code == status
        assert len(call.sends) == 2


# --- construction ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        ({"token_url": "http://login/token"}, r"token_url: 'http://login/token' is not allowed; it is https"),
        ({"token_url": "/token"}, "token_url: is not an absolute"),
        ({"token_url": 7}, "token_url: must be a str"),
        ({"token_url": f"{TOKEN_URL}#canary"}, r"token_url: a fragment \(#\) is not allowed"),
        ({"scopes": 7}, "scopes: must be a str, or"),
        ({"scopes": [7]}, "scopes: must be a str, or"),
        ({"audience": ""}, "audience: must be a str"),
        ({"assertion_audience": 7}, "assertion_audience: must be a str"),
        ({"extra": ["canary"]}, "extra: list is not allowed; it maps str to str"),
        ({"extra": {"a": 7}}, r"extra\['a'\]: must be a str"),
        ({"extra": {"client_secret": "canary"}}, "extra: 'client_secret' is not allowed here"),
        ({"margin": -1}, "margin: -1 is not allowed; it is seconds, 0 or more"),
        ({"timeout": 0}, "timeout: 0 is not allowed; it is seconds above 0"),
        ({"timeout": True}, "timeout: True is not allowed"),
        ({"attempt_timeout": "1"}, "attempt_timeout: '1' is not allowed; it is seconds above 0, or None"),
        ({"store": object()}, "store: object is not allowed; it has get and set"),
    ],
)
def test_what_is_refused(arguments, what):
    given = {"token_url": TOKEN_URL, "client_id": "id", "client_secret": "canary"} | arguments
    with pytest.raises(ConfigurationError, match=rf"^ClientCredentials\.{what}") as caught:
        ClientCredentials(**given)
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "[::1]", "localhost", "login.localhost"])
def test_loopback_needs_no_tls(host):
    assert ClientCredentials(f"http://{host}/token", "id", SECRET, margin=0, attempt_timeout=None).token_url


def test_more_that_is_refused():
    with pytest.raises(ConfigurationError, match=r"^RefreshToken\.refresh_token: must"):
        RefreshToken(TOKEN_URL, "id", "", SECRET)
    with pytest.raises(ConfigurationError, match=r"^TokenExchange\.subject_token: must"):
        TokenExchange(TOKEN_URL, "id", None, SECRET)
    with pytest.raises(ConfigurationError, match=r"^TokenExchange\.actor_token: must"):
        TokenExchange(TOKEN_URL, "id", "x", SECRET, actor_token=7)
    for name in ("resource", "requested_token_type", "subject_token_type", "actor_token_type"):
        with pytest.raises(ConfigurationError, match=rf"^TokenExchange\.{name}: must"):
            TokenExchange(TOKEN_URL, "id", "x", SECRET, **{name: ""})


def test_the_key_of_a_credential_tells_nothing_and_tells_them_apart():
    sources = [
        ClientCredentials(TOKEN_URL, "id", SECRET),
        ClientCredentials(TOKEN_URL, "id", SECRET, scopes="read"),
        ClientCredentials(TOKEN_URL, "other", SECRET),
        ClientCredentials("https://elsewhere/", "id", SECRET),
        ClientCredentials(TOKEN_URL, "id", SECRET, extra={"a": "b"}),
        RefreshToken(TOKEN_URL, "id", "one", SECRET),
        RefreshToken(TOKEN_URL, "id", "two", SECRET),
        TokenExchange(TOKEN_URL, "id", "one", SECRET),
        TokenExchange(TOKEN_URL, "id", "two", SECRET),
        TokenExchange(TOKEN_URL, "id", "one", SECRET, resource="x"),
        TokenExchange(TOKEN_URL, "id", lambda: "one", SECRET, actor_token="a"),
    ]
    keys = [source.key for source in sources]
    assert len(set(keys)) == len(keys)
    assert all(len(key) == 64 and int(key, 16) for key in keys)
    assert ClientCredentials(TOKEN_URL, "id", "changed").key == keys[0]
