"""Transports: what puts a request on the wire."""

from .base import Transport
from .httpcore import HttpcoreTransport

__all__ = ["HttpcoreTransport", "Transport"]
