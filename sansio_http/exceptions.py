"""Every error this library raises, in one tree under :class:`HTTPClientError`.

What a class tells you is *who erred*: :class:`ConfigurationError` and :class:`InvalidRequestError` are the caller's
mistakes, found before anything is sent; :class:`HTTPRequestError` is the network's; :class:`HTTPResponseError` is the
server's answer; :class:`RetryExhaustedError` and :class:`CircuitBreakerOpenError` are our own policies giving up.

No message, attribute or repr here carries a secret: URLs come without query values, headers not at all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from .telling import tell_attempts

if TYPE_CHECKING:
    from .fields.problem import ProblemDetails
    from .models import Attempt, HTTPResponse

Phase = Literal["queue", "connect", "send", "head", "body"]
"""How far an exchange had come: waiting for a place, connecting, sending, awaiting the head, reading the body."""


def _rebuild(cls: type[HTTPClientError], args: tuple[Any, ...], state: dict[str, Any]) -> HTTPClientError:
    error = cls.__new__(cls, *args)
    error.args = args
    error.__dict__.update(state)
    return error


def one_line(error: BaseException) -> str:
    """An error in one line. Of errors that are not ours only the class is told: their text may hold anything."""
    name = type(error).__name__
    return f"{name}: {str(error).splitlines()[0]}" if isinstance(error, HTTPClientError) and str(error) else name


class HTTPClientError(Exception):
    """The root of the tree: ``except HTTPClientError`` catches whatever we raise.

    What code of the user's raises in the middle of a call (a function that returns a token, a signer, a middleware, the
    iterator of a body) comes out of it as it is.

    Attributes:
        attempts: every try of the call so far, oldest first (see :class:`~sansio_http.Attempt`); empty where the
            error did not come from a call.
    """

    attempts: tuple[Attempt, ...] = ()

    def describe(self) -> str:
        """The call's story for a person, in a line for each attempt: when, how long, what came, what followed and why.

        Like every text here it has no header, no body, and no query value.
        """
        return tell_attempts(one_line(self), self.attempts)

    def __reduce__(self) -> tuple[Any, ...]:
        # The default would call the class with ``args`` alone, which keyword-only constructors refuse.
        return _rebuild, (type(self), self.args, self.__dict__)


class ConfigurationError(HTTPClientError, ValueError):
    """A setting is wrong. The message names the field, the value (never a secret) and what is allowed."""


class InvalidRequestError(HTTPClientError, ValueError):
    """A request cannot be sent as it was written (URL, method, header, body); nothing was sent."""


class ClientClosedError(HTTPClientError, RuntimeError):
    """The client was used after ``aclose()``, was closed during the call, or belongs to another event loop."""


class DriverError(HTTPClientError, RuntimeError):
    """A driver broke the protocol of :class:`~sansio_http.Call`. This is a bug in the driver, not in a request."""


class HTTPRequestError(HTTPClientError):
    """No complete response came back.

    Classification goes by progress, never by class alone, so every instance says how far the exchange had come.

    Args:
        message: what happened, in words.
        method, url: of the request; the URL without query values and credentials.
        phase: where it happened (see :data:`Phase`).
        head_sent: a byte of the request may have left.
        body_started: a byte of the response has arrived.
        reused: the connection had served an earlier request.
    """

    def __init__(
        self,
        message: str = "",
        *,
        method: str | None = None,
        url: str | None = None,
        phase: Phase | None = None,
        head_sent: bool = False,
        body_started: bool = False,
        reused: bool = False,
    ) -> None:
        super().__init__(message)
        self.method = method
        self.url = url
        self.phase: Phase | None = phase
        self.head_sent = head_sent
        self.body_started = body_started
        self.reused = reused

    def __str__(self) -> str:
        message = super().__str__() or type(self).__name__
        where = " ".join(part for part in (self.method, self.url) if part)
        phase = f"phase {self.phase}" if self.phase else ""
        context = ", ".join(part for part in (where, phase) if part)
        return f"{message} ({context})" if context else message


class ConnectError(HTTPRequestError):
    """No connection: the name did not resolve, or the peer refused or could not be reached. No byte has left."""


class AddressRefusedError(ConnectError):
    """The host leads to no address that ``allow_address`` allows. Never retried."""


class TLSError(ConnectError):
    """The TLS handshake failed."""


class CertificateError(TLSError):
    """The server's certificate is not acceptable (or ours was refused). Never retried: asking again changes nothing."""


class ConnectionLostError(HTTPRequestError):
    """The connection ended or was reset before the response was complete."""


class ProtocolError(HTTPRequestError):
    """The server sent something that is not HTTP, or contradicts itself."""


class HTTPTimeoutError(HTTPRequestError, TimeoutError):
    """A time limit passed. The subclass says which."""


class ConnectTimeoutError(HTTPTimeoutError):
    """``connect_timeout``: DNS, TCP and TLS together took too long."""


class PoolTimeoutError(HTTPTimeoutError):
    """``pool_timeout``: no connection came free (``max_connections`` requests were in flight all the while)."""


class ReadTimeoutError(HTTPTimeoutError):
    """``read_timeout``: the server sent nothing for too long."""


class WriteTimeoutError(HTTPTimeoutError):
    """``write_timeout``: the server took nothing for too long."""


class AttemptTimeoutError(HTTPTimeoutError):
    """``attempt_timeout``: this one attempt took too long."""


class TotalTimeoutError(HTTPTimeoutError):
    """``timeout``: the call as a whole (queues, attempts and waits) took too long."""


class HTTPResponseError(HTTPClientError):
    """The server answered with an error status (raised by ``raise_for_status`` and, for 429, by exhausted retries).

    Args:
        status_code: of the answer; None where there was none.
        message: what happened, in words.
        response: the answer, where there was one.
    """

    def __init__(self, status_code: int | None = None, message: str = "", response: HTTPResponse | None = None) -> None:
        super().__init__(message)
        self.status_code = status_code
        self.message = message
        self.response = response

    @property
    def problem(self) -> ProblemDetails | None:
        """What the server says went wrong, where it says so by RFC 9457 (``application/problem+json``)."""
        return None if self.response is None else self.response.problem


class RateLimitError(HTTPResponseError):
    """Too many requests: the server said 429, or our own limiter refused.

    Args:
        retry_after: seconds until it is worth trying again, where known.
        local: True where our own limiter refused; then ``status_code`` and ``response`` are None and nothing was sent.
    """

    def __init__(
        self,
        status_code: int | None = 429,
        message: str = "",
        response: HTTPResponse | None = None,
        *,
        retry_after: float | None = None,
        local: bool = False,
    ) -> None:
        super().__init__(status_code, message, response)
        self.retry_after = retry_after
        self.local = local


class RetryExhaustedError(HTTPClientError):
    """The last outcome could have been retried, and no retry follows. ``__cause__`` is the last error, if any.

    Args:
        message: what happened, in words.
        reason: why no retry follows: ``attempts``, ``deadline``, ``budget``, ``not_idempotent``, ``not_replayable``,
            ``retry_after``, ``circuit_open`` or ``limiter``.
        last_response: the last answer, where the last attempt had one.
        last_error: the last error, where the last attempt ended in one.
        retry_after: what the server asked for, in seconds, where it did.
    """

    def __init__(
        self,
        message: str = "",
        *,
        reason: str,
        last_response: HTTPResponse | None = None,
        last_error: BaseException | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.last_response = last_response
        self.last_error = last_error
        self.retry_after = retry_after
        self.status_code = None if last_response is None else last_response.status_code
        self.__cause__ = last_error


class CircuitBreakerOpenError(HTTPClientError):
    """The circuit breaker let nothing through, and this call has sent nothing.

    Args:
        state: the circuit's state: OPEN, or HALF_OPEN with all probes taken.
        retry_after: seconds until it is worth trying again, where known.
        last_failure: one line on the failure that opened it.
    """

    def __init__(self, state: str, *, retry_after: float | None = None, last_failure: str | None = None) -> None:
        when = "" if retry_after is None else f"; try again in {retry_after:.3g} s"
        why = f" (last failure: {last_failure})" if last_failure else ""
        super().__init__(f"circuit breaker is {state}{why}{when}")
        self.state = state
        self.retry_after = retry_after
        self.last_failure = last_failure


class RedirectError(HTTPClientError):
    """A redirect cannot be followed: too many, a loop, https to http, or a target that makes no sense. Never retried.

    Args:
        message: what is wrong, in words.
        response: the answer that asked for the redirect.
    """

    def __init__(self, message: str, response: HTTPResponse | None = None) -> None:
        super().__init__(message)
        self.response = response


class AuthenticationError(HTTPClientError):
    """The server wants an authentication that cannot be given. Never retried.

    Args:
        message: what is missing, in words; never a credential.
        response: the answer that asked for it, where there was one.
    """

    def __init__(self, message: str, response: HTTPResponse | None = None) -> None:
        super().__init__(message)
        self.response = response


class TokenError(AuthenticationError):
    """A token could not be had, so nothing was sent that needs it. ``__cause__`` is the transport's error, if any.

    Nothing of what the token endpoint said is in it, but a code that RFC 6749 or RFC 8693 define.

    Args:
        message: what happened, in words.
        reason: ``refused`` (the endpoint answered with an error), ``malformed`` (its answer is no token), ``expired``
            (its token was over when it came), ``transport``, ``timeout``, ``callable`` (something of yours has raised,
            and is the ``__cause__``) or ``missing`` (a token was read before any call had got one).
        status_code: of the endpoint's answer; None where there was none.
        error: such as ``invalid_client``; None where the endpoint gave none that is known.
        retry_after: seconds until the endpoint is asked again.
    """

    def __init__(
        self,
        message: str,
        *,
        reason: str,
        status_code: int | None = None,
        error: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.status_code = status_code
        self.error = error
        self.retry_after = retry_after


class ResponseBodyError(HTTPRequestError):
    """The body of a streamed response failed while it was being read. Never retried."""


class ResponseDecodeError(HTTPClientError, ValueError):
    """The body is not what its headers say (JSON that does not parse, text that does not decode).

    Args:
        message: what is wrong, in words; never the body.
        response: the answer, which still holds the raw ``content``.
    """

    def __init__(self, message: str, response: HTTPResponse | None = None) -> None:
        super().__init__(message)
        self.response = response


class ResponseValidationError(HTTPClientError, ValueError):
    """The answer is JSON, and not of the type that was asked for.

    Args:
        message: which fields are wrong, and how; types and sizes of what came, never values.
        response: the answer, which still holds the raw ``content``.
        problems: for each wrong field its place, as in ``[3].address.zip``, and what is wrong with it.
        line: the number of the line that it is about, from 1, where the answer was read line by line; else None.

    Attributes:
        status_code: of the answer.
    """

    def __init__(
        self,
        message: str,
        response: HTTPResponse,
        problems: tuple[tuple[str, str], ...] = (),
        line: int | None = None,
    ) -> None:
        super().__init__(message)
        self.response = response
        self.status_code = response.status_code
        self.problems = problems
        self.line = line


class PaginationError(HTTPClientError):
    """There is no way on from a page; all of its items were given. Never retried.

    Args:
        message: what is wrong and where, in words; never a value of the server's.
        reason: ``missing`` (nothing is where the next page or the items must be), ``loop`` (the next page was had
            already), ``outside`` (it is not under ``base_url``) or ``page_limit`` (it is one too many).
        response: the page, where there is one.
    """

    def __init__(self, message: str, *, reason: str, response: HTTPResponse | None = None) -> None:
        super().__init__(message)
        self.reason = reason
        self.response = response
        if response is not None:
            self.attempts = response.attempts


class ResponseTooLargeError(HTTPRequestError):
    """The response passed a size limit of ours and was dropped."""


class ChecksumError(HTTPClientError, ValueError):
    """All of a file came, and it is not the one that was asked for: its checksum is another. Nothing of it was kept.

    Args:
        message: what is wrong, in words.
        expected, actual: the two checksums, in hexadecimal.
    """

    def __init__(self, message: str, *, expected: str, actual: str) -> None:
        super().__init__(message)
        self.expected = expected
        self.actual = actual


class FileError(HTTPClientError, OSError):
    """A file on our side cannot be read or written: no permission, no space. ``errno`` says which."""
