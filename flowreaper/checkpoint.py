"""The checkpoint file: one SQLite database a job. All SQL that changes flows lives here.

Every public method that writes is one transaction, durable when it returns (WAL, synchronous=FULL: SQLite
syncs the log at each commit). One thread at a time may call.
"""

import contextlib
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from flowreaper import file_guard, run_mark, schema, statements
from flowreaper.database import DAMAGE, Database, GuardedDatabase
from flowreaper.errors import CheckpointError
from flowreaper.escaping import printable
from flowreaper.model import Added, Again, Claim, Entry, Flow, Identity, InvalidEntry, Outcome, State

Connect = Callable[[str], sqlite3.Connection]


def connect(uri: str) -> sqlite3.Connection:
    """Open an SQLite database by its URI; transactions are explicit."""
    return sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False, timeout=30)


class Checkpoint:
    """A job's flows and what became of them.

    Made by `open_checkpoint`. Raises CheckpointError from every method when the file cannot be read or
    written: nothing of that call was kept then.
    """

    def __init__(self, path: Path, db: sqlite3.Connection, database: Database | None = None) -> None:
        self.path = path
        self._db = db
        self._database = database or Database(path, db)
        self._sources: dict[str, int] = {}
        self._source_names: dict[int, str] = {}
        self._read_up_to = 0
        self._left_claimed: frozenset[int] = frozenset()

    def add(self, entries: Sequence[Entry | InvalidEntry]) -> Added:
        """Keep what was read. A flow or line that is known already is only counted."""
        with self._transaction() as db:
            invalid = tuple(e for e in entries if isinstance(e, InvalidEntry) and self._add_invalid(db, e))
            flows = [
                (e.flow.flow_id, e.flow.cust_space_id, self._source(db, e.source), e.line)
                for e in entries
                if isinstance(e, Entry)
            ]
            new = statements.ADD.run(db, flows)
        return Added(new, len(entries) - new - len(invalid), invalid)

    def write(
        self, changes: Sequence[Outcome | Again], new: int = 0, again: Sequence[int] = ()
    ) -> list[Claim]:
        """Record `changes`, then claim the rows `again` and up to `new` pending flows that come next.

        The claims are in that order; pending flows are claimed in the order of reading, each once: to claim
        one again, name its row.
        """
        with self._transaction() as db:
            outcomes = [statements.outcome_row(change) for change in changes if isinstance(change, Outcome)]
            self._expect(len(outcomes), statements.FINISH.run(db, outcomes))
            released = [(c.row, c.attempts, c.in_doubt) for c in changes if isinstance(c, Again)]
            self._expect(len(released), statements.RELEASE.run(db, released))
            claims = [self._claim_row(db, row) for row in again]
            pending = self._next_pending(db, new) if new > 0 else []
            claims += pending
            if claims:
                self._expect(len(claims), statements.claim(db, [claim.row for claim in claims]))
        if pending:
            self._read_up_to = pending[-1].row
        return claims

    def doubt_claimed(self) -> list[int]:
        """Put every flow that an earlier run left claimed in doubt; return their rows in order of reading.

        They are claimed by naming them, never as pending flows.
        """
        with self._transaction() as db:
            db.execute("UPDATE flow SET in_doubt = 1 WHERE state = 1")
            rows = [row for (row,) in db.execute("SELECT id FROM flow WHERE state = 1 ORDER BY id")]
        self._left_claimed = frozenset(rows)
        return rows

    def reopen(self, states: Sequence[State]) -> int:
        """Make the flows in these final states pending again, attempts anew, doubts kept; return how many."""
        with self._transaction() as db:
            return sum(
                db.execute(
                    "UPDATE flow SET state = 0, attempts = 0, inferred = 0, http_status = NULL, code = NULL,"
                    " message = NULL, request_id = NULL, finished_at_ms = NULL WHERE state = ?",
                    (schema.NUMBER[state],),
                ).rowcount
                for state in states
            )

    def counts(self) -> dict[State, int]:
        """Return how many flows and invalid lines are in each state that occurs."""
        with self._database.errors():
            states = self._db.execute("SELECT state, count(*) FROM flow GROUP BY state").fetchall()
            found = {schema.state(state): count for state, count in states}
            (invalid,) = self._db.execute("SELECT count(*) FROM invalid").fetchone()
        return found | ({State.INVALID: invalid} if invalid else {})

    def in_doubt(self) -> int:
        """Return how many unfinished flows had a call of which no answer is known."""
        with self._database.errors():
            (count,) = self._db.execute(schema.COUNT_IN_DOUBT).fetchone()
        return schema.number(count)

    def note(self, name: str, value: str) -> None:
        """Keep something about the job as a whole, in place of what had this name."""
        with self._transaction() as db:
            db.execute("INSERT OR REPLACE INTO job (name, value) VALUES (?, ?)", (name, value))

    def noted(self, name: str) -> str:
        """Return what `note` kept under this name; empty if nothing."""
        with self._database.errors():
            return schema.job(self._db).get(name, "")

    def known_to(self, other: Path) -> tuple[int, int]:
        """Return how many of these flows another checkpoint holds, and how many of those are final there."""
        with self._beside(other) as db:
            known, finished = db.execute(
                "SELECT count(*), coalesce(sum(theirs.state >= 2), 0) FROM main.flow AS mine"
                " JOIN other.flow AS theirs USING (flow_id, cust_space_id)"
            ).fetchone()
        return known, finished

    def first(self, count: int, beside: Path | None = None, states: Sequence[State] = ()) -> list[Flow]:
        """Return up to `count` flows: another checkpoint's in these states, then those that are here alone."""
        if beside is None:
            with self._database.errors():
                return statements.first_flows(self._db, count)
        with self._beside(beside) as db:
            return statements.first_flows(db, count, [schema.NUMBER[state] for state in states])

    def check(self) -> None:
        """Make sure that the file is still this run's; keep its log short. Call it every second."""
        self._database.check()

    def close(self) -> None:
        """Fold the log into the file and close it, so that one plain file is left."""
        self._database.close()

    def _add_invalid(self, db: sqlite3.Connection, entry: InvalidEntry) -> bool:
        added = db.execute(
            "INSERT OR IGNORE INTO invalid (text, reason, source, line, found_at_ms) VALUES (?, ?, ?, ?, ?)",
            (
                entry.text,
                entry.reason,
                self._source(db, entry.source),
                entry.line,
                int(time.time() * 1000),
            ),
        )
        return added.rowcount == 1

    def _source(self, db: sqlite3.Connection, name: str) -> int:
        number = self._sources.get(name)
        if number is None:
            db.execute("INSERT OR IGNORE INTO source (name) VALUES (?)", (name,))
            (number,) = db.execute("SELECT id FROM source WHERE name = ?", (name,)).fetchone()
            self._sources[name] = number
        return number

    def _claim_row(self, db: sqlite3.Connection, row: int) -> Claim:
        found = db.execute(
            "SELECT id, flow_id, cust_space_id, attempts, in_doubt, source, line FROM flow"
            " WHERE id = ? AND state < 2",
            (row,),
        ).fetchone()
        if found is None:
            raise CheckpointError(
                f"{printable(str(self.path))}: row {row} is not to be called again: the checkpoint was changed"
                " by something else while this run went on"
            )
        return self._claim(db, found)

    def _next_pending(self, db: sqlite3.Connection, count: int) -> list[Claim]:
        found = statements.next_pending(db, self._read_up_to, count + len(self._left_claimed))
        # A row that was left claimed may have been put back since: who named it once names it again.
        fresh = [row for row in found if row[0] not in self._left_claimed]
        return [self._claim(db, row) for row in fresh[:count]]

    def _claim(self, db: sqlite3.Connection, found: Sequence[Any]) -> Claim:
        row, flow_id, space, attempts, in_doubt, source, line = found
        name = self._source_names.get(source)
        if name is None:
            (kept,) = db.execute("SELECT name FROM source WHERE id = ?", (source,)).fetchone() or ("",)
            name = self._source_names[source] = schema.text(kept)
        flow = schema.flow(flow_id, space)
        return Claim(row, flow, schema.number(attempts), bool(in_doubt), name, schema.number(line))

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
            self._sources.clear()  # the names may be gone with the transaction
            raise

    @contextlib.contextmanager
    def _beside(self, other: Path) -> Iterator[sqlite3.Connection]:
        with self._database.errors():
            self._db.execute("ATTACH ? AS other", (f"{other.resolve().as_uri()}?mode=ro",))
            try:
                yield self._db
            finally:
                self._db.execute("DETACH other")


def open_checkpoint(
    path: Path, identity: Identity, *, connect: Connect = connect, accept_lost_log: bool = False
) -> Checkpoint:
    """Open the job's checkpoint for this run alone, or make it (mode 0600) where there is none.

    With `accept_lost_log`, one whose log is missing is gone on with: every unfinished flow is in doubt then.

    Raises:
        CheckpointRefusedError: another run has the file; it is no checkpoint, or one of another endpoint, of the
            sandbox (or not of it), or of a newer flowreaper; it is a link, or no regular file; or its log is
            missing. It is left as it was.
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
            # Only now, so that a crash leaves a file that is empty or a checkpoint, nothing between.
            database = GuardedDatabase(path, db, file)
            database.begin(log_is_lost=log_is_lost)
            undo.pop_all()
    except (OSError, *DAMAGE) as error:
        # SQLite's words may quote what a forged file holds.
        raise CheckpointError(f"checkpoint {name}: {printable(str(error))}") from error
    return Checkpoint(path, db, database)


def make_temporary(path: Path) -> Checkpoint:
    """Return an empty checkpoint that SQLite keeps in memory and in a nameless file, gone when closed.

    `path` only names it in messages.
    """
    db = connect("file:?mode=rwc")
    schema.create(db)
    return Checkpoint(path, db)
