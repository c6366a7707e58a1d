"""The circuit's states, what moves it between them, and the diagram of both."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class CircuitState(StrEnum):
    """What a circuit does with calls."""

    CLOSED = "CLOSED"
    """All pass."""
    OPEN = "OPEN"
    """None passes."""
    HALF_OPEN = "HALF_OPEN"
    """A few probes pass."""


CLOSED, OPEN, HALF_OPEN = CircuitState  # the enumeration's attributes cost 30 ns a look on Python 3.11


class CircuitEvent(StrEnum):
    """Why a circuit changes its state, in the words of the diagram."""

    TRIPPED = "failure_threshold failures in a row"
    BREAK_OVER = "recovery_timeout is over"
    PROBES_SUCCEEDED = "half_open_permits probes succeeded"
    PROBE_FAILED = "a probe failed"
    LEASE_ENDED = "a probe's lease ended"


TRANSITIONS: Final[Mapping[tuple[CircuitState, CircuitEvent], CircuitState]] = {
    (CLOSED, CircuitEvent.TRIPPED): OPEN,
    (OPEN, CircuitEvent.BREAK_OVER): HALF_OPEN,
    (HALF_OPEN, CircuitEvent.PROBES_SUCCEEDED): CLOSED,
    (HALF_OPEN, CircuitEvent.PROBE_FAILED): OPEN,
    (HALF_OPEN, CircuitEvent.LEASE_ENDED): OPEN,
}
"""Every move there is; one that is not here is illegal."""


def diagram() -> str:
    """:data:`TRANSITIONS` as a Mermaid state diagram."""
    moves = [f"    {before} --> {after}: {event}" for (before, event), after in TRANSITIONS.items()]
    return "\n".join(["stateDiagram-v2", f"    [*] --> {CLOSED}", *moves])
