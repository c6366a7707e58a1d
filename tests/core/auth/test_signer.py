"""Signatures: last before the wire, over what really goes out, anew for each send."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from sansio_http import (
    APIKey,
    Body,
    Circuit,
    Concurrency,
    ConfigurationError,
    ConnectionLostError,
    HeadersLike,
    HTTPRequest,
    Policies,
    RedirectPolicy,
    Send,
    TokenBucket,
    Unsigned,
)
from sansio_http.testing import Reply, SimulatedCall, Simulator, script

URL = "https://home/x"


class Signer:
    """Keeps what it saw."""

    def __init__(self) -> None:
        self.seen: list[Unsigned] = []

    def sign(self, message: Unsigned) -> HeadersLike:
        self.seen.append(message)
        return {"Signature": f"s{len(self.seen)}"}


def ask(signer: Any, *replies: Reply, policies: dict[str, Any] | None = None, **options: Any) -> SimulatedCall:
    simulator = Simulator(script(*replies or (Reply(200),)))
    given = {"signer": signer, "auth_origin": "https://home", "wall": lambda: 5.0} | (policies or {})
    call = simulator.call(HTTPRequest(options.pop("method", "GET"), URL, **options), Policies(**given))
    simulator.run()
    return call


def test_what_is_signed_is_what_goes_out():
    signer = Signer()
    auth = APIKey("k", name="key", location="query")
    call = ask(signer, policies={"auth": auth}, method="POST", body=b"content", headers={"A": "b"}, params={"p": 1})
    (seen,) = signer.seen
    request = call.sends[0].request
    assert (seen.method, seen.url, seen.wall) == ("POST", f"{URL}?p=1&key=k", 5.0) and request.url == seen.url
    assert seen.headers == {"A": "b"} and request.headers == {"A": "b", "Signature": "s1"}
    assert seen.digest is not None and seen.digest("sha256") == hashlib.sha256(b"content").digest()


def test_no_body_has_the_digest_of_nothing_and_one_of_a_kind_has_none():
    signer = Signer()
    ask(signer)
    ask(signer, method="POST", body=Body(object(), None, "once"))
    assert signer.seen[0].digest is not None and signer.seen[0].digest("sha256") == hashlib.sha256().digest()
    assert signer.seen[1].digest is None


def test_each_send_has_a_signature_of_its_own_also_on_a_new_connection():
    def stale(send: Send) -> BaseException:
        send.progress.reused = True
        return send.error(ConnectionLostError, "closed")

    signer = Signer()
    call = ask(signer, Reply(error=stale), Reply(200))
    assert [send.request.headers["signature"] for send in call.sends] == ["s1", "s2"]


def test_another_origin_gets_no_signature():
    signer = Signer()
    call = ask(signer, Reply(302, {"Location": "https://other/"}), Reply(200), policies={"redirects": RedirectPolicy()})
    assert ["signature" in send.request.headers for send in call.sends] == [True, False]


@pytest.mark.parametrize("bad", [{"A": "b\n"}, 7, {"A B": "c"}, None, "A: b"])
def test_what_cannot_be_sent_ends_the_call_and_nothing_is_kept(bad):
    class Bad:
        def sign(self, message: Unsigned) -> Any:
            return bad

    circuit, limiter, slots = Circuit(), TokenBucket(1, 1), Concurrency(1)
    call = ask(Bad(), policies={"circuit": circuit, "limiter": limiter, "slots": slots})
    assert (
        isinstance(call.outcome, ConfigurationError) and str(call.outcome).startswith("Bad.sign: ") and call.sends == []
    )
    assert slots.in_use == 0 and limiter.take(0.0) is not None


def test_a_signature_needs_the_time():
    with pytest.raises(ConfigurationError, match=r"^Policies\.wall: needed for a signer; give time\.time"):
        Policies(signer=Signer())
