"""A policy's own time: never backwards, through small steps back and other clocks."""

from math import nextafter

from hypothesis import given
from hypothesis import strategies as st

from sansio_http.timeline import TOLERANCE, Timeline

READINGS = st.lists(st.integers(-10_000, 10_000).map(lambda ticks: ticks / 64), min_size=1)


def test_a_clock_that_runs_forward_is_own_time():
    timeline = Timeline()
    assert [timeline.at(now) for now in (-3.0, 0.0, 0.0, 77_676.5)] == [-3.0, 0.0, 0.0, 77_676.5]
    assert timeline.rebases == 0


def test_a_small_step_back_is_clamped():
    timeline = Timeline()
    timeline.at(10.0)
    assert timeline.at(10.0 - TOLERANCE) == 10.0
    assert timeline.at(9.5) == 10.0
    assert timeline.at(10.25) == 10.25
    assert timeline.rebases == 0


def test_a_larger_step_back_is_another_clock_and_own_time_goes_on_from_there():
    timeline = Timeline()
    timeline.at(77_676.5)
    assert timeline.at(3.0) == 77_676.5
    assert timeline.rebases == 1
    assert timeline.at(4.0) == 77_677.5
    assert timeline.back(77_680.0) == 6.5


def test_each_further_clock_is_met_in_the_same_way():
    timeline = Timeline()
    own = [timeline.at(now) for now in (100.0, 50.0, 51.0, 0.0, 1.5)]
    assert own == [100.0, 100.0, 101.0, 101.0, 102.5]
    assert timeline.rebases == 2


@given(READINGS)
def test_own_time_never_goes_back_and_passes_no_faster_than_the_clock(readings):
    timeline = Timeline()
    before = None
    for now in readings:
        own = timeline.at(now)
        if before is not None:
            assert before[1] <= own <= before[1] + max(0.0, now - before[0])
        before = (now, own)


@given(READINGS, st.integers(0, 1000))
def test_what_is_told_to_the_caller_is_when_own_time_gets_there(readings, ticks):
    timeline = Timeline()
    due = max([timeline.at(now) for now in readings]) + ticks / 64
    assert timeline.at(timeline.back(due)) == due


def test_where_rounding_meets_now_the_next_reading_is_told():
    timeline = Timeline()
    timeline.at(0.3)
    timeline.at(-1e9)  # a clock whose readings are 1e-7 apart
    assert timeline.back(0.3 + 1e-9) == nextafter(-1e9, 0)


@given(st.lists(st.floats(-1e9, 1e9), min_size=1), st.floats(0, 1e9))
def test_with_any_numbers_what_is_told_is_never_too_early(readings, ahead):
    timeline = Timeline()
    due = max([timeline.at(now) for now in readings]) + ahead
    assert timeline.at(timeline.back(due)) >= due
