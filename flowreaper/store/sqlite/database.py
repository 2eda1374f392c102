"""A run's connection to its checkpoint: transactions, errors in one form, and the close.

`GuardedDatabase` also checks, around each transaction, that nothing else changed or moved the file.
"""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from flowreaper.errors import CheckpointError, CheckpointTouchedError
from flowreaper.escaping import printable
from flowreaper.store.sqlite import rescue, run_mark
from flowreaper.store.sqlite.file_guard import GuardedFile, Trouble
from flowreaper.store.sqlite.states import IS_UNFINISHED
from flowreaper.store.sqlite.transaction import transaction
from flowreaper.store.sqlite.wal import WriteAheadLog

# ValueError: a damaged file holds the wrong type. OverflowError: a number is too large for SQLite.
DAMAGE = (sqlite3.Error, ValueError, OverflowError)

_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)

_LOST = "log_lost"
"""The note, in the table ``job``, that a log was lost once."""

_TAKEN = Trouble(
    "was taken by another run, which its lock did not reach",
    "let one of them alone go on, and keep it on a disk of this machine",
)


def what_failed(error: Exception) -> str:
    """Write an error of SQLite or of the file for a person."""
    if isinstance(error, sqlite3.Error) and getattr(error, "sqlite_errorcode", 0) & 0xFF in _BUSY:
        return (
            "another program has kept it open for reading or writing for half a minute, such as an export whose output"
            " nobody reads: end that program, then go on"
        )
    return printable(str(error))  # SQLite's words may quote what a forged file holds


class Database:
    """A checkpoint's connection; every method raises CheckpointError where it cannot be read or written."""

    def __init__(self, path: Path, db: sqlite3.Connection) -> None:
        self._db = db
        self._name = printable(str(path))

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Commit what the block does, or nothing of it."""
        with self.errors(), transaction(self._db):
            yield self._db

    def check(self) -> None:
        """Make sure that the file is still this run's."""

    @contextlib.contextmanager
    def errors(self) -> Iterator[None]:
        """Turn errors of SQLite and of damaged files into a CheckpointError."""
        try:
            yield
        except (OSError, *DAMAGE) as error:
            raise CheckpointError(f"checkpoint {self._name}: {what_failed(error)}") from error

    def close(self) -> None:
        """Close the connection."""
        self._db.close()


class _FileChangedError(Exception):
    """The file is not what it was when the run began."""

    def __init__(self, trouble: Trouble) -> None:
        super().__init__(trouble.what)
        self.trouble = trouble


class GuardedDatabase(Database):
    """A database in a file that this run alone has, from `begin` to `close`.

    Once the file was changed by something else, every transaction raises the same error.
    """

    def __init__(self, path: Path, db: sqlite3.Connection, file: GuardedFile) -> None:
        super().__init__(path, db)
        self._file = file
        self._wal = WriteAheadLog(db, file)
        self._error: CheckpointError | None = None
        self._last_row: int | None = None

    def begin(self, *, log_is_lost: bool = False) -> None:
        """Note in the file which run has it, and mark that it has a log from now on.

        With `log_is_lost`, every unfinished flow is in doubt, and so is every flow that this and later runs read: the
        lost log may have held its outcome.

        Raises:
            sqlite3.Error: the file cannot be read or written.
        """
        self._wal.begin()
        with self._wal.committing():
            self._db.execute(run_mark.WRITE, (run_mark.RUN, run_mark.this_run()))
            if log_is_lost:
                self._db.execute(f"UPDATE flow SET in_doubt = 1 WHERE state {IS_UNFINISHED}")  # noqa: S608 -- a constant
                self._db.execute(run_mark.WRITE, (_LOST, "yes"))
        if self._wal.noted(_LOST):
            self._last_row = self._find_last_row()
        self._wal.leave_mark(log_is_lost=log_is_lost)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Commit what the block does, or nothing of it; check before the commit that the file is still this run's."""
        with self.errors():
            self._raise_again()
            self._fold_if_due()
            with self._wal.committing():
                yield self._db
                if self._last_row is not None:
                    self._db.execute("UPDATE flow SET in_doubt = 1 WHERE id > ?", (self._last_row,))
                self._verify()
            if self._last_row is not None:
                self._last_row = self._find_last_row()

    def check(self) -> None:
        """Make sure that the file is still there and this run's; fold the log when it is time."""
        with self.errors():
            self._raise_again()
            self._verify()
            self._fold_if_due()

    @contextlib.contextmanager
    def errors(self) -> Iterator[None]:
        """As in `Database`, with what happened to the file in the message, where it was changed."""
        try:
            with super().errors():
                yield
        except _FileChangedError as error:
            self._error = self._changed(error.trouble)
            raise self._error from error
        except CheckpointError as error:
            damaged = isinstance(error.__cause__, DAMAGE)
            if damaged and not self._error and (trouble := self._trouble_if_readable()):
                self._error = self._changed(trouble)
                raise self._error from error
            raise

    def close(self) -> None:
        """Fold the log into the file and close it: one plain file is left, unless a reader uses it."""
        try:
            with contextlib.suppress(CheckpointError) if self._error else super().errors():
                self._db.execute("PRAGMA busy_timeout = 0")
                self._end()
        finally:
            self._wal.keep_files_if_needed()
            self._db.close()
            self._file.close()

    def _end(self) -> None:
        trouble = self._trouble_if_readable()
        if trouble and (trouble is _TAKEN or not trouble.intact):
            self._wal.keep_files()
        else:
            self._wal.end()

    def _raise_again(self) -> None:
        if self._error:
            raise self._error

    def _fold_if_due(self) -> None:
        if self._wal.is_due:
            self._verify()  # a fold must not overwrite what another process put there
            self._wal.fold()

    def _verify(self) -> None:
        if trouble := self._trouble():
            raise _FileChangedError(trouble)

    def _trouble(self) -> Trouble | None:
        trouble = self._file.trouble()
        if trouble and trouble.intact:
            return trouble
        try:
            mark = self._wal.noted(run_mark.NAME)
        except DAMAGE:
            if trouble is None:
                raise
            return trouble
        if mark == self._wal.mark.text() or (trouble and not run_mark.parse(mark)):
            return trouble
        return _TAKEN

    def _trouble_if_readable(self) -> Trouble | None:
        with contextlib.suppress(*DAMAGE):
            return self._trouble()
        return None

    def _changed(self, trouble: Trouble) -> CheckpointError:
        if trouble.lost:
            with contextlib.suppress(*DAMAGE):
                self._wal.close_mark()  # the copy has no log
            then = rescue.save(self._db, self._file.path)
        else:
            then = rescue.advice(trouble)
        return CheckpointTouchedError(f"the checkpoint {self._name} {trouble.what}. {then}")

    def _find_last_row(self) -> int:
        (row,) = self._db.execute("SELECT coalesce(max(id), 0) FROM flow").fetchone()
        return int(row)
