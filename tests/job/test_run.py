"""What a job warns about before it goes wrong, and mends when it has."""

import asyncio
import dataclasses
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flowreaper.client.client import CredentialSource
from flowreaper.client.credentials import ChainSource, StaticSource
from flowreaper.client.endpoint import parse_endpoint
from flowreaper.client.official_chain import Found
from flowreaper.job.run import Job
from flowreaper.job.settings import Settings
from flowreaper.model import Credentials, State
from flowreaper.producer.producer import IterableProducer
from flowreaper.sandbox import CREDENTIALS, Sandbox, SandboxOptions
from flowreaper.store.sqlite import lock
from flowreaper.store.sqlite.reader import read_status
from tests.samples import entries


class Log:
    """Keeps the warnings; `warned` is called at each."""

    def is_enabled_for(self, level: int) -> bool:  # noqa: ARG002 -- the Protocol's signature
        return True

    def __init__(self, warned: Callable[[], None] = lambda: None) -> None:
        self.warnings: list[tuple[str, dict[str, object]]] = []
        self.told: list[tuple[str, dict[str, object]]] = []
        self._warned = warned

    def debug(self, event: str, **fields: object) -> None: ...
    def info(self, event: str, **fields: object) -> None:
        self.told.append((event, fields))

    def warning(self, event: str, **fields: object) -> None:
        self.warnings.append((event, fields))
        self._warned()


def job_of(flow_ids: list[str], folder: Path, sandbox: Sandbox, source: CredentialSource, **how: Any) -> Job:
    """Make a job of 100 calls a second."""
    log = how.pop("log", Log())
    return Job(
        Settings(endpoint=parse_endpoint(sandbox.url), rate=100.0, **how),
        checkpoint=folder / "job.ckpt",
        credentials=source,
        log=log,
        make_producer=lambda deliver: IterableProducer(entries(*flow_ids), deliver),
    )


async def warnings_of(
    folder: Path, count: int, *, expires_in_s: float | None, limit: int | None = None
) -> list[tuple[str, dict[str, object]]]:
    """Run a job of `count` flows up to its first warning; return what it warned about."""
    expires_at = None if expires_in_s is None else time.time() + expires_in_s
    source = StaticSource(dataclasses.replace(CREDENTIALS, expires_at=expires_at))
    log = Log(lambda: job.stop())  # noqa: PLW0108 -- the job is made below
    async with Sandbox(SandboxOptions(window="none")) as sandbox:
        job = job_of([str(1000 + n) for n in range(count)], folder, sandbox, source, limit=limit, log=log)
        await job.run()
    return log.warnings


async def test_credentials_that_expire_before_the_estimated_end_are_warned_about_once(tmp_path: Path) -> None:
    ((event, fields),) = await warnings_of(tmp_path, 12_000, expires_in_s=60)
    assert event == "credentials.expire_before_the_end"
    assert isinstance(fields["valid_s"], float)
    assert isinstance(fields["estimated_s"], float)
    assert 0 < fields["valid_s"] <= 60
    assert fields["valid_s"] < fields["estimated_s"] <= 120


@pytest.mark.parametrize(("expires_in_s", "limit"), [(60, None), (None, None), (60, 1)])
async def test_credentials_that_outlive_the_run_are_not_warned_about(
    tmp_path: Path, expires_in_s: float | None, limit: int | None
) -> None:
    assert await warnings_of(tmp_path, 12_000 if limit else 20, expires_in_s=expires_in_s, limit=limit) == []


async def test_a_checkpoint_on_a_network_file_system_is_warned_about(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mountinfo").write_text("22 1 0:40 / / rw - nfs4 nas:/x rw\n")
    monkeypatch.setattr(lock, "_MOUNTS", tmp_path / "mountinfo")
    ((event, fields),) = await warnings_of(tmp_path, 1, expires_in_s=None)
    assert event == "checkpoint.on_network_file_system"
    assert fields == {"type": "nfs4", "checkpoint": str(tmp_path / "job.ckpt")}


async def test_a_token_that_is_stale_is_renewed_through_the_chain_and_no_flow_is_blamed(
    tmp_path: Path,
) -> None:
    fetched: list[Credentials] = []

    class Chain:
        asking = "a fake"

        def __call__(self) -> Found:
            fetched.append(dataclasses.replace(CREDENTIALS, security_token=f"token-{len(fetched)}"))
            return Found(fetched[-1], "a fake")

    current = dataclasses.replace(CREDENTIALS, security_token="token-1")
    async with Sandbox(SandboxOptions(window="none", credentials=current)) as sandbox:
        job = job_of(["1", "2", "3", "4"], tmp_path, sandbox, ChainSource(Chain))
        summary = await job.run()
    assert (summary.error, summary.counts) == (None, {State.DELETED: 4})
    assert len(fetched) == 2


async def test_where_mounts_are_not_listed_nothing_is_said_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock, "_MOUNTS", tmp_path / "nowhere")
    assert await warnings_of(tmp_path, 1, expires_in_s=None) == []


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere such a run sends nothing")
async def test_a_folder_that_runs_cannot_share_is_told_and_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "turns"
    folder.symlink_to(tmp_path)
    monkeypatch.setattr("flowreaper.job.run.shared_folder", lambda: folder)
    log = Log()
    async with Sandbox(SandboxOptions(window="none")) as sandbox:
        job = job_of(["1", "2"], tmp_path, sandbox, StaticSource(CREDENTIALS), log=log)
        summary = await job.run()
    assert summary.counts == {State.DELETED: 2}
    ((event, fields),) = log.warnings
    assert event == "pace.not_shared_on_this_machine"
    assert fields["folder"] == str(folder)
    assert fields["sends"] == "its part of the rate"


async def test_a_job_that_is_cancelled_leaves_nothing_running_and_only_what_it_sent_in_doubt(
    tmp_path: Path,
) -> None:
    ids = [str(1000 + n) for n in range(200)]
    async with Sandbox(SandboxOptions(window="none", known=frozenset(), latency_s=0.3)) as sandbox:
        source = StaticSource(CREDENTIALS)
        running = asyncio.create_task(job_of(ids, tmp_path, sandbox, source, max_absent=0).run())
        while sandbox.ledger.total < 5:  # noqa: ASYNC110 -- calls arrive at another part of this process
            await asyncio.sleep(0)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        called = sandbox.ledger.total
        await job_of(ids, tmp_path, sandbox, source, max_absent=0).run()
    assert called < len(ids)
    states = read_status(tmp_path / "job.ckpt").states
    # Nothing was there. Only where a call was cut off can that not be known.
    assert sum(states.values()) == states[State.ABSENT] + states[State.DELETED] == len(ids)
    assert states[State.DELETED] <= called
