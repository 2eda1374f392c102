"""Flows that do not exist, in a job: they are seen once it is sure that the run does not stop for them."""

import asyncio
from pathlib import Path

import pytest

from flowreaper import (
    Job,
    State,
    TaggedRecord,
)
from flowreaper.errors import ConsecutiveAbsencesError
from flowreaper.sandbox import Sandbox, SandboxOptions
from tests.open_jobs import called, delete_all, job_at, records_of


async def test_flows_that_do_not_exist_are_seen_when_nothing_else_is_left_to_call(tmp_path: Path) -> None:
    nothing = SandboxOptions(window="none", known=frozenset())
    async with Sandbox(nothing) as server, job_at(server, tmp_path) as job:
        for flow in ("1", "2"):  # the run goes on, and has deleted nothing
            assert [record.state for record in await records_of(job, [flow])] == [State.ABSENT]


async def test_absences_that_stop_the_run_are_not_seen_and_are_called_again(tmp_path: Path) -> None:
    seen: list[TaggedRecord] = []
    async with Sandbox(SandboxOptions(window="none", known=frozenset())) as server:
        with pytest.raises(ConsecutiveAbsencesError) as caught:
            await delete_all(job_at(server, tmp_path, max_absent=5), range(1, 31), seen)
    assert seen == []
    assert caught.value.summary.unfinished == 30


async def test_a_flow_found_absent_is_not_given_to_another_deletion_before_that_is_decided(
    tmp_path: Path,
) -> None:
    async def wait_for_absences(job: Job, count: int) -> None:
        while job.snapshot().done.get(State.ABSENT, 0) < count:  # noqa: ASYNC110 -- nothing else says it
            await asyncio.sleep(0)

    nothing = SandboxOptions(window="none", known=frozenset(), latency_s=0.05)
    async with Sandbox(nothing) as server, job_at(server, tmp_path, rate=20.0) as job:
        records = job.delete(range(1, 31))
        first = asyncio.ensure_future(anext(records))
        await wait_for_absences(job, 1)
        again = asyncio.ensure_future(records_of(job, [called(server)[0]]))
        await wait_for_absences(job, 10)
        assert not first.done()
        assert not again.done()
        await first
        assert [record.state for record in await again] == [State.ABSENT]
