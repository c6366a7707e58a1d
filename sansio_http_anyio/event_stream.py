"""Server-sent events as they come, over as many connections as that takes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import NoReturn

from sansio_http import (
    EventParser,
    HTTPClientError,
    HTTPRequestError,
    Reconnection,
    ResponseBodyError,
    ResponseDecodeError,
    RetryExhaustedError,
    ServerSentEvent,
    Stop,
    is_event_stream,
    may_repeat,
)

from .streaming import ResponseStream, StreamedResponse

_CLOSED = "the event stream was closed before it came to its end"


class EventStream:
    """The events of a stream. Iterate over it once, inside of ``async with client.sse(...) as events``.

    Where a connection ends, the next one is asked for what comes behind the last event; the loop notices nothing.

    Attributes:
        response: the answer that the events come from now.
    """

    response: StreamedResponse

    def __init__(
        self,
        connect: Callable[[str], ResponseStream],
        parser: EventParser,
        reconnection: Reconnection | None,
        clock: Callable[[], float],
        wait_until: Callable[[float], Awaitable[None]],
    ) -> None:
        self._connect = connect
        self._parser = parser
        self._reconnection = reconnection
        self._clock = clock
        self._wait_until = wait_until
        self._stream: ResponseStream | None = None  # the connection that is open
        self._chunks: AsyncIterator[bytes] | None = None  # what comes on it
        self._events: Iterator[ServerSentEvent] = iter(())  # that have come
        self._resume_at: float | None = None  # when the next connection is due
        self._failure: HTTPClientError | None = None  # what it has come to
        self._over = False

    @property
    def last_event_id(self) -> str:
        """Of the last event that was given out: ``sse(..., last_event_id=...)`` goes on behind it, another day too."""
        return self._parser.last_event_id

    async def open(self) -> None:
        """Ask for the stream, and wait for its head. The context does that."""
        self._stream = self._connect(self._parser.last_event_id)
        response = await self._stream.__aenter__()
        self.response = response
        self._resume_at = None
        try:
            content_type = response.raise_for_status().headers.get("content-type", "")
            if response.status_code == 204:
                self._over = True
            elif not (response.is_success and is_event_stream(content_type)):
                raise ResponseDecodeError(
                    f"the {response.status_code} response says {content_type!r:.80}, and an event stream is a 200 with"
                    " 'text/event-stream'",
                    response,
                )
        except BaseException:
            await self._leave()
            raise
        self._parser.restart()
        self._chunks = response.iter_bytes()
        if self._reconnection is not None:
            self._reconnection.opened(self._clock())
            if self._over:  # which is an answer too
                self._reconnection.arrived(self._clock())

    async def aclose(self) -> None:
        """Close the connection; nothing comes any more. The context does that. Idempotent."""
        if self._resume_at is not None and self._reconnection is not None:
            self._resume_at = None
            self._reconnection.left(self._clock())
        self._events = iter(())
        if not self._over and self._failure is None:
            self._failure = ResponseBodyError(_CLOSED, phase="body")
        await self._leave()

    def __aiter__(self) -> EventStream:
        return self

    async def __anext__(self) -> ServerSentEvent:
        try:
            while True:
                for event in self._events:
                    if self._reconnection is not None:
                        self._reconnection.arrived(self._clock())
                    return event
                if self._failure is not None:
                    raise self._failure
                if self._over:
                    raise StopAsyncIteration
                await self._more()
        except HTTPClientError as error:
            self._resume_at = None
            self._failure = self.response.located(error) if isinstance(error, HTTPRequestError) else error
            raise

    async def _more(self) -> None:
        """Some more of the stream, or another connection, or its end."""
        if self._resume_at is not None:
            await self._wait_until(self._resume_at)
            await self.open()
            return
        assert self._chunks is not None  # it is open
        failure: ResponseBodyError | None = None
        try:
            self._events = self._parser.feed(await anext(self._chunks))
        except StopAsyncIteration:
            pass
        except ResponseBodyError as error:
            failure = error
        else:
            return
        await self._leave()
        self._ended(failure)

    def _ended(self, failure: ResponseBodyError | None) -> None:
        """A connection is over: see what follows."""
        first = self.response.history[0] if self.response.history else self.response
        request = first.request
        again = request is not None and may_repeat(request) and (request.body is None or request.body.replayable)
        if self._reconnection is None or not again:
            if failure is not None:
                raise failure
            self._over = True
            return
        now, asked = self._clock(), self._parser.reconnection_time
        verdict = self._reconnection.ended(asked, now)
        if isinstance(verdict, Stop):
            self._give_up(verdict, failure, asked)
        self._resume_at = now + verdict.delay

    def _give_up(self, stop: Stop, failure: ResponseBodyError | None, asked: float | None) -> NoReturn:
        error = RetryExhaustedError(
            f"the event stream ended and is not asked for again ({stop.reason}: {stop.detail})",
            reason=stop.reason,
            last_response=self.response,
            last_error=failure,
            retry_after=asked,
        )
        error.attempts = self.response.attempts
        raise error

    async def _leave(self) -> None:
        """Give the connection back."""
        stream, self._stream, self._chunks = self._stream, None, None
        if stream is not None:
            await stream.__aexit__(None, None, None)
