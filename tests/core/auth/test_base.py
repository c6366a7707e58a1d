"""Several credentials at once, none at all, tokens from a function, and no pickles."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from sansio_http import (
    ActiveAuth,
    APIKey,
    AuthChain,
    Basic,
    Bearer,
    ClientCredentials,
    ConfigurationError,
    Digest,
    HTTPRequest,
    NoAuth,
    Policies,
    Token,
)
from sansio_http.testing import Reply, SimulatedCall, Simulator, script

URL = "https://home/x"


def ask(auth: Any, *replies: Reply) -> SimulatedCall:
    simulator = Simulator(script(*replies or (Reply(200),)))
    call = simulator.call(HTTPRequest("GET", URL), Policies(auth=auth, auth_origin="https://home"))
    simulator.run()
    return call


def test_all_of_a_chain_go_onto_the_request():
    call = ask(AuthChain([APIKey("key"), Bearer("token"), NoAuth()]))
    assert call.sends[0].request.headers.pairs() == [("X-API-Key", "key"), ("Authorization", "Bearer token")]


def test_a_digest_in_a_chain_covers_the_key_in_the_query():
    auth = AuthChain([Digest("u", "p", entropy=bytes), APIKey("k", name="key", location="query")])
    challenge = Reply(401, {"WWW-Authenticate": "Digest realm=r, nonce=n, qop=auth"})
    call = ask(auth, challenge, Reply(200))
    assert call.sends[1].request.url == f"{URL}?key=k"
    assert 'uri="/x?key=k"' in call.sends[1].request.headers["Authorization"]


def test_a_chain_within_a_chain():
    tokens = iter(["a", "b"])
    auth = AuthChain([AuthChain([APIKey("k"), Bearer(lambda: next(tokens))])])
    call = ask(auth)
    assert call.sends[0].request.headers.pairs() == [("Authorization", "Bearer a"), ("X-API-Key", "k")]


@pytest.mark.parametrize(("parts", "what"), [([], "one or more"), ([Bearer], "Bearer is not"), (["x"], "str is not")])
def test_what_is_no_chain(parts, what):
    with pytest.raises(ConfigurationError, match=rf"^AuthChain\.parts: .*{what}"):
        AuthChain(parts)


def test_no_credentials():
    assert ask(NoAuth()).sends[0].request.headers.pairs() == []


def test_a_function_is_asked_for_each_send():
    tokens = iter(["a", "b"])
    auth = Bearer(lambda: next(tokens))
    assert [ask(auth).sends[0].request.headers["authorization"] for _ in range(2)] == ["Bearer a", "Bearer b"]


@pytest.mark.parametrize("token", ["", "a b", None, 7])
def test_a_function_that_returns_no_token(token):
    call = ask(Bearer(lambda: token))
    assert isinstance(call.outcome, ConfigurationError) and str(call.outcome).startswith("Bearer.token: not a bearer")
    assert call.sends == []


def test_what_a_function_raises_is_the_outcome():
    def token() -> str:
        raise ZeroDivisionError

    assert isinstance(ask(Bearer(token)).outcome, ZeroDivisionError)


class Active(ActiveAuth):
    """The least there can be."""


def test_an_active_authentication_says_what_it_writes():
    call = ask(Active())
    assert isinstance(call.outcome, NotImplementedError) and call.sends == []


def test_one_that_learns_nothing():
    class Quiet(ActiveAuth):
        def apply(self, request: HTTPRequest, now: float) -> None:
            request.headers["X-Quiet"] = "1"

    call = ask(Quiet(), Reply(401))
    assert call.response.status_code == 401 and call.sends[0].request.headers == {"X-Quiet": "1"}


SECRETS = [
    APIKey("canary"),
    AuthChain([Bearer("canary")]),
    Basic("canary", "canary"),
    Bearer("canary"),
    ClientCredentials("https://h/", "id", "canary"),
    Digest("canary", "canary", entropy=bytes),
    NoAuth(),
    Token("canary", 1.0, "canary"),
]


@pytest.mark.parametrize("secret", SECRETS, ids=lambda secret: type(secret).__name__)
def test_a_credential_has_no_pickle_and_no_telling_repr(secret):
    with pytest.raises(TypeError, match="holds a credential, which is not pickled") as caught:
        pickle.dumps(secret)
    assert "canary" not in repr(secret) + str(caught.value)


@pytest.mark.parametrize(
    ("parts", "what"),
    [
        ([Bearer("canary"), Bearer("canary")], "two Bearer write the same, header authorization"),
        ([Bearer(str), Basic("canary", "canary")], "Bearer and Basic write the same, header authorization"),
        (
            [AuthChain([APIKey("k"), Digest("u", "canary", entropy=bytes)]), ClientCredentials("https://h/", "i", "s")],
            "Digest and ClientCredentials write the same, header authorization",
        ),
        ([APIKey("k", name="authorization"), Bearer("canary")], "APIKey and Bearer write the same, header author"),
        ([APIKey("k"), APIKey("canary", name="x-api-key")], "two APIKey write the same, header x-api-key"),
        ([APIKey("k", name="a", location="query")] * 2, "two APIKey write the same, query a"),
        ([APIKey("k", name="a", location="cookie")] * 2, "two APIKey write the same, cookie a"),
    ],
)
def test_two_that_write_the_same_are_refused_by_name(parts, what):
    with pytest.raises(ConfigurationError, match=rf"^auth: {what}") as caught:
        AuthChain(parts)
    assert "canary" not in str(caught.value)


def test_two_that_write_different_things_go_together():
    class Stamp:
        def apply(self, request: HTTPRequest, now: float) -> None:
            request.headers.add("X-Stamp", "1")

    parts = [APIKey(name, name=name, location=location) for location in ("header", "query", "cookie") for name in "ab"]  # type: ignore[arg-type]
    call = ask(AuthChain([*parts, NoAuth(), NoAuth(), Stamp(), Stamp()]))
    request = call.sends[0].request
    assert request.url == f"{URL}?a=a&b=b" and request.headers["Cookie"] == "a=a; b=b"
    assert (request.headers["a"], request.headers["b"], request.headers["X-Stamp"]) == ("a", "b", "1, 1")
