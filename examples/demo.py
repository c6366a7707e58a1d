"""``make demo``: a client does its job against a server that has a bad day, on asyncio and then on trio.

The server refuses connections, answers 503, hangs, throttles, and recovers. The client sends a token, keeps to a rate,
stops asking while its circuit is open, gives up on what takes too long, and tries again what may be tried again. What
it decides is told to a middleware, which prints it. At the end both sides' accounts are compared: the exit status is 0
if all went as it should, else 1, and a line says what was wrong.
"""

import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from http import HTTPStatus
from itertools import combinations, pairwise
from urllib.parse import urlsplit

import anyio
from _loopback import MockServer, Reply

from sansio_http_anyio import (
    AsyncHTTPClient,
    BearerAuth,
    CallEnded,
    CircuitBreaker,
    CircuitChanged,
    ClientConfig,
    ExponentialBackoff,
    HTTPResponse,
    Middleware,
    Note,
    Retrying,
    RetryMiddleware,
    RetryPolicy,
    SendEnded,
    Stopped,
    TokenBucketRateLimiter,
    Waited,
)

TOKEN = "secret"
RATE, BURST = 5, 2  # requests a second, and at once
FAILURES, BREAK = 3, 0.3  # in a row that open the circuit, and seconds that it then stays open
ATTEMPT = 1.0  # seconds that one attempt may take
REFUSALS = 2  # connections, before the server recovers from that
RETRY_AFTER = 1  # seconds that it asks for
USERS = [{"id": number, "name": name} for number, name in enumerate(("Ada", "Grace", "Edsger", "Barbara"), 1)]


def misbehave(server: MockServer) -> None:
    """What a bad day is like."""
    server.refuse()
    server.on("GET /users", Reply(503), Reply(json=[user["id"] for user in USERS]))
    server.on("GET /users/1", Reply.hang(), Reply(json=USERS[0]))
    server.on("GET /users/2", Reply(429, headers={"Retry-After": str(RETRY_AFTER)}), Reply(json=USERS[1]))
    server.on("GET /users/3", Reply(json=USERS[2]))
    server.on("GET /users/4", Reply(json=USERS[3]))


async def job(base_url: str, story: Middleware) -> list[HTTPResponse]:
    """List the users, then fetch every one of them, all at once."""
    # No jitter, so that every run tells the same story.
    retry = RetryPolicy(retries=5, backoff=ExponentialBackoff(base=0.1, jitter="none"))
    async with AsyncHTTPClient(
        base_url=base_url,
        config=ClientConfig(timeout=20, attempt_timeout=ATTEMPT),
        auth=BearerAuth(TOKEN),
        middlewares=[RetryMiddleware(retry), story],
        rate_limiter=TokenBucketRateLimiter(rate=RATE, burst=BURST),
        circuit_breaker=CircuitBreaker(failure_threshold=FAILURES, recovery_timeout=BREAK),
    ) as client:
        listed = await client.get("/users")
        users: dict[int, HTTPResponse] = {}

        async def fetch(number: int) -> None:
            users[number] = await client.get(f"/users/{number}")

        async with anyio.create_task_group() as tasks:
            for number in listed.json_data:
                tasks.start_soon(fetch, number)
    return [listed, *(users[number] for number in sorted(users))]


class Story(Middleware):
    """Prints a line for each attempt and for each move of the circuit, and remembers what was said."""

    def __init__(self, server: MockServer) -> None:
        self.sends: list[SendEnded] = []
        self.moves: list[str] = []
        self.waits: list[float] = []
        self._server = server
        self._began = time.monotonic()
        self._waited: dict[int, float] = {}  # by task: what is noted is told in the task that makes the call
        self._caused: list[CircuitChanged] = []  # by the send that has just ended; told after it

    def on_note(self, note: Note) -> None:
        match note:
            case Waited():
                self.waits.append(note.seconds)
                self._waited[anyio.get_current_task().id] = note.seconds
            case SendEnded():
                self.sends.append(note)
                if [outcome(send) for send in self.sends].count("ConnectError") == REFUSALS:
                    self._server.accept()
            case Retrying():
                self._tell_send(f"again in {note.delay:.2f} s: {note.reason}")
            case Stopped():
                self._tell_send(f"no other follows: {note.reason}")
            case CallEnded(error=None):
                self._tell_send("done")
            case CircuitChanged():
                self.moves.append(note.after)
                if note.after == "HALF_OPEN":  # by time, at the sight of the next send
                    self._tell_move(note)
                else:
                    self._caused.append(note)

    def _tell_send(self, then: str) -> None:
        send = self.sends[-1]
        waited = self._waited.pop(anyio.get_current_task().id, 0.0)
        path, limiter, took = urlsplit(send.url).path, f"{waited:.2f} s" if waited else "-", send.elapsed * 1000
        self._line(send.at, f"{path:<9} {send.attempt:>3}  {limiter:>7}  {took:4.0f} ms  {outcome(send):<24} {then}")
        while self._caused:
            self._tell_move(self._caused.pop(0))

    def _tell_move(self, move: CircuitChanged) -> None:
        then = {"OPEN": f"nothing passes for {BREAK} s", "HALF_OPEN": "one probe passes", "CLOSED": "all pass"}
        self._line(move.at, f"{'circuit':<32} {f'{move.before} -> {move.after}':<24} {then[move.after]}")

    def _line(self, at: float, text: str) -> None:
        print(f"  {at - self._began:5.2f} s  {text}")


def outcome(send: SendEnded) -> str:
    """In a few words: the status, or the class of the error."""
    if send.status_code is None:
        return str(send.error).partition(":")[0]
    return f"{send.status_code} {HTTPStatus(send.status_code).phrase}"


def check(server: MockServer, story: Story, responses: Sequence[HTTPResponse]) -> Iterator[str]:
    """What did not go as it should have: nothing, if all went well."""
    result = [response.json_data for response in responses[1:]]
    if result != USERS:
        yield f"the job's result is {result}"

    met = {send.status_code or outcome(send) for send in story.sends}
    if missing := {"ConnectError", "AttemptTimeoutError", 429, 503, 200} - met:
        yield f"what should have happened and did not: {missing}"
    if (story.moves[:1], story.moves[-1:]) != (["OPEN"], ["CLOSED"]):
        yield f"the circuit's moves were {story.moves}; it should have opened, and closed at last"
    if not story.waits:
        yield "nobody had to wait for the limiter"

    attempts = [(response, attempt) for response in responses for attempt in response.attempts]
    if len(attempts) != len(story.sends):
        yield f"the responses tell of {len(attempts)} attempts, the notes of {len(story.sends)}"
    arrived = Counter(path_of(response) for response, attempt in attempts if "phase connect" not in str(attempt.error))
    journal = Counter(request.path for request in server.requests)
    if arrived != journal:
        yield f"by the client's account there arrived {dict(arrived)}, by the server's {dict(journal)}"
    if any(request.headers.get("authorization") != f"Bearer {TOKEN}" for request in server.requests):
        yield "a request came without the token"

    for response in responses:
        for before, after in pairwise(response.attempts):
            pause = after.started - before.started - before.elapsed
            if before.status_code == 429 and pause < RETRY_AFTER - 1e-6:
                yield f"the server asked for {RETRY_AFTER} s, and {path_of(response)} came after {pause:.3f} s"
    for (first, one), (last, other) in combinations(enumerate(sorted(attempt.started for _, attempt in attempts)), 2):
        if last - first + 1 > RATE * (other - one) + BURST + 1e-6:
            yield f"the limiter let {last - first + 1} requests through in {other - one:.3f} s"

    if server.open_connections:
        yield f"connections left open: {server.open_connections}"


def path_of(response: HTTPResponse) -> str:
    """Of the request that was answered."""
    return urlsplit(response.request.url).path if response.request else "?"


def run(backend: str) -> list[str]:
    """The job on one event loop; what was wrong."""
    began = time.monotonic()
    with MockServer() as server:
        misbehave(server)
        story = Story(server)
        try:
            responses = anyio.run(job, server.url, story, backend=backend)
        except Exception as error:
            while isinstance(error, ExceptionGroup):
                error = error.exceptions[0]
            return [f"the job failed: {type(error).__name__}: {error}"]
        fetched = [response.json_data for response in responses[1:]]
        names = ", ".join(str(user["name"]) for user in fetched if user in USERS)
        took, tries, seen = time.monotonic() - began, len(story.sends), len(server.requests)
        print(f"  {took:5.2f} s  result    {names}: {tries} attempts, of which {seen} reached the server")
        return list(check(server, story, responses))


def main(backends: Sequence[str] = ("asyncio", "trio")) -> int:
    print("A job against a server that has a bad day: list the users, then fetch each of them, all at once.")
    print(f"{RATE} requests/s, {BURST} at once; {ATTEMPT:g} s an attempt; {FAILURES} failures open the circuit.")
    problems = []
    for backend in backends:
        print(f"\n{backend + ':':<10} request    try  limiter     took  outcome                  then")
        problems += [f"WRONG on {backend}: {problem}" for problem in run(backend)]
    print("\n" + ("\n".join(problems) or f"All went as it should on {' and '.join(backends)}."))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
