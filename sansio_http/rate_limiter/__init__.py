"""Limiters: how often, and how many at once, first come first served."""

from .adaptive import AIMD, AdaptiveConcurrency, Gradient2, Vegas
from .adaptive_rate import AdaptiveRate, Cubic
from .combined import Combined
from .concurrency import Concurrency
from .gcra import GCRA
from .places import CLAIMED, Claimed, Fate, Refused, Reservation, Slot
from .queue import Limiter
from .server_quota import ServerQuota
from .sliding_counter import SlidingCounter
from .sliding_window import SlidingWindow
from .throttle import Throttle
from .token_bucket import TokenBucket

__all__ = [
    "AIMD",
    "CLAIMED",
    "GCRA",
    "AdaptiveConcurrency",
    "AdaptiveRate",
    "Claimed",
    "Combined",
    "Concurrency",
    "Cubic",
    "Fate",
    "Gradient2",
    "Limiter",
    "Refused",
    "Reservation",
    "ServerQuota",
    "SlidingCounter",
    "SlidingWindow",
    "Slot",
    "Throttle",
    "TokenBucket",
    "Vegas",
]
