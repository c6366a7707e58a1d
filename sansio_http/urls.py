"""URLs: a base that no path can leave, origins, and what of a URL may be shown.

Theory of operation. A URL is brought into one normal form when it enters, and is a plain ``str`` from then on: scheme
and host in lower case, no default port, a path of at least ``/``, nothing outside the characters of RFC 3986, no
userinfo, no fragment. On that form an origin is a slice, a prefix test is a string comparison, and joining is a
concatenation.

What a path may not do is decided on its *reading*, not on its spelling: servers and proxies decode once, twice, treat
a backslash as a slash, and cut a segment at its first semicolon. So dot segments are looked for after every decoding,
with all of these as separators, and what is encoded more than :data:`_LEVELS` times over is refused. Everything else
that is merely unusual is percent-encoded.

Every function in the middle raises plain ``ValueError`` with a reason; the public ones say which argument it was. No
reason quotes what it is about: it could be a password.
"""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address
from urllib.parse import quote, unquote

from .exceptions import ConfigurationError, InvalidRequestError

_PORTS = {"http": 80, "https": 443}

# RFC 3986 3.3 and 3.4. quote() knows the unreserved characters; a percent sign that reaches it belongs to a %XX.
_PATH_SAFE = "!$&'()*+,;=:@/%"
_QUERY_SAFE = _PATH_SAFE + "?"
_PCHAR = r"A-Za-z0-9\-._~!$&'()*+,;=:@"

# What needs no second look: segments without percent signs that do not begin with a dot, then perhaps a query.
_PLAIN = re.compile(rf"/?(?!\.)[{_PCHAR}]++(?:/(?!\.)[{_PCHAR}]++)*+/?(?:\?[{_PCHAR}/?]*+)?").fullmatch

_ABSOLUTE = re.compile(rf"(https?://[^/?#@\\]++)(/[{_PCHAR}%/?]*+)").fullmatch
_REFERENCE = re.compile(
    r"(?:([A-Za-z][A-Za-z0-9+.\-]*+):(?=//))?(?://([^/?#]*+))?([^?#]*+)(?:\?([^#]*+))?(?:#.*)?", re.DOTALL
)
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*+:").match
_AUTHORITY = re.compile(r"(\[[^\]]*+\]|[^:\[\]]*+)(?::([0-9]{0,5}))?").fullmatch
_NAME = re.compile(r"(?:[a-z0-9_\-]{1,63}\.)*[a-z0-9_\-]{1,63}\.?").fullmatch
_LONGEST_NAME = 254  # RFC 1035 2.3.4, and a dot at the end
_NUMERIC = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)\.?").fullmatch  # WHATWG URL 3.5: it ends in a number

_CONTROL = re.compile(r"[\x00-\x1f\x7f]").search
_LONE_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_ENCODED_DOT = re.compile(r"%2[eE]")
_DOT_SEGMENT = re.compile(r"(?:^|[/\\])\.{1,2}(?:\Z|[/\\;])").search
_LEVELS = 3

# A head of which nothing has to be hidden but userinfo: with a host, or a path without one.
_SHOWABLE = re.compile(
    r"(?:((?:[A-Za-z][A-Za-z0-9+.\-]*+:)?//)(?:[^/\\]*@)?((?:[^/\\:@\[\]]++|\[[0-9A-Fa-f:.]*+\])(?::[0-9]*+)?(?:/[^\\]*+)?)"
    r"|((?!//)(?:[^/\\:@]*+)(?:/[^\\]*+)?))"
).fullmatch


def parse_base(base_url: str) -> str:
    """The normal form of a base URL, without a slash at its end.

    Host names beyond ASCII become their IDNA form; percent signs that encode nothing become ``%25``.

    Raises:
        ConfigurationError: it is not an absolute http or https URL, its port is not one, it has userinfo, a query, a
            fragment or dot segments, or spells an IPv4 address in another way than as four decimal numbers.
    """
    if not isinstance(base_url, str):
        raise ConfigurationError(f"base_url: must be a str, not {type(base_url).__name__}")
    try:
        scheme, authority, path, _ = _parts(base_url)
        if scheme is None or authority is None:
            raise ValueError("is not an absolute URL")
        if "?" in base_url or "#" in base_url:
            raise ValueError("has a query or a fragment (what every request needs goes into params)")
        return _site(scheme, authority) + contained(path).rstrip("/")
    except ValueError as error:
        raise ConfigurationError(
            f"base_url: {redact(base_url)!r} {error}; allowed is http:// or https://, a host, and perhaps a port and a"
            " path, as in https://api.example.com/v1"
        ) from None


def join(base: str, path: str) -> str:
    """The URL of ``path`` under ``base``, whatever the path tries.

    The path is appended to the base's own, with or without a slash between; nothing else of RFC 3986's reference
    resolution happens, so ``x:y`` and ``@host`` are path text. A path may bring a query; a fragment is dropped. What
    a URL cannot hold is percent-encoded as UTF-8, ``%XX`` is kept, and a percent sign that encodes nothing becomes
    ``%25``. An absolute URL is accepted if it lies within the base.

    Args:
        base: as :func:`parse_base` returns it.
        path: such as ``/users/1?full=yes``; empty for the base itself.

    Raises:
        InvalidRequestError: the path has a control character, a backslash, or a segment that reads ``.`` or ``..``,
            however often it is percent-encoded; it begins with ``//``; or it is a URL outside the base.
    """
    if isinstance(path, str) and _PLAIN(path):
        return base + path if path[0] == "/" else f"{base}/{path}"
    try:
        scheme, authority, path, query = _parts(path)
        path = contained(path)
        if scheme is not None and authority is not None:
            url = _site(scheme, authority) + path
            if url != base and not url.startswith(base + "/"):
                raise ValueError(f"is outside of the base {base}")
        elif authority is not None:
            raise ValueError("begins with //, which names another host")
        else:
            url = base + path if path[:1] in ("", "/") else f"{base}/{path}"
        return _with_query(url, query)
    except ValueError as error:
        raise InvalidRequestError(f"url: {error}") from None


def origin(url: str) -> str:
    """Scheme, host and port of a URL in normal form, as in ``https://host:8443``; a default port is left out."""
    end = url.find("/", 8)  # behind the first character of a host, whichever the scheme
    return url if end < 0 else url[:end]


def split(url: str) -> tuple[str, str, int, str]:
    """Scheme, host (IPv6 without brackets), port and request target of an absolute URL; the fragment is dropped.

    Raises:
        InvalidRequestError: it is not an absolute http or https URL.
    """
    site, target = split_site(url)
    scheme, _, authority = site.partition("://")
    try:
        return *_endpoint(scheme, authority), target
    except ValueError as error:
        raise InvalidRequestError(f"url: {error}") from None


def split_site(url: str) -> tuple[str, str]:
    """An absolute URL in two: what stands before the path, not looked at any closer, and the request target.

    :func:`split` says what the former means, which whoever sends to few origins need not ask each time.

    Raises:
        InvalidRequestError: it is not an absolute http or https URL.
    """
    match = _ABSOLUTE(url)
    if match is None:
        return split_site(normalise(url))
    site, target = match.groups()
    return site, target


def normalise(url: str) -> str:
    """The normal form of any absolute http or https URL; dot segments are taken out, and a fragment is dropped.

    Raises:
        InvalidRequestError: it is not one, or has userinfo, a backslash or a control character.
    """
    try:
        scheme, authority, path, query = _parts(url)
        if scheme is None or authority is None:
            raise ValueError("is not an absolute http or https URL")
        return _with_query(_site(scheme, authority) + _without_dots(_encoded(path)), query)
    except ValueError as error:
        raise InvalidRequestError(f"url: {error}") from None


def resolve(url: str, location: str) -> str:
    """Where a redirect from ``url`` to ``location`` leads, in normal form. Source: RFC 3986 5.2, strict.

    Args:
        url: absolute.
        location: a URL or a reference relative to ``url``.

    Raises:
        InvalidRequestError: the target is not http or https, or has userinfo, a bad host or port, a backslash or a
            control character.
    """
    url = normalise(url)
    site = origin(url)
    base_path, _, base_query = url[len(site) :].partition("?")
    try:
        scheme, authority, path, query = _parts(location)
        if scheme is None and _SCHEME(location):
            raise ValueError("is not an http or https URL")
        if authority is not None:
            site = _site(scheme or site.partition(":")[0], authority)
        elif not path:
            path = base_path
            query = base_query or None if query is None else query
        elif path[0] != "/":
            path = base_path[: base_path.rindex("/") + 1] + path
        return _with_query(site + _without_dots(_encoded(path)), query)
    except ValueError as error:
        raise InvalidRequestError(f"location: {error}") from None


def redact(url: str) -> str:
    """``url`` as it may be shown: without userinfo and fragment, with ``***`` for each query value. Never raises.

    A query field without ``=`` counts as a value. Of text that is not clearly a URL or a path nothing is shown.
    """
    head, _, query = url.partition("#")[0].partition("?")
    match = _SHOWABLE(head)
    if match is None or not url.isprintable():
        return "***"
    shown = match[3] if match[1] is None else match[1] + match[2]
    fields = (field.partition("=") for field in query.split("&") if field)
    hidden = "&".join(f"{name}=***" if equals else "***" for name, equals, _ in fields)
    return f"{shown}?{hidden}" if hidden else shown


def _parts(text: str) -> tuple[str | None, str | None, str, str | None]:
    """Scheme, authority, path and query of a URL or of a path; None for what is missing."""
    if not isinstance(text, str):
        raise ValueError(f"must be a str, not {type(text).__name__}")
    if _CONTROL(text):
        raise ValueError("has a control character (percent-encode it where it is meant)")
    match = _REFERENCE.fullmatch(text)
    assert match is not None  # it matches any text
    scheme, authority, path, query = match.groups()
    if "\\" in path or "\\" in (authority or ""):
        raise ValueError("has a backslash, which some read as a slash (write %5C where it is meant)")
    return scheme, authority, path, query


def _site(scheme: str, authority: str) -> str:
    """The origin that a URL begins with, in normal form."""
    scheme, host, port = _endpoint(scheme, authority)
    site = f"{scheme}://[{host}]" if ":" in host else f"{scheme}://{host}"
    return site if port == _PORTS[scheme] else f"{site}:{port}"


@lru_cache(maxsize=256)  # a program talks to few origins; what has userinfo raises, and so is not kept
def _endpoint(scheme: str, authority: str) -> tuple[str, str, int]:
    """Scheme, host and port that a URL begins with, in normal form."""
    scheme = scheme.lower()
    if scheme not in _PORTS:
        raise ValueError("is not http or https")
    if "@" in authority:
        raise ValueError(
            "has a user name or password, which do not belong in a URL (give auth=BasicAuth(user, password))"
        )
    match = _AUTHORITY(authority)
    port = int(match[2] or _PORTS[scheme]) if match else 0
    if match is None or not 0 < port < 65536:
        raise ValueError("has a port that is not a number from 1 to 65535")
    return scheme, _host(match[1]), port


def _host(host: str) -> str:
    """A host in normal form: a name of ASCII labels in lower case, four decimal numbers, or IPv6 without brackets."""
    if host[:1] == "[":
        try:
            if "%" in host:
                raise ValueError  # a zone means something on one machine only
            return str(IPv6Address(host[1:-1]))
        except ValueError:
            raise ValueError("has brackets around what is not an IPv6 address without a zone") from None
    if not host.isascii() and len(host) <= _LONGEST_NAME:
        import idna  # its tables are large, and few hosts need them

        try:
            host = idna.encode(host, uts46=True).decode()
        except UnicodeError:
            raise ValueError("has a host that is not a valid internationalised name") from None
    host = host.lower()
    if not host:
        raise ValueError("has no host")
    if len(host) > _LONGEST_NAME or not _NAME(host):
        raise ValueError("has a host that is too long, or has characters that no host name has")
    if _NUMERIC(host):
        try:
            return str(IPv4Address(host))
        except ValueError:
            raise ValueError("has a host that is a number (write an IPv4 address as in 127.0.0.1)") from None
    return host


def _encoded(text: str, safe: str = _PATH_SAFE) -> str:
    """``text`` with everything percent-encoded that may not be in a URL."""
    try:
        return quote(_LONE_PERCENT.sub("%25", text), safe)
    except UnicodeEncodeError:
        raise ValueError("has a lone surrogate, which UTF-8 cannot encode") from None


def contained(path: str) -> str:
    """``path``, encoded, if nobody can read a dot segment in it; else ``ValueError``."""
    path = reading = _encoded(path)
    for _ in range(_LEVELS + 1):
        if _DOT_SEGMENT(reading):
            raise ValueError("has a . or .. segment, perhaps percent-encoded")
        before, reading = reading, unquote(reading)
        if reading == before:
            return path
    raise ValueError(f"is percent-encoded more than {_LEVELS} times over")


def _without_dots(path: str) -> str:
    """An absolute path with its dot segments, in either spelling, carried out. Source: RFC 3986 5.2.4."""
    kept: list[str] = []
    segment = ""
    for part in path[1:].split("/"):
        segment = _ENCODED_DOT.sub(".", part)
        if segment == "..":
            del kept[-1:]
        elif segment != ".":
            kept.append(part)
    if segment in (".", ".."):
        kept.append("")
    return "/" + "/".join(kept)


def _with_query(url: str, query: str | None) -> str:
    """``url`` with at least a slash for a path, and with ``query``."""
    if len(origin(url)) == len(url):
        url += "/"
    return url if query is None else f"{url}?{_encoded(query, _QUERY_SAFE)}"
