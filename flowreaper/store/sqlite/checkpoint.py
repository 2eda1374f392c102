"""The checkpoint: a job's flows in one SQLite file, changed by one transaction a method.

A method's changes are durable when it returns (WAL, synchronous=FULL: SQLite syncs the log at each commit). One
thread at a time may call. Its SQL is here and in `statements`, `listed_flows`, `schema` and `sources`.
"""

import contextlib
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from flowreaper.errors import CheckpointError
from flowreaper.escaping import printable
from flowreaper.model import (
    Added,
    AnyEntry,
    Change,
    Claim,
    Entry,
    Flow,
    InvalidEntry,
    Outcome,
    Reopen,
    Requeue,
    Retry,
    State,
    Unsent,
)
from flowreaper.store.sqlite import (
    columns,
    file_guard,
    listed_flows,
    run_mark,
    schema,
    statements,
)
from flowreaper.store.sqlite.database import DAMAGE, Database, GuardedDatabase, what_failed
from flowreaper.store.sqlite.history import History
from flowreaper.store.sqlite.known_flows import KnownFlows
from flowreaper.store.sqlite.next_flows import NextFlows
from flowreaper.store.sqlite.outcomes import Outcomes
from flowreaper.store.sqlite.sources import Sources
from flowreaper.store.sqlite.verifications import Verifications
from flowreaper.store.store import Identity

Connect = Callable[[str], sqlite3.Connection]


def connect(uri: str) -> sqlite3.Connection:
    """Open an SQLite database by its URI; transactions are explicit."""
    return sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False, timeout=30)


class Checkpoint:
    """A job's flows and what became of them. Made by `open_checkpoint`.

    `write` claims every unfinished flow; after `take_listed`, only those that `add` is given.

    Every method raises CheckpointError where the file cannot be read or written: nothing of that call was kept then.
    """

    def __init__(self, path: Path, db: sqlite3.Connection, database: Database | None = None) -> None:
        self.path = path
        self._db = db
        self._database = database or Database(path, db)
        self.history = History(self._database)
        self.known = KnownFlows(db, self._database)
        self.outcomes = Outcomes(db, self._database)
        self.verifications = Verifications(db, self._database)
        self._sources = Sources()
        self._next = NextFlows(printable(str(path)), self._sources)
        self._retry = Retry()

    def clear(self) -> None:
        """Forget every flow and every note; keep what the checkpoint belongs to, and which run has it."""
        with self._transaction() as db:
            for table in ("flow", "invalid", "source", "run", "minute", "verification", "remaining"):
                db.execute(f"DELETE FROM {table}")  # noqa: S608 -- names from the line above
            kept = ("endpoint", "sandbox", "access_key", "account", "arn", run_mark.NAME, run_mark.RUN)
            db.execute(f"DELETE FROM job WHERE name NOT IN ({', '.join('?' * len(kept))})", kept)  # noqa: S608 -- question marks

    def take_listed(self, retry: Retry = Retry()) -> None:  # noqa: B008 -- an immutable value
        """Claim from now on only flows that this run's input lists, and finished ones of them that `retry` names."""
        with self._transaction() as db:
            self._next.last_known = self._next.read_up_to = listed_flows.begin(db)
            self._retry = retry

    def unfinished(self, count: int) -> list[Flow]:
        """Return the first unfinished flows, up to `count`."""
        with self._database.errors():
            return listed_flows.unfinished(self._db, count)

    def list_known(self, flows: Sequence[Flow]) -> int:
        """Note that the input lists these unfinished flows; return how many were not noted before."""
        if self._next.last_known is None:
            return 0
        with self._transaction() as db:
            return listed_flows.enter(db, flows, self._next.last_known)

    def spaces(self) -> list[str]:
        """Return the spaces of the unfinished flows that this run takes; "" is the account's own."""
        with self._database.errors():
            return listed_flows.spaces(self._db, self._next.last_known)

    def unlisted(self) -> int:
        """Return how many unfinished flows this run leaves alone, because its input did not list them so far."""
        if self._next.last_known is None:
            return 0
        with self._database.errors():
            return listed_flows.count_unlisted(self._db, self._next.last_known)

    def add(self, entries: Sequence[AnyEntry]) -> Added:
        """Keep what was read; only count what is known already."""
        with self._transaction() as db:
            invalid = tuple(e for e in entries if isinstance(e, InvalidEntry) and self._add_invalid(db, e))
            flows = [
                (e.flow.flow_id, e.flow.cust_space_id, self._sources.number(db, e.source), e.line)
                for e in entries
                if isinstance(e, Entry)
            ]
            new = statements.ADD.run(db, flows)
            resumed, reopened = 0, {}
            if self._next.last_known is not None and new < len(flows):
                named = [e.flow for e in entries if isinstance(e, Entry)]
                reopened = listed_flows.reopen(db, named, self._next.last_known, self._retry)
                resumed = listed_flows.enter(db, named, self._next.last_known)
        return Added(new, len(entries) - new - len(invalid), invalid, resumed, reopened)

    def write(self, changes: Sequence[Change], new: int = 0, rows: Sequence[int] = ()) -> list[Claim]:
        """Record `changes` and claim flows, as `flowreaper.store.store.Store.write`."""
        with self._transaction() as db:
            outcomes = [statements.outcome_row(change) for change in changes if isinstance(change, Outcome)]
            self._expect(len(outcomes), statements.FINISH.run(db, outcomes))
            unsent = [statements.outcome_row(c.outcome) for c in changes if isinstance(c, Unsent)]
            self._expect(len(unsent), statements.FINISH_UNSENT.run(db, unsent))
            released = [(c.row, c.attempts, c.in_doubt) for c in changes if isinstance(c, Requeue)]
            self._expect(len(released), statements.RELEASE.run(db, released))
            reopened = [row for change in changes if isinstance(change, Reopen) for row in change.rows]
            if reopened:
                self._expect(len(reopened), statements.reopen_rows(db, reopened))
            found = self._next.find(db, new, rows)
            if found.claims:
                self._expect(len(found.claims), statements.claim(db, [claim.row for claim in found.claims]))
        self._next.took(found)
        return found.claims

    def look(self, new: int, rows: Sequence[int] = ()) -> list[Claim]:
        """Return what `write` would claim, without claiming it."""
        with self._transaction() as db:
            found = self._next.find(db, new, rows)
        self._next.took(found)
        return found.claims

    def mark_claimed_in_doubt(self) -> list[int]:
        """Put every flow that an earlier run left claimed in doubt; return their rows in order of reading.

        `write` claims them by these rows alone, never as pending flows.
        """
        with self._transaction() as db:
            rows = statements.mark_claimed_in_doubt(db)
        self._next.left_claimed = frozenset(rows)
        return rows

    def reopen(self, retry: Retry) -> int:
        """Make finished flows that `retry` names pending, with no attempts, `in_doubt` unchanged; return how many."""
        if not retry:
            return 0
        with self._transaction() as db:
            return statements.reopen(db, retry)

    def counts(self) -> dict[State, int]:
        """Return how many flows and invalid lines are in each state that occurs."""
        with self._database.errors():
            return statements.count_by_state(self._db)

    def in_doubt(self) -> int:
        """Return how many unfinished flows had a call without a reply."""
        with self._database.errors():
            (count,) = self._db.execute(schema.COUNT_IN_DOUBT).fetchone()
        return columns.number(count)

    def note(self, name: str, value: str) -> None:
        """Keep a value about the whole job under this name, in place of the former one."""
        with self._transaction() as db:
            db.execute("INSERT OR REPLACE INTO job (name, value) VALUES (?, ?)", (name, value))

    def noted(self, name: str) -> str:
        """Return what `note` kept under this name; empty if nothing."""
        with self._database.errors():
            return schema.job(self._db).get(name, "")

    def check(self) -> None:
        """Check that the file is still this run's; keep its log short. Call it every second."""
        self._database.check()

    def close(self) -> None:
        """Fold the log into the file and close it, so that one plain file is left."""
        self._database.close()

    def _add_invalid(self, db: sqlite3.Connection, entry: InvalidEntry) -> bool:
        source = self._sources.number(db, entry.source)
        row = (entry.text, entry.reason, source, entry.line, int(time.time() * 1000))
        return db.execute(statements.ADD_INVALID, row).rowcount == 1

    def _expect(self, count: int, changed: int) -> None:
        if changed != count:
            raise CheckpointError(
                f"{printable(str(self.path))}: {count - changed} claimed flows are not claimed in the file:"
                " it was changed by something else while this run went on"
            )

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        try:
            with self._database.transaction() as db:
                yield db
        except BaseException:
            self._sources.forget_new()
            raise


def open_checkpoint(
    path: Path, identity: Identity, *, connect: Connect = connect, accept_lost_log: bool = False
) -> Checkpoint:
    """Open the job's checkpoint for this run alone, or make it (mode 0600) where there is none.

    `accept_lost_log`: open it although its log is missing; every unfinished flow is in doubt then.

    Raises:
        CheckpointRefusedError: another run has the file; it is no checkpoint, or one of another endpoint, of the
            sandbox (or not of it), or of another version; it is a link, or no regular file; or its log is missing.
            The file stays as it was.
        CheckpointError: it cannot be made, read or written.
    """
    name = printable(str(path))
    try:
        with contextlib.ExitStack() as undo:
            file = undo.enter_context(contextlib.closing(file_guard.hold(path)))
            if file.size == 1:  # SQLite takes it for an empty one
                schema.refuse(name)
            log_is_lost = run_mark.require_log(path, accept_lost=accept_lost_log)
            file.keep_locked()
            db = undo.enter_context(contextlib.closing(connect(f"{path.resolve().as_uri()}?mode=rw")))
            schema.prepare(db, name, identity)
            # WAL comes after the tables: a crash leaves an empty file or a checkpoint, nothing in between.
            database = GuardedDatabase(path, db, file)
            database.begin(log_is_lost=log_is_lost)
            undo.pop_all()
    except (OSError, *DAMAGE) as error:
        raise CheckpointError(f"checkpoint {name}: {what_failed(error)}") from error
    return Checkpoint(path, db, database)
