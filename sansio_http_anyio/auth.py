"""Authentication as the adapter's user sees it: the core's credentials, and what must be awaited for one's own."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod

from sansio_http import APIKey, Basic, Bearer, HTTPRequest, PreparedRequest


class AuthHandler(ABC):
    """Puts credentials onto requests. Subclass it where getting them has to await something.

    A client awaits ``prepare_request`` for each send, before the request queues for anything, and holds nothing
    meanwhile. The credentials go to the origin of the client's ``base_url`` only.
    """

    @abstractmethod
    async def prepare_request(self, request: HTTPRequest) -> PreparedRequest:
        """Write the credentials onto ``request`` and return it."""


class BearerAuth(Bearer, AuthHandler):
    """``Authorization: Bearer TOKEN`` (RFC 6750 2.1).

    Args:
        token: letters, digits and ``- . _ ~ + /``, then any number of ``=``.

    Raises:
        ConfigurationError: the token has other characters.
    """

    async def prepare_request(self, request: HTTPRequest) -> PreparedRequest:
        """The request with the token, outside any client."""
        self.apply(request, time.monotonic())
        return request


class BasicAuth(Basic, AuthHandler):
    """``Authorization: Basic ...`` with user and password in UTF-8 (RFC 7617).

    Args:
        username: without a colon.
        password: may be empty.

    Raises:
        ConfigurationError: a value is not allowed.
    """

    async def prepare_request(self, request: HTTPRequest) -> PreparedRequest:
        """The request with the credentials, outside any client."""
        self.apply(request, time.monotonic())
        return request


class APIKeyAuth(APIKey, AuthHandler):
    """A key in a header, a query parameter or a cookie.

    Args:
        key: the key.
        name: of the header, parameter or cookie.
        location: ``header``, ``query`` or ``cookie``.

    Raises:
        ConfigurationError: a value cannot be sent there.
    """

    async def prepare_request(self, request: HTTPRequest) -> PreparedRequest:
        """The request with the key, outside any client."""
        self.apply(request, time.monotonic())
        return request
