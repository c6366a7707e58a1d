"""Requests and responses: what is refused, what is parsed, and that nothing secret gets out."""

from __future__ import annotations

import encodings.aliases
import pickle
from http import HTTPMethod

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sansio_http.bodies import Body
from sansio_http.exceptions import HTTPResponseError, InvalidRequestError, RateLimitError, ResponseDecodeError
from sansio_http.headers import Headers
from sansio_http.models import Attempt, HTTPRequest, HTTPResponse, PreparedRequest

SECRET = "s3cr3t"


class TestHTTPRequest:
    def test_as_it_was_made(self):
        request = HTTPRequest("GET", "https://h/")
        assert (request.method, request.url, request.params, request.body, request.timeout, request.idempotent) == (
            "GET",
            "https://h/",
            None,
            None,
            None,
            False,
        )
        assert request.headers == {} and request.idempotency_key is None
        assert PreparedRequest is HTTPRequest

    @pytest.mark.parametrize("method", ["get", "Get", HTTPMethod.GET])
    def test_a_method_in_any_case(self, method):
        request = HTTPRequest(method, "https://h/")
        assert request.method == "GET" and type(request.method) is str

    @pytest.mark.parametrize("method", ["", "FETCH", "CONNECT", "GET ", "GET\r\n", None, 5, b"GET", ["GET"]])
    def test_no_method(self, method):
        with pytest.raises(InvalidRequestError, match=r"^method: .* is not one of DELETE, GET"):
            HTTPRequest(method, "https://h/")

    @pytest.mark.parametrize("url", [None, 5, b"https://h/"])
    def test_no_url(self, url):
        with pytest.raises(InvalidRequestError, match=r"^url: must be a str, not "):
            HTTPRequest("GET", url)

    @pytest.mark.parametrize("timeout", [0, -1, float("nan"), "5"])
    def test_no_timeout(self, timeout):
        with pytest.raises(InvalidRequestError, match=r"^timeout: .* seconds above 0"):
            HTTPRequest("GET", "https://h/", timeout=timeout)

    @pytest.mark.parametrize("body", [b"abc", bytearray(b"abc"), memoryview(b"abc")])
    def test_bytes_become_a_body(self, body):
        request = HTTPRequest("POST", "https://h/", body=body)
        assert request.body is not None
        assert (request.body.source, request.body.length) == (b"abc", 3)

    def test_a_body_stays_what_it_is(self):
        body = Body.of(b"abc")
        assert HTTPRequest("POST", "https://h/", body=body).body is body

    @pytest.mark.parametrize("body", ["text", 5, {"a": 1}])
    def test_no_body(self, body):
        with pytest.raises(InvalidRequestError, match=r"^body: must be bytes, a Body or None, not "):
            HTTPRequest("POST", "https://h/", body=body)

    def test_headers_may_be_a_mapping_or_pairs(self):
        expected = Headers({"A": "1"})
        for headers in ({"A": "1"}, [("A", "1")], expected):
            assert HTTPRequest("GET", "https://h/", headers).headers == expected

    def test_a_hook_s_changes_are_checked_again(self):
        request = HTTPRequest("GET", "https://h/")
        request.method, request.headers, request.body = "post", {"A": "1"}, b"x"  # type: ignore[assignment]
        request.check()
        assert (request.method, request.headers.pairs(), repr(request.body)) == (
            "POST",
            [("A", "1")],
            "<Body 1 bytes, replay=concurrent>",
        )
        request.headers = {"A": "\n"}  # type: ignore[assignment]
        with pytest.raises(InvalidRequestError):
            request.check()

    def test_a_copy_is_independent(self):
        request = HTTPRequest(
            "POST", "https://h/", {"A": "1"}, {"q": 1}, b"x", 5, idempotent=True, idempotency_key="key"
        )
        other = request.copy()
        assert other == request
        other.headers["A"] = "2"
        other.url = "https://other.example/"
        assert (request.headers["A"], request.url) == ("1", "https://h/")

    def test_a_repr_shows_no_secret(self):
        request = HTTPRequest(
            "POST",
            f"https://user:{SECRET}@h/a?key={SECRET}#{SECRET}",
            {"Authorization": SECRET},
            {"key": SECRET},
            SECRET.encode(),
            idempotency_key=SECRET,
        )
        assert repr(request) == str(request) == "<HTTPRequest POST https://h/a?key=***>"


class OpenBody:
    discarded = 0

    def discard(self):
        self.discarded += 1


def respond(content=b"", content_type=None, status=200, **headers):
    pairs = [(name.replace("_", "-"), value) for name, value in headers.items()]
    if content_type is not None:
        pairs.append(("Content-Type", content_type))
    return HTTPResponse(status, pairs, content)


class TestHTTPResponse:
    def test_as_it_was_made(self):
        response = HTTPResponse(200, {"A": "1"}, b"abc", {"b": 2}, http_version="HTTP/2")
        assert (response.status_code, response.content, response.json_data) == (200, b"abc", {"b": 2})
        assert (response.http_version, response.request, response.attempts, response.elapsed) == ("HTTP/2", None, (), 0)
        headers = Headers({"A": "1"})
        assert HTTPResponse(200, headers).headers is headers

    @pytest.mark.parametrize(("status", "reason"), [(200, "OK"), (404, "Not Found"), (299, ""), (999, "")])
    def test_the_status_in_words(self, status, reason):
        assert HTTPResponse(status).reason == reason

    @pytest.mark.parametrize(
        ("status", "success"), [(199, False), (200, True), (299, True), (300, False), (404, False)]
    )
    def test_success_is_2xx(self, status, success):
        assert HTTPResponse(status).is_success is success

    def test_a_repr_shows_no_content(self):
        assert repr(HTTPResponse(200, {"Set-Cookie": SECRET}, SECRET.encode())) == "<HTTPResponse 200 OK, 6 bytes>"
        assert repr(HTTPResponse(200, body=OpenBody())) == "<HTTPResponse 200 OK, open body>"

    def test_discard(self):
        body = OpenBody()
        HTTPResponse(200, body=body).discard()
        HTTPResponse(200).discard()
        assert body.discarded == 1


class TestJSON:
    @pytest.mark.parametrize(
        ("content", "content_type", "expected"),
        [
            (b'{"a": 1}', "application/json", {"a": 1}),
            (b"[1]", "application/problem+json; charset=utf-8", [1]),
            (b"null", "application/json", None),
            ('"ü"'.encode("utf-16"), "application/json", "ü"),
            (b"", "application/json", None),
            (b'{"a": 1}', "text/plain", None),
            (b'{"a": 1}', None, None),
        ],
    )
    def test_by_the_media_type(self, content, content_type, expected):
        assert respond(content, content_type).json_data == expected

    def test_it_is_parsed_once(self):
        response = respond(b"[]", "application/json")
        assert response.json_data is response.json_data

    @pytest.mark.parametrize(
        "content", [b"{", b"s3cr3t", b"\xff", b"[" * 100_000, b"1" * 5000, b'{"s3cr3t": s3cr3t}'], ids=range(6)
    )
    def test_what_does_not_parse(self, content):
        response = respond(content, "application/json")
        for _ in range(2):
            with pytest.raises(
                ResponseDecodeError, match=r"200 response says 'application/json'.* is not JSON"
            ) as caught:
                _ = response.json_data
            assert caught.value.response is response
            assert SECRET not in str(caught.value)

    @given(st.binary())
    def test_any_content(self, content):
        try:
            _ = respond(content, "application/json").json_data
        except ResponseDecodeError:
            pass


class TestText:
    @pytest.mark.parametrize(
        ("content", "content_type", "expected"),
        [
            ("ü".encode(), None, "ü"),
            ("ü".encode(), "text/plain", "ü"),
            ("ü".encode("latin-1"), "text/plain; charset=ISO-8859-1", "ü"),
            ("ü".encode("utf-16"), 'text/plain; charset="utf-16"', "ü"),
            (b"", None, ""),
        ],
    )
    def test_by_the_charset(self, content, content_type, expected):
        assert respond(content, content_type).text == expected

    @pytest.mark.parametrize(
        ("content", "name"),
        [(b"\xff", "utf-8"), (b"a", "none"), (b"a", "base64"), (b"a", "undefined"), (b"\xff", "idna")],
    )
    def test_what_does_not_decode(self, content, name):
        response = respond(content, f"text/plain; charset={name}")
        with pytest.raises(ResponseDecodeError, match=f"1 bytes is not text in '{name}'") as caught:
            _ = response.text
        assert caught.value.response is response

    @pytest.mark.parametrize("content", [b"\xff\xfe\x00a", b"a" * 100, b"xn--a-\xff"])
    def test_any_codec_that_python_has(self, content):
        for name in {*encodings.aliases.aliases.values(), "idna", "punycode", "undefined", "raw_unicode_escape"}:
            try:
                assert isinstance(respond(content, f"text/plain; charset={name}").text, str)
            except ResponseDecodeError:
                pass


class TestRaiseForStatus:
    @pytest.mark.parametrize("status", [100, 200, 204, 301, 304, 399])
    def test_no_error(self, status):
        response = HTTPResponse(status)
        assert response.raise_for_status() is response

    @pytest.mark.parametrize(("status", "message"), [(400, "400 Bad Request"), (503, "503 Service"), (599, "599$")])
    def test_an_error(self, status, message):
        response = HTTPResponse(status)
        response.attempts = (Attempt(1, 0.0, 0.1, 1, status, None, None, None),)
        with pytest.raises(HTTPResponseError, match=f"^{message}") as caught:
            response.raise_for_status()
        assert (caught.value.status_code, caught.value.response) == (status, response)
        assert caught.value.attempts == response.attempts
        assert not isinstance(caught.value, RateLimitError)

    def test_it_names_the_request_without_its_secrets(self):
        response = HTTPResponse(404)
        response.request = HTTPRequest("GET", f"https://user:{SECRET}@h/a?key={SECRET}")
        with pytest.raises(HTTPResponseError) as caught:
            response.raise_for_status()
        assert str(caught.value) == "404 Not Found for GET https://h/a?key=***"

    @pytest.mark.parametrize(
        ("headers", "seconds"), [({}, None), ({"Retry-After": "7"}, 7), ({"Retry-After": "-7"}, None)]
    )
    def test_too_many_requests(self, headers, seconds):
        with pytest.raises(RateLimitError, match=r"^429 Too Many Requests") as caught:
            HTTPResponse(429, headers).raise_for_status()
        assert (caught.value.retry_after, caught.value.local) == (seconds, False)


class TestRetryAfter:
    def test_measured_against_the_date_of_the_response(self):
        date, later = "Mon, 03 Jun 2019 11:00:00 GMT", "Mon, 03 Jun 2019 11:30:12 GMT"
        assert respond(Retry_After=later, Date=date).retry_after() == 1812
        assert respond(Retry_After=later).retry_after() is None
        assert respond(Retry_After=later).retry_after(wall=1559561400) == 12  # 11:30:00

    def test_the_first_of_two_counts(self):
        assert HTTPResponse(429, [("Retry-After", "2"), ("Retry-After", "3")]).retry_after() == 2


class TestPickles:
    def test_the_request_and_the_open_body_stay_behind(self):
        response = HTTPResponse(404, {"A": "1"}, b"abc", body=OpenBody())
        response.request = HTTPRequest(
            "GET", f"https://h/?key={SECRET}", {"Authorization": SECRET}, body=SECRET.encode()
        )
        response.attempts = (Attempt(1, 0.0, 0.1, 1, 404, None, None, None),)
        response.elapsed = 0.1
        data = pickle.dumps(response)
        assert SECRET.encode() not in data
        other = pickle.loads(data)
        assert (other.status_code, other.headers, other.content) == (404, {"A": "1"}, b"abc")
        assert (other.attempts, other.elapsed, other.http_version) == (response.attempts, 0.1, "HTTP/1.1")
        assert other.request is None and other.body is None and other.json_data is None

    def test_an_error_of_a_response_takes_none_along_either(self):
        response = HTTPResponse(404)
        response.request = HTTPRequest("GET", f"https://h/?key={SECRET}", {"Authorization": SECRET})
        with pytest.raises(HTTPResponseError) as caught:
            response.raise_for_status()
        assert SECRET.encode() not in pickle.dumps(caught.value)
