"""The checkpoint's tables, its version and what it belongs to, on a connection that is passed in.

Both sides of the file, `flowreaper.store.sqlite.checkpoint` that writes and `flowreaper.store.sqlite.reader` that reads, stand on it.
"""

import sqlite3
from collections.abc import Mapping
from typing import NoReturn

from flowreaper.errors import Advice, CheckpointRefusedError
from flowreaper.escaping import printable
from flowreaper.model import Flow, Identity, State

APPLICATION_ID = 0x666C7270
"""SQLite's application id of a checkpoint: "flrp"."""

VERSION = 1

STATES = (State.PENDING, State.CLAIMED, State.DELETED, State.ABSENT, State.REFUSED, State.GAVE_UP)
"""A state's place here is its number in the file."""

NUMBER = {state: number for number, state in enumerate(STATES)}

# A flow's identity is (flow_id, cust_space_id); `id` is the order of reading. `progress` finds unfinished
# flows and counts by state and code without touching the table. Invalid lines have a table of their own:
# their escaped text must never be taken for a flow's id.
_TABLES = (
    "CREATE TABLE job (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE source (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE)",
    """CREATE TABLE flow (
        id INTEGER PRIMARY KEY,
        flow_id TEXT NOT NULL,
        cust_space_id TEXT NOT NULL,
        state INTEGER NOT NULL DEFAULT 0,
        in_doubt INTEGER NOT NULL DEFAULT 0,
        inferred INTEGER NOT NULL DEFAULT 0,
        attempts INTEGER NOT NULL DEFAULT 0,
        source INTEGER NOT NULL,
        line INTEGER NOT NULL,
        http_status INTEGER,
        code TEXT,
        message TEXT,
        request_id TEXT,
        finished_at_ms INTEGER,
        UNIQUE (flow_id, cust_space_id)
    )""",
    "CREATE INDEX progress ON flow (state, code)",
    """CREATE TABLE invalid (
        id INTEGER PRIMARY KEY,
        text TEXT NOT NULL UNIQUE,
        reason TEXT NOT NULL,
        source INTEGER NOT NULL,
        line INTEGER NOT NULL,
        found_at_ms INTEGER NOT NULL
    )""",
)


COUNT_IN_DOUBT = (
    "SELECT (SELECT count(*) FROM flow WHERE state = 1)"
    " + (SELECT count(*) FROM flow WHERE state = 0 AND in_doubt = 1)"
)
"""Unfinished flows that had a call without an answer: whoever claimed one may have sent it."""

COUNT_IN_DOUBT_DURING_A_RUN = (
    "SELECT (SELECT count(*) FROM flow WHERE state = 1 AND in_doubt = 1)"
    " + (SELECT count(*) FROM flow WHERE state = 0 AND in_doubt = 1)"
)
"""The same while a run goes on, whose own calls are only under way."""


def create(db: sqlite3.Connection) -> None:
    """Make the tables in an empty database, in one transaction."""
    db.execute("BEGIN IMMEDIATE")
    for table in _TABLES:
        db.execute(table)
    db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    db.execute(f"PRAGMA user_version = {VERSION}")
    db.execute("COMMIT")


def prepare(db: sqlite3.Connection, name: str, identity: Identity) -> None:
    """Make the tables if the database is empty; make sure that it is this job's; note the access key.

    Raises:
        CheckpointRefusedError: it is not this job's; it is left as it was.
        sqlite3.Error: it cannot be read or written.
    """
    if is_empty(db, name):
        create(db)
    else:
        check(db, name)
    check_identity(job(db), name, identity)
    sandbox = "yes" if identity.sandbox else "no"
    db.execute("BEGIN IMMEDIATE")
    db.executemany(
        "INSERT OR REPLACE INTO job (name, value) VALUES (?, ?)",
        [("endpoint", identity.endpoint), ("sandbox", sandbox), ("access_key", identity.access_key)],
    )
    db.execute("COMMIT")


def check_identity(known: Mapping[str, str], name: str, identity: Identity) -> None:
    """Make sure that what a checkpoint says of its job (see `job`) is not another job's; the key may differ.

    Raises:
        CheckpointRefusedError: it is another job's.
    """
    sandbox = "yes" if identity.sandbox else "no"
    if known.get("sandbox", sandbox) != sandbox:
        raise _refused(name, f"was made for {'the real service' if identity.sandbox else 'the sandbox'}")
    if known.get("endpoint", identity.endpoint) != identity.endpoint:
        theirs, mine = printable(known["endpoint"]), printable(identity.endpoint)
        raise _refused(name, f"was made for {theirs}, not for {mine}")


def is_empty(db: sqlite3.Connection, name: str) -> bool:
    """Return whether the database holds nothing at all, so that nothing is lost by making tables in it."""
    try:
        (tables,) = db.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_NOTADB:
            raise
        refuse(name)
    return tables == 0 and _application(db) == 0


def check(db: sqlite3.Connection, name: str) -> None:
    """Make sure that a database is a checkpoint of a version that is known here; change nothing.

    Raises:
        CheckpointRefusedError: it is not.
        sqlite3.Error: it cannot be read.
    """
    if is_empty(db, name) or _application(db) != APPLICATION_ID:
        refuse(name)
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if version != VERSION:
        raise CheckpointRefusedError(
            f"{name} is a checkpoint of version {version}, and this flowreaper knows version {VERSION}: "
            "use the flowreaper that made it, or a newer one"
        )


def job(db: sqlite3.Connection) -> dict[str, str]:
    """Return what the checkpoint belongs to: endpoint, sandbox (yes or no), access_key (masked).

    Raises:
        ValueError: as `text`.
    """
    return {text(name): text(value) for name, value in db.execute("SELECT name, value FROM job").fetchall()}


def text(value: object) -> str:
    """Return a column's value that must be text.

    SQLite keeps any type in any column.

    Raises:
        ValueError: a damaged or forged file holds something else.
    """
    if not isinstance(value, str):
        raise ValueError(f"{printable(repr(value))} stands where text belongs")  # noqa: TRY004 -- the file's value is wrong, not an argument's type
    return value


def number(value: object) -> int:
    """Return a column's value that must be a whole number; raises ValueError as `text`."""
    if not isinstance(value, int):
        raise ValueError(f"{printable(repr(value))} stands where a number belongs")  # noqa: TRY004 -- as in `text`
    return value


def state(value: object) -> State:
    """Return the state that a number in the file stands for; raises ValueError as `text`."""
    place = number(value)
    if not 0 <= place < len(STATES):
        raise ValueError(f"{place} is the number of no state")
    return STATES[place]


def flow(flow_id: object, cust_space_id: object) -> Flow:
    """Return a row's flow; raises ValueError as `text`, also for what could never have been read as an id."""
    found = Flow(text(flow_id), text(cust_space_id))
    if not (found.flow_id.isprintable() and found.cust_space_id.isprintable()):
        raise ValueError(f"{printable(repr(tuple(found)))} is no flow")
    return found


def _application(db: sqlite3.Connection) -> int:
    (application,) = db.execute("PRAGMA application_id").fetchone()
    return int(application)


def refuse(name: str) -> NoReturn:
    """Raise the CheckpointRefusedError of a file that is no checkpoint."""
    raise CheckpointRefusedError(
        f"{name} is not a flowreaper checkpoint, so it is left as it is: name another file"
    ) from None


def _refused(name: str, why: str) -> CheckpointRefusedError:
    return CheckpointRefusedError(
        f"the checkpoint {name} {why}. Use the same endpoint as before",
        Advice.OTHER_CHECKPOINT,
    )
