"""The clock that stands until it is moved."""

from sansio_http.testing import ManualClock


def test_it_stands_until_it_is_moved() -> None:
    clock = ManualClock(5.0)
    assert clock() == clock() == clock.now == 5.0
    assert clock.advance(1.5) == clock() == 6.5
    assert clock.advance(-2.0) == 4.5
    assert repr(clock) == "<ManualClock 4.5>"


def test_it_begins_at_zero() -> None:
    assert ManualClock()() == 0.0
