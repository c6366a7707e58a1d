"""Those who wait for a limiter: places in the order in which they came, linked to each other."""

from __future__ import annotations

from .places import Reservation


class Line:
    """A queue of one place or more, of which each can leave in O(1) from wherever it stands.

    A limiter has one only while somebody waits: there may be 100,000 limiters, one for each key, and most are idle.

    Args:
        place: the first to wait.

    Attributes:
        first, last: its ends.
        waiting: places in it.
        pending: tokens they wait for.
        mark: tokens that were ever queued in it, for estimates of what is ahead of whom.
    """

    __slots__ = ("first", "last", "mark", "pending", "waiting")

    def __init__(self, place: Reservation) -> None:
        self.first = self.last = place
        self.waiting = 1
        self.pending = self.mark = place.tokens
        place.mark = 0

    def append(self, place: Reservation) -> None:
        """One more, at the end."""
        last = self.last
        last.behind = place
        place.before = last
        self.last = place
        place.mark = self.mark
        self.mark += place.tokens
        self.pending += place.tokens
        self.waiting += 1

    def put_first(self, place: Reservation) -> None:
        """One more, before all others."""
        first = self.first
        first.before = place
        place.behind = first
        self.first = place
        place.mark = first.mark - place.tokens
        self.pending += place.tokens
        self.waiting += 1

    def remove(self, place: Reservation) -> None:
        """One less, of two or more."""
        before, behind = place.before, place.behind
        if before is not None:
            before.behind = behind
        else:
            assert behind is not None
            self.first = behind
        if behind is not None:
            behind.before = before
        else:
            assert before is not None
            self.last = before
        place.before = place.behind = None
        self.pending -= place.tokens
        self.waiting -= 1
