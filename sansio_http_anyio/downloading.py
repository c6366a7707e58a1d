"""The story of one download: ask, write, and where the answer breaks off ask for the rest."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from anyio.to_thread import run_sync

from sansio_http import (
    Attempt,
    ChecksumError,
    FileError,
    Headers,
    HTTPRequest,
    HTTPRequestError,
    HTTPResponseError,
    Partial,
    Policies,
    ResponseTooLargeError,
    Resumption,
    Retry,
    Retrying,
    Stopped,
    redact,
)

from .driver import Clock, Observe
from .part_file import HASHED, PartFile
from .progress import ProgressCallback
from .streaming import ResponseStream, StreamedResponse
from .threads import shielded

_GONE = frozenset({404, 410})  # nobody will ever have the rest


@dataclass(frozen=True, slots=True)
class Download:
    """A file that was downloaded.

    Attributes:
        path: where it is.
        size: bytes.
        status_code: of the last answer: 200, or 206 where that was the rest of it.
        headers: of the last answer.
        resumed: a part of it came earlier: in an answer that broke off, in this call or in one before.
        attempts: every try, as of a response; one whose body broke off has its ``error``.
    """

    path: Path
    size: int
    status_code: int
    headers: Headers
    resumed: bool
    attempts: tuple[Attempt, ...]

    @property
    def etag(self) -> str | None:
        """The entity tag of this version, as the server has written it."""
        return self.headers.get("etag")


class Downloading:
    """One call of :meth:`AsyncHTTPClient.download`, whose arguments have been checked.

    Args:
        path: as the caller has said it.
        part: where the bytes go.
        request: the GET, as far as it is known before it is sent.
        policies: of the call.
        begin: sends the GET, with these fields and policies.
        wait_until: such a time, on that clock.
        clock: the client's.
        observe: told of what is decided.
        progress: told of the bytes.
        limit: bytes that the file may have; None for any number.
        sha256: that it has to have, in lower case; None for any.
    """

    def __init__(
        self,
        path: Path,
        part: PartFile,
        request: HTTPRequest,
        policies: Policies,
        begin: Callable[[Mapping[str, str], Policies], ResponseStream],
        wait_until: Callable[[float], Awaitable[None]],
        clock: Clock,
        observe: Observe | None,
        progress: ProgressCallback,
        limit: int | None,
        sha256: str | None,
    ) -> None:
        self._path = path
        self._part = part
        self._request = request
        self._resumption = Resumption(policies)
        self._begin = begin
        self._wait_until = wait_until
        self._clock = clock
        self._observe = observe
        self._progress = progress
        self._limit = limit
        self._sha256 = sha256
        self._partial = Partial()
        self._resumed = False

    async def run(self) -> Download:
        """To its end, or to its error. Either way nothing is left open, and no file that would be of no use."""
        keep = True
        try:
            self._partial = await run_sync(self._part.open)
            while (response := await self._once()) is None:
                pass
            await self._check()
            await run_sync(self._part.finish)
            self._resumption.done(self._clock())
            return Download(
                self._path,
                self._partial.have,
                response.status_code,
                response.headers,
                self._resumed,
                self._resumption.attempts,
            )
        except (ChecksumError, FileError, ResponseTooLargeError):
            keep = False
            raise
        except HTTPResponseError as error:
            keep = error.status_code not in _GONE
            raise
        finally:
            await shielded(lambda: self._part.settle(keep))

    async def _once(self) -> StreamedResponse | None:
        """One answer: it, if all is there behind it; None where another is to be asked for."""
        partial, resumption = self._partial, self._resumption
        async with self._begin(partial.request_headers(), resumption.policies()) as response:
            resumption.answered(response)
            use = partial.arrived(response)
            if use == "again":
                return None
            if use == "append":
                await run_sync(self._part.go_on, partial.have)
            else:
                await run_sync(self._part.start, partial.validator, partial.total)
            self._resumed = use == "append"
            error = await self._take(response)
            if error is None:
                return response
            request = response.request or self._request
        verdict = resumption.broken(error, request, self._clock())
        self._tell(verdict, request)
        if not isinstance(verdict, Retry):
            raise verdict
        await self._wait_until(self._clock() + verdict.delay)
        return None

    async def _take(self, response: StreamedResponse) -> HTTPRequestError | None:
        """Write the body; how it has failed, if it has."""
        partial, part, progress = self._partial, self._part, self._progress
        self._check_size(partial.total)
        progress(partial.have, partial.total)
        try:
            async for chunk in response.iter_bytes():
                partial.have += len(chunk)
                self._check_size(partial.have)
                if part.add(chunk):
                    await run_sync(part.write)
                progress(partial.have, partial.total)
        except ResponseTooLargeError:
            raise
        except HTTPRequestError as error:
            return error
        await run_sync(part.write)
        return partial.ended()

    def _check_size(self, size: int | None) -> None:
        if self._limit is not None and size is not None and size > self._limit:
            raise ResponseTooLargeError(
                f"the file has more than max_response_size, {self._limit} bytes",
                method=self._request.method,
                url=redact(self._request.url),
                phase="body",
            )

    async def _check(self) -> None:
        """Compare the checksum of what is on the disk."""
        if self._sha256 is None:
            return
        digest, start = hashlib.sha256(), 0
        while await run_sync(self._part.digest, digest, start):
            start += HASHED
        actual = digest.hexdigest()
        if actual != self._sha256:
            raise ChecksumError(
                f"sha256: the file is {actual}, and not {self._sha256}", expected=self._sha256, actual=actual
            )

    def _tell(self, verdict: Retry | Exception, request: HTTPRequest) -> None:
        if self._observe is None:
            return
        number, where = len(self._resumption.attempts), (request.method, redact(request.url))
        now = self._clock()
        if isinstance(verdict, Retry):
            self._observe(Retrying(now, number, *where, verdict.reason, verdict.delay))
        else:
            reason = self._resumption.attempts[-1].reason or "not_retryable"
            self._observe(Stopped(now, number, *where, reason))
