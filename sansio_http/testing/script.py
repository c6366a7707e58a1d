"""What a scripted server does, as data."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import cast

from ..exceptions import HTTPRequestError
from ..headers import HeadersLike
from ..models import HTTPResponse
from ..step import Send


class Reply:
    """One answer of a scripted server, or one failure on the way to it.

    Args:
        status: of the answer; ignored where ``error`` is given.
        headers: of the answer.
        content: of the answer; comes with the head, before any chunk.
        after: seconds from the send to the head, or to the error.
        chunks: what follows the head: (seconds after what came before, bytes).
        error: makes the error that comes in the place of a head: a class of ours, or a function of the send.
        fails: makes the error in which the body ends, after the chunks.
    """

    __slots__ = ("after", "chunks", "content", "error", "fails", "headers", "status")

    def __init__(
        self,
        status: int = 200,
        headers: HeadersLike = (),
        content: bytes = b"",
        *,
        after: float = 0.0,
        chunks: Iterable[tuple[float, bytes]] = (),
        error: Callable[[Send], BaseException] | type[HTTPRequestError] | None = None,
        fails: Callable[[Send], BaseException] | type[HTTPRequestError] | None = None,
    ) -> None:
        self.status = status
        self.headers = headers
        self.content = content
        self.after = after
        self.chunks = tuple(chunks)
        self.error = error
        self.fails = fails

    def head(self, send: Send) -> HTTPResponse | BaseException:
        """What comes ``after`` seconds after the send."""
        if self.error is not None:
            return make_error(self.error, send)
        return HTTPResponse(self.status, self.headers, self.content)

    def __repr__(self) -> str:
        what = self.status if self.error is None else getattr(self.error, "__name__", "error")
        return f"<Reply {what} after {self.after:g} s>"


Server = Callable[[Send], Reply]
"""Answers a send."""


def script(first: Reply, *others: Reply) -> Server:
    """A server that gives these replies in order; the last one for ever."""
    remaining = [first, *others]

    def answer(send: Send) -> Reply:
        return remaining.pop(0) if len(remaining) > 1 else remaining[0]

    return answer


def make_error(make: Callable[[Send], BaseException] | type[HTTPRequestError], send: Send) -> BaseException:
    """The error that a reply asks for, about ``send``."""
    if isinstance(make, type):
        return send.error(cast("type[HTTPRequestError]", make), "scripted")
    return make(send)
