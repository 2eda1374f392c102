"""SQL statements that change or read many rows in one step, on a connection that is passed in.

The sqlite3 module releases the GIL at each step of a statement. A thread that takes one step a row (executemany, rows
fetched one by one) switches with the event loop's thread each time, which costs both more than the SQL does: 0.07 ms a
flow, where the SQL takes 0.01 ms (`tests.benchmarks`, from 2,000 flows a second on).
"""

import json
import sqlite3
from collections.abc import Sequence
from itertools import chain

from flowreaper.model import Outcome, Retry, State
from flowreaper.store.selection import Selection
from flowreaper.store.sqlite import columns
from flowreaper.store.sqlite.states import (
    CLAIMED,
    IS_CLAIMED,
    IS_FINAL,
    IS_PENDING,
    IS_UNFINISHED,
    NUMBER,
    PENDING,
    STATES,
)


class ManyRows:
    """A statement with a list of VALUES in place of ``{rows}``; each row has `columns` values.

    One step changes up to `most_rows` rows, a power of two: any number of rows then takes few steps, of few different
    statements, which stay prepared.
    """

    def __init__(self, text: str, columns: int, most_rows: int) -> None:
        self.columns = columns
        self._most_rows = most_rows
        row = f"({', '.join('?' * columns)})"
        self._texts = {
            count: text.format(rows=", ".join([row] * count))
            for count in (1 << power for power in range(most_rows.bit_length()))
        }

    def run(
        self, db: sqlite3.Connection, rows: Sequence[Sequence[object]], more: Sequence[object] = ()
    ) -> int:
        """Run it with these rows, in their order; return how many rows of tables were changed.

        `more` are the parameters that follow those of the rows.
        """
        before = db.total_changes
        start = 0
        while left := len(rows) - start:
            count = min(self._most_rows, 1 << (left.bit_length() - 1))
            db.execute(self._texts[count], (*chain.from_iterable(rows[start : start + count]), *more))
            start += count
        return db.total_changes - before


# No step has more than 999 parameters, which every SQLite takes ("Limits In SQLite").
ADD = ManyRows("INSERT OR IGNORE INTO flow (flow_id, cust_space_id, source, line) VALUES {rows}", 4, 128)

ADD_INVALID = "INSERT OR IGNORE INTO invalid (text, reason, source, line, found_at_ms) VALUES (?, ?, ?, ?, ?)"

# Only claimed rows change. Unary "+" keeps SQLite off the (state, code) index, so rows are found by primary key. Each
# row searches all the given ones for its values, so more than 64 of them would cost more than they save.
RELEASE = ManyRows(
    "WITH given (id, attempts, in_doubt) AS (VALUES {rows})"  # noqa: S608 -- constants
    f" UPDATE flow SET state = {PENDING},"
    " (attempts, in_doubt) = (SELECT attempts, in_doubt FROM given WHERE given.id = flow.id)"
    f" WHERE id IN (SELECT id FROM given) AND +state {IS_CLAIMED}",
    3,
    64,
)

_OUTCOME = "state, inferred, in_doubt, attempts, http_status, code, message, request_id, finished_at_ms"

_FINISH = (
    f"WITH given (id, {_OUTCOME}) AS (VALUES {{rows}})"  # noqa: S608 -- constants
    f" UPDATE flow SET ({_OUTCOME}) = (SELECT {_OUTCOME} FROM given WHERE given.id = flow.id)"
    " WHERE id IN (SELECT id FROM given) AND +state "
)
FINISH = ManyRows(_FINISH + IS_CLAIMED, 10, 64)
FINISH_UNSENT = ManyRows(_FINISH + IS_UNFINISHED, 10, 64)
"""For flows that this run did not claim."""


CLAIM_COLUMNS = "id, flow_id, cust_space_id, attempts, in_doubt, source, line"


def claim(db: sqlite3.Connection, rows: Sequence[int]) -> int:
    """Mark these rows as claimed, in one step; return how many there are."""
    return db.execute(
        f"UPDATE flow SET state = {CLAIMED} WHERE id IN (SELECT value FROM json_each(?))",  # noqa: S608 -- a constant
        (json.dumps(rows),),
    ).rowcount


def mark_claimed_in_doubt(db: sqlite3.Connection) -> list[int]:
    """Put all claimed flows in doubt; return their rows in order of reading."""
    db.execute(f"UPDATE flow SET in_doubt = 1 WHERE state {IS_CLAIMED}")  # noqa: S608 -- a constant
    found = db.execute(f"SELECT id FROM flow WHERE state {IS_CLAIMED} ORDER BY id")  # noqa: S608 -- a constant
    return [row for (row,) in found]


def unfinished_row(db: sqlite3.Connection, row: int) -> Sequence[object] | None:
    """Return this row where it is unfinished, as `next_pending` has it; else None."""
    found: Sequence[object] | None = db.execute(
        f"SELECT {CLAIM_COLUMNS} FROM flow WHERE id = ? AND state {IS_UNFINISHED}",  # noqa: S608 -- constants
        (row,),
    ).fetchone()
    return found


def next_pending(db: sqlite3.Connection, after: int, count: int) -> list[list[object]]:
    """Return up to `count` pending rows after the row `after`, in order of reading.

    Each has the values of `CLAIM_COLUMNS`, of any type, as the file holds them.
    """
    # Pending rows have no code, so the index (state, code, id) has them in order.
    (found,) = db.execute(
        f"SELECT json_group_array(json_array({CLAIM_COLUMNS}))"  # noqa: S608 -- a constant
        f" FROM (SELECT * FROM flow WHERE state {IS_PENDING} AND code IS NULL AND id > ? ORDER BY id LIMIT ?)",
        (after, count),
    ).fetchone()
    rows: list[list[object]] = json.loads(found)
    return rows


def outcome_row(outcome: Outcome) -> tuple[int | str | None, ...]:
    """Return an outcome as a row for `FINISH`."""
    reply = outcome.reply
    return (
        outcome.claim.row,
        NUMBER[outcome.state],
        # A bool would cost 0.2 us: sqlite3 looks for an adapter of any type but its own.
        int(outcome.inferred),
        int(outcome.in_doubt),
        outcome.attempts,
        reply.status or None,
        reply.code or None,
        reply.message or None,
        reply.request_id or None,
        outcome.finished_at_ms,
    )


REOPEN = (
    f"UPDATE flow SET state = {PENDING}, attempts = 0, inferred = 0, http_status = NULL, code = NULL, message = NULL,"  # noqa: S608 -- a constant
    " request_id = NULL, finished_at_ms = NULL"
)


def reopen(db: sqlite3.Connection, retry: Retry) -> int:
    """Make the flows that `retry` names pending, with no attempts, `in_doubt` unchanged; return how many."""
    which, parameters = retry_condition(retry)
    return db.execute(f"{REOPEN} WHERE {which}", parameters).rowcount


def reopen_rows(db: sqlite3.Connection, rows: Sequence[int]) -> int:
    """Make these rows pending where they are final; return how many were."""
    return db.execute(
        f"{REOPEN} WHERE id IN (SELECT value FROM json_each(?)) AND +state {IS_FINAL}",  # noqa: S608 -- a constant
        (json.dumps(rows),),
    ).rowcount


def retry_condition(retry: Retry, table: str = "flow") -> tuple[str, list[object]]:
    """Return the SQL condition for the rows of `table` that `retry` names, and its parameters."""
    marks = ", ".join("?" * len(retry.states))
    condition = f"{table}.state IN ({marks})"
    parameters: list[object] = [NUMBER[state] for state in retry.states]
    if retry.codes:
        condition += f" AND {table}.code IN ({', '.join('?' * len(retry.codes))})"
        parameters += retry.codes
    return condition, parameters


IS_REMAINING = "(id, finished_at_ms) IN (SELECT flow, finished_at_ms FROM remaining)"
"""The SQL condition for the flows that remain; one that was called again since the look at it has ended anew."""


def selected_flows(wanted: Selection) -> tuple[str, list[object]]:
    """Return the SQL condition for the flows that a selection wants, and its parameters."""
    conditions: list[str] = []
    parameters: list[object] = []
    # Every state, where codes alone are asked for: the index begins with the state.
    if states := wanted.states or (STATES if wanted.codes else ()):
        numbers = [NUMBER[state] for state in states if state in NUMBER]
        conditions.append(f"state IN ({', '.join('?' * len(numbers))})")
        parameters += numbers
    if wanted.codes:
        marks = ", ".join("?" * len(wanted.codes))
        conditions.append(f"(code IN ({marks}){' OR code IS NULL' if '' in wanted.codes else ''})")
        parameters += wanted.codes
    if wanted.spaces:
        conditions.append(f"cust_space_id IN ({', '.join('?' * len(wanted.spaces))})")
        parameters += wanted.spaces
    if wanted.since_ms is not None:
        conditions.append("finished_at_ms >= ?")
        parameters.append(wanted.since_ms)
    if wanted.remaining:
        conditions.append(IS_REMAINING)
    return " AND ".join(conditions) or "TRUE", parameters


def count_by_state(db: sqlite3.Connection) -> dict[State, int]:
    """Return how many flows and invalid lines are in each state that occurs."""
    states = db.execute("SELECT state, count(*) FROM flow GROUP BY state").fetchall()
    found = {columns.state(state): count for state, count in states}
    (invalid,) = db.execute("SELECT count(*) FROM invalid").fetchone()
    return found | ({State.INVALID: invalid} if invalid else {})


def any_with_code(db: sqlite3.Connection, state: State, code: str) -> bool:
    """Return whether a flow is in this state with this code."""
    found = db.execute(
        "SELECT EXISTS (SELECT 1 FROM flow WHERE state = ? AND code = ?)", (NUMBER[state], code)
    )
    return bool(found.fetchone()[0])


def latest_absent(db: sqlite3.Connection, count: int) -> list[int]:
    """Return the rows of up to `count` flows that ended as absent after every other outcome, in the order of ending."""
    (other,) = db.execute(
        "SELECT coalesce(max(finished_at_ms), 0) FROM flow"  # noqa: S608 -- a constant
        f" WHERE state {IS_FINAL} AND state <> ? AND inferred = 0",
        (NUMBER[State.ABSENT],),
    ).fetchone()
    found = db.execute(
        "SELECT id FROM flow WHERE state = ? AND finished_at_ms >= ? ORDER BY finished_at_ms DESC, id DESC LIMIT ?",
        (NUMBER[State.ABSENT], other, count),
    )
    return [columns.number(row) for (row,) in found][::-1]


def any_answered(db: sqlite3.Connection) -> bool:
    """Return whether a flow is final by a reply of the service that has a code."""
    found = db.execute(f"SELECT EXISTS (SELECT 1 FROM flow WHERE state {IS_FINAL} AND code IS NOT NULL)")  # noqa: S608 -- a constant
    return bool(found.fetchone()[0])
