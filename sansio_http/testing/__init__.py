"""For tests: a clock that stands, a simulation of calls and server, and a kit that puts a driver to the test."""

from .clock import ManualClock
from .conformance import ConformanceError, check_driver
from .script import Reply, Server, script
from .simulator import ContractError, SimulatedCall, Simulator, Ties

__all__ = [
    "ConformanceError",
    "ContractError",
    "ManualClock",
    "Reply",
    "Server",
    "SimulatedCall",
    "Simulator",
    "Ties",
    "check_driver",
    "script",
]
