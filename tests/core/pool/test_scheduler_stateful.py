"""The pool against a naive model: lists that are searched from one end to the other."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from sansio_http import Close, Grant, Open, PooledConnection, PoolScheduler, Reuse, Ticket, Wait

KEYS = "abc"


@dataclass(eq=False)
class Line:
    """A key that waits for a place."""

    key: str
    since: float


@dataclass(eq=False)
class Held:
    """A connection as the model has it; ``real`` is the pool's."""

    key: str
    real: Any = None
    is_open: bool = False
    is_draining: bool = False
    capacity: int = 1
    tickets: list[Ticket] = field(default_factory=list)
    touched: int = 0
    idle_since: float | None = None


class Model:
    """What the pool must do, as its theory of operation says it."""

    def __init__(self, most: float, per_key: float, most_idle: float, expiry: float) -> None:
        self.most, self.per_key, self.most_idle, self.expiry = most, per_key, most_idle, expiry
        self.held: list[Held] = []
        self.waiting: list[tuple[str, Ticket]] = []
        self.line: list[Line] = []
        self.closed: list[Held] = []
        self.granted: list[tuple[Ticket, Held, str]] = []
        self.steps = 0

    def count(self, key: str) -> int:
        return sum(each.key == key for each in self.held)

    def of(self, ticket: Ticket) -> Held | None:
        return next((each for each in self.held if ticket in each.tickets), None)

    def first_waiter(self, key: str) -> Ticket | None:
        return next((ticket for waits, ticket in self.waiting if waits == key), None)

    def idle(self) -> list[Held]:
        return sorted((each for each in self.held if each.idle_since is not None), key=lambda each: each.touched)

    def drop(self, each: Held) -> None:
        self.held.remove(each)
        if each.is_open:
            self.closed.append(each)

    def give(self, each: Held, ticket: Ticket, how: str) -> None:
        self.steps += 1
        each.tickets.append(ticket)
        each.touched, each.idle_since = self.steps, None
        self.waiting = [(key, waits) for key, waits in self.waiting if waits is not ticket]
        self.granted.append((ticket, each, how))

    def open(self, key: str, ticket: Ticket) -> None:
        self.held.append(Held(key))
        self.give(self.held[-1], ticket, "open")

    def find(self, key: str, ticket: Ticket, now: float) -> bool:
        free = [
            each
            for each in self.held
            if each.key == key and each.is_open and not each.is_draining and len(each.tickets) < each.capacity
        ]
        if free:
            best = max(free, key=lambda each: each.touched)
            if best.idle_since is None or now - best.idle_since < self.expiry:
                self.give(best, ticket, "reuse")
                return True
            self.drop(best)
        if self.count(key) >= self.per_key:
            return False
        if len(self.held) >= self.most:
            if not self.idle():
                return False
            self.drop(self.idle()[0])
        self.open(key, ticket)
        return True

    def settle(self, now: float) -> None:
        """Who stands in line, and who of them is served."""
        self.line = [each for each in self.line if self.first_waiter(each.key) and self.count(each.key) < self.per_key]
        for key in KEYS:
            if self.first_waiter(key) and self.count(key) < self.per_key and all(each.key != key for each in self.line):
                self.line.append(Line(key, now))
        if self.line and len(self.held) < self.most:
            first = self.line.pop(0)
            ticket = self.first_waiter(first.key)
            assert ticket is not None
            self.open(first.key, ticket)
            self.settle(now)

    def offer(self, each: Held, now: float) -> None:
        waits = self.first_waiter(each.key)
        first = self.line[0] if self.line else None
        if not each.tickets and first and first.key != each.key and (not waits or now - first.since >= 1.0):
            self.drop(each)
            return
        while len(each.tickets) < each.capacity and (ticket := self.first_waiter(each.key)):
            self.give(each, ticket, "reuse")
            self.line = [other for other in self.line if other.key != each.key]
            self.settle_end(each.key, now)
        if len(each.tickets) < each.capacity:
            self.steps += 1
            each.touched = self.steps
            if not each.tickets:
                if self.most_idle == 0 or self.expiry == 0:
                    self.drop(each)
                else:
                    each.idle_since = now

    def settle_end(self, key: str, now: float) -> None:
        if self.first_waiter(key) and self.count(key) < self.per_key:
            self.line.append(Line(key, now))

    def expire(self, now: float) -> None:
        while idle := self.idle():
            assert idle[0].idle_since is not None
            age = now - idle[0].idle_since
            if age < self.expiry and (age < 1.0 or len(idle) <= self.most_idle):
                break
            self.drop(idle[0])

    def leave(self, ticket: Ticket, reusable: bool, now: float) -> None:
        each = self.of(ticket)
        if each is None:
            self.waiting = [(key, waits) for key, waits in self.waiting if waits is not ticket]
            self.settle(now)
            return
        each.tickets.remove(ticket)
        if reusable and each.is_open and not each.is_draining:
            self.offer(each, now)
        elif each.tickets:
            each.is_draining = True
        else:
            self.drop(each)
        self.settle(now)
        self.expire(now)


LIMITS = st.sampled_from([1, 2, 3, None])


class PoolMachine(RuleBasedStateMachine):
    @initialize(
        most=LIMITS,
        per_key=LIMITS,
        most_idle=st.sampled_from([0, 1, 2, None]),
        expiry=st.sampled_from([0, 3.0, None]),
        shared=st.booleans(),
    )
    def begin(self, most, per_key, most_idle, expiry, shared):
        self.pool = PoolScheduler(most, max_per_key=per_key, max_idle=most_idle, idle_expiry=expiry)
        self.model = Model(*(inf if limit is None else limit for limit in (most, per_key, most_idle, expiry)))
        self.now = 0.0
        self.capacity = 2 if shared else 1
        self.tickets: list[Ticket] = []
        self.gone: set[PooledConnection] = set()

    def compare(self, commands: Any) -> None:
        """The commands do what the model did."""
        model = self.model
        granted = [command for command in commands if isinstance(command, Grant)]
        closed = [command.connection for command in commands if isinstance(command, Close)]
        for grant, (ticket, held, how) in zip(granted, model.granted, strict=True):
            assert grant.ticket is ticket
            self.link(grant.answer, held, how, closed)
        assert closed == [each.real for each in model.closed]
        self.gone.update(closed)
        model.granted.clear()
        model.closed.clear()

    def link(self, answer: Any, held: Held, how: str, closed: list[PooledConnection]) -> None:
        if how == "open":
            assert isinstance(answer, Open)
            held.real = answer.connection
            closed += [answer.evict] if answer.evict else []
        else:
            assert isinstance(answer, Reuse) and answer.connection is held.real

    def held(self) -> list[Ticket]:
        return [ticket for ticket in self.tickets if self.model.of(ticket)]

    @rule(key=st.sampled_from(KEYS))
    def acquire(self, key):
        ticket = Ticket(key)
        self.tickets.append(ticket)
        answer = self.pool.acquire(key, ticket, self.now)
        if self.model.find(key, ticket, self.now):
            (_, held, how), closed = self.model.granted.pop(), list[PooledConnection]()
            self.link(answer, held, how, closed)
            assert closed == [each.real for each in self.model.closed]
            self.gone.update(closed)
            self.model.closed.clear()
        else:
            assert isinstance(answer, Wait)
            self.model.waiting.append((key, ticket))
            self.model.settle(self.now)
            assert not self.model.granted

    @precondition(lambda self: any(not each.is_open for each in self.model.held))
    @rule(data=st.data(), fails=st.booleans())
    def connected(self, data, fails):
        held = data.draw(st.sampled_from([each for each in self.model.held if not each.is_open]))
        if fails:
            self.model.leave(held.tickets[0], False, self.now)
            self.compare(self.pool.failed(held.real, self.now))
            return
        held.is_open, held.capacity = True, self.capacity
        self.model.offer(held, self.now) if self.capacity > 1 else None
        self.compare(self.pool.opened(held.real, self.capacity, self.now))

    @precondition(lambda self: self.held())
    @rule(data=st.data(), reusable=st.booleans())
    def release(self, data, reusable):
        ticket = data.draw(st.sampled_from(self.held()))
        connection = ticket.connection
        assert connection is not None
        self.model.leave(ticket, reusable, self.now)
        self.compare(self.pool.release(connection, reusable, self.now, ticket))
        assert ticket.connection is None
        assert not self.pool.release(connection, True, self.now, ticket)

    @precondition(lambda self: self.capacity == 1 and any(self.model.of(ticket).is_open for ticket in self.held()))
    @rule(data=st.data())
    def dead(self, data):
        ticket = data.draw(st.sampled_from([each for each in self.held() if self.model.of(each).is_open]))
        held = self.model.of(ticket)
        assert held is not None and ticket.connection is held.real
        self.model.drop(held)
        assert self.model.find(held.key, ticket, self.now)
        self.model.settle(self.now)
        self.compare(self.pool.dead(held.real, self.now))

    @precondition(lambda self: self.tickets)
    @rule(data=st.data(), unused=st.booleans())
    def cancel(self, data, unused):
        ticket = data.draw(st.sampled_from(self.tickets))
        self.model.leave(ticket, unused, self.now)
        self.compare(self.pool.cancel(ticket, self.now, unused=unused))
        assert not self.pool.cancel(ticket, self.now)

    @rule(seconds=st.sampled_from([0.25, 1.0, 3.0]))
    def time_passes(self, seconds):
        self.now += seconds

    @rule()
    def expire(self):
        due = self.pool.next_expiry()
        self.model.expire(self.now)
        assert bool(self.model.closed) == (due is not None and due <= self.now)
        self.compare(self.pool.expire(self.now))

    @invariant()
    def counts_agree(self):
        model = self.model
        status = self.pool.status(self.now)
        idle = len(model.idle())
        assert (status.in_use, status.idle, status.waiting) == (len(model.held) - idle, idle, len(model.waiting))
        assert len(model.held) <= model.most
        assert all(model.count(key) <= model.per_key for key in KEYS)
        for ticket in self.tickets:
            held = model.of(ticket)
            assert ticket.connection is (held.real if held else None)
        assert not self.gone & {each.real for each in model.held}

    def teardown(self):
        """After any history: whoever leaves gives everything back, and all places can be had at once."""
        if not hasattr(self, "pool"):
            return
        for ticket in self.tickets:
            self.pool.cancel(ticket, self.now)
        status = self.pool.status(self.now)
        assert (status.in_use, status.waiting, status.oldest) == (0, 0, None)
        for _ in range(int(min(self.model.most, self.model.per_key, 5))):
            assert not isinstance(self.pool.acquire("a", Ticket(), self.now), Wait)
        self.pool.close()
        assert (self.pool.status(self.now).in_use, self.pool.status(self.now).idle) == (0, 0)


TestPool = PoolMachine.TestCase
