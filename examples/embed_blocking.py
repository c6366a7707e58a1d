"""The same core in a blocking program, over the standard library's HTTP client: no event loop, nothing to install.

:func:`ask` is the whole driver: whatever the core decides (retries, limits, breakers, redirects) works here as it does
in AsyncHTTPClient. :func:`perform` is the whole of the I/O. Without comments the two are less than 40 lines.
"""

import http.client
import random
import time
from contextlib import closing

from _loopback import MockServer, Reply

import sansio_http as core


def ask(request: core.HTTPRequest, policies: core.Policies) -> core.HTTPResponse:
    """Run one call: do what each step says, and tell the call what came of it."""
    call = core.Call(request, policies)
    step = call.start(time.monotonic())
    try:
        while step.done is None:
            event = perform(*step.send) if step.send else sleep_until(step.wake_at)
            step = call.handle(event, time.monotonic())
    finally:  # whoever shares policies between threads does this with the nudge of every step
        for waiter in call.close(time.monotonic()).nudge:
            waiter.wake()
    if isinstance(step.done, BaseException):
        raise step.done
    return step.done


def perform(send: core.Send | core.Ask) -> core.Ended:
    """Put a request on the wire until its deadline. An error is an outcome, and says how far the request had come."""
    assert isinstance(send, core.Send)  # an Ask is about hooks, which these policies have none of
    request, progress = send.request, send.progress
    _, host, port, target = core.split(request.url)
    with closing(http.client.HTTPConnection(host, port, timeout=left(send))) as wire:
        try:
            progress.phase, progress.head_sent = "connect", False
            wire.connect()
            progress.phase, progress.head_sent = "send", True
            wire.sock.settimeout(left(send))  # of each operation: reading in pieces would stop a server that drips
            wire.request(request.method, target, request.body.source if request.body else None, request.headers)
            progress.phase = "head"
            answer = wire.getresponse()
            progress.phase, progress.body_started = "body", True
            return core.Ended(send.id, core.HTTPResponse(answer.status, answer.getheaders(), answer.read()))
        except TimeoutError:
            return core.Ended(send.id, send.error(core.AttemptTimeoutError, "the attempt took too long"))
        except (OSError, http.client.HTTPException) as error:
            lost = isinstance(error, OSError | http.client.IncompleteRead)
            kind = core.ConnectionLostError if lost else core.ProtocolError
            return core.Ended(send.id, send.error(kind if progress.head_sent else core.ConnectError, str(error)))


def left(send: core.Send) -> float | None:
    """Seconds until the deadline; for a socket, 0 would mean not to block at all."""
    return None if send.deadline is None else max(0.001, send.deadline - time.monotonic())


def sleep_until(moment: float | None) -> core.Woke:
    """Wait. A step with nothing to send always says until when."""
    time.sleep(max(0.0, (moment or 0.0) - time.monotonic()))
    return core.Woke()


def main() -> None:
    retry = core.RetryPolicy(backoff=core.ExponentialBackoff(base=0.1))
    policies = core.Policies(retry=retry, rand=random.random)
    with MockServer() as server:
        server.on("GET /flaky", Reply(503), Reply(503), Reply(json={"it": "works"}))
        server.on("GET /hangs", Reply.hang())
        response = ask(core.HTTPRequest("GET", f"{server.url}/flaky", timeout=10.0), policies)
        print([attempt.status_code for attempt in response.attempts], response.json_data)
        try:
            ask(core.HTTPRequest("GET", f"{server.url}/hangs", timeout=0.5), policies)
        except core.TotalTimeoutError as error:
            print(f"{type(error).__name__} in phase {error.phase}, head sent: {error.head_sent}")


if __name__ == "__main__":
    main()
