"""Byte streams to a server: one interface, a stream made for asyncio, and one for any library that anyio runs on."""

from .base import Stream, StreamClosedError
from .choice import stream_over
from .tls_engine import TLSEngine

__all__ = ["Stream", "StreamClosedError", "TLSEngine", "stream_over"]
