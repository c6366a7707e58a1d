"""Transports: what puts a request on the wire."""

from .base import Transport
from .httpcore import HttpcoreTransport
from .pooled import PooledTransport

__all__ = ["HttpcoreTransport", "PooledTransport", "Transport"]
