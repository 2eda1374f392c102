"""What a job in a block gives: one record for each flow given, durable when it is seen, whatever was there before."""

import asyncio
import threading
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowreaper import (
    Ending,
    Flow,
    Job,
    OutcomesError,
    Record,
    ReplyClass,
    State,
    Tagged,
    read_records,
)
from flowreaper.errors import ConfigurationError
from flowreaper.producer.items import AnyFlow, PlainFlow
from flowreaper.sandbox import Sandbox, SandboxOptions
from flowreaper.store.sqlite.file_guard import has_run
from tests.open_jobs import CHECKPOINT, called, job_at, kept, records_of

SOME_FLOWS = st.lists(
    st.one_of(
        st.sampled_from(["1", "2", "3", "4", "no id", "null"]),
        st.integers(-2, 6),
        st.tuples(st.sampled_from(["1", "5"]), st.sampled_from(["", "cams-a", "cams-b"])),
    ),
    max_size=12,
)


@pytest.fixture
async def server() -> AsyncIterator[Sandbox]:
    async with Sandbox(SandboxOptions(window="none")) as sandbox:
        yield sandbox


@settings(max_examples=10)
@given(
    earlier=SOME_FLOWS,
    deletions=st.lists(SOME_FLOWS, min_size=1, max_size=4),
    trouble=st.sampled_from(["", "reset-after:0.2,error-500:0.2"]),
)
def test_every_flow_given_has_one_record_that_is_durable_when_it_is_seen(
    earlier: list[PlainFlow], deletions: list[list[PlainFlow]], trouble: str
) -> None:
    with TemporaryDirectory() as folder:
        asyncio.run(check_the_law(Path(folder), earlier, deletions, trouble))


async def check_the_law(
    folder: Path, earlier: list[PlainFlow], deletions: list[list[PlainFlow]], trouble: str
) -> None:
    async def check(job: Job, flows: list[PlainFlow]) -> None:
        seen: list[int] = []
        async for record in job.delete(Tagged(flow, number) for number, flow in enumerate(flows)):
            durable = {(one.flow_id, one.cust_space_id): one for one in read_records(folder / CHECKPOINT)}
            assert durable[record.flow_id, record.cust_space_id].state is record.state
            assert record.state.final
            flow = flows[record.tag]
            assert record.flow_id == (flow[0] if isinstance(flow, tuple) else str(flow))
            seen.append(record.tag)
        assert sorted(seen) == list(range(len(flows)))

    # Each flow is in the service, so that one that was deleted twice shows.
    async with Sandbox(SandboxOptions(window="none", trouble=trouble)) as server:
        async with job_at(server, folder, rate=5000.0, max_attempts=50) as job:
            await records_of(job, earlier)
        async with job_at(server, folder, rate=5000.0, max_attempts=50) as job:
            await asyncio.gather(*(check(job, flows) for flows in deletions))
        if not trouble:
            assert set(
                Counter((call.flow_id, call.cust_space_id) for call in server.ledger.calls).values()
            ) <= {1}


async def test_when_the_block_is_left_the_job_is_done_and_its_checkpoint_closed(
    server: Sandbox, tmp_path: Path
) -> None:
    async with job_at(server, tmp_path) as job:
        seen = await records_of(job, ["1", 2, Flow("3"), ("4", "cams-a"), "nothing", " 5 "])
        assert has_run(tmp_path / CHECKPOINT)
    assert sorted(record.flow_id for record in seen) == ["1", "2", "3", "4", "5", "nothing"]
    assert not any(record.earlier for record in seen)
    assert job.summary.ending is Ending.INCOMPLETE
    assert job.summary.counts == {State.DELETED: 5, State.INVALID: 1}
    assert not has_run(tmp_path / CHECKPOINT)
    with pytest.raises(OutcomesError, match=r"^flows of this run: 1 invalid$"):
        job.summary.raise_for_outcomes()


async def test_the_tag_of_each_flow_comes_back_and_is_no_field_of_the_record(
    server: Sandbox, tmp_path: Path
) -> None:
    row = object()
    flows: list[AnyFlow] = [Tagged("1", row), Tagged(("2", "cams-a"), "two"), Tagged("x", "none"), 4]
    async with job_at(server, tmp_path) as job:
        tags = {record.flow_id: record.tag for record in await records_of(job, flows)}
        assert tags == {"1": row, "2": "two", "x": "none", "4": None}
        (record,) = await records_of(job, [Tagged(1, "again")])
    assert record.tag == "again"
    assert record == kept(tmp_path)["1"]
    assert record._fields == Record._fields
    assert "tag" not in record._asdict()


async def test_a_flow_given_twice_is_called_once_and_has_a_record_for_each_time(
    server: Sandbox, tmp_path: Path
) -> None:
    flows = [Tagged("7", "a"), Tagged("8", "b"), Tagged(7, "c"), Tagged("no id", "d"), Tagged("no id", "e")]
    async with job_at(server, tmp_path) as job:
        seen = [(record.flow_id, record.tag) for record in await records_of(job, flows)]
    assert sorted(seen) == [("7", "a"), ("7", "c"), ("8", "b"), ("no id", "d"), ("no id", "e")]
    assert sorted(called(server)) == ["7", "8"]


async def test_what_is_finished_already_comes_again_and_is_not_called(
    server: Sandbox, tmp_path: Path
) -> None:
    async with job_at(server, tmp_path) as job:
        first = await records_of(job, ["1", "no id"])
    async with job_at(server, tmp_path) as job:
        second = await records_of(job, ["1", "2", "no id"])
        third = await records_of(job, ["2"])
    assert called(server) == ["1", "2"]
    assert {(record.flow_id, record.earlier) for record in second} == {
        ("1", True),
        ("2", False),
        ("no id", True),
    }
    assert [record.earlier for record in third] == [True]
    assert {record for record in first if record.state is State.DELETED} <= set(second)
    assert job.summary.this_run == {State.DELETED: 1}
    job.summary.raise_for_outcomes()  # the invalid line was an earlier run's


async def test_a_flow_that_retry_names_is_called_again_and_only_its_new_outcome_comes(tmp_path: Path) -> None:
    trouble = "answer:Product.Unsubscript:#1"
    async with Sandbox(SandboxOptions(window="none", trouble=trouble)) as server:
        refuse = {"Product.Unsubscript": ReplyClass.REFUSED}
        async with job_at(server, tmp_path, treat=refuse) as job:
            assert [record.state for record in await records_of(job, ["1"])] == [State.REFUSED]
        with pytest.raises(OutcomesError, match=r"^flows of this run: 1 refused$") as caught:
            job.summary.raise_for_outcomes()
        assert caught.value.summary is job.summary
        async with job_at(server, tmp_path, retry=(State.REFUSED,)) as job:
            (record,) = await records_of(job, ["1"])
            assert (record.state, record.earlier) == (State.DELETED, False)


async def test_nothing_else_in_the_checkpoint_is_called_unless_it_is_asked_for(
    server: Sandbox, tmp_path: Path
) -> None:
    async with job_at(server, tmp_path, limit=1) as job:
        first = await records_of(job, ["1", "2", "3"])
    assert len(first) == 1
    assert job.summary.ending is Ending.LIMIT
    async with job_at(server, tmp_path) as job:
        assert [record.flow_id for record in await records_of(job, ["4"])] == ["4"]
    assert job.summary.unlisted == 2
    job.summary.raise_for_outcomes()
    async with job_at(server, tmp_path) as job:
        rest = [record async for record in job.delete_unfinished()]
    assert {record.flow_id for record in rest} | {first[0].flow_id} == {"1", "2", "3"}
    assert {record.line for record in rest} == {2, 3}
    assert sorted(called(server)) == ["1", "2", "3", "4"]


async def test_many_deletions_at_once_share_the_run_and_each_gets_its_own_flows(
    server: Sandbox, tmp_path: Path
) -> None:
    async with job_at(server, tmp_path) as job:
        found = await asyncio.gather(*(records_of(job, range(n, n + 6)) for n in range(1, 40, 3)))
    ids = [sorted(int(record.flow_id) for record in records) for records in found]
    assert ids == [list(range(n, n + 6)) for n in range(1, 40, 3)]
    assert sorted(map(int, called(server))) == list(range(1, 43))


async def test_flows_that_a_blocking_iterable_has_yielded_are_called_while_it_blocks(
    server: Sandbox, tmp_path: Path
) -> None:
    go_on = threading.Event()
    threads: list[threading.Thread] = []

    def flows() -> Iterator[str]:
        threads.append(threading.current_thread())
        yield "1"
        assert go_on.wait(30)
        yield "2"

    async with job_at(server, tmp_path) as job:
        async for record in job.delete(flows()):
            assert go_on.is_set() == (record.flow_id == "2")
            go_on.set()
    assert called(server) == ["1", "2"]
    assert threads[0] is not threading.current_thread()


async def test_a_flow_of_a_slow_async_iterable_is_called_before_the_next_comes(
    server: Sandbox, tmp_path: Path
) -> None:
    seen = asyncio.Event()

    async def flows() -> AsyncIterator[str]:
        yield "1"
        await seen.wait()
        yield "2"

    async with job_at(server, tmp_path) as job:
        async for _ in job.delete(flows()):
            seen.set()
    assert called(server) == ["1", "2"]


@pytest.mark.parametrize(
    "error", [LookupError("the cursor is closed"), ConfigurationError("its own"), SystemExit(3)]
)
async def test_what_the_iterable_raises_comes_after_the_records_of_all_before_it(
    server: Sandbox, tmp_path: Path, error: BaseException
) -> None:
    def flows() -> Iterator[str]:
        yield from ("1", "2", "3")
        raise error

    seen: list[str] = []

    async def collect(job: Job) -> None:
        async for record in job.delete(flows()):
            seen.append(record.flow_id)  # noqa: PERF401 -- the loop ends with an exception

    async with job_at(server, tmp_path) as job:
        with pytest.raises(type(error)) as caught:
            await collect(job)
        assert caught.value is error
        assert sorted(seen) == ["1", "2", "3"]
        assert len(await records_of(job, ["4"])) == 1


async def test_a_caller_who_does_not_iterate_stops_the_reading_and_gets_all_records_later(
    server: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flowreaper.job.deletion.MOST_UNREAD", 20)
    async with job_at(server, tmp_path, rate=5000.0) as job:
        records = job.delete(range(1, 101))
        seen = [int((await anext(records)).flow_id)]
        while job.snapshot().done.get(State.DELETED, 0) < 21:  # noqa: ASYNC110 -- nothing else says it
            await asyncio.sleep(0)
        for _ in range(100):
            await asyncio.sleep(0)
        assert len(kept(tmp_path)) == 21
        seen += [int(record.flow_id) async for record in records]
    assert sorted(seen) == list(range(1, 101))


async def test_a_step_that_is_cancelled_loses_nothing(tmp_path: Path) -> None:
    slow = SandboxOptions(window="none", latency_s=0.2)
    async with Sandbox(slow) as server, job_at(server, tmp_path) as job:
        records = job.delete(["1", "2"])
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(records), 0.01)
        assert sorted([record.flow_id async for record in records]) == ["1", "2"]
