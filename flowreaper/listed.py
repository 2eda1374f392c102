"""Which flows that the checkpoint knew before this run's input lists: the only ones of them that are called.

A flow that was taken out of the input must not be deleted because an earlier run has read it. So each known,
unfinished flow is entered into a temporary table when the input names it; SQLite keeps that table in a nameless
file, so memory stays flat. Flows that this run itself adds need no entry: their rows are newer than all others.

A file that has not changed since it was last read to its end need not be read again to know that it lists its
flows: the job keeps a *key* for each source, made of the file's digest and of how it is read. What holds of a
source with a key: every unfinished flow of that source is listed by the content that the key stands for.

Functions on a connection that is passed in; they run inside the caller's transaction.
"""

import json
import sqlite3
from collections.abc import Sequence

from flowreaper import schema
from flowreaper.model import Retry
from flowreaper.statements import REOPEN, ManyRows, retry_condition

MOST_AT_ONCE = 10_000
"""Flows that an unchanged source lists before it is read: half an hour of calls, for some 10 ms."""

_KEY = "input:"
# CROSS JOIN and "+": each given flow is looked up by its id. Without them SQLite might walk all unfinished flows.
_GIVEN = " FROM (VALUES {rows}) AS given CROSS JOIN flow ON (flow_id, cust_space_id) = (column1, column2)"

_LIST = ManyRows(
    # `column3` is the source that lists it now, `flow.source` the one that named it first.
    "INSERT OR IGNORE INTO temp.listed (row, source) SELECT flow.id, column3"
    + _GIVEN
    + " WHERE +flow.id <= ? AND +flow.state < 2 ORDER BY flow.state DESC, flow.id",
    3,
    128,
)


def begin(db: sqlite3.Connection) -> int:
    """Make the table, empty; return the last row that was known before."""
    db.execute(
        "CREATE TEMP TABLE listed (place INTEGER PRIMARY KEY, row INTEGER NOT NULL UNIQUE, source INTEGER)"
    )
    (last,) = db.execute("SELECT coalesce(max(id), 0) FROM flow").fetchone()
    return schema.number(last)


def enter(
    db: sqlite3.Connection, flows: Sequence[tuple[str, str, int]], last_known: int, retry: Retry
) -> int:
    """Enter the unfinished ones among `flows`, each as flow_id, cust_space_id, source; return how many are new here.

    Finished ones that `retry` names are made pending again first, each once in a run.
    """
    if retry:
        condition, parameters = retry_condition(retry)
        which = f"+flow.id <= ? AND {condition} AND flow.id NOT IN (SELECT row FROM temp.listed)"  # noqa: S608 -- constants and question marks
        reopen = f"{REOPEN} WHERE id IN (SELECT flow.id{_GIVEN} WHERE {which})"
        ManyRows(reopen, 3, 128).run(db, flows, [last_known, *parameters])
    return _LIST.run(db, flows, [last_known])


def enter_source(db: sqlite3.Connection, source: int) -> int:
    """Enter the unfinished flows of a source that is known to list them all, up to MOST_AT_ONCE; return how many."""
    before = db.total_changes
    for state in (1, 0):  # those that a crash left claimed come first
        db.execute(
            "INSERT OR IGNORE INTO temp.listed (row, source) SELECT id, source FROM flow"
            " WHERE state = ? AND code IS NULL AND source = ? ORDER BY id LIMIT ?",
            (state, source, MOST_AT_ONCE),
        )
    return db.total_changes - before


def next_rows(db: sqlite3.Connection, after: int, count: int) -> tuple[int, list[list[object]]]:
    """Return up to `count` listed flows that come next, and the place of the last of them.

    `after` is the place up to which they were taken. Each flow as `statements.next_pending` has it.
    """
    (found,) = db.execute(
        "SELECT json_group_array(json_array(place, id, flow_id, cust_space_id, attempts, in_doubt, source, line))"
        " FROM (SELECT listed.place, flow.* FROM temp.listed CROSS JOIN flow ON flow.id = listed.row"
        " WHERE listed.place > ? AND +flow.state < 2 ORDER BY listed.place LIMIT ?)",
        (after, count),
    ).fetchone()
    rows: list[list[object]] = json.loads(found)
    return (schema.number(rows[-1][0]) if rows else after), [row[1:] for row in rows]


def count_unlisted(db: sqlite3.Connection, last_known: int) -> int:
    """Return how many unfinished flows that were known before are not listed."""
    (count,) = db.execute(
        "SELECT count(*) FROM flow WHERE state < 2 AND id <= ? AND id NOT IN (SELECT row FROM temp.listed)",
        (last_known,),
    ).fetchone()
    return schema.number(count)


def lists_all_of(db: sqlite3.Connection, source: int, last_known: int) -> bool:
    """Return whether this source itself lists every unfinished flow that it named in earlier runs."""
    (missing,) = db.execute(
        "SELECT EXISTS (SELECT 1 FROM flow WHERE state < 2 AND source = ? AND id <= ?"
        " AND id NOT IN (SELECT row FROM temp.listed WHERE source = ?))",
        (source, last_known, source),
    ).fetchone()
    return not missing


def key_of(db: sqlite3.Connection, source: str) -> str:
    """Return the key that is kept for a source; empty if there is none."""
    found = db.execute("SELECT value FROM job WHERE name = ?", (_KEY + source,)).fetchone()
    return schema.text(found[0]) if found else ""


def keep_key(db: sqlite3.Connection, source: str, key: str) -> None:
    """Keep a source's key in place of the one before."""
    db.execute("INSERT OR REPLACE INTO job (name, value) VALUES (?, ?)", (_KEY + source, key))


def forget_key(db: sqlite3.Connection, source: str) -> None:
    """Forget a source's key: flows are about to be added that its content does not list."""
    db.execute("DELETE FROM job WHERE name = ?", (_KEY + source,))


def forget_keys(db: sqlite3.Connection) -> None:
    """Forget the keys of all sources: finished flows become unfinished that no content need list."""
    db.execute("DELETE FROM job WHERE substr(name, 1, ?) = ?", (len(_KEY), _KEY))
