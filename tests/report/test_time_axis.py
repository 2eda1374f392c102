from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from flowreaper.report.time_axis import Span, time_axis
from tests.report.samples import BEGIN_MS, HOUR_MS

spans = st.lists(
    st.tuples(st.integers(0, 4 * 10**14), st.integers(0, 10**9)).map(lambda s: (s[0], s[0] + s[1])),
    min_size=1,
    max_size=30,
)


@given(spans)
def test_the_pieces_follow_one_another_and_fill_the_width(covered: list[Span]) -> None:
    pieces = time_axis(covered, 44, 880).pieces
    assert pieces[0].left == 44
    assert abs(pieces[-1].right - 880) < 1e-6
    for before, after in pairwise(pieces):
        assert (before.end_ms, before.right) == (after.start_ms, after.left)
        assert before.pause is not after.pause
    assert all(piece.start_ms < piece.end_ms and piece.left < piece.right for piece in pieces)


@given(spans, st.data())
def test_a_later_time_never_lies_further_left(covered: list[Span], data: st.DataObject) -> None:
    axis = time_axis(covered, 44, 880)
    times = st.integers(covered[0][0] - 10**10, covered[0][0] + 10**12)
    first, second = sorted((data.draw(times), data.draw(times)))
    assert 44 <= axis.x(first) <= axis.x(second) <= 880 + 1e-6


@given(spans)
def test_whatever_the_pauses_what_was_covered_keeps_nearly_half_of_the_width(covered: list[Span]) -> None:
    axis = time_axis(covered, 0, 1000)
    assert sum(pause.right - pause.left for pause in axis.pauses) <= 300 + 1e-6
    merged = sorted((start, max(end, start + 1000)) for start, end in covered)
    shown, reached = 0.0, 0
    for start, end in merged:
        shown += max(0.0, axis.x(end) - axis.x(max(start, reached)))
        reached = max(reached, end)
    assert shown >= 480


def test_a_night_is_shortened_and_a_break_of_some_minutes_is_to_scale() -> None:
    day, later = BEGIN_MS + 10 * HOUR_MS, BEGIN_MS + 10 * HOUR_MS + 300_000
    night = later + 10 * HOUR_MS
    axis = time_axis([(BEGIN_MS, day), (later, night), (night + 14 * HOUR_MS, night + 24 * HOUR_MS)], 0, 900)
    (pause,) = axis.pauses
    assert (pause.start_ms, pause.end_ms) == (night, night + 14 * HOUR_MS)
    assert pause.right - pause.left == 26
    assert [piece.start_ms for piece in axis.drawn] == [BEGIN_MS, night + 14 * HOUR_MS]


def test_pauses_of_the_same_length_are_treated_alike() -> None:
    days = [(BEGIN_MS + 24 * HOUR_MS * day, BEGIN_MS + 24 * HOUR_MS * day + 10 * HOUR_MS) for day in range(5)]
    assert len(time_axis(days, 0, 900).pauses) == 4


def test_one_moment_is_an_axis_too() -> None:
    axis = time_axis([(BEGIN_MS, BEGIN_MS)], 0, 900)
    assert (axis.x(BEGIN_MS), axis.x(BEGIN_MS + 1000)) == (0, 900)
