"""What an authentication is to the core: something that writes credentials onto a request."""

from __future__ import annotations

from typing import Protocol

from ..models import HTTPRequest


class Auth(Protocol):
    """Credentials that are at hand, and how they go onto a request.

    What must be awaited first is not an ``Auth``: the call asks the driver for it (``Policies.ask_auth``).
    """

    def apply(self, request: HTTPRequest, now: float) -> None:
        """Write the credentials onto ``request``, which is this send's own copy.

        Args:
            now: on the call's clock, for credentials that end.
        """
