"""The thread that writes the checkpoint."""

import asyncio
import threading
from collections.abc import Sequence

import pytest

from flowreaper.errors import CheckpointError
from flowreaper.model import Added, AnyEntry, Change, Claim, Requeue
from flowreaper.store.sqlite.checkpoint import Checkpoint
from flowreaper.store.sqlite.writer import Writer
from tests.samples import claim, entries


class FakeCheckpoint(Checkpoint):
    """Notes its calls and their threads; holds each call until `gate` is set."""

    def __init__(self) -> None:
        self.calls: list[object] = []
        self.threads: set[str] = set()
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()
        self.error: Exception | None = None

    def add(self, entries: Sequence[AnyEntry]) -> Added:
        self._note(("add", len(entries)))
        return Added(len(entries), 0, ())

    def write(self, changes: Sequence[Change], new: int = 0, rows: Sequence[int] = ()) -> list[Claim]:
        self._note(("write", len(changes), new, tuple(rows)))
        return [claim(row) for row in rows]

    def note(self, name: str, value: str) -> None:
        self._note(("note", name, value))

    def check(self) -> None:
        self._note("check")

    def unlisted(self) -> int:
        self._note(("unlisted",))
        return 14

    def _note(self, call: object) -> None:
        self.entered.set()
        self.gate.wait()
        self.threads.add(threading.current_thread().name)
        self.calls.append(call)
        if self.error:
            raise self.error


async def test_calls_run_in_their_order_in_one_thread_that_is_not_the_loops() -> None:
    checkpoint = FakeCheckpoint()
    checkpoint.gate.clear()
    writer = Writer(checkpoint)
    calls = asyncio.gather(
        writer.add(entries("1", "2")),
        writer.write([], 3, [7]),
        writer.write([Requeue(7, 0, in_doubt=False)]),
        writer.add(entries("3")),
        writer.note("pace", "0.2"),
    )
    await asyncio.to_thread(checkpoint.entered.wait)
    checkpoint.gate.set()
    results = await calls
    writer.close()
    assert list(results) == [Added(2, 0, ()), [claim(7)], [], Added(1, 0, ()), None]
    assert checkpoint.calls == [
        ("add", 2),
        ("write", 0, 3, (7,)),
        ("write", 1, 0, ()),
        ("add", 1),
        ("note", "pace", "0.2"),
    ]
    assert len(checkpoint.threads) == 1
    assert threading.current_thread().name not in checkpoint.threads


async def test_the_loop_goes_on_while_a_call_is_under_way() -> None:
    checkpoint = FakeCheckpoint()
    checkpoint.gate.clear()
    writer = Writer(checkpoint)
    writing = asyncio.create_task(writer.write([], 1))
    await asyncio.to_thread(checkpoint.entered.wait)
    assert not writing.done()
    checkpoint.gate.set()
    assert await writing == []
    writer.close()


async def test_an_error_comes_out_of_its_own_call_and_the_next_one_runs() -> None:
    checkpoint = FakeCheckpoint()
    checkpoint.error = CheckpointError("disk full")
    writer = Writer(checkpoint)
    with pytest.raises(CheckpointError, match="disk full"):
        await writer.write([])
    with pytest.raises(CheckpointError, match="disk full"):
        await writer.add([])
    with pytest.raises(CheckpointError, match="disk full"):
        await writer.note("pace", "0.2")
    checkpoint.error = None
    assert (await writer.add(entries("1"))).new == 1
    writer.close()


@pytest.mark.parametrize("error", [CheckpointError("removed"), OSError(5, "Input/output error")])
async def test_the_file_is_checked_each_second_in_that_thread_until_a_check_fails(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    checkpoint = FakeCheckpoint()
    writer = Writer(checkpoint)
    slept: list[float] = []
    failures: list[Exception] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 3:
            checkpoint.error = error

    monkeypatch.setattr("flowreaper.store.sqlite.writer.asyncio.sleep", sleep)
    await writer.watch(failures.append)
    writer.close()
    assert checkpoint.calls == ["check"] * 3
    assert slept == [1.0] * 3
    assert threading.current_thread().name not in checkpoint.threads
    assert failures == [checkpoint.error]


async def test_closing_waits_for_what_is_under_way() -> None:
    checkpoint = FakeCheckpoint()
    checkpoint.gate.clear()
    writer = Writer(checkpoint)
    writing = asyncio.create_task(writer.write([], 1))
    await asyncio.to_thread(checkpoint.entered.wait)
    closing = threading.Thread(target=writer.close)
    closing.start()
    closing.join(0.02)
    still_waits = closing.is_alive()
    checkpoint.gate.set()
    closing.join()
    assert still_waits
    assert checkpoint.calls == [("write", 0, 1, ())]
    await writing
