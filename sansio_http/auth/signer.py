"""Signatures: the last thing that happens to a request before it is on the wire."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from ..exceptions import ConfigurationError, InvalidRequestError
from ..headers import Headers, HeadersLike
from ..models import HTTPRequest


class Unsigned(NamedTuple):
    """A request as it goes out, for a signature to cover.

    Args:
        method: in capitals.
        url: with its query; its host and port are what the Host header says.
        headers: all but those of the connection (Host, Content-Length and the like).
        digest: a function from a hash name, such as ``sha256``, to the digest of the body; None for a body that can
            be sent only once and so cannot be looked at before.
        wall: seconds since the epoch.
    """

    method: str
    url: str
    headers: Headers
    digest: Callable[[str], bytes] | None
    wall: float

    @classmethod
    def of(cls, request: HTTPRequest, wall: float) -> Unsigned:
        """What there is to cover of ``request``."""
        digest = _of_nothing if request.body is None else request.body.digest
        return cls(request.method, request.url, request.headers.copy(), digest, wall)


class Signer(Protocol):
    """Signs requests: AWS SigV4, HTTP Message Signatures (RFC 9421), or an API's own."""

    def sign(self, message: Unsigned) -> HeadersLike:
        """The headers that the signature adds, or replaces. Nothing changes the request after that.

        Args:
            message: the request, after limiter and circuit breaker have let it through; each send is signed anew.
        """
        ...


def signature(signer: Signer, message: Unsigned) -> Headers:
    """What ``signer`` adds to ``message``.

    Raises:
        ConfigurationError: it gave back something else than headers, or headers that cannot be sent.
        Exception: whatever it raised.
    """
    found: Any = signer.sign(message)
    whose = f"{type(signer).__name__}.sign"
    if found is None or isinstance(found, str | bytes):
        raise ConfigurationError(f"{whose}: returned {type(found).__name__}; it returns the headers to add, a mapping")
    try:
        return Headers(found)
    except InvalidRequestError as error:
        raise ConfigurationError(f"{whose}: what it returned cannot be sent: {error}") from None


def _of_nothing(algorithm: str) -> bytes:
    return hashlib.new(algorithm).digest()
