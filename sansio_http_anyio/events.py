"""What a client does with streams of items: server-sent events, and JSON Lines."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Any, TypeVar, Unpack, overload

from sansio_http import LINE_LIMIT, EventParser, Headers, InvalidRequestError, Policies, Reconnection

from .bundle import completed
from .event_stream import EventStream
from .json_lines import JSONLines
from .options import RequestOptions, overlaid
from .streaming import ResponseStream, StreamContext
from .verbs import Verbs

T = TypeVar("T")

_MEANT = Headers({"Accept": "text/event-stream", "Cache-Control": "no-store"})
_ID = "Last-Event-ID"


class Events(Verbs):
    """What a client does with streams of items."""

    __slots__ = ()

    _clock: Callable[[], float]

    @property
    @abstractmethod
    def policies(self) -> Policies:
        """Who decides."""

    @abstractmethod
    def stream(self, method: str, url: str, **options: Unpack[RequestOptions]) -> ResponseStream:
        """Make a call and read its answer piece by piece."""

    @abstractmethod
    async def _wait_until(self, deadline: float) -> None:
        """Do nothing until then, on the client's clock, or until the client is closed."""

    def sse(
        self,
        url: str,
        *,
        method: str = "GET",
        reconnect: bool = True,
        last_event_id: str = "",
        max_event_size: int | None = LINE_LIMIT,
        **options: Unpack[RequestOptions],
    ) -> StreamContext[EventStream]:
        """Read server-sent events: ``async with client.sse("/events") as events``, then ``async for event in events``.

        A stream that ends, or breaks off, is asked for again with Last-Event-ID, after the time that its server has
        named, or three seconds, and a backoff. That goes on for ever where events come; where none do it ends by the
        number of retries that the client's policy has, and by its retry budget. A 204 says that there is no more.

        A request that must not be made twice (a POST without ``idempotent=True`` or a key) is made once: the end of its
        answer is the end. Without a retry policy no stream is asked for again.

        ``timeout`` bounds the time to the head of each connection, ``read_timeout`` each wait for something to come.

        Args:
            url: of the stream.
            method: GET, as the specification has it; POST for the many APIs that answer one with events.
            reconnect: False: the end of the answer is the end.
            last_event_id: of the last event that was had, to go on behind it.
            max_event_size: characters that the data of an event may have, and any line; None for any number.
            options: see :class:`RequestOptions`.

        Raises:
            ConfigurationError, InvalidRequestError: at once: names the argument that is wrong.
            ResponseDecodeError: on entering, and while iterating at a reconnection, as are all that follow: the answer
                is no event stream.
            HTTPResponseError: the status is 400 or above. And whatever :meth:`stream` raises.
            RetryExhaustedError: while iterating: the stream ended, and is not asked for again; its ``reason`` is
                ``attempts``, ``budget``, or ``retry_after`` where the server asks for too long a wait.
            ResponseBodyError: while iterating: the answer broke off, and is not to be asked for again.
            ResponseTooLargeError: while iterating: an event is larger than allowed.

        Source: WHATWG HTML, "Server-sent events".
        """
        if not isinstance(reconnect, bool):
            raise InvalidRequestError(f"reconnect: {reconnect!r:.40} is not allowed; it is True or False")
        headers = overlaid(_MEANT, options.get("headers"))
        EventParser(max_event_size, last_event_id)  # refuses what is wrong

        def connect(last: str) -> ResponseStream:
            fields = headers.copy()
            if last:
                fields[_ID] = last.encode().decode("latin-1")  # UTF-8, as the specification has it
            asked: Any = {**options, "headers": fields}
            return self.stream(method, url, **asked)

        def make() -> EventStream:
            given = options.get("policies")
            policies = self.policies if given is None else completed(given, self.policies)
            again: Reconnection | None = None
            if reconnect and policies.retry is not None and policies.retry.retries:
                again = Reconnection(policies.retry, policies.retry_budget, policies.rand)
            parser = EventParser(max_event_size, last_event_id)
            return EventStream(connect, parser, again, self._clock, self._wait_until)

        return StreamContext(make)

    @overload
    def jsonl(
        self,
        url: str,
        *,
        response_type: None = None,
        method: str = "GET",
        max_line_size: int | None = LINE_LIMIT,
        **options: Unpack[RequestOptions],
    ) -> StreamContext[JSONLines[Any]]: ...
    @overload
    def jsonl(
        self,
        url: str,
        *,
        response_type: type[T],
        method: str = "GET",
        max_line_size: int | None = LINE_LIMIT,
        **options: Unpack[RequestOptions],
    ) -> StreamContext[JSONLines[T]]: ...
    @overload
    def jsonl(
        self,
        url: str,
        *,
        response_type: Any,
        method: str = "GET",
        max_line_size: int | None = LINE_LIMIT,
        **options: Unpack[RequestOptions],
    ) -> StreamContext[JSONLines[Any]]: ...
    def jsonl(
        self,
        url: str,
        *,
        response_type: Any = None,
        method: str = "GET",
        max_line_size: int | None = LINE_LIMIT,
        **options: Unpack[RequestOptions],
    ) -> StreamContext[JSONLines[Any]]:
        """Read JSON Lines: ``async with client.jsonl("/x", response_type=User) as users``, then ``async for``.

        ``timeout`` bounds the time to the head, ``read_timeout`` each wait for something to come. An answer that breaks
        off is not asked for again. The media type is not looked at: servers have many names for it.

        Args:
            url: of the lines.
            response_type: what each line is to be: see :meth:`request`. None: whatever its JSON is.
            method: of the request.
            max_line_size: characters that a line may have; None for any number.
            options: see :class:`RequestOptions`.

        Raises:
            ConfigurationError, InvalidRequestError: at once: names the argument that is wrong.
            HTTPResponseError: on entering: the status is 400 or above. And whatever :meth:`stream` raises.
            ResponseValidationError, ResponseDecodeError: while iterating: a line is not of ``response_type``, or not
                JSON; the message says which. Those behind it can still be had.
            ResponseTooLargeError: while iterating: a line is longer than allowed.
            ResponseBodyError: while iterating: the answer broke off.
        """

        def make() -> JSONLines[Any]:
            return JSONLines(self.stream(method, url, **options), response_type, max_line_size)

        make()  # refuses what is wrong
        return StreamContext(make)
