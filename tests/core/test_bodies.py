"""What the core knows of a request body."""

from __future__ import annotations

import copy
import hashlib

import pytest

from sansio_http.bodies import Body
from sansio_http.exceptions import InvalidRequestError


def test_bytes_can_be_sent_any_number_of_times():
    body = Body.of(b"abc")
    assert (body.source, body.length, body.replay, body.replayable) == (b"abc", 3, "concurrent", True)


def test_the_digest_of_bytes():
    digest = Body.of(b"abc").digest
    assert digest is not None
    assert digest("sha256") == hashlib.sha256(b"abc").digest()


def test_of_anything_else_nothing_is_known_unless_it_is_said():
    source = iter([b"a"])
    body = Body(source)
    assert (body.source, body.length, body.replay, body.replayable, body.digest) == (source, None, "once", False, None)
    assert Body(source, replay="yes").replayable


@pytest.mark.parametrize("length", [-1, -(10**9)])
def test_a_negative_length(length):
    with pytest.raises(InvalidRequestError, match=r"^body\.length: -\d+ is not allowed"):
        Body(b"", length)


def test_an_empty_body_is_a_body():
    assert Body.of(b"").length == 0


def test_a_repr_shows_no_content():
    assert repr(Body.of(b"s3cr3t")) == "<Body 6 bytes, replay=concurrent>"
    assert repr(Body(iter([b"s3cr3t"]))) == "<Body unknown length, replay=once>"


def test_it_does_not_change():
    with pytest.raises(AttributeError):
        Body.of(b"a").length = 2  # type: ignore[misc]


def test_it_can_be_copied():
    body = copy.deepcopy(Body.of(b"abc"))
    assert (body.source, body.length) == (b"abc", 3)
