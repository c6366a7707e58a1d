"""Five hundred callers, a real server that fails and heals, and one circuit breaker between them, in real time."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Any

import anyio
import pytest

from sansio_http import Ended, Send
from sansio_http_anyio import (
    AsyncHTTPClient,
    CircuitBreaker,
    CircuitBreakerOpenError,
    CircuitChanged,
    ClientConfig,
    HttpcoreTransport,
    Middleware,
    Note,
)
from tests.fixtures.mock_server import MockServer, Reply

pytestmark = pytest.mark.anyio

CALLERS = 500
PROBES = 2
BREAK = 0.4
PAUSE = 1.0  # of a caller, at most, between two calls


class Watch:
    """The wire: what the circuit was when each send went out, and how many probes were out at once."""

    def __init__(self, inner: HttpcoreTransport, breaker: CircuitBreaker) -> None:
        self.inner, self.breaker = inner, breaker
        self.states: dict[str, int] = {}
        self.probes = self.most_probes = 0

    async def send(self, send: Send) -> Ended:
        state = str(self.breaker.last_state)  # nothing was awaited since it was let pass
        self.states[state] = self.states.get(state, 0) + 1
        probe = state == "HALF_OPEN"
        self.probes += probe
        self.most_probes = max(self.most_probes, self.probes)
        try:
            return await self.inner.send(send)
        finally:
            self.probes -= probe

    async def aclose(self) -> None:
        await self.inner.aclose()


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - an event would have to come from what is tested
        await anyio.sleep(0.01)


class Changes(Middleware):
    """Every move of the circuit, and when."""

    def __init__(self) -> None:
        self.seen: list[tuple[float, str, str]] = []

    @property
    def moves(self) -> list[tuple[str, str]]:
        return [(before, after) for _, before, after in self.seen]

    def on_note(self, note: Note) -> None:
        if isinstance(note, CircuitChanged):
            self.seen.append((note.at, note.before, note.after))


async def test_while_it_is_open_nothing_is_sent_and_it_closes_soon_after_the_server_has_healed() -> None:
    ill = False
    config = ClientConfig(timeout=None, retry_attempts=0, max_connections=20, max_keepalive_connections=20)
    breaker = CircuitBreaker(failure_threshold=5, recovery_timeout=BREAK, half_open_permits=PROBES)
    watch, changes = Watch(HttpcoreTransport(config), breaker), Changes()
    answers: dict[Any, int] = {}
    rand = random.Random(7)

    async def caller(client: AsyncHTTPClient) -> None:
        while True:
            try:
                answer: Any = (await client.get("/x")).status_code
            except CircuitBreakerOpenError as error:
                answer = error.state
            answers[answer] = answers.get(answer, 0) + 1
            await anyio.sleep(PAUSE * rand.random())

    with MockServer() as server:
        server.on("GET /x", lambda request: Reply(503 if ill else 200))
        client = AsyncHTTPClient(server.url, config, circuit_breaker=breaker, middlewares=[changes], transport=watch)
        async with client, anyio.create_task_group() as tasks:
            for _ in range(CALLERS):
                tasks.start_soon(caller, client)
            # Each phase lasts until the thing it is about has happened: a machine that others use too is in no hurry.
            with anyio.fail_after(60):
                await until(lambda: answers.get(200, 0) >= 100)
                assert breaker.state == "CLOSED"
                ill = True
                await until(lambda: changes.moves.count(("HALF_OPEN", "OPEN")) >= 2)
                ill, healed_at = False, time.monotonic()
                await until(lambda: changes.moves[-1] == ("HALF_OPEN", "CLOSED"))
            await anyio.sleep(0.2)
            tasks.cancel_scope.cancel()

    assert changes.moves[0] == ("CLOSED", "OPEN") and changes.moves[-1] == ("HALF_OPEN", "CLOSED")
    assert set(watch.states) == {"CLOSED", "HALF_OPEN"}, "nothing is sent while OPEN"
    assert watch.most_probes <= PROBES
    assert answers[503] and answers[200] and answers["OPEN"] > answers[503]
    # At most the break that had begun when it healed, and no other. (A probe that was on its way may open it once.)
    late = [at for at, before, after in changes.seen if (before, after) == ("OPEN", "HALF_OPEN") and at > healed_at]
    assert len(late) <= 2
    assert breaker.permits_out == 0
