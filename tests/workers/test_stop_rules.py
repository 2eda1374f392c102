"""The brakes on a job that finds nothing, and on one that is refused everything."""

from hypothesis import given
from hypothesis import strategies as st

from flowreaper.model import Reply, State
from flowreaper.workers.stop_rules import AbsenceBrake, RefusalStreak

ENDS = st.lists(
    st.tuples(st.sampled_from([State.ABSENT, State.DELETED, State.REFUSED, State.GAVE_UP]), st.booleans())
)


def test_the_rows_before_the_last_are_not_final_after_all() -> None:
    brake = AbsenceBrake(3, has_deleted=False)
    assert [brake.record(row, State.ABSENT, inferred=False) for row in (7, 8)] == [(), ()]
    assert not brake.engaged
    assert brake.record(9, State.ABSENT, inferred=False) == (7, 8)
    assert brake.engaged


def test_a_flow_that_was_found_absent_may_reopen_until_another_answer_proves_the_account() -> None:
    brake = AbsenceBrake(3, has_deleted=False)
    brake.record(7, State.ABSENT, inferred=False)
    assert brake.may_reopen(7)
    brake.record(8, State.REFUSED, inferred=False)
    assert not brake.may_reopen(7)
    for row in (9, 10, 11):
        brake.record(row, State.ABSENT, inferred=False)
    brake.record(12, State.DELETED, inferred=False)  # its call was in progress when the brake engaged
    assert [row for row in range(7, 13) if brake.may_reopen(row)] == [9, 10]


def test_a_limit_of_one_stops_at_the_first() -> None:
    brake = AbsenceBrake(1, has_deleted=False)
    assert brake.record(7, State.ABSENT, inferred=False) == ()
    assert brake.engaged


def test_flows_that_earlier_runs_found_absent_count() -> None:
    brake = AbsenceBrake(3, has_deleted=False, before=[1, 2, 3])
    assert brake.record(7, State.ABSENT, inferred=False) == (2, 3)
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
        before = brake.record(row, state, inferred=inferred)
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


def test_the_error_of_the_absence_brake_counts_the_flows_and_quotes_the_last_answer() -> None:
    reply = Reply(400, "Flow.NotExist", "gone\x1b[2J", "R-1")
    error = str(AbsenceBrake(3, has_deleted=False).error(reply))
    assert error.startswith("3 flows in a row do not exist")
    assert "Flow.NotExist (HTTP 400, request id R-1): gone" in error
    assert "\x1b" not in error


CODES = st.sampled_from(["Unknown.ResourceOwnerId", "Flow.StatusInvalid"])
STATES = st.sampled_from([State.REFUSED, State.REFUSED, State.DELETED, State.ABSENT])


@given(st.lists(st.tuples(STATES, CODES)), st.integers(0, 4))
def test_refusals_stop_the_run_exactly_when_as_many_in_a_row_have_the_same_code(
    ends: list[tuple[State, str]], limit: int
) -> None:
    streak = RefusalStreak(limit)
    in_a_row: list[str] = []
    for state, code in ends:
        error = streak.record(state, Reply(400, code))
        if state is not State.REFUSED:
            in_a_row.clear()
        elif in_a_row and in_a_row[-1] != code:
            in_a_row = [code]
        else:
            in_a_row.append(code)
        assert (error is not None) is (state is State.REFUSED and bool(limit) and len(in_a_row) == limit)


def test_the_error_of_a_refusal_streak_counts_the_flows_and_quotes_the_last_answer() -> None:
    streak = RefusalStreak(2)
    reply = Reply(400, "Flow.StatusInvalid", "no\x1b[2J", "R-1")
    assert streak.record(State.REFUSED, reply) is None
    error = str(streak.record(State.REFUSED, reply))
    assert error.startswith("2 flows in a row were refused with the same code")
    assert "Flow.StatusInvalid (HTTP 400, request id R-1): no" in error
    assert "\x1b" not in error
