"""A clock that stands until it is moved."""

from __future__ import annotations


class ManualClock:
    """Call it for the time; move it with :meth:`advance`.

    Args:
        now: where it begins, in seconds.
    """

    __slots__ = ("now",)

    def __init__(self, now: float = 0.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> float:
        """Move on by ``seconds`` (back, if below 0); returns the new time."""
        self.now += seconds
        return self.now

    def __repr__(self) -> str:
        return f"<ManualClock {self.now:.6g}>"
