"""Files, to a server and from it."""

from __future__ import annotations

import hashlib
import os
import re
from abc import abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, Unpack, cast, overload

from anyio.to_thread import run_sync

from sansio_http import Headers, HTTPRequest, HTTPResponse, InvalidRequestError, Policies

from .downloading import Download, Downloading
from .options import RequestOptions, check_names
from .part_file import PartFile
from .progress import ProgressCallback, checked_progress
from .streaming import ResponseStream
from .threads import shielded
from .upload_file import UploadFile
from .uploads import media_type_of
from .verbs import Verbs

if TYPE_CHECKING:
    from .chain import Chain
    from .preparation import Preparation

T = TypeVar("T")

_SHA256 = re.compile(r"[0-9a-fA-F]{64}").fullmatch
_OUR_FIELDS = ("accept-encoding", "if-range", "range")
_BODIES = ("content_type", "data", "files", "json")


class Transfers(Verbs):
    """What a client does with files."""

    _chain: Chain
    _clock: Callable[[], float]
    _preparation: Preparation

    @abstractmethod
    def stream(self, method: str, url: str, **options: Unpack[RequestOptions]) -> ResponseStream:
        """Make a call and read its answer piece by piece."""

    @abstractmethod
    async def _wait_until(self, deadline: float) -> None:
        """Do nothing until then, on the client's clock, or until the client is closed."""

    async def download(
        self,
        url: str,
        file: str | os.PathLike[str],
        *,
        overwrite: bool = True,
        sha256: str | None = None,
        max_response_size: int | None = None,
        progress: ProgressCallback | None = None,
        **options: Unpack[RequestOptions],
    ) -> Download:
        """GET a file: ``await client.download("/big.iso", "big.iso")``.

        It grows in ``big.iso.part`` and gets its name at the end, in one step: so what has the name is whole. Memory
        use does not depend on its size.

        An answer that breaks off is a try that failed, and is retried as the retry policy and budget say: with what is
        missing, where the server has named a strong validator (an entity tag that is not weak, or a Last-Modified that
        is old enough), so that both parts are of one version; else from the start. Where the download ends for good,
        ``big.iso.part`` stays if it can be gone on with, beside a ``big.iso.part.json`` that says with what; the next
        download of the same URL to the same place does so. Else both are removed.

        Args:
            url: as for :meth:`request`.
            file: the path of the file; its directory is there.
            overwrite: a file that is there is replaced, at the end. False: it is an error.
            sha256: what the SHA-256 digest of the whole file must be, in hexadecimal.
            max_response_size: bytes that the file may have; None for any number.
            progress: told of the bytes so far: see :data:`ProgressCallback`, and :class:`ProgressBar`.
            options: see :class:`RequestOptions`; no body. ``timeout`` bounds the time to each head, the client's
                ``read_timeout`` each wait for something to come: without one a silent server is waited for.

        Returns:
            What has come.

        Raises:
            InvalidRequestError: an argument is wrong, which it names; nothing was sent.
            FileError: the file cannot be written, for want of space perhaps; or another download is at it.
            ChecksumError: it is another file.
            HTTPResponseError: the status is no success.
            ResponseBodyError, RetryExhaustedError: the answer broke off, and no retry follows.
            ResponseTooLargeError: it has more bytes than ``max_response_size``.
            And whatever :meth:`stream` raises.
        """
        _check_options(options)
        _check_limit(max_response_size)
        if sha256 is not None and not (isinstance(sha256, str) and _SHA256(sha256)):
            raise InvalidRequestError(f"sha256: {sha256!r:.80} is not allowed; it is 64 hexadecimal digits")
        told = checked_progress(progress)
        request, policies = self._preparation.request("GET", url, **options)

        def begin(fields: Mapping[str, str], policies: Policies) -> ResponseStream:
            headers = Headers(options.get("headers") or ())
            headers.update({"Accept-Encoding": "identity", **fields})  # ranges are to be of the file's own bytes
            return self.stream("GET", url, **cast("Any", {**options, "headers": headers, "policies": policies}))

        part = PartFile(file, overwrite, _key_of(request))
        return await Downloading(
            Path(file),
            part,
            request,
            policies,
            begin,
            self._wait_until,
            self._clock,
            self._chain.observe,
            told,
            max_response_size,
            None if sha256 is None else sha256.lower(),
        ).run()

    @overload
    async def upload(
        self,
        url: str,
        file: str | os.PathLike[str],
        *,
        method: str = "PUT",
        progress: ProgressCallback | None = None,
        response_type: None = None,
        **options: Unpack[RequestOptions],
    ) -> HTTPResponse: ...
    @overload
    async def upload(
        self,
        url: str,
        file: str | os.PathLike[str],
        *,
        method: str = "PUT",
        progress: ProgressCallback | None = None,
        response_type: type[T],
        **options: Unpack[RequestOptions],
    ) -> T: ...
    @overload
    async def upload(
        self,
        url: str,
        file: str | os.PathLike[str],
        *,
        method: str = "PUT",
        progress: ProgressCallback | None = None,
        response_type: Any,
        **options: Unpack[RequestOptions],
    ) -> Any: ...
    async def upload(
        self,
        url: str,
        file: str | os.PathLike[str],
        *,
        method: str = "PUT",
        progress: ProgressCallback | None = None,
        response_type: Any = None,
        **options: Unpack[RequestOptions],
    ) -> Any:
        """Send a file as the body of a request: ``await client.upload("/backups/today", "backup.tar")``.

        It is read as it is sent, and from its start again for each try: so a PUT is retried as any other. For a form
        with files there is ``files=`` of :meth:`request`.

        Args:
            url: as for :meth:`request`.
            file: the path of the file. It must not become shorter meanwhile; what is added to it is not sent.
            method: of the request. A POST that breaks off is retried only where you vouch for it (``idempotent=True``).
            progress: told of the bytes that have gone out: see :data:`ProgressCallback`, and :class:`ProgressBar`.
            response_type: as for :meth:`request`.
            options: see :class:`RequestOptions`; ``content_type`` is by default that of the file's name.

        Returns:
            The answer, as :meth:`request` does.

        Raises:
            InvalidRequestError: an argument is wrong, which it names; nothing was sent.
            FileError: the file cannot be opened.
            And whatever :meth:`request` raises.
        """
        for name in _BODIES[1:]:
            if options.get(name) is not None:
                raise InvalidRequestError(f"{name}: the file is the body; there is no other")
        told = checked_progress(progress)
        opened = UploadFile(file)
        given: Any = {**options}
        if given.get("content_type") is None and "content-type" not in Headers(options.get("headers") or ()):
            given["content_type"] = media_type_of(opened.name)
        try:
            given["data"] = (await run_sync(opened.open)).body(told)
            return await self.request(method, url, response_type=response_type, **given)
        finally:
            await shielded(opened.close)


def _check_options(options: RequestOptions) -> None:
    check_names(options)
    for name in _BODIES:
        if options.get(name) is not None:
            raise InvalidRequestError(f"{name}: a download is a GET, which has no body")
    headers = Headers(options.get("headers") or ())
    for name in _OUR_FIELDS:
        if name in headers:
            raise InvalidRequestError(f"headers: {name} is the download's own to say")


def _check_limit(limit: int | None) -> None:
    if limit is not None and (not isinstance(limit, int) or isinstance(limit, bool) or limit < 0):
        raise InvalidRequestError(f"max_response_size: {limit!r:.80} is not allowed; it is 0 or more, or None")


def _key_of(request: HTTPRequest) -> str:
    """What an earlier download must have been of: a digest, for a URL may have a secret in its query."""
    return hashlib.sha256(f"{request.url}\n{request.params!r}".encode()).hexdigest()
