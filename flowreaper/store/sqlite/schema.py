"""The checkpoint's tables, its version, and the job that it belongs to, on a connection that is passed in.

`checkpoint` makes and checks them before it writes, `reader` checks them before it reads.
"""

import sqlite3
from collections.abc import Mapping
from typing import NoReturn

from flowreaper.errors import Advice, CheckpointRefusedError
from flowreaper.escaping import printable
from flowreaper.store.sqlite.columns import text
from flowreaper.store.sqlite.states import IS_CLAIMED, IS_PENDING, PENDING
from flowreaper.store.sqlite.transaction import transaction
from flowreaper.store.store import Identity

APPLICATION_ID = 0x666C7270
"""SQLite's application id of a checkpoint: "flrp"."""

VERSION = 3
"""What this flowreaper writes. An older one is read as it is, and migrated when a run opens it.

Version 1 had no history, version 2 neither kept flows nor verifications.
"""

_READABLE = (1, 2, VERSION)

# A flow's identity is (flow_id, cust_space_id); `id` is the order of reading. The index `progress` finds unfinished
# flows and counts by state and code without reading the table. Invalid lines have a table of their own: their escaped
# text must never become a flow's id.
_TABLES = (
    "CREATE TABLE job (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE source (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE)",
    f"""CREATE TABLE flow (
        id INTEGER PRIMARY KEY,
        flow_id TEXT NOT NULL,
        cust_space_id TEXT NOT NULL,
        state INTEGER NOT NULL DEFAULT {PENDING},
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

# The job's history: a row a run, and a row for each minute of it. Sums of a run are columns, so that they are kept
# while it goes on: a killed run loses at most five seconds of its sums.
_HISTORY = (
    """CREATE TABLE run (
        id INTEGER PRIMARY KEY,
        started_at_ms INTEGER NOT NULL,
        seen_at_ms INTEGER NOT NULL,
        ended_at_ms INTEGER,
        ending TEXT,
        error TEXT NOT NULL,
        version TEXT NOT NULL,
        host TEXT NOT NULL,
        pid INTEGER NOT NULL,
        access_key TEXT NOT NULL,
        rate REAL NOT NULL,
        elapsed_s REAL NOT NULL,
        calls INTEGER NOT NULL,
        throttled INTEGER NOT NULL,
        deleted INTEGER NOT NULL,
        absent INTEGER NOT NULL,
        refused INTEGER NOT NULL,
        gave_up INTEGER NOT NULL,
        invalid INTEGER NOT NULL,
        kept INTEGER NOT NULL DEFAULT 0
    )""",
    """CREATE TABLE minute (
        run INTEGER NOT NULL,
        at_s INTEGER NOT NULL,
        calls INTEGER NOT NULL,
        deleted INTEGER NOT NULL,
        absent INTEGER NOT NULL,
        refused INTEGER NOT NULL,
        throttled INTEGER NOT NULL,
        permitted_per_s REAL NOT NULL,
        silent_s REAL NOT NULL,
        PRIMARY KEY (run, at_s)
    ) WITHOUT ROWID""",
)

# What looking at the flows again said of them: a row a verification; and the flows that the latest look at them found
# there although they had their outcome, each with the end of that, since a later call may have ended it anew.
_VERIFICATION = (
    """CREATE TABLE verification (
        id INTEGER PRIMARY KEY,
        at_ms INTEGER NOT NULL,
        method TEXT NOT NULL,
        complete INTEGER NOT NULL,
        known INTEGER NOT NULL,
        wanted INTEGER NOT NULL,
        gone INTEGER NOT NULL,
        remains INTEGER NOT NULL,
        reopened INTEGER NOT NULL,
        unknown INTEGER NOT NULL,
        settled_deleted INTEGER NOT NULL,
        settled_pending INTEGER NOT NULL,
        settled_refused INTEGER NOT NULL,
        still_in_doubt INTEGER NOT NULL,
        kept INTEGER NOT NULL,
        kept_gone INTEGER NOT NULL,
        kept_unknown INTEGER NOT NULL
    )""",
    "CREATE TABLE remaining (flow INTEGER PRIMARY KEY, finished_at_ms INTEGER NOT NULL)",
)

COUNT_IN_DOUBT = (
    f"SELECT (SELECT count(*) FROM flow WHERE state {IS_CLAIMED})"  # noqa: S608 -- constants
    f" + (SELECT count(*) FROM flow WHERE state {IS_PENDING} AND in_doubt = 1)"
)
"""How many unfinished flows had a call without a reply. A claimed one counts: its call may have been sent."""

COUNT_IN_DOUBT_DURING_A_RUN = (
    f"SELECT (SELECT count(*) FROM flow WHERE state {IS_CLAIMED} AND in_doubt = 1)"  # noqa: S608 -- constants
    f" + (SELECT count(*) FROM flow WHERE state {IS_PENDING} AND in_doubt = 1)"
)
"""The same while a run goes on: the flows that it has claimed itself are in progress, not in doubt."""


def create(db: sqlite3.Connection) -> None:
    """Make the tables in an empty database, in one transaction."""
    with transaction(db):
        for table in (*_TABLES, *_HISTORY, *_VERIFICATION):
            db.execute(table)
        db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        db.execute(f"PRAGMA user_version = {VERSION}")


def prepare(db: sqlite3.Connection, name: str, identity: Identity) -> None:
    """Make the tables if the database is empty, or migrate them; check that it is this job's; note the access key.

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
    with transaction(db):
        if version(db) < VERSION:
            _migrate(db)
        db.executemany(
            "INSERT OR REPLACE INTO job (name, value) VALUES (?, ?)",
            [
                ("endpoint", identity.endpoint),
                ("sandbox", sandbox),
                ("access_key", identity.access_key),
                *((name, value) for name, value in identity.notes if value),
            ],
        )


def check_identity(known: Mapping[str, str], name: str, identity: Identity) -> None:
    """Check that what a checkpoint says of its job (see `job`) is not another job's; the key may differ.

    Raises:
        CheckpointRefusedError: it is another job's.
    """
    sandbox = "yes" if identity.sandbox else "no"
    if known.get("sandbox", sandbox) != sandbox:
        raise _refused(name, f"was made for {'the real service' if identity.sandbox else 'the sandbox'}")
    account = known.get("account")
    if account and identity.account and account != identity.account:
        theirs, mine = printable(account), printable(identity.account)
        raise CheckpointRefusedError(
            f"the checkpoint {name} belongs to the account {theirs}, and the access key to the account {mine}: use a"
            f" key of the account {theirs}",
            Advice.OTHER_CHECKPOINT,
        )
    if identity.plan and known.get("plan", identity.plan) != identity.plan:
        raise CheckpointRefusedError(
            f"the checkpoint {name} belongs to another plan: to go on with that job, use the plan that began it",
            Advice.OTHER_CHECKPOINT,
        )
    if known.get("endpoint", identity.endpoint) != identity.endpoint:
        theirs, mine = printable(known["endpoint"]), printable(identity.endpoint)
        raise _refused(name, f"was made for {theirs}, not for {mine}")


def is_empty(db: sqlite3.Connection, name: str) -> bool:
    """Return whether the database holds nothing at all, so that tables may be made in it."""
    try:
        (tables,) = db.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_NOTADB:
            raise
        refuse(name)
    return tables == 0 and _application(db) == 0


def check(db: sqlite3.Connection, name: str) -> None:
    """Check that a database is a checkpoint of a known version; change nothing.

    Raises:
        CheckpointRefusedError: it is not.
        sqlite3.Error: it cannot be read.
    """
    if is_empty(db, name) or _application(db) != APPLICATION_ID:
        refuse(name)
    if version(db) not in _READABLE:
        raise CheckpointRefusedError(
            f"{name} is a checkpoint of version {version(db)}, and this flowreaper knows versions up to {VERSION}: "
            "use the flowreaper that made it, or a newer one"
        )


def version(db: sqlite3.Connection) -> int:
    """Return the version of a checkpoint's tables."""
    (number,) = db.execute("PRAGMA user_version").fetchone()
    return int(number)


def job(db: sqlite3.Connection) -> dict[str, str]:
    """Return what the checkpoint belongs to: endpoint, sandbox (yes or no), access_key (masked).

    Raises:
        ValueError: the file is damaged or forged, as `columns.text`.
    """
    return {text(name): text(value) for name, value in db.execute("SELECT name, value FROM job").fetchall()}


def _migrate(db: sqlite3.Connection) -> None:
    """Bring an older version to this one, inside the caller's transaction."""
    if version(db) == 1:
        for table in _HISTORY:
            db.execute(table)
    else:
        db.execute("ALTER TABLE run ADD COLUMN kept INTEGER NOT NULL DEFAULT 0")
    for table in _VERIFICATION:
        db.execute(table)
    db.execute(f"PRAGMA user_version = {VERSION}")


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
