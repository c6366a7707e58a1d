"""Which connection a request gets."""

from .parts import Close, Commands, Grant, Open, PooledConnection, PoolStatus, Reuse, Ticket, Wait
from .scheduler import PoolScheduler

__all__ = [
    "Close",
    "Commands",
    "Grant",
    "Open",
    "PoolScheduler",
    "PoolStatus",
    "PooledConnection",
    "Reuse",
    "Ticket",
    "Wait",
]
