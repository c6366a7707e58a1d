"""Redirects: RFC 9110 15.4, and no secret of one origin ever shown to another."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sansio_http.bodies import Body
from sansio_http.exceptions import ConfigurationError, RedirectError
from sansio_http.models import HTTPRequest, HTTPResponse
from sansio_http.redirects import RedirectPolicy, portable_headers
from sansio_http.urls import origin

SECRET = "s3cr3t"

PORTABLE = [
    ("Accept", "text/html"),
    ("Accept-Language", "de"),
    ("ACCEPT-Language", "en"),
    ("Cache-Control", "no-cache"),
    ("Content-Type", "text/plain"),
    ("If-None-Match", '"1"'),
    ("Range", "bytes=0-1"),
    ("traceparent", "00-1-1-00"),
    ("tracestate", "a=b"),
    ("User-Agent", "sansio-http"),
]
PRIVATE = [
    ("Authorization", SECRET),
    ("authorization", SECRET),
    ("Cookie", f"session={SECRET}"),
    ("Proxy-Authorization", SECRET),
    ("X-API-Key", SECRET),
    ("Api-Key", SECRET),
    ("X-Auth-Token", SECRET),
    ("Accepted-Token", SECRET),
    ("Contents", SECRET),
    ("X-Content-Key", SECRET),
    ("Ranger", SECRET),
    ("Host", "h"),
    ("Idempotency-Key", "1"),
    ("Origin", "https://h"),
    ("Referer", "https://h/private"),
    ("X-Forwarded-For", "1.2.3.4"),
]


def answer(status=302, location="/there"):
    return HTTPResponse(status, {"Location": location})


def follow(request, response, policy=None, seen=None) -> Any:
    return (policy or RedirectPolicy()).follow(request, response, [] if seen is None else seen)


class TestWhatIsARedirect:
    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    def test_these(self, status):
        follows = follow(HTTPRequest("GET", "https://h/a?b=c"), answer(status, "../x?y#z"))
        assert (follows.method, follows.url) == ("GET", "https://h/x?y")

    @pytest.mark.parametrize("status", [200, 201, 204, 300, 304, 305, 306, 309, 401, 404, 503])
    def test_not_these(self, status):
        assert follow(HTTPRequest("GET", "https://h/"), answer(status)) is None

    @pytest.mark.parametrize("locations", [[], ["/a", "/b"], ["/a", "/a"]])
    def test_nor_without_exactly_one_location(self, locations):
        seen: list[tuple[str, str]] = []
        response = HTTPResponse(302, [("Location", location) for location in locations])
        assert follow(HTTPRequest("GET", "https://h/"), response, seen=seen) is None
        assert seen == []


class TestMethodAndBody:
    @pytest.mark.parametrize(
        ("status", "method", "expected", "keeps_body"),
        [
            (301, "GET", "GET", True),
            (301, "HEAD", "HEAD", True),
            (301, "POST", "GET", False),
            (302, "POST", "GET", False),
            (301, "PUT", "PUT", True),
            (302, "PATCH", "PATCH", True),
            (302, "DELETE", "DELETE", True),
            (303, "GET", "GET", False),
            (303, "HEAD", "HEAD", False),
            (303, "POST", "GET", False),
            (303, "PUT", "GET", False),
            (303, "DELETE", "GET", False),
            (307, "POST", "POST", True),
            (308, "POST", "POST", True),
            (307, "PUT", "PUT", True),
            (308, "GET", "GET", True),
        ],
    )
    @pytest.mark.parametrize("location", ["/there", "https://other.example/"])
    def test_rfc_9110(self, status, method, expected, keeps_body, location):
        of_body = [("Content-Type", "a/b"), ("CONTENT-Length", "4"), ("Content-MD5", "x"), ("content-type", "c/d")]
        request = HTTPRequest(method, "https://h/", [("Accept", "x"), *of_body, ("Range", "y")], body=b"body")
        follows = follow(request, answer(status, location))
        assert follows.method == expected
        assert follows.body == (request.body if keeps_body else None)
        assert follows.headers.pairs() == [("Accept", "x"), *(of_body if keeps_body else []), ("Range", "y")]

    def test_what_frames_a_body_goes_with_it(self):
        headers = {"Transfer-Encoding": "chunked", "Expect": "100-continue", "Trailer": "X", "Digest": "x", "X": "y"}
        follows = follow(HTTPRequest("POST", "https://h/", headers, body=b""), answer(303))
        assert follows.headers.pairs() == [("X", "y")]

    @pytest.mark.parametrize(("status", "replay"), [(307, "once"), (308, "once"), (301, "once")])
    def test_a_body_that_is_gone_is_not_sent_again(self, status, replay):
        request = HTTPRequest("PUT", "https://h/", body=Body(iter(()), replay=replay))
        response = answer(status)
        with pytest.raises(RedirectError, match="cannot be sent again") as caught:
            follow(request, response)
        assert caught.value.response is response

    def test_and_need_not_be_where_it_is_dropped(self):
        assert follow(HTTPRequest("POST", "https://h/", body=Body(iter(()))), answer(303)).body is None

    def test_the_request_is_left_alone(self):
        request = HTTPRequest("POST", "https://h/?a=1", {"X": "y"}, {"a": 1}, b"body", 3.0, idempotent=True)
        before = request.copy()
        follows = follow(request, answer(303, "https://other.example/"))
        assert request == before
        assert follows == HTTPRequest("GET", "https://other.example/", {}, None, None, 3.0, idempotent=True)


class TestWhereItLeads:
    def test_a_location_in_utf_8(self):
        # Header fields are read as ISO-8859-1, and this is how UTF-8 looks then.
        as_read = "https://bücher.example/ü".encode().decode("latin-1")
        follows = follow(HTTPRequest("GET", "https://h/"), answer(302, as_read))
        assert follows.url == "https://xn--bcher-kva.example/%C3%BC"

    def test_a_location_in_latin_1(self):
        assert follow(HTTPRequest("GET", "https://h/"), answer(302, "/ü")).url == "https://h/%C3%BC"

    @pytest.mark.parametrize(
        ("location", "reason"),
        [
            ("mailto:a@b", "not an http"),
            ("ftp://h/", "not http"),
            (f"https://user:{SECRET}@h/", "user name"),
            ("https://h:99999/", "port"),
            ("https://", "no host"),
            ("http://0x7f.1/", "number"),
            ("\\\\evil.com", "backslash"),
            ("/a\tb", "control"),
        ],
    )
    def test_a_location_that_makes_no_sense(self, location, reason):
        response = answer(302, location)
        with pytest.raises(RedirectError, match=f"302 response's location: .*{reason}") as caught:
            follow(HTTPRequest("GET", "https://h/"), response)
        assert caught.value.response is response
        assert SECRET not in str(caught.value)

    @pytest.mark.parametrize("location", ["http://h/", "http://other.example/", "http://h:443/"])
    def test_https_to_http(self, location):
        with pytest.raises(RedirectError, match="from https to http://"):
            follow(HTTPRequest("GET", "https://h/"), answer(302, location))

    def test_http_to_https_is_followed_as_another_origin(self):
        follows = follow(HTTPRequest("GET", "http://h/", {"X-API-Key": SECRET}), answer(301, "https://h/"))
        assert follows.url == "https://h/"
        assert not follows.headers

    def test_a_message_shows_no_query(self):
        with pytest.raises(RedirectError, match=r"key=\*\*\*") as caught:
            follow(HTTPRequest("GET", "https://h/"), answer(302, f"http://h/?key={SECRET}"))
        assert SECRET not in str(caught.value)


class TestHowOften:
    def test_up_to_the_limit(self):
        seen: list[tuple[str, str]] = []
        request = HTTPRequest("GET", "https://h/0")
        for number in range(1, 4):
            request = follow(request, answer(302, f"/{number}"), RedirectPolicy(limit=3), seen)
        assert seen == [("GET", f"https://h/{number}") for number in range(3)]
        with pytest.raises(RedirectError, match="more than 3 redirects"):
            follow(request, answer(302, "/4"), RedirectPolicy(limit=3), seen)

    def test_limit_zero_follows_none(self):
        with pytest.raises(RedirectError, match="more than 0"):
            follow(HTTPRequest("GET", "https://h/"), answer(), RedirectPolicy(limit=0))

    @pytest.mark.parametrize("location", ["https://h/", "HTTPS://H:443/#x", "/", "", "/a/.."])
    def test_a_loop_of_one(self, location):
        with pytest.raises(RedirectError, match="loop"):
            follow(HTTPRequest("GET", "https://h"), answer(302, location))

    def test_a_loop_of_two(self):
        seen: list[tuple[str, str]] = []
        request = follow(HTTPRequest("GET", "https://h/a"), answer(302, "/b"), seen=seen)
        with pytest.raises(RedirectError, match="loop"):
            follow(request, answer(302, "/a"), seen=seen)

    def test_the_same_url_by_another_method_is_no_loop(self):
        assert follow(HTTPRequest("POST", "https://h/a"), answer(303, "/a")).method == "GET"


class TestHeaders:
    @pytest.mark.parametrize(
        "location", ["https://other.example/", "https://h:8443/", "https://sub.h/", "//h.evil.com/", "https://h.:443/"]
    )
    def test_another_origin_sees_what_is_listed_only(self, location):
        request = HTTPRequest("GET", "https://h/", PRIVATE + PORTABLE)
        assert follow(request, answer(302, location)).headers.pairs() == PORTABLE

    @pytest.mark.parametrize("location", ["/x", "https://h/x", "https://h:443/x", "HTTPS://H/x", "//h/x"])
    def test_the_same_origin_sees_all(self, location):
        request = HTTPRequest("GET", "https://h/", PRIVATE + PORTABLE)
        assert follow(request, answer(302, location)).headers.pairs() == PRIVATE + PORTABLE

    def test_what_was_dropped_does_not_come_back(self):
        seen: list[tuple[str, str]] = []
        request = HTTPRequest("GET", "https://h/", PRIVATE)
        away = follow(request, answer(302, "https://other.example/"), seen=seen)
        assert not follow(away, answer(302, "https://h/back"), seen=seen).headers

    def test_further_names(self):
        policy = RedirectPolicy(headers=frozenset({"X-Request-ID"}))
        request = HTTPRequest("GET", "https://h/", [("x-request-id", "1"), ("X-Request-Id", "2"), ("X-API-Key", "3")])
        follows = follow(request, answer(302, "https://other.example/"), policy)
        assert follows.headers.pairs() == [("x-request-id", "1"), ("X-Request-Id", "2")]
        assert portable_headers(request.headers, policy.headers) == follows.headers
        assert not portable_headers(request.headers)

    tokens = st.from_regex(r"\A[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,20}\Z")
    names = st.sampled_from([name for name, _ in PRIVATE + PORTABLE]) | tokens
    locations = st.sampled_from(["https://other.example/", "http://h/", "https://h:1/", "https://h/x", "/y", "//z"])

    @given(st.sampled_from([301, 302, 303, 307, 308]), st.lists(st.tuples(names, st.just(SECRET))), locations)
    def test_no_unlisted_name_crosses(self, status, pairs, location):
        request = HTTPRequest("GET", "https://h/", pairs)
        try:
            follows = follow(request, answer(status, location))
        except RedirectError:
            return
        if origin(follows.url) == "https://h":
            return
        for name in (name.lower() for name in follows.headers):
            assert name in {"accept", "range", "user-agent", "cache-control", "traceparent", "tracestate"} or (
                name.startswith(("accept-", "content-", "if-"))
            )


class TestConfiguration:
    @pytest.mark.parametrize(
        ("arguments", "field"),
        [
            ({"limit": -1}, "limit"),
            ({"limit": 2.0}, "limit"),
            ({"limit": True}, "limit"),
            ({"limit": None}, "limit"),
            ({"headers": "X-Request-ID"}, "headers"),
            ({"headers": None}, "headers"),
            ({"headers": {""}}, "headers"),
            ({"headers": {"a b"}}, "headers"),
            ({"headers": {"a:"}}, "headers"),
            ({"headers": {1}}, "headers"),
        ],
    )
    def test_refused(self, arguments, field):
        with pytest.raises(ConfigurationError, match=f"^{field}: "):
            RedirectPolicy(**arguments)

    def test_names_are_kept_in_lower_case(self):
        assert RedirectPolicy(5, ["X-A", "x-a"]) == RedirectPolicy(5, frozenset({"x-a"}))  # type: ignore[arg-type]
