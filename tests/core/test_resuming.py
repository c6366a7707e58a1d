"""Files in several answers: what is put together is one version or nothing, and every try is paid for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sansio_http import (
    Attempt,
    ConnectionLostError,
    ConstantBackoff,
    Headers,
    HTTPRequest,
    HTTPResponse,
    HTTPResponseError,
    Partial,
    Policies,
    ProtocolError,
    QuotaBudget,
    ReadTimeoutError,
    ResponseBodyError,
    Resumption,
    Retry,
    RetryExhaustedError,
    RetryPolicy,
)

TAG, OTHER = '"one"', '"two"'
DATE = "Tue, 15 Nov 1994 12:45:26 GMT"
REQUEST = HTTPRequest("GET", "https://h/file?key=s3cr3t")


def answer(status: int, **fields: str) -> HTTPResponse:
    response = HTTPResponse(status, {name.replace("_", "-"): value for name, value in fields.items()})
    response.request = REQUEST
    return response


# What goes behind what


def test_the_first_answer_says_what_can_be_gone_on_with():
    partial = Partial()
    assert partial.request_headers() == {}
    assert partial.arrived(answer(200, ETag=TAG, Content_Length="100")) == "start"
    assert (partial.have, partial.validator, partial.total) == (0, TAG, 100)
    partial.have = 60
    assert repr(partial) == "<Partial 60 of 100 bytes>"
    assert partial.request_headers() == {"Range": "bytes=60-", "If-Range": TAG}
    assert partial.arrived(answer(206, ETag=TAG, Content_Range="bytes 60-99/100")) == "append"
    assert (partial.have, partial.validator, partial.total) == (60, TAG, 100)
    partial.have = 100
    assert partial.ended() is None


@pytest.mark.parametrize("fields", [{}, {"ETag": 'W/"one"'}, {"ETag": TAG, "Content_Encoding": "gzip"}])
def test_without_a_strong_validator_all_is_asked_for(fields):
    partial = Partial()
    assert partial.arrived(answer(200, Content_Length="100", **fields)) == "start"
    partial.have = 60
    assert partial.request_headers() == {}
    assert partial.have == 0
    assert partial.total == (None if "Content_Encoding" in fields else 100)
    assert partial.arrived(answer(203)) == "start"


def test_another_version_comes_whole():
    partial = Partial(60, TAG, 100)
    partial.request_headers()
    assert partial.arrived(answer(200, ETag=OTHER, Content_Length="120")) == "start"
    assert (partial.have, partial.validator, partial.total) == (0, OTHER, 120)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"Content_Range": "bytes 59-99/100"},
        {"Content_Range": "bytes 61-99/100"},
        {"Content_Range": "bytes 0-99/100"},
        {"Content_Range": "bytes */100"},
        {"Content_Range": "bytes 60-100/101"},
        {"Content_Range": "bytes 60-98/99"},
        {"Content_Range": "bytes 60-99/100", "ETag": OTHER},
        {"Content_Range": "bytes 60-99/100", "ETag": f"W/{TAG}"},
        {"Content_Range": "bytes 60-99/100", "Content_Encoding": "gzip"},
        {"Content_Type": "multipart/byteranges; boundary=x"},
    ],
)
def test_a_part_that_does_not_fit_is_not_taken(fields):
    partial = Partial(60, TAG, 100)
    partial.request_headers()
    assert partial.arrived(answer(206, **fields)) == "again"
    assert partial.request_headers() == {} and partial.have == 0


def test_two_ranges_are_none():
    partial = Partial(60, TAG, 100)
    partial.request_headers()
    twice = Headers([("Content-Range", "bytes 60-99/100"), ("Content-Range", "bytes 60-99/100")])
    assert partial.arrived(HTTPResponse(206, twice)) == "again"


@pytest.mark.parametrize("total", ["100", "*"])
@pytest.mark.parametrize("fields", [{}, {"Last_Modified": DATE}, {"Content_Encoding": "identity"}])
def test_a_part_that_fits(total, fields):
    partial = Partial(60, DATE)
    assert partial.request_headers() == {"Range": "bytes=60-", "If-Range": DATE}
    assert partial.arrived(answer(206, Content_Range=f"bytes 60-99/{total}", **fields)) == "append"
    assert partial.total == (100 if total == "100" else None)
    other = answer(206, Content_Range="bytes 60-99/100", Last_Modified="Tue, 15 Nov 1994 12:45:27 GMT")
    assert partial.arrived(other) == "again"


def test_a_range_that_is_not_there_is_asked_for_no_more():
    partial = Partial(60, TAG)
    partial.request_headers()
    assert partial.arrived(answer(416, Content_Range="bytes */50")) == "again"
    assert partial.request_headers() == {}
    with pytest.raises(HTTPResponseError) as caught:
        partial.arrived(answer(416))
    assert caught.value.status_code == 416


def test_where_all_is_there_the_last_byte_tells_whether_it_is_still_the_same():
    for have in (100, 130):
        partial = Partial(have, TAG, 100)
        assert partial.request_headers() == {"Range": "bytes=99-", "If-Range": TAG}
        assert partial.have == 99
        assert partial.arrived(answer(206, Content_Range="bytes 99-99/100")) == "append"
    assert Partial(0, TAG, 0).request_headers() == {}


def test_a_part_that_nobody_asked_for():
    with pytest.raises(ProtocolError, match="a part came, and all was asked for") as caught:
        Partial().arrived(answer(206, Content_Range="bytes 0-9/10"))
    assert (caught.value.method, caught.value.url) == ("GET", "https://h/file?key=***")
    with pytest.raises(ProtocolError):
        Partial().arrived(HTTPResponse(206))


@pytest.mark.parametrize("status", [204, 302, 304, 404, 500])
def test_what_is_no_file(status):
    with pytest.raises(HTTPResponseError) as caught:
        Partial().arrived(answer(status))
    assert caught.value.status_code == status


@pytest.mark.parametrize(("have", "kept"), [(99, 99), (101, 0)])
def test_a_body_of_another_length_is_a_failure(have, kept):
    partial = Partial(have, TAG, 100)
    error = partial.ended()
    assert isinstance(error, ConnectionLostError) and f"{have} bytes came of 100" in str(error)
    assert partial.have == kept


class Server:
    """Has versions of a file, and breaks off where it is told to."""

    def __init__(self, versions: list[bytes]) -> None:
        self.versions = versions

    def answers(self, version: int, fields: dict[str, str], length: int) -> tuple[HTTPResponse, bytes]:
        content, tag = self.versions[version], f'"{version}"'
        start = int(fields["Range"][6:-1]) if fields.get("If-Range") == tag else 0
        if start == 0:
            return answer(200, ETag=tag, Content_Length=str(len(content))), content[:length]
        if start >= len(content):
            return answer(416, Content_Range=f"bytes */{len(content)}"), b""
        span = f"bytes {start}-{len(content) - 1}/{len(content)}"
        return answer(206, ETag=tag, Content_Range=span), content[start : start + length]


@given(
    st.lists(st.binary(max_size=12), min_size=1, max_size=3),
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 12)), max_size=12),
)
def test_whatever_breaks_what_is_whole_is_one_version(versions, breaks):
    server, partial, file = Server(versions), Partial(), b""
    for chosen, length in [*breaks, (0, 99), (0, 99)]:
        version = min(chosen, len(versions) - 1)
        response, body = server.answers(version, partial.request_headers(), length)
        use = partial.arrived(response)
        if use == "again":
            continue
        file = (file[: partial.have] if use == "append" else b"") + body
        partial.have = len(file)
        if partial.ended() is None:
            break
    assert file in versions


# Whether to ask once more

BROKEN = ResponseBodyError("it broke", phase="body")
BROKEN.__cause__ = ConnectionLostError("reset")
SLOW = ResponseBodyError("it broke", phase="body")
SLOW.__cause__ = ReadTimeoutError("slow")
LINE = Attempt(1, 5.0, 1.0, 1, 200, None, None, None)


def tried(*lines: Attempt) -> HTTPResponse:
    response = HTTPResponse(200)
    response.attempts = lines or (LINE,)
    return response


def resumption(retries: int = 2, budget: QuotaBudget | None = None, **options) -> Resumption:
    retry = RetryPolicy(retries, ConstantBackoff(1.0), **options)
    return Resumption(Policies(retry=retry, retry_budget=budget, rand=lambda: 0.5))


@pytest.mark.parametrize(("error", "reason"), [(BROKEN, "transport"), (SLOW, "timeout")])
def test_each_one_more_is_a_retry_that_counts(error, reason):
    work = resumption()
    for number in (1, 2):
        work.answered(tried())
        verdict = work.broken(error, REQUEST, 0.0)
        assert isinstance(verdict, Retry) and (verdict.reason, verdict.delay) == (reason, 0.5)
        left = work.policies().retry
        assert work.retries == number and left is not None and left.retries == 2 - number
    work.answered(tried())
    ended = work.broken(error, REQUEST, 0.0)
    assert isinstance(ended, RetryExhaustedError) and (ended.reason, ended.last_error) == ("attempts", error)
    assert ended.attempts == work.attempts
    assert [line.number for line in ended.attempts] == [1, 2, 3]
    assert [line.reason for line in ended.attempts] == [reason, reason, "attempts"]
    assert [line.delay for line in ended.attempts] == [0.5, 0.5, None]
    assert all("it broke" in str(line.error) for line in ended.attempts)


def test_the_retries_for_a_head_count_too():
    work = resumption(2)
    assert work.policies() is work.policies()  # nothing was spent
    failed = LINE._replace(status_code=503, reason="status", delay=1.0)
    work.answered(tried(failed, failed._replace(number=2), LINE._replace(number=3)))
    ended = work.broken(BROKEN, REQUEST, 0.0)
    assert isinstance(ended, RetryExhaustedError) and len(ended.attempts) == 3
    left = work.policies().retry
    assert left is not None and left.retries == 0


def test_the_budget_pays():
    budget = QuotaBudget(20)
    work = resumption(5, budget)
    work.answered(tried())
    assert isinstance(work.broken(BROKEN, REQUEST, 0.0), Retry)
    assert budget.tokens == 6
    work.done(1.0)
    work.done(1.0)
    assert budget.tokens == 20
    assert isinstance(work.broken(BROKEN, REQUEST, 0.0), Retry)
    ended = work.broken(BROKEN, REQUEST, 0.0)
    assert isinstance(ended, RetryExhaustedError) and ended.reason == "budget"
    assert "2 retries were spent" in str(ended)
    fresh = resumption(5, QuotaBudget(20))
    fresh.done(0.0)


def test_without_retries_the_failure_is_the_outcome():
    budget = QuotaBudget(20)
    for work in (resumption(0, budget), Resumption(Policies()), resumption(retry_if=lambda outcome, request: False)):
        assert work.broken(BROKEN, REQUEST, 0.0) is BROKEN  # and nothing had been tried
        work.answered(tried())
        assert work.broken(BROKEN, REQUEST, 0.0) is BROKEN
        assert [line.reason for line in work.attempts] == ["not_retryable"]
    assert budget.tokens == 20


def test_what_has_no_cause_in_the_network_is_not_retried():
    unknown = ResponseBodyError("the reader has closed it")
    assert resumption().broken(unknown, REQUEST, 0.0) is unknown
    assert isinstance(resumption().broken(ConnectionLostError("short"), REQUEST, 0.0), Retry)


def test_attempts_that_fail_are_told_to_the_budget():
    told = []

    class Watching(QuotaBudget):
        def failed(self, retry: int, now: float) -> None:
            told.append((retry, now))

    work = resumption(1, Watching())
    work.broken(BROKEN, REQUEST, 3.0)
    work.broken(BROKEN, REQUEST, 4.0)
    work.broken(ResponseBodyError("x"), REQUEST, 5.0)
    assert told == [(0, 3.0), (1, 4.0)]
