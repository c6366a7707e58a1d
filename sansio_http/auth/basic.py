"""Basic authentication (RFC 7617)."""

from __future__ import annotations

import base64
import re

from ..exceptions import ConfigurationError
from ..models import HTTPRequest
from .base import Secret

_CONTROL = re.compile(r"[\x00-\x1f\x7f]").search


class Basic(Secret):
    """``Authorization: Basic ...`` with user and password in UTF-8 (RFC 7617 2.1).

    Args:
        username: without a colon, which separates it from the password.
        password: anything without control characters; may be empty.

    Raises:
        ConfigurationError: a value is not allowed. The message shows neither.
    """

    __slots__ = ("_value",)

    writes = "header authorization"

    def __init__(self, username: str, password: str) -> None:
        cls = type(self).__name__
        for name, value in (("username", username), ("password", password)):
            if not isinstance(value, str) or _CONTROL(value):
                raise ConfigurationError(f"{cls}.{name}: must be a str without control characters (RFC 7617 2)")
        if ":" in username:
            raise ConfigurationError(f"{cls}.username: may not have a colon (RFC 7617 2)")
        try:
            pair = f"{username}:{password}".encode()
        except UnicodeEncodeError:  # it holds the whole text
            raise ConfigurationError(f"{cls}: the username or the password is not text in UTF-8") from None
        credentials = base64.b64encode(pair).decode("ascii")
        self._value = f"Basic {credentials}"

    def apply(self, request: HTTPRequest, now: float) -> None:
        """Set the Authorization header."""
        request.headers.put("Authorization", self._value)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(***)"
