"""What a circuit answers to who wants to make a call."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING

from .table import CircuitState

if TYPE_CHECKING:
    from .circuit import Circuit

ENDED = -1
"""The generation of a permit that was given back: no circuit ever has it."""


class Permit:
    """Leave to make one call. End it with exactly one of ``record``, ``settle`` and ``release`` of its circuit.

    Attributes:
        circuit: that gave it.
        generation: of the circuit when it gave it.
        admitted_at: when, on the caller's clock.
        lease_end: when it counts as lost, on the circuit's own time; infinite for a call that is no probe.
    """

    __slots__ = ("admitted_at", "circuit", "generation", "lease_end")

    def __init__(self, circuit: Circuit, generation: int, admitted_at: float, lease_end: float = inf) -> None:
        self.circuit = circuit
        self.generation = generation
        self.admitted_at = admitted_at
        self.lease_end = lease_end

    def __repr__(self) -> str:
        kind = "call" if self.lease_end == inf else f"probe until {self.lease_end:.6g}"
        when = "ended" if self.generation == ENDED else f"generation {self.generation}"
        return f"<Permit {kind}, {when}>"


@dataclass(slots=True)
class Rejected:
    """The circuit lets nothing through.

    Attributes:
        state: OPEN, ISOLATED, or HALF_OPEN with all probes out.
        retry_at: when it is worth asking again, on the caller's clock; None where only somebody can say.
        last_failure: one line on what opened it.
    """

    state: CircuitState
    retry_at: float | None
    last_failure: str | None
