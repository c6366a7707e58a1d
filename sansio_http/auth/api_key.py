"""API keys in a header, a query parameter or a cookie."""

from __future__ import annotations

import re
from typing import Literal

from ..exceptions import ConfigurationError
from ..headers import Headers
from ..models import HTTPRequest
from ..query import add_params
from .base import Secret

Location = Literal["header", "query", "cookie"]

_COOKIE_VALUE = re.compile(r"[!#-+\--:<-\[\]-~]+").fullmatch  # RFC 6265 4.1.1

_NAMES = {
    "header": "the name of a header has letters, digits and -, or others of RFC 9110 5.6.2",
    "query": "it is not text in UTF-8",
    "cookie": "the name of a cookie has letters, digits and -, or others of RFC 6265 4.1.1",
}
_KEYS = {
    "header": "may not be in a header (RFC 9110 5.5)",
    "query": "is not text in UTF-8",
    "cookie": "may not be in a cookie (RFC 6265 4.1.1)",
}

_NOT_FOR_KEYS = frozenset({"content-length", "host", "transfer-encoding"})


class APIKey(Secret):
    """A key that goes with every request.

    Args:
        key: the key.
        name: of the header, query parameter or cookie that carries it.
        location: ``header``, ``query`` or ``cookie``.

    Raises:
        ConfigurationError: names the value that cannot be sent there. The message does not show the key.
    """

    __slots__ = ("_key", "location", "name")

    def __init__(self, key: str, *, name: str = "X-API-Key", location: Location = "header") -> None:
        cls = type(self).__name__
        if location not in ("header", "query", "cookie"):
            raise ConfigurationError(
                f"{cls}.location: {location!r} is not allowed; it is 'header', 'query' or 'cookie'"
            )
        if not isinstance(key, str) or not key:
            raise ConfigurationError(f"{cls}.key: must be a str that is not empty")
        if not isinstance(name, str) or not name:
            raise ConfigurationError(f"{cls}.name: {name!r} is not allowed; it is a str that is not empty")
        if location == "header" and name.lower() in _NOT_FOR_KEYS:
            raise ConfigurationError(f"{cls}.name: {name!r} is not allowed; that header is about the message itself")
        if not _can_be_sent(location, name, "x"):
            raise ConfigurationError(f"{cls}.name: {name!r} is not allowed; {_NAMES[location]}")
        if not _can_be_sent(location, "x", key):
            raise ConfigurationError(f"{cls}.key: has a character that {_KEYS[location]}")
        self._key = key
        self.name = name
        self.location = location

    @property
    def writes(self) -> str:  # type: ignore[override]
        """The header, parameter or cookie."""
        return f"header {self.name.lower()}" if self.location == "header" else f"{self.location} {self.name}"

    def apply(self, request: HTTPRequest, now: float) -> None:
        """Set the header, add the query parameter, or add the cookie beside those that are there."""
        if self.location == "header":
            request.headers.put(self.name, self._key)
        elif self.location == "query":
            request.url = add_params(request.url, [(self.name, self._key)])
        else:
            cookies = [*request.headers.get_list("Cookie"), f"{self.name}={self._key}"]
            request.headers["Cookie"] = "; ".join(cookies)  # one field (RFC 6265 5.4)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(***, name={self.name!r}, location={self.location!r})"


def _can_be_sent(location: Location, name: str, value: str) -> bool:
    try:
        if location == "query":
            add_params("", [(name, value)])
        else:
            Headers({name: value})
    except ValueError:
        return False
    return location != "cookie" or _COOKIE_VALUE(value) is not None
