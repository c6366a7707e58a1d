"""One policy for each key (origin, route, tenant), made when it is first asked for, in bounded memory.

The number of keys is often chosen by strangers, so it must be bounded; but to forget an open circuit, or a limiter's
used-up tokens, would undo the policy. So only entries that equal a new one are forgotten:

- once ``max_keys`` are held, each new key looks at the next two entries, round and round. The fresh ones go, the
  others stay, whoever was used last: two looks per new key are enough to shrink again as soon as half are fresh, and
  a decision about a key that is there is one look into a dictionary;
- at twice ``max_keys`` new keys share one entry, until there is room.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Hashable
from typing import Generic, Protocol, TypeVar

from .exceptions import ConfigurationError
from .models import HTTPRequest
from .urls import origin


class Evictable(Protocol):
    """A policy that knows whether it may be forgotten."""

    def is_fresh(self, now: float) -> bool:
        """Whether it equals a new one: nothing remembered, nothing out, nobody waiting."""
        ...


K = TypeVar("K", bound=Hashable)
P = TypeVar("P", bound=Evictable, covariant=True)  # what it holds is only ever given out


class Keyed(Generic[K, P]):
    """A registry of policies by key.

    Args:
        factory: makes the policy of a new key.
        key: of a request: :func:`by_origin`, :func:`by_route`, :func:`by_header`, :func:`by_all`, or a function of your
            own.
        max_keys: from how many on entries are evicted; twice as many are never passed; 1 or more.

    Attributes:
        overflow: how often a key had to share the one entry that all keys without room share.

    Raises:
        ConfigurationError: names the field, the value and what is allowed.
    """

    __slots__ = ("_entries", "_factory", "_key", "_round", "_shared", "max_keys", "overflow")

    def __init__(self, factory: Callable[[], P], key: Callable[[HTTPRequest], K], *, max_keys: int = 10_000) -> None:
        for field, value, allowed, fine in (
            ("factory", factory, "callable", callable(factory)),
            ("key", key, "callable", callable(key)),
            ("max_keys", max_keys, "a whole number, 1 or more", type(max_keys) is int and max_keys >= 1),
        ):
            if not fine:
                raise ConfigurationError(f"Keyed.{field}: {value!r:.40} is not allowed; it is {allowed}")
        self._factory = factory
        self._key = key
        self.max_keys = max_keys
        self.overflow = 0
        self._entries: dict[K, P] = {}
        self._round: deque[K] = deque()  # each of their keys, the next to be looked at first
        self._shared: P | None = None

    def __len__(self) -> int:
        return len(self._entries)

    def for_request(self, request: HTTPRequest, now: float) -> P:
        """The policy of the request's key."""
        return self.get(self._key(request), now)

    def get(self, key: K, now: float) -> P:
        """The policy of ``key``; O(1)."""
        entries = self._entries
        if (entry := entries.get(key)) is not None:
            return entry
        if len(entries) >= self.max_keys:
            self._evict(now)
        if len(entries) >= 2 * self.max_keys:
            self.overflow += 1
            if self._shared is None:
                self._shared = self._factory()
            return self._shared
        entries[key] = entry = self._factory()
        self._round.append(key)
        return entry

    def sample(self) -> P:
        """A policy as a new key gets it; it is not kept."""
        return self._factory()

    def items(self) -> list[tuple[K, P]]:
        """Every key that is held, with its policy, the oldest key first; O(n)."""
        return list(self._entries.items())

    def _evict(self, now: float) -> None:
        """Drop those of the next two entries that are fresh, and let the others go round."""
        entries, keys = self._entries, self._round
        for _ in range(min(2, len(keys))):
            if entries[keys[0]].is_fresh(now):
                del entries[keys.popleft()]
            else:
                keys.rotate(-1)

    def __repr__(self) -> str:
        return f"<Keyed {len(self)} of {self.max_keys} keys, {self.overflow} times without room>"


# -- keys --------------------------------------------------------------------------------------------------------------


def by_origin(request: HTTPRequest) -> str:
    """A key for each scheme, host and port: ``https://api.example.com``."""
    return origin(request.url)


def by_route(*templates: str) -> Callable[[HTTPRequest], tuple[str, str | None]]:
    """Keys for routes: ``/users/1`` and ``/users/2`` are one, and there are never more keys than templates (and one).

    Args:
        templates: of whole paths, ``"/users/{id}"``, or for one method, ``"GET /users/{id}"``; a name in braces stands
            for one segment. The first that fits counts. Give one or more.

    Returns:
        What gives a request's origin and the template that fits; None in its place for all requests that none fits.

    Raises:
        ConfigurationError: a template is not of that form.
    """
    if not templates:
        raise ConfigurationError("by_route: give one template or more, as in '/users/{id}'")
    patterns = [(template, _pattern(template)) for template in templates]

    def key(request: HTTPRequest) -> tuple[str, str | None]:
        site = origin(request.url)
        path = request.url[len(site) :].partition("?")[0]
        target = f"{request.method} {path}"
        return site, next((template for template, fits in patterns if fits(target)), None)

    return key


def by_header(name: str) -> Callable[[HTTPRequest], str]:
    """Keys by a header that names a tenant or an account; without it the key is ``""``.

    Args:
        name: of the header, in any case. Its value is kept as long as the key is held, and shown nowhere.

    Raises:
        ConfigurationError: it is no header's name.
    """
    if not isinstance(name, str) or not _TOKEN(name):
        raise ConfigurationError(f"by_header.name: {name!r:.40} is not allowed; it is the name of a header")
    return lambda request: request.headers.get(name, "")


def by_all(*keys: Callable[[HTTPRequest], Hashable]) -> Callable[[HTTPRequest], tuple[Hashable, ...]]:
    """A key for each combination: ``by_all(by_origin, by_header("X-Tenant"))``.

    Args:
        keys: two or more of those here, or functions of your own.

    Raises:
        ConfigurationError: one is not callable.
    """
    for key in keys:
        if not callable(key):
            raise ConfigurationError(f"by_all.keys: {key!r:.40} is not allowed; each is callable")
    return lambda request: tuple(key(request) for key in keys)


_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+").fullmatch  # RFC 9110 5.6.2
_TEMPLATE = re.compile(r"(?:([A-Z]+) )?(/[^\s?#]*)").fullmatch


def _pattern(template: str) -> Callable[[str], re.Match[str] | None]:
    """Says whether a method and a path fit."""
    match = _TEMPLATE(template) if isinstance(template, str) else None
    if match is None:
        raise ConfigurationError(
            f"by_route.templates: {template!r:.80} is not allowed; each is a path as in '/users/{{id}}', or a method, a"
            " space and a path"
        )
    path = "".join(
        "[^/]+" if part[:1] == "{" and part[-1:] == "}" else re.escape(part)
        for part in re.split(r"(\{\w+\})", match[2])
    )
    return re.compile(f"{match[1] or '[A-Z]+'} {path}").fullmatch
