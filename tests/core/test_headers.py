"""Headers: names without case, values in order, and nothing that could split a message."""

from __future__ import annotations

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from sansio_http.exceptions import InvalidRequestError
from sansio_http.headers import Headers

SECRET = "s3cr3t"

names = st.sampled_from(["A", "a", "B", "b", "Set-Cookie", "set-cookie", "X-Y"])
values = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=5)


class TestHeaders:
    def test_names_have_no_case_and_keep_the_one_they_came_with(self):
        headers = Headers({"Content-Type": "text/plain"})
        assert headers["content-TYPE"] == headers.get("CONTENT-type") == "text/plain"
        assert "content-type" in headers and "accept" not in headers
        assert 5 not in headers  # type: ignore[comparison-overlap]
        assert list(headers) == ["Content-Type"]

    def test_several_values_of_a_name(self):
        headers = Headers([("Accept", "a"), ("X", "y"), ("accept", "b")])
        assert headers["Accept"] == "a, b"
        assert headers.get_list("ACCEPT") == ["a", "b"]
        assert headers.get_list("none") == []
        assert headers.pairs() == [("Accept", "a"), ("X", "y"), ("accept", "b")]
        assert len(headers) == 2 and list(headers.items()) == [("Accept", "a, b"), ("X", "y")]

    def test_setting_replaces_every_value_where_the_first_was(self):
        headers = Headers([("A", "1"), ("B", "2"), ("a", "3"), ("C", "4")])
        headers["a"] = "5"
        headers["D"] = "6"
        assert headers.pairs() == [("a", "5"), ("B", "2"), ("C", "4"), ("D", "6")]

    def test_deleting_takes_every_value(self):
        headers = Headers([("A", "1"), ("B", "2"), ("a", "3")])
        del headers["a"]
        assert headers.pairs() == [("B", "2")]
        with pytest.raises(KeyError):
            del headers["A"]
        with pytest.raises(KeyError):
            headers["A"]

    def test_a_copy_is_independent(self):
        headers = Headers({"A": "1"})
        for other in (headers.copy(), Headers(headers), copy.copy(headers), copy.deepcopy(headers)):
            other.add("B", "2")
        headers.pairs().clear()
        assert headers.pairs() == [("A", "1")]

    def test_blanks_around_a_value_go(self):
        assert Headers({"A": " \tb c\t "})["a"] == "b c"

    def test_equality(self):
        assert Headers({"A": "1", "B": "2"}) == Headers([("b", "2"), ("a", "1")]) == {"a": "1", "B": "2"}
        assert Headers({"A": "1"}) != Headers({"A": "2"})
        assert Headers({"A": "1"}) != {1: 2}
        assert Headers({"A": "1"}) != [("A", "1")]
        with pytest.raises(TypeError):
            hash(Headers())

    @pytest.mark.parametrize("name", ["", "a b", "a:", "a\r\n", "a\0", "ü", "a(", "a\n", None, 5, b"a"])
    def test_no_header_name(self, name):
        for build in (lambda: Headers([(name, "v")]), lambda: Headers().add(name, "v")):
            with pytest.raises(InvalidRequestError, match=r"^headers: .* is not a header name"):
                build()

    @pytest.mark.parametrize("value", ["\r", "\n", "\0", "\x7f", "\x01", "日", "\ud800", "a\r\nb: c", "a\n"])
    def test_a_value_that_may_not_be_in_a_header(self, value):
        for change in (Headers.add, Headers.__setitem__):
            headers = Headers({"A": "1"})
            with pytest.raises(InvalidRequestError, match=r"^headers\['X-Key'\]: the value has a character") as caught:
                change(headers, "X-Key", SECRET + value)
            assert SECRET not in str(caught.value)
            assert headers.pairs() == [("A", "1")]

    @pytest.mark.parametrize("value", [None, 5, b"x"])
    def test_a_value_that_is_no_text(self, value):
        with pytest.raises(InvalidRequestError, match=r"^headers\['A'\]: the value must be a str"):
            Headers({"A": value})

    @pytest.mark.parametrize("fields", ["ab", 5, [("a",)], [1], ["abc"]])
    def test_what_is_no_headers(self, fields):
        with pytest.raises(InvalidRequestError, match=r"^headers: must be a mapping or \(name, value\) pairs"):
            Headers(fields)

    def test_latin_1_is_allowed(self):
        assert Headers({"A": "\xe4\t~"})["a"] == "\xe4\t~"

    def test_a_repr_shows_only_what_is_known_to_be_harmless(self):
        headers = Headers({"Content-Type": "text/plain", "Authorization": SECRET, "X-Key": SECRET, "Cookie": SECRET})
        assert repr(headers) == (
            "Headers([('Content-Type', 'text/plain'), ('Authorization', '***'), ('X-Key', '***'), ('Cookie', '***')])"
        )
        assert SECRET not in str(headers)

    def test_pairs_of_a_parser_are_taken_as_they_are(self):
        assert Headers.of_pairs([("A", "\x01")])["a"] == "\x01"


class HeadersModel(RuleBasedStateMachine):
    """Headers beside the simplest thing that could be right: a list, searched from one end to the other."""

    def __init__(self):
        super().__init__()
        self.headers = Headers()
        self.model: list[tuple[str, str]] = []

    @rule(name=names, value=values)
    def add(self, name, value):
        self.headers.add(name, value)
        self.model.append((name, value.strip(" \t")))

    @rule(name=names, value=values)
    def set(self, name, value):
        self.headers[name] = value
        mine = [index for index, (found, _) in enumerate(self.model) if found.lower() == name.lower()]
        place = mine[0] if mine else len(self.model)
        before, after = self.model[:place], [item for item in self.model[place:] if item[0].lower() != name.lower()]
        self.model = [*before, (name, value.strip(" \t")), *after]

    @rule(name=names)
    def delete(self, name):
        kept = [item for item in self.model if item[0].lower() != name.lower()]
        assert (name in self.headers) is (kept != self.model)
        self.headers.pop(name, None)
        self.model = kept

    @rule()
    def copy(self):
        self.headers = self.headers.copy()

    @invariant()
    def same(self):
        assert self.headers.pairs() == self.model
        assert self.headers == Headers(self.model)
        lowered = [name.lower() for name, _ in self.model]
        assert len(self.headers) == len(set(lowered)) == len(list(self.headers))
        assert [name.lower() for name in self.headers] == list(dict.fromkeys(lowered))
        for name in self.headers:
            found = [value for other, value in self.model if other.lower() == name.lower()]
            assert self.headers.get_list(name) == found
            assert self.headers[name] == ", ".join(found)


TestHeadersModel = HeadersModel.TestCase


@given(st.text(), st.text())
def test_what_gets_into_headers_cannot_split_a_message(name, value):
    try:
        headers = Headers([(name, value)])
    except InvalidRequestError:
        return
    line = ": ".join(headers.pairs()[0]).encode("latin-1")
    assert not set(line) & {*range(9), *range(10, 32), 127}
