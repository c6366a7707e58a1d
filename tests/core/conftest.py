"""Purity net 4: no test of the core may touch a socket, nor may the core behind its back."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest


class SocketGuard:
    """Listens to the interpreter's audit events. A hook cannot be removed, so there is one, with a switch."""

    def __init__(self) -> None:
        self.armed = False
        self.seen: list[str] = []

    def __call__(self, event: str, args: tuple[object, ...]) -> None:
        if self.armed and event.startswith("socket."):
            self.seen.append(event)
            # Not an Exception, so that it ends the test and not just a try block of the code that is tested.
            pytest.fail(f"the core touched a socket: {event}")


_guard = SocketGuard()
sys.addaudithook(_guard)


@pytest.fixture(autouse=True)
def no_sockets() -> Iterator[SocketGuard]:
    """Fails the test on any socket event; once more at its end, in case the first failure was swallowed."""
    _guard.seen.clear()
    _guard.armed = True
    try:
        yield _guard
    finally:
        _guard.armed = False
    assert not _guard.seen, f"the core touched a socket: {_guard.seen}"
