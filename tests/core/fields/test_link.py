"""Link: what can be read is read, and nothing that a server sends raises."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sansio_http import Link, parse_links


@pytest.mark.parametrize(
    ("value", "links"),
    [
        ('<https://h/b>; rel="next", </a>; rel=prev', [("https://h/b", ("next",)), ("/a", ("prev",))]),
        ('</a,b;c>;title="x, <y>; \\"z";REL="Next last"', [("/a,b;c", ("next", "last"))]),
        ("</a>; rel=first; rel=next", [("/a", ("first",))]),
        ("</a>;;rel=next;", [("/a", ("next",))]),
        ("</a>", [("/a", ())]),
        ("</a>; rel", [("/a", ())]),
        ("broken, </a>; rel=next", [("/a", ("next",))]),
        ('</a> broken "x, y", </b>; rel=next', [("/b", ("next",))]),
        ('</a>; anchor="/x"; rel=next', [("/a", ())]),  # next to /x
        ("</a", []),
        ("", []),
        (" , ", []),
    ],
)
def test_links(value: str, links: list[tuple[str, tuple[str, ...]]]) -> None:
    assert [(link.target, link.rels) for link in parse_links([value])] == links


@given(st.lists(st.text('<>;,="\\ abrel')))
def test_nothing_raises(values: list[str]) -> None:
    assert all(isinstance(link, Link) for link in parse_links(values))
