"""Cookies, as far as the core goes: whom it asks for them, and when.

A jar needs public suffixes, a file and a wall clock. So it is somebody else's, behind two plain functions; and it is
asked anew for each send, so that no cookie goes where a redirect leads but it does not belong.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

from .exceptions import ConfigurationError
from .models import HTTPRequest, HTTPResponse


@runtime_checkable
class CookieStore(Protocol):
    """Keeps cookies."""

    def header(self, url: str) -> str | None:
        """What the Cookie header of a request to ``url`` is to say; None for nothing."""
        ...

    def store(self, url: str, lines: Sequence[str], wall: float) -> None:
        """Take what the answer of ``url`` sets.

        Args:
            url: absolute.
            lines: the value of each Set-Cookie field.
            wall: seconds since the epoch.
        """
        ...


def add_cookies(request: HTTPRequest, store: CookieStore) -> None:
    """Put the cookies for the request's URL into its one Cookie header; of one name the request's own counts.

    Source: RFC 6265 5.4.
    """
    found = store.header(request.url)
    if not found:
        return
    own = request.headers.get_list("cookie")
    names = {pair.partition("=")[0].strip() for line in own for pair in line.split(";")}
    kept = [pair for pair in found.split("; ") if pair.partition("=")[0] not in names]
    if kept:
        request.headers["Cookie"] = "; ".join([*own, *kept])


def keep_cookies(response: HTTPResponse, url: str, store: CookieStore, wall: Callable[[], float] | None) -> None:
    """Tell the store what an answer sets, if it sets anything.

    Raises:
        ConfigurationError: there is no wall clock.
    """
    lines = response.headers.get_list("set-cookie")
    if not lines:
        return
    if wall is None:
        raise ConfigurationError("Policies.wall: needed for cookies; give time.time, or a fixed number in a test")
    store.store(url, lines, wall())
