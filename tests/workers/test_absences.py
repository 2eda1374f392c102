"""The brake on a job that finds nothing."""

from hypothesis import given
from hypothesis import strategies as st

from flowreaper.model import State
from flowreaper.workers.absences import AbsenceBrake

ENDS = st.lists(
    st.tuples(st.sampled_from([State.ABSENT, State.DELETED, State.REFUSED, State.GAVE_UP]), st.booleans())
)


def test_the_rows_before_the_last_are_not_final_after_all() -> None:
    brake = AbsenceBrake(3, has_deleted=False)
    assert [brake.ended(row, State.ABSENT, inferred=False) for row in (7, 8)] == [(), ()]
    assert not brake.engaged
    assert brake.ended(9, State.ABSENT, inferred=False) == (7, 8)
    assert brake.engaged


def test_a_limit_of_one_stops_at_the_first() -> None:
    brake = AbsenceBrake(1, has_deleted=False)
    assert brake.ended(7, State.ABSENT, inferred=False) == ()
    assert brake.engaged


def test_flows_that_earlier_runs_found_absent_count() -> None:
    brake = AbsenceBrake(3, has_deleted=False, before=[1, 2, 3])
    assert brake.ended(7, State.ABSENT, inferred=False) == (2, 3)
    assert brake.engaged
    assert not AbsenceBrake(1, has_deleted=False, before=[1, 2]).engaged


@given(ENDS, st.integers(0, 4), st.booleans())
def test_it_engages_exactly_after_as_many_absences_in_a_row_without_a_deletion(
    ends: list[tuple[State, bool]],
    limit: int,
    has_deleted: bool,  # noqa: FBT001 -- hypothesis fills it in
) -> None:
    brake = AbsenceBrake(limit, has_deleted=has_deleted)
    in_a_row: list[int] = []
    for row, (state, inferred) in enumerate(ends):
        inferred = inferred and state is State.DELETED  # noqa: PLW2901 -- only a deletion is inferred
        before = brake.ended(row, state, inferred=inferred)
        if state is State.ABSENT:
            in_a_row.append(row)
        elif not inferred:
            in_a_row.clear()
            has_deleted |= state is State.DELETED
        engages = bool(limit) and not has_deleted and len(in_a_row) == limit
        assert brake.engaged is engages
        assert before == (tuple(in_a_row[:-1]) if engages else ())
        if engages:
            return
