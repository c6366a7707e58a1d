"""What a scripted server does."""

import pytest

from sansio_http import ConnectError, HTTPRequest, HTTPResponse, Send
from sansio_http.testing import Reply, script

SEND = Send(1, 1, HTTPRequest("GET", "https://api.example/things?key=secret"), None, stream=False)


def test_a_head_is_made_anew_each_time() -> None:
    reply = Reply(201, {"X-Name": "value"}, b"content", after=0.5)
    heads = [reply.head(SEND), reply.head(SEND)]
    for head in heads:
        assert isinstance(head, HTTPResponse)
        assert (head.status_code, head.headers["x-name"], head.content) == (201, "value", b"content")
    assert heads[0] is not heads[1]


def test_an_error_class_is_about_the_send() -> None:
    error = Reply(error=ConnectError).head(SEND)
    assert isinstance(error, ConnectError)
    assert (error.method, error.url) == ("GET", "https://api.example/things?key=***")
    assert error.head_sent  # what must be feared of a transport that says nothing


def test_an_error_may_be_made_by_a_function() -> None:
    error = KeyError("mine")
    assert Reply(error=lambda send: error if send is SEND else ConnectError()).head(SEND) is error


@pytest.mark.parametrize(
    ("reply", "shown"),
    [
        (Reply(503, after=1.5), "<Reply 503 after 1.5 s>"),
        (Reply(error=ConnectError), "<Reply ConnectError after 0 s>"),
    ],
)
def test_repr(reply: Reply, shown: str) -> None:
    assert repr(reply) == shown


def test_a_script_gives_its_last_reply_for_ever() -> None:
    first, last = Reply(503), Reply(200)
    server = script(first, last)
    assert [server(SEND) for _ in range(4)] == [first, last, last, last]


def test_a_script_has_a_reply() -> None:
    with pytest.raises(TypeError, match="first"):
        script(*list[Reply]())
