"""Transports: what puts a request on the wire."""

from typing import TYPE_CHECKING, Any

from .base import Transport
from .pooled import PooledTransport

if TYPE_CHECKING:
    from .httpcore import HttpcoreTransport

__all__ = ["HttpcoreTransport", "PooledTransport", "Transport"]


def __getattr__(name: str) -> Any:
    if name == "HttpcoreTransport":  # httpcore takes a third of the time of all the rest to import
        from .httpcore import HttpcoreTransport

        return HttpcoreTransport
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
