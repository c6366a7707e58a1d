"""A file that comes in several answers: what may be put behind what is there, and whether to ask once more.

Theory of operation. The first answer is the whole file, 200. When it breaks off, the rest is asked for with ``Range``;
and with ``If-Range``, so that a server whose file is another by now sends the whole of the new one instead. That needs
a validator which is the same only where every byte is (RFC 9110 8.8.1); without one, what there is cannot be used.

Nothing that a server says is taken on trust: a 206 that begins elsewhere than asked, tells of another size or version,
or says nothing of its range, would make a file that never was. Then, as after a 416, all is asked for anew.

An answer that breaks off in the middle is a failure like any other that a call retries, except that a call cannot: its
answer was handed over at the head. So the same policy is asked here, and the same budget pays.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Literal

from .exceptions import (
    ConnectionLostError,
    HTTPClientError,
    HTTPRequestError,
    HTTPResponseError,
    ProtocolError,
    ResponseBodyError,
    one_line,
)
from .fields.content_range import parse_content_range
from .fields.validator import strong_validator
from .headers import Headers
from .models import Attempt, HTTPRequest, HTTPResponse
from .outcomes import given_up
from .policies import Policies
from .retry import Retry, Stop
from .urls import redact

_WHOLE = (200, 203)


class Partial:
    """What there is of a file.

    Args:
        have: bytes, from its beginning.
        validator: of the version that they are of; None where they cannot be added to.
        total: bytes of the whole; None where that is not known.

    Attributes:
        have, validator, total: the same; whoever writes the bytes counts them in ``have``.
    """

    __slots__ = ("_asked", "have", "total", "validator")

    def __init__(self, have: int = 0, validator: str | None = None, total: int | None = None) -> None:
        self.have = have
        self.validator = validator
        self.total = total
        self._asked = False

    def request_headers(self) -> dict[str, str]:
        """The fields that ask for the rest; none where all is to be asked for.

        Where all is there the last byte is asked for again: its answer tells whether the file is still the same.
        """
        if self.total is not None and self.have >= self.total:
            self.have = max(0, self.total - 1)
        self._asked = self.have > 0 and self.validator is not None
        if not self._asked or self.validator is None:
            self.have = 0
            return {}
        return {"Range": f"bytes={self.have}-", "If-Range": self.validator}

    def arrived(self, response: HTTPResponse) -> Literal["append", "start", "again"]:
        """What to do with an answer: put its body behind what there is, or in its place; or ask again, for all of it.

        Args:
            response: to a GET with :meth:`request_headers`.

        Raises:
            HTTPResponseError: it is neither a file nor a part of one.
            ProtocolError: it is a part, and none was asked for.
        """
        status = response.status_code
        if self._asked and status in (206, 416):
            if status == 206 and self._fits(response.headers):
                return "append"
            self.have, self.validator, self.total = 0, None, None
            return "again"
        response.raise_for_status()
        if status == 206:
            request = response.request
            where = (None, None) if request is None else (request.method, redact(request.url))
            raise ProtocolError("a part came, and all was asked for", method=where[0], url=where[1], phase="head")
        if status not in _WHOLE:
            raise HTTPResponseError(status, f"{status} {response.reason}".rstrip() + ": there is no file", response)
        headers = response.headers
        self.have = 0
        # Of what has a coding, ranges are of its coded bytes, and they are not what is kept.
        plain = not _coded(headers)
        length = headers.get("content-length", "")
        self.validator = strong_validator(headers) if plain else None
        self.total = int(length) if plain and length.isascii() and length.isdigit() else None
        return "start"

    def ended(self) -> ConnectionLostError | None:
        """The body came to its end: what is wrong with that, if anything."""
        if self.total is None or self.have == self.total:
            return None
        error = ConnectionLostError(f"{self.have} bytes came of {self.total}", phase="body", head_sent=True)
        if self.have > self.total:
            self.have, self.validator, self.total = 0, None, None
        return error

    def _fits(self, headers: Headers) -> bool:
        """Whether a part is the rest of what there is."""
        ranges = headers.get_list("content-range")
        found = parse_content_range(ranges[0]) if len(ranges) == 1 else None
        if found is None or found.first != self.have or _coded(headers):
            return False
        name = "etag" if self.validator is not None and self.validator.startswith('"') else "last-modified"
        if headers.get(name, self.validator) != self.validator:
            return False
        if self.total is None:
            self.total = found.total
        return found.total in (None, self.total)

    def __repr__(self) -> str:
        return f"<Partial {self.have} of {self.total} bytes>"


class Resumption:
    """Whether an answer that broke off is asked for once more: by the retry policy and budget of its call.

    Args:
        policies: of the call.

    Attributes:
        attempts: every try so far, those of the calls for the heads included; a body that broke off is one that failed.
    """

    __slots__ = ("_cost", "_memory", "_policies", "_spent", "attempts")

    def __init__(self, policies: Policies) -> None:
        self._policies = policies
        self._memory: float | None = None
        self._cost: float | None = None
        self._spent = 0  # retries; to ask for all in the place of a part is none
        self.attempts: tuple[Attempt, ...] = ()

    @property
    def retries(self) -> int:
        """How many were made so far."""
        return self._spent

    def policies(self) -> Policies:
        """For the next call: with the retries that are left."""
        retry = self._policies.retry
        if retry is None or self._spent == 0:
            return self._policies
        return replace(self._policies, retry=replace(retry, retries=max(0, retry.retries - self._spent)))

    def answered(self, response: HTTPResponse) -> None:
        """A head has come; count what its call has tried for it."""
        before = len(self.attempts)
        self.attempts += tuple(line._replace(number=before + line.number) for line in response.attempts)
        self._spent += max(0, len(response.attempts) - 1)

    def broken(self, error: HTTPRequestError, request: HTTPRequest, now: float) -> Retry | HTTPClientError:
        """A body has failed.

        Args:
            error: how.
            request: that it answers.
            now: monotonic seconds.

        Returns:
            When to ask again; or what to raise.
        """
        policies = self._policies
        retry, budget = policies.retry, policies.retry_budget
        if retry is None:
            self._note(error, Stop("not_retryable"))
            error.attempts = self.attempts
            return error
        cause = error.__cause__ if isinstance(error, ResponseBodyError) else None
        verdict = retry.decide(
            request,
            cause if isinstance(cause, HTTPRequestError) else error,
            self._spent,
            sent=True,
            left=math.inf,
            rand=policies.rand,
            wall=policies.wall,
            memory=self._memory,
        )
        assert verdict is not None  # it is an error
        if budget is not None and verdict.reason != "not_retryable":
            budget.failed(self._spent, now)
            if isinstance(verdict, Retry):
                cost = budget.spend(False, now)
                if cost is None:
                    verdict = Stop("budget", budget.describe())
                else:
                    self._cost = cost
        self._note(error, verdict)
        if isinstance(verdict, Retry):
            self._memory = verdict.memory
            self._spent += 1
            return verdict
        outcome = given_up(verdict, error, self._spent + 1, request, policies)
        assert isinstance(outcome, HTTPClientError)  # for `error` is one
        outcome.attempts = self.attempts
        return outcome

    def done(self, now: float) -> None:
        """All is there: give back what the last retry has cost."""
        budget = self._policies.retry_budget
        if budget is not None and self._cost is not None:
            budget.succeeded(self._cost, now)
            self._cost = None

    def _note(self, error: HTTPRequestError, verdict: Retry | Stop) -> None:
        """Say of the last attempt what came of it after its head."""
        if self.attempts:
            delay = verdict.delay if isinstance(verdict, Retry) else None
            last = self.attempts[-1]._replace(error=one_line(error), reason=verdict.reason, delay=delay)
            self.attempts = (*self.attempts[:-1], last)


def _coded(headers: Headers) -> bool:
    return any(value.strip(" \t").lower() not in ("", "identity") for value in headers.get_list("content-encoding"))
