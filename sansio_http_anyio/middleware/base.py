"""What stands around a call, or around each of its sends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sansio_http import HTTPRequest, HTTPResponse, Note

if TYPE_CHECKING:
    from ..client import AsyncHTTPClient


class Middleware:
    """Looks at, or changes, what goes out and what comes back. Override what you need.

    Among a client's ``middlewares`` it is asked once per call: ``process_request`` before the first attempt, in order;
    ``process_response`` after the last, in reverse. Among its ``attempt_middlewares`` it is asked for each send and
    each answer. An exception of yours ends the call with it.
    """

    async def process_request(self, request: HTTPRequest, client: AsyncHTTPClient) -> HTTPRequest | None:
        """The request to go on with; None for the one given, changed or not.

        Args:
            request: not yet with credentials; its ``params`` are not yet in its URL.
            client: that makes the call.
        """
        return request

    async def process_response(self, response: HTTPResponse, request: HTTPRequest) -> HTTPResponse | None:
        """The response to go on with; None for the one given, changed or not.

        Args:
            response: complete, or with an open body.
            request: that it answers.
        """
        return response

    def on_note(self, note: Note) -> None:
        """Told of every decision as it is made. Notes are made only where somebody overrides this; do not block in it.

        An exception of yours here is logged and goes no further: who watches must not break what is watched.
        """


def overrides(middleware: Middleware, name: str) -> bool:
    """Whether a middleware brings its own ``name``: what it does not bring costs nothing."""
    return getattr(type(middleware), name) is not getattr(Middleware, name)
