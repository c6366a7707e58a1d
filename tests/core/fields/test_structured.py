"""Structured fields, against the rules of RFC 9651 and against a parser that others wrote."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any

import http_sf
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sansio_http.fields.structured import Date, DisplayString, InnerList, Item, Token, parse_list


def values(text: str) -> list[Any] | None:
    members = parse_list([text])
    return None if members is None else [member.value for member in members if isinstance(member, Item)]


def only(found: list[Any] | None) -> Any:
    """The one there is."""
    assert found is not None and len(found) == 1
    return found[0]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("-0", 0),
        ("42", 42),
        ("-42", -42),
        ("0042", 42),
        ("999999999999999", 999999999999999),
        ("1.5", Decimal("1.5")),
        ("-0.125", Decimal("-0.125")),
        ("123456789012.123", Decimal("123456789012.123")),
        ('""', ""),
        ('"a b"', "a b"),
        (r'"a\"b\\c"', 'a"b\\c'),
        ("foo", Token("foo")),
        ("*a/b:c", Token("*a/b:c")),
        ("?0", False),
        ("?1", True),
        ("::", b""),
        (":aGVsbG8=:", b"hello"),
        (":aGVsbG8:", b"hello"),
        ("@1659578233", Date(1659578233)),
        ("@-1", Date(-1)),
        ('%"caf%c3%a9 "', DisplayString("café ")),
    ],
)
def test_a_value_of_each_type(text, value):
    found = only(values(text))
    assert found == value and type(found) is type(value)


@pytest.mark.parametrize(
    "text",
    [
        "1.",
        ".5",
        "-",
        "--1",
        "1.2345",
        "1.2.3",
        "1234567890123456",
        "1234567890123.1",
        "²",
        '"',
        '"a',
        r'"\a"',
        '"é"',
        '"\t"',
        "'a'",
        "é",
        "?",
        "?2",
        "?true",
        ":",
        ":a",
        ":a:",
        ":a===:",
        ":=:",
        ":a-b_:",
        ":YQ==YQ==:",
        "@",
        "@1.5",
        "@a",
        '%"%C3"',
        '%"%c3"',
        '%"%zz"',
        '%"a',
        "%a",
        "a=1",
        "a b",
        "a,",
        "a,,b",
        ",",
        ",a",
        "\ta",
        "a;",
        "a;=1",
        "a;B=1",
        "a;b=",
        "a;b =1",
        "a ;b",
        "(a",
        "(a b",
        "(a,b)",
        '("a""b")',
        "(a\tb)",
        "((a))",
        ")",
        "a;b=(c)",
    ],
)
def test_what_is_no_list(text):
    assert parse_list([text]) is None


def test_members_are_between_commas_with_blanks_around_them():
    assert values("a,b , c\t,\t d") == ["a", "b", "c", "d"]
    assert values("  a  ") == ["a"]


@pytest.mark.parametrize("lines", [[], [""], ["  "]])
def test_an_empty_list(lines):
    assert parse_list(lines) == []


def test_several_lines_are_one_list():
    assert parse_list(["a", "b, c"]) == parse_list(["a, b, c"])
    assert parse_list(["a", ""]) is None


def test_one_bad_member_spoils_the_list():
    assert parse_list(['"fine";q=1, "bad']) is None


def test_parameters():
    item = only(parse_list(['"x";q=100; w=60;*k-1_.;f=?0;s="a;b"']))
    assert item.parameters == {"q": 100, "w": 60, "*k-1_.": True, "f": False, "s": "a;b"}
    assert list(item.parameters) == ["q", "w", "*k-1_.", "f", "s"]


def test_of_two_parameters_of_one_key_the_later_counts_in_the_place_of_the_first():
    item = only(parse_list(["x;a=1;b=2;a=3"]))
    assert list(item.parameters.items()) == [("a", 3), ("b", 2)]


def test_inner_lists():
    assert parse_list(['( "a"  b;x );y=1, ()']) == [
        InnerList((Item("a", {}), Item(Token("b"), {"x": True})), {"y": 1}),
        InnerList((), {}),
    ]


# --- beside http-sf, which is by the RFC's editor ------------------------------------------------------------------


def theirs(text: str) -> Any:
    """What http-sf makes of it; None where it refuses."""
    try:
        members = http_sf.parse(text.encode("utf-8"), tltype="list")
    except http_sf.StructuredFieldError:
        return None
    return [as_told(member) for member in members]  # type: ignore[union-attr]


def as_told(member: Any) -> Any:
    """A member of theirs in plain types."""
    value, parameters = member
    told = {key: plain(each) for key, each in parameters.items()}
    if isinstance(value, list):
        return [as_told(item) for item in value], told
    return plain(value), told


def plain(value: Any) -> Any:
    if isinstance(value, datetime.datetime):
        return "date", int(value.timestamp())
    if isinstance(value, http_sf.Token | http_sf.DisplayString):
        return type(value).__name__, str(value)
    return type(value).__name__, value


def ours(text: str) -> Any:
    members = parse_list([text])
    return None if members is None else [as_told_by_us(member) for member in members]


def as_told_by_us(member: Item | InnerList) -> Any:
    told = {key: plain_of_ours(each) for key, each in member.parameters.items()}
    if isinstance(member, InnerList):
        return [as_told_by_us(item) for item in member.items], told
    return plain_of_ours(member.value), told


def plain_of_ours(value: Any) -> Any:
    if isinstance(value, Date):
        return "date", int(value)
    if isinstance(value, Token | DisplayString):
        return type(value).__name__, str(value)
    return type(value).__name__, value


keys = st.from_regex(r"[a-z*][a-z0-9_\-.*]{0,4}", fullmatch=True)
numbers = st.integers(-(10**15) + 1, 10**15 - 1).map(str) | st.from_regex(r"-?[0-9]{1,12}\.[0-9]{1,3}", fullmatch=True)
strings = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=6).map(
    lambda text: '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
)
tokens = st.from_regex(r"[A-Za-z*][A-Za-z0-9!#$%&'*+.^_`|~:/\-]{0,6}", fullmatch=True)
octets = st.binary(max_size=6).map(http_sf.ser)
others = st.sampled_from(["?0", "?1", "@0", "@1659578233", '%"f%c3%bc"'])
bare = numbers | strings | tokens | octets | others


@st.composite
def items(draw: st.DrawFn, value: st.SearchStrategy[str] = bare) -> str:
    parameters = draw(st.lists(st.tuples(keys, st.none() | bare), max_size=3))
    gap = draw(st.sampled_from(["", " ", "  "]))
    return draw(value) + "".join(f";{gap}{key}" + ("" if each is None else f"={each}") for key, each in parameters)


inner_lists = st.lists(items(), max_size=3).map(lambda each: f"({' '.join(each)})")
fields = st.lists(items() | items(inner_lists), max_size=4).flatmap(
    lambda members: st.sampled_from([",", ", ", " , ", "\t,  "]).map(lambda comma: comma.join(members))
)


@given(fields)
def test_whatever_is_a_list_reads_as_others_read_it(text):
    expected = theirs(text)
    assert expected is not None
    assert ours(text) == expected


@given(fields, st.data())
def test_and_so_does_what_was_one_before_it_was_spoilt(text, data):
    at = data.draw(st.integers(0, len(text)))
    cut = data.draw(st.integers(0, 2))
    put = data.draw(st.text('"\\;,=()?:@% \t-.19aA~é', max_size=2))
    spoilt = text[:at] + put + text[at + cut :]
    assert ours(spoilt) == theirs(spoilt)


@given(st.text())
def test_no_text_makes_it_raise(text):
    parse_list([text])
