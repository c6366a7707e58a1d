"""A cookie jar for API clients: what servers set goes back to where it belongs, and nowhere else.

It follows RFC 6265bis 5.7 and 5.8. The standard library's ``http.cookiejar`` was tried first: it knows no public
suffixes beyond a guess, no ``__Host-`` and ``__Secure-`` names and no SameSite, lets plain http set and overwrite
Secure cookies, and reads the clock itself. What the public suffixes are is known by ``publicsuffixlist``, a package
that is renewed often.

Every request is made by the program itself, as if its user had typed the address: SameSite therefore holds nothing
back. It is read, and kept in the file.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, fields
from functools import cache
from importlib.util import find_spec
from typing import Any, get_args

from sansio_http import ConfigurationError, InvalidRequestError, split

from .set_cookie import (
    MAX_SIZE,
    SameSite,
    SetCookie,
    default_path,
    domain_matches,
    parse_set_cookie,
    path_matches,
)

MAX_PER_DOMAIN, MAX_COOKIES = 50, 3000
"""How many cookies a jar holds; beyond it those go first that were not used for longest."""


@dataclass(slots=True)
class Cookie:
    """One cookie of a jar.

    Attributes:
        name, value: as they are sent. A repr does not show the value.
        domain: the host that set it, or one above, in lower case.
        host_only: it goes to that host alone, not to those below.
        path: where it begins to be sent.
        expires: seconds since the epoch; None: with the session.
        secure: it is sent over https only.
        http_only, same_site: as the server said; they mean nothing to a program.
    """

    name: str
    value: str = field(repr=False)
    domain: str
    host_only: bool
    path: str
    expires: float | None
    secure: bool
    http_only: bool
    same_site: SameSite


Key = tuple[str, str, bool, str]


class CookieJar:
    """Keeps cookies, for ``AsyncHTTPClient(cookies=CookieJar())``. Several clients may share one, in one thread.

    Args:
        wall: seconds since the epoch.

    Raises:
        ConfigurationError: the package ``publicsuffixlist`` (the extra ``cookies``) is not installed.
    """

    def __init__(self, *, wall: Callable[[], float] = time.time) -> None:
        if find_spec("publicsuffixlist") is None:
            raise ConfigurationError("cookies: publicsuffixlist is not installed; pip install 'sansio-http[cookies]'")
        self._wall = wall
        # In the order of their making; the number says when it was used last.
        self._cookies: dict[Key, tuple[Cookie, list[int]]] = {}
        self._uses = 0

    def header(self, url: str) -> str | None:
        """What goes into the Cookie header of a request; None for nothing. Source: RFC 6265bis 5.8.3.

        Args:
            url: absolute, as it goes out.
        """
        if not self._cookies:
            return None
        scheme, host, _, target = split(url)
        path = target.partition("?")[0]
        self._drop_expired(self._wall())
        found: list[Cookie] = []
        for cookie, used in self._cookies.values():
            if (
                (host == cookie.domain if cookie.host_only else domain_matches(host, cookie.domain))
                and path_matches(path, cookie.path)
                and (scheme == "https" or not cookie.secure)
            ):
                self._uses += 1
                used[0] = self._uses
                found.append(cookie)
        found.sort(key=lambda cookie: -len(cookie.path))  # a stable sort: of equal paths the older one goes first
        return "; ".join(f"{each.name}={each.value}" if each.name else each.value for each in found) or None

    def store(self, url: str, lines: Sequence[str], wall: float) -> None:
        """Take what an answer sets, as far as it may. Source: RFC 6265bis 5.7.

        Args:
            url: absolute, that was asked.
            lines: the value of each Set-Cookie field.
            wall: seconds since the epoch.
        """
        scheme, host, _, target = split(url)
        for line in lines:
            read = parse_set_cookie(line, wall)
            if read is not None and (cookie := self._admitted(read, scheme, host, target.partition("?")[0])):
                self._put(cookie)
        self._drop_expired(wall)
        self._drop_surplus()

    def set(self, name: str, value: str, url: str, *, expires: float | None = None) -> None:
        """Put a cookie of one's own into the jar, for one host and all its paths.

        Args:
            name, value: without control characters, semicolons and spaces around; the name without ``=``.
            url: of the host. With https the cookie is sent over https only.
            expires: seconds since the epoch; None: with the session.

        Raises:
            InvalidRequestError: the name or the value cannot be sent. The message does not show the value.
        """
        read = parse_set_cookie(f"{name}={value}", 0.0)
        if read is None or (read.name, read.value) != (name, value) or not name or len(name) + len(value) > MAX_SIZE:
            raise InvalidRequestError(f"cookies[{name!r:.80}]: the name or the value cannot be sent as a cookie")
        scheme, host, _, _ = split(url)
        self._put(Cookie(name, value, host, True, "/", expires, scheme == "https", False, "default"))

    def clear(self) -> None:
        """Forget every cookie."""
        self._cookies.clear()

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write all cookies to a file that only its owner can read (mode 0600), in one step. It blocks for as long.

        Cookies of the session are written too: for an API they are the login.

        Raises:
            OSError: it cannot be written. A file that was there is left as it was.
        """
        self._drop_expired(self._wall())
        document = {"version": 1, "cookies": [asdict(cookie) for cookie in self]}
        # Beside the file, for only there a rename is one step; mkstemp makes it 0600 from the start.
        handle, temporary = tempfile.mkstemp(dir=os.path.dirname(os.path.abspath(path)), prefix=".cookies-")
        try:
            with open(handle, "w", encoding="utf-8") as file:
                json.dump(document, file, indent=1)
            os.replace(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, wall: Callable[[], float] = time.time) -> CookieJar:
        """A jar with what :meth:`save` has written. It blocks for as long as that takes.

        Raises:
            OSError: it cannot be read.
            ConfigurationError: it is not a file of cookies. The message shows nothing of it.
        """
        jar = cls(wall=wall)
        try:
            with open(path, encoding="utf-8") as file:
                document = json.load(file)
            if document["version"] != 1:
                raise ValueError
            for item in document["cookies"]:
                jar._put(_loaded(item))
        except (ValueError, TypeError, KeyError, RecursionError):
            raise ConfigurationError(f"cookies: {os.fspath(path)!r} is not a file that a CookieJar has saved") from None
        return jar

    def __len__(self) -> int:
        return len(self._cookies)

    def __iter__(self) -> Iterator[Cookie]:
        return iter([cookie for cookie, _ in self._cookies.values()])

    def __repr__(self) -> str:
        return f"<CookieJar {len(self)} cookies>"

    def _admitted(self, read: SetCookie, scheme: str, host: str, path: str) -> Cookie | None:
        """The cookie that a line sets; None where it may not."""
        secure_wire = scheme == "https"
        if read.secure and not secure_wire:
            return None
        domain, host_only = host, True
        if read.domain:
            if not read.domain.isascii():
                return None
            if _is_public_suffix(read.domain):
                if read.domain != host:
                    return None  # everybody below it would get the cookie
            elif domain_matches(host, read.domain):
                domain, host_only = read.domain, False
            else:
                return None
        prefix = (read.name or read.value).lower()
        if prefix.startswith(("__secure-", "__host-")) and not (read.name and read.secure):
            return None
        if prefix.startswith("__host-") and (read.domain or read.path != "/"):
            return None
        cookie = Cookie(
            read.name,
            read.value,
            domain,
            host_only,
            default_path(path) if read.path is None else read.path,
            read.expires,
            read.secure,
            read.http_only,
            read.same_site,
        )
        if not secure_wire and any(
            other.secure
            and other.name == cookie.name
            and (domain_matches(other.domain, domain) or domain_matches(domain, other.domain))
            and path_matches(cookie.path, other.path)
            for other in self
        ):
            return None  # plain http would overlay a cookie of https
        return cookie

    def _put(self, cookie: Cookie) -> None:
        """Add, or replace in its place."""
        key = (cookie.name, cookie.domain, cookie.host_only, cookie.path)
        self._uses += 1
        self._cookies[key] = (cookie, [self._uses])

    def _drop_expired(self, wall: float) -> None:
        gone = [key for key, (each, _) in self._cookies.items() if each.expires is not None and each.expires <= wall]
        for key in gone:
            del self._cookies[key]

    def _drop_surplus(self) -> None:
        by_domain: dict[str, list[Key]] = {}
        for key in self._cookies:
            by_domain.setdefault(key[1], []).append(key)
        for keys in by_domain.values():
            self._drop_unused(keys, len(keys) - MAX_PER_DOMAIN)
        self._drop_unused(list(self._cookies), len(self._cookies) - MAX_COOKIES)

    def _drop_unused(self, keys: list[Key], surplus: int) -> None:
        """Those go first that are not secure, then those that were not used for longest."""
        if surplus > 0:
            keys.sort(key=lambda key: (self._cookies[key][0].secure, self._cookies[key][1][0]))
            for key in keys[:surplus]:
                del self._cookies[key]


@cache
def _suffixes() -> Any:
    """The list: its tables take some 20 ms to build, so the first cookie with a Domain has them built."""
    from publicsuffixlist import PublicSuffixList

    return PublicSuffixList()


def _is_public_suffix(domain: str) -> bool:
    """Whether anybody can register names below it. An unknown top-level domain counts as one."""
    return bool(_suffixes().is_public(domain))


def _loaded(item: dict[str, Any]) -> Cookie:
    """One cookie of a file; ValueError, TypeError or KeyError where it is none."""
    values = {each.name: item[each.name] for each in fields(Cookie)}
    texts = [values[name] for name in ("name", "value", "domain", "path", "same_site")]
    flags = [values[name] for name in ("host_only", "secure", "http_only")]
    expires = values["expires"]
    if (
        not all(isinstance(text, str) and text.isprintable() for text in texts)
        or not all(isinstance(flag, bool) for flag in flags)
        or not (expires is None or (isinstance(expires, int | float) and not isinstance(expires, bool)))
        or values["path"][:1] != "/"
        or values["same_site"] not in get_args(SameSite)
    ):
        raise ValueError
    return Cookie(**values)
