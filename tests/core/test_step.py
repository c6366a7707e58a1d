"""The vocabulary: what its values say of themselves, and which of them are safe to show."""

from __future__ import annotations

import pytest

from sansio_http import (
    Ask,
    BodyEnded,
    ConnectionLostError,
    Ended,
    HTTPRequest,
    HTTPResponse,
    Progress,
    ReadTimeoutError,
    Send,
    Step,
    Waiter,
    Woke,
)

SECRET = "s3cr3t"


def send(url: str = "https://h/x", **options) -> Send:
    return Send(7, 2, HTTPRequest("POST", url, {"Authorization": SECRET}), 12.5, True, **options)


def test_a_send_is_for_the_api_and_has_not_ended():
    one = send()
    assert (one.id, one.attempt, one.deadline, one.stream, one.via) == (7, 2, 12.5, True, "api")
    assert one.ended is None
    assert send(via="token").via == "token"


def test_of_a_transport_that_says_nothing_the_worst_is_assumed():
    """A byte may have left: so nothing that must not happen twice is sent again."""
    progress = send().progress
    assert (progress.phase, progress.head_sent, progress.body_started, progress.reused) == (None, True, False, False)


def test_each_send_has_its_own_progress():
    assert send().progress is not send().progress


def test_an_error_about_a_send_tells_how_far_it_came():
    one = send(f"https://u:{SECRET}@h/x?key={SECRET}")
    progress = one.progress
    progress.phase, progress.head_sent, progress.body_started, progress.reused = "body", True, True, True
    error = one.error(ReadTimeoutError, "nothing came for 5 s")
    assert type(error) is ReadTimeoutError
    assert (error.method, error.url) == ("POST", "https://h/x?key=***")
    assert (error.phase, error.head_sent, error.body_started, error.reused) == ("body", True, True, True)
    assert str(error) == "nothing came for 5 s (POST https://h/x?key=***, phase body)"


def test_progress_is_read_when_the_error_is_made():
    one = send()
    one.progress.phase, one.progress.head_sent = "connect", False
    error = one.error(ConnectionLostError, "reset")
    assert (error.phase, error.head_sent) == ("connect", False)


def test_the_wake_of_a_waiter_whose_driver_set_none_is_lost():
    Waiter().wake()


def test_a_waiter_calls_what_its_driver_set():
    woken = []
    waiter = Waiter(lambda: woken.append("first"))
    waiter.wake()
    waiter.wake = lambda: woken.append("second")
    waiter.wake()
    assert woken == ["first", "second"]


def asked(request: HTTPRequest) -> None: ...


class Credentials:
    def __call__(self, request: HTTPRequest) -> None: ...


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (send(f"https://h/x?key={SECRET}"), "<Send 7 of attempt 2: <HTTPRequest POST https://h/x?key=***>>"),
        (Ask(3, asked, SECRET, None), "<Ask 3: asked>"),
        (Ask(3, Credentials(), SECRET, 1.5), "<Ask 3: Credentials>"),
        (Ended(7, HTTPResponse(200, {"Set-Cookie": SECRET}, SECRET.encode())), "<Ended 7: HTTPResponse>"),
        (Ended(7, ValueError(SECRET)), "<Ended 7: ValueError>"),
        (Step(), "Step()"),
        (Step(abort=(1, 2), wake_at=0.0), "Step(abort=(1, 2), wake_at=0.0)"),
        (Step((Ask(3, asked, SECRET, None),)), "Step(send=(<Ask 3: asked>,))"),
        (Step(done=HTTPResponse(204)), "Step(done=<HTTPResponse 204 No Content, 0 bytes>)"),
    ],
)
def test_what_is_shown_of_it_has_no_secret(value, shown):
    assert repr(value) == shown
    assert SECRET not in shown


def test_an_ask_holds_what_to_call_with_what_and_until_when():
    ask = Ask(3, asked, SECRET, 1.5)
    assert (ask.id, ask.target, ask.value, ask.deadline) == (3, asked, SECRET, 1.5)


def test_a_body_that_ended_well_has_no_error():
    ended = BodyEnded(7)
    assert (ended.id, ended.error, ended.bytes) == (7, None, 0)


def test_an_empty_step_asks_for_nothing():
    step = Step()
    assert (step.send, step.abort, step.nudge, step.wake_at, step.notes, step.done) == ((), (), (), None, (), None)


@pytest.mark.parametrize("value", [send(), Step(), Ended(1, None), BodyEnded(1), Woke(), Waiter(), Progress()])
def test_what_is_made_for_every_call_is_slotted(value):
    assert not hasattr(value, "__dict__")
