"""Limiters: how often, and how many at once, first come first served."""

from .concurrency import Concurrency, Fate, Slot
from .queue import Claimed, Limiter, Refused, Reservation
from .sliding_window import SlidingWindow
from .token_bucket import TokenBucket

__all__ = [
    "Claimed",
    "Concurrency",
    "Fate",
    "Limiter",
    "Refused",
    "Reservation",
    "SlidingWindow",
    "Slot",
    "TokenBucket",
]
