"""Request bodies as the core sees them: how long, how often they can be sent, and nothing of what is inside.

What a transport has to know of a source is little: it is bytes, or an asynchronous iterable of bytes. ``__aiter__`` is
called anew for each send, and unless ``replay`` says ``once`` it begins at the start each time. Files, plain iterators
and functions that make iterators are made into such iterables by who accepts them from a caller.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from .exceptions import InvalidRequestError

Replay = Literal["concurrent", "yes", "once"]
"""How often a body can be sent.

``concurrent``: any number of times, even at once (bytes); ``yes``: again, after a rewind (a seekable file, a factory
of iterators); ``once``: never again (a plain iterator).
"""


@dataclass(frozen=True, slots=True)
class Body:
    """A request body: what the policies must know about it, and the source that only the transport reads.

    Args:
        source: bytes, or an asynchronous iterable of bytes, whose ``__aiter__`` is called for each send; or what else
            a transport of one's own knows how to read. The core never touches it.
        length: in bytes; None where it is unknown (it is then sent chunked).
        replay: how often it can be sent (see :data:`Replay`).
        digest: a function from a hash name to the digest of the body, for signatures; None where it cannot be had
            without consuming the body.

    Raises:
        InvalidRequestError: the length is negative.
    """

    source: Any
    length: int | None = None
    replay: Replay = "once"
    digest: Callable[[str], bytes] | None = None

    def __post_init__(self) -> None:
        if self.length is not None and self.length < 0:
            raise InvalidRequestError(f"body.length: {self.length} is not allowed; it must be 0 or more")

    @classmethod
    def of(cls, data: bytes) -> Body:
        """The body that ``data`` is: its length is known, and it can be sent any number of times."""
        return cls(data, len(data), "concurrent", lambda algorithm: hashlib.new(algorithm, data).digest())

    @property
    def replayable(self) -> bool:
        """Whether it can be sent a second time."""
        return self.replay != "once"

    def __repr__(self) -> str:
        length = "unknown length" if self.length is None else f"{self.length} bytes"
        return f"<Body {length}, replay={self.replay}>"
