"""The core's credentials as the adapter's user sees them."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable

from sansio_http import APIKey, Basic, Bearer, Digest

from .base import Prepared


class BearerAuth(Bearer, Prepared):
    """``Authorization: Bearer TOKEN`` (RFC 6750 2.1).

    Args:
        token: letters, digits and ``- . _ ~ + /``, then any number of ``=``; or a function that returns one, which may
            be a coroutine function. It is called for each send, before that queues for anything: cache what is dear. A
            401 does not call it again, and what it raises comes out of the call as it is.

    Raises:
        ConfigurationError: the token has other characters.
    """

    def __init__(self, token: str | Callable[[], str | Awaitable[str]]) -> None:
        super().__init__(token)


class BasicAuth(Basic, Prepared):
    """``Authorization: Basic ...`` with user and password in UTF-8 (RFC 7617).

    Args:
        username: without a colon.
        password: may be empty.

    Raises:
        ConfigurationError: a value is not allowed.
    """


class APIKeyAuth(APIKey, Prepared):
    """A key in a header, a query parameter or a cookie.

    Args:
        key: the key.
        name: of the header, parameter or cookie.
        location: ``header``, ``query`` or ``cookie``.

    Raises:
        ConfigurationError: a value cannot be sent there.
    """


class DigestAuth(Digest, Prepared):
    """``Authorization: Digest ...`` (RFC 7616): proof of a password that does not travel.

    MD5, SHA-256, SHA-512-256 and their session forms, qop ``auth`` and ``auth-int``, hashed user names. The first
    request of an origin costs two sends; the others carry their proof from the start.

    Args:
        username: without a colon.
        password: may be empty.

    Raises:
        ConfigurationError: a value is not allowed.
    """

    def __init__(self, username: str, password: str) -> None:
        super().__init__(username, password, entropy=os.urandom)
