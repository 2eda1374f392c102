"""Which of the flows that the checkpoint knew before are listed by this run's input: only these are called.

A flow that was taken out of the input must not be deleted because an earlier run has read it. So a temporary table
holds the known, unfinished flows that the input names; SQLite keeps it in a nameless file, so memory stays flat. Flows
that this run adds need no entry: their rows are newer than all others.

The functions take a connection, and run inside the caller's transaction.
"""

import json
import sqlite3
from collections.abc import Sequence

from flowreaper.model import Flow, Retry, State
from flowreaper.store.sqlite import columns
from flowreaper.store.sqlite.statements import CLAIM_COLUMNS, REOPEN, ManyRows, retry_condition
from flowreaper.store.sqlite.states import CLAIMED, IS_UNFINISHED, PENDING

# CROSS JOIN and unary "+" make SQLite look each given flow up by its id, not walk all unfinished flows.
_GIVEN = " FROM (VALUES {rows}) AS given CROSS JOIN flow ON (flow_id, cust_space_id) = (column1, column2)"

_LIST = ManyRows(
    "INSERT OR IGNORE INTO temp.listed (row) SELECT flow.id"
    + _GIVEN
    + f" WHERE +flow.id <= ? AND +flow.state {IS_UNFINISHED} ORDER BY flow.state DESC, flow.id",
    2,
    128,
)


def begin(db: sqlite3.Connection) -> int:
    """Make the table, empty; return the last row that the checkpoint holds already."""
    db.execute("CREATE TEMP TABLE listed (place INTEGER PRIMARY KEY, row INTEGER NOT NULL UNIQUE)")
    (last,) = db.execute("SELECT coalesce(max(id), 0) FROM flow").fetchone()
    return columns.number(last)


def reopen(db: sqlite3.Connection, flows: Sequence[Flow], last_known: int, retry: Retry) -> dict[State, int]:
    """Make those finished ones among `flows` pending that `retry` names, each once in a run; count them by state."""
    reopened = {}
    for state in retry.states:
        condition, parameters = retry_condition(Retry((state,), retry.codes))
        which = f"+flow.id <= ? AND {condition} AND flow.id NOT IN (SELECT row FROM temp.listed)"  # noqa: S608 -- constants and question marks
        text = f"{REOPEN} WHERE id IN (SELECT flow.id{_GIVEN} WHERE {which})"
        if count := ManyRows(text, 2, 128).run(db, flows, [last_known, *parameters]):
            reopened[state] = count
    return reopened


def enter(db: sqlite3.Connection, flows: Sequence[Flow], last_known: int) -> int:
    """Enter the unfinished ones among `flows`; return how many were not entered before."""
    return _LIST.run(db, flows, [last_known])


def unfinished(db: sqlite3.Connection, count: int) -> list[Flow]:
    """Return up to `count` unfinished flows in order of reading: claimed ones, which a crash left, then pending."""
    found: list[Flow] = []
    for state in (CLAIMED, PENDING):
        rows = db.execute(
            "SELECT flow_id, cust_space_id FROM flow WHERE state = ? AND code IS NULL ORDER BY id LIMIT ?",
            (state, count - len(found)),
        )
        found += [columns.flow(flow_id, space) for flow_id, space in rows]
    return found


def next_rows(db: sqlite3.Connection, after: int, count: int) -> tuple[int, list[list[object]]]:
    """Return the place of the last of the next listed flows, up to `count`, and these flows.

    `after` is the place of the last one taken before. Each flow is as in `statements.next_pending`.
    """
    (found,) = db.execute(
        f"SELECT json_group_array(json_array(place, {CLAIM_COLUMNS}))"  # noqa: S608 -- a constant
        " FROM (SELECT listed.place, flow.* FROM temp.listed CROSS JOIN flow ON flow.id = listed.row"
        f" WHERE listed.place > ? AND +flow.state {IS_UNFINISHED} ORDER BY listed.place LIMIT ?)",
        (after, count),
    ).fetchone()
    rows: list[list[object]] = json.loads(found)
    return (columns.number(rows[-1][0]) if rows else after), [row[1:] for row in rows]


def count_unlisted(db: sqlite3.Connection, last_known: int) -> int:
    """Return how many unfinished flows that were known before are not listed."""
    (count,) = db.execute(
        f"SELECT count(*) FROM flow WHERE state {IS_UNFINISHED} AND id <= ?"  # noqa: S608 -- a constant
        " AND id NOT IN (SELECT row FROM temp.listed)",
        (last_known,),
    ).fetchone()
    return columns.number(count)


def spaces(db: sqlite3.Connection, last_known: int | None) -> list[str]:
    """Return the spaces of the unfinished flows that are listed; of all where `last_known` is None."""
    which = "" if last_known is None else " AND (id > ?1 OR id IN (SELECT row FROM temp.listed))"
    found = db.execute(
        f"SELECT DISTINCT cust_space_id FROM flow WHERE +state {IS_UNFINISHED}{which}",  # noqa: S608 -- constants
        () if last_known is None else (last_known,),
    )
    return [columns.text(space) for (space,) in found]
