"""A results file that belongs to one checkpoint: no outcome is missing, no line is cut, no other file is touched."""

import asyncio
import contextlib
import fcntl
import os
import sqlite3
import stat
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from pathlib import Path

from flowreaper.errors import Advice, CheckpointError, ConfigurationError, OutputError, RunError
from flowreaper.escaping import printable
from flowreaper.model import FINAL, Record
from flowreaper.sink.results_note import PREFIX, ResultsNote, key_of, key_of_line, mend, note_name
from flowreaper.sink.stream import JsonLines, cannot_write, open_target, started
from flowreaper.store.records import utc_time
from flowreaper.store.sqlite.reader import outcomes_after, read_notes, read_records

Note = Callable[[str, str], None]

_LINE_LIMIT = 1024 * 1024
_BATCH = 2000


class ResultsFile:
    """A regular file that one checkpoint's outcomes are appended to, over all its runs.

    It belongs to the checkpoint if a run found it empty, or if it starts with the line that the checkpoint noted then.
    `comparing` is called before the file is compared with the checkpoint, which takes some 10 s for a million
    outcomes; `added` is called with the number of outcomes that were missing.
    """

    def __init__(
        self,
        target: str,
        checkpoint: Path,
        *,
        closed: Callable[[str], None],
        comparing: Callable[[], None],
        added: Callable[[int], None],
    ) -> None:
        self._target = target
        self._checkpoint = checkpoint
        self._closed = closed
        self._comparing = comparing
        self._added = added
        self._key = note_name(os.fsencode(os.path.realpath(target)))
        self._lines: JsonLines | None = None
        self.error: RunError | None = None
        """Once the file is closed: why its end could not be written, if so."""

    def check(self) -> None:
        """Check, before anything is made, whether the file may be written.

        Raises:
            ConfigurationError: it is another's file, or cannot be opened.
            CheckpointError: the checkpoint cannot be read.
        """
        try:
            fd = os.open(self._target, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        except FileNotFoundError as error:
            if not Path(self._target).parent.is_dir():
                raise cannot_write(self._target, error) from error
            return
        except OSError as error:
            raise cannot_write(self._target, error) from error
        try:
            self._noted(fd)
        finally:
            os.close(fd)

    def put(self, record: Record) -> None:
        """Take one outcome, while the file is open; raises OutputError, CheckpointError as `JsonLines.put`."""
        if self._lines is None:
            raise RuntimeError(f"{self._name} is not open")
        self._lines.put(record)

    @contextlib.asynccontextmanager
    async def opened(self, note: Note) -> AsyncIterator[None]:
        """Open the file, add the outcomes that are missing, and accept new ones inside the block.

        `note` keeps a value in the checkpoint, and blocks. A failure at the end becomes `error`.

        Raises:
            ConfigurationError: as `check`.
            RunError: what it lacks cannot be read or written.
        """
        fd = open_target(self._target, os.O_RDWR)
        try:
            known = self._claimed(fd, note)
            _cut_half_a_line(fd)
            done = False
            try:
                with started(self._stream(fd, known, note)) as self._lines:
                    if not self._is_complete(fd, known):
                        await self._add_missing(fd, known.after_ms)
                    yield
                    done = True
                if not self._lines.broken:
                    self._note_complete(fd, note)
            except RunError as error:
                if not done:
                    raise
                self.error = error
        finally:
            self._lines = None
            os.close(fd)

    def _claimed(self, fd: int, note: Note) -> ResultsNote:
        """Lock the file against other runs, and return its note; make the note if the file is new."""
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigurationError(
                f"another run writes its results to {self._name}: name another file"
            ) from None
        except OSError:
            pass  # a file system without locks
        known = self._noted(fd)
        if known is None:
            # Outcomes from before are no part of the file.
            known = ResultsNote(outcomes_after(self._checkpoint, 0).newest_ms)
            note(self._key, str(known))
        return known

    def _noted(self, fd: int) -> ResultsNote | None:
        """Return the checkpoint's note of this file; None where the file is new, or empty."""
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode):
            raise ConfigurationError(f"{self._name} is no regular file", Advice.OTHER_RESULTS)
        notes = {name: ResultsNote.parse(text) for name, text in read_notes(self._checkpoint, PREFIX).items()}
        here = notes.get(self._key)
        if found.st_size == 0:
            # A run that could not write a line has begun it: go on with its note.
            return here if here and not here.size else None
        longest = max((len(known.first) for known in notes.values() if known), default=0)
        head = os.pread(fd, longest, 0)
        # By its path first, since a copy has the same first line.
        for known in (here, *notes.values()):
            if known and known.owns(head):
                return known
        raise ConfigurationError(
            f"{self._name} exists, and does not hold results of the checkpoint {printable(str(self._checkpoint))}:"
            " it is left as it is",
            Advice.NEW_RESULTS,
        )

    def _stream(self, fd: int, known: ResultsNote, note: Note) -> JsonLines:
        self._known = known

        def begin(first: bytes) -> None:
            self._known = replace(known, first=first.decode(), size=0)
            note(self._key, str(self._known))

        is_empty = os.fstat(fd).st_size == 0
        return JsonLines(fd, self._name, self._closed, begin=begin if is_empty else None)

    def _is_complete(self, fd: int, known: ResultsNote) -> bool:
        same_size = os.fstat(fd).st_size == known.size
        return same_size and tuple(outcomes_after(self._checkpoint, known.after_ms)) == known.outcomes

    def _note_complete(self, fd: int, note: Note) -> None:
        try:
            os.fsync(fd)
        except OSError as error:
            raise OutputError(f"cannot write the results to {self._name}: {error.strerror}") from error
        # A checkpoint that cannot be read has ended the run already; then the next run compares the two.
        with contextlib.suppress(CheckpointError, ConfigurationError):
            outcomes = tuple(outcomes_after(self._checkpoint, self._known.after_ms))
            now = replace(self._known, size=os.fstat(fd).st_size, outcomes=outcomes)
            if now != self._known:
                note(self._key, str(now))

    async def _add_missing(self, fd: int, after_ms: int) -> None:
        self._comparing()
        count = 0
        for record in self._missing(fd, utc_time(after_ms)):
            if record is None:
                await asyncio.sleep(0)  # let the loop handle signals
            else:
                self.put(record)
                count += 1
        if count:
            self._added(count)

    def _missing(self, fd: int, after: str) -> Iterator[Record | None]:
        """Yield the outcomes that the file lacks, in the order of reading, and None after each batch.

        Memory stays flat: the keys of the file's outcomes are in a temporary database.
        """
        try:
            with contextlib.closing(sqlite3.connect("", isolation_level=None)) as held:
                held.execute("PRAGMA journal_mode = OFF")
                held.execute("CREATE TABLE held (key BLOB PRIMARY KEY) WITHOUT ROWID")
                for batch in _batches(_keys(fd)):
                    held.executemany("INSERT OR IGNORE INTO held VALUES (?)", ((key,) for key in batch))
                    yield None
                for number, record in enumerate(read_records(self._checkpoint, FINAL)):
                    if number % _BATCH == 0:
                        yield None
                    if (record.finished_at or "") > after and not held.execute(
                        "SELECT 1 FROM held WHERE key = ?", (key_of(record),)
                    ).fetchone():
                        yield record
        except sqlite3.Error as error:
            raise OutputError(
                f"cannot compare {self._name} with its checkpoint: {printable(str(error))}. Nothing was sent"
            ) from error

    @property
    def _name(self) -> str:
        return printable(self._target)


def _cut_half_a_line(fd: int) -> None:
    """Make the file end with a line end: cut half a line of ours, left by a full disk or a kill."""
    size = os.fstat(fd).st_size
    start = max(0, size - _LINE_LIMIT)
    last = os.pread(fd, _LINE_LIMIT, start)
    cut, add = mend(last[last.rfind(b"\n") + 1 :])
    try:
        if cut:
            os.ftruncate(fd, size - cut)
        os.write(fd, add)
    except OSError as error:
        raise OutputError(f"cannot write the results: {error.strerror}. Nothing was sent") from error


def _keys(fd: int) -> Iterator[bytes]:
    with open(fd, "rb", closefd=False) as file:
        file.seek(0)  # writing is not affected: it appends
        # A longer line is read in pieces, and is no record of ours.
        while line := file.readline(_LINE_LIMIT):
            if key := key_of_line(line.rstrip(b"\n")):
                yield key


def _batches(keys: Iterator[bytes]) -> Iterator[list[bytes]]:
    batch: list[bytes] = []
    for key in keys:
        batch.append(key)
        if len(batch) == _BATCH:
            yield batch
            batch = []
    yield batch
