"""What the pool and its driver hand each other."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Sequence
from typing import Any, Literal


class Ticket:
    """What a request holds or awaits a connection with: made by its driver, used once.

    Attributes:
        owner: the driver's own: whom to wake when a :class:`Grant` comes.
        connection: that it holds; None while it waits, and at the end.
        state, group: the pool's own.
    """

    __slots__ = ("connection", "group", "owner", "state")

    def __init__(self, owner: Any = None) -> None:
        self.owner = owner
        self.connection: PooledConnection | None = None
        self.state: Literal["new", "waiting", "held", "done"] = "new"
        self.group: Group | None = None


class PooledConnection:
    """A connection as the pool sees it: made by :meth:`PoolScheduler.acquire`.

    Attributes:
        key: whose it is.
        wire: the driver's own: the socket, its parser.
        state, group, capacity, tickets: the pool's own.
    """

    __slots__ = ("capacity", "group", "key", "state", "tickets", "wire")

    def __init__(self, group: Group) -> None:
        self.key = group.key
        self.wire: Any = None
        self.group = group
        self.state: Literal["opening", "open", "draining", "closed"] = "opening"
        self.capacity = 1
        self.tickets: dict[Ticket, None] = {}  # in the order in which they got it


class Reuse:
    """Use this connection. Look first whether its peer has closed it: then say :meth:`PoolScheduler.dead`.

    Attributes:
        connection: this one.
        idle: seconds for which nobody has used it.
    """

    __slots__ = ("connection", "idle")

    def __init__(self, connection: PooledConnection, idle: float = 0.0) -> None:
        self.connection = connection
        self.idle = idle


class Open:
    """Open this connection, and say :meth:`PoolScheduler.opened` or :meth:`PoolScheduler.failed`.

    Attributes:
        evict: close this one, which has made place for it; None for none.
    """

    __slots__ = ("connection", "evict")

    def __init__(self, connection: PooledConnection, evict: PooledConnection | None = None) -> None:
        self.connection = connection
        self.evict = evict


class Wait:
    """A :class:`Grant` will come."""

    __slots__ = ()


class Grant:
    """A ticket that waited has its answer: wake its owner.

    Attributes:
        ticket: whose.
        answer: None where the pool was closed.
    """

    __slots__ = ("answer", "ticket")

    def __init__(self, ticket: Ticket, answer: Reuse | Open | None) -> None:
        self.ticket = ticket
        self.answer = answer


class Close:
    """Close this connection, which the pool has forgotten."""

    __slots__ = ("connection",)

    def __init__(self, connection: PooledConnection) -> None:
        self.connection = connection


Command = Grant | Close
Commands = Sequence[Command]


class PoolStatus:
    """What a :class:`~sansio_http.PoolTimeoutError` has to tell.

    Attributes:
        in_use: connections that are held, or being opened for somebody.
        idle: connections that nobody holds.
        waiting: tickets without one.
        oldest: seconds since the ticket that holds one for longest got it; None where nobody holds any.
    """

    __slots__ = ("idle", "in_use", "oldest", "waiting")

    def __init__(self, in_use: int, idle: int, waiting: int, oldest: float | None) -> None:
        self.in_use = in_use
        self.idle = idle
        self.waiting = waiting
        self.oldest = oldest

    def __str__(self) -> str:
        held = "" if self.oldest is None else f"; the oldest has been held for {self.oldest:.3g} s"
        return f"{self.in_use} connections in use, {self.idle} idle, {self.waiting} requests waiting{held}"


class Group:
    """What belongs to one key."""

    __slots__ = ("count", "free", "in_line_since", "key", "waiting")

    def __init__(self, key: Hashable) -> None:
        self.key = key
        self.count = 0  # connections
        self.free: dict[PooledConnection, None] = {}  # those with room, what was used last at the end
        self.waiting: OrderedDict[Ticket, None] = OrderedDict()
        self.in_line_since = 0.0
