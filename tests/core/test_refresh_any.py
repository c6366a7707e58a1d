"""Any number of calls, whoever goes away, whatever the endpoint does: what holds of tokens always."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sansio_http import (
    ClientCredentials,
    ConnectionLostError,
    HTTPRequest,
    HTTPResponse,
    Policies,
    RetryPolicy,
    Send,
    TokenError,
    TotalTimeoutError,
)
from sansio_http.testing import Reply, Simulator

# On a grid, so that events tie.
times = st.integers(0, 40).map(lambda n: n / 4)
calls = st.tuples(times, st.none() | st.integers(1, 12).map(lambda n: n / 4), st.none() | times)
answers = st.tuples(st.sampled_from(["granted", "granted", "short", "400", "503", "lost", "html", "zero"]), times)


class Model:
    """What the endpoint has given, and what it knows to be wrong."""

    def __init__(self, answers: list[tuple[str, float]], revoked: float) -> None:
        self.answers = answers
        self.revoked = revoked
        self.issued: dict[str, tuple[float, float]] = {}  # by token: when it was asked for, and how long it lives
        self.simulator: Simulator

    def serve(self, send: Send) -> Reply:
        now = self.simulator.now
        if send.via == "api":
            token = send.request.headers["authorization"].removeprefix("Bearer ")
            asked_at, lifetime = self.issued[token]  # never one that nobody has given
            assert now < asked_at + lifetime, "a token is used that is known to be over"
            return Reply(401 if asked_at < self.revoked <= now else 200, after=0.25)
        live = [
            order
            for call in self.simulator.calls
            for order in call.live.values()
            if isinstance(order, Send) and order.via == "token"
        ]
        assert len(live) == 1, "one token request is under way at most"
        kind, after = self.answers.pop(0) if self.answers else ("granted", 0.25)
        if kind == "lost":
            return Reply(after=after, error=lambda send: send.error(ConnectionLostError, "lost"))
        if kind in ("400", "503"):
            return Reply(int(kind), after=after)
        lifetime = {"short": 1, "zero": 0}.get(kind, 5)
        token = f"t{len(self.issued)}"
        self.issued[token] = now, lifetime
        answer = {"access_token": token, "token_type": "Bearer", "expires_in": lifetime}
        return Reply(200, content=b"<html>" if kind == "html" else json.dumps(answer).encode(), after=after)


def run(
    given_calls: list[Any], given_answers: list[Any], revoked: float, ties: Any, late: Callable[[], float]
) -> tuple[Model, ClientCredentials, Simulator]:
    source = ClientCredentials("https://login/", "id", "secret", margin=1, timeout=6, retry=RetryPolicy(retries=1))
    model = Model(list(given_answers), revoked)
    model.simulator = simulator = Simulator(model.serve, ties=ties, late=late)
    policies = Policies(auth=source, auth_origin="https://api", rand=lambda: 0.5)
    for at, timeout, cancel_at in given_calls:
        request = HTTPRequest("GET", "https://api/", timeout=timeout)
        simulator.call(request, policies, at=at, cancel_at=None if cancel_at is None else at + cancel_at)
    simulator.run(math.inf)
    return model, source, simulator


@given(
    st.lists(calls, min_size=1, max_size=12),
    st.lists(answers, max_size=6),
    times,
    st.sampled_from(["first", "last"]),
    st.sampled_from([0.0, 0.25]),
)
def test_what_holds_of_tokens_always(given_calls, given_answers, revoked, ties, late):
    model, source, simulator = run(given_calls, given_answers, revoked, ties, lambda: late)
    assert source.refreshing is None and not source._waiting and source.deadline is None
    for call, (at, timeout, _) in zip(simulator.calls, given_calls, strict=True):
        assert call.cancelled or isinstance(call.outcome, HTTPResponse | TokenError | TotalTimeoutError)
        assert call.ended_at is not None
        assert timeout is None or call.ended_at <= at + timeout + late
        assert len([send for send in call.sends if send.via == "api"]) <= 2
    # the endpoint is well again, and so is everybody
    model.answers.clear()
    policies = Policies(auth=source, auth_origin="https://api")
    last = simulator.call(HTTPRequest("GET", "https://api/"), policies, at=simulator.now + 100)
    simulator.run()
    assert last.response.is_success
