"""The file that a download grows in, beside the one that it is to become. All of this blocks: it is for worker threads.

Theory of operation. ``big.iso`` comes as ``big.iso.part``, and takes its name at the end, in one step. Beside it
``big.iso.part.json`` says which version of which URL its bytes are of. It is there before the first of them is, so a
process that is killed leaves what the next one can go on with; and it is there only where the server has named a strong
validator. Where it is not, what is left of a download is of no use, and is removed with it.

Two downloads to one place would write into each other's file, so whoever has it open holds a lock on it, which the
system takes back when a process ends (not on Windows, which has no such lock here).

A task that is cancelled goes away at once, and may leave a thread behind that is still writing for it. So each step
holds a lock of its own, and after :meth:`PartFile.settle` none does anything.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import stat
import threading
from collections.abc import Generator
from pathlib import Path
from typing import Any, BinaryIO

from sansio_http import ClientClosedError, FileError, InvalidRequestError, Partial

if os.name == "posix":
    import fcntl

CHUNK = 1_048_576
"""Bytes that are gathered before a thread writes them."""

HASHED = 16 * CHUNK
"""Bytes whose digest is made in one go: a cancelled download waits for that at most."""

_FLAGS = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)


class PartFile:
    """What there is of a file so far.

    Args:
        target: where the whole file is to be.
        overwrite: it may be there already, and is then replaced.
        key: of what is downloaded: what another key has left is not gone on with.
    """

    def __init__(self, target: str | os.PathLike[str], overwrite: bool, key: str) -> None:
        try:
            self._target = Path(os.path.realpath(target))  # what a link leads to is replaced, and not the link
        except (TypeError, ValueError):
            raise InvalidRequestError(f"file: {target!r:.80} is not allowed; it is a path") from None
        self._overwrite = overwrite
        self._key = key
        self._path = self._target.with_name(f"{self._target.name}.part")
        self._state = self._target.with_name(f"{self._target.name}.part.json")
        self._lock = threading.Lock()
        self._file: BinaryIO | None = None
        self._over = False
        self._resumable = False
        self._pending: list[bytes] = []
        self._gathered = 0

    # --- in the event loop ---------------------------------------------------------------------------------------

    def add(self, chunk: bytes) -> bool:
        """Keep a chunk until :meth:`write`; whether that is due."""
        self._pending.append(chunk)
        self._gathered += len(chunk)
        return self._gathered >= CHUNK

    # --- in threads ----------------------------------------------------------------------------------------------

    def open(self) -> Partial:
        """Take the place.

        Returns:
            What an earlier download has left.

        Raises:
            InvalidRequestError: nothing can be put there.
            FileError: the system refuses, or another download is at it.
        """
        with self._step():
            self._check_target()
            while self._file is None:
                file = os.fdopen(os.open(self._path, _FLAGS, 0o666), "r+b")
                try:
                    if self._is_ours(file):
                        self._file = file
                finally:
                    if self._file is None:
                        file.close()
            have = self._file.seek(0, os.SEEK_END)
            state = self._load() if have else None
            self._resumable = state is not None
            return Partial() if state is None else Partial(have, *state)

    def start(self, validator: str | None, total: int | None) -> None:
        """Nothing is there any more; what comes is of this version.

        Raises:
            FileError: the system refuses.
        """
        with self._step():
            self._resumable = False
            self._state.unlink(missing_ok=True)  # before its bytes are gone
            self._empty(0)
            if validator is not None:
                state = json.dumps({"key": self._key, "validator": validator, "total": total})
                with os.fdopen(os.open(self._state, _FLAGS | os.O_TRUNC, 0o666), "wb") as file:
                    file.write(state.encode())
                self._resumable = True

    def go_on(self, have: int) -> None:
        """What comes belongs behind the first ``have`` bytes.

        Raises:
            FileError: the system refuses.
        """
        with self._step():
            self._write()
            self._empty(have)

    def write(self) -> None:
        """Write what was gathered.

        Raises:
            FileError: the system refuses.
        """
        with self._step():
            self._write()

    def digest(self, digest: Any, start: int) -> bool:
        """Read on from ``start`` into a digest: what is checked is what is on the disk. False at the end.

        Raises:
            FileError: the system refuses.
        """
        with self._step() as file:
            file.seek(start)
            for _ in range(HASHED // CHUNK):
                chunk = file.read(CHUNK)
                digest.update(chunk)
                if len(chunk) < CHUNK:
                    return False
            return True

    def finish(self) -> None:
        """All is there: it gets its name, and is safe from a loss of power.

        Raises:
            FileError: the system refuses; or the target has come to be there, and may not be replaced.
        """
        with self._step() as file:
            file.flush()
            with contextlib.suppress(FileNotFoundError):  # what was for few eyes is for no more now
                os.chmod(self._path, stat.S_IMODE(self._target.stat().st_mode))
            os.fsync(file.fileno())
            if os.name != "posix":  # pragma: no cover - where what is open cannot be renamed
                file.close()
            if self._overwrite:
                os.replace(self._path, self._target)
            else:
                self._put_where_nothing_is()
            self._over = True
            file.close()
            self._state.unlink(missing_ok=True)
            self._sync_folder()

    def settle(self, keep: bool) -> None:
        """Let go of it, and remove it unless the next download can go on from there. Idempotent, never fails.

        Args:
            keep: it is worth going on with, if that can be.
        """
        with self._lock, contextlib.suppress(OSError):
            if self._over or self._file is None:
                self._over = True
                return
            self._over = True
            try:
                if keep and self._resumable:
                    self._write()
                    keep = self._file.tell() > 0
                    self._file.close()
            except OSError:
                keep = False
            try:
                if not (keep and self._resumable):  # while the lock is held
                    self._state.unlink(missing_ok=True)
                    self._path.unlink(missing_ok=True)
            finally:
                self._file.close()

    # --- inside --------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _step(self) -> Generator[Any]:
        """One step, with the lock, and the file where it is open; what the system says is an error of ours."""
        with self._lock:
            if self._over:
                raise ClientClosedError("the download is over")
            try:
                yield self._file
            except OSError as error:
                if isinstance(error, FileError):
                    raise
                reason = error.strerror or type(error).__name__
                raise FileError(error.errno, f"file: {self._target} cannot be written: {reason}") from error

    def _check_target(self) -> None:
        target = self._target
        try:
            mode: int | None = target.stat().st_mode
        except (FileNotFoundError, NotADirectoryError):
            mode = None
        if mode is not None and stat.S_ISDIR(mode):
            raise InvalidRequestError(f"file: {str(target)!r} is a directory; it is the path of a file")
        if mode is not None and not stat.S_ISREG(mode):
            raise InvalidRequestError(f"file: {str(target)!r} is no regular file, and cannot be replaced by one")
        if not target.parent.is_dir():
            raise InvalidRequestError(f"file: the directory {str(target.parent)!r} does not exist")
        if mode is not None and not self._overwrite:
            raise InvalidRequestError(f"file: {str(target)!r} is there already, and overwrite is False")

    def _is_ours(self, file: BinaryIO) -> bool:
        """Whether we have the lock, and the file still has the name by which it was opened."""
        if os.name == "posix":
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise FileError(errno.EBUSY, f"file: another download is writing to {self._path}") from None
            except OSError:  # pragma: no cover - a file system without locks
                pass
        mine = os.fstat(file.fileno())
        if not stat.S_ISREG(mine.st_mode):
            raise FileError(errno.EINVAL, f"file: {self._path} is no regular file")
        try:
            return os.path.samestat(mine, os.stat(self._path))
        except FileNotFoundError:
            return False  # it got its name, or was removed, before we had the lock

    def _load(self) -> tuple[str, int | None] | None:
        """The validator and the total of what there is, where it belongs to what is asked for."""
        try:
            found: Any = json.loads(self._state.read_bytes())
            key, validator, total = found["key"], found["validator"], found["total"]
        except (OSError, ValueError, TypeError, KeyError, RecursionError):
            return None
        if key != self._key or not isinstance(validator, str) or not (total is None or isinstance(total, int)):
            return None
        return validator, total

    def _write(self) -> None:
        pending, self._pending, self._gathered = self._pending, [], 0
        if self._file is not None and pending:
            self._file.writelines(pending)
            self._file.flush()

    def _empty(self, size: int) -> None:
        """Nothing is there behind so many bytes."""
        assert self._file is not None
        self._pending, self._gathered = [], 0
        self._file.seek(size)
        self._file.truncate()

    def _sync_folder(self) -> None:
        """Have the new name on the disk, where the system can do that."""
        with contextlib.suppress(OSError):
            folder = os.open(self._target.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)

    def _put_where_nothing_is(self) -> None:
        try:
            os.link(self._path, self._target)
        except FileExistsError:
            raise FileError(
                errno.EEXIST, f"file: {self._target} has come to be there, and overwrite is False"
            ) from None
        except OSError:  # pragma: no cover - a file system without hard links
            if self._target.exists():
                raise
            os.rename(self._path, self._target)
        else:
            self._path.unlink()
