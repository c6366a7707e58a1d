"""Circuit breaker: a server that fails again and again is left alone for a while, then tried with care."""

from .circuit import Circuit, Permit, Rejected
from .failures import is_failure
from .table import TRANSITIONS, CircuitEvent, CircuitState, diagram

__all__ = [
    "TRANSITIONS",
    "Circuit",
    "CircuitEvent",
    "CircuitState",
    "Permit",
    "Rejected",
    "diagram",
    "is_failure",
]
