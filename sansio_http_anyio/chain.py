"""A client's middlewares in their order: around a call, around each send, and as watchers."""

from __future__ import annotations

import logging
import weakref
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, TypeVar, cast

from sansio_http import (
    ConfigurationError,
    Decision,
    HTTPRequest,
    HTTPResponse,
    Note,
    TotalTimeoutError,
    redact,
)

from .driver import Clock, Run
from .middleware.base import Middleware, overrides

if TYPE_CHECKING:
    from .client import AsyncHTTPClient

T = TypeVar("T", bound=HTTPRequest | HTTPResponse)

_log = logging.getLogger("sansio_http_anyio")


class Chain:
    """Asks the middlewares of a client: those of its calls on the way out and, in reverse, on the way back.

    Args:
        middlewares: asked once per call.
        hooks: asked for each send by the core; here they watch.
        clock: the client's.
        on_decision: told of what follows from failures.

    Attributes:
        before, after: those that change requests, and those that change responses, in the order in which they do.
        observe: tells the watchers of a note; None where nobody watches.
    """

    def __init__(
        self,
        middlewares: Sequence[Middleware],
        hooks: Sequence[Middleware],
        clock: Clock,
        on_decision: Callable[[Decision], object] | None = None,
    ) -> None:
        self.before = [each for each in middlewares if overrides(each, "process_request")]
        self.after = [each for each in reversed(middlewares) if overrides(each, "process_response")]
        watchers = [each for each in (*middlewares, *hooks) if overrides(each, "on_note")]
        self._watchers: list[tuple[str, Callable[[Note], object]]] = [
            (f"{type(each).__name__}.on_note", each.on_note) for each in watchers
        ]
        if on_decision is not None:
            self._watchers.append(("on_decision", partial(_tell_decision, on_decision)))
        self._clock = clock
        self.observe: Callable[[Note], None] | None = self._observe if self._watchers else None

    async def request(self, request: HTTPRequest, client: AsyncHTTPClient, run: Run) -> HTTPRequest:
        """The request to go on with, with what is left of its time.

        Raises:
            TotalTimeoutError: nothing is left.
        """
        timeout = request.timeout
        deadline = None if timeout is None else self._clock() + timeout
        with run.until(deadline):
            for middleware in self.before:
                answer = await middleware.process_request(request, client)
                request = _or_given(answer, request, middleware)
            if deadline is None or request.timeout != timeout:
                return request
            left = deadline - self._clock()
            if left > 0:
                request = request.copy()  # a middleware may keep the one it returned
                request.timeout = left
                return request
        run.check()
        raise TotalTimeoutError(
            "the call's time ran out in a middleware", method=request.method, url=redact(request.url), phase="queue"
        )

    async def response(self, response: HTTPResponse, request: HTTPRequest) -> HTTPResponse:
        """The response to go on with. An open body that does not go on is thrown away."""
        body, kept = response.body, False
        try:
            for middleware in self.after:
                answer = await middleware.process_response(response, response.request or request)
                response = _or_given(answer, response, middleware)
            kept = response.body is body
        finally:
            if body is not None and not kept:
                body.discard()
        return response

    def _observe(self, note: Note) -> None:
        for name, tell in self._watchers:
            try:
                tell(note)
            except Exception:
                _log.exception("%s raised; the call goes on", name)


class AttemptMiddleware:
    """A middleware as the core's hook: it is asked for each send and each answer."""

    def __init__(self, middleware: Middleware, client: AsyncHTTPClient) -> None:
        self._middleware = middleware
        self._client = weakref.ref(client)  # which holds us: in a cycle it would be collected late

    async def process_request(self, request: HTTPRequest) -> HTTPRequest | None:
        """The request to go on with."""
        client = self._client()
        assert client is not None  # it makes this call
        return await self._middleware.process_request(request, client)

    async def process_response(self, response: HTTPResponse, request: HTTPRequest) -> HTTPResponse | None:
        """The response to go on with."""
        return await self._middleware.process_response(response, request)


def _tell_decision(on_decision: Callable[[Decision], object], note: Note) -> None:
    if isinstance(note, Decision):
        on_decision(note)


def _or_given(answer: object, given: T, middleware: Middleware) -> T:
    """What a middleware gave back; what it was given where it gave nothing."""
    kind = HTTPRequest if isinstance(given, HTTPRequest) else HTTPResponse
    if answer is None:
        return given
    if not isinstance(answer, kind):
        raise ConfigurationError(
            f"{type(middleware).__name__} gave back a {type(answer).__name__}; allowed is an {kind.__name__}, or None"
        )
    return cast("T", answer)
