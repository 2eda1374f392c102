"""Power loss below the file layer: every state that a cut could leave is built, opened and compared.

A run is recorded write by write. The checkpoint's transactions make a chain of states; whatever a cut
leaves must be one of that chain, none older than the last one whose method had returned.
"""

import contextlib
import random
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from flowreaper.errors import CheckpointRefusedError, FlowreaperError
from flowreaper.model import Added, AnyEntry, Change, Claim, Flow, Record, Retry, State
from flowreaper.store.sqlite import history, schema
from flowreaper.store.sqlite.checkpoint import Checkpoint, open_checkpoint
from flowreaper.store.sqlite.states import NUMBER
from tests.crash.disk import Disk, Op, Platter, connect_to, everything, nothing, some, torn
from tests.crash.rig import SYNCHRONOUS, How, Service, Shown, Store, Transport, hasty, run
from tests.samples import IDENTITY, entries, invalid
from tests.virtual import run_virtual

NAME = "ids.txt.ckpt"
Rows = tuple[Any, ...]


class Told(NamedTuple):
    """Somebody outside was told that this flow is in this state: sent to the service, or shown."""

    flow_id: str
    state: int


class Chain:
    """The states of a checkpoint, one after each of its transactions."""

    def __init__(self, disk: Disk) -> None:
        self.disk = disk
        self.states: list[Rows] = []

    def begin(self) -> None:
        """Note that a transaction begins."""
        self.disk.mark("begun")

    def returned(self, state: Rows) -> None:
        """Note what the file must hold from now on."""
        self.states.append(state)
        self.disk.mark("returned")


class Watched(Store):
    """A store that notes the beginning and the end of each transaction."""

    def __init__(self, checkpoint: Checkpoint, chain: Chain) -> None:
        super().__init__(checkpoint)
        self._chain = chain

    async def add(self, entries: Sequence[AnyEntry]) -> Added:
        with self._noted():
            return await super().add(entries)

    async def write(self, changes: Sequence[Change], new: int = 0, rows: Sequence[int] = ()) -> list[Claim]:
        with self._noted():
            return await super().write(changes, new, rows)

    @contextlib.contextmanager
    def _noted(self) -> Iterator[None]:
        self._chain.begin()
        yield
        self._chain.returned(rows(self.checkpoint._db))


def rows(db: sqlite3.Connection) -> Rows:
    tables = (
        "SELECT * FROM flow",
        "SELECT name FROM source",
        "SELECT text, reason, source, line FROM invalid",
    )
    return tuple(tuple(db.execute(f"{query} ORDER BY 1")) for query in tables)


@contextlib.contextmanager
def version_1() -> Iterator[None]:
    """Make checkpoints as flowreaper 0.1.0 did before it kept a history."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(schema, "VERSION", 1)
        patch.setattr(schema, "_HISTORY", ())
        patch.setattr(schema, "_VERIFICATION", ())
        yield


def record(
    folder: Path, flows: int, seed: int, synchronous: str = "FULL", *, begun_by_version_1: bool = False
) -> tuple[list[Op], list[Rows], Service]:
    """Make three runs over one checkpoint; return what the disk saw, the chain of states and the service."""
    disk = Disk()
    chain = Chain(disk)
    luck = random.Random(seed)  # noqa: S311 -- to be repeated
    service = Service()
    connect = connect_to(disk, instead={SYNCHRONOUS: f"PRAGMA synchronous = {synchronous}"})
    ids = [str(n) for n in range(1, flows + 1)]
    feed = [[*entries(*ids[: flows // 2]), invalid("x y")], entries(*ids[flows // 2 :])]
    tricks = [how for how in How if how is not How.REFUSED]

    def how() -> How:
        return luck.choice(tricks) if luck.random() < 0.3 else How.WELL

    def sending(flow: Flow) -> None:
        disk.mark(Told(flow.flow_id, NUMBER[State.CLAIMED]))

    def shown(outcome: Record) -> None:
        if outcome.state in NUMBER:
            disk.mark(Told(outcome.flow_id, NUMBER[outcome.state]))

    def one_run(limit: int | None, *, refuse: bool) -> None:
        chain.begin()
        checkpoint = open_checkpoint(folder / NAME, IDENTITY, connect=connect)
        checkpoint.reopen(Retry((State.REFUSED,)))
        left_claimed = checkpoint.mark_claimed_in_doubt()
        chain.returned(rows(checkpoint._db))
        transport = Transport(service, (lambda: How.REFUSED) if refuse else how, sending)
        store = Watched(checkpoint, chain)
        engine = run_virtual(
            run(store, transport, Shown(shown), feed=feed, left_claimed=left_claimed, limit=limit, seed=seed)
        )
        assert engine.error is None
        checkpoint.close()

    with version_1() if begun_by_version_1 else contextlib.nullcontext():
        one_run(2, refuse=True)
    one_run(flows // 2, refuse=False)
    one_run(None, refuse=False)
    return disk.ops, chain.states, service


class Cutter:
    """Opens what a cut leaves, as the next run would; equal files are opened once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen: dict[int, Rows | None] = {}
        self.cuts = 0

    def state(self, files: Mapping[str, bytes]) -> Rows | None:
        """Return what the checkpoint holds after a cut that left these files; None if it is refused."""
        self.cuts += 1
        key = hash(tuple(sorted(files.items())))
        if key not in self._seen:
            self._seen[key] = self._opened(files)
        return self._seen[key]

    def _opened(self, files: Mapping[str, bytes]) -> Rows | None:
        for old in self._folder.iterdir():
            old.unlink()
        for name, data in files.items():
            (self._folder / name).write_bytes(data)
        try:
            opened = open_checkpoint(self._folder / NAME, IDENTITY, connect=hasty)
        except CheckpointRefusedError:
            return None
        with contextlib.closing(opened) as left:
            assert left._db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            assert schema.version(left._db) == schema.VERSION
            assert (history.runs(left._db), history.minutes(left._db)) == ((), ())
            return rows(left._db)


def power_cuts(ops: Sequence[Op], chain: Sequence[Rows], folder: Path, seed: int, random_cuts: int) -> int:
    """Cut at every write, sync and removal; return how many different moments there were."""
    luck = random.Random(seed)  # noqa: S311 -- to be repeated
    platter, cutter = Platter(), Cutter(folder)
    begun = returned = moments = 0
    for op in ops:
        if op.kind == "mark":
            begun += op.mark == "begun"
            returned += op.mark == "returned"
            if isinstance(op.mark, Told):
                state = cutter.state(platter.left(nothing, 0))
                assert state
                kept = {row[1]: row[3] for row in state[0]}
                assert kept[op.mark.flow_id] == op.mark.state, (
                    "the service or the user knew before the disk did"
                )
            continue
        platter.do(op)
        moments += 1
        # Before the first transaction returns, nothing is promised but an empty, sound checkpoint.
        legal = chain[returned - 1 : begun] if returned else [((), (), ()), *chain[:begun]]
        left = [platter.left(choose, kept) for choose in (nothing, everything, torn) for kept in (0, 1)]
        left += [platter.left(some(luck), luck.random()) for _ in range(random_cuts)]
        for files in left:
            assert cutter.state(files) in legal, f"after {moments} operations: {op.kind} {op.name}"
        # A kill loses nothing. If the log is lost after it, the next run reports that, unless the log held nothing new.
        killed = dict(platter.left(everything, 1))
        if killed.pop(f"{NAME}-wal", None) is not None:
            assert cutter.state(killed) in (*legal, None), f"without its log after {moments} operations"
    return moments


@pytest.fixture(autouse=True)
def frequent_folds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fold the log every few transactions, so that a small run does so often."""
    monkeypatch.setattr("flowreaper.store.sqlite.wal.FOLD_BYTES", 30_000)


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    made = tmp_path / "run", tmp_path / "cut"
    for folder in made:
        folder.mkdir()
    return made


def test_a_power_cut_at_any_write_leaves_all_that_was_reported_as_kept(folders: tuple[Path, Path]) -> None:
    ops, chain, service = record(folders[0], flows=10, seed=1)
    kinds = {op.kind for op in ops}
    assert kinds >= {"write", "sync", "link", "unlink"}
    assert len(service.deleted) == 10
    moments = power_cuts(ops, chain, folders[1], seed=1, random_cuts=4)
    assert moments > 200


def test_a_power_cut_at_any_write_of_a_migration_loses_nothing(folders: tuple[Path, Path]) -> None:
    ops, chain, _ = record(folders[0], flows=6, seed=2, begun_by_version_1=True)
    assert power_cuts(ops, chain, folders[1], seed=2, random_cuts=4) > 100


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", range(8))
def test_a_power_cut_at_any_write_of_a_longer_run(folders: tuple[Path, Path], seed: int) -> None:
    ops, chain, _ = record(folders[0], flows=40, seed=seed)
    assert power_cuts(ops, chain, folders[1], seed, random_cuts=8) > 300


@pytest.mark.parametrize("synchronous", ["OFF", "NORMAL"])
def test_these_cuts_find_a_checkpoint_that_does_not_sync_its_commits(
    folders: tuple[Path, Path], synchronous: str
) -> None:
    ops, chain, _ = record(folders[0], flows=4, seed=1, synchronous=synchronous)
    with pytest.raises((AssertionError, KeyError, FlowreaperError)):
        power_cuts(ops, chain, folders[1], seed=1, random_cuts=1)
