"""The log is part of the record: whatever happens to it, nothing that was kept is missing without a word.

A checkpoint lives through any order of transactions, folds, readers, clean ends and kills between any two
statements; at each kill the log may stay, vanish, or be another one. Once it is opened again, everything that was
promised is there, or it is refused; where the log stayed, it is not refused.
"""

import contextlib
import shutil
import sqlite3
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from flowreaper.errors import CheckpointRefusedError
from flowreaper.model import State
from flowreaper.store.sqlite.checkpoint import Checkpoint, open_checkpoint
from flowreaper.store.sqlite.database import GuardedDatabase
from flowreaper.store.sqlite.reader import read_records
from tests.crash.rig import SYNCHRONOUS, hasty
from tests.samples import IDENTITY, entries, outcome

ENDS = ("", "-wal")


class Killed(sqlite3.Connection):
    """Before its n-th statement the files are copied, as a kill at that moment would leave them."""

    left = 0
    copy: Callable[[], None] = staticmethod(lambda: None)

    def execute(self, sql: str, values: Any = (), /) -> sqlite3.Cursor:
        self.left -= 1
        if self.left == 0:
            self.copy()
        return super().execute("PRAGMA synchronous = OFF" if sql == SYNCHRONOUS else sql, values)


class LogsLife(RuleBasedStateMachine):
    """A checkpoint whose log is meddled with."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.path = self.folder / "ids.ckpt"
        self.copies = self.folder / "copies"
        self.copies.mkdir()
        self.kill_at = 0
        self.read = 0
        self.promised: dict[str, State] = {}
        self.old_logs: list[tuple[int, bytes]] = []
        self.reader: sqlite3.Connection | None = None

    def teardown(self) -> None:
        self.stop_reading()
        self.drop()
        shutil.rmtree(self.folder)

    # --- steps

    @initialize()
    def begin(self) -> None:
        self.open()

    @rule(kill_at=st.integers(0, 12))
    def reads(self, kill_at: int) -> None:
        self.read += 1
        flow = str(self.read)
        if self.survives(kill_at, lambda: self.checkpoint.add(entries(flow))):
            self.promised[flow] = State.PENDING

    @rule(kill_at=st.integers(0, 12))
    def deletes(self, kill_at: int) -> None:
        claims = self.checkpoint.write([], new=1)
        if not claims:
            return
        flow = claims[0].flow.flow_id
        self.promised[flow] = State.CLAIMED
        if self.survives(kill_at, lambda: self.checkpoint.write([outcome(claims[0])])):
            self.promised[flow] = State.DELETED

    @rule(kill_at=st.integers(0, 12))
    def folds(self, kill_at: int) -> None:
        wal = self.database()._wal
        if wal.unfolded:
            self.survives(kill_at, wal.fold)

    @rule(kill_at=st.integers(0, 14))
    def ends_and_goes_on(self, kill_at: int) -> None:
        self.stop_reading()
        if self.survives(kill_at, self.checkpoint.close):
            self.open()

    @precondition(lambda self: self.reader is None)
    @rule()
    def somebody_reads(self) -> None:
        self.reader = sqlite3.connect(f"{self.path.as_uri()}?mode=ro", uri=True, isolation_level=None)
        self.reader.execute("BEGIN")
        self.reader.execute("SELECT count(*) FROM flow").fetchone()

    @rule()
    def stop_reading(self) -> None:
        if self.reader:
            self.reader.close()
            self.reader = None

    @rule()
    def keeps_a_copy_of_the_log(self) -> None:
        self.old_logs.append((self.database()._wal.mark.closed, self.log().read_bytes()))

    @rule()
    def is_killed(self) -> None:
        self.copy()
        self.go_on()

    @rule()
    def is_killed_and_loses_its_log(self) -> None:
        self.copy()
        (self.copies / "c-wal").unlink(missing_ok=True)
        self.go_on(meddled=True)

    @rule(foreign=st.booleans(), data=st.data())
    def is_killed_and_gets_another_log(self, foreign: bool, data: st.DataObject) -> None:  # noqa: FBT001 -- drawn
        now = self.database()._wal.mark.closed
        others = [content for closed, content in self.old_logs if closed < now]
        content = foreign_log(self.folder) if foreign or not others else data.draw(st.sampled_from(others))
        self.copy()
        (self.copies / "c-wal").write_bytes(content)
        self.go_on(meddled=True)

    # --- what the steps are made of

    def database(self) -> GuardedDatabase:
        database = self.checkpoint._database
        assert isinstance(database, GuardedDatabase)
        return database

    def log(self) -> Path:
        return self.path.with_name("ids.ckpt-wal")

    def open(self, *, accept: bool = False) -> None:
        def connect(uri: str) -> sqlite3.Connection:
            db = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False, factory=Killed)
            db.copy = self.copy
            return db

        self.checkpoint: Checkpoint = open_checkpoint(
            self.path, IDENTITY, connect=connect, accept_lost_log=accept
        )

    def survives(self, kill_at: int, step: Callable[[], object]) -> bool:
        """Take a step that a kill may cut off; return whether none did."""
        db = self.checkpoint._db
        assert isinstance(db, Killed)
        shutil.rmtree(self.copies)
        self.copies.mkdir()
        db.left = kill_at
        step()
        killed = kill_at > 0 >= db.left
        db.left = 0
        if killed:
            self.go_on()
        return not killed

    def copy(self) -> None:
        for end in ENDS:
            with contextlib.suppress(FileNotFoundError):
                shutil.copy(f"{self.path}{end}", self.copies / f"c{end}")

    def drop(self) -> None:
        self.checkpoint._db.close()
        self.database()._file.close()

    def go_on(self, *, meddled: bool = False) -> None:
        """Open what a kill left; every promise is kept, or it is refused."""
        self.stop_reading()
        self.drop()
        for end in (*ENDS, "-shm", "-journal"):
            Path(f"{self.path}{end}").unlink(missing_ok=True)
        for end in ENDS:
            with contextlib.suppress(FileNotFoundError):
                (self.copies / f"c{end}").rename(f"{self.path}{end}")
        try:
            self.open()
        except CheckpointRefusedError:
            assert meddled, "a checkpoint with all its files was refused"
            self.log().unlink(missing_ok=True)
            Path(f"{self.path}-shm").unlink(missing_ok=True)
            self.open(accept=True)
            kept = self.kept()
            unfinished = [f for f, s in kept.items() if not s.final]
            assert self.checkpoint.in_doubt() == len(unfinished)
            self.promised = kept
            return
        kept = self.kept()
        for flow, state in self.promised.items():
            assert flow in kept
            assert not state.final or kept[flow] is state
            assert state is not State.CLAIMED or kept[flow] is not State.PENDING
        # What was being done when the kill came may have been kept, too.
        self.promised |= kept

    def kept(self) -> dict[str, State]:
        return {record.flow_id: record.state for record in read_records(self.path)}


def foreign_log(folder: Path) -> bytes:
    """Return the log of another checkpoint that was cut off."""
    path = folder / "foreign.ckpt"
    with contextlib.closing(open_checkpoint(path, IDENTITY, connect=hasty)) as other:
        other.add(entries("901", "902"))
        content = Path(f"{path}-wal").read_bytes()
    path.unlink()
    return content


def test_nothing_that_was_kept_is_missing_without_a_word() -> None:
    run_state_machine_as_test(
        LogsLife,
        settings=settings(
            max_examples=60,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_nothing_is_missing_without_a_word_in_many_longer_lives() -> None:
    run_state_machine_as_test(
        LogsLife, settings=settings(max_examples=800, stateful_step_count=60, deadline=None)
    )
