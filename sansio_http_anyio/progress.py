"""How far a transfer has come: who is told, and a bar that shows it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any

from sansio_http import ConfigurationError, InvalidRequestError

if TYPE_CHECKING:
    from rich.progress import Progress

ProgressCallback = Callable[[int, int | None], object]
"""Told of the bytes so far, and of all that there will be; None where that is not known.

It is called in the event loop, for every piece: do not block in it. The bytes so far go back to 0 where a transfer
has to begin anew. What it raises ends the transfer.
"""


def checked_progress(progress: ProgressCallback | None) -> ProgressCallback:
    """What is to be told; where nothing was given, nobody is.

    Raises:
        InvalidRequestError: it cannot be called, or would have to be awaited.
    """
    if progress is None:
        return _nobody
    if not callable(progress) or inspect.iscoroutinefunction(progress):
        raise InvalidRequestError(
            f"progress: {progress!r:.80} is not allowed; it is a plain function of the bytes so far and of their total"
        )
    return progress


def _nobody(done: int, total: int | None) -> None:
    """Nothing to tell."""


class ProgressBar:
    """A bar on the terminal, to be given as ``progress=``. It is there within its ``with``::

        with ProgressBar("big.iso") as bar:
            await client.download("/big.iso", "big.iso", progress=bar)

    It needs rich (the extra ``progress``).

    Args:
        description: in front of the bar.
        progress: one of rich's that is running, to put a row into: for several bars at once, or columns of your own.

    Raises:
        ConfigurationError: rich is not installed.
    """

    def __init__(self, description: str = "", *, progress: Progress | None = None) -> None:
        self._own = progress is None
        self._progress: Any = _rich_progress() if progress is None else progress
        self._description = description
        self._task: Any = None

    def __enter__(self) -> ProgressBar:
        if self._own:
            self._progress.start()
        self._task = self._progress.add_task(self._description, total=None)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._task = None
        if self._own:
            self._progress.stop()

    def __call__(self, done: int, total: int | None) -> None:
        """Show that ``done`` of ``total`` bytes are there.

        Raises:
            ConfigurationError: outside of ``with``.
        """
        if self._task is None:
            raise ConfigurationError("progress: a ProgressBar is to be used within its `with` block")
        self._progress.update(self._task, completed=done, total=total)


def _rich_progress() -> Any:
    """The columns of a transfer: how much, how fast, how long still."""
    try:
        from rich import progress as rich
    except ImportError:
        raise ConfigurationError(
            "ProgressBar: rich is not installed; to install it: pip install 'sansio-http[progress]'"
        ) from None
    return rich.Progress(
        rich.TextColumn("{task.description}"),
        rich.BarColumn(),
        rich.DownloadColumn(),
        rich.TransferSpeedColumn(),
        rich.TimeRemainingColumn(),
    )
