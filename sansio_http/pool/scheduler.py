"""Which connection a request gets, and who waits: the pool, without I/O.

Theory of operation. Connections are grouped by a *key*: everything that decides who is trusted on them (scheme, host,
port, server name, verification, client certificate, proxy). Each request has a :class:`Ticket`, which waits, or holds
one connection. Everything here is a dict whose ends are at hand, so a request costs the same among ten connections and
ten thousand. Four rules say who gets what:

- *Within a key* waiters are served first come first served, and of the idle connections the one that was used last is
  taken: so the others grow old and can be closed.
- *Between keys* a free place goes to the key that stands first in the *line*: of the keys that wait and may have one
  more connection. A key joins at the end when it begins to wait, when its own limit no longer holds it back, and after
  it was served. So ten thousand requests to one server do not keep the single one to another waiting.
- A connection that comes back goes to its own key's next request, for a new one is dear: except where the first in
  line has waited :data:`PATIENCE`. (Without this exception a busy key keeps its connections for ever; without the
  rule two busy keys close each other's connections at every request.)
- An idle connection gives way to a request of another key, the oldest first.

Nothing is asked of a socket. An idle connection may have been closed by its peer: who got it looks, and says
:meth:`~PoolScheduler.dead`. And nothing is counted at the moment of release: of a burst's connections, one too many to
be kept, the next burst would open each anew. So the limit on idle ones holds after :data:`SETTLE`.

Always true between two calls: a key with waiters has no connection with room; while there is a line every place is
taken and nothing is idle. So whoever comes may look at what is free without asking whether somebody else was first.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from math import inf

from ..exceptions import ClientClosedError, ConfigurationError, DriverError
from .parts import Close, Command, Commands, Grant, Group, Open, PooledConnection, PoolStatus, Reuse, Ticket, Wait

SETTLE = 1.0
"""Seconds that a connection may be idle before the limit on idle ones counts it."""

PATIENCE = 1.0
"""Seconds after which a key that waits gets the connection that another key could have used again."""

_WAIT = Wait()


class PoolScheduler:
    """Decides which connection each request gets.

    Every method but :meth:`acquire` returns commands, which the driver carries out, in order, before anything else.

    Args:
        max_connections: in all, 1 or more; None for no limit.
        max_per_key: of one key, 1 or more; None for no limit.
        max_idle: idle connections that are kept, 0 or more; None for no limit. 0 closes each when it comes back.
        idle_expiry: seconds that an idle connection is kept, 0 or more; None for ever.

    Raises:
        ConfigurationError: names the field, the value and what is allowed.
    """

    def __init__(
        self,
        max_connections: int | None = 100,
        *,
        max_per_key: int | None = None,
        max_idle: int | None = 20,
        idle_expiry: float | None = 30.0,
    ) -> None:
        self._most = _limit("max_connections", max_connections, 1)
        self._most_per_key = _limit("max_per_key", max_per_key, 1)
        self._most_idle = _limit("max_idle", max_idle, 0)
        self._expiry = _limit("idle_expiry", idle_expiry, 0, whole=False)
        self._groups: dict[Hashable, Group] = {}
        self._line: OrderedDict[Group, None] = OrderedDict()
        self._idle: OrderedDict[PooledConnection, float] = OrderedDict()  # since when, the longest first
        self._held: OrderedDict[Ticket, float] = OrderedDict()  # since when, the longest first
        self._connections: dict[PooledConnection, None] = {}
        self._waiting = 0
        self._is_closed = False

    # -- questions ----------------------------------------------------------------------------------------------------

    def status(self, now: float) -> PoolStatus:
        """How things stand."""
        oldest = next(iter(self._held.values()), None)
        idle = len(self._idle)
        held_for = None if oldest is None else max(now - oldest, 0.0)
        return PoolStatus(len(self._connections) - idle, idle, self._waiting, held_for)

    def next_expiry(self) -> float | None:
        """When :meth:`expire` will find something to close, unless something happens before; None for never."""
        if not self._idle:
            return None
        since = next(iter(self._idle.values()))
        due = since + (min(SETTLE, self._expiry) if len(self._idle) > self._most_idle else self._expiry)
        return None if due == inf else due

    # -- requests -----------------------------------------------------------------------------------------------------

    def acquire(self, key: Hashable, ticket: Ticket, now: float) -> Reuse | Open | Wait:
        """A request wants a connection.

        Args:
            key: everything that decides who is trusted on it.
            ticket: a new one. Whatever happens, end it by :meth:`release`, :meth:`failed` or :meth:`cancel`.
            now: monotonic seconds.

        Raises:
            ClientClosedError: the pool is closed.
            DriverError: the ticket was used before.
        """
        if self._is_closed:
            raise ClientClosedError("the pool is closed")
        if ticket.state != "new":
            raise DriverError("a ticket is used once")
        group = self._groups.get(key)
        if group is None:
            group = self._groups[key] = Group(key)
        ticket.group = group
        answer = self._find(group, ticket, now)
        if answer is not None:
            return answer
        self._wait(group, ticket, now)
        return _WAIT

    def opened(self, connection: PooledConnection, capacity: int, now: float) -> Commands:
        """It is open, and the ticket it was opened for holds it.

        Args:
            connection: of an :class:`Open`.
            capacity: requests that it can carry at once: 1 for HTTP/1.1.
            now: monotonic seconds.
        """
        if connection.state != "opening":
            return (Close(connection),) if connection.state == "closed" else ()
        connection.state = "open"
        connection.capacity = capacity
        commands: list[Command] = []
        self._offer(connection, now, commands)
        return commands

    def failed(self, connection: PooledConnection, now: float) -> Commands:
        """It could not be opened; its ticket is done."""
        return self.release(connection, False, now)

    def dead(self, connection: PooledConnection, now: float, ticket: Ticket | None = None) -> Commands:
        """It was to be reused, and its peer has closed it. The ticket is granted another at once.

        (Of a connection that several use, all may say so; then there is one new place for them, and who finds none free
        waits before all others of its key.)

        Args:
            connection: that was granted.
            now: monotonic seconds.
            ticket: which request; may be left out where the connection carries one at a time.
        """
        if ticket is None:
            ticket = next(iter(connection.tickets), None)
        if ticket is None or connection.tickets.pop(ticket, self) is self:
            return ()
        del self._held[ticket]
        ticket.connection = None
        if self._is_closed:
            ticket.state = "done"
            return (Grant(ticket, None),)
        commands: list[Command] = []
        if connection.state != "closed":
            self._forget(connection, commands)
        group = self._groups.setdefault(connection.key, connection.group)  # it may have been the last of its key
        ticket.group = group
        answer = self._find(group, ticket, now)
        if answer is not None:
            commands.append(Grant(ticket, answer))
        else:
            self._wait(group, ticket, now)
            group.waiting.move_to_end(ticket, last=False)
        self._queue(group, now)
        self._serve(now, commands)
        return commands

    def release(
        self, connection: PooledConnection, reusable: bool, now: float, ticket: Ticket | None = None
    ) -> Commands:
        """A request is done with it.

        Args:
            connection: that it held.
            reusable: another may follow on it.
            now: monotonic seconds.
            ticket: which request; may be left out where the connection carries one at a time.
        """
        if ticket is None:
            ticket = next(iter(connection.tickets), None)
        if ticket is None or connection.tickets.pop(ticket, self) is self:
            return ()
        del self._held[ticket]
        ticket.state = "done"
        ticket.connection = None
        state = connection.state
        if state == "closed":  # by the pool's end, or found dead by another request
            return ()
        commands: list[Command] = []
        if state == "open" and reusable:
            self._offer(connection, now, commands)
        elif connection.tickets:
            connection.state = "draining"  # others still use it
            connection.group.free.pop(connection, None)
        else:
            self._forget(connection, commands)
            self._queue(connection.group, now)
            self._serve(now, commands)
        if self._idle:
            self._expire(now, commands)
        return commands

    def cancel(self, ticket: Ticket, now: float, *, unused: bool = False) -> Commands:
        """The request went away, wherever it stood. Idempotent: also after :meth:`release`.

        Args:
            ticket: whose.
            now: monotonic seconds.
            unused: nothing was sent on the connection that it was granted, which may go to others. (Without it that
                connection is closed.)
        """
        connection = ticket.connection
        if connection is not None:
            return self.release(connection, unused, now, ticket)
        group = ticket.group
        if ticket.state == "waiting" and group is not None:
            del group.waiting[ticket]
            self._waiting -= 1
            if not group.waiting:
                self._line.pop(group, None)
                self._drop_if_empty(group)
        ticket.state = "done"
        return ()

    def expire(self, now: float) -> Commands:
        """Close what has been idle for too long, or is one too many; see :meth:`next_expiry`."""
        commands: list[Command] = []
        self._expire(now, commands)
        return commands

    def close(self) -> Commands:
        """Close all connections, those that are held as well, and give every waiting ticket its last answer."""
        self._is_closed = True
        commands: list[Command] = []
        for connection in self._connections:
            if connection.state != "opening":  # that one is closed by who opens it
                commands.append(Close(connection))
            connection.state = "closed"
        for group in self._groups.values():
            for ticket in group.waiting:
                ticket.state = "done"
                commands.append(Grant(ticket, None))
            group.waiting.clear()
        for each in (self._connections, self._groups, self._line, self._idle):
            each.clear()
        self._waiting = 0
        return commands

    # -- inside -------------------------------------------------------------------------------------------------------

    def _find(self, group: Group, ticket: Ticket, now: float) -> Reuse | Open | None:
        """A connection for a ticket that is before all others of its key; None where it must wait."""
        evict: PooledConnection | None = None
        if group.free:
            connection, _ = group.free.popitem()
            since = self._idle.pop(connection, None)  # None: others hold it, and it has room
            idle = 0.0 if since is None else now - since
            if since is None or idle < self._expiry:
                self._give(connection, ticket, now)
                return Reuse(connection, idle)
            evict = connection  # the youngest has expired; its place is as good as a new one
        elif group.count >= self._most_per_key:
            return None
        elif len(self._connections) >= self._most:
            if not self._idle:
                return None
            evict = next(iter(self._idle))
        if evict is not None:
            self._forget(evict, [])
            self._groups[group.key] = group
        return Open(self._open(group, ticket, now), evict)

    def _open(self, group: Group, ticket: Ticket, now: float) -> PooledConnection:
        connection = PooledConnection(group)
        self._connections[connection] = None
        group.count += 1
        connection.tickets[ticket] = None
        ticket.state = "held"
        ticket.connection = connection
        self._held[ticket] = now
        return connection

    def _give(self, connection: PooledConnection, ticket: Ticket, now: float) -> None:
        tickets = connection.tickets
        tickets[ticket] = None
        ticket.state = "held"
        ticket.connection = connection
        self._held[ticket] = now
        if len(tickets) < connection.capacity:
            connection.group.free[connection] = None

    def _wait(self, group: Group, ticket: Ticket, now: float) -> None:
        ticket.state = "waiting"
        group.waiting[ticket] = None
        self._waiting += 1
        self._queue(group, now)

    def _offer(self, connection: PooledConnection, now: float, commands: list[Command]) -> None:
        """It has room: for its own key's waiters, for the line, or for later."""
        group = connection.group
        first = next(iter(self._line), None)
        if connection.tickets or first is group:
            first = None
        if first is not None and (not group.waiting or now - first.in_line_since >= PATIENCE):
            self._forget(connection, commands)
            self._queue(group, now)
            self._serve(now, commands)
            return
        while group.waiting and len(connection.tickets) < connection.capacity:
            ticket, _ = group.waiting.popitem(last=False)
            self._waiting -= 1
            group.free.pop(connection, None)
            self._give(connection, ticket, now)
            commands.append(Grant(ticket, Reuse(connection)))
            self._line.pop(group, None)
            self._queue(group, now)
        if len(connection.tickets) < connection.capacity:
            group.free.pop(connection, None)
            if connection.tickets:
                group.free[connection] = None
            elif self._most_idle and self._expiry:
                group.free[connection] = None
                self._idle[connection] = now
            else:
                self._forget(connection, commands)

    def _queue(self, group: Group, now: float) -> None:
        """Put a key at the end of the line, if it has to wait there and does not yet."""
        if group.waiting and group.count < self._most_per_key and group not in self._line:
            group.in_line_since = now
            self._line[group] = None

    def _serve(self, now: float, commands: list[Command]) -> None:
        """Give the places that are free to who stands first in line."""
        while self._line and len(self._connections) < self._most:
            group, _ = self._line.popitem(last=False)
            ticket, _ = group.waiting.popitem(last=False)
            self._waiting -= 1
            commands.append(Grant(ticket, Open(self._open(group, ticket, now))))
            self._queue(group, now)

    def _forget(self, connection: PooledConnection, commands: list[Command]) -> None:
        """It is gone, or about to be closed."""
        if connection.state != "opening":
            commands.append(Close(connection))
        connection.state = "closed"
        del self._connections[connection]
        self._idle.pop(connection, None)
        group = connection.group
        group.free.pop(connection, None)
        group.count -= 1
        self._drop_if_empty(group)

    def _drop_if_empty(self, group: Group) -> None:
        if not group.count and not group.waiting:
            self._groups.pop(group.key, None)

    def _expire(self, now: float, commands: list[Command]) -> None:
        idle = self._idle
        while idle:
            connection = next(iter(idle))
            age = now - idle[connection]
            if age < self._expiry and (age < SETTLE or len(idle) <= self._most_idle):
                break
            self._forget(connection, commands)


def _limit(field: str, value: float | None, least: int, *, whole: bool = True) -> float:
    """The limit as a number, infinite for None."""
    if value is None:
        return inf
    kind, what = (int, "a whole number") if whole else ((int, float), "a finite number")
    if not isinstance(value, kind) or isinstance(value, bool) or not least <= value < inf:
        raise ConfigurationError(f"{field}: {value!r:.40} is not allowed; it must be {what}, {least} or more, or None")
    return value
