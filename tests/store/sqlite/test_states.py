"""The numbers of states, which no version may change."""

import contextlib
import sqlite3

import pytest

from flowreaper.model import UNFINISHED, State
from flowreaper.store.sqlite import states


def test_a_states_number_in_the_file_never_changes() -> None:
    names = ["pending", "claimed", "deleted", "absent", "refused", "gave_up", "kept"]
    assert [state.value for state in states.STATES] == names
    assert {state.value: number for state, number in states.NUMBER.items()} == {
        name: number for number, name in enumerate(names)
    }


@pytest.mark.parametrize("state", states.STATES)
def test_each_comparison_holds_for_its_states_alone(state: State) -> None:
    number = states.NUMBER[state]
    with contextlib.closing(sqlite3.connect(":memory:")) as db:
        holds = {
            comparison: bool(db.execute(f"SELECT ? {comparison}", (number,)).fetchone()[0])
            for comparison in (states.IS_PENDING, states.IS_CLAIMED, states.IS_UNFINISHED, states.IS_FINAL)
        }
    assert holds == {
        states.IS_PENDING: state is State.PENDING,
        states.IS_CLAIMED: state is State.CLAIMED,
        states.IS_UNFINISHED: state in UNFINISHED,
        states.IS_FINAL: state.final,
    }
