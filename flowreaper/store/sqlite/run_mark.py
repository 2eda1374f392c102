"""The mark that a run leaves in its checkpoint, by which the next run finds out whether the log is there.

What a run records is in the log (``-wal``) until it is folded into the main file. The mark is a row of the table
``job``: a number and a random token. Before a fold it gets the next number and a new token, and is *open*; the fold
copies it into the main file. The first commit after the fold *closes* it, in the log alone. So:

- The main file alone shows an open mark: its log is missing, and with it what was recorded since the fold.
- With the log, the mark is closed; or it is open and its token is in the log: the run was killed between the fold and
  the commit after it, so the log is the folded one and nothing is missing.
- With a log of another file, the mark does not follow from the one in the main file.
- At a clean end the last fold copies the closed mark into the main file.

A reader may delay a fold. So the mark names every token that the main file may hold until then.
"""

import json
import os
import secrets
import socket
import sqlite3
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum, auto
from pathlib import Path

from flowreaper.errors import Advice, CheckpointRefusedError
from flowreaper.escaping import printable
from flowreaper.store.store import Holder

NAME = "log"
RUN = "run"
"""The names, in the table ``job``, of the mark and of the run that has the checkpoint."""

WRITE = "INSERT OR REPLACE INTO job (name, value) VALUES (?, ?)"
_READ = "SELECT value FROM job WHERE name = ?"


@dataclass(frozen=True, slots=True)
class Mark:
    """`opened` counts the folds, `closed` is the number of the last one that was closed.

    `tokens`: what the main file may hold, the last one being this mark's own.
    """

    opened: int = 0
    closed: int = 0
    tokens: tuple[str, ...] = ("",)

    @property
    def is_closed(self) -> bool:
        """Whether something was committed after the fold that this mark was made for."""
        return self.opened == self.closed

    @property
    def token(self) -> str:
        """This mark's own token, which no other has."""
        return self.tokens[-1]

    def next(self) -> "Mark":
        """Return the open mark for the next fold; this one where it is open already."""
        if not self.is_closed:
            return self
        return Mark(self.opened + 1, self.closed, (*self.tokens, secrets.token_hex(8)))

    def reopened(self) -> "Mark":
        """Return the next open mark after an open one whose log is lost."""
        return Mark(self.opened + 1, self.closed, (*self.tokens, secrets.token_hex(8)))

    def folded(self) -> "Mark":
        """Return the closed mark, once the main file holds this one."""
        return Mark(self.opened, self.opened, (self.token,))

    def text(self) -> str:
        """Write the mark as text with a checksum, since a power cut may tear a page."""
        body = f"{self.opened:012d} {self.closed:012d} {','.join(self.tokens)}"
        return f"{body} {zlib.crc32(body.encode()):08x}"


def parse(text: object) -> Mark | None:
    """Read a mark; None where the text is none, or is torn."""
    if not isinstance(text, str):
        return None
    body, _, checksum = text.rpartition(" ")
    words = body.split(" ")
    try:
        if int(checksum, 16) != zlib.crc32(body.encode()) or len(words) != 3:  # noqa: PLR2004 -- as `text` writes
            return None
        return Mark(int(words[0]), int(words[1]), tuple(words[2].split(",")))
    except ValueError:
        return None


def is_whole(main: Mark | None, effective: Mark, *, in_log: bool) -> bool:
    """Return whether nothing that was recorded is missing.

    `main` is the mark in the main file alone: None where there is none, or where a power cut tore its page, which the
    log repairs. `effective` is the mark with the log. `in_log`: the log holds the token of `effective`.
    """
    here = effective.is_closed or in_log
    if main is None:
        return here
    if main.token == effective.token:
        return here and effective.closed >= main.closed
    return main.token in effective.tokens


class Log(Enum):
    """Whether a checkpoint's log is as it should be."""

    WHOLE = auto()
    MISSING = auto()
    FOREIGN = auto()


def examine(path: Path) -> Log:
    """Find out whether a checkpoint that needs its log has it. Writes nothing; no run may have the checkpoint.

    A file that is no database counts as WHOLE: opening it reports that.
    """
    log = path.with_name(path.name + "-wal")
    has_log = log.exists() and log.stat().st_size > 0
    if path.stat().st_size == 0:
        return Log.WHOLE  # SQLite would remove the log of an empty file
    bad = Log.FOREIGN if has_log else Log.MISSING
    try:
        main = _read(path, "mode=ro&immutable=1")
    except (sqlite3.Error, ValueError):
        main = None
    try:
        effective = _read(path, "mode=ro") or Mark()
    except ValueError:
        return bad
    except sqlite3.DatabaseError as error:
        # A rollback journal means that there is no log, and a folder that cannot be written has no place for the
        # memory that SQLite needs to read one. Opening reports what cannot be read at all.
        unread = error.sqlite_errorcode == sqlite3.SQLITE_READONLY_ROLLBACK or not os.access(
            path.parent, os.W_OK
        )
        return bad if main and has_log and not unread else Log.WHOLE
    in_log = has_log and not effective.is_closed and effective.token.encode() in log.read_bytes()
    return Log.WHOLE if is_whole(main, effective, in_log=in_log) else bad


def require_log(path: Path, *, accept_lost: bool) -> bool:
    """Return whether a checkpoint's log is lost, where `accept_lost` allows that.

    Raises:
        CheckpointRefusedError: it is lost, or not the checkpoint's own.
    """
    name = printable(str(path))
    found = examine(path)
    if found is Log.FOREIGN:
        raise CheckpointRefusedError(f"the checkpoint {name} has a log that is not its own: {foreign(name)}")
    if found is Log.MISSING and not accept_lost:
        raise CheckpointRefusedError(
            f"the checkpoint {name} is not whole: {missing(name)}", Advice.ACCEPT_LOST_LOG
        )
    return found is Log.MISSING


def foreign(name: str) -> str:
    """Say what a log means that is not the checkpoint's own, and what to do; `name` as for `missing`."""
    return (
        f"{name}-wal belongs to another checkpoint, or is an older one, so that SQLite would mix the two. Put back the"
        " -wal that the last run left beside it, or move this one away"
    )


def missing(name: str) -> str:
    """Say what a missing log means, and what to do; `name` is the checkpoint's, printable."""
    return (
        f"its last run was cut off, and {name}-wal, the log that holds what that run recorded last, is not beside it."
        " Without it, flows that were deleted would be called again and end as absent. Put it back (a copy of a"
        " checkpoint needs it, too); if it is lost, a run has to accept that: every unfinished and every new"
        " flow then counts as in doubt, and one that is gone as deleted, by inference"
    )


def _read(path: Path, how: str) -> Mark | None:
    db = sqlite3.connect(f"{path.resolve().as_uri()}?{how}", uri=True, isolation_level=None)
    try:
        row = db.execute(_READ, (NAME,)).fetchone()
    finally:
        db.close()
    if row is None:
        return None
    mark = parse(row[0])
    if mark is None:
        raise ValueError("the mark is torn")
    return mark


def this_run() -> str:
    """Return what the checkpoint keeps about the run that has it: pid, host, since when."""
    since = datetime.now(UTC).isoformat(timespec="seconds")
    return json.dumps({"pid": os.getpid(), "host": socket.gethostname(), "since": since})


def parse_holder(text: object) -> Holder | None:
    """Read the value of `this_run`; None where it is something else."""
    try:
        run = json.loads(text) if isinstance(text, str) else {}
        pid, host, since = run["pid"], run["host"], datetime.fromisoformat(run["since"])
    except (ValueError, TypeError, KeyError, RecursionError):  # a forged file nests deep
        return None
    if not (isinstance(pid, int) and isinstance(host, str) and since.tzinfo):
        return None
    return Holder(pid, host, since)


def holder(path: Path) -> str:
    """Return which run has the checkpoint, as that run wrote it there; empty where it wrote nothing."""
    try:
        db = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, isolation_level=None)
        try:
            row = db.execute(_READ, (RUN,)).fetchone()
        finally:
            db.close()
    except sqlite3.Error:
        return ""
    found = parse_holder(row[0]) if row else None
    return str(found) if found else ""
