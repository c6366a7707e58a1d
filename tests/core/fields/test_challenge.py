"""WWW-Authenticate: several challenges, their parameters, and whatever else a server may send."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sansio_http.fields.challenge import Challenge, parse_challenges, parse_parameters


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("Basic", [("basic", {}, None)]),
        ('Basic realm="simple"', [("basic", {"realm": "simple"}, None)]),
        # source: RFC 9110 11.6.1
        (
            'Basic realm="simple", Newauth realm="apps", type=1, title="Login to \\"apps\\""',
            [
                ("basic", {"realm": "simple"}, None),
                ("newauth", {"realm": "apps", "type": "1", "title": 'Login to "apps"'}, None),
            ],
        ),
        (
            'Digest realm="a, b", qop="auth,auth-int", nonce=x, DIGEST REALM="a"',
            [
                ("digest", {"realm": "a, b", "qop": "auth,auth-int", "nonce": "x"}, None),
                ("digest", {"realm": "a"}, None),
            ],
        ),
        ("Negotiate abc==, NTLM", [("negotiate", {}, "abc=="), ("ntlm", {}, None)]),
        (
            ' ,, Basic ,\tDigest realm = "q" , nonce=1',
            [("basic", {}, None), ("digest", {"realm": "q", "nonce": "1"}, None)],
        ),
        ('Basic realm="first", realm="second"', [("basic", {"realm": "first"}, None)]),
        # one that is broken does not hide one that is not
        ('Bearer error="x", @@, Basic realm="y"', [("bearer", {"error": "x"}, None), ("basic", {"realm": "y"}, None)]),
        (
            'Digest realm="x" junk, nonce=3, Basic realm=2',
            [("digest", {"nonce": "3"}, None), ("basic", {"realm": "2"}, None)],
        ),
        ("Digest @@, nonce=3", [("digest", {"nonce": "3"}, None)]),
        ('a=b, Digest nonce="x', [("digest", {}, None)]),
        ('Basic realm="un, Digest realm=x', [("basic", {}, None)]),
        ('"', []),
        ("", []),
    ],
)
def test_what_is_read(value, expected):
    assert parse_challenges([value]) == [Challenge(*each) for each in expected]


def test_several_lines_are_one_field():
    assert [challenge.scheme for challenge in parse_challenges(["Basic", "", "Digest realm=a, NTLM"])] == [
        "basic",
        "digest",
        "ntlm",
    ]


def test_parameters_without_a_scheme():
    value = 'nextnonce="a \\"b", qop=auth, junk, , NC=00000001, qop=other'
    assert parse_parameters(value) == {"nextnonce": 'a "b', "qop": "auth", "nc": "00000001"}
    assert parse_parameters("") == {}


@given(st.lists(st.text(st.sampled_from('aB=", \\\t/@é\x00\r\n') | st.characters())))
def test_anything_is_survived(values):
    for challenge in parse_challenges(values):
        assert challenge.scheme == challenge.scheme.lower()
        assert not (challenge.params and challenge.token)
    for value in values:
        parse_parameters(value)


names = st.sampled_from(["realm", "nonce", "opaque", "x"])
challenges = st.tuples(
    st.sampled_from(["digest", "basic"]), st.dictionaries(names, st.text(st.characters(max_codepoint=255)), max_size=3)
)


@given(st.lists(challenges, max_size=4))
def test_what_is_written_properly_is_read_as_it_was(written):
    def quoted(text: str) -> str:
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'

    value = ", ".join(
        f"{scheme} " + ", ".join(f"{name}={quoted(text)}" for name, text in params.items())
        for scheme, params in written
    )
    assert parse_challenges([value]) == [Challenge(scheme, params) for scheme, params in written]


@pytest.mark.parametrize("piece", ['a="', '"\\', "a ", "a, ", 'a="x" ', '"\\",', "a=b "])
def test_a_long_line_takes_no_longer_than_its_length(piece):
    parse_challenges([piece * 20_000])  # were it quadratic, it would take minutes
