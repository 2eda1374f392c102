"""What the outcomes of a job so far say of the whole job. Reads alone."""

import sqlite3

from flowreaper.model import Cause, State
from flowreaper.store.sqlite import causes, statements
from flowreaper.store.sqlite.database import Database


class Outcomes:
    """The outcomes of one checkpoint.

    Every method raises CheckpointError where the file cannot be read.
    """

    def __init__(self, db: sqlite3.Connection, database: Database) -> None:
        self._db = db
        self._database = database

    def any_answered(self) -> bool:
        """Return whether the service has ever decided about a flow of this job."""
        with self._database.errors():
            return statements.any_answered(self._db)

    def any_deleted(self) -> bool:
        """Return whether the service has confirmed the deletion of a flow of this job."""
        with self._database.errors():
            return statements.any_with_code(self._db, State.DELETED, "OK")

    def latest_absent(self, count: int) -> list[int]:
        """Return the rows of the flows that ended as absent one after another, up to now; at most `count`."""
        with self._database.errors():
            return statements.latest_absent(self._db, count)

    def causes(self) -> tuple[Cause, ...]:
        """Return why flows ended other than by a confirmed deletion."""
        with self._database.errors():
            return causes.causes(self._db)
