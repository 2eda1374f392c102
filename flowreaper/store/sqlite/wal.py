"""Folds a checkpoint's log into its main file, when this module says so and not when SQLite would.

Each fold renews the mark by which the next run knows whether the log is there (see `flowreaper.store.sqlite.run_mark`).
"""

import contextlib
import sqlite3
import sys
import time
from collections.abc import Iterator

from flowreaper.store.sqlite import run_mark
from flowreaper.store.sqlite.file_guard import GuardedFile
from flowreaper.store.sqlite.run_mark import Mark
from flowreaper.store.sqlite.transaction import transaction

FOLD_BYTES = 16_000_000
"""The log is folded when it is longer than this. Fewer folds than SQLite's (4 MB): each costs two commits more."""

_FOLD_AFTER_S = 50.0
_RETRY_S = 1.0


class WriteAheadLog:
    """The log of a database that is open. Every method may raise sqlite3.Error."""

    def __init__(self, db: sqlite3.Connection, file: GuardedFile) -> None:
        self._db = db
        self._file = file
        self._size = 0
        self._renewing = False
        self._folded_at = self._fold_at = time.monotonic()
        self.unfolded = False
        self.mark = Mark()

    def begin(self) -> None:
        """Write ahead from now on."""
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.execute("PRAGMA wal_autocheckpoint = 0")
        # SQLite cuts the log to this when it begins it anew, so a longer one is as full as it is long.
        self._db.execute(f"PRAGMA journal_size_limit = {FOLD_BYTES}")
        self.mark = run_mark.parse(self.noted(run_mark.NAME)) or Mark()

    def leave_mark(self, *, log_is_lost: bool) -> None:
        """Take a mark into the main file that says that there is a log; something must stand in the log already.

        The first commit after the fold overwrites the log's first pages, and must not reach the mark's own there.
        """
        try:
            if log_is_lost:
                self._write(self.mark.reopened())
            self.fold()
        finally:
            self.keep_files_if_needed()

    def noted(self, name: str) -> object:
        """Return a note of the table ``job``, of whatever type it is; None if there is none."""
        row = self._db.execute("SELECT value FROM job WHERE name = ?", (name,)).fetchone()
        return row[0] if row else None

    @contextlib.contextmanager
    def committing(self) -> Iterator[None]:
        """Commit what is done within, or nothing of it."""
        with transaction(self._db):
            yield
        self._size = self._file.committed()
        self.unfolded = True

    @property
    def is_due(self) -> bool:
        """Whether the log is long or old enough to be folded."""
        now = time.monotonic()
        long_ago = now - self._folded_at >= _FOLD_AFTER_S
        return self.unfolded and now >= self._fold_at and (long_ago or self._size > FOLD_BYTES)

    def fold(self) -> bool:
        """Fold the log into the main file; return whether no reader held up a part of it."""
        now = time.monotonic()
        self._fold_at = now + _RETRY_S
        self._renewing = True
        if self.mark.is_closed:
            self._write(self.mark.next())
        try:
            busy, pages, folded = self._db.execute("PRAGMA main.wal_checkpoint(PASSIVE)").fetchone()
        finally:
            self._file.folded()
        if busy or pages != folded:
            return False
        self.close_mark()
        self.unfolded = False
        self._folded_at = self._fold_at = now
        return True

    def close_mark(self) -> None:
        """Say that the database is whole as it is now: nothing but its log is missing from the main file."""
        self._write(self.mark.folded())
        self._renewing = False

    def end(self) -> None:
        """Fold what is left, so that one plain file remains; while somebody reads it, it keeps its log."""
        with contextlib.suppress(sqlite3.OperationalError):
            folded = self.mark.is_closed and not self.unfolded
            if not folded and not self.fold():
                self.close_mark()
            elif self._file.log_is_foreign():
                self._db.execute("PRAGMA main.wal_checkpoint(PASSIVE)")
            else:
                self._db.execute("PRAGMA main.journal_mode = DELETE")
        if self._file.log_is_foreign():
            self.keep_files()

    def keep_files(self) -> None:
        """Let SQLite, when it closes, neither write into the main file nor remove the log's name."""
        self._file.keep_as_it_is()
        if sys.version_info >= (3, 12) and isinstance(self._db, sqlite3.Connection):
            self._db.setconfig(sqlite3.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, True)  # noqa: FBT003 -- its signature

    def keep_files_if_needed(self) -> None:
        """Keep them where the mark is open: without the log, the main file would seem to miss it."""
        if self._renewing:
            self.keep_files()

    def _write(self, mark: Mark) -> None:
        try:
            with self.committing():
                self._db.execute(run_mark.WRITE, (run_mark.NAME, mark.text()))
        except sqlite3.Error:
            self._file.committed()  # SQLite may have begun the log anew before it failed
            with contextlib.suppress(sqlite3.Error):
                if self.noted(run_mark.NAME) == mark.text():
                    self.mark = mark  # what failed came after the commit
            raise
        self.mark = mark
