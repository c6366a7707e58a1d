from __future__ import annotations

from typing import Any

import pytest

from sansio_http import (
    ClientClosedError,
    Close,
    ConfigurationError,
    DriverError,
    Grant,
    Open,
    PooledConnection,
    PoolScheduler,
    Reuse,
    Ticket,
    Wait,
)


def opened(pool: PoolScheduler, key: str = "a", now: float = 0.0, capacity: int = 1) -> tuple[PooledConnection, Ticket]:
    """A connection that is new and held, and by whom."""
    ticket = Ticket()
    answer = pool.acquire(key, ticket, now)
    assert isinstance(answer, Open)
    assert not pool.opened(answer.connection, capacity, now)
    return answer.connection, ticket


def waits(pool: PoolScheduler, key: str = "a", now: float = 0.0) -> Ticket:
    ticket = Ticket()
    assert isinstance(pool.acquire(key, ticket, now), Wait)
    return ticket


def reused(pool: PoolScheduler, key: str = "a", now: float = 0.0) -> PooledConnection:
    answer = pool.acquire(key, Ticket(), now)
    assert isinstance(answer, Reuse)
    return answer.connection


def told(commands: Any) -> list[Any]:
    """Commands as something to compare with."""
    return [
        ("close", each.connection) if isinstance(each, Close) else (type(each.answer).__name__, each.ticket)
        for each in commands
    ]


def test_the_connection_used_last_is_taken_first():
    pool = PoolScheduler()
    first, second = opened(pool)[0], opened(pool)[0]
    assert not pool.release(first, True, 1.0) and not pool.release(second, True, 2.0)
    assert reused(pool) is second and reused(pool) is first
    assert isinstance(pool.acquire("a", Ticket(), 3.0), Open)


def test_it_says_for_how_long_nobody_has_used_it():
    pool = PoolScheduler(1)
    connection = opened(pool)[0]
    pool.release(connection, True, 1.0)
    answer = pool.acquire("a", Ticket(), 3.5)
    assert isinstance(answer, Reuse) and answer.idle == 2.5
    waits(pool)
    (grant,) = pool.release(connection, True, 4.0)
    assert isinstance(grant, Grant) and isinstance(grant.answer, Reuse) and grant.answer.idle == 0.0


def test_a_key_never_gets_what_is_anothers():
    pool = PoolScheduler()
    pool.release(opened(pool, "a")[0], True, 0.0)
    assert isinstance(pool.acquire("b", Ticket(), 0.0), Open)


def test_who_waits_is_served_in_order():
    pool = PoolScheduler(1)
    connection, holder = opened(pool)
    tickets = [waits(pool) for _ in range(3)]
    pool.cancel(tickets[1], 0.0)
    assert told(pool.release(connection, True, 0.0)) == [("Reuse", tickets[0])]
    assert holder.connection is None and tickets[0].connection is connection
    assert told(pool.release(connection, False, 0.0)) == [("close", connection), ("Open", tickets[2])]


def test_a_new_one_that_fails_makes_place_for_the_next():
    pool = PoolScheduler(1)
    answer = pool.acquire("a", Ticket(), 0.0)
    assert isinstance(answer, Open)
    ticket = waits(pool, "b")
    assert told(pool.failed(answer.connection, 0.0)) == [("Open", ticket)]
    assert not pool.failed(answer.connection, 0.0)


def test_a_connection_that_comes_after_its_request_went_away_is_closed():
    pool = PoolScheduler(1)
    ticket = Ticket()
    answer = pool.acquire("a", ticket, 0.0)
    assert isinstance(answer, Open)
    assert not pool.cancel(ticket, 0.0)  # whoever opens it closes what there is of it
    assert told(pool.opened(answer.connection, 1, 0.0)) == [("close", answer.connection)]
    assert pool.status(0.0).in_use == 0


def test_opened_is_believed_once():
    pool = PoolScheduler()
    connection, _ = opened(pool)
    assert pool.opened(connection, 5, 0.0) == ()


def test_a_place_goes_round_between_keys():
    pool = PoolScheduler(1)
    connection, _ = opened(pool, "a")
    first, second, other = waits(pool, "b"), waits(pool, "b"), waits(pool, "c")
    order = []
    for _ in range(3):
        _, grant = pool.release(connection, False, 0.0)
        assert isinstance(grant, Grant) and isinstance(grant.answer, Open)
        connection = grant.answer.connection
        pool.opened(connection, 1, 0.0)
        order.append(grant.ticket)
    assert order == [first, other, second]


def test_a_busy_key_keeps_its_connection_until_another_has_waited_for_a_second():
    pool = PoolScheduler(1)
    connection, _ = opened(pool, "a")
    other = waits(pool, "b", 0.0)
    mine = [waits(pool, "a", 0.0) for _ in range(3)]
    assert told(pool.release(connection, True, 0.5)) == [("Reuse", mine[0])]
    assert told(pool.release(connection, True, 0.99)) == [("Reuse", mine[1])]
    assert told(pool.release(connection, True, 1.0)) == [("close", connection), ("Open", other)]
    assert other.connection is not None
    pool.opened(other.connection, 1, 1.0)
    # Now the first key waits, since it gave way.
    assert told(pool.release(other.connection, True, 1.0))[1] == ("Open", mine[2])


def test_an_idle_connection_gives_way_the_oldest_first():
    pool = PoolScheduler(2)
    first, second = opened(pool, "a")[0], opened(pool, "b")[0]
    pool.release(first, True, 1.0)
    pool.release(second, True, 2.0)
    answer = pool.acquire("c", Ticket(), 2.0)
    assert isinstance(answer, Open) and answer.evict is first
    assert reused(pool, "b", 2.0) is second
    assert isinstance(pool.acquire("a", Ticket(), 2.0), Wait)


def test_the_limit_of_a_key_holds_back_nobody_else():
    pool = PoolScheduler(3, max_per_key=1)
    connection, _ = opened(pool, "a")
    ticket = waits(pool, "a")
    assert isinstance(pool.acquire("b", Ticket(), 0.0), Open)
    assert told(pool.release(connection, False, 0.0)) == [("close", connection), ("Open", ticket)]


def test_a_place_that_comes_free_is_none_for_a_key_at_its_limit():
    pool = PoolScheduler(2, max_per_key=1)
    mine, _ = opened(pool, "a")
    theirs, _ = opened(pool, "b")
    ticket = waits(pool, "a")
    assert told(pool.release(theirs, False, 0.0)) == [("close", theirs)]
    assert told(pool.release(mine, False, 0.0)) == [("close", mine), ("Open", ticket)]


def test_a_dead_one_is_replaced_at_once():
    pool = PoolScheduler(2)
    first, second = opened(pool)[0], opened(pool)[0]
    pool.release(first, True, 0.0)
    pool.release(second, True, 0.0)
    ticket = Ticket()
    pool.acquire("a", ticket, 1.0)
    assert ticket.connection is second
    assert told(pool.dead(second, 1.0)) == [("close", second), ("Reuse", ticket)]
    assert ticket.connection is first
    assert told(pool.dead(first, 1.0)) == [("close", first), ("Open", ticket)]
    assert pool.dead(first, 1.0) == ()
    assert pool.status(1.0).in_use == 1


def test_who_finds_it_dead_keeps_its_place_before_those_who_wait():
    pool = PoolScheduler(1)
    connection, _ = opened(pool)
    granted, behind = waits(pool), waits(pool)
    pool.release(connection, True, 0.0)
    assert told(pool.dead(connection, 0.0)) == [("close", connection), ("Open", granted)]
    assert pool.status(0.0).waiting == 1 and behind.connection is None


def test_the_limit_on_idle_ones_holds_after_a_second():
    pool = PoolScheduler(10, max_idle=1)
    connections = [opened(pool)[0] for _ in range(3)]
    for connection in connections:
        assert not pool.release(connection, True, 5.0)
    assert pool.next_expiry() == 6.0
    assert not pool.expire(5.9) and pool.status(5.9).idle == 3
    assert told(pool.expire(6.0)) == [("close", connections[0]), ("close", connections[1])]
    assert pool.next_expiry() == 35.0
    assert told(pool.expire(35.0)) == [("close", connections[2])]
    assert pool.next_expiry() is None


def test_what_expires_is_closed_when_another_comes_back():
    pool = PoolScheduler(idle_expiry=3.0)
    old, new = opened(pool)[0], opened(pool)[0]
    pool.release(old, True, 0.0)
    assert told(pool.release(new, True, 3.0)) == [("close", old)]


def test_an_expired_one_is_not_reused():
    pool = PoolScheduler(1, idle_expiry=3.0)
    old, _ = opened(pool)
    pool.release(old, True, 0.0)
    answer = pool.acquire("a", Ticket(), 3.0)
    assert isinstance(answer, Open) and answer.evict is old


def test_without_expiry_it_is_kept_for_ever():
    pool = PoolScheduler(idle_expiry=None)
    connection, _ = opened(pool)
    pool.release(connection, True, 0.0)
    assert pool.next_expiry() is None and reused(pool, now=1e9) is connection


@pytest.mark.parametrize("options", [{"max_idle": 0}, {"idle_expiry": 0}])
def test_where_nothing_is_kept_it_is_closed_at_once(options):
    pool = PoolScheduler(**options)
    connection, _ = opened(pool)
    assert told(pool.release(connection, True, 0.0)) == [("close", connection)]


def test_cancelled_wherever_it_stands():
    pool = PoolScheduler(1)
    connection, holder = opened(pool)
    granted, behind = waits(pool), waits(pool)
    pool.release(connection, True, 0.0)
    assert told(pool.cancel(granted, 0.0, unused=True)) == [("Reuse", behind)]
    assert told(pool.cancel(behind, 0.0)) == [("close", connection)]
    for ticket in (holder, granted, behind, Ticket()):
        assert not pool.cancel(ticket, 0.0)
    status = pool.status(0.0)
    assert (status.in_use, status.idle, status.waiting) == (0, 0, 0)


def test_a_connection_that_several_share():
    pool = PoolScheduler(1)
    ticket = Ticket()
    answer = pool.acquire("a", ticket, 0.0)
    assert isinstance(answer, Open)
    connection = answer.connection
    second, third, fourth = waits(pool), waits(pool), waits(pool)
    assert told(pool.opened(connection, 3, 0.0)) == [("Reuse", second), ("Reuse", third)]
    assert told(pool.release(connection, True, 0.0, second)) == [("Reuse", fourth)]
    assert not pool.release(connection, True, 0.0, third)
    assert reused(pool) is connection
    # One of them spoils it: nobody joins, and it is closed when the last is done.
    later = waits(pool)
    assert not pool.release(connection, False, 0.0, fourth)
    assert not pool.release(connection, True, 0.0)
    assert not pool.release(connection, True, 0.0, fourth)
    assert told(pool.release(connection, True, 0.0)) == [("close", connection), ("Open", later)]


def test_one_that_is_held_and_has_room_never_expires():
    pool = PoolScheduler(idle_expiry=0)
    connection, _ = opened(pool, capacity=2)
    assert reused(pool, now=1e9) is connection


def test_all_who_share_a_dead_one_are_served_again():
    pool = PoolScheduler(1)
    connection, first = opened(pool, capacity=2)
    assert reused(pool) is connection
    second = next(each for each in connection.tickets if each is not first)
    behind = waits(pool)
    assert told(pool.dead(connection, 0.0, first)) == [("close", connection), ("Open", first)]
    assert not pool.dead(connection, 0.0, second)
    assert pool.status(0.0).waiting == 2 and first.connection is not None
    pool.opened(first.connection, 1, 0.0)
    assert told(pool.release(first.connection, True, 0.0)) == [("Reuse", second)]
    assert second.connection is not None
    assert told(pool.release(second.connection, True, 0.0)) == [("Reuse", behind)]


def test_how_things_stand():
    pool = PoolScheduler(3)
    assert str(pool.status(0.0)) == "0 connections in use, 0 idle, 0 requests waiting"
    opened(pool, now=1.0)
    idle, _ = opened(pool, now=1.0)
    pool.acquire("a", Ticket(), 3.0)
    pool.release(idle, True, 4.0)
    status = pool.status(4.5)
    assert (status.in_use, status.idle, status.waiting, status.oldest) == (2, 1, 0, 3.5)
    assert str(status) == "2 connections in use, 1 idle, 0 requests waiting; the oldest has been held for 3.5 s"
    assert pool.status(0.0).oldest == 0.0


def test_closed():
    pool = PoolScheduler(3)
    held, _ = opened(pool)
    idle, _ = opened(pool)
    pool.release(idle, True, 0.0)
    reuser = Ticket()
    pool.acquire("a", reuser, 0.0)
    answer = pool.acquire("b", Ticket(), 0.0)
    assert isinstance(answer, Open)
    ticket = waits(pool, "b")
    assert told(pool.close()) == [("close", held), ("close", idle), ("NoneType", ticket)]
    assert told(pool.dead(idle, 0.0)) == [("NoneType", reuser)]
    assert told(pool.opened(answer.connection, 1, 0.0)) == [("close", answer.connection)]
    assert not pool.release(held, True, 0.0) and not pool.failed(answer.connection, 0.0)
    assert not pool.cancel(ticket, 0.0) and not pool.cancel(reuser, 0.0) and not pool.close()
    status = pool.status(0.0)
    assert (status.in_use, status.idle, status.waiting, status.oldest) == (0, 0, 0, None)
    with pytest.raises(ClientClosedError, match="the pool is closed"):
        pool.acquire("a", Ticket(), 0.0)


def test_a_ticket_is_used_once():
    pool = PoolScheduler()
    _, ticket = opened(pool)
    with pytest.raises(DriverError, match="used once"):
        pool.acquire("a", ticket, 0.0)


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"max_connections": 0}, "max_connections"),
        ({"max_connections": 1.5}, "max_connections"),
        ({"max_connections": True}, "max_connections"),
        ({"max_per_key": 0}, "max_per_key"),
        ({"max_idle": -1}, "max_idle"),
        ({"idle_expiry": -1.0}, "idle_expiry"),
        ({"idle_expiry": float("nan")}, "idle_expiry"),
        ({"idle_expiry": float("inf")}, "idle_expiry"),
        ({"idle_expiry": "30"}, "idle_expiry"),
    ],
)
def test_bad_limits(options, field):
    with pytest.raises(ConfigurationError, match=f"{field}: .* is not allowed; it must be"):
        PoolScheduler(**options)


def test_nothing_is_left_of_a_key_that_is_gone():
    pool = PoolScheduler(1)
    for number in range(100):
        connection, _ = opened(pool, f"key {number}")
        ticket = Ticket()
        pool.acquire(f"other {number}", ticket, 0.0)
        pool.cancel(ticket, 0.0)
        pool.release(connection, True, 0.0)
        pool.expire(100.0)
    assert not pool._groups and not pool._line
