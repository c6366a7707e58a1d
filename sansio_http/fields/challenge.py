"""WWW-Authenticate: what a server accepts as proof of who asks.

Several challenges may share one line, separated by the same comma that separates the parameters of each. What tells
them apart is what follows a token: ``=`` makes it the name of a parameter, and anything else a scheme. Whatever fits
nowhere is passed over up to the next comma, so that one broken challenge does not hide a good one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

_TOKEN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]++"  # RFC 9110 5.6.2

# Possessive throughout: the time is linear in the length, whatever a server sends.
_PARAMETER = re.compile(rf'({_TOKEN})[ \t]*+=[ \t]*+(?:"((?:[^"\\]|\\.)*+)"|({_TOKEN}))[ \t]*+(?=,|\Z)', re.DOTALL)
_SCHEME = re.compile(rf"({_TOKEN})(?:[ \t]++|(?=,|\Z))")
_TOKEN68 = re.compile(r"([A-Za-z0-9\-._~+/]++=*+)[ \t]*+(?=,|\Z)")
_NEXT = re.compile(r'(?:[^,"]|"(?:[^"\\]|\\.)*+["\\]?)*+', re.DOTALL)  # a quote that nobody closes goes to the end
_BLANK = re.compile(r"[ \t,]*+")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)


class Challenge(NamedTuple):
    """One challenge.

    Args:
        scheme: in lower case.
        params: by name in lower case, unquoted; of a name that comes twice, the first.
        token: what some schemes have in the place of parameters; None where there is none.
    """

    scheme: str
    params: dict[str, str]
    token: str | None = None


def parse_challenges(values: Sequence[str]) -> list[Challenge]:
    """Every challenge that can be read, in the order of the lines.

    Args:
        values: the lines of one field, as they came.

    Source: RFC 9110 11.6.1 and 11.2.
    """
    return [challenge for value in values for challenge in _challenges(value)]


def parse_parameters(value: str) -> dict[str, str]:
    """Parameters without a scheme, as Authentication-Info has them; names in lower case. Source: RFC 9110 11.6.3."""
    params: dict[str, str] = {}
    at = _skip(_BLANK, value, 0)
    while at < len(value):
        match = _PARAMETER.match(value, at)
        if match:
            _keep(params, match)
        at = _skip(_BLANK, value, match.end() if match else _skip(_NEXT, value, at))
    return params


def _challenges(value: str) -> list[Challenge]:
    found: list[Challenge] = []
    at = _skip(_BLANK, value, 0)
    while at < len(value):
        if match := _PARAMETER.match(value, at):
            if found:  # else a parameter of nobody's
                _keep(found[-1].params, match)
        elif match := _SCHEME.match(value, at):
            at, scheme = match.end(), match[1].lower()
            if _PARAMETER.match(value, at):  # its first one follows without a comma
                found.append(Challenge(scheme, {}))
                continue
            token = _TOKEN68.match(value, at)
            found.append(Challenge(scheme, {}, token and token[1]))
            match = token
        at = _skip(_BLANK, value, match.end() if match else _skip(_NEXT, value, at))
    return found


def _keep(params: dict[str, str], match: re.Match[str]) -> None:
    name, quoted, plain = match.groups()
    params.setdefault(name.lower(), _ESCAPE.sub(r"\1", quoted) if quoted is not None else plain)


def _skip(pattern: re.Pattern[str], value: str, at: int) -> int:
    match = pattern.match(value, at)
    assert match is not None  # it matches nothing as well
    return match.end()
