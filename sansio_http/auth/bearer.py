"""Bearer tokens (RFC 6750)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, cast

from ..exceptions import ConfigurationError
from ..models import HTTPRequest
from .base import ActiveAuth

is_bearer_token = re.compile(r"[A-Za-z0-9\-._~+/]+=*").fullmatch


class Bearer(ActiveAuth):
    """``Authorization: Bearer TOKEN`` (RFC 6750 2.1).

    Args:
        token: letters, digits and ``- . _ ~ + /``, then any number of ``=``; or a function that returns one, which is
            called for each send, and awaited where the driver can do that.

    Raises:
        ConfigurationError: the token is empty or has other characters, when it is given, or when the function returns
            it. The message does not show it.
    """

    __slots__ = ("_get", "_value", "active")

    writes = "header authorization"

    def __init__(self, token: str | Callable[[], Any]) -> None:
        self.active = callable(token)
        self._get: Callable[[], Any] | None = cast("Callable[[], Any]", token) if self.active else None
        self._value = "" if self.active else self._checked(token)

    def question(self) -> tuple[Callable[[Any], Any], Any] | None:
        """The token, where it comes from a function."""
        get = self._get
        return None if get is None else (lambda _: get(), None)

    def told(self, request: HTTPRequest, answer: Any) -> None:
        """Set the Authorization header to the token that the function returned."""
        request.headers.put("Authorization", self._checked(answer))

    def apply(self, request: HTTPRequest, now: float) -> None:
        """Set the Authorization header, where the token is known."""
        if self._value:
            request.headers.put("Authorization", self._value)

    def _checked(self, token: object) -> str:
        """The value of the header."""
        if not isinstance(token, str) or not is_bearer_token(token):
            raise ConfigurationError(
                f"{type(self).__name__}.token: not a bearer token; it is a str of A-Z a-z 0-9 - . _ ~ + / and"
                " then any number of = (RFC 6750 2.1)"
            )
        return f"Bearer {token}"

    def __repr__(self) -> str:
        return f"{type(self).__name__}(***)"
