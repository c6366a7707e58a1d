"""URLs: no path leaves its base, nothing secret is shown, and everything has one form."""

from __future__ import annotations

import posixpath
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sansio_http.exceptions import ConfigurationError, InvalidRequestError
from sansio_http.urls import join, normalise, origin, parse_base, redact, resolve, split

SECRET = "s3cr3t"

# Text made of what parsers of URLs stumble over, and any text.
hostile = st.lists(
    st.sampled_from(
        "/ // / . .. ... %2e %2E %252e %2%65 %2f %5c %25 % \\ ; : @ ? # & = a b v1 v11 h evil https: http:// https://h "
        "https://h/v1 //evil.com @evil.com %00 %zz [ ] | ü ² ． 。".split()
    )
    | st.sampled_from("\t\n\r\0 \x7f\u2028\ud800"),
    max_size=8,
).map("".join)
anything = hostile | st.text()
bases = st.sampled_from(["https://h", "https://h/v1", "http://h:8080/a/b", "https://[::1]:8443/v1", "https://h/a%20b"])


class TestParseBase:
    @pytest.mark.parametrize(
        ("base_url", "expected"),
        [
            ("https://api.example.com", "https://api.example.com"),
            ("https://api.example.com/", "https://api.example.com"),
            ("https://api.example.com/v1/", "https://api.example.com/v1"),
            ("https://api.example.com/v1//", "https://api.example.com/v1"),
            ("HTTPS://API.Example.COM/V1", "https://api.example.com/V1"),
            ("https://h:443/v1", "https://h/v1"),
            ("http://h:80", "http://h"),
            ("http://h:0080", "http://h"),
            ("http://h:", "http://h"),
            ("http://h:443", "http://h:443"),
            ("https://h:65535", "https://h:65535"),
            ("http://localhost:8000", "http://localhost:8000"),
            ("http://my_service", "http://my_service"),
            ("http://example.com.", "http://example.com."),
            ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
            ("http://[::1]:8000/v1", "http://[::1]:8000/v1"),
            ("http://[2001:DB8:0:0::1]", "http://[2001:db8::1]"),
            ("https://bücher.example/v1", "https://xn--bcher-kva.example/v1"),
            ("https://BÜCHER。example", "https://xn--bcher-kva.example"),
            ("https://xn--bcher-kva.example", "https://xn--bcher-kva.example"),
            ("https://h/a b/ü", "https://h/a%20b/%C3%BC"),
            ("https://h/a%20b/100%", "https://h/a%20b/100%25"),
            ("https://h/@me/x:y", "https://h/@me/x:y"),
            ("https://h/.well-known", "https://h/.well-known"),
        ],
    )
    def test_normal_form(self, base_url, expected):
        assert parse_base(base_url) == expected
        assert parse_base(expected) == expected

    @pytest.mark.parametrize(
        ("base_url", "reason"),
        [
            ("", "not an absolute URL"),
            ("api.example.com", "not an absolute URL"),
            ("api.example.com:443/v1", "not an absolute URL"),
            ("//api.example.com", "not an absolute URL"),
            ("https:api.example.com", "not an absolute URL"),
            ("https:/api.example.com", "not an absolute URL"),
            (" https://api.example.com", "not an absolute URL"),
            ("ftp://h", "not http or https"),
            ("file:///etc/passwd", "not http or https"),
            ("https://", "no host"),
            ("https:///v1", "no host"),
            ("https://:443", "no host"),
            (f"https://user:{SECRET}@h", "BasicAuth"),
            (f"https://{SECRET}@h", "BasicAuth"),
            ("https://@h", "BasicAuth"),
            (f"https://user:{SECRET}@h:99999", "BasicAuth"),
            (f"https://user:{SECRET}", "port"),
            ("https://h:0", "port"),
            ("https://h:65536", "port"),
            ("https://h:-1", "port"),
            ("https://h:8o", "port"),
            ("https://h:٣", "port"),
            ("https://h:000443", "port"),
            ("https://a:b:c", "port"),
            ("https://::1", "port"),
            ("https://[::1", "port"),
            ("https://[::1]x", "port"),
            ("https://[h]", "IPv6"),
            ("https://[127.0.0.1]", "IPv6"),
            ("https://[fe80::1%25eth0]", "IPv6"),
            ("https://[fe80::1%eth0]", "IPv6"),
            ("https://[]", "IPv6"),
            ("http://0x7f.1", "number"),
            ("http://0x7F000001", "number"),
            ("http://2130706433", "number"),
            ("http://0177.0.0.1", "number"),
            ("http://127.1", "number"),
            ("http://127.0.0.1.", "number"),
            ("http://127.0.0.256", "number"),
            ("http://１２７.1", "number"),
            ("http://a.0x", "number"),
            ("https://a b", "characters"),
            ("https://a..b", "characters"),
            ("https://.", "characters"),
            ("https://a%2eb", "characters"),
            ("https://a,b", "characters"),
            (f"https://{'a' * 64}", "characters"),
            (f"https://{'a.' * 127}b", "too long"),
            (f"https://{'ü.' * 128}b", "too long"),
            ("https://ü..b", "internationalised"),
            ("https://ü\u2028", "internationalised"),
            ("https://h/v1?key=" + SECRET, "query"),
            ("https://h?", "query"),
            ("https://h/v1#" + SECRET, "fragment"),
            ("https://h/../v1", "segment"),
            ("https://h/v1/%2E%2e/", "segment"),
            ("https://h/.", "segment"),
            ("https://h\\@evil.com", "backslash"),
            ("https://h/a\\b", "backslash"),
            ("https://h/a\tb", "control"),
            ("https://h\n", "control"),
            ("https://h/\ud800", "surrogate"),
            ("https://\ud800", "internationalised"),
            (None, "NoneType"),
            (b"https://h", "bytes"),
        ],
    )
    def test_refused(self, base_url, reason):
        with pytest.raises(ConfigurationError, match=reason) as caught:
            parse_base(base_url)
        message = str(caught.value)
        assert message.startswith("base_url: ")
        assert SECRET not in message
        if isinstance(base_url, str):
            assert "http:// or https://" in message

    @given(anything)
    def test_any_text_is_a_base_or_a_configuration_error(self, text):
        for candidate in (text, f"https://{text}", f"https://h/{text}"):
            try:
                base = parse_base(candidate)
            except ConfigurationError:
                continue
            assert base.isascii() and not base.endswith("/")
            assert parse_base(base) == base
            assert base == origin(base) + urlsplit(base).path
            assert normalise(base) in (base, base + "/")


class TestJoin:
    @pytest.mark.parametrize(
        ("path", "expected"),
        [
            ("/users", "https://h/v1/users"),
            ("users", "https://h/v1/users"),
            ("/users/", "https://h/v1/users/"),
            ("/users/123?a=b", "https://h/v1/users/123?a=b"),
            ("users/123?a=b/../c?d", "https://h/v1/users/123?a=b/../c?d"),
            ("", "https://h/v1"),
            ("/", "https://h/v1/"),
            ("?a=b", "https://h/v1?a=b"),
            ("#f", "https://h/v1"),
            ("/users#f?x=1", "https://h/v1/users"),
            ("/users?", "https://h/v1/users?"),
            ("/a//b", "https://h/v1/a//b"),
            ("@evil.com", "https://h/v1/@evil.com"),
            ("/@me", "https://h/v1/@me"),
            ("x:y", "https://h/v1/x:y"),
            ("users:batch", "https://h/v1/users:batch"),
            (":8080", "https://h/v1/:8080"),
            ("https:evil.com", "https://h/v1/https:evil.com"),
            ("https:/evil.com", "https://h/v1/https:/evil.com"),
            ("javascript:alert(1)", "https://h/v1/javascript:alert(1)"),
            (" https://evil.com", "https://h/v1/%20https://evil.com"),
            (".evil.com", "https://h/v1/.evil.com"),
            ("/.well-known/x", "https://h/v1/.well-known/x"),
            ("/...", "https://h/v1/..."),
            ("/a..b/..c/d..", "https://h/v1/a..b/..c/d.."),
            ("/v1.2/a.json", "https://h/v1/v1.2/a.json"),
            ("/a b", "https://h/v1/a%20b"),
            ("/ü/日本?q=ü", "https://h/v1/%C3%BC/%E6%97%A5%E6%9C%AC?q=%C3%BC"),
            ("/a%20b%2Fc%5Cd", "https://h/v1/a%20b%2Fc%5Cd"),
            ("/100%", "https://h/v1/100%25"),
            ("/100%/a?b=5%", "https://h/v1/100%25/a?b=5%25"),
            ("/%252F", "https://h/v1/%252F"),
            ('/<>"[]^`{|}', "https://h/v1/%3C%3E%22%5B%5D%5E%60%7B%7C%7D"),
            ("/?filter[a]=b c\\d", "https://h/v1/?filter%5Ba%5D=b%20c%5Cd"),
            ("/q?u=https://u:p@x/../y", "https://h/v1/q?u=https://u:p@x/../y"),
            ("https://h/v1", "https://h/v1"),
            ("https://h/v1/users?a=b#f", "https://h/v1/users?a=b"),
            ("HTTPS://H:443/v1/a b", "https://h/v1/a%20b"),
        ],
    )
    def test_under_a_path(self, path, expected):
        assert join("https://h/v1", path) == expected

    @pytest.mark.parametrize(
        ("path", "expected"),
        [
            ("", "https://h/"),
            ("/", "https://h/"),
            ("?a=b", "https://h/?a=b"),
            ("users", "https://h/users"),
            ("@evil.com", "https://h/@evil.com"),
            (".evil.com", "https://h/.evil.com"),
            (":8080", "https://h/:8080"),
            ("https://h", "https://h/"),
            ("https://h?a=b", "https://h/?a=b"),
        ],
    )
    def test_under_a_bare_host(self, path, expected):
        assert join("https://h", path) == expected

    @pytest.mark.parametrize(
        ("path", "reason"),
        [
            ("//evil.com", "another host"),
            ("///evil.com", "another host"),
            (f"//user:{SECRET}@h/v1", "another host"),
            ("\\\\evil.com", "backslash"),
            ("/\\evil.com", "backslash"),
            ("/a\\..\\..\\b", "backslash"),
            ("https://h\\@evil.com/v1", "backslash"),
            ("..", "segment"),
            ("../x", "segment"),
            ("/a/../../x", "segment"),
            ("/a/..?q", "segment"),
            ("/a/..#f", "segment"),
            (".", "segment"),
            ("/a/./b", "segment"),
            ("/%2e%2e/x", "segment"),
            ("/%2E./x", "segment"),
            ("/.%2e", "segment"),
            ("/%252e%252e/x", "segment"),
            ("/%25252e%25252E/x", "segment"),
            ("/%2%65%2e", "segment"),
            ("/%%32e%%32e/x", "segment"),
            ("/a%2f..%2f..%2fx", "segment"),
            ("/a%5c..%5cx", "segment"),
            ("/a%255c..%255cx", "segment"),
            ("/..;/x", "segment"),
            ("/..;a=b/x", "segment"),
            ("/..%3b/x", "segment"),
            ("/%2525252e", "encoded more than"),
            ("/" + "%25" * 3 + "41" + "%25" * 5_000, None),
            ("/%" + "25" * 5_000 + "2e", "encoded more than"),
            ("/a\tb", "control"),
            ("/\t/evil.com", "control"),
            ("/a\r\nHost: evil", "control"),
            ("\n//evil.com", "control"),
            ("/a\0", "control"),
            ("/a?b=\x7f", "control"),
            ("/a#\n", "control"),
            ("/\ud800", "surrogate"),
            ("/?\ud800", "surrogate"),
            ("https://evil.com/v1/users", "outside"),
            ("https://h.evil.com/v1", "outside"),
            ("http://h/v1/users", "outside"),
            ("https://h:8443/v1/users", "outside"),
            ("https://h/v2", "outside"),
            ("https://h/v11", "outside"),
            ("https://h/", "outside"),
            ("https://h/v1/../v2", "segment"),
            (f"https://user:{SECRET}@h/v1/users", "user name"),
            (f"https://evil.com/?key={SECRET}", "outside"),
            ("ftp://h/v1/users", "not http"),
            ("https:///v1", "no host"),
            (None, "NoneType"),
            (b"/users", "bytes"),
        ],
    )
    def test_refused(self, path, reason):
        if reason is None:
            assert join("https://h/v1", path).startswith("https://h/v1/")
            return
        with pytest.raises(InvalidRequestError, match=reason) as caught:
            join("https://h/v1", path)
        assert str(caught.value).startswith("url: ")
        assert SECRET not in str(caught.value)

    @given(bases, anything)
    def test_no_path_leaves_the_base(self, base, path):
        try:
            url = join(base, path)
        except InvalidRequestError:
            return
        there, home = urlsplit(url), urlsplit(base)
        assert (there.scheme, there.netloc, there.fragment) == (home.scheme, home.netloc, "")
        assert (there.path + "/").startswith(home.path + "/")
        assert url.isascii() and url.isprintable() and " " not in url and "\\" not in url
        # However often somebody decodes it, and whatever they take for a slash:
        reading, root = there.path, home.path
        for _ in range(6):
            reading = reading.replace("\\", "/")
            assert not {".", ".."} & {segment.partition(";")[0] for segment in reading.split("/")}
            assert f"{posixpath.normpath(reading)}/".startswith(f"{root}/")
            reading, root = unquote(reading), unquote(root)
        assert origin(url) == origin(base)
        assert join(base, url) == url

    @given(bases, st.from_regex(r"\A/?[a-z0-9:@.]{1,5}(/[a-z.]{1,3}){0,3}/?(\?[a-z=&/?.]{0,5})?\Z"))
    def test_the_short_cut_says_what_the_long_way_says(self, base, path):
        try:
            quick = join(base, path)
        except InvalidRequestError:
            return
        assert quick == join(base, path + "#")  # a fragment is dropped, and takes the long way


class TestOriginAndSplit:
    @pytest.mark.parametrize(
        ("url", "site", "parts"),
        [
            ("https://h/", "https://h", ("https", "h", 443, "/")),
            ("http://h/a?b=c", "http://h", ("http", "h", 80, "/a?b=c")),
            ("http://h/?u=https://x/y", "http://h", ("http", "h", 80, "/?u=https://x/y")),
            ("https://h:8443/a/b", "https://h:8443", ("https", "h", 8443, "/a/b")),
            ("https://[::1]/a", "https://[::1]", ("https", "::1", 443, "/a")),
            ("https://[::1]:8443/a", "https://[::1]:8443", ("https", "::1", 8443, "/a")),
        ],
    )
    def test_of_a_url_in_normal_form(self, url, site, parts):
        assert normalise(url) == url
        assert origin(url) == site
        assert split(url) == parts

    def test_origin_of_a_base(self):
        assert origin("https://h") == "https://h"

    @pytest.mark.parametrize(
        ("url", "parts"),
        [
            ("HTTPS://H:443/a", ("https", "h", 443, "/a")),
            ("https://H", ("https", "h", 443, "/")),
            ("https://h?a=b", ("https", "h", 443, "/?a=b")),
            ("https://h/a#f", ("https", "h", 443, "/a")),
            ("https://h/a b", ("https", "h", 443, "/a%20b")),
            ("https://bücher.example/ü", ("https", "xn--bcher-kva.example", 443, "/%C3%BC")),
        ],
    )
    def test_split_of_any_other_url(self, url, parts):
        assert split(url) == parts

    @pytest.mark.parametrize(
        "url",
        [
            "",
            "/users",
            "h/users",
            "ftp://h/",
            f"https://user:{SECRET}@h/",
            "https://h:99999/",
            "https://0x7f.1/",
            "https://h/a\r\nb",
            "https://h\\@evil.com/",
            "https://h\n/",
        ],
    )
    def test_split_refuses(self, url):
        with pytest.raises(InvalidRequestError, match=r"^url: ") as caught:
            split(url)
        assert SECRET not in str(caught.value)

    @given(anything)
    def test_what_split_returns_may_go_on_the_wire(self, text):
        for candidate in (text, f"https://{text}", f"https://h/{text}"):
            try:
                scheme, host, port, target = split(candidate)
            except InvalidRequestError:
                continue
            assert scheme in ("http", "https") and 0 < port < 65536
            assert (host + target).isascii() and (host + target).isprintable() and " " not in host + target
            assert target[0] == "/" and "#" not in target and "/" not in host and "@" not in host


class TestNormalise:
    @pytest.mark.parametrize(
        ("url", "expected"),
        [
            ("https://h", "https://h/"),
            ("https://h?", "https://h/?"),
            ("https://h/a/../b/./c", "https://h/b/c"),
            ("https://h/a/..", "https://h/"),
            ("https://h/a/.", "https://h/a/"),
            ("https://h/../../a", "https://h/a"),
            ("https://h/a/%2E%2e/b/%2e/", "https://h/b/"),
            ("https://h/%252e%252e/a", "https://h/%252e%252e/a"),
            ("https://h//a//../b", "https://h//a/b"),
            ("https://h/..//evil.com", "https://h//evil.com"),
        ],
    )
    def test_dot_segments_are_carried_out(self, url, expected):
        assert normalise(url) == expected
        assert normalise(expected) == expected

    @given(anything)
    def test_once_is_enough(self, text):
        try:
            url = normalise(f"https://h/{text}")
        except InvalidRequestError:
            return
        assert normalise(url) == url
        assert url.startswith("https://h/")


class TestResolve:
    # RFC 3986 5.4, without the fragments, which are dropped.
    @pytest.mark.parametrize(
        ("location", "expected"),
        [
            ("g", "http://a/b/c/g"),
            ("./g", "http://a/b/c/g"),
            ("g/", "http://a/b/c/g/"),
            ("/g", "http://a/g"),
            ("//g", "http://g/"),
            ("?y", "http://a/b/c/d;p?y"),
            ("g?y", "http://a/b/c/g?y"),
            ("#s", "http://a/b/c/d;p?q"),
            ("g#s", "http://a/b/c/g"),
            ("g?y#s", "http://a/b/c/g?y"),
            (";x", "http://a/b/c/;x"),
            ("g;x", "http://a/b/c/g;x"),
            ("g;x?y#s", "http://a/b/c/g;x?y"),
            ("", "http://a/b/c/d;p?q"),
            (".", "http://a/b/c/"),
            ("./", "http://a/b/c/"),
            ("..", "http://a/b/"),
            ("../", "http://a/b/"),
            ("../g", "http://a/b/g"),
            ("../..", "http://a/"),
            ("../../", "http://a/"),
            ("../../g", "http://a/g"),
            ("../../../g", "http://a/g"),
            ("../../../../g", "http://a/g"),
            ("/./g", "http://a/g"),
            ("/../g", "http://a/g"),
            ("g.", "http://a/b/c/g."),
            (".g", "http://a/b/c/.g"),
            ("g..", "http://a/b/c/g.."),
            ("..g", "http://a/b/c/..g"),
            ("./../g", "http://a/b/g"),
            ("./g/.", "http://a/b/c/g/"),
            ("g/./h", "http://a/b/c/g/h"),
            ("g/../h", "http://a/b/c/h"),
            ("g;x=1/./y", "http://a/b/c/g;x=1/y"),
            ("g;x=1/../y", "http://a/b/c/y"),
            ("g?y/./x", "http://a/b/c/g?y/./x"),
            ("g?y/../x", "http://a/b/c/g?y/../x"),
        ],
    )
    def test_rfc_3986(self, location, expected):
        assert resolve("http://a/b/c/d;p?q", location) == expected

    @pytest.mark.parametrize(
        ("location", "expected"),
        [
            ("https://other.example", "https://other.example/"),
            ("HTTPS://Other.Example:443/a/../b?c#d", "https://other.example/b?c"),
            ("//other.example/a", "https://other.example/a"),
            ("/a b/ü", "https://h/a%20b/%C3%BC"),
            ("?", "https://h/x/y?"),
            ("", "https://h/x/y"),
            ("a/b:c", "https://h/x/a/b:c"),
        ],
    )
    def test_normal_form(self, location, expected):
        assert resolve("https://h/x/y", location) == expected

    def test_from_a_bare_host(self):
        assert resolve("https://h", "a") == "https://h/a"

    @pytest.mark.parametrize(
        ("location", "reason"),
        [
            ("mailto:a@b", "not an http"),
            ("http:g", "not an http"),  # strict, RFC 3986 5.4.2
            ("javascript:alert(1)", "not an http"),
            ("ftp://h/", "not http"),
            ("data:text/html,x", "not an http"),
            (f"https://user:{SECRET}@h/", "user name"),
            (f"//{SECRET}@h/", "user name"),
            ("https://h:x/", "port"),
            ("https://", "no host"),
            ("///a", "no host"),
            ("http://2130706433/", "number"),
            ("/a\\b", "backslash"),
            ("\\\\evil.com", "backslash"),
            ("/a\nb", "control"),
        ],
    )
    def test_refused(self, location, reason):
        with pytest.raises(InvalidRequestError, match=reason) as caught:
            resolve("https://h/x", location)
        assert str(caught.value).startswith("location: ")
        assert SECRET not in str(caught.value)

    def test_a_url_that_is_none(self):
        with pytest.raises(InvalidRequestError, match=r"^url: is not an absolute"):
            resolve("/a", "/b")

    @given(bases, anything)
    def test_what_it_returns_is_in_normal_form(self, url, location):
        try:
            there = resolve(url, location)
        except InvalidRequestError:
            return
        assert normalise(there) == there


class TestRedact:
    @pytest.mark.parametrize(
        ("url", "shown"),
        [
            ("https://h/a/b", "https://h/a/b"),
            ("https://h:8443/", "https://h:8443/"),
            ("https://[::1]:8443/a", "https://[::1]:8443/a"),
            ("https://h", "https://h"),
            ("https://h/?a=1&b=2&a=3", "https://h/?a=***&b=***&a=***"),
            ("https://h/?a=1=2&b", "https://h/?a=***&***"),
            ("https://h/?a=1;b=2", "https://h/?a=***"),
            ("https://h/?", "https://h/"),
            ("https://h/?&a=1", "https://h/?a=***"),
            ("https://h/a#b", "https://h/a"),
            ("https://h/@me/a:b?c=d@e", "https://h/@me/a:b?c=***"),
            ("https://user:pw@h:1/a", "https://h:1/a"),
            ("https://user@na:me@h/a@b", "https://h/a@b"),
            ("//user:pw@h/a", "//h/a"),
            ("/users/@me?x=1", "/users/@me?x=***"),
            ("users/1?x=1", "users/1?x=***"),
            ("https://h//a", "https://h//a"),
            ("", ""),
            # Whatever is not clearly a URL or a path could be a password.
            ("user:pw@h/a", "***"),
            ("https://user:p/w@h/a", "***"),
            ("https://user:p?w@h/a", "***"),
            ("https://user:p#w@h/a", "***"),
            ("https://user:p\\w@h/a", "***"),
            ("https:/user:pw@h/", "***"),
            ("https:///user:pw@h/", "***"),
            ("///user:pw@h/", "***"),
            ("https://h/a\nb", "***"),
            ("https://h/?a\u2028=1", "***"),
        ],
    )
    def test_shown(self, url, shown):
        assert redact(url) == shown
        assert redact(shown) == shown

    @given(anything)
    def test_any_text(self, text):
        shown = redact(text)
        assert shown.isprintable()
        assert redact(shown) == shown

    @given(
        st.sampled_from(["https://", "http://", "HTTP://", "//", "ftp://"]),
        st.text(st.characters(exclude_characters="/?#\\", min_codepoint=33), max_size=5),
        anything,
    )
    def test_no_userinfo_no_value_and_no_fragment(self, scheme, name, rest):
        assume(SECRET not in rest)
        for url in (
            f"{scheme}{name}:{SECRET}@h/{rest}",
            f"{scheme}{SECRET}@h/{rest}",
            f"https://h/?{name.replace('&', '').replace('=', '')}={SECRET}",
            f"https://h/?{SECRET}&{rest}",
            f"https://h/{rest}#{SECRET}",
        ):
            assert SECRET not in redact(url)
