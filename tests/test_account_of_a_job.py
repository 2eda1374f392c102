"""What a program may say about the account and about how many flows it deletes, before the first call."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from flowreaper import (
    ConfigurationError,
    Credentials,
    Ending,
    OutageError,
    Settings,
    State,
    Summary,
    TooManyFlowsError,
    delete_flows,
    open_job,
    parse_endpoint,
    parse_max_delete,
    read_status,
)
from flowreaper.sandbox import CREDENTIALS, Sandbox, SandboxOptions
from tests.open_jobs import CHECKPOINT, called

ACCOUNT = "1000000000000001"
FOREIGN = Credentials("LTAIkeyOfAnotherAccount", "another-secret")
NOWHERE = parse_endpoint("http://127.0.0.1:9")


def sandbox(**options: Any) -> Sandbox:
    keys = {FOREIGN.access_key_id: (FOREIGN.access_key_secret, "77")}
    return Sandbox(SandboxOptions(window="none", more_keys=keys, **options))


def settings_at(server: Sandbox) -> Settings:
    return Settings(endpoint=parse_endpoint(server.url), rate=500.0, outage_limit_s=0.0)


def has_files(folder: Path) -> bool:
    return any(folder.iterdir())


async def delete(
    server: Sandbox,
    folder: Path,
    flows: Any,
    *,
    credentials: Credentials = CREDENTIALS,
    settings: Settings | None = None,
    **how: Any,
) -> Summary:
    return await delete_flows(
        flows,
        checkpoint=folder / CHECKPOINT,
        settings=settings or settings_at(server),
        credentials=credentials,
        **how,
    )


async def test_the_account_of_a_job_is_kept_by_its_number(tmp_path: Path) -> None:
    async with sandbox() as server:
        await delete(server, tmp_path, ["1"])
    assert read_status(tmp_path / CHECKPOINT).account == ACCOUNT


async def test_a_checkpoint_of_another_account_is_refused_and_nothing_called(tmp_path: Path) -> None:
    async with sandbox() as server:
        await delete(server, tmp_path, ["1"])
        with pytest.raises(ConfigurationError, match=f"belongs to the account {ACCOUNT}"):
            await delete(server, tmp_path, ["2"], credentials=FOREIGN)
        assert called(server) == ["1"]


async def test_another_account_than_the_expected_one_is_refused_before_there_is_a_checkpoint(
    tmp_path: Path,
) -> None:
    async with sandbox() as server:
        with pytest.raises(ConfigurationError, match="not to 42 as expected"):
            await delete(server, tmp_path, ["1"], expect_account="42")
        job = open_job(
            tmp_path / CHECKPOINT, settings=settings_at(server), credentials=FOREIGN, expect_account=ACCOUNT
        )
        with pytest.raises(ConfigurationError, match=f"not to {ACCOUNT} as expected"):
            async with job:
                raise AssertionError("it was entered")
        assert called(server) == []
    assert not has_files(tmp_path)


async def test_where_sts_does_not_answer_a_job_is_not_entered_unless_it_asks_nobody(tmp_path: Path) -> None:
    async with sandbox() as server:
        settings = replace(settings_at(server), sts_endpoint=NOWHERE)
        with pytest.raises(OutageError, match=r"127\.0\.0\.1:9 does not say"):
            await delete(server, tmp_path, ["1"], settings=settings)
        summary = await delete(server, tmp_path, ["1"], settings=settings, identify=False)
    assert summary.counts == {State.DELETED: 1}
    assert read_status(tmp_path / CHECKPOINT).account == ""


@pytest.mark.parametrize("in_settings", [True, False])
async def test_an_expected_account_needs_the_identity(tmp_path: Path, *, in_settings: bool) -> None:
    async with sandbox() as server:
        settings = settings_at(server)
        how: dict[str, Any] = {"expect_account": "42"}
        if in_settings:
            settings, how = replace(settings, expect_account="42"), {}
        with pytest.raises(ConfigurationError, match="identify=False, or expect_account"):
            await delete(server, tmp_path, ["1"], settings=settings, identify=False, **how)


@pytest.mark.parametrize("most", [2, "2", "50%"])
async def test_more_flows_than_may_be_deleted_are_all_read_and_none_is_called(
    tmp_path: Path, most: int | str
) -> None:
    async with sandbox(known=frozenset("1234")) as server:
        summary = await delete(server, tmp_path, iter(["1", "2", "3"]), max_delete=most)
        assert isinstance(summary.error, TooManyFlowsError)
        assert "3 flows would be called, and at most 2 may be" in str(summary.error)
        assert summary.counts == {State.PENDING: 3}
        assert called(server) == []
        again = await delete(server, tmp_path, None, max_delete=most)
        assert isinstance(again.error, TooManyFlowsError)
        within = await delete(server, tmp_path, ["1", "2", "no id"], max_delete=most)
        assert within.counts == {State.DELETED: 2, State.PENDING: 1, State.INVALID: 1}


async def test_all_flows_are_read_first_however_many_they_are(tmp_path: Path) -> None:
    async with sandbox() as server, asyncio.timeout(30):
        summary = await delete(server, tmp_path, range(1, 12_001), max_delete=11_999)
        assert "12,000 flows would be called, and at most 11,999 may be" in str(summary.error)
        assert called(server) == []


async def test_a_share_counts_each_space_of_the_flows_and_no_other(tmp_path: Path) -> None:
    async with sandbox(seed_flows=400) as server:
        summary = await delete(server, tmp_path, ["1", "2"], max_delete="0%")
        own = str(summary.error)
        summary = await delete(server, tmp_path, [("3", "cams-no-such-space")], max_delete="100%")
    assert "at most 0 may be (0% of the" in own
    assert "of the 400 flows" not in own
    assert summary.error
    assert not summary.calls


async def test_what_iterating_raises_comes_before_any_call_where_all_is_read_first(tmp_path: Path) -> None:
    def flows() -> Iterator[str]:
        yield "1"
        raise ValueError("the caller's")

    async with sandbox() as server:
        with pytest.raises(ValueError, match="the caller's"):
            await delete(server, tmp_path, flows(), max_delete=5)
        assert called(server) == []


async def test_a_job_calls_no_more_flows_than_the_number_however_they_come(tmp_path: Path) -> None:
    async with sandbox() as server:
        job = open_job(
            tmp_path / CHECKPOINT, settings=settings_at(server), credentials=CREDENTIALS, max_delete=3
        )
        async with asyncio.timeout(20), job:
            for flows in (["1", "2"], ["3", "4"], ["5"]):
                async for _ in job.delete(flows):
                    pass
        assert called(server) == ["1", "2", "3"]
    assert job.summary.ending is Ending.LIMIT


@pytest.mark.parametrize("most", ["10%", 0])
def test_a_job_whose_flows_come_one_by_one_takes_no_share(tmp_path: Path, most: int | str) -> None:
    with pytest.raises(ConfigurationError, match="cannot be counted before"):
        open_job(tmp_path / CHECKPOINT, credentials=CREDENTIALS, max_delete=most)
    settings = Settings(endpoint=NOWHERE, max_delete=parse_max_delete(most))
    with pytest.raises(ConfigurationError, match="cannot be counted before"):
        open_job(tmp_path / CHECKPOINT, settings=settings, credentials=CREDENTIALS)
