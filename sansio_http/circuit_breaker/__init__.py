"""Circuit breaker: a server that fails again and again is left alone for a while, then tried with care."""

from .circuit import Circuit
from .failures import is_failure
from .permit import Permit, Rejected
from .table import TRANSITIONS, CircuitEvent, CircuitState, diagram
from .window import CallWindow

__all__ = [
    "TRANSITIONS",
    "CallWindow",
    "Circuit",
    "CircuitEvent",
    "CircuitState",
    "Permit",
    "Rejected",
    "diagram",
    "is_failure",
]
