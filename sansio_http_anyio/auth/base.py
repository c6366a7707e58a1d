"""What an authentication is to the adapter's user, and what all of ours share."""

from __future__ import annotations

import inspect
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence

from sansio_http import ActiveAuth, Auth, HeadersLike, HTTPRequest, PreparedRequest, Signer, Unsigned


class AuthHandler(ABC):
    """Puts credentials onto requests. Subclass it where getting them has to await something.

    A client awaits ``prepare_request`` for each send, before the request queues for anything, and holds nothing
    meanwhile. The credentials go to the origin of the client's ``base_url`` only. A 401 is the answer, and does not ask
    again; what is raised in it ends the call and comes out as it is.
    """

    @abstractmethod
    async def prepare_request(self, request: HTTPRequest) -> PreparedRequest:
        """Write the credentials onto ``request`` and return it."""


class Prepared(AuthHandler, Auth):
    """One of ours: a client asks its core half, and ``prepare_request`` is there for whoever has no client."""

    async def prepare_request(self, request: HTTPRequest) -> PreparedRequest:
        """The request with the credentials, outside any client; what a server has to ask for first is not there."""
        if isinstance(self, ActiveAuth) and (question := self.question()) is not None:
            target, value = question
            answer = target(value)
            self.told(request, await answer if inspect.isawaitable(answer) else answer)
        self.apply(request, time.monotonic())
        return request


class RequestSigner(ABC):
    """Signs each send as the last thing before the wire. Subclass it for AWS SigV4, RFC 9421, or an API's own scheme.

    It goes where credentials go: ``auth=MySigner()``, or beside others, ``auth=[BearerAuth(token), MySigner()]``.
    """

    @abstractmethod
    def sign(self, message: Unsigned) -> HeadersLike:
        """The headers that the signature adds, or replaces. Nothing changes the request after that.

        It is not awaited; what it raises ends the call and comes out as it is.

        Args:
            message: the request as it goes out, after rate limiter and circuit breaker have let it through.
        """


OneAuth = Auth | AuthHandler | RequestSigner | Signer
AnyAuth = OneAuth | Sequence[OneAuth]
"""What is accepted where credentials are: one, or a list whose parts all go onto the request."""
