"""The checkpoint's write-ahead log, and when it is folded: when its pages are copied into the main file.

SQLite would fold it by itself; here each fold also renews the mark by which the next run knows whether the log is
missing (`run_mark`).
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
"""Fold the log when it is longer than this. SQLite's own limit is 4 MB; here each fold costs two more commits."""

_FOLD_AFTER_S = 50.0
_RETRY_S = 1.0


class WriteAheadLog:
    """The log of an open database. Every method may raise sqlite3.Error."""

    def __init__(self, db: sqlite3.Connection, file: GuardedFile) -> None:
        self._db = db
        self._file = file
        self._size = 0
        self._renewing = False
        self._folded_at = self._fold_at = time.monotonic()
        self.unfolded = False
        self.mark = Mark()

    def begin(self) -> None:
        """Switch the database to write-ahead logging, synced at each commit."""
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.execute("PRAGMA wal_autocheckpoint = 0")
        # SQLite cuts the file to this when it restarts the log: a longer file is full of this log's pages.
        self._db.execute(f"PRAGMA journal_size_limit = {FOLD_BYTES}")
        self.mark = run_mark.parse(self.noted(run_mark.NAME)) or Mark()

    def leave_mark(self, *, log_is_lost: bool) -> None:
        """Fold an open mark into the main file: from now on the main file alone shows that its log is missing.

        Call it after a first commit: the commit that follows the fold overwrites the log's first pages, and must not
        reach the page of the mark.
        """
        try:
            if log_is_lost:
                self._write(self.mark.reopened())
            self.fold()
        finally:
            self.keep_files_if_needed()

    def noted(self, name: str) -> object:
        """Return a value of the table ``job``, of any type; None if there is none."""
        row = self._db.execute("SELECT value FROM job WHERE name = ?", (name,)).fetchone()
        return row[0] if row else None

    @contextlib.contextmanager
    def committing(self) -> Iterator[None]:
        """Commit what the block does, or nothing of it; remember the log's size then."""
        with transaction(self._db):
            yield
        self._size = self._file.committed()
        self.unfolded = True

    @property
    def is_due(self) -> bool:
        """Whether the log is long or old enough to fold."""
        now = time.monotonic()
        long_ago = now - self._folded_at >= _FOLD_AFTER_S
        return self.unfolded and now >= self._fold_at and (long_ago or self._size > FOLD_BYTES)

    def fold(self) -> bool:
        """Fold the log into the main file; return False where a reader kept a part of it from being folded."""
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
        """Write the closed mark behind the fold, into the log alone."""
        self._write(self.mark.folded())
        self._renewing = False

    def end(self) -> None:
        """Fold the rest, so that one plain file remains; the log stays while a reader uses it."""
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
        """Keep SQLite from writing the main file and from removing the log when it closes."""
        self._file.keep_as_it_is()
        if sys.version_info >= (3, 12) and isinstance(self._db, sqlite3.Connection):
            self._db.setconfig(sqlite3.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, True)  # noqa: FBT003 -- its signature

    def keep_files_if_needed(self) -> None:
        """Keep them while the mark is open: the main file needs its log then."""
        if self._renewing:
            self.keep_files()

    def _write(self, mark: Mark) -> None:
        try:
            with self.committing():
                self._db.execute(run_mark.WRITE, (run_mark.NAME, mark.text()))
        except sqlite3.Error:
            self._file.committed()  # SQLite may have restarted the log before it failed
            with contextlib.suppress(sqlite3.Error):
                if self.noted(run_mark.NAME) == mark.text():
                    self.mark = mark  # the commit succeeded; a later step failed
            raise
        self.mark = mark
