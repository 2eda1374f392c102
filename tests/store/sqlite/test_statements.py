"""Many rows in few steps, and the same rows as one at a time."""

import sqlite3
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowreaper.store.sqlite import schema, statements

ROWS = 200


def steps_of(db: sqlite3.Connection, rows: list[tuple[object, ...]], statement: statements.ManyRows) -> int:
    """Run a statement; return how many SQL statements that took."""
    seen: list[str] = []
    db.set_trace_callback(seen.append)
    statement.run(db, rows)
    db.set_trace_callback(None)
    return len(seen)


def plan_of(db: sqlite3.Connection, sql: str, values: Sequence[object] = ()) -> list[str]:
    """Return the steps of a query plan, in the words of newer SQLites."""
    return [row[3].replace("TABLE ", "") for row in db.execute(f"EXPLAIN QUERY PLAN {sql}", values)]


def given_flows(number: int) -> list[tuple[object, ...]]:
    """Return rows for ADD, with the ids from 1 on."""
    return [(f"{row}", "space", 1, row) for row in range(1, number + 1)]


@pytest.fixture
def db() -> Iterator[sqlite3.Connection]:
    """Give a database with claimed flows whose rows are 1 to ROWS."""
    made = sqlite3.connect(":memory:", isolation_level=None)
    schema.create(made)
    statements.ADD.run(made, given_flows(ROWS))
    made.execute("UPDATE flow SET state = 1")
    yield made
    made.close()


@given(st.integers(0, 1200))
def test_any_number_of_rows_is_added_in_order(number: int) -> None:
    db = sqlite3.connect(":memory:", isolation_level=None)
    schema.create(db)
    assert statements.ADD.run(db, given_flows(number)) == number
    found = db.execute("SELECT id, flow_id, cust_space_id, source, line, state FROM flow ORDER BY id")
    assert found.fetchall() == [(row, f"{row}", "space", 1, row, 0) for row in range(1, number + 1)]
    db.close()


def test_only_new_rows_are_counted(db: sqlite3.Connection) -> None:
    assert statements.ADD.run(db, given_flows(ROWS + 3)) == 3
    assert statements.ADD.run(db, [("new", "", 1, 1), ("new", "", 1, 2)]) == 1


@pytest.mark.parametrize(
    ("statement", "row"),
    [
        (statements.ADD, (1, "", 1, 1)),
        (statements.RELEASE, (1, 0, 0)),
        (statements.FINISH, (1, 2, 0, 0, 1, 200, "OK", None, None, 0)),
    ],
)
def test_a_hundred_rows_take_three_steps_of_few_parameters(
    db: sqlite3.Connection, statement: statements.ManyRows, row: tuple[object, ...]
) -> None:
    db.setlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, 999)
    assert steps_of(db, [(number, *row[1:]) for number in range(1, 101)], statement) == 3
    statement.run(db, [(number, *row[1:]) for number in range(1, 2001)])


@given(st.sets(st.integers(1, ROWS + 20)), st.sets(st.integers(1, ROWS)))
def test_each_claimed_row_gets_its_own_outcome_and_no_other_row_changes(
    finished: set[int], unclaimed: set[int]
) -> None:
    db = sqlite3.connect(":memory:", isolation_level=None)
    schema.create(db)
    statements.ADD.run(db, given_flows(ROWS))
    statements.claim(db, [row for row in range(1, ROWS + 1) if row not in unclaimed])
    rows = [
        (row, 2 + row % 4, row % 2, row % 3, row, 200, f"code {row}", None, f"id {row}", row)
        for row in finished
    ]
    done = {row for row in finished if row <= ROWS} - unclaimed
    assert statements.FINISH.run(db, rows) == len(done)
    found = db.execute(
        "SELECT id, state, inferred, in_doubt, attempts, http_status, code, message, request_id, finished_at_ms"
        " FROM flow WHERE state > 1 ORDER BY id"
    )
    assert found.fetchall() == sorted(row for row in rows if row[0] in done)
    states = dict(db.execute("SELECT id, state FROM flow WHERE state <= 1"))
    assert states == {row: int(row not in unclaimed) for row in range(1, ROWS + 1) if row not in done}
    db.close()


def test_a_row_that_is_finished_twice_counts_once(db: sqlite3.Connection) -> None:
    row = (1, 2, 0, 0, 1, 200, "OK", None, None, 0)
    assert statements.FINISH.run(db, [row, row]) == 1


@given(st.sets(st.integers(1, ROWS)))
def test_released_rows_are_pending_with_their_attempts_and_doubts(released: set[int]) -> None:
    db = sqlite3.connect(":memory:", isolation_level=None)
    schema.create(db)
    statements.ADD.run(db, given_flows(ROWS))
    statements.claim(db, [*range(1, ROWS + 1)])
    assert statements.RELEASE.run(db, [(row, row, row % 2) for row in released]) == len(released)
    found = db.execute("SELECT id, attempts, in_doubt FROM flow WHERE state = 0 ORDER BY id")
    assert found.fetchall() == [(row, row, row % 2) for row in sorted(released)]
    assert db.execute("SELECT count(*) FROM flow WHERE state = 1").fetchone() == (ROWS - len(released),)
    db.close()


@pytest.mark.parametrize("statement", [statements.RELEASE, statements.FINISH])
def test_rows_are_found_by_their_ids_however_many_are_claimed(
    db: sqlite3.Connection, statement: statements.ManyRows
) -> None:
    plan = [
        row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {statement._texts[1]}", [1] * statement.columns)
    ]
    assert plan[0] == "SEARCH flow USING INTEGER PRIMARY KEY (rowid=?)"


@pytest.mark.parametrize("wanted", [[], [1], [7, 3, 5], [*range(1, ROWS + 1)]])
def test_any_number_of_rows_is_claimed_in_one_step_that_finds_them_by_their_ids(
    db: sqlite3.Connection, wanted: list[int]
) -> None:
    db.execute("UPDATE flow SET state = 0")
    seen: list[str] = []
    db.set_trace_callback(seen.append)
    assert statements.claim(db, [*wanted, ROWS + 1]) == len(wanted)
    db.set_trace_callback(None)
    assert [row for (row,) in db.execute("SELECT id FROM flow WHERE state = 1 ORDER BY id")] == sorted(wanted)
    assert len(seen) == 1
    assert plan_of(db, seen[0])[0] == "SEARCH flow USING INTEGER PRIMARY KEY (rowid=?)"


def test_pending_rows_come_in_order_of_reading(db: sqlite3.Connection) -> None:
    db.execute("UPDATE flow SET state = 0 WHERE id % 10 = 0")
    found = statements.next_pending(db, 20, 3)
    assert found == [[row, f"{row}", "space", 0, 0, 1, row] for row in (30, 40, 50)]
    assert statements.next_pending(db, ROWS, 3) == []


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_any_text_comes_back_as_it_was_kept(text: str) -> None:
    db = sqlite3.connect(":memory:", isolation_level=None)
    schema.create(db)
    statements.ADD.run(db, [(text, text[::-1], 1, 1)])
    assert statements.next_pending(db, 0, 1) == [[1, text, text[::-1], 0, 0, 1, 1]]
    db.close()


def test_what_is_pending_is_found_by_its_index(db: sqlite3.Connection) -> None:
    seen: list[str] = []
    db.set_trace_callback(seen.append)
    statements.next_pending(db, 0, 3)
    db.set_trace_callback(None)
    plan = plan_of(db, seen[0])
    assert "SEARCH flow USING INDEX progress (state=? AND code=? AND rowid>?)" in plan
    assert not [step for step in plan if "TEMP B-TREE" in step]
