"""The flows of an input in a temporary database, to compare them with a checkpoint before a run.

SQLite keeps the database in a nameless file, so memory stays flat. The checkpoint is only read.
"""

import contextlib
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from flowreaper.errors import CheckpointError
from flowreaper.escaping import printable
from flowreaper.model import Added, AnyEntry, Flow, Retry
from flowreaper.store.sqlite import columns, schema, statements
from flowreaper.store.sqlite.checkpoint import Checkpoint, connect
from flowreaper.store.sqlite.database import DAMAGE
from flowreaper.store.sqlite.states import IS_UNFINISHED

_SAME = "(theirs.flow_id, theirs.cust_space_id) = (mine.flow_id, mine.cust_space_id)"


class Comparison(NamedTuple):
    """How many flows of the input the checkpoint knows; how many of these are unfinished, or finished but retried."""

    known: int
    unfinished: int
    reopened: int


class InputIndex:
    """The flows of an input, inside its `with` block. `exists`: there is a checkpoint to compare them with.

    Every method raises CheckpointError where the checkpoint or the temporary file cannot be used.
    """

    def __init__(self, checkpoint: Path, *, exists: bool) -> None:
        self._path = checkpoint
        self._exists = exists
        self._db: sqlite3.Connection | None = None

    def __enter__(self) -> Self:
        with self._errors(), contextlib.ExitStack() as undo:
            db = undo.enter_context(contextlib.closing(connect("file:?mode=rwc")))
            schema.create(db)
            if self._exists:
                db.execute("ATTACH ? AS other", (f"{self._path.resolve().as_uri()}?mode=ro",))
            undo.pop_all()
        self._db = db
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._db is not None:
            self._db.close()

    def add(self, entries: Sequence[AnyEntry]) -> Added:
        """Add a batch of the input; what the input repeats counts as repeated."""
        return Checkpoint(self._path, self._opened).add(entries)

    def compare(self, retry: Retry) -> Comparison:
        """Compare the input with the checkpoint; `retry` names finished flows to take again."""
        if not self._exists:
            return Comparison(0, 0, 0)
        retried, parameters = statements.retry_condition(retry, "theirs")
        with self._errors():
            found = self._opened.execute(
                f"SELECT count(*), coalesce(sum(theirs.state {IS_UNFINISHED}), 0),"  # noqa: S608 -- constants and question marks
                f" coalesce(sum({retried}), 0)"
                f" FROM main.flow AS mine CROSS JOIN other.flow AS theirs ON {_SAME}",
                parameters,
            ).fetchone()
        return Comparison(*found)

    def sample(self, count: int, retry: Retry, *, listed: bool) -> tuple[Flow, ...]:
        """Return the first flows that a run would call. `listed`: of the input alone; else of the whole checkpoint."""
        retried, parameters = statements.retry_condition(retry, "theirs")
        wanted = f"(theirs.state {IS_UNFINISHED} OR ({retried}))"
        if not self._exists:
            source, parameters = "main.flow AS mine", []
        elif listed:
            source = (
                f"main.flow AS mine LEFT JOIN other.flow AS theirs ON {_SAME}"
                f" WHERE theirs.id IS NULL OR {wanted}"
            )
        else:
            source = f"other.flow AS theirs WHERE {wanted}"
        table = "mine" if listed or not self._exists else "theirs"
        with self._errors():
            found = self._opened.execute(
                f"SELECT {table}.flow_id, {table}.cust_space_id FROM {source} ORDER BY {table}.id LIMIT ?",  # noqa: S608 -- as above
                (*parameters, count),
            ).fetchall()
            return tuple(columns.flow(flow_id, space) for flow_id, space in found)

    @property
    def _opened(self) -> sqlite3.Connection:
        if self._db is None:
            raise RuntimeError("the input index is used outside its `with` block")
        return self._db

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except DAMAGE as error:
            raise CheckpointError(
                f"checkpoint {printable(str(self._path))}: {printable(str(error))}"
            ) from error
