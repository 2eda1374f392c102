"""However a job's block is left, no more is sent, replies are waited for, nothing is lost. What it raises, and when."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from flowreaper import Deletion, Ending, Flow, Job, OutcomesError, Record, State, Tagged
from flowreaper.errors import CheckpointInUseError, FatalReplyError
from flowreaper.sandbox import Sandbox, SandboxOptions
from flowreaper.store.sqlite.file_guard import has_run
from tests.open_jobs import CHECKPOINT, called, delete_all, job_at, kept, records_of

DENYING = SandboxOptions(window="none", trouble="deny:1", latency_s=0.1)
SLOW = SandboxOptions(window="none", latency_s=0.2)


@pytest.fixture
async def server() -> AsyncIterator[Sandbox]:
    async with Sandbox(SandboxOptions(window="none")) as sandbox:
        yield sandbox


async def call_under_way(job: Job) -> None:
    """Wait until a call was sent."""
    while not job.snapshot().calls:  # noqa: ASYNC110 -- nothing else says it
        await asyncio.sleep(0)


async def begin(job: Job) -> None:
    """Begin to delete two flows, and look at none of their records."""
    step = asyncio.ensure_future(anext(job.delete(["1", "2"])))
    await call_under_way(job)
    step.cancel()


async def leave_by_break(_job: Job, records: Deletion) -> None:
    async for _ in records:
        break


async def leave_by_exception(_job: Job, records: Deletion) -> None:
    async for _ in records:
        raise LookupError


async def leave_by_timeout(_job: Job, records: Deletion) -> None:
    async for _ in records:
        break
    async with asyncio.timeout(0):
        await asyncio.sleep(1)


async def leave_by_stop(job: Job, records: Deletion) -> None:
    async for _ in records:
        job.stop()


@pytest.mark.parametrize("leave", [leave_by_break, leave_by_exception, leave_by_timeout, leave_by_stop])
async def test_replies_are_waited_for_and_every_flow_that_was_read_is_kept(
    tmp_path: Path, leave: Callable[[Job, Deletion], Awaitable[None]]
) -> None:
    async with Sandbox(SLOW) as server:
        job = job_at(server, tmp_path, rate=50.0)
        with contextlib.suppress(LookupError, TimeoutError):
            async with job:
                await leave(job, job.delete(range(1, 101)))
        found = kept(tmp_path)
        deleted = {flow for flow, record in found.items() if record.state is State.DELETED}
        assert set(called(server)) == deleted
        assert 1 <= len(deleted) < len(found) == 100
        assert {record.state for record in found.values()} == {State.DELETED, State.PENDING}
        assert job.summary.ending is Ending.INTERRUPTED
        with pytest.raises(OutcomesError, match=r"up to \d+ left: interrupted by"):
            job.summary.raise_for_outcomes()
        async with job_at(server, tmp_path, rate=5000.0) as job:
            assert len(await records_of(job, range(1, 101))) == 100
        assert sorted(map(int, called(server))) == list(range(1, 101))


async def test_leaving_does_not_wait_for_an_iterable_that_blocks_and_what_it_yields_then_is_not_called(
    server: Sandbox, tmp_path: Path
) -> None:
    go_on, ended = threading.Event(), threading.Event()

    def flows() -> Iterator[str]:
        assert threading.current_thread().daemon
        yield "1"
        assert go_on.wait(30)
        ended.set()
        yield "2"

    async with job_at(server, tmp_path) as job:
        async for _ in job.delete(flows()):
            break
    assert not ended.is_set()
    go_on.set()
    assert await asyncio.to_thread(ended.wait, 30)
    assert called(server) == list(kept(tmp_path)) == ["1"]


async def test_a_cancelled_task_waits_for_the_replies_and_leaves_no_task_behind(tmp_path: Path) -> None:
    async with Sandbox(SLOW) as server:
        job = job_at(server, tmp_path, rate=50.0)
        before = asyncio.all_tasks()
        working = asyncio.create_task(delete_all(job, range(1, 101)))
        await call_under_way(job)
        working.cancel()
        with pytest.raises(asyncio.CancelledError):
            await working
        assert not {task for task in asyncio.all_tasks() - before if "aiohttp" not in repr(task)}
    assert not has_run(tmp_path / CHECKPOINT)
    assert State.CLAIMED not in {record.state for record in kept(tmp_path).values()}


async def test_a_second_cancellation_does_not_wait_for_replies_and_leaves_the_flows_in_doubt(
    tmp_path: Path,
) -> None:
    async with Sandbox(SandboxOptions(window="none", trouble="hang-after:1")) as server:
        job = job_at(server, tmp_path)
        working = asyncio.create_task(delete_all(job, ["1", "2"]))
        while server.ledger.total < 2:  # noqa: ASYNC110 -- calls arrive at another part of this process
            await asyncio.sleep(0)
        working.cancel()
        await asyncio.sleep(0.05)
        assert not working.done()
        working.cancel()
        with pytest.raises(asyncio.CancelledError):
            await working
    assert not has_run(tmp_path / CHECKPOINT)
    assert all(record.in_doubt for record in kept(tmp_path).values())


async def test_a_job_that_is_cancelled_while_it_opens_leaves_nothing_behind(
    server: Sandbox, tmp_path: Path
) -> None:
    for turns in range(6):
        before = asyncio.all_tasks()
        working = asyncio.create_task(delete_all(job_at(server, tmp_path), ["1"]))
        for _ in range(turns):
            await asyncio.sleep(0)
        working.cancel()
        with pytest.raises(asyncio.CancelledError):
            await working
        # The sandbox ends the handler of a closed connection a moment later.
        left = [
            task for task in asyncio.all_tasks() - before if "RequestHandler" not in repr(task.get_coro())
        ]
        assert not left
    if (tmp_path / CHECKPOINT).exists():
        assert not has_run(tmp_path / CHECKPOINT)


async def test_trouble_of_the_job_is_raised_where_the_records_come_with_the_summary(tmp_path: Path) -> None:
    async with Sandbox(DENYING) as server:
        job = job_at(server, tmp_path)
        with pytest.raises(FatalReplyError) as caught:
            await delete_all(job, ["1", "2"])
    assert caught.value.summary is job.summary
    assert job.summary.error is caught.value
    assert job.summary.unfinished == 2
    with pytest.raises(OutcomesError, match="2 left: ") as outcomes:
        job.summary.raise_for_outcomes()
    assert outcomes.value.__cause__ is caught.value


async def test_trouble_that_nobody_saw_is_raised_where_the_block_is_left(tmp_path: Path) -> None:
    async def leave(job: Job) -> None:
        async with job:
            await begin(job)

    async with Sandbox(DENYING) as server:
        with pytest.raises(FatalReplyError):
            await leave(job_at(server, tmp_path))


async def test_trouble_hides_no_exception_of_the_block(tmp_path: Path) -> None:
    async def leave(job: Job) -> None:
        async with job:
            await begin(job)
            raise LookupError

    async with Sandbox(DENYING) as server:
        with pytest.raises(LookupError):
            await leave(job_at(server, tmp_path))


async def test_trouble_that_a_deletion_raised_is_raised_by_the_next_and_not_where_the_block_is_left(
    tmp_path: Path,
) -> None:
    async with Sandbox(DENYING) as server, job_at(server, tmp_path) as job:
        for flow in ("1", "2"):
            with pytest.raises(FatalReplyError):
                await records_of(job, [flow])
    assert called(server) == ["1"]


async def test_trouble_is_raised_also_by_a_deletion_that_waited_for_its_iterable_alone(
    tmp_path: Path,
) -> None:
    async def flows() -> AsyncIterator[str]:
        yield "1"
        await asyncio.Event().wait()

    options = SandboxOptions(window="none", trouble="deny:#2-")
    async with Sandbox(options) as server, job_at(server, tmp_path) as job:
        records = job.delete(flows())
        assert (await anext(records)).flow_id == "1"
        with pytest.raises(FatalReplyError):
            await records_of(job, ["2"])
        with pytest.raises(FatalReplyError):
            await anext(records)


async def test_a_job_whose_checkpoint_is_in_use_says_so_where_it_is_entered(
    server: Sandbox, tmp_path: Path
) -> None:
    async with job_at(server, tmp_path):
        with pytest.raises(CheckpointInUseError) as caught:
            await delete_all(job_at(server, tmp_path), ["1"])
    assert caught.value.summary is None
    assert called(server) == []


async def test_a_stream_has_every_record_that_the_program_sees(server: Sandbox, tmp_path: Path) -> None:
    class Kept(list[Record]):
        def put(self, record: Record) -> None:
            self.append(record)

    stream = Kept()
    async with job_at(server, tmp_path, streams=[stream]) as job:
        async for record in job.delete(["1", "2", "no id"]):
            assert record in stream
    assert len(stream) == 3


async def test_misuse_is_named(server: Sandbox, tmp_path: Path) -> None:
    job = job_at(server, tmp_path)
    with pytest.raises(RuntimeError, match="inside its `async with` block"):
        job.delete(["1"])
    async with job:
        for flows in ("926", b"926", 926, Flow("926"), Tagged("926", 1), None):
            with pytest.raises(TypeError):
                job.delete(flows)  # type: ignore[arg-type]
        with pytest.raises(RuntimeError, match="a job has a summary once its block was left"):
            job.summary  # noqa: B018 -- the look-up is the test
        never_begun = job.delete(["1"])
    with pytest.raises(RuntimeError, match="inside its `async with` block"):
        await anext(never_begun)
    with pytest.raises(RuntimeError, match="inside its `async with` block"):
        job.delete_unfinished()
    with pytest.raises(RuntimeError, match="entered before"):
        await delete_all(job, ["1"])
    assert job.summary.calls == 0


async def test_a_deletion_that_is_closed_takes_no_more_and_the_job_goes_on(
    server: Sandbox, tmp_path: Path
) -> None:
    async def flows() -> AsyncIterator[str]:
        yield "1"
        await asyncio.Event().wait()

    async with job_at(server, tmp_path) as job:
        async with contextlib.aclosing(job.delete(flows())) as records:
            assert (await anext(records)).flow_id == "1"
        with pytest.raises(StopAsyncIteration):
            await anext(records)
        assert [record.flow_id for record in await records_of(job, ["3"])] == ["3"]
    assert called(server) == ["1", "3"]
    assert job.summary.ending is Ending.FINISHED


async def test_after_a_stop_nothing_more_is_read_and_iterations_end(server: Sandbox, tmp_path: Path) -> None:
    def flows() -> Iterator[str]:
        raise AssertionError
        yield "2"

    async with job_at(server, tmp_path) as job:
        assert len(await records_of(job, ["1"])) == 1
        job.stop()
        assert await records_of(job, flows()) == []
    assert job.summary.ending is Ending.INTERRUPTED
    assert list(kept(tmp_path)) == ["1"]
