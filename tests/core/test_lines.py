"""Lines: whatever their ends and the pieces they come in, and never longer than allowed."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sansio_http import ConfigurationError, Lines, ResponseTooLargeError


def read(lines: Lines, pieces: list[str]) -> tuple[list[str], bool]:
    """What came of the pieces, and whether it ended well."""
    found: list[str] = []
    try:
        for number, piece in enumerate(pieces, 1):
            for line in lines.feed(piece, number == len(pieces)):
                found.append(line)  # and not lost where the next one is an error
    except ResponseTooLargeError:
        return found, False
    return found, True


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("", []),
        ("a", ["a"]),
        ("a\nb\r\nc\rd", ["a", "b", "c", "d"]),
        ("a\n\n\r\r\nb\n", ["a", "", "", "", "b"]),
        ("a\x0bb\x0c\x1c\x85\u2028c\n", ["a\x0bb\x0c\x1c\x85\u2028c"]),
    ],
)
def test_lines(text: str, lines: list[str]) -> None:
    assert read(Lines(), [text]) == (lines, True)


def test_where_only_line_feeds_end_lines() -> None:
    assert read(Lines(cr=False), ["a\rb\r\nc", "\nd\r"]) == (["a\rb\r", "c", "d\r"], True)


@given(st.lists(st.text("a\r\n", max_size=4), min_size=1), st.booleans(), st.none() | st.integers(1, 4))
def test_the_pieces_do_not_matter(pieces: list[str], cr: bool, limit: int | None) -> None:
    text = "".join(pieces)
    naive = re.split(r"\r\n|\r|\n" if cr else r"\n", text)
    if not naive[-1]:
        naive.pop()
    good = next((at for at, line in enumerate(naive) if limit is not None and len(line) > limit), len(naive))
    assert read(Lines(limit, cr=cr), pieces) == (naive[:good], good == len(naive))


def test_a_line_is_given_when_it_is_over_and_not_later() -> None:
    lines = Lines()
    assert list(lines.feed("one\r")) == ["one"]
    assert list(lines.feed("\ntw")) == []
    assert list(lines.feed("o\n")) == ["two"]


def test_a_line_that_is_too_long_is_not_collected() -> None:
    lines = Lines(3, option="most")
    taken = lines.feed("one\nfour")
    assert next(taken) == "one"
    with pytest.raises(ResponseTooLargeError, match="more than most, 3 characters") as caught:
        next(taken)
    assert (caught.value.phase, caught.value.head_sent, caught.value.body_started) == ("body", True, True)


@pytest.mark.parametrize("limit", [0, -1, 1.5, True, "1"])
def test_a_limit_that_is_none(limit: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"max_line_size: .* is not allowed"):
        Lines(limit)
