"""One attempt: credentials, hooks, the send, redirects, a dead kept connection; and the time all of it may take."""

from __future__ import annotations

from typing import Any

import pytest

from sansio_http import (
    APIKey,
    Ask,
    AttemptTimeoutError,
    Basic,
    Bearer,
    Body,
    Call,
    Circuit,
    CircuitBreakerOpenError,
    CircuitState,
    Concurrency,
    ConnectError,
    ConnectionLostError,
    Ended,
    ExponentialBackoff,
    HTTPClientError,
    HTTPRequest,
    HTTPResponse,
    InvalidRequestError,
    Keyed,
    Policies,
    RateLimitError,
    ReadTimeoutError,
    RedirectError,
    RedirectPolicy,
    RetryExhaustedError,
    RetryPolicy,
    Send,
    TokenBucket,
    TotalTimeoutError,
    Woke,
    origin,
)
from sansio_http.testing import Reply, Server, SimulatedCall, Simulator, script

HOME = "https://home"
URL = f"{HOME}/x"
RETRY = RetryPolicy(retries=2, backoff=ExponentialBackoff(base=1.0, jitter="none"))
FOLLOW = RedirectPolicy()


def run(
    *replies: Reply,
    server: Server | None = None,
    method: str = "GET",
    url: str = URL,
    late: float = 0.0,
    policies: dict[str, Any] | None = None,
    stream: bool = False,
    **options: Any,
) -> SimulatedCall:
    """One call against these replies. ``options`` are the request's."""
    simulator = Simulator(server or script(*replies), late=lambda: late)
    call = simulator.call(HTTPRequest(method, url, **options), Policies(**(policies or {})), stream=stream)
    simulator.run()
    return call


def urls(call: SimulatedCall) -> list[str]:
    return [send.request.url for send in call.sends]


def to(location: str, status: int = 302, **options: Any) -> Reply:
    return Reply(status, {"Location": location}, **options)


class Recorder:
    """A hook that keeps what it saw, in a list that may be shared."""

    def __init__(self, name: str, log: list[Any]) -> None:
        self.name = name
        self.log = log

    def process_request(self, request: HTTPRequest) -> None:
        self.log.append(f"{self.name} request")

    def process_response(self, response: HTTPResponse, request: HTTPRequest) -> None:
        self.log.append(f"{self.name} response")


class Hook:
    """A hook made of functions."""

    def __init__(self, request: Any = None, response: Any = None) -> None:
        self._request = request
        self._response = response

    def process_request(self, request: HTTPRequest) -> Any:
        return self._request(request) if self._request else None

    def process_response(self, response: HTTPResponse, request: HTTPRequest) -> Any:
        return self._response(response, request) if self._response else None


def raising(error: BaseException) -> Any:
    def do(*args: Any) -> Any:
        raise error

    return do


# --- the order of things ---------------------------------------------------------------------------------------------


def test_the_story_of_an_attempt():
    log: list[Any] = []

    def server(send: Send) -> Reply:
        log.append("send")
        return Reply(200)

    class Auth:
        def apply(self, request: HTTPRequest, now: float) -> None:
            log.append("auth")

    run(
        server=server,
        policies={
            "hooks": (Recorder("first", log), Recorder("last", log)),
            "ask_auth": lambda request: log.append("ask auth"),
            "ask_limiter": lambda tokens: log.append(f"ask limiter for {tokens}"),
            "auth": Auth(),
        },
    )
    assert log == [
        "first request",
        "last request",
        "ask auth",
        "ask limiter for 1",
        "auth",
        "send",
        "last response",
        "first response",
    ]


def test_each_question_is_asked_when_the_one_before_is_answered():
    policies = Policies(hooks=(Hook(), Hook()), ask_auth=lambda request: request, ask_limiter=lambda tokens: None)
    call = Call(HTTPRequest("GET", URL, timeout=5.0), policies)
    step = call.start(0.0)
    for _ in range(4):
        (ask,) = step.send
        assert isinstance(ask, Ask) and ask.deadline == 5.0 and step.wake_at is None
        step = call.handle(Ended(ask.id, ask.target(ask.value)), 1.0)
    (send,) = step.send
    assert isinstance(send, Send)


def test_while_something_is_asked_nothing_is_held():
    limiter, slots, circuit = TokenBucket(1, 1), Concurrency(1), Circuit()
    policies = Policies(hooks=(Hook(),), limiter=limiter, slots=slots, circuit=circuit)
    call = Call(HTTPRequest("GET", URL), policies)
    (ask,) = call.start(0.0).send
    assert (limiter.available(0.0), slots.in_use, circuit.permits_out) == (1, 0, 0)
    (send,) = call.handle(Ended(ask.id, None), 0.0).send
    assert (limiter.available(0.0), slots.in_use, circuit.permits_out) == (0, 1, 1)
    (ask,) = call.handle(Ended(send.id, HTTPResponse(200)), 0.0).send
    assert (slots.in_use, circuit.permits_out) == (0, 0)


# --- hooks -----------------------------------------------------------------------------------------------------------


def test_a_hook_may_change_what_it_was_given():
    def sign(request: HTTPRequest) -> None:
        request.headers["X-Signature"] = request.headers.get("X-Signature", "") + "+"

    call = run(Reply(200), policies={"hooks": (Hook(sign), Hook(sign))})
    assert call.sends[0].request.headers["X-Signature"] == "++"


def test_a_hook_may_give_back_another_request():
    other = HTTPRequest("PUT", "https://home/other", body=b"new")
    call = run(Reply(200), policies={"hooks": (Hook(lambda request: other),)})
    assert (call.sends[0].request.method, urls(call)) == ("PUT", ["https://home/other"])


def test_a_hook_may_give_back_another_response():
    other = HTTPResponse(200, content=b"from the cache")
    call = run(Reply(404), policies={"hooks": (Hook(response=lambda response, request: other),)})
    assert call.outcome is other


def test_a_hook_sees_the_answer_with_the_request_that_was_sent():
    seen: list[Any] = []
    hook = Hook(response=lambda response, request: seen.append((response.request, request)))
    call = run(Reply(200), policies={"hooks": (hook,), "auth": Bearer("t")})
    (sent,) = call.sends
    assert seen == [(sent.request, sent.request)]
    assert call.response.request is sent.request


def test_what_a_hook_makes_of_the_answer_is_what_is_judged():
    def mend(response: HTTPResponse, request: HTTPRequest) -> HTTPResponse:
        return HTTPResponse(200 if response.status_code == 503 else 503)

    call = run(Reply(503), policies={"hooks": (Hook(response=mend),), "retry": RETRY})
    assert call.response.status_code == 200 and len(call.sends) == 1
    call = run(Reply(200), policies={"hooks": (Hook(response=mend),), "retry": RETRY})
    assert isinstance(call.outcome, RetryExhaustedError) and len(call.sends) == 3


def test_the_circuit_judges_what_the_server_said():
    circuit = Circuit(failure_threshold=1)
    hook = Hook(response=lambda response, request: HTTPResponse(200))
    run(Reply(500), policies={"hooks": (hook,), "circuit": circuit})
    assert circuit.last_state is CircuitState.OPEN


def test_every_attempt_starts_from_what_the_caller_wanted():
    def add(request: HTTPRequest) -> None:
        assert "X" not in request.headers
        request.headers["X"] = "y"
        request.params = {"p": 1}

    call = run(Reply(503), Reply(200), url=f"{URL}?a=1", policies={"hooks": (Hook(add),), "retry": RETRY})
    assert urls(call) == [f"{URL}?a=1&p=1"] * 2


def test_params_of_caller_and_hook_are_merged_once():
    def add(request: HTTPRequest) -> None:
        assert request.params is None
        request.params = {"b": 2}

    call = run(Reply(503), Reply(200), params={"a": 1}, policies={"hooks": (Hook(add),), "retry": RETRY})
    assert urls(call) == [f"{URL}?a=1&b=2"] * 2
    assert [send.request.params for send in call.sends] == [None, None]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda request: setattr(request, "method", "BREW"),
        lambda request: setattr(request, "body", "text"),
        lambda request: setattr(request, "params", {"a": object()}),
        lambda request: setattr(request, "headers", {"X": "a\r\nb"}),
    ],
)
def test_a_request_that_a_hook_spoiled_is_not_sent(spoil):
    call = run(Reply(200), policies={"hooks": (Hook(spoil),), "retry": RETRY})
    assert isinstance(call.outcome, InvalidRequestError) and not call.sends


@pytest.mark.parametrize("which", ["process_request", "process_response", "ask_auth", "ask_limiter", "auth"])
def test_what_raises_ends_the_call_with_that_error(which):
    error = ValueError("mine")
    log: list[Any] = []
    policies: dict[str, Any] = {"retry": RETRY, "hooks": (Recorder("other", log),)}
    if which.startswith("process"):
        hook = Hook(**{which.removeprefix("process_"): raising(error)})
        policies["hooks"] = (hook, *policies["hooks"])
    elif which == "auth":
        policies["auth"] = type("Auth", (), {"apply": raising(error)})()
    else:
        policies[which] = raising(error)
    call = run(Reply(200), policies=policies)
    assert call.outcome is error
    assert len(call.sends) == (which == "process_response")


class Token(RateLimitError): ...


@pytest.mark.parametrize(
    "error", [RedirectError("mine"), CircuitBreakerOpenError("OPEN"), Token(), InvalidRequestError()]
)
def test_an_error_of_our_own_tree_that_something_of_the_users_raises_is_raised_as_it_is(error):
    call = run(Reply(200), policies={"ask_auth": raising(error), "retry": RETRY})
    assert call.outcome is error and not call.sends


@pytest.mark.parametrize("error", [ConnectError("at the token endpoint"), ReadTimeoutError(), ConnectionLostError()])
def test_even_one_that_would_be_retried_if_a_send_had_ended_in_it(error):
    """A hook that raises stops the call with that error."""
    asked: list[float] = []

    def ask(request: HTTPRequest) -> None:
        asked.append(1)
        raise error

    call = run(Reply(200), policies={"ask_auth": ask, "retry": RETRY})
    assert call.outcome is error and len(asked) == 1


def test_a_timeout_of_the_users_own_is_not_the_calls():
    error = AttemptTimeoutError("of another client, at the token endpoint")
    call = run(Reply(200), timeout=30.0, policies={"ask_auth": raising(error)})
    assert call.outcome is error


def test_an_error_of_the_users_says_nothing_about_the_server():
    circuit, slots = Circuit(failure_threshold=1), Concurrency(1)
    hook = Hook(response=raising(ValueError()))
    run(Reply(200), policies={"hooks": (hook,), "circuit": circuit, "slots": slots})
    run(Reply(200), policies={"ask_auth": raising(ConnectError()), "circuit": circuit, "slots": slots})
    assert circuit.last_state is CircuitState.CLOSED and circuit.failures == circuit.permits_out == slots.in_use == 0


def test_an_is_failure_that_raises_gives_everything_back():
    circuit, slots = Circuit(is_failure=raising(ValueError("mine"))), Concurrency(1)
    for reply in (Reply(200), Reply(error=ConnectError)):
        call = run(reply, policies={"circuit": circuit, "slots": slots, "retry": RETRY})
        assert isinstance(call.outcome, ValueError) and len(call.sends) == 1
        assert (circuit.permits_out, slots.in_use) == (0, 0)


def test_a_question_that_takes_until_the_calls_end_is_its_timeout():
    call = Call(HTTPRequest("GET", URL, timeout=5.0), Policies(ask_auth=lambda request: request, retry=RETRY))
    (ask,) = call.start(0.0).send
    step = call.handle(Ended(ask.id, AttemptTimeoutError("given up by the driver")), 5.0)
    assert type(step.done) is TotalTimeoutError
    assert isinstance(step.done.__cause__, AttemptTimeoutError)


@pytest.mark.parametrize(("status", "kind"), [(503, RetryExhaustedError), (429, RateLimitError)])
def test_in_an_attempt_after_the_first_it_is_the_reason_why_none_follows(status, kind):
    """A retryable outcome after which no retry follows, for whatever reason, raises 429 or exhausted."""
    call = Call(HTTPRequest("GET", URL, timeout=5.0), Policies(ask_auth=lambda request: request, retry=RETRY))
    (ask,) = call.start(0.0).send
    (send,) = call.handle(Ended(ask.id, None), 0.0).send
    assert call.handle(Ended(send.id, HTTPResponse(status)), 0.0).wake_at == 1.0
    (ask,) = call.handle(Woke(), 1.0).send
    outcome: Any = call.handle(Ended(ask.id, AttemptTimeoutError("given up by the driver")), 5.0).done
    assert type(outcome) is kind
    assert [(attempt.reason, attempt.delay) for attempt in outcome.attempts] == [("deadline", None)]


def test_after_the_calls_end_nobody_is_asked_for_anything():
    asked: list[int] = []
    hook = Hook(lambda request: asked.append(1))
    call = run(Reply(503), timeout=5.0, late=10.0, policies={"hooks": (hook,), "retry": RETRY})
    assert isinstance(call.outcome, RetryExhaustedError) and call.outcome.reason == "deadline"
    assert len(asked) == 1


def test_a_question_that_was_out_when_the_caller_left_is_aborted():
    call = Call(HTTPRequest("GET", URL), Policies(hooks=(Hook(),)))
    (ask,) = call.start(0.0).send
    assert call.close(1.0).abort == (ask.id,)


# --- credentials -----------------------------------------------------------------------------------------------------


def test_credentials_at_hand_are_written_last():
    def forge(request: HTTPRequest) -> None:
        request.headers["Authorization"] = "a hook's"

    call = run(
        Reply(200), headers={"Authorization": "the caller's"}, policies={"hooks": (Hook(forge),), "auth": Bearer("t")}
    )
    assert call.sends[0].request.headers.get_list("Authorization") == ["Bearer t"]


def test_credentials_may_be_asked_for():
    def ask(request: HTTPRequest) -> HTTPRequest:
        request.headers["Authorization"] = "Asked for"
        return request

    (sent,) = run(Reply(200), policies={"ask_auth": ask}).sends
    assert sent.request.headers["Authorization"] == "Asked for"


def test_they_are_asked_for_again_with_every_attempt():
    asked: list[str] = []
    run(Reply(503), Reply(200), policies={"ask_auth": lambda request: asked.append(request.url), "retry": RETRY})
    assert asked == [URL, URL]


def test_credentials_know_what_time_it_is():
    times: list[float] = []

    class Auth:
        def apply(self, request: HTTPRequest, now: float) -> None:
            times.append(now)

    run(Reply(503, after=0.5), Reply(200), policies={"auth": Auth(), "retry": RETRY})
    assert times == [0.0, 1.5]


@pytest.mark.parametrize("auth", [Bearer("t"), Basic("u", "p"), APIKey("k"), APIKey("k", name="key", location="query")])
def test_the_callers_request_never_gets_them(auth):
    request = HTTPRequest("GET", URL)
    simulator = Simulator(script(Reply(200)))
    simulator.call(request, Policies(auth=auth))
    simulator.run()
    assert request == HTTPRequest("GET", URL)


@pytest.mark.parametrize(
    "url", ["https://other/x", "http://home/x", "https://home:8443/x", "https://home.evil/x", "https://sub.home/"]
)
def test_another_origin_gets_none(url):
    asked: list[int] = []
    policies = {"auth": Bearer("t"), "ask_auth": lambda request: asked.append(1), "auth_origin": HOME}
    (sent,) = run(Reply(200), url=url, policies=policies).sends
    assert not sent.request.headers and not asked


def test_a_request_that_a_hook_turned_to_another_origin_gets_none():
    hook = Hook(lambda request: setattr(request, "url", "https://other/x"))
    asked: list[int] = []
    policies = {"auth": Bearer("t"), "ask_auth": lambda request: asked.append(1), "auth_origin": HOME, "hooks": (hook,)}
    (sent,) = run(Reply(200), policies=policies).sends
    assert not sent.request.headers and not asked


@pytest.mark.parametrize("url", [HOME, f"{HOME}?a=1"])
@pytest.mark.parametrize("policies", [{"auth_origin": HOME}, {"redirects": FOLLOW}])
def test_a_url_without_a_path_is_at_home_too(url, policies):
    (sent,) = run(Reply(200), url=url, policies=policies | {"auth": Bearer("t")}).sends
    assert sent.request.headers["Authorization"] == "Bearer t"


# --- redirects -------------------------------------------------------------------------------------------------------


def test_a_redirect_is_returned_where_none_are_followed():
    call = run(to("/y"))
    assert call.response.status_code == 302 and len(call.sends) == 1


def test_a_redirect_is_followed_within_the_attempt():
    call = run(to("/y"), to("/z", 307), Reply(200), policies={"redirects": FOLLOW})
    assert urls(call) == [URL, f"{HOME}/y", f"{HOME}/z"]
    assert [send.attempt for send in call.sends] == [1, 1, 1]
    assert [attempt.sends for attempt in call.response.attempts] == [3]
    assert call.response.request is call.sends[-1].request


def test_params_are_not_added_to_the_target():
    call = run(to("/y"), Reply(200), params={"a": 1}, policies={"redirects": FOLLOW})
    assert urls(call) == [f"{URL}?a=1", f"{HOME}/y"]


@pytest.mark.parametrize(
    "auth",
    [Bearer("s3cr3t"), APIKey("s3cr3t"), APIKey("s3cr3t", location="query"), APIKey("s3cr3t", location="cookie")],
)
def test_at_home_the_target_gets_credentials_once(auth):
    call = run(to("/y"), Reply(200), policies={"redirects": FOLLOW, "auth": auth, "auth_origin": HOME})
    for sent in call.sends:
        assert repr([*sent.request.headers.pairs(), sent.request.url]).count("s3cr3t") == 1


@pytest.mark.parametrize("target", ["https://evil/y", "https://home:444/y", "https://home.evil/y"])
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_another_origin_gets_no_credentials_and_no_header_that_names_anybody(target, status):
    asked: list[str] = []
    headers = {"X-API-Key": "s3cr3t", "Cookie": "s3cr3t", "Authorization": "s3cr3t", "Accept": "text/html"}
    policies = {
        "redirects": FOLLOW,
        "auth": Bearer("s3cr3t"),
        "ask_auth": lambda request: asked.append(request.url),
        "auth_origin": HOME,
    }
    call = run(to(target, status), Reply(200), headers=headers, policies=policies)
    assert call.sends[1].request.headers.pairs() == [("Accept", "text/html")]
    assert asked == [URL]


@pytest.mark.parametrize("ask", [False, True])
def test_without_an_auth_origin_it_gets_none_either(ask):
    def write(request: HTTPRequest) -> None:
        request.headers["Authorization"] = "s3cr3t"

    auth: dict[str, Any] = {"ask_auth": write} if ask else {"auth": Bearer("s3cr3t")}
    call = run(to("https://evil/y"), Reply(200), policies={"redirects": FOLLOW} | auth)
    assert call.sends[0].request.headers
    assert not call.sends[1].request.headers


def test_what_a_hook_wrote_for_one_origin_does_not_travel_to_another():
    def sign(request: HTTPRequest) -> None:
        if origin(request.url) == HOME:
            request.headers["X-Signature"] = "s3cr3t"
            request.headers["Accept"] = "s3cr3t"  # even where the header may travel

    call = run(to("https://evil/y"), Reply(200), policies={"redirects": FOLLOW, "hooks": (Hook(sign),)})
    assert "X-Signature" in call.sends[0].request.headers
    assert not call.sends[1].request.headers


def test_the_story_is_told_again_for_every_send():
    log: list[Any] = []
    policies = {
        "redirects": FOLLOW,
        "hooks": (Recorder("hook", log),),
        "ask_auth": lambda request: log.append("auth"),
        "ask_limiter": lambda tokens: log.append("limiter"),
    }
    run(to("/y"), Reply(200), policies=policies)
    assert log == ["hook request", "auth", "limiter", "hook response"] * 2


def test_every_send_takes_its_own_token_slot_and_permit():
    limiter, slots, circuit = TokenBucket(rate=1.0, burst=1), Concurrency(1), Circuit()
    policies = {"redirects": FOLLOW, "limiter": limiter, "slots": slots, "circuit": circuit}
    call = run(to("/y"), Reply(200), policies=policies)
    assert call.ended_at == 1.0  # it waited for the second token
    assert (slots.in_use, circuit.permits_out) == (0, 0)


def test_each_origin_has_its_own_circuit_and_limiter():
    circuits = Keyed(lambda: Circuit(1), lambda request: origin(request.url))
    limiters = Keyed(lambda: TokenBucket(0.001, 1), lambda request: origin(request.url))
    policies = {"redirects": FOLLOW, "circuit": circuits, "limiter": limiters}
    call = run(to("https://other/y"), Reply(500), policies=policies)
    assert call.response.status_code == 500 and call.ended_at == 0.0
    assert circuits.get(HOME, 0.0).last_state is CircuitState.CLOSED
    assert circuits.get("https://other", 0.0).last_state is CircuitState.OPEN


def other_is_open() -> dict[str, Any]:
    """Policies by origin, with the circuit of https://other open."""
    circuits = Keyed(lambda: Circuit(2), lambda request: origin(request.url))
    for _ in range(2):
        run(Reply(500), url="https://other/", policies={"circuit": circuits})
    return {"redirects": FOLLOW, "circuit": circuits}


def test_a_refusal_after_something_was_sent_is_not_that_the_circuit_was_open():
    """CircuitBreakerOpenError only when this call sent nothing."""
    call = run(to("https://other/y"), Reply(200), policies=other_is_open() | {"retry": RETRY})
    assert len(call.sends) == 1
    assert isinstance(call.outcome, RetryExhaustedError) and call.outcome.reason == "circuit_open"


@pytest.mark.parametrize("first", [[], [Reply(503)]])
def test_what_was_sent_before_a_refusal_is_in_the_history(first):
    """The sends that a server counts are those that we report."""
    call = run(*first, to("https://other/y"), policies=other_is_open() | {"retry": RETRY})
    assert isinstance(call.outcome, HTTPClientError)
    assert sum(attempt.sends for attempt in call.outcome.attempts) == len(call.sends)


def test_the_circuit_of_the_target_is_looked_at_before_anybody_is_asked():
    """For each send, 2. a look at the circuit, 3. credentials."""
    asked: list[str] = []
    run(to("https://other/y"), policies=other_is_open() | {"ask_auth": lambda request: asked.append(request.url)})
    assert asked == [URL]


@pytest.mark.parametrize(
    "replies", [[to("/x")], [to("http://home/y")], [to("https://u:p@home/y")], [to("ftp://home/")]]
)
def test_a_redirect_that_cannot_be_followed_is_raised_and_not_tried_again(replies):
    call = run(*replies, policies={"redirects": FOLLOW, "retry": RETRY})
    assert isinstance(call.outcome, RedirectError) and len(call.sends) == 1
    assert [attempt.sends for attempt in call.outcome.attempts] == [1]


def test_a_limit_of_redirects_is_one_of_each_attempt():
    policies = {"redirects": RedirectPolicy(limit=1), "retry": RETRY}
    call = run(to("/a"), Reply(503), to("/b"), Reply(200), policies=policies)
    assert urls(call) == [URL, f"{HOME}/a", URL, f"{HOME}/b"]
    assert isinstance(run(to("/a"), to("/b"), policies=policies).outcome, RedirectError)


def test_a_retry_starts_from_what_the_caller_wanted():
    call = run(to("/y"), Reply(503), Reply(200), policies={"redirects": FOLLOW, "retry": RETRY})
    assert urls(call) == [URL, f"{HOME}/y", URL]


@pytest.mark.parametrize("failure", [Reply(503), Reply(error=ConnectionLostError), Reply(error=ConnectError)])
def test_a_post_that_was_answered_by_see_other_is_not_made_again(failure):
    """The redirect was its answer; what failed after it was a GET of something else."""
    call = run(to("/y", 303), failure, method="POST", policies={"redirects": FOLLOW, "retry": RETRY})
    assert [send.request.method for send in call.sends] == ["POST", "GET"]
    assert isinstance(call.outcome, RetryExhaustedError | ConnectionLostError | ConnectError)
    assert call.outcome.attempts[-1].reason == "not_idempotent"


def test_unless_the_caller_vouched_for_it():
    call = run(
        to("/y", 303),
        Reply(503),
        Reply(201),
        method="POST",
        idempotent=True,
        policies={"redirects": FOLLOW, "retry": RETRY},
    )
    assert [send.request.method for send in call.sends] == ["POST", "GET", "POST"]


def test_a_post_that_was_sent_on_as_a_post_is_an_answer_like_any_other():
    call = run(
        to("/y", 307), Reply(503), Reply(201), method="POST", body=b"x", policies={"redirects": FOLLOW, "retry": RETRY}
    )
    assert [send.request.method for send in call.sends] == ["POST"] * 3


def test_a_stream_is_redirected_before_it_is_opened():
    call = run(
        to("/y", chunks=[(1.0, b"moved")]), Reply(chunks=[(1.0, b"here")]), stream=True, policies={"redirects": FOLLOW}
    )
    assert call.content == b"here" and len(call.sends) == 2


# --- a kept connection that was dead ---------------------------------------------------------------------------------


def dead(
    *, head_sent: bool = True, body_started: bool = False, reused: bool = True, kind: Any = ConnectionLostError
) -> Reply:
    """The server had closed the kept connection that the request went out on."""

    def make(send: Send) -> BaseException:
        progress = send.progress
        progress.head_sent, progress.body_started, progress.reused = head_sent, body_started, reused
        return send.error(kind, "closed")

    return Reply(error=make)


def test_the_request_goes_out_once_more_at_once():
    call = run(dead(), Reply(200))
    assert call.response.is_success and call.ended_at == 0.0
    assert [send.attempt for send in call.sends] == [1, 1]
    assert call.sends[0].id != call.sends[1].id
    assert [attempt.sends for attempt in call.response.attempts] == [2]


def test_only_once_in_an_attempt():
    call = run(dead(), dead())
    assert isinstance(call.outcome, ConnectionLostError) and len(call.sends) == 2


def test_after_that_it_is_a_failure_like_any_other():
    call = run(dead(), dead(), dead(), Reply(200), policies={"retry": RETRY})
    assert [send.attempt for send in call.sends] == [1, 1, 2, 2]
    assert call.ended_at == 1.0


@pytest.mark.parametrize(
    ("reply", "options"),
    [
        (dead(reused=False), {}),
        (dead(body_started=True), {}),
        (dead(kind=ReadTimeoutError), {}),
        (dead(), {"method": "POST"}),
        (dead(), {"method": "PUT", "body": Body(object())}),
    ],
)
def test_not_if_the_server_may_have_seen_it_and_it_may_not_happen_twice(reply, options):
    assert len(run(reply, Reply(200), **options).sends) == 1


@pytest.mark.parametrize(
    "options",
    [
        {"method": "POST"},
        {"method": "POST", "body": b"x"},
        {"method": "PUT", "body": Body(object())},
    ],
)
def test_what_had_not_left_may_go_out_whatever_it_is(options):
    assert run(dead(head_sent=False), Reply(201), **options).response.status_code == 201


@pytest.mark.parametrize("options", [{"idempotent": True}, {"idempotency_key": "k"}])
def test_so_may_what_the_caller_vouched_for(options):
    assert run(dead(), Reply(201), method="POST", body=b"x", **options).response.status_code == 201


def test_it_says_nothing_about_the_server():
    circuit = Circuit(failure_threshold=1)
    call = run(dead(), Reply(200), policies={"circuit": circuit})
    assert call.response.is_success and circuit.failures == circuit.permits_out == 0


def test_a_second_dead_one_does():
    circuit = Circuit(failure_threshold=1)
    run(dead(), dead(), policies={"circuit": circuit})
    assert circuit.last_state is CircuitState.OPEN


def test_it_takes_another_token_and_another_slot():
    limiter, slots = TokenBucket(rate=1.0, burst=1), Concurrency(1)
    call = run(dead(), Reply(200), policies={"limiter": limiter, "slots": slots})
    assert call.ended_at == 1.0 and slots.in_use == 0


def test_a_limiter_of_the_users_is_asked_for_it_too():
    """A send is one request on the wire, with its own tokens."""
    asked: list[float] = []
    run(dead(), Reply(200), policies={"ask_limiter": asked.append})
    assert asked == [1, 1]


def test_a_refusal_of_the_second_send_is_not_one_of_the_call():
    limiter = TokenBucket(rate=0.01, burst=1, max_wait=1.0)
    call = run(dead(), Reply(200), policies={"limiter": limiter})
    assert len(call.sends) == 1
    assert not isinstance(call.outcome, RateLimitError)  # local: this call has sent nothing


def test_hooks_see_the_answer_only():
    log: list[Any] = []
    run(dead(), Reply(200), policies={"hooks": (Recorder("hook", log),)})
    assert log == ["hook request", "hook response"]


# --- the time of an attempt ------------------------------------------------------------------------------------------


def test_an_attempts_time_starts_when_it_gets_its_place():
    limiter = TokenBucket(rate=0.2, burst=1)
    limiter.take(0.0)
    call = run(Reply(200, after=0.5), policies={"limiter": limiter, "attempt_timeout": 1.0})
    assert call.response.is_success and call.ended_at == 5.5
    assert call.sends[0].deadline == 6.0


def test_a_wait_for_a_slot_is_not_part_of_it_either():
    slots = Concurrency(1)
    simulator = Simulator(script(Reply(200, after=5.0), Reply(200, after=0.5)))
    simulator.call(HTTPRequest("GET", URL), Policies(slots=slots))
    call = simulator.call(HTTPRequest("GET", URL), Policies(slots=slots, attempt_timeout=1.0))
    simulator.run()
    assert call.response.is_success and call.ended_at == 5.5


def test_all_sends_of_an_attempt_share_its_time():
    call = run(to("/y", after=1.5), Reply(200, after=60), policies={"redirects": FOLLOW, "attempt_timeout": 2.0})
    assert [send.deadline for send in call.sends] == [2.0, 2.0]
    assert isinstance(call.outcome, AttemptTimeoutError) and call.ended_at == 2.0


def test_an_attempt_whose_time_ends_between_two_sends_is_tried_again():
    slots = Concurrency(1)
    simulator = Simulator(script(to("/y", after=1.5), Reply(200, after=5.0), Reply(200)))
    policies = Policies(slots=slots, redirects=FOLLOW, attempt_timeout=2.0, retry=RETRY)
    call = simulator.call(HTTPRequest("GET", URL), policies)
    other = simulator.call(HTTPRequest("GET", "https://other/"), Policies(slots=slots), at=1.0)
    simulator.run()
    assert other.ended_at == 6.5  # it got the slot of the first send
    first, second = call.response.attempts
    assert (first.sends, first.reason, first.elapsed) == (1, "timeout", 2.0)
    assert "queue" in (first.error or "")
    assert (second.started, call.ended_at) == (6.5, 6.5)


def test_unless_it_may_not_be_sent_twice():
    slots = Concurrency(1)
    simulator = Simulator(script(to("/y", 307, after=1.5), Reply(200, after=5.0)))
    policies = Policies(slots=slots, redirects=FOLLOW, attempt_timeout=2.0, retry=RETRY)
    call = simulator.call(HTTPRequest("POST", URL), policies)
    simulator.call(HTTPRequest("GET", "https://other/"), Policies(slots=slots), at=1.0)
    simulator.run()
    assert isinstance(call.outcome, AttemptTimeoutError) and call.ended_at == 2.0
    assert call.outcome.attempts[0].reason == "not_idempotent"


def test_the_calls_time_may_end_between_two_sends():
    slots = Concurrency(1)
    simulator = Simulator(script(to("/y", after=1.5), Reply(200, after=5.0)))
    call = simulator.call(HTTPRequest("GET", URL, timeout=2.0), Policies(slots=slots, redirects=FOLLOW))
    simulator.call(HTTPRequest("GET", "https://other/"), Policies(slots=slots), at=1.0)
    simulator.run()
    assert isinstance(call.outcome, TotalTimeoutError) and call.ended_at == 2.0


# --- streams and hooks -----------------------------------------------------------------------------------------------


class Opened:
    def discard(self) -> None: ...


def test_the_slot_of_a_stream_is_kept_while_a_hook_looks_at_its_head():
    slots = Concurrency(1)
    call = Call(HTTPRequest("GET", URL), Policies(slots=slots, hooks=(Hook(),)), stream=True)
    (ask,) = call.start(0.0).send
    (send,) = call.handle(Ended(ask.id, None), 0.0).send
    response = HTTPResponse(200, body=Opened())
    (looks,) = call.handle(Ended(send.id, response), 1.0).send
    assert slots.in_use == 1
    assert call.handle(Ended(looks.id, None), 2.0).done is response
    assert slots.in_use == 1
    call.close(3.0)
    assert slots.in_use == 0


@pytest.mark.parametrize("answer", [HTTPResponse(200, content=b"read already"), ValueError("mine")])
def test_a_hook_that_puts_something_else_in_its_place_frees_the_slot(answer):
    slots = Concurrency(1)
    call = Call(HTTPRequest("GET", URL), Policies(slots=slots, hooks=(Hook(),)), stream=True)
    (ask,) = call.start(0.0).send
    (send,) = call.handle(Ended(ask.id, None), 0.0).send
    (looks,) = call.handle(Ended(send.id, HTTPResponse(200, body=Opened())), 1.0).send
    assert call.handle(Ended(looks.id, answer), 2.0).done is answer
    call.close(2.0)
    assert slots.in_use == 0
