"""Bearer tokens (RFC 6750)."""

from __future__ import annotations

import re

from ..exceptions import ConfigurationError
from ..models import HTTPRequest

_B64TOKEN = re.compile(r"[A-Za-z0-9\-._~+/]+=*").fullmatch


class Bearer:
    """``Authorization: Bearer TOKEN`` (RFC 6750 2.1).

    Args:
        token: letters, digits and ``- . _ ~ + /``, then any number of ``=``.

    Raises:
        ConfigurationError: the token is empty or has other characters. The message does not show it.
    """

    __slots__ = ("_value",)

    def __init__(self, token: str) -> None:
        if not isinstance(token, str) or not _B64TOKEN(token):
            raise ConfigurationError(
                f"{type(self).__name__}.token: not a bearer token; it is a str of A-Z a-z 0-9 - . _ ~ + / and"
                " then any number of = (RFC 6750 2.1)"
            )
        self._value = f"Bearer {token}"

    def apply(self, request: HTTPRequest, now: float) -> None:
        """Set the Authorization header."""
        request.headers.put("Authorization", self._value)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(***)"
