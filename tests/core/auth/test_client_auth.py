"""How a client proves to a token endpoint who it is: what each way puts where, and what it needs."""

from __future__ import annotations

import base64
import pickle
from typing import Any
from urllib.parse import parse_qs, unquote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sansio_http import ClientCredentials, ConfigurationError, HTTPRequest, Policies, RefreshToken, TokenError
from sansio_http.auth.client_auth import ClientProof, basic_credentials
from sansio_http.testing import Reply, SimulatedCall, Simulator

TOKEN_URL = "https://login/token"
SECRET = "s:e c%ret+/=&~*!"
TOKEN = Reply(200, content=b'{"access_token": "token", "token_type": "Bearer"}')


def ask(source: Any, *replies: Reply, wall: Any = lambda: 1000.5) -> SimulatedCall:
    """One call that needs a token; the endpoint gives these replies, then a token."""
    rest, numbers = iter(replies), iter(range(9))
    simulator = Simulator(lambda send: next(rest, TOKEN) if send.via == "token" else Reply(200))
    policies = Policies(auth=source, entropy=lambda n: bytes([next(numbers)]), wall=wall)
    call = simulator.call(HTTPRequest("GET", "https://api/x"), policies)
    simulator.run()
    return call


def fields(call: SimulatedCall, number: int = 0) -> dict[str, str]:
    """What a token request says in its body."""
    body: Any = call.sends[number].request.body
    return {name: values[0] for name, values in parse_qs(body.source.decode()).items()}


@given(st.text(st.characters(codec="utf-8"), min_size=1), st.text(st.characters(codec="utf-8"), min_size=1))
def test_both_halves_of_basic_are_form_encoded(client_id, secret):
    pair = base64.b64decode(basic_credentials(client_id, secret).removeprefix("Basic ")).decode()
    assert pair.count(":") == 1
    assert tuple(map(unquote_plus, pair.split(":"))) == (client_id, secret)


def test_a_secret_goes_into_the_header_or_into_the_body():
    call = ask(ClientCredentials(TOKEN_URL, "id", SECRET))
    assert call.sends[0].request.headers["Authorization"] == basic_credentials("id", SECRET)
    assert not {"client_id", "client_secret"} & fields(call).keys()
    call = ask(ClientCredentials(TOKEN_URL, "id", SECRET, client_auth="client_secret_post"))
    assert "authorization" not in call.sends[0].request.headers
    assert (fields(call)["client_id"], fields(call)["client_secret"]) == ("id", SECRET)


def test_a_public_client_only_says_who_it_is():
    call = ask(RefreshToken(TOKEN_URL, "id", "first", client_auth="none"))
    assert "authorization" not in call.sends[0].request.headers
    assert fields(call) == {"grant_type": "refresh_token", "refresh_token": "first", "client_id": "id"}


def test_an_assertion_is_signed_anew_for_each_try():
    signed: list[dict[str, Any]] = []

    def sign(claims: dict[str, Any]) -> str:
        signed.append(claims)
        return f"jwt{len(signed)}"

    call = ask(ClientCredentials(TOKEN_URL, "id", client_auth="private_key_jwt", sign=sign), Reply(503))
    assert call.response.is_success
    assert [fields(call, number)["client_assertion"] for number in (0, 1)] == ["jwt1", "jwt2"]
    kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"  # source: RFC 7523 2.2
    assert {fields(call, number)["client_assertion_type"] for number in (0, 1)} == {kind}
    expected = {"iss": "id", "sub": "id", "aud": TOKEN_URL, "iat": 1000, "exp": 1060}
    assert signed == [expected | {"jti": "00"}, expected | {"jti": "01"}]


@pytest.mark.parametrize(("answer", "kind"), [(None, "NoneType"), ("", "str"), (b"canary", "bytes")])
def test_a_function_that_returns_no_assertion(answer, kind):
    source = ClientCredentials(TOKEN_URL, "id", client_auth="client_secret_jwt", sign=lambda claims: answer)
    call = ask(source)
    assert isinstance(call.outcome, TokenError) and call.outcome.reason == "callable"
    assert str(call.outcome.__cause__) == f"sign: returned {kind}; it returns a JWT, a str that is not empty"
    assert call.sends == []


def test_an_assertion_needs_chance_and_time_and_says_whom_it_is_for():
    audiences: list[str] = []

    def source(**options: Any) -> ClientCredentials:
        return ClientCredentials(TOKEN_URL, "id", client_auth="client_secret_jwt", sign=sign, **options)

    def sign(claims: dict[str, Any]) -> str:
        audiences.append(claims["aud"])
        return "jwt"

    call = ask(source(), wall=None)
    assert isinstance(call.outcome, TokenError) and isinstance(call.outcome.__cause__, ConfigurationError)
    assert ask(source()).response.is_success and ask(source(assertion_audience="x")).response.is_success
    assert audiences == [TOKEN_URL, "x"]


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        ({"client_id": ""}, "client_id: must be a str that is not empty"),
        ({"client_secret": ""}, "client_secret: must be"),
        ({"client_secret": "canary\ud800"}, "client_secret: is not text"),
        ({"client_secret": None}, "client_secret: client_auth 'client_secret_basic' needs a secret"),
        ({"client_auth": "none"}, "client_secret: client_auth 'none' sends no secret"),
        ({"client_auth": "other"}, "client_auth: 'other' is not allowed; it is one of client_secret_basic, "),
        ({"client_auth": "private_key_jwt", "client_secret": None}, "sign: client_auth 'private_key_jwt' needs a"),
        ({"sign": str}, "sign: client_auth 'client_secret_basic' signs nothing"),
        ({"sign": "canary"}, "sign: str is not allowed; it is a function of claims"),
    ],
)
def test_what_is_refused(arguments, what):
    given = {"token_url": TOKEN_URL, "client_id": "id", "client_secret": "canary"} | arguments
    with pytest.raises(ConfigurationError, match=rf"^ClientCredentials\.{what}") as caught:
        ClientCredentials(**given)
    assert "canary" not in str(caught.value)


def test_it_has_no_telling_repr_and_no_pickle():
    proof = ClientProof("C", "id", "canary", "client_secret_post", None, TOKEN_URL)
    assert "canary" not in repr(proof)
    with pytest.raises(TypeError, match="holds a credential"):
        pickle.dumps(proof)
