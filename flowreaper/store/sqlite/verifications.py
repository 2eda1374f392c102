"""Verifications as rows: `Verifications` finds the flows to check and settles them, the functions read what it kept."""

import json
import sqlite3
from collections.abc import Sequence

from flowreaper.errors import CheckpointError
from flowreaper.model import State
from flowreaper.store.sqlite import columns
from flowreaper.store.sqlite.database import Database
from flowreaper.store.sqlite.schema import version
from flowreaper.store.sqlite.statements import IS_REMAINING, REOPEN
from flowreaper.store.sqlite.states import IS_CLAIMED, IS_UNFINISHED, NUMBER
from flowreaper.store.verification import (
    Checked,
    CheckResult,
    Remaining,
    Suspect,
    Verification,
    VerificationMethod,
)

SAMPLE = 40
"""How many of the remaining flows `remaining` returns."""

FIRST_VERSION = 3
"""The first version of a checkpoint that has verifications."""

_DELETED, _ABSENT, _KEPT = NUMBER[State.DELETED], NUMBER[State.ABSENT], NUMBER[State.KEPT]
_REFUSED, _GAVE_UP = NUMBER[State.REFUSED], NUMBER[State.GAVE_UP]

# The unary "+" keeps SQLite on the rows' order, in which they are read piece by piece.
_IN_DOUBT = (
    f"(+state {IS_CLAIMED}"
    f" OR (in_doubt = 1 AND (+state {IS_UNFINISHED} OR +state IN ({_REFUSED}, {_GAVE_UP}))))"
)
_GONE = f"+state IN ({_DELETED}, {_ABSENT})"
_ANY = f"({_IN_DOUBT} OR +state IN ({_DELETED}, {_ABSENT}, {_KEPT}))"
_THESE = f"id IN (SELECT value FROM json_each(?)) AND {_GONE} ORDER BY id"  # noqa: S608 -- constants
_SUSPECT = "SELECT id, flow_id, cust_space_id, state, inferred FROM flow"

_CHECKS = ", ".join(CheckResult)
_ROW = f"at_ms, method, complete, known, wanted, {_CHECKS}"

_SETTLE_DELETED = (
    f"UPDATE flow SET state = {_DELETED}, inferred = 1, in_doubt = 1, http_status = ?, code = ?, message = ?,"  # noqa: S608 -- constants
    f" request_id = ?, finished_at_ms = ? WHERE id = ? AND {_IN_DOUBT}"
)
_SETTLE = {
    CheckResult.REOPENED: f"{REOPEN}, in_doubt = 0 WHERE id = ? AND +state = {_DELETED} AND inferred = 1",
    CheckResult.SETTLED_PENDING: f"{REOPEN}, in_doubt = 0 WHERE id = ? AND {_IN_DOUBT} AND +state <> {_REFUSED}",
    CheckResult.SETTLED_REFUSED: f"UPDATE flow SET in_doubt = 0 WHERE id = ? AND {_IN_DOUBT} AND +state = {_REFUSED}",  # noqa: S608 -- constants
}


class Verifications:
    """The verifications of one checkpoint, for the run that has it: a transaction a method.

    Every method raises CheckpointError where the file cannot be read or written.
    """

    def __init__(self, db: sqlite3.Connection, database: Database) -> None:
        self._db = db
        self._database = database

    def rows_recorded_gone(self) -> list[int]:
        """Return the rows of the flows that are deleted or absent, in the order of reading."""
        with self._database.errors():
            found = self._db.execute(f"SELECT id FROM flow WHERE {_GONE} ORDER BY id")  # noqa: S608 -- constants
            return [columns.number(row) for (row,) in found]

    def count_recorded_gone(self) -> int:
        """Return how many flows are deleted or absent."""
        with self._database.errors():
            # The index on states counts them; no unary "+" here.
            (count,) = self._db.execute(
                "SELECT count(*) FROM flow WHERE state IN (?, ?)", (_DELETED, _ABSENT)
            ).fetchone()
            return columns.number(count)

    def count(self, *, in_doubt_only: bool = False) -> int:
        """Return how many flows `suspects` finds in all."""
        with self._database.errors():
            which = _IN_DOUBT if in_doubt_only else _ANY
            (count,) = self._db.execute(f"SELECT count(*) FROM flow WHERE {which}").fetchone()  # noqa: S608 -- constants
            return columns.number(count)

    def suspects(self, after: int, count: int, *, in_doubt_only: bool = False) -> list[Suspect]:
        """Return up to `count` flows to check of the rows after `after`, in the order of reading."""
        which = _IN_DOUBT if in_doubt_only else _ANY
        with self._database.errors():
            return self._suspects(f"id > ? AND {which} ORDER BY id LIMIT ?", (after, count))

    def suspects_of(self, rows: Sequence[int]) -> list[Suspect]:
        """Return the flows of these rows, in the order of reading, where they are deleted or absent."""
        with self._database.errors():
            return self._suspects(_THESE, (json.dumps(rows),))

    def settle(self, checked: Sequence[Checked], at_ms: int) -> None:
        """Keep what was found of these flows at this time, in milliseconds since the epoch."""
        with self._database.transaction() as db:
            for each in checked:
                if each.check is CheckResult.SETTLED_DELETED:
                    reply = each.reply
                    said = (
                        reply.status or None,
                        reply.code or None,
                        reply.message or None,
                        reply.request_id or None,
                    )
                    self._expect(db.execute(_SETTLE_DELETED, (*said, at_ms, each.suspect.row)))
                elif statement := _SETTLE.get(each.check):
                    self._expect(db.execute(statement, (each.suspect.row,)))
            told = [each.suspect.row for each in checked if each.check is not CheckResult.UNKNOWN]
            remain = [each.suspect.row for each in checked if each.check is CheckResult.REMAINS]
            db.execute(
                "DELETE FROM remaining WHERE flow IN (SELECT value FROM json_each(?))", (json.dumps(told),)
            )
            db.execute(
                "INSERT INTO remaining (flow, finished_at_ms) SELECT id, finished_at_ms FROM flow"
                " WHERE id IN (SELECT value FROM json_each(?))",
                (json.dumps(remain),),
            )

    def add(self, verification: Verification) -> None:
        """Keep that a verification has ended."""
        v = verification
        row = (
            v.at_ms,
            v.method.value,
            int(v.complete),
            v.known,
            v.wanted,
            *(v.count(c) for c in CheckResult),
        )
        marks = ", ".join("?" * len(row))
        with self._database.transaction() as db:
            db.execute(f"INSERT INTO verification ({_ROW}) VALUES ({marks})", row)  # noqa: S608 -- names from above

    def _suspects(self, which: str, parameters: Sequence[object]) -> list[Suspect]:
        found = self._db.execute(f"{_SUSPECT} WHERE {which}", parameters).fetchall()
        return [
            Suspect(
                columns.number(row),
                columns.flow(flow_id, space),
                columns.state(state),
                inferred=bool(inferred),
            )
            for row, flow_id, space, state, inferred in found
        ]

    def _expect(self, changed: sqlite3.Cursor) -> None:
        if changed.rowcount != 1:
            raise CheckpointError(
                "a flow that was checked is not in the checkpoint as it was: the file was changed by something else"
                " meanwhile"
            )


def verifications(db: sqlite3.Connection) -> tuple[Verification, ...]:
    """Return the verifications, the latest last; none of a checkpoint of version 1 or 2."""
    if version(db) < FIRST_VERSION:
        return ()
    rows = db.execute(f"SELECT {_ROW} FROM verification ORDER BY id").fetchall()  # noqa: S608 -- as above
    return tuple(map(_verification, rows))


def remaining(db: sqlite3.Connection) -> Remaining:
    """Return the flows that remain; none of a checkpoint of version 1 or 2."""
    if version(db) < FIRST_VERSION:
        return Remaining()
    (flows,) = db.execute(f"SELECT count(*) FROM flow WHERE {IS_REMAINING}").fetchone()  # noqa: S608 -- a constant
    sample = db.execute(
        f"SELECT flow_id, cust_space_id FROM flow WHERE {IS_REMAINING} ORDER BY id LIMIT ?",  # noqa: S608 -- a constant
        (SAMPLE,),
    ).fetchall()
    return Remaining(
        flows=columns.number(flows),
        sample=tuple(columns.flow(flow_id, space) for flow_id, space in sample),
    )


def _verification(row: Sequence[object]) -> Verification:
    at_ms, method, complete, known, wanted, *counts = row
    return Verification(
        at_ms=columns.time_ms(at_ms),
        method=VerificationMethod(columns.text(method)),
        complete=bool(columns.number(complete)),
        known=columns.number(known),
        wanted=columns.number(wanted),
        counts={check: columns.number(n) for check, n in zip(CheckResult, counts, strict=True) if n},
    )
