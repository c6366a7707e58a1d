"""One policy for each key (origin, route, tenant), made when it is first asked for, in bounded memory.

The number of keys is often chosen by strangers, so it must be bounded; but to forget an open circuit, or a limiter's
used-up tokens, would undo the policy. So only entries that equal a new one are forgotten:

- once ``max_keys`` are held, each new key looks at the two coldest entries. The fresh ones go, the others move to the
  warm end: they cannot hide fresh ones behind them, and two looks per new key are enough to shrink again;
- at twice ``max_keys`` new keys share one entry, until there is room.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, Protocol, TypeVar

from .exceptions import ConfigurationError
from .models import HTTPRequest


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
        key: of a request.
        max_keys: from how many on entries are evicted; twice as many are never passed; 1 or more.

    Attributes:
        overflow: how often a key had to share the one entry that all keys without room share.

    Raises:
        ConfigurationError: names the field, the value and what is allowed.
    """

    __slots__ = ("_entries", "_factory", "_key", "_shared", "max_keys", "overflow")

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
        self._entries: OrderedDict[K, P] = OrderedDict()  # the coldest first
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
            entries.move_to_end(key)
            return entry
        if len(entries) >= self.max_keys:
            self._evict(now)
        if len(entries) >= 2 * self.max_keys:
            self.overflow += 1
            if self._shared is None:
                self._shared = self._factory()
            return self._shared
        entries[key] = entry = self._factory()
        return entry

    def _evict(self, now: float) -> None:
        """Drop those of the two coldest entries that are fresh, and warm the others."""
        for _ in range(min(2, len(self._entries))):
            key, entry = next(iter(self._entries.items()))
            if entry.is_fresh(now):
                del self._entries[key]
            else:
                self._entries.move_to_end(key)

    def __repr__(self) -> str:
        return f"<Keyed {len(self)} of {self.max_keys} keys, {self.overflow} times without room>"
