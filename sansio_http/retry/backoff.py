"""How long to wait before a retry."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from sys import float_info
from typing import Literal

from ..exceptions import ConfigurationError

Jitter = Literal["full", "none"]
"""``full``: uniform in [0, value), which spreads clients best; ``none``: the value itself."""

_LARGEST_EXPONENT = 1000  # 2.0**1024 overflows, and every sensible cap is passed long before


@dataclass(frozen=True, slots=True)
class ExponentialBackoff:
    """Waits that double: ``min(cap, base * 2**n)`` before retry n = 0, 1, ..., then jittered.

    Full jitter is the default because it lets the fewest clients collide
    (M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015).

    Args:
        base: seconds before the first retry, without jitter; 0 or more.
        cap: seconds at most; 0 or more.
        jitter: see :data:`Jitter`.

    Raises:
        ConfigurationError: a value is out of its range.
    """

    base: float = 1.0
    cap: float = 60.0
    jitter: Jitter = "full"

    def __post_init__(self) -> None:
        for name in ("base", "cap"):
            value = getattr(self, name)
            if not (isinstance(value, int | float) and 0 <= value <= float_info.max):
                raise ConfigurationError(
                    f"ExponentialBackoff.{name}: {value!r} is not allowed; it is seconds, 0 or more"
                )
        if self.jitter not in ("full", "none"):
            raise ConfigurationError(
                f"ExponentialBackoff.jitter: {self.jitter!r} is not allowed; it is 'full' or 'none'"
            )

    def delay(self, retry: int, rand: Callable[[], float] | None = None) -> float:
        """Seconds to wait before retry number ``retry`` (0 is the first).

        Args:
            rand: a source of numbers in [0, 1); without, there is no jitter.
        """
        value = min(self.cap, self.base * 2.0 ** min(retry, _LARGEST_EXPONENT))
        return value if self.jitter == "none" or rand is None else value * rand()
