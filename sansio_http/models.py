"""What travels through the core: headers, requests, responses, and the record of an attempt."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPMethod, HTTPStatus
from math import inf
from typing import Any, NamedTuple, Protocol

from .bodies import Body
from .exceptions import HTTPResponseError, InvalidRequestError, RateLimitError, ResponseDecodeError
from .fields.media_type import charset, is_json
from .fields.problem import ProblemDetails, parse_problem
from .fields.rate_limit import ServerLimit, parse_rate_limits
from .fields.retry_after import parse_retry_after
from .headers import Headers, HeadersLike
from .json_text import parse_json
from .query import ParamsStyle, QueryParams
from .telling import tell_attempts
from .urls import redact

METHODS = frozenset(method.value for method in HTTPMethod) - {"CONNECT"}
"""The methods a request may have: the standard library's, without CONNECT, which asks for a tunnel."""

_new = object.__new__
_LONGEST = 1e18  # seconds; an int beyond what a float holds would overflow where it is added to a time


@dataclass(slots=True, repr=False, init=False)
class HTTPRequest:
    """One request, mutable in hooks: a :class:`~sansio_http.Call` works on a copy of its own.

    Args:
        method: GET, HEAD, POST, PUT, DELETE, PATCH, OPTIONS or TRACE; any case, or an :class:`http.HTTPMethod`.
        url: absolute, as it goes out; ``params`` are added to its query.
        headers: a :class:`Headers`, or what makes one.
        params: added to the query when the request is sent; None values are left out, lists repeat the name.
        body: bytes or a :class:`Body`; None for no body.
        timeout: seconds for the whole call (to the head, for a stream); None for no limit.
        idempotent: True vouches that the server may receive this request twice, whatever its method.
        idempotency_key: sent as Idempotency-Key, the same for every attempt, which vouches likewise: this API honours
            the header. ``"auto"`` makes a key for the call.
        params_style: how a list in ``params`` is written (see :data:`~sansio_http.ParamsStyle`).

    Raises:
        InvalidRequestError: an unknown method, a bad header, or a timeout that is not a number above 0.
    """

    method: str
    url: str
    headers: Headers = field(default_factory=Headers)
    params: QueryParams | None = None
    body: Body | None = None
    timeout: float | None = None
    idempotent: bool = False
    idempotency_key: str | None = None
    params_style: ParamsStyle = "repeat"

    def __init__(
        self,
        method: str,
        url: str,
        headers: HeadersLike | None = None,
        params: QueryParams | None = None,
        body: Body | bytes | None = None,
        timeout: float | None = None,
        *,
        idempotent: bool = False,
        idempotency_key: str | None = None,
        params_style: ParamsStyle = "repeat",
    ) -> None:
        self.method = method
        self.url = url
        self.headers = headers  # type: ignore[assignment]  # check() makes it one
        self.params = params
        self.body = body  # type: ignore[assignment]
        self.timeout = timeout
        self.idempotent = idempotent
        self.idempotency_key = idempotency_key
        self.params_style: ParamsStyle = params_style
        self.check()

    def check(self) -> None:
        """Bring every field to its form, or refuse it: done when built, and again after hooks had their way.

        Raises:
            InvalidRequestError: names the field, the value and what is allowed.
        """
        method, body, timeout = self.method, self.body, self.timeout
        if type(method) is not str or method not in METHODS:
            if not isinstance(method, str) or method.upper() not in METHODS:
                raise InvalidRequestError(f"method: {method!r:.40} is not one of {', '.join(sorted(METHODS))}")
            self.method = method.upper()
        if not isinstance(self.url, str):
            raise InvalidRequestError(f"url: must be a str, not {type(self.url).__name__}")
        if type(self.headers) is not Headers:
            self.headers = Headers(self.headers or ())
        if body is not None and type(body) is not Body:
            if not isinstance(body, bytes | bytearray | memoryview):
                raise InvalidRequestError(f"body: must be bytes, a Body or None, not {type(body).__name__}")
            self.body = Body.of(bytes(body))
        if timeout is not None and not (
            isinstance(timeout, (float, int)) and (0 < timeout <= _LONGEST or timeout == inf)
        ):
            raise InvalidRequestError(f"timeout: {timeout!r:.40} is not allowed; it is seconds above 0, or None")

    def copy(self) -> HTTPRequest:
        """An independent copy (the body's source is shared)."""
        new = _new(HTTPRequest)
        new.method = self.method
        new.url = self.url
        new.headers = self.headers.copy()
        new.params = self.params
        new.body = self.body
        new.timeout = self.timeout
        new.idempotent = self.idempotent
        new.idempotency_key = self.idempotency_key
        new.params_style = self.params_style
        return new

    def __repr__(self) -> str:
        return f"<HTTPRequest {self.method} {redact(self.url)}>"


PreparedRequest = HTTPRequest
"""The same class: a request as ``prepare_request`` gives it back."""


class Attempt(NamedTuple):
    """One try of a call, as ``response.attempts`` and ``error.attempts`` tell it.

    Args:
        number: 1 for the first.
        started: when it began to be sent, on the call's clock, in seconds.
        elapsed: seconds from then to its outcome.
        sends: requests that went on the wire for it (a 401 answered and a redirect followed are sends of one attempt).
        status_code: of its answer; None where it ended in an error.
        error: one line on the error; None where it was answered.
        reason: why it was retried, or why no retry followed; None where nothing asked for one. ``not_replayable`` also
            where a 401 could have been answered, but for a body that can be sent only once.
        delay: seconds waited before the next attempt; None where none followed.
    """

    number: int
    started: float
    elapsed: float
    sends: int
    status_code: int | None
    error: str | None
    reason: str | None
    delay: float | None


class ResponseBody(Protocol):
    """What the core knows of an open body: it can be thrown away, now and without failing."""

    def discard(self) -> None:
        """Give the connection back if the body was complete, else close it; idempotent, never raises."""


class HTTPResponse:
    """An answer.

    Args:
        status_code: 100 to 599.
        headers: a :class:`Headers`, or what makes one.
        content: the body; empty while ``body`` is open.
        json_data: the parsed body, where it is known already; left out, it is parsed at first access.
        http_version: as the server said it.
        body: an open body that only the transport reads; None once the response is complete.

    Attributes:
        request: the request that was answered, as it was sent; None where the response was made by hand.
        attempts: every try of the call, oldest first.
        history: the answers that redirected here, oldest first.
        elapsed: seconds from the call's start to this outcome.
        loads: what parses ``content`` for ``json_data``; it raises ValueError for what is not JSON.
    """

    __slots__ = (
        "_json",
        "attempts",
        "body",
        "content",
        "elapsed",
        "headers",
        "history",
        "http_version",
        "loads",
        "request",
        "status_code",
    )

    def __init__(
        self,
        status_code: int,
        headers: HeadersLike = (),
        content: bytes = b"",
        json_data: Any = ...,
        *,
        http_version: str = "HTTP/1.1",
        body: ResponseBody | None = None,
    ) -> None:
        self.status_code = status_code
        self.headers = headers if isinstance(headers, Headers) else Headers(headers)
        self.content = content
        self.http_version = http_version
        self.body = body
        self.request: HTTPRequest | None = None
        self.attempts: tuple[Attempt, ...] = ()
        self.history: tuple[HTTPResponse, ...] = ()
        self.elapsed = 0.0
        self.loads: Callable[[bytes], Any] = parse_json
        self._json = json_data

    @property
    def is_success(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status_code < 300

    @property
    def reason(self) -> str:
        """The status in words, from the registry of codes; empty for an unregistered one."""
        try:
            return HTTPStatus(self.status_code).phrase
        except ValueError:
            return ""

    @property
    def json_data(self) -> Any:
        """The body parsed as JSON, at first access; None for an empty body or a media type that is not JSON.

        Raises:
            ResponseDecodeError: the media type says JSON and the body is not.
        """
        if self._json is ...:
            content_type = self.headers.get("content-type", "")
            if not self.content or not is_json(content_type):
                self._json = None
            else:
                try:
                    self._json = self.loads(self.content)
                except (ValueError, RecursionError) as error:
                    position = f" at {error.pos}" if isinstance(error, json.JSONDecodeError) else ""
                    raise ResponseDecodeError(
                        f"the {self.status_code} response says {content_type!r:.80} and its body of"
                        f" {len(self.content)} bytes is not JSON{position}",
                        self,
                    ) from None  # the parser's error holds the whole document
        return self._json

    @property
    def text(self) -> str:
        """The body as text: by the charset its Content-Type names, else UTF-8.

        Raises:
            ResponseDecodeError: the charset is unknown, or the body is not in it.
        """
        encoding = charset(self.headers.get("content-type", "")) or "utf-8"
        try:
            return self.content.decode(encoding)
        except (LookupError, UnicodeError):  # some codecs raise the latter's base class
            raise ResponseDecodeError(
                f"the body of {len(self.content)} bytes is not text in {encoding!r:.40}", self
            ) from None

    @property
    def problem(self) -> ProblemDetails | None:
        """What the server says went wrong, where it says so by RFC 9457 (``application/problem+json``)."""
        return parse_problem(self.headers.get("content-type", ""), self.content)

    def raise_for_status(self) -> HTTPResponse:
        """This response, unless its status is an error.

        Raises:
            RateLimitError: for 429, with ``retry_after`` where the server sent one in seconds or beside a Date.
            HTTPResponseError: for any other status of 400 or above. Either has the ``problem`` that it tells of.
        """
        if self.status_code < 400:
            return self
        phrase = f"{self.status_code} {self.reason}".rstrip()
        where = f" for {self.request.method} {redact(self.request.url)}" if self.request else ""
        error: HTTPResponseError
        if self.status_code == 429:
            error = RateLimitError(429, phrase + where, self, retry_after=self.retry_after())
        else:
            error = HTTPResponseError(self.status_code, phrase + where, self)
        error.attempts = self.attempts
        raise error

    def retry_after(self, wall: float | None = None) -> float | None:
        """Seconds that the server asks us to wait, by Retry-After; None where it does not say.

        Args:
            wall: seconds since the epoch, for an HTTP-date in a response that has no Date of its own.
        """
        values = self.headers.get_list("retry-after")
        return parse_retry_after(values, date=self.headers.get("date"), wall=wall) if values else None

    @property
    def rate_limits(self) -> tuple[ServerLimit, ...]:
        """What the server says of its limits, by RateLimit and RateLimit-Policy; empty where it says nothing."""
        headers = self.headers
        return parse_rate_limits(headers.get_list("ratelimit-policy"), headers.get_list("ratelimit"))

    def describe(self) -> str:
        """The call's story for a person, in a line for each attempt: when, how long, what came, what followed and why.

        It has no header, no body, and no query value.
        """
        where = f"{self.request.method} {redact(self.request.url)}: " if self.request else ""
        took = f" in {self.elapsed:.3f} s" if self.attempts else ""
        return tell_attempts(f"{where}{self.status_code} {self.reason}".rstrip() + took, self.attempts)

    def discard(self) -> None:
        """Throw an open body away, now; nothing happens where there is none. Never raises."""
        if self.body is not None:
            self.body.discard()

    def __getstate__(self) -> tuple[None, dict[str, Any]]:
        # A pickle outlives the process and may be read by others: the request, with its credentials, stays behind.
        # And what parses JSON may be anything.
        gone = {"request": None, "body": None, "loads": parse_json}
        return None, {name: getattr(self, name) for name in HTTPResponse.__slots__} | gone

    def __repr__(self) -> str:
        size = "open body" if self.body is not None else f"{len(self.content)} bytes"
        return f"<HTTPResponse {self.status_code} {self.reason}, {size}>"


Outcome = HTTPResponse | BaseException
"""How a call or a send ended."""
