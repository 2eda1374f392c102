"""The history of a checkpoint's runs as rows: `History` writes them, `runs` and `minutes` read them."""

import sqlite3
from collections.abc import Sequence

from flowreaper.escaping import printable
from flowreaper.model import FINAL, Ending
from flowreaper.store.history import Minute, PastRun
from flowreaper.store.sqlite import columns
from flowreaper.store.sqlite.database import Database
from flowreaper.store.sqlite.schema import version

_FIRST_WITH_HISTORY, _FIRST_WITH_KEPT = 2, 3

_STATES = tuple(state.value for state in FINAL)
_RUN = ", ".join(
    (
        *("started_at_ms", "seen_at_ms", "ended_at_ms", "ending", "error", "version", "host", "pid"),
        *("access_key", "rate", "elapsed_s", "calls", "throttled", *_STATES),
    )
)
_MINUTE = "run, at_s, calls, deleted, absent, refused, throttled, permitted_per_s, silent_s"
_SAVE_MINUTE = f"INSERT OR REPLACE INTO minute ({_MINUTE}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608 -- as above
_ERROR_LENGTH = 2000


class History:
    """The history of a checkpoint's runs, as the run that has the checkpoint writes it: a transaction a method.

    Every method raises CheckpointError where the file cannot be written.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, run: PastRun) -> int:
        """Keep that a run begins; return its number."""
        row = _row(run)
        marks = ", ".join("?" * len(row))
        with self._database.transaction() as db:
            return db.execute(f"INSERT INTO run ({_RUN}) VALUES ({marks})", row).lastrowid or 0  # noqa: S608 -- names from above

    def save(self, run: PastRun, minutes: Sequence[Minute]) -> None:
        """Replace a run's row, and those of these minutes of it."""
        row = _row(run)
        marks = ", ".join("?" * len(row))
        with self._database.transaction() as db:
            db.execute(f"UPDATE run SET ({_RUN}) = ({marks}) WHERE id = ?", (*row, run.number))  # noqa: S608 -- as above
            for minute in minutes:
                db.execute(_SAVE_MINUTE, _minute_row(minute))


def runs(db: sqlite3.Connection) -> tuple[PastRun, ...]:
    """Return the runs in their order; none of a checkpoint of version 1."""
    if version(db) < _FIRST_WITH_HISTORY:
        return ()
    columns = _RUN if version(db) >= _FIRST_WITH_KEPT else _RUN.replace("kept", "0")
    return tuple(map(_run, db.execute(f"SELECT id, {columns} FROM run ORDER BY id").fetchall()))  # noqa: S608 -- as above


def minutes(db: sqlite3.Connection) -> tuple[Minute, ...]:
    """Return the minutes of all runs, by run and time; none of a checkpoint of version 1."""
    if version(db) < _FIRST_WITH_HISTORY:
        return ()
    rows = db.execute(f"SELECT {_MINUTE} FROM minute ORDER BY run, at_s").fetchall()  # noqa: S608 -- as above
    return tuple(map(_minute, rows))


def _row(run: PastRun) -> tuple[object, ...]:
    return (
        run.started_at_ms,
        run.seen_at_ms,
        run.ended_at_ms,
        run.ending.value if run.ending else None,
        printable(run.error, _ERROR_LENGTH),
        run.version,
        run.host,
        run.pid,
        run.access_key,
        run.rate,
        run.elapsed_s,
        run.calls,
        run.throttled,
        *(run.counts.get(state, 0) for state in FINAL),
    )


def _minute_row(minute: Minute) -> tuple[object, ...]:
    counts = (minute.calls, minute.deleted, minute.absent, minute.refused, minute.throttled)
    return (minute.run, minute.at_s, *counts, minute.permitted_per_s, minute.silent_s)


def _run(row: Sequence[object]) -> PastRun:
    (
        number,
        started,
        seen,
        ended,
        ending,
        error,
        made_by,
        host,
        pid,
        key,
        rate,
        elapsed,
        calls,
        throttled,
        *counts,
    ) = row
    return PastRun(
        number=columns.number(number),
        started_at_ms=columns.time_ms(started),
        seen_at_ms=columns.time_ms(seen),
        ended_at_ms=None if ended is None else columns.time_ms(ended),
        ending=None if ending is None else Ending(columns.text(ending)),
        error=columns.text(error),
        version=columns.text(made_by),
        host=columns.text(host),
        pid=columns.number(pid),
        access_key=columns.text(key),
        rate=columns.amount(rate),
        elapsed_s=columns.amount(elapsed),
        counts={state: columns.number(count) for state, count in zip(FINAL, counts, strict=True) if count},
        calls=columns.number(calls),
        throttled=columns.number(throttled),
    )


def _minute(row: Sequence[object]) -> Minute:
    run, at_s, calls, deleted, absent, refused, throttled, permitted, silent = row
    columns.time_ms(columns.number(at_s) * 1000)
    return Minute(
        run=columns.number(run),
        at_s=columns.number(at_s),
        calls=columns.number(calls),
        deleted=columns.number(deleted),
        absent=columns.number(absent),
        refused=columns.number(refused),
        throttled=columns.number(throttled),
        permitted_per_s=columns.amount(permitted),
        silent_s=columns.amount(silent),
    )
