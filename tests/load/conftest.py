"""Client and server are threads of one process here."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def short_turns() -> Iterator[None]:
    """Let a thread that waits for the interpreter have it after half a millisecond, and not after five.

    Else each request would take as many turns of 5 ms as there are steps to it, whatever it costs.
    """
    before = sys.getswitchinterval()
    sys.setswitchinterval(0.0005)
    yield
    sys.setswitchinterval(before)


@pytest.fixture(autouse=True)
def untraced_threads() -> Iterator[None]:
    """Coverage has every new thread install its trace function, which fails where two do so at once."""
    before = threading.gettrace()
    threading.settrace(None)  # type: ignore[arg-type]
    yield
    threading.settrace(before)  # type: ignore[arg-type]
