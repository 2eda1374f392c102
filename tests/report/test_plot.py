import math
from itertools import pairwise

from hypothesis import given

from flowreaper.report.plot import Line, Plot, plot
from flowreaper.report.strips import covered
from flowreaper.report.time_axis import time_axis
from flowreaper.store.history import Minute
from tests.report.samples import BEGIN_MS, HOUR_MS, History, histories, minutes_of, run


def drawn(history: History, width: float = 900) -> Plot:
    found = plot(*history, width)
    assert found
    return found


def lines(found: Plot) -> list[Line]:
    return [*found.calls, *found.permitted, *found.throttled]


@given(histories())
def test_every_point_is_a_number_within_the_plot(history: History) -> None:
    found = drawn(history)
    for x, y in (point for line in lines(found) for point in line):
        assert math.isfinite(x)
        assert math.isfinite(y)
        assert found.left <= x <= found.right + 1e-6
        assert found.pace.top - 8 <= y <= found.throttles.base + 1e-6


@given(histories())
def test_a_line_goes_to_the_right_in_steps(history: History) -> None:
    for line in lines(drawn(history)):
        assert len(line) >= 2
        for (x, y), (next_x, next_y) in pairwise(line):
            assert next_x >= x
            assert next_x == x or next_y == y


@given(histories())
def test_no_line_crosses_a_time_without_a_run(history: History) -> None:
    runs, minutes = history
    found = drawn(history)
    axis = time_axis(covered(runs, minutes), found.left, found.right)
    known = sorted(covered(runs, minutes))
    reached = known[0][1]
    for start, end in known:
        left, right = axis.x(reached), axis.x(start)
        if right - left > 4:  # two strips: a gap that can be seen
            for line in lines(found):
                assert not line[0][0] < left + 2 < right - 2 < line[-1][0]
        reached = max(reached, end)


@given(histories())
def test_every_run_is_marked_where_it_begins(history: History) -> None:
    runs, minutes = history
    found = drawn(history)
    axis = time_axis(covered(runs, minutes), found.left, found.right)
    for past in runs:
        (mark,) = (mark for mark in found.runs if mark.first <= past.number <= mark.last)
        assert mark.left - 1e-6 <= axis.x(past.started_at_ms) <= mark.left + 2
        assert mark.right > mark.left
        assert mark.cut_off or past.ended_at_ms is not None


def test_a_history_of_years_is_drawn_with_as_few_points_as_one_of_days() -> None:
    runs = tuple(run(number, BEGIN_MS + number * 5 * HOUR_MS, HOUR_MS) for number in range(1, 2001))
    minutes = tuple(minute for past in runs for minute in minutes_of(past, calls=past.number % 300))
    found = drawn((runs, minutes))
    assert sum(len(line) for line in lines(found)) <= 6 * 420
    assert len(found.runs) <= 420
    assert (found.runs[0].first, found.runs[-1].last) == (1, 2000)


def test_the_pace_and_the_throttles_have_the_scale_of_their_lanes() -> None:
    past = run(1, BEGIN_MS, HOUR_MS)
    found = drawn(((past,), tuple(minutes_of(past, calls=240, throttled=12, permitted_per_s=5.0))))
    ((calls, *_),) = found.calls
    ((throttled, *_),) = found.throttled
    assert calls[1] == round(found.pace.y(4.0), 1)
    assert throttled[1] == round(found.throttles.y(12.0), 1)
    assert found.pace.ticks[-1].text == "5"


def test_where_nothing_answered_is_marked_and_where_all_is_well_is_not() -> None:
    past = run(1, BEGIN_MS, HOUR_MS)
    minutes = minutes_of(past)
    assert drawn(((past,), tuple(minutes))).silent == ()
    outage = Minute(run=1, at_s=minutes[30].at_s, silent_s=60.0)
    found = drawn(((past,), (*minutes[:30], outage, *minutes[31:])))
    assert 12 <= found.silent[-1].right - found.silent[0].left <= 18  # a minute of an hour
    assert max(band.bottom for band in found.silent) == found.pace.base


def test_the_mark_of_a_silence_is_as_high_as_the_part_of_the_time_that_it_took() -> None:
    past = run(1, BEGIN_MS, HOUR_MS)
    found = drawn(((past,), tuple(minutes_of(past, silent_s=15.0))))
    (band,) = found.silent
    assert (band.left, band.right) == (found.left, found.right)
    assert band.bottom == found.pace.top + (found.pace.base - found.pace.top) / 4


def test_of_many_runs_each_has_a_bar_but_no_line_and_no_cross() -> None:
    runs = [run(n, BEGIN_MS + n * HOUR_MS, HOUR_MS // 2, ending=None, ended_at_ms=None) for n in range(1, 62)]
    few, many = drawn((tuple(runs[:60]), ())), drawn((tuple(runs), ()))
    assert (len(few.runs), len(few.starts), len(few.cut_off)) == (60, 60, 60)
    assert (len(many.runs), many.starts, many.cut_off) == (61, (), ())


def test_the_run_that_goes_on_has_another_mark_than_those_that_were_cut_off() -> None:
    ends = {"ending": None, "ended_at_ms": None}
    runs = [run(number, BEGIN_MS + number * HOUR_MS, HOUR_MS // 2, **ends) for number in (1, 2)]
    found = plot(runs, (), 900, goes_on=2)
    assert found
    assert [mark.first for mark in found.cut_off] == [1]
    assert [mark.first for mark in found.goes_on] == [2]
    assert drawn((tuple(runs), ())).goes_on == ()


def test_a_run_that_has_ended_does_not_go_on_whatever_has_begun_since() -> None:
    found = plot([run(1, BEGIN_MS, HOUR_MS)], (), 900, goes_on=1)
    assert found
    assert (found.cut_off, found.goes_on) == ((), ())


def test_without_a_history_there_is_nothing_to_draw() -> None:
    assert plot((), (), 900) is None


def test_a_run_without_a_minute_is_marked_all_the_same() -> None:
    found = drawn(((run(3, BEGIN_MS, 0),), ()))
    assert [mark.label for mark in found.runs] == ["3"]
    assert found.calls == ()
