"""The RateLimit and RateLimit-Policy fields: what a server says of its limits, and of what is left of them.

RateLimit-Policy names each limit with its quota and window, RateLimit says what is left of some of them::

    RateLimit-Policy: "burst";q=100;w=60, "daily";q=5000;w=86400
    RateLimit: "burst";r=0;t=12

A server need not send both, nor speak of the same limits in both; what belongs to one limit is put together here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from .structured import BareItem, Item, parse_list


class ServerLimit(NamedTuple):
    """One limit of a server, as far as its answer tells.

    Args:
        name: the server's own for it.
        quota: units that one window allows; None where it does not say.
        window: seconds; None where it does not say, or the limit knows no window.
        remaining: units that are left; None where it does not say.
        reset: seconds until more of them become available; None where it does not say.
        unit: what is counted: ``requests``, ``content-bytes``, ``concurrent-requests``, or the server's own word.
        partition: for whom it is counted, in bytes that mean something to the server only; None for all.
    """

    name: str
    quota: int | None = None
    window: int | None = None
    remaining: int | None = None
    reset: int | None = None
    unit: str = "requests"
    partition: bytes | None = None


def parse_rate_limits(policies: Sequence[str], limits: Sequence[str]) -> tuple[ServerLimit, ...]:
    """What both fields say together, in the server's order; empty where neither makes sense.

    A field that is no list is ignored as a whole, and so is a member without a name, or without the number that it is
    there for (``q``, and ``r``), or whose numbers are not whole and 0 or more. Of two members about one limit the later
    counts.

    Args:
        policies: the lines of RateLimit-Policy, as they came.
        limits: the lines of RateLimit, as they came.

    Source: draft-ietf-httpapi-ratelimit-headers-10, 3 and 4.
    """
    known: dict[tuple[str, bytes | None], ServerLimit] = {}
    for name, partition, item in _members(policies):
        quota, window, unit = _amount(item, "q"), _amount(item, "w"), item.parameters.get("qu", "requests")
        if quota not in (None, _WRONG) and window != _WRONG and isinstance(unit, str):
            known[name, partition] = ServerLimit(name, quota, window, unit=str(unit), partition=partition)
    for name, partition, item in _members(limits):
        remaining, reset = _amount(item, "r"), _amount(item, "t")
        if remaining not in (None, _WRONG) and reset != _WRONG:
            limit = known.get((name, partition)) or known.get((name, None)) or ServerLimit(name)
            known[name, partition] = limit._replace(remaining=remaining, reset=reset, partition=partition)
    return tuple(known.values())


def spent_until(limits: Sequence[ServerLimit]) -> float | None:
    """Seconds until the last of those limits of which nothing is left says that there is more; None if none is spent.

    Source: draft-ietf-httpapi-ratelimit-headers-10, 4.1.
    """
    return max(
        (float(limit.reset) for limit in limits if limit.remaining == 0 and limit.reset is not None), default=None
    )


_WRONG = -1  # a number that is none, or below 0


def _members(lines: Sequence[str]) -> list[tuple[str, bytes | None, Item]]:
    """The members that are about a limit: by name and partition."""
    members: list[tuple[str, bytes | None, Item]] = []
    for member in parse_list(lines) or ():
        if isinstance(member, Item) and isinstance(member.value, str):
            partition = member.parameters.get("pk")
            if partition is None or isinstance(partition, bytes):
                members.append((str(member.value), partition, member))
    return members


def _amount(item: Item, key: str) -> int | None:
    value: BareItem | None = item.parameters.get(key)
    return value if value is None or (type(value) is int and value >= 0) else _WRONG
