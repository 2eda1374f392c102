"""Who may take the next turn, and what is kept for that: whatever a file holds, the law stays."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowreaper.sharing import Account, Sharer, is_near, json_of, read, turn_wait_s

NOW = 1000.0
TIMES = st.floats(NOW - 50, NOW)
RUNS = st.builds(
    lambda seen, sent, gap, stretch: Sharer(max(seen, sent), sent, gap, stretch),
    TIMES,
    TIMES,
    st.sampled_from([0.02, 0.2, 1.0]),
    st.floats(0.0, 1.0),
)
NAMES = st.text("abc", min_size=1, max_size=3)


def sharer(seen_at: float, sent_at: float, even_gap_s: float = 0.2, stretch_s: float = 0.0) -> Sharer:
    return Sharer(seen_at, sent_at, even_gap_s, stretch_s)


@given(
    st.dictionaries(
        NAMES,
        st.builds(
            lambda left, turns, runs, leaving: Account(
                sorted(left), turns, runs, {name: sorted(leaving) for name in list(runs)[:1] if leaving}
            ),
            st.lists(TIMES, max_size=50),
            st.integers(0, 2**52),
            st.dictionaries(NAMES, RUNS, min_size=1, max_size=3),
            st.lists(TIMES, max_size=5),
        ),
        max_size=3,
    )
)
def test_what_is_kept_is_read_as_it_was(accounts: dict[str, Account]) -> None:
    assert read(json_of(accounts), NOW) == accounts


def test_an_account_without_a_run_of_the_last_minute_is_forgotten() -> None:
    accounts = {"a": Account([900.0], 1, {"r": sharer(939.0, 900.0)}), "b": Account([1.0], 1, {})}
    assert read(json_of(accounts), NOW) == {}


@pytest.mark.parametrize(
    "leaving",
    [None, 7, "x", [], {"gone": [999.0]}, {"r": None}, {"r": [None, "x", 1e9, -1.0, math.nan]}],
)
def test_turns_under_way_that_make_no_sense_hold_nobody(leaving: object) -> None:
    account = {"left": [], "turns": 0, "runs": {"r": [999.0, 999.0, 0.2, 0.0]}, "leaving": leaving}
    found = read(json.dumps({"a": account}).encode(), NOW)
    assert not any(found["a"].leaving.values())


@given(
    st.lists(st.floats(NOW - 3, NOW), max_size=50).map(sorted),
    st.integers(0, 60),
    st.lists(RUNS, max_size=3),
    RUNS,
)
def test_a_second_never_holds_more_than_its_slices_wherever_the_calls_under_way_leave(
    left: list[float], leaving: int, others: list[Sharer], mine: Sharer
) -> None:
    mine = mine._replace(seen_at=NOW)
    wait_s = turn_wait_s(mine, others, left, leaving)
    slices = round(1 / min(run.even_gap_s for run in (mine, *others)))
    if wait_s == math.inf:
        assert leaving >= slices
        return
    # The worst that can come: all of them, and this one, leave at the very moment when it may begin.
    begins_at = NOW + max(0.0, wait_s)
    in_a_second = sum(at > begins_at - 1 + 1e-9 for at in left) + leaving + 1
    assert in_a_second <= slices


def test_turns_of_two_runs_come_a_gap_apart_and_who_waits_comes_first() -> None:
    one, other = sharer(10.0, 9.9), sharer(10.0, 9.0)
    assert turn_wait_s(one, [other], [9.0, 9.9], 0) == pytest.approx(0.103)
    assert turn_wait_s(other, [one], [9.0, 9.9], 0) == pytest.approx(0.1)


def test_a_turn_that_was_taken_and_has_not_left_is_followed_by_a_whole_gap() -> None:
    assert turn_wait_s(sharer(10.0, 9.0), [sharer(9.9, 9.9)], [9.0], 1) == pytest.approx(0.1)


def test_a_lone_run_waits_for_its_second_alone() -> None:
    assert turn_wait_s(sharer(10.0, 9.99), [], [9.1, 9.3, 9.5, 9.99], 0) < 0
    assert turn_wait_s(sharer(10.0, 9.99), [], [9.1, 9.3, 9.5, 9.7, 9.99], 0) == pytest.approx(0.1)


@pytest.mark.parametrize(("even_gap_s", "stretch_s", "gone_after_s"), [(0.2, 0.0, 2.0), (5.0, 0.5, 22.5)])
def test_a_run_is_near_for_two_seconds_or_three_of_its_gaps(
    even_gap_s: float, stretch_s: float, gone_after_s: float
) -> None:
    run = sharer(100.0, 100.0, even_gap_s, stretch_s)
    nears = [is_near(run, 100.0 + at) for at in (-0.1, 0.0, gone_after_s - 0.01, gone_after_s)]
    assert nears == [False, True, True, False]
