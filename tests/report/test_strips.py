import pytest
from hypothesis import given

from flowreaper.report.strips import covered, end_of, extent, span_of, strips, taken_s
from flowreaper.report.time_axis import time_axis
from tests.report.samples import BEGIN_MS, HOUR_MS, History, histories, minutes_of, run


@given(histories())
def test_the_strips_hold_all_calls_and_throttles(history: History) -> None:
    runs, minutes = history
    axis = time_axis(covered(runs, minutes), 0, 400)
    found = [s for s in strips(axis, runs, minutes, left=0, width=2, many=200) if s]
    assert sum(s.calls for s in found) == pytest.approx(sum(m.calls for m in minutes), rel=1e-3, abs=1e-3)
    assert sum(s.throttled for s in found) == pytest.approx(
        sum(m.throttled for m in minutes), rel=1e-3, abs=1e-3
    )
    assert all(s.seconds > 0 for s in found)


def test_a_minute_counts_only_while_its_run_was_going_on() -> None:
    past = run(7, BEGIN_MS + 50_000, 30_000)
    first, second = minutes_of(past)
    known = {7: past}
    assert span_of(first, known) == (BEGIN_MS + 50_000, BEGIN_MS + 60_000)
    assert span_of(second, known) == (BEGIN_MS + 60_000, BEGIN_MS + 80_000)
    assert span_of(first, {}) == (BEGIN_MS, BEGIN_MS + 60_000)


def test_a_run_is_known_of_at_its_ends_and_in_its_minutes_so_a_suspended_machine_leaves_a_gap() -> None:
    past = run(1, BEGIN_MS, 9 * HOUR_MS)
    minutes = [minute for minute in minutes_of(past) if minute.at_s * 1000 < BEGIN_MS + HOUR_MS]
    known = sorted(covered([past], minutes))
    assert (BEGIN_MS + 3 * HOUR_MS) not in [at for start, end in known for at in range(start, end, 60_000)]
    assert extent([past], minutes) == (BEGIN_MS, BEGIN_MS + 9 * HOUR_MS)
    assert extent([], []) is None


def test_a_run_that_was_cut_off_ends_when_it_was_last_seen_and_never_before_it_began() -> None:
    assert end_of(run(ended_at_ms=None)) == BEGIN_MS + HOUR_MS
    assert end_of(run(seen_at_ms=0, ended_at_ms=5)) == BEGIN_MS


def test_an_even_pace_is_never_shown_above_itself() -> None:
    assert 30 / taken_s(5.8, 5.0) == 5.0
    assert taken_s(0.0, 0.0) == 1.0
