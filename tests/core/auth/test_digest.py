"""Digest authentication: the RFCs' numbers, the story of a nonce, and what a server cannot make us write."""

from __future__ import annotations

import hashlib
import math
import re
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sansio_http import (
    AuthenticationError,
    Body,
    ConfigurationError,
    Digest,
    Headers,
    HTTPRequest,
    Policies,
    RedirectPolicy,
    Send,
)
from sansio_http.fields.challenge import parse_parameters
from sansio_http.testing import Reply, SimulatedCall, Simulator, script

URL = "https://home/x?a=1"


class Cnonce(bytes):
    """Random bytes whose hexadecimal form is what a vector wants."""

    text = ""

    def hex(self, *args: Any) -> str:
        return self.text


def digest(user: str = "user", password: str = "secret", cnonce: str = "c0ffee") -> Digest:
    fixed = Cnonce()
    fixed.text = cnonce
    return Digest(user, password, entropy=lambda n: fixed)


def challenge(**params: str) -> Reply:
    params = {"realm": "r", "nonce": "n1", "qop": "auth"} | params
    fields = ", ".join(f'{name}="{value}"' for name, value in params.items() if value)
    return Reply(401, {"WWW-Authenticate": f"Digest {fields}"})


def ask(*replies: Reply, auth: Any = None, method: str = "GET", url: str = URL, **options: Any) -> SimulatedCall:
    simulator = Simulator(script(*replies))
    policies = Policies(auth=auth or digest(), auth_origin="https://home", redirects=RedirectPolicy())
    call = simulator.call(HTTPRequest(method, url, **options), policies)
    simulator.run()
    return call


def sent(call: SimulatedCall, number: int = -1) -> dict[str, str]:
    """The fields of the Authorization header."""
    value = call.sends[number].request.headers["Authorization"]
    assert value.startswith("Digest ")
    return parse_parameters(value.removeprefix("Digest "))


# --- the numbers -----------------------------------------------------------------------------------------------------

RFC7616 = {
    "user": "Mufasa",
    "password": "Circle of Life",
    "realm": "http-auth@example.org",
    "nonce": "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
    "cnonce": "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
    "opaque": "FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS",
}
VECTORS = [
    (
        "RFC 2617 3.5",
        {
            "user": "Mufasa",
            "password": "Circle Of Life",
            "realm": "testrealm@host.com",
            "nonce": "dcd98b7102dd2f0e8b11d0f600bfb0c093",
            "cnonce": "0a4f113b",
            "opaque": "5ccc069c403ebaf9f0171e9517f40e41",
        },
        "MD5",
        "6629fae49393a05397450978507c4ef1",
    ),
    ("RFC 7616 3.9.1", RFC7616, "MD5", "8ca523f5e9506fed4657c9700eebdbec"),
    ("RFC 7616 3.9.1", RFC7616, "SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
]


@pytest.mark.parametrize(("source", "given", "algorithm", "response"), VECTORS)
def test_the_rfcs_examples(source, given, algorithm, response):
    values = dict(given)
    auth = digest(values.pop("user"), values.pop("password"), values.pop("cnonce"))
    call = ask(challenge(**values, algorithm=algorithm), Reply(200), auth=auth, url="https://home/dir/index.html")
    fields = sent(call)
    assert fields["response"] == response
    assert (fields["nc"], fields["qop"], fields["uri"]) == ("00000001", "auth", "/dir/index.html")
    assert fields["opaque"] == values["opaque"] and fields["algorithm"] == algorithm


def sha_512_256(message: bytes) -> str:
    """SHA-512/256 once more, from the text of FIPS 180-4, for hashlib's is the one that is tested."""
    mask = 2**64 - 1
    primes = [n for n in range(2, 410) if all(n % divisor for divisor in range(2, math.isqrt(n) + 1))]
    constants = [_cube_root(prime << 192) & mask for prime in primes]  # 4.2.3
    assert (len(constants), constants[0], constants[79]) == (80, 0x428A2F98D728AE22, 0x6C44198C4A475817)

    def turned(x: int, by: int) -> int:
        return (x >> by | x << 64 - by) & mask

    def hashed(state: list[int], message: bytes) -> list[int]:  # 6.4.2
        message += b"\x80" + bytes(-(len(message) + 17) % 128) + (8 * len(message)).to_bytes(16, "big")
        for start in range(0, len(message), 128):
            w = [int.from_bytes(message[at : at + 8], "big") for at in range(start, start + 128, 8)]
            for t in range(16, 80):
                s0 = turned(w[t - 15], 1) ^ turned(w[t - 15], 8) ^ w[t - 15] >> 7
                s1 = turned(w[t - 2], 19) ^ turned(w[t - 2], 61) ^ w[t - 2] >> 6
                w.append((s1 + w[t - 7] + s0 + w[t - 16]) & mask)
            a, b, c, d, e, f, g, h = state
            for t in range(80):
                t1 = h + (turned(e, 14) ^ turned(e, 18) ^ turned(e, 41)) + (e & f ^ ~e & g) + constants[t] + w[t]
                t2 = (turned(a, 28) ^ turned(a, 34) ^ turned(a, 39)) + (a & b ^ a & c ^ b & c)
                a, b, c, d, e, f, g, h = (t1 + t2) & mask, a, b, c, (d + t1) & mask, e, f, g
            state = [(x + y) & mask for x, y in zip(state, (a, b, c, d, e, f, g, h), strict=True)]
        return state

    start = [math.isqrt(prime << 128) & mask for prime in primes[:8]]  # 5.3.5
    start = hashed([each ^ 0xA5A5A5A5A5A5A5A5 for each in start], b"SHA-512/256")  # 5.3.6
    return "".join(f"{each:016x}" for each in hashed(start, message)[:4])


def _cube_root(n: int) -> int:
    low, high = 0, 1 << n.bit_length() // 3 + 1
    while low < high - 1:
        middle = (low + high) // 2
        low, high = (middle, high) if middle**3 <= n else (low, middle)
    return low


def test_sha_512_256_by_an_implementation_of_its_own():
    """FIPS 180-4's own example, and every length around a block."""
    assert sha_512_256(b"abc") == "53048e2681941ef99b2e29b76b4c7dabe4c2d0c634fc6d46e0e2f13107e7af23"
    for length in (0, 1, 110, 111, 112, 127, 128, 129, 300):
        message = bytes(range(256))[:length] * (1 + length // 256)
        assert sha_512_256(message) == hashlib.new("sha512_256", message).hexdigest()
    call = ask(challenge(algorithm="SHA-512-256", userhash="true"), Reply(200), auth=digest("Jäsøn", "Secret, or not?"))

    def h(text: str) -> str:
        return sha_512_256(text.encode())

    fields = sent(call)
    middle = "n1:00000001:c0ffee:auth"
    assert fields["username"] == h("Jäsøn:r")
    assert fields["response"] == h(f"{h('Jäsøn:r:Secret, or not?')}:{middle}:{h('GET:/x?a=1')}")


def test_sha_512_256_with_a_hashed_user():
    """RFC 7616 3.9.2, whose published numbers are wrong: its userhash is a SHA-512 cut short.

    These are its inputs with the numbers of an implementation that is not ours, in C#, with a SHA-512/256 of its own;
    erratum 4897 (reported) tells of the same mistake.
    """
    published = "488869477bf257147b804c45308cd62ac4e25eb717b12b298c79e62dcea254ec"
    assert hashlib.sha512("Jäsøn Doe:api@example.org".encode()).hexdigest().startswith(published)
    auth = digest("Jäsøn Doe", "Secret, or not?", "NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v")
    values = {
        "realm": "api@example.org",
        "nonce": "5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK",
        "opaque": "HRPCssKJSGjCrkzDg8OhwpzCiGPChXYjwrI2QmXDnsOS",
    }
    call = ask(
        challenge(**values, algorithm="SHA-512-256", charset="UTF-8", userhash="true"),
        Reply(200),
        auth=auth,
        url="https://home/doe.json",
    )
    fields = sent(call)
    assert fields["username"] == "793263caabb707a56211940d90411ea4a575adeccb7e360aeb624ed06ece9b0b"
    assert fields["response"] == "3798d4131c277846293534c3edc11bd8a5e4cdcbff78b05db9d95eeb1cec68a5"
    assert fields["userhash"] == "true"


HASHES = {"MD5": "md5", "SHA-256": "sha256", "SHA-512-256": "sha512_256"}


@pytest.mark.parametrize("algorithm", [*HASHES, *(f"{name}-sess" for name in HASHES), None])
@pytest.mark.parametrize("qop", ["auth", "auth-int", None])
def test_every_form_is_the_formula(algorithm, qop):
    """Written down once more, step by step from RFC 7616 3.4, and RFC 2069 where there is no qop."""
    call = ask(
        challenge(algorithm=algorithm, qop=qop), Reply(200), method="POST", body=b"content", auth=digest(cnonce="cn")
    )

    def h(text: str) -> str:
        return hashlib.new(HASHES[(algorithm or "MD5").removesuffix("-sess")], text.encode()).hexdigest()

    a1 = h("user:r:secret")
    if algorithm is not None and algorithm.endswith("-sess"):
        a1 = h(f"{a1}:n1:cn")
    a2 = "POST:/x?a=1" + (f":{h('content')}" if qop == "auth-int" else "")
    middle = "n1" if qop is None else f"n1:00000001:cn:{qop}"
    fields = sent(call)
    assert fields["response"] == h(f"{a1}:{middle}:{h(a2)}")
    assert fields.get("algorithm") == algorithm and fields.get("qop") == qop
    assert ("cnonce" in fields) == (qop is not None or "sess" in (algorithm or ""))


# --- the story -------------------------------------------------------------------------------------------------------


def test_a_challenge_costs_one_more_send_and_is_remembered():
    auth = digest()
    first = ask(challenge(), Reply(200), auth=auth)
    assert [("authorization" in send.request.headers) for send in first.sends] == [False, True]
    assert first.response.attempts[0].sends == 2 and len(first.response.attempts) == 1
    second = ask(Reply(200), auth=auth)
    assert len(second.sends) == 1
    assert (sent(first)["nc"], sent(second)["nc"]) == ("00000001", "00000002")


def test_two_calls_that_get_the_same_nonce_share_its_count():
    auth = digest()
    simulator = Simulator(script(challenge(), challenge(), Reply(200), Reply(200)))
    policies = Policies(auth=auth, auth_origin="https://home")
    calls = [simulator.call(HTTPRequest("GET", URL), policies) for _ in range(2)]
    simulator.run()
    assert sorted(sent(call)["nc"] for call in calls) == ["00000001", "00000002"]


def test_a_session_keeps_the_nonce_of_its_key():
    numbers = iter(range(9))
    auth = Digest("user", "secret", entropy=lambda n: bytes([next(numbers)]))
    calls = [ask(challenge(algorithm="MD5-sess"), Reply(200), auth=auth), ask(Reply(200), auth=auth)]
    assert {sent(call)["cnonce"] for call in calls} == {"00"}
    plain = Digest("user", "secret", entropy=lambda n: bytes([next(numbers)]))
    calls = [ask(challenge(), Reply(200), auth=plain), ask(Reply(200), auth=plain)]
    assert len({sent(call)["cnonce"] for call in calls}) == 2


def test_a_wrong_password_takes_two_sends_each_time():
    auth = digest()
    for _ in range(2):
        call = ask(challenge(), auth=auth)
        assert call.response.status_code == 401 and len(call.sends) == 2


def test_a_stale_nonce_is_replaced_once():
    auth = digest()
    ask(challenge(), Reply(200), auth=auth)
    call = ask(challenge(nonce="n2", stale="TRUE"), Reply(200), auth=auth)
    assert [sent(call, number)["nonce"] for number in (0, 1)] == ["n1", "n2"]
    assert sent(call)["nc"] == "00000001"
    # after an answer to the first challenge, and not for ever
    call = ask(challenge(), challenge(nonce="n2", stale="true"), Reply(200), auth=digest())
    assert call.response.is_success and len(call.sends) == 3
    call = ask(challenge(stale="true"), auth=digest())
    assert call.response.status_code == 401 and len(call.sends) == 3


class OneNonce:
    """A server with one nonce for ever, which takes each count once, and refuses what it was told to."""

    def __init__(self) -> None:
        self.taken: list[str] = []
        self.refuse = 0

    def __call__(self, send: Send) -> Reply:
        given = parse_parameters(send.request.headers.get("authorization", "").removeprefix("Digest "))
        if not given or given["nc"] in self.taken:
            return challenge()
        self.taken.append(given["nc"])
        self.refuse -= 1
        return challenge() if self.refuse >= 0 else Reply(200)

    def ask(self, auth: Any) -> SimulatedCall:
        simulator = Simulator(self)
        call = simulator.call(HTTPRequest("GET", URL), Policies(auth=auth, auth_origin="https://home"))
        simulator.run()
        return call


def test_a_nonce_that_comes_again_goes_on_counting():
    server, auth = OneNonce(), digest()
    assert server.ask(auth).response.is_success
    server.refuse = 2
    assert server.ask(auth).response.status_code == 401
    assert server.ask(auth).response.is_success  # with a count that nobody has seen
    assert server.ask(auth).response.is_success
    assert server.taken == [f"{count:08x}" for count in range(1, 6)]
    # and where it comes as the next one, or behind another
    ask(Reply(200, {"Authentication-Info": 'nextnonce="n1"'}), auth=auth)
    ask(Reply(200, {"Authentication-Info": 'nextnonce="n2"'}), auth=auth)
    ask(challenge(stale="true"), Reply(200), auth=auth)
    assert (sent(last := ask(Reply(200), auth=auth))["nonce"], sent(last)["nc"]) == ("n1", "00000009")


def test_counts_are_remembered_of_so_many_nonces_and_no_more():
    auth = digest()
    ask(challenge(nonce="first"), Reply(200), auth=auth)
    for number in range(1023):
        ask(Reply(200, {"Authentication-Info": f'nextnonce="{number}"'}), auth=auth)
    ask(challenge(nonce="first", stale="true"), Reply(200), auth=auth)
    assert sent(ask(Reply(200), auth=auth))["nc"] == "00000004"
    for number in range(1025):
        ask(Reply(200, {"Authentication-Info": f'nextnonce="other {number}"'}), auth=auth)
    ask(challenge(nonce="first", stale="true"), Reply(200), auth=auth)
    assert sent(ask(Reply(200), auth=auth))["nc"] == "00000002"


def test_a_nonce_that_the_server_has_forgotten_is_replaced():
    auth = digest()
    ask(challenge(), Reply(200), auth=auth)
    call = ask(challenge(nonce="n2"), Reply(200), auth=auth)
    assert call.response.is_success and len(call.sends) == 2


def test_the_next_nonce_is_used():
    auth = digest()
    ask(challenge(opaque="o"), Reply(200, {"Authentication-Info": 'nextnonce="n2", qop=auth'}), auth=auth)
    call = ask(Reply(200, {"Authentication-Info": "qop=auth"}), auth=auth)
    assert (sent(call)["nonce"], sent(call)["nc"], sent(call)["opaque"]) == ("n2", "00000001", "o")
    ask(Reply(200, Headers.of_pairs([("Authentication-Info", 'nextnonce="n\r3"')])), auth=auth)
    assert sent(ask(Reply(200), auth=auth))["nonce"] == "n2"
    # nobody has asked yet
    ask(Reply(200, {"Authentication-Info": 'nextnonce="n2"'}), auth=(fresh := digest()))
    assert "authorization" not in ask(Reply(200), auth=fresh).sends[0].request.headers


def test_the_strongest_of_several_is_answered():
    lines = [
        ("WWW-Authenticate", "Basic realm=x"),
        (
            "WWW-Authenticate",
            "Digest realm=r, nonce=a, algorithm=MD5, Digest realm=r, nonce=b, algorithm=NEW",
        ),
        ("WWW-Authenticate", "Digest realm=r, nonce=c, qop=auth, algorithm=SHA-256, Digest realm=r, nonce=d"),
    ]
    assert sent(ask(Reply(401, lines), Reply(200)))["nonce"] == "c"


def test_auth_is_preferred_to_auth_int():
    assert sent(ask(challenge(qop="auth-int, AUTH"), Reply(200)))["qop"] == "auth"


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("Digest realm=r, nonce=n, algorithm=SHA-512", "with algorithm 'SHA-512';"),
        ("Digest realm=r, nonce=n, qop=other", "with qop 'other';"),
        ("Digest realm=r", "without nonce;"),
        ("Digest nonce=n, Digest realm=r, nonce=n, qop=x", "without realm, with qop 'x';"),
        ('Digest realm="\x01", nonce=n', "with a 'realm' that cannot be sent back;"),
        ("Digest", "without nonce and realm;"),
    ],
)
def test_what_cannot_be_given_is_said(line, why):
    call = ask(Reply(401, Headers.of_pairs([("WWW-Authenticate", "Basic"), ("WWW-Authenticate", line)])))
    assert isinstance(call.outcome, AuthenticationError)
    assert call.outcome.response is not None and call.outcome.response.status_code == 401
    assert f"cannot be given: {why} known are MD5, SHA-256 and SHA-512-256" in str(call.outcome)
    assert len(call.sends) == 1 and "secret" not in str(call.outcome)


def test_a_challenge_of_another_kind_is_the_answer():
    call = ask(Reply(401, {"WWW-Authenticate": "Basic realm=x"}))
    assert call.response.status_code == 401 and len(call.sends) == 1


def test_a_foreign_challenge_gets_no_answer():
    call = ask(Reply(302, {"Location": "https://other/"}), challenge(), Reply(200))
    assert call.response.status_code == 401
    assert ["authorization" in send.request.headers for send in call.sends] == [False, False]


def test_a_body_that_is_gone_is_not_sent_again():
    body = Body(object(), None, "once")
    call = ask(challenge(), Reply(200), method="POST", body=body)
    assert call.response.status_code == 401 and len(call.sends) == 1
    assert call.response.attempts[0].reason == "not_replayable"
    assert "401; no other follows (not_replayable, its body cannot be sent again)" in call.response.describe()
    call = ask(challenge(qop="auth-int"), Reply(200), method="POST", body=Body(object(), None, "yes"))
    assert call.response.status_code == 401 and len(call.sends) == 1  # its hash cannot be had


def test_where_the_body_cannot_be_covered_there_is_no_proof():
    auth = digest()
    ask(challenge(qop="auth-int"), Reply(200), auth=auth)
    call = ask(Reply(200), auth=auth, method="POST", body=Body(object(), None, "once"))
    assert "authorization" not in call.sends[0].request.headers


def test_nonces_belong_to_an_origin():
    auth = digest()
    ask(challenge(), Reply(200), auth=auth)
    request = HTTPRequest("GET", "https://other/")
    auth.apply(request, 0.0)
    assert "authorization" not in request.headers
    for number in range(64):
        response = challenge().head(None)  # type: ignore[arg-type]
        auth.heard(HTTPRequest("GET", f"https://h{number}/"), response, 0, 0.0)  # type: ignore[arg-type]
    auth.apply(request := HTTPRequest("GET", URL), 0.0)
    assert "authorization" not in request.headers  # forgotten first


# --- quoting ---------------------------------------------------------------------------------------------------------


@given(
    st.text(st.characters(codec="latin-1", exclude_categories=["Cc"]), min_size=1),
    st.text(st.characters(codec="latin-1", exclude_categories=["Cc"]), min_size=1),
    st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters=":")),
)
@example(realm='a", uri="/', nonce="n\\", user='u"')
def test_nothing_breaks_out_of_its_quotes(realm, nonce, user):
    def quoted(text: str) -> str:
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'

    reply = Reply(401, {"WWW-Authenticate": f"Digest realm={quoted(realm)}, nonce={quoted(nonce)}, qop=auth"})
    call = ask(reply, Reply(200), auth=digest(user, "secret"))
    value = call.sends[-1].request.headers["Authorization"]
    fields = parse_parameters(value.removeprefix("Digest "))
    assert (fields["realm"], fields["nonce"]) == (realm, nonce)
    expected = "username realm nonce uri response qop nc cnonce".split()
    assert [name.rstrip("*") for name in fields] == expected
    if not user.isascii():
        assert re.match(r"Digest username\*=UTF-8''[A-Za-z0-9._~%-]+, realm=", value)


# --- construction ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("user", "password", "what"),
    [
        ("a:b", "s3cr3t", "username"),
        ("a\n", "s3cr3t", "username"),
        (None, "s3cr3t", "username"),
        ("a", "s3cr3t\r", "password"),
        ("a", b"s3cr3t", "password"),
        ("a", "s3cr3t\ud800", "the username or the password"),
    ],
)
def test_what_is_refused(user, password, what):
    with pytest.raises(ConfigurationError, match=rf"^Digest[.:] ?{what}") as caught:
        Digest(user, password, entropy=bytes)
    assert "s3cr3t" not in str(caught.value)


def test_chance_is_wanted():
    with pytest.raises(ConfigurationError, match=r"^Digest\.entropy: .*os\.urandom"):
        Digest("a", "b", entropy=None)


def test_the_repr_hides_everything():
    assert repr(Digest("user", "secret", entropy=bytes)) == "Digest(***)"
