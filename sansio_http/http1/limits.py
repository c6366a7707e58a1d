"""How much of anything a response may have."""

from __future__ import annotations

from dataclasses import dataclass, fields

from ..exceptions import ConfigurationError


@dataclass(frozen=True, slots=True)
class HTTP1Limits:
    """How much of a response is read before it is refused; the body itself is for its reader to limit.

    Args:
        head: bytes of a head: the status line and the header fields with their line ends. Each interim response has as
            many.
        fields: header fields of a head.
        interim: interim responses (1xx) before the final one.
        chunk_line: bytes of the line before a chunk: its size and extensions.
        trailer: bytes of the trailer section.
        trailer_fields: fields of the trailer section.

    Raises:
        ConfigurationError: a limit is not a whole number, 0 or more.
    """

    head: int = 65_536
    fields: int = 256
    interim: int = 20
    chunk_line: int = 4_096
    trailer: int = 16_384
    trailer_fields: int = 64

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 0:
                raise ConfigurationError(
                    f"HTTP1Limits.{field.name}: {value!r:.40} is not allowed; it must be a whole number, 0 or more"
                )


DEFAULT = HTTP1Limits()
