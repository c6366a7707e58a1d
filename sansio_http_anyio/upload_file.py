"""A file by its path, as the body of a request."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path
from typing import BinaryIO

from sansio_http import Body, ClientClosedError, FileError, InvalidRequestError

from .progress import ProgressCallback
from .sources import CHUNK, Reader, Source

_READ = 1_048_576  # bytes that a thread reads at a time; they go out in smaller pieces, each with its write_timeout


class UploadFile:
    """A file that is read from its start for each send.

    Args:
        file: its path.
    """

    def __init__(self, file: str | os.PathLike[str]) -> None:
        if not isinstance(file, str | os.PathLike):
            raise InvalidRequestError(f"file: {type(file).__name__} is not allowed; it is a path")
        self._path = Path(file)
        self.name = self._path.name
        self._lock = threading.Lock()  # who is cancelled may leave the thread that opens it behind
        self._file: BinaryIO | None = None
        self._length = 0
        self._over = False

    def open(self) -> UploadFile:
        """Open it; for a thread.

        Raises:
            InvalidRequestError: it is not there, or no file.
            FileError: the system refuses.
        """
        path = str(self._path)
        with self._lock:
            if self._over:
                raise ClientClosedError("the upload is over")
            try:
                if not stat.S_ISREG(os.stat(path).st_mode):  # to open a pipe may take for ever
                    raise InvalidRequestError(f"file: {path!r} is no regular file; open it, and give it as data=")
                self._file = open(path, "rb")  # noqa: SIM115 - close() does
                self._length = os.fstat(self._file.fileno()).st_size
            except (FileNotFoundError, NotADirectoryError):
                raise InvalidRequestError(f"file: {path!r} does not exist") from None
            except OSError as error:
                raise FileError(error.errno, f"file: {path} cannot be read: {error.strerror}") from error
            except ValueError as error:
                if isinstance(error, InvalidRequestError):
                    raise
                raise InvalidRequestError(f"file: {path!r:.80} is not a path") from None
        return self

    def body(self, progress: ProgressCallback) -> Body:
        """What is sent of it: as much as there is now."""
        file, length = self._file, self._length
        assert file is not None
        return Body(Source(lambda: _Pieces(Reader(file, 0, length, _READ), progress, length)), length, "yes")

    def close(self) -> None:
        """For a thread. Idempotent, never fails."""
        with self._lock:
            self._over = True
            if self._file is not None:
                self._file.close()


class _Pieces:
    """What a reader gives, in smaller pieces; tells of each when the next one is asked for, so that it has gone out."""

    def __init__(self, reader: Reader, progress: ProgressCallback, length: int) -> None:
        self._reader = reader
        self._progress = progress
        self._length = length
        self._read: bytes = b""
        self._place = 0
        self._sent = 0

    def __aiter__(self) -> _Pieces:
        return self

    async def __anext__(self) -> bytes:
        self._progress(self._sent, self._length)
        if self._place == len(self._read):
            self._read = await self._reader.__anext__()
            self._place = 0
        piece = self._read[self._place : self._place + CHUNK]
        self._place += len(piece)
        self._sent += len(piece)
        return piece
