"""What a Set-Cookie line says, by the rules that browsers follow: they take much, and drop what could do harm.

Source: RFC 6265bis (draft-ietf-httpbis-rfc6265bis-20) 5.1.1, 5.1.4, 5.6.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, cast

LIFETIME = 400 * 86_400
"""Seconds that a cookie lives at most, whatever it says."""

MAX_SIZE, MAX_ATTRIBUTE_SIZE = 4096, 1024
"""Octets of a name and its value together, and of an attribute's value."""

SameSite = Literal["strict", "lax", "none", "default"]

_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]").search
_WHITESPACE = " \t"
_MAX_AGE = re.compile(r"-?[0-9]+").fullmatch

_DELIMITERS = re.compile(r"[\x09\x20-\x2f\x3b-\x40\x5b-\x60\x7b-\x7e]+")
_TIME = re.compile(r"([0-9]{1,2}):([0-9]{1,2}):([0-9]{1,2})(?![0-9])")
_DAY = re.compile(r"([0-9]{1,2})(?![0-9])")
_YEAR = re.compile(r"([0-9]{2,4})(?![0-9])")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


@dataclass(slots=True)
class SetCookie:
    """One line, read.

    Attributes:
        name, value: as they go back.
        expires: seconds since the epoch; None: with the session.
        domain: lower case, without a leading dot; empty where there is none.
        path: None where there is none that counts.
        secure, http_only, same_site: as given.
    """

    name: str
    value: str
    expires: float | None = None
    domain: str = ""
    path: str | None = None
    secure: bool = False
    http_only: bool = False
    same_site: SameSite = "default"


def parse_set_cookie(line: str, wall: float) -> SetCookie | None:
    """What one Set-Cookie field says; None where it is to be ignored.

    Args:
        line: the value of the field.
        wall: seconds since the epoch, from which Max-Age counts.
    """
    if _CONTROL(line):
        return None
    pair, *attributes = line.split(";")
    name, equals, value = pair.partition("=")
    if not equals:
        name, value = "", name
    name, value = name.strip(_WHITESPACE), value.strip(_WHITESPACE)
    if not (name or value) or len(name) + len(value) > MAX_SIZE:
        return None
    cookie = SetCookie(name, value)
    max_age: float | None = None
    for attribute in attributes:
        key, _, text = attribute.partition("=")
        key, text = key.strip(_WHITESPACE).lower(), text.strip(_WHITESPACE)
        if len(text) > MAX_ATTRIBUTE_SIZE:
            continue
        if key == "expires":
            date = parse_cookie_date(text)
            cookie.expires = cookie.expires if date is None else date
        elif key == "max-age" and _MAX_AGE(text):
            max_age = float(text)
        elif key == "domain":
            cookie.domain = text.removeprefix(".").lower()
        elif key == "path":
            cookie.path = text if text[:1] == "/" else None
        elif key == "secure":
            cookie.secure = True
        elif key == "httponly":
            cookie.http_only = True
        elif key == "samesite":
            mode = text.lower()
            cookie.same_site = cast("SameSite", mode) if mode in ("strict", "lax", "none") else "default"
    if max_age is not None:  # it goes before Expires
        cookie.expires = wall + max_age if max_age > 0 else 0.0
    if cookie.expires is not None:
        cookie.expires = min(cookie.expires, wall + LIFETIME)
    return cookie


def parse_cookie_date(text: str) -> float | None:
    """Seconds since the epoch of a date as servers write it in cookies; None where it is none. Source: 5.1.1."""
    time: tuple[int, int, int] | None = None
    day = month = year = None
    for token in _DELIMITERS.split(text):
        if time is None and (match := _TIME.match(token)):
            time = (int(match[1]), int(match[2]), int(match[3]))
        elif day is None and (match := _DAY.match(token)):
            day = int(match[1])
        elif month is None and token[:3].lower() in _MONTHS:
            month = _MONTHS.index(token[:3].lower()) + 1
        elif year is None and (match := _YEAR.match(token)):
            year = int(match[1])
    if time is None or day is None or month is None or year is None:
        return None
    if year < 100:
        year += 1900 if year >= 70 else 2000
    try:
        return datetime(year, month, day, *time, tzinfo=UTC).timestamp() if year >= 1601 else None
    except ValueError:
        return None


def default_path(path: str) -> str:
    """The path of a cookie that names none: that of the URL, up to its last slash. Source: 5.1.4."""
    return path[: path.rfind("/")] or "/"


def path_matches(path: str, cookie_path: str) -> bool:
    """Whether a cookie for ``cookie_path`` goes to ``path``. Source: 5.1.4."""
    if not path.startswith(cookie_path):
        return False
    return path == cookie_path or cookie_path[-1] == "/" or path[len(cookie_path)] == "/"


def domain_matches(host: str, domain: str) -> bool:
    """Whether a host is ``domain``, or below it. An IP address is only itself. Source: 5.1.3."""
    if host == domain:
        return True
    return host.endswith(f".{domain}") and ":" not in host and not host.rpartition(".")[2].isdigit()
