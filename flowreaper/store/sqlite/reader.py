"""Reads a checkpoint, also while a run writes it: records, counts, notes. Takes no lock that a run needs.

It writes nothing, except that SQLite, on opening, rolls back what a killed process left half written. Cursors are
closed before their connection: since Python 3.13 a cursor that is still referenced, by an exception's frames for
example, keeps SQLite's lock on the file.
"""

import contextlib
import os
import sqlite3
from collections.abc import Callable, Generator, Iterator, Sequence
from datetime import datetime
from math import ceil
from pathlib import Path
from typing import NamedTuple

from flowreaper.errors import Advice, CheckpointError, InputError
from flowreaper.escaping import printable
from flowreaper.model import Record, State
from flowreaper.store.overview import Overview
from flowreaper.store.selection import Selection
from flowreaper.store.sqlite import (
    causes,
    columns,
    companions,
    descriptors,
    file_guard,
    history,
    run_mark,
    schema,
    statements,
    verifications,
)
from flowreaper.store.sqlite.rows import FLOW_COLUMNS, INVALID_COLUMNS, flow_record, invalid_record
from flowreaper.store.sqlite.states import NUMBER
from flowreaper.store.sqlite.status import status_of
from flowreaper.store.sqlite.transaction import transaction
from flowreaper.store.store import Identity, Status

_APPLICATION_AT = slice(68, 72)  # SQLite's file format, "Application ID"


def is_begun(path: Path) -> bool:
    """Return whether a run has written into this checkpoint.

    False where there is none, or an empty file: what a run leaves that is killed before its first write.
    """
    return path.exists() and path.stat().st_size > 0


def find_checkpoints(folder: Path) -> list[Path]:
    """Return the checkpoints in a folder, by name: the files that SQLite's header says are flowreaper's.

    Raises:
        OSError: the folder cannot be listed.
    """
    return sorted(path for path in folder.iterdir() if path.is_file() and _is_checkpoint(path))


def _is_checkpoint(path: Path) -> bool:
    with contextlib.suppress(OSError), descriptors.reading(path), path.open("rb") as file:
        header = file.read(_APPLICATION_AT.stop)
        return header[_APPLICATION_AT] == schema.APPLICATION_ID.to_bytes(4)
    return False


def read_status(path: str | os.PathLike[str], identity: Identity | None = None) -> Status:
    """Count a checkpoint's flows.

    Raises:
        ConfigurationError: there is no such file, it is no checkpoint, or not one of this identity.
        CheckpointError: it cannot be read.
    """
    with _reading(path) as db:
        return status_of(db, Path(path), identity)


def read_overview(path: str | os.PathLike[str]) -> Overview:
    """Return all that a checkpoint holds but its records, as it was at one moment; a million flows take up to a second.

    Raises as `read_records`.
    """
    with _reading(path) as db, transaction(db, "DEFERRED"):
        status = status_of(db, Path(path))
        flows = sum(count for state, count in status.states.items() if state is not State.INVALID)
        return Overview(
            status=status,
            causes=causes.causes(db),
            sources=causes.flows_by_source(db, flows),
            spaces=causes.flows_by_space(db, flows),
            runs=history.runs(db),
            minutes=history.minutes(db),
            verifications=verifications.verifications(db),
            remaining=verifications.remaining(db),
        )


def what_is_missing(path: Path) -> str:
    """Return a sentence about a missing or foreign log; empty where the checkpoint is whole or a run has it."""
    if not is_begun(path):
        return ""
    name = printable(str(path))
    try:
        with descriptors.reading(path):
            found = run_mark.examine(path)
    except OSError:
        return ""
    if found is run_mark.Log.WHOLE or file_guard.has_run(path):
        return ""
    if found is run_mark.Log.MISSING:
        return f"{name} is not whole: {run_mark.missing(name)}"
    return f"{name} is shown with a log that is not its own: {run_mark.foreign(name)}"


def last_access_key(path: Path) -> str | None:
    """Return the masked access key that a checkpoint was last used with; None where there is none yet.

    Raises:
        ConfigurationError: it is no checkpoint.
        CheckpointError: it cannot be read.
    """
    if not is_begun(path):
        return None
    with _reading(path) as db:
        return schema.job(db).get("access_key")


def left_elsewhere(path: Path, belongs: Callable[[str], bool], states: Sequence[State]) -> dict[str, int]:
    """Count a checkpoint's flows in `states` by the name of their source, for sources that `belongs` rejects.

    Empty where there is no checkpoint yet.

    Raises:
        ConfigurationError: it is no checkpoint.
        CheckpointError: it cannot be read.
    """
    if not is_begun(path):
        return {}
    with _reading(path) as db:
        names = {
            number: columns.text(name)
            for number, name in db.execute("SELECT id, name FROM source").fetchall()
        }
        if all(map(belongs, names.values())):
            return {}  # nearly always; to count takes some 0.2 s for a million flows
        marks = ", ".join("?" * len(states))
        found = db.execute(
            f"SELECT source, count(*) FROM flow WHERE state IN ({marks}) GROUP BY source",  # noqa: S608 -- question marks
            [NUMBER[state] for state in states],
        ).fetchall()
        counts = {columns.text(names.get(source)): columns.number(count) for source, count in found}
        return {name: count for name, count in counts.items() if not belongs(name)}


def read_records(
    path: str | os.PathLike[str],
    states: Sequence[State] = (),
    *,
    codes: Sequence[str] = (),
    spaces: Sequence[str] = (),
    since: datetime | None = None,
) -> Iterator[Record]:
    """Yield what is recorded, in the order of reading, invalid lines last.

    Only records in one of `states`, with one of `codes` (``""``: none), of one of `spaces` (``""``: the account's own)
    that ended at or after `since` (local time where it has no zone), as far as these are given. Unfinished flows have
    not ended; invalid lines have neither code nor space.

    Raises:
        ConfigurationError: there is no such file, or it is no checkpoint.
        CheckpointError: it cannot be read.
    """
    since_ms = None if since is None else ceil(since.timestamp() * 1000)
    return read_selected(path, Selection(tuple(states), tuple(codes), tuple(spaces), since_ms))


def read_selected(path: str | os.PathLike[str], wanted: Selection) -> Generator[Record, None, None]:
    """Yield the records that a selection wants, as `read_records`."""
    condition, parameters = statements.selected_flows(wanted)
    with _reading(path) as db:
        if wanted.remaining and schema.version(db) < verifications.FIRST_VERSION:
            return
        sources = dict(db.execute("SELECT id, name FROM source").fetchall())
        selected = db.execute(
            f"SELECT {FLOW_COLUMNS} FROM flow WHERE {condition} ORDER BY id",  # noqa: S608 -- question marks
            parameters,
        )
        with contextlib.closing(selected) as flows:
            for row in flows:
                yield flow_record(row, sources)
        if wanted.takes_invalid:
            selected = db.execute(
                f"SELECT {INVALID_COLUMNS} FROM invalid WHERE ?1 IS NULL OR found_at_ms >= ?1 ORDER BY id",  # noqa: S608 -- a constant
                (wanted.since_ms,),
            )
            with contextlib.closing(selected) as lines:
                for row in lines:
                    yield invalid_record(row, sources)


def has_space(path: Path, wanted: Selection) -> bool:
    """Return whether a flow of a sub-customer's space is among what is wanted; raises as `read_records`."""
    condition, parameters = statements.selected_flows(wanted)
    with _reading(path) as db:
        if wanted.remaining and schema.version(db) < verifications.FIRST_VERSION:
            return False
        text = f"SELECT EXISTS (SELECT 1 FROM flow WHERE cust_space_id <> '' AND {condition})"  # noqa: S608 -- question marks
        return bool(db.execute(text, parameters).fetchone()[0])


def read_notes(path: Path, prefix: str) -> dict[str, str]:
    """Return what a checkpoint notes of its job under names with this prefix; empty where there is none yet.

    Raises as `last_access_key`.
    """
    if not is_begun(path):
        return {}
    with _reading(path) as db:
        return {name: value for name, value in schema.job(db).items() if name.startswith(prefix)}


class Outcomes(NamedTuple):
    """A fingerprint of a checkpoint's outcomes, to find out whether they changed.

    How many there are, when the newest ended (milliseconds since the epoch), and the sum of those times' low 32 bits.
    """

    total: int
    newest_ms: int
    sum_ms: int


def outcomes_after(path: Path, after_ms: int) -> Outcomes:
    """Return the fingerprint of what ended later than `after_ms`; a million flows take some 0.1 s.

    Raises as `read_records`.
    """
    with _reading(path) as db:
        ended = "SELECT finished_at_ms AS at FROM flow WHERE finished_at_ms > ?1"
        found = "SELECT found_at_ms FROM invalid WHERE found_at_ms > ?1"
        row = db.execute(
            f"SELECT count(*), coalesce(max(at), 0), coalesce(sum(at & 0xFFFFFFFF), 0) FROM ({ended} UNION ALL {found})",  # noqa: S608 -- constants
            (after_ms,),
        ).fetchone()
        return Outcomes(*map(columns.number, row))


@contextlib.contextmanager
def _reading(at: str | os.PathLike[str]) -> Iterator[sqlite3.Connection]:
    path = Path(at)
    name = printable(str(path))
    try:
        if path.is_dir():
            raise InputError(f"the checkpoint {name} is a folder: name a file")
        if not path.is_file():
            raise InputError(f"there is no checkpoint {name}", Advice.KNOWN_CHECKPOINT)
        companions.refuse_lone_log(path)
        with descriptors.reading(path), contextlib.closing(_open(path)) as db:
            schema.check(db, name)
            yield db
    except (OSError, sqlite3.Error, ValueError, OverflowError) as error:
        # A damaged or forged file can hold any value in any column; SQLite's messages quote it.
        raise CheckpointError(f"the checkpoint {name} cannot be read: {printable(str(error))}") from error


def _open(path: Path) -> sqlite3.Connection:
    uri = path.resolve().as_uri()
    db = sqlite3.connect(f"{uri}?mode=ro", uri=True, isolation_level=None)
    try:
        db.execute("SELECT 1 FROM sqlite_master").fetchone()
    except sqlite3.OperationalError as error:
        db.close()
        if error.sqlite_errorcode == sqlite3.SQLITE_READONLY_ROLLBACK:
            return sqlite3.connect(f"{uri}?mode=rw", uri=True, isolation_level=None)
        # In a read-only folder SQLite cannot make the shared memory that a WAL database needs. Without a log, the
        # main file holds everything and needs none.
        unwritable = error.sqlite_errorcode in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY_DIRECTORY)
        if not unwritable or path.with_name(path.name + "-wal").exists():
            raise
        return sqlite3.connect(f"{uri}?mode=ro&immutable=1", uri=True, isolation_level=None)
    except sqlite3.DatabaseError:
        pass  # no database at all: `schema.check` says so in better words
    return db
