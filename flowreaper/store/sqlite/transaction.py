"""One transaction on an SQLite connection: all of it is committed, or nothing."""

import contextlib
import sqlite3
from collections.abc import Iterator


@contextlib.contextmanager
def transaction(db: sqlite3.Connection, kind: str = "IMMEDIATE") -> Iterator[None]:
    """Commit what the block does, or roll all of it back where it raises.

    `kind` is SQLite's: a DEFERRED one that only reads sees the database as it was at one moment, and locks nobody out.

    Raises:
        sqlite3.Error: it cannot be begun or committed.
    """
    db.execute(f"BEGIN {kind}")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        # After some errors (disk full), SQLite has rolled back already.
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
