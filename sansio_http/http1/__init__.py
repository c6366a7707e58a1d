"""HTTP/1.1 for a client, without I/O: a request to bytes, and the bytes of a connection to responses."""

from .errors import HTTP1Error
from .limits import HTTP1Limits
from .request import BodyWriter, HeadWriter
from .response import ResponseParser

__all__ = ["BodyWriter", "HTTP1Error", "HTTP1Limits", "HeadWriter", "ResponseParser"]
