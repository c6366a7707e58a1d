"""Link: what a server says of other resources, such as where the next page is.

A target may hold any character but ``>``, and a quoted parameter any at all, so commas separate links only outside of
both. Whatever fits nowhere is passed over up to the next comma, so that one broken link does not hide a good one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

# Possessive throughout: the time is linear in the length, whatever a server sends.
_TARGET = re.compile(r"[ \t,]*+<([^>]*+)>[ \t]*+")
_PARAMETER = re.compile(
    r';[ \t]*+(?:([!#$%&\'*+\-.^_`|~0-9A-Za-z]++)[ \t]*+(?:=[ \t]*+(?:"((?:[^"\\]|\\.)*+)"|([^ \t",;]*+)))?)?[ \t]*+',
    re.DOTALL,
)
_NEXT = re.compile(r'(?:[^,"]|"(?:[^"\\]|\\.)*+["\\]?)*+,?+', re.DOTALL)  # a quote that nobody closes goes to the end
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)


class Link(NamedTuple):
    """One link.

    Args:
        target: a URL, or a reference relative to the answer's own URL, as the server wrote it.
        params: by name in lower case, unquoted; of a name that comes twice, the first.
    """

    target: str
    params: dict[str, str]

    @property
    def rels(self) -> tuple[str, ...]:
        """What the target is to the answer, in lower case.

        Empty where the link does not say, and where it has an ``anchor``: then it is about something else.
        """
        return () if "anchor" in self.params else tuple(self.params.get("rel", "").lower().split())


def parse_links(values: Sequence[str]) -> list[Link]:
    """Every link that can be read, in the order of the lines.

    Args:
        values: the lines of the field, as they came.

    Source: RFC 8288 3 and appendix B.2.
    """
    return [link for value in values for link in _links(value)]


def _links(value: str) -> list[Link]:
    found: list[Link] = []
    at = 0
    while at < len(value):
        target = _TARGET.match(value, at)
        if target is not None:
            params: dict[str, str] = {}
            at = target.end()
            while (match := _PARAMETER.match(value, at)) is not None:
                at = match.end()
                name, quoted, plain = match.groups()
                if name is not None:
                    params.setdefault(name.lower(), _ESCAPE.sub(r"\1", quoted) if quoted is not None else plain or "")
            if at == len(value) or value[at] == ",":
                found.append(Link(target[1].strip(), params))
        rest = _NEXT.match(value, at)
        assert rest is not None  # it matches nothing as well
        at = rest.end()
    return found
