"""Part of ``make mutation``: breaks every row of the circuit's table and every default of a policy, one by one.

Tools for mutation testing change the bodies of functions; a table and a default are data, and nobody's body. Each is
changed in a process of its own, forked from one that has imported all it needs, and the tests of its family have to
fail. Tests that only compare a table with a copy of itself do not count, and are left out.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib
import inspect
import os
import sys
from collections.abc import Callable, Iterator
from math import isinf
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import pytest  # noqa: E402

from sansio_http.circuit_breaker import TRANSITIONS, CircuitState  # noqa: E402

FAMILIES = {
    "sansio_http.circuit_breaker": [
        "tests/core/circuit_breaker/test_circuit.py",
        "tests/core/circuit_breaker/test_window.py",
    ],
    "sansio_http.retry": ["tests/core/retry"],
    "sansio_http.rate_limiter": ["tests/core/rate_limiter", "--ignore=tests/core/rate_limiter/test_queue_stateful.py"],
}
COPIES = ["test_the_table", "test_the_diagram_is_made_from_the_table"]

Change = Callable[[], object]
Mutant = tuple[str, list[str], Change]


def rows() -> Iterator[Mutant]:
    """Each row leads somewhere else, to each of the other states."""
    table: Any = TRANSITIONS
    for (before, event), after in TRANSITIONS.items():
        for wrong in CircuitState:
            if wrong is not after:
                name = f"row {before} / {event.name}: {after} -> {wrong}"
                change = functools.partial(table.__setitem__, (before, event), wrong)
                yield name, FAMILIES["sansio_http.circuit_breaker"][:1], change


def defaults() -> Iterator[Mutant]:
    """Each default of each public class is another value."""
    for family, tests in FAMILIES.items():
        module = importlib.import_module(family)
        for cls in (getattr(module, name) for name in module.__all__):
            if not inspect.isclass(cls) or "__init__" not in vars(cls):
                continue
            for parameter in inspect.signature(cls.__init__).parameters.values():
                wrong = another(parameter.default)
                if wrong is not parameter.empty:
                    name = f"default {cls.__name__}.{parameter.name}: {parameter.default!r:.40} -> {wrong!r:.40}"
                    yield name, tests, functools.partial(set_default, cls.__init__, parameter, wrong)


def another(value: Any) -> Any:
    """A value near to it that may be given as well; ``Parameter.empty`` where there is no telling."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if isinstance(value, float):
        return 1.0 if isinf(value) else value * 1.5 if value >= 1 else value / 1.5 if value else 0.5
    if isinstance(value, frozenset) and value:
        return value - {max(value)}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        for each in dataclasses.fields(value):
            if (wrong := another(getattr(value, each.name))) is not inspect.Parameter.empty:
                return dataclasses.replace(value, **{each.name: wrong})
    return inspect.Parameter.empty


def set_default(function: Any, parameter: inspect.Parameter, value: Any) -> None:
    """The function takes ``value`` for a parameter that is not given."""
    if parameter.kind is parameter.KEYWORD_ONLY:
        function.__kwdefaults__ = function.__kwdefaults__ | {parameter.name: value}
        return
    names = [
        each.name for each in inspect.signature(function).parameters.values() if each.kind is not each.KEYWORD_ONLY
    ]
    given = list(function.__defaults__)
    given[names.index(parameter.name) - len(names)] = value
    function.__defaults__ = tuple(given)


def survives(tests: list[str], change: Change) -> bool:
    """Whether no test fails, in a process that made the change."""
    child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        return os.waitstatus_to_exitcode(status) == 0
    with open(os.devnull, "w") as nothing:
        os.dup2(nothing.fileno(), 1)
        os.dup2(nothing.fileno(), 2)
        change()
        left_out = [f"-knot {' and not '.join(COPIES)}"]
        status = pytest.main(["-x", "-q", "-p", "no:cacheprovider", "-p", "tests.mutants.plugin", *left_out, *tests])
    os._exit(int(status))


def main(names: list[str]) -> int:
    """Judge the mutants whose names have one of ``names`` in them, or all; the exit status."""
    os.chdir(ROOT)
    mutants = [each for each in (*rows(), *defaults()) if not names or any(name in each[0] for name in names)]
    for sound in {tuple(each[1]) for each in mutants}:
        if not survives(list(sound), lambda: None):
            print(f"{' '.join(sound)}: fails without a mutant, so that nothing can be said about any")
            return 1
    survivors = 0
    for name, tests, change in mutants:
        survived = survives(tests, change)
        survivors += survived
        print(f"{'SURVIVED' if survived else 'killed':9} {name}", flush=True)
    print(f"{len(mutants) - survivors} of {len(mutants)} killed")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
