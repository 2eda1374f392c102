"""A write fails: the n-th, for every n until a run passes untouched."""

import asyncio
import contextlib
import functools
import itertools
import resource
import sqlite3
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import apsw
import pytest

from flowreaper.client.credentials import StaticSource
from flowreaper.client.endpoint import parse_endpoint
from flowreaper.errors import CheckpointError
from flowreaper.job.run import Run
from flowreaper.job.settings import Settings
from flowreaper.job.summary import Summary
from flowreaper.model import Ending, Flow, State
from flowreaper.producer.producer import Deliver
from flowreaper.sandbox import CREDENTIALS, Sandbox, SandboxOptions
from flowreaper.store.sqlite.checkpoint import open_checkpoint
from flowreaper.store.sqlite.reader import read_records
from tests.crash.disk import Disk, connect_to
from tests.crash.rig import How, Service, Shown, Silence, Store, Transport, run
from tests.end_to_end.command import Command, ended
from tests.end_to_end.command import Service as Process
from tests.samples import IDENTITY, entries
from tests.virtual import run_virtual

FLOWS = [str(n) for n in range(1, 6)]


@pytest.fixture(autouse=True)
def frequent_folds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fold the log every few transactions, so that a small run does so often."""
    monkeypatch.setattr("flowreaper.store.sqlite.wal.FOLD_BYTES", 30_000)


def on_disk(path: Path) -> dict[str, State]:
    """Return what a checkpoint that a failed run left holds as final."""
    return {r.flow_id: r.state for r in read_records(path) if r.state.final}


# --- below SQLite


def one_run(path: Path, disk: Disk, service: Service, shown: Shown) -> tuple[CheckpointError | None, int]:
    """Run until the end or the failure; return the error, and how many calls left after it."""
    late = 0

    def sending(_flow: Flow) -> None:
        nonlocal late
        late += disk.failed

    transport = Transport(service, lambda: How.WELL, sending)
    try:
        checkpoint = open_checkpoint(path, IDENTITY, connect=connect_to(disk))
    except CheckpointError as error:
        return error, late
    try:
        left_claimed = checkpoint.mark_claimed_in_doubt()
        feed = [entries(*FLOWS[:3]), entries(*FLOWS[3:])]
        engine = run_virtual(
            run(Store(checkpoint), transport, shown, feed=feed, left_claimed=left_claimed), lambda: 0.0
        )
    except CheckpointError as error:
        return error, late
    finally:
        with contextlib.suppress(CheckpointError):
            checkpoint.close()
    assert engine.error is None or isinstance(engine.error, CheckpointError)
    assert (engine.error is None) == (engine.ending is Ending.FINISHED)
    return engine.error, late


@pytest.mark.parametrize(
    ("failure", "for_good"),
    [(apsw.IOError, False), (apsw.FullError, True)],
    ids=["one write", "every write from then on"],
)
def test_whichever_write_or_sync_fails_the_sending_stops_and_the_next_run_finishes(
    tmp_path: Path,
    failure: type[apsw.Error],
    for_good: bool,  # noqa: FBT001 -- a parameter of the test
) -> None:
    failures = 0
    disk = Disk()
    disk.fail_at = 1
    while disk.failed or disk.fail_at == 1:
        service, shown, n = Service(), Shown(), disk.fail_at + 1
        path, disk = tmp_path / f"{n}.ckpt", Disk()
        disk.fail_at, disk.for_good, disk.failure = n, for_good, failure
        error, late = one_run(path, disk, service, shown)
        failures += error is not None
        assert late == 0, "a call left after the disk had failed"
        if error:
            assert str(path) in str(error)
            assert "the disk failed" in str(error)
        if path.stat().st_size:
            with contextlib.closing(open_checkpoint(path, IDENTITY)):
                pass
            kept = on_disk(path)
            assert {r.flow_id: r.state for r in shown.records}.items() <= kept.items()
        else:
            assert not shown.records
        assert one_run(path, Disk(), service, shown) == (None, 0)
        assert on_disk(path) == dict.fromkeys(FLOWS, State.DELETED)
        assert service.deleted == set(FLOWS)
    assert failures > 30


# --- at each statement of a whole job


class Failing(sqlite3.Connection):
    """Its n-th statement, and every one after that, fails."""

    statements = 0
    fail_at = 0
    why = ""

    def execute(self, sql: str, values: Any = (), /) -> sqlite3.Cursor:
        self._count()
        return super().execute(sql, values)

    def executemany(self, sql: str, values: Iterable[Any], /) -> sqlite3.Cursor:
        self._count()
        return super().executemany(sql, values)

    def _count(self) -> None:
        kind = type(self)
        kind.statements += 1
        if 0 < kind.fail_at <= kind.statements:
            error = sqlite3.OperationalError(kind.why)
            error.sqlite_errorcode = sqlite3.SQLITE_FULL
            raise error


class Input:
    """All flows at once."""

    def __init__(self, deliver: Deliver) -> None:
        self._deliver = deliver

    async def run(self) -> None:
        await self._deliver(entries(*FLOWS))

    def stop(self) -> None: ...


async def job(path: Path, sandbox: Sandbox, shown: Shown) -> Summary:
    settings = Settings(endpoint=parse_endpoint(sandbox.url), rate=500)
    return await Run(
        settings,
        checkpoint=path,
        credentials=StaticSource(CREDENTIALS),
        log=Silence(),
        make_producer=Input,
        streams=[shown],
    ).run()


@pytest.mark.parametrize("why", ["database or disk is full"])
async def test_whichever_statement_of_a_job_fails_it_stops_and_the_next_run_finishes(
    tmp_path: Path, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def connect(uri: str) -> sqlite3.Connection:
        return sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False, factory=Failing)

    monkeypatch.setattr(
        "flowreaper.job.run.open_checkpoint", functools.partial(open_checkpoint, connect=connect)
    )
    monkeypatch.setattr(Failing, "why", why)
    n = failures = 0
    while n == failures:
        n += 1
        path = tmp_path / f"{n}.ckpt"
        shown = Shown()
        monkeypatch.setattr(Failing, "statements", 0)
        monkeypatch.setattr(Failing, "fail_at", n)
        async with Sandbox(SandboxOptions(window="none")) as sandbox:
            error: Exception | None
            try:
                summary = await job(path, sandbox, shown)
                error = summary.error
                assert (error is None) == (summary.ending is Ending.FINISHED)
            except CheckpointError as raised:
                error = raised
            calls = len(sandbox.ledger.calls)
            await asyncio.sleep(0)
            monkeypatch.setattr(Failing, "fail_at", 0)
            if error:
                failures += 1
                assert isinstance(error, CheckpointError)
                assert str(path) in str(error)
                assert why in str(error)
            if shown.records:
                assert {r.flow_id: r.state for r in shown.records}.items() <= on_disk(path).items()
            assert len(sandbox.ledger.calls) == calls
            assert (await job(path, sandbox, shown)).ending is Ending.FINISHED
            assert on_disk(path) == dict.fromkeys(FLOWS, State.DELETED)
    assert failures > 20


# --- a real process


def limit(size: int) -> Callable[[], None]:
    """Return what makes every write beyond `size` bytes of a file fail with EFBIG in the process to be."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


@pytest.mark.long
def test_a_process_that_may_not_write_on_stops_with_status_3_and_goes_on_when_it_may(
    command: Command, service: Process, ids: Callable[[int], list[str]]
) -> None:
    failed = 0
    stopped_after_calls = False
    for size in itertools.chain((0, 1000, 10_000, 30_000), itertools.count(38_000, 11_000)):
        flows = ids(60)
        name = command.write(f"flows{size}.txt", *flows)
        words = ("delete", "--yes", "--rate", "100", "--results", "-", name)
        with command.flowreaper(
            *words, env={"PYTHONDONTWRITEBYTECODE": "1"}, preexec_fn=limit(size)
        ) as process:
            finished = ended(process)
        if finished.status == 0:
            break
        failed += 1
        assert finished.status == 3, finished.err
        assert any(f"{name}.ckpt" in line and "error" in line.lower() for line in finished.told), finished.err
        shown = {r["flow_id"]: r["state"] for r in finished.records}
        stopped_after_calls |= bool(service.called(flows))
        kept = command.results(f"{name}.ckpt") if shown else {}
        assert shown == {flow: kept[flow]["state"] for flow in shown}
        assert command.delete(name).status == 0
        assert command.states(f"{name}.ckpt") == {"deleted": 60}
    assert failed > 5
    assert stopped_after_calls
