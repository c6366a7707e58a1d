"""Redirects: which are followed, as what, and which headers another origin gets to see."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from .exceptions import ConfigurationError, InvalidRequestError, RedirectError
from .headers import Headers
from .models import HTTPRequest, HTTPResponse
from .urls import normalise, origin, redact, resolve

_STATUSES = frozenset({301, 302, 303, 307, 308})

# What says nothing about who asks. An allow-list, because any other header may be somebody's API key.
_PORTABLE = re.compile(
    r"accept(?:-.*)?|cache-control|content-.*|if-.*|range|traceparent|tracestate|user-agent"
).fullmatch

# What is about the body, and goes with it. Source: RFC 9110 15.4.
_OF_BODY = re.compile(r"content-.*|digest|expect|trailer|transfer-encoding").fullmatch

_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+").fullmatch


@dataclass(frozen=True, slots=True)
class RedirectPolicy:
    """Follows redirects as RFC 9110 15.4 says, and takes no secret to another origin.

    Another origin (scheme, host or port differ) gets only headers that name nobody: ``Accept*``, ``User-Agent``,
    ``Content-*`` with the body, ``Range``, ``If-*``, ``Cache-Control``, ``traceparent``, ``tracestate``. From https to
    http no redirect is followed.

    Args:
        limit: how many redirects of one request are followed, 0 or more.
        headers: names of further headers that another origin may see, in any case; Cookie cannot be one.

    Raises:
        ConfigurationError: a limit that is not one, or a name that is not a header name.
    """

    limit: int = 20
    headers: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if isinstance(self.limit, bool) or not isinstance(self.limit, int) or self.limit < 0:
            raise ConfigurationError(f"limit: {self.limit!r:.40} is not allowed; it is an int of 0 or more")
        if isinstance(self.headers, str) or not isinstance(self.headers, Iterable):
            raise ConfigurationError("headers: must be a set of header names")
        for name in self.headers:
            if not isinstance(name, str) or not _NAME(name):
                raise ConfigurationError(f"headers: {name!r:.80} is not a header name")
            if name.lower() == "cookie":
                raise ConfigurationError(f"headers: {name!r} is not allowed; cookies stay with their origin")
        object.__setattr__(self, "headers", frozenset(name.lower() for name in self.headers))

    def follow(self, request: HTTPRequest, response: HTTPResponse, seen: list[tuple[str, str]]) -> HTTPRequest | None:
        """The request that ``response`` asks for; None where it is not a redirect.

        A redirect is a 301, 302, 303, 307 or 308 with exactly one Location. 303 asks for a GET (of a HEAD: for a HEAD),
        301 and 302 turn POST into GET, and all else is sent again with its method and body.

        Args:
            request: as it was sent, its params in its URL. It is left as it is.
            response: what came back.
            seen: method and URL of what this call was redirected from so far: empty at first, and added to here.

        Raises:
            RedirectError: the limit is reached; the target was seen before, is http after https, has userinfo or
                is no http URL; or the body is needed again and cannot be replayed.
        """
        if response.status_code not in _STATUSES:
            return None
        locations = response.headers.get_list("location")
        if len(locations) != 1:
            return None
        here = normalise(request.url)
        try:
            there = resolve(here, _as_utf8(locations[0]))
        except InvalidRequestError as error:
            raise RedirectError(f"the {response.status_code} response's {error}", response) from None
        follows = request.copy()
        follows.url = there
        follows.params = None
        if response.status_code == 303 or (response.status_code < 303 and request.method == "POST"):
            follows.method = "HEAD" if request.method == "HEAD" else "GET"
            follows.body = None
            follows.headers = Headers.of_pairs(
                [pair for pair in request.headers.pairs() if not _OF_BODY(pair[0].lower())]
            )
        seen.append((request.method, here))
        shown = redact(there)
        if len(seen) > self.limit:
            raise RedirectError(f"more than {self.limit} redirects; the next would lead to {shown}", response)
        if (follows.method, there) in seen:
            raise RedirectError(f"a loop: the redirect leads back to {shown}", response)
        if here.startswith("https:") and there.startswith("http:"):
            raise RedirectError(f"the redirect leads from https to {shown}", response)
        if follows.body is not None and not follows.body.replayable:
            raise RedirectError(f"the body cannot be sent again, to {shown}", response)
        if origin(here) != origin(there):
            follows.headers = portable_headers(follows.headers, self.headers)
        return follows


def portable_headers(headers: Headers, allowed: frozenset[str] = frozenset()) -> Headers:
    """Those of ``headers`` that another origin may see, duplicates included.

    Args:
        headers: of a request to one origin.
        allowed: further names, in lower case.
    """
    return Headers.of_pairs(
        [(name, value) for name, value in headers.pairs() if _PORTABLE(name.lower()) or name.lower() in allowed]
    )


def _as_utf8(value: str) -> str:
    """A field value, which parsers read as ISO-8859-1, as the UTF-8 that servers mean by it, if it is that."""
    try:
        return value.encode("latin-1").decode()
    except UnicodeDecodeError:
        return value
