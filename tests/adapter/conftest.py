"""What the adapter's tests share: a server that misbehaves on request, and a wait for what happens elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import anyio
import pytest

from tests.fixtures.mock_server import MockServer


@pytest.fixture
def server() -> Iterator[MockServer]:
    """A server of its own for each test."""
    with MockServer() as server:
        yield server


@pytest.fixture
def other() -> Iterator[MockServer]:
    """A second origin."""
    with MockServer() as server:
        yield server


@pytest.fixture
def eventually() -> Callable[[Callable[[], object]], object]:
    """``await eventually(lambda: ...)``: waits until it is true, two seconds at most."""

    async def wait(condition: Callable[[], object]) -> None:
        with anyio.move_on_after(2):
            while not condition():  # noqa: ASYNC110 - it happens in threads and sockets
                await anyio.sleep(0.002)
        assert condition()

    return wait
