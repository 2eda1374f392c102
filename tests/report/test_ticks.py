from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowreaper.report.ticks import amount_ticks, time_ticks
from flowreaper.report.time_axis import time_axis
from tests.report.samples import BEGIN_MS, HOUR_MS


@given(st.floats(1e-6, 1e9))
def test_an_axis_ends_at_a_round_amount_at_or_near_the_highest(top: float) -> None:
    end, labels = amount_ticks(top, 200, 100)
    assert end >= top * 0.97
    assert end <= top * 3
    assert 2 <= len(labels) <= 8
    assert (labels[0].at, labels[0].text) == (200, "0")
    assert labels[-1].at == pytest.approx(100)


@pytest.mark.parametrize(
    ("took_ms", "texts"),
    [
        (6_000, ["09:20:00", "09:20:02", "09:20:04"]),
        (600_000, ["09:20", "09:22", "09:24"]),
        (10 * HOUR_MS, ["10:00", "12:00", "14:00"]),
        (40 * 24 * HOUR_MS, ["01-15", "01-29"]),
    ],
)
def test_times_are_round_in_a_unit_that_fits(took_ms: int, texts: list[str]) -> None:
    begin = 1_767_345_600_000  # 2026-01-02 09:20 UTC
    found = time_ticks(time_axis([(begin, begin + took_ms)], 0, 300))
    assert [tick.text for tick in found][:3] == texts
    assert found[0].below.startswith("2026")


@given(st.lists(st.tuples(st.integers(0, 10**12), st.integers(0, 10**9)), min_size=1, max_size=20))
def test_no_two_labels_overlap(found: list[tuple[int, int]]) -> None:
    ticks = time_ticks(time_axis([(start, start + took) for start, took in found], 44, 880))
    assert all(after.at - before.at >= 58 for before, after in pairwise(ticks))
    dated = [tick for tick in ticks if tick.below]
    assert all(after.at - before.at >= 70 for before, after in pairwise(dated))


def test_the_date_is_said_again_after_a_pause() -> None:
    runs = [(BEGIN_MS, BEGIN_MS + HOUR_MS), (BEGIN_MS + 9 * HOUR_MS, BEGIN_MS + 10 * HOUR_MS)]
    ticks = time_ticks(time_axis(runs, 44, 880))
    assert [bool(tick.below) for tick in ticks].count(True) == 2
