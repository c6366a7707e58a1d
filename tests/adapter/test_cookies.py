"""The jar: RFC 6265bis as far as it concerns a client that is no browser, and a file that only its owner can read."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sansio_http_anyio import (
    AsyncHTTPClient,
    ClientConfig,
    ConfigurationError,
    CookieJar,
    HTTPResponse,
    InvalidRequestError,
)
from sansio_http_anyio import cookies as module
from sansio_http_anyio.set_cookie import LIFETIME, parse_cookie_date, parse_set_cookie
from tests.adapter.answering import Answering
from tests.fixtures.mock_server import MockServer, Reply

NOW = 1_000_000_000.0
URL = "https://www.example.com/a/b?c"
SECRET = "ca" + "nary"


def jar(*lines: str, url: str = URL, now: float = NOW) -> CookieJar:
    """A jar after one answer."""
    made = CookieJar(wall=lambda: now)
    made.store(url, lines, now)
    return made


@pytest.mark.parametrize(
    ("line", "url", "header"),
    [
        # host only, and its path by default
        ("a=1", URL, "a=1"),
        ("a=1", "https://www.example.com/a", "a=1"),
        ("a=1", "https://www.example.com/a/x/y", "a=1"),
        ("a=1", "https://www.example.com/", None),
        ("a=1", "https://www.example.com/ab", None),
        ("a=1", "https://sub.www.example.com/a/b", None),
        ("a=1", "https://example.com/a/b", None),
        ("a=1", "https://www.example.com:8443/a/b", "a=1"),  # ports do not count
        ("a=1", "http://www.example.com/a/b", "a=1"),
        # Domain
        ("a=1; Domain=example.com", "https://other.example.com/a/b", "a=1"),
        ("a=1; domain=.EXAMPLE.com", "https://example.com/a/b", "a=1"),
        ("a=1; Domain=example.com", "https://badexample.com/a/b", None),
        ("a=1; Domain=www.example.com", "https://x.www.example.com/a/b", "a=1"),
        ("a=1; Domain=other.com", URL, None),
        ("a=1; Domain=sub.www.example.com", URL, None),
        ("a=1; Domain=com", URL, None),
        ("a=1; Domain=", URL, "a=1"),
        ("a=1; Domain=ex\xe4mple.com", URL, None),
        ("a=1; Domain=other.com; Domain=example.com", "https://x.example.com/a/b", "a=1"),
        # Path
        ("a=1; Path=/", "https://www.example.com/", "a=1"),
        ("a=1; Path=/x", "https://www.example.com/x/y", "a=1"),
        ("a=1; Path=/x/", "https://www.example.com/x/y", "a=1"),
        ("a=1; Path=/x/", "https://www.example.com/x", None),
        ("a=1; Path=x", URL, "a=1"),
        ("a=1; Path=/x; Path=/", "https://www.example.com/", "a=1"),
        # Secure
        ("a=1; Secure", "http://www.example.com/a/b", None),
        ("a=1; Secure; HttpOnly; SameSite=Strict", URL, "a=1"),
        # prefixes
        ("__Secure-a=1; Secure", URL, "__Secure-a=1"),
        ("__secure-a=1", URL, None),
        ("__Host-a=1; Secure; Path=/", URL, "__Host-a=1"),
        ("__Host-a=1; Secure", URL, None),
        ("__Host-a=1; Path=/", URL, None),
        ("__HOST-a=1; Secure; Path=/; Domain=www.example.com", URL, None),
        ("=__Host-a=1", URL, None),
        ("__Secure-a", URL, None),
        # what names and values may be
        ("a", URL, "a"),
        ("=a", URL, "a"),
        ("a=", URL, "a="),
        ("a=b=c", URL, "a=b=c"),
        (' a = "b c" ; x', URL, 'a="b c"'),
        ("", URL, None),
        ("=", URL, None),
        (";a=1", URL, None),
        ("a=\x01", URL, None),
        ("a=1\x7f", URL, None),
        ("a=x\ty", URL, "a=x\ty"),
        ("a=" + "x" * 4095, URL, "a=" + "x" * 4095),
        ("a=" + "x" * 4096, URL, None),
        ("a=1; Path=/" + "x" * 1024, URL, "a=1"),
        # time
        ("a=1; Max-Age=1", URL, "a=1"),
        ("a=1; Max-Age=0", URL, None),
        ("a=1; Max-Age=-1", URL, None),
        ("a=1; Max-Age=x", URL, "a=1"),
        ("a=1; Max-Age=" + "9" * 400, URL, "a=1"),
        ("a=1; Expires=Sun, 06 Nov 1994 08:49:37 GMT", URL, None),
        ("a=1; Expires=Sun, 06 Nov 2094 08:49:37 GMT", URL, "a=1"),
        ("a=1; Expires=Sun, 06 Nov 1994 08:49:37 GMT; Max-Age=5", URL, "a=1"),
        ("a=1; Expires=nonsense", URL, "a=1"),
    ],
)
def test_what_goes_where(line: str, url: str, header: str | None) -> None:
    assert jar(line).header(url) == header


def test_public_suffixes() -> None:
    assert jar("a=1; Domain=github.io", url="https://me.github.io/").header("https://you.github.io/") is None
    assert jar("a=1; Domain=co.uk", url="https://x.co.uk/").header("https://x.co.uk/") is None
    own = jar("a=1; Domain=github.io", url="https://github.io/")  # of the suffix itself: for that host alone
    assert own.header("https://github.io/") == "a=1" and own.header("https://me.github.io/") is None
    assert jar("a=1; Domain=localhost", url="http://localhost/").header("http://localhost/") == "a=1"


def test_addresses_are_only_themselves() -> None:
    assert jar("a=1; Domain=127.0.0.1", url="http://127.0.0.1/").header("http://127.0.0.1/") == "a=1"
    assert jar("a=1; Domain=0.0.1", url="http://127.0.0.1/").header("http://127.0.0.1/") is None
    assert jar("a=1", url="http://[::1]/").header("http://[::1]/x") == "a=1"


def test_plain_http_sets_no_secure_cookie_and_overlays_none() -> None:
    assert jar("a=1; Secure", url="http://www.example.com/").header(URL) is None
    made = jar("a=1; Secure; Path=/a", "b=2; Path=/")
    made.store("http://example.com/a/x", ["a=evil; Domain=example.com"], NOW)
    made.store("http://www.example.com/", ["a=evil; Path=/a/b", "b=3; Path=/", "a=else"], NOW)
    assert made.header(URL) == "a=1; b=3; a=else"


def test_longer_paths_and_older_cookies_go_first() -> None:
    made = jar("a=1; Path=/", "b=2; Path=/a", "c=3; Path=/", "d=4; Path=/a")
    made.store(URL, ["a=5; Path=/"], NOW)  # it keeps its place
    assert made.header(URL) == "b=2; d=4; a=5; c=3"


def test_time_passes() -> None:
    now = NOW
    made = CookieJar(wall=lambda: now)
    made.store(URL, ["a=1; Max-Age=10", "b=2", f"c=3; Max-Age={10 * LIFETIME}"], NOW)
    now = NOW + 9.9
    assert made.header(URL) == "a=1; b=2; c=3"
    now = NOW + 10
    assert made.header(URL) == "b=2; c=3"
    now = NOW + LIFETIME
    assert made.header(URL) == "b=2"
    made.store(URL, ["b=; Max-Age=0"], now)
    assert made.header(URL) is None and len(made) == 0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Sun, 06 Nov 1994 08:49:37 GMT", 784111777),
        ("Sunday, 06-Nov-94 08:49:37 GMT", 784111777),
        ("Sun Nov  6 08:49:37 1994", 784111777),
        ("1994 november 6 8:49:37", 784111777),
        ("08:49:37x 6th nov 94", 784111777),
        ("06 Nov 69 08:49:37", 3150953377),
        ("06 Nov 1994", None),
        ("08:49:37 Nov 1994 GMT", None),
        ("32 Nov 1994 08:49:37", None),
        ("31 Feb 1994 08:49:37", None),
        ("06 Nov 1600 08:49:37", None),
        ("06 Nov 1994 24:00:00", None),
        ("06 Foo 1994 08:49:37", None),
        ("06 Nov 1994 08:49", None),
        ("", None),
    ],
)
def test_dates_as_servers_write_them(text: str, expected: float | None) -> None:
    assert parse_cookie_date(text) == expected


@settings(max_examples=200)
@given(st.text(max_size=60), st.text(max_size=60))
def test_no_line_breaks_anything(line: str, more: str) -> None:
    made = jar(line, f"a=1;{more}", f"{line}={more}; Domain={more}; Path={line}; Expires={more}; Max-Age={line}")
    header = made.header(URL)
    assert header is None or not any(character in header for character in "\r\n\0;\x7f"[:3])
    read = parse_set_cookie(line, NOW)
    assert read is None or ";" not in read.name + read.value


def test_a_jar_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_PER_DOMAIN", 3)
    monkeypatch.setattr(module, "MAX_COOKIES", 5)
    made = jar("a=1; Path=/", "b=2; Secure; Path=/", "c=3; Path=/x", url="https://h/")
    assert made.header("https://h/") == "a=1; b=2"
    made.store("https://h/", ["d=4; Path=/"], NOW)  # c was not used for longest
    assert sorted(each.name for each in made) == ["a", "b", "d"]
    for host in "wxyz":
        made.store(f"https://{host}/", ["e=5"], NOW)
    assert len(made) == 5 and "b" in {each.name for each in made}


# In a client


@pytest.mark.anyio
async def test_what_a_server_sets_goes_back_to_it_alone(server: MockServer, other: MockServer) -> None:
    cookies = CookieJar()
    server.on(
        "/login", Reply(302, headers=[("Location", "/echo"), ("Set-Cookie", "s=1; Path=/"), ("Set-Cookie", "t=2")])
    )
    server.on("/away", Reply(302, headers={"Location": f"http://localhost:{other.port}/echo"}))
    async with AsyncHTTPClient(server.url, ClientConfig(follow_redirects=True), cookies=cookies) as client:
        first = await client.get("/login")
        await client.get("/away", cookies={"mine": "3"})
        async with client.stream("GET", "/login") as stream:
            await stream.aread()
    assert first.json_data["headers"]["cookie"] == "s=1; t=2"
    sent = [(request.path, request.headers.get("cookie")) for request in server.requests]
    assert sent[:3] == [("/login", None), ("/echo", "s=1; t=2"), ("/away", "mine=3; s=1; t=2")]
    assert "cookie" not in other.requests[0].headers
    assert repr(cookies) == "<CookieJar 2 cookies>"


@pytest.mark.anyio
async def test_nothing_is_kept_unless_it_is_asked_for(server: MockServer) -> None:
    server.on("/login", Reply(200, headers={"Set-Cookie": "s=1; Path=/"}))
    async with AsyncHTTPClient(server.url) as client:
        await client.get("/login")
        await client.get("/echo")
    assert "cookie" not in server.requests[1].headers


@pytest.mark.anyio
async def test_a_requests_own_policies_use_the_same_jar() -> None:
    from sansio_http import Policies

    transport = Answering(lambda send: HTTPResponse(200, {"Set-Cookie": "a=1"}))
    async with AsyncHTTPClient("http://h", cookies=CookieJar(), transport=transport) as client:
        await client.get("/")
        await client.get("/", policies=Policies())
    assert [send.request.headers.get("cookie") for send in transport.sends] == [None, "a=1"]


@pytest.mark.parametrize("store", [{"a": "1"}, CookieJar, 5])
def test_what_is_no_jar(store: Any) -> None:
    with pytest.raises(ConfigurationError, match="cookies"):
        AsyncHTTPClient("http://h", cookies=store)


def test_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(ConfigurationError, match=r"pip install 'sansio-http\[cookies\]'"):
        CookieJar()


# By hand, and in a file


def test_a_cookie_of_ones_own() -> None:
    made = CookieJar(wall=lambda: NOW)
    made.set("a", "1", "https://h/x")
    made.set("b", "2", "http://h", expires=NOW + 1)
    assert made.header("https://h/") == "a=1; b=2" and made.header("http://h/") == "b=2"
    for name, value in [("a;", "1"), ("a", f"{SECRET};"), ("a", f"{SECRET} "), ("", "1"), ("a=b", "1"), ("a", "\n")]:
        with pytest.raises(InvalidRequestError, match="cannot be sent as a cookie") as caught:
            made.set(name, value, "http://h")
        assert SECRET not in str(caught.value)
    assert SECRET not in repr(list(jar(f"a={SECRET}")))
    made.clear()
    assert made.header("https://h/") is None


def test_saved_and_loaded(tmp_path: Path) -> None:
    path = tmp_path / "cookies.json"
    made = jar("a=1; Path=/; SameSite=lax", "b=2; Secure; HttpOnly; Max-Age=60; Domain=example.com", "c=3; Max-Age=0")
    path.write_text("older")
    path.chmod(0o644)
    made.save(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["cookies.json"]
    loaded = CookieJar.load(path, wall=lambda: NOW)
    assert list(loaded) == list(made) and len(loaded) == 2
    assert CookieJar.load(path, wall=lambda: NOW + 60).header(URL) == "a=1"


def test_a_file_that_cannot_be_written_is_left_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "cookies.json"
    path.write_text("older")

    def refuse(document: Any, file: Any, indent: int) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(json, "dump", refuse)
    with pytest.raises(OSError, match="no space left"):
        jar("a=1").save(path)
    assert path.read_text() == "older" and [each.name for each in tmp_path.iterdir()] == ["cookies.json"]


GOOD = {
    "name": "a",
    "value": SECRET,
    "domain": "h",
    "host_only": True,
    "path": "/",
    "expires": None,
    "secure": False,
    "http_only": False,
    "same_site": "lax",
}


@pytest.mark.parametrize(
    "document",
    [
        "{",
        "[]",
        {},
        {"version": 2, "cookies": []},
        {"version": 1},
        {"version": 1, "cookies": [5]},
        {"version": 1, "cookies": [{}]},
        *(
            {"version": 1, "cookies": [{**GOOD, name: wrong}]}
            for name, wrong in [
                ("name", 5),
                ("value", f"{SECRET}\r\n"),
                ("secure", 1),
                ("expires", "x"),
                ("expires", True),
                ("path", "x"),
                ("same_site", "x"),
            ]
        ),
    ],
)
def test_a_file_of_something_else(document: Any, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    with pytest.raises(ConfigurationError, match="is not a file that a CookieJar has saved") as caught:
        CookieJar.load(path)
    assert SECRET not in str(caught.value)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        CookieJar.load(tmp_path / "none")
