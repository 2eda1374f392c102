"""One verification: what it leaves in the checkpoint, where it stops, and whose checkpoint it accepts."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from flowreaper import CheckpointRefusedError, InputError, Settings, delete_flows, parse_endpoint
from flowreaper.client.credentials import StaticSource
from flowreaper.errors import ConfigurationError, FatalReplyError
from flowreaper.events import SilentLog
from flowreaper.job.verification import VerificationRun
from flowreaper.model import Credentials
from flowreaper.sandbox import CREDENTIALS, Sandbox, SandboxOptions
from flowreaper.store.sqlite.reader import read_overview, read_records
from flowreaper.store.verification import Checked, CheckResult, Extent, Scope, VerificationMethod, Verified

ANOTHER = Credentials("LTAIanotherKeyOfTheAccount", "secret-2")
ACCOUNT = "1000000000000001"
IDS = [str(number) for number in range(700, 760)]


def sandbox(trouble: str = "") -> Sandbox:
    keys = {ANOTHER.access_key_id: (ANOTHER.access_key_secret, ACCOUNT)}
    return Sandbox(SandboxOptions(window="none", trouble=trouble, more_keys=keys))


def settings_at(server: Sandbox, **how: Any) -> Settings:
    return Settings(endpoint=parse_endpoint(server.url), rate=500.0, read_rate=500.0, **how)


async def delete(server: Sandbox, folder: Path, **how: Any) -> Path:
    path = folder / "job.ckpt"
    settings = settings_at(server, concurrency=1, **how)
    await delete_flows(IDS, checkpoint=path, settings=settings, credentials=CREDENTIALS)
    return path


def verification(
    server: Sandbox,
    path: Path,
    extent: Extent = Extent(),  # noqa: B008 -- immutable
    *,
    credentials: Credentials = CREDENTIALS,
    account: str = "",
    opened: Callable[[Scope], None] = lambda _scope: None,
    checked: Callable[[Sequence[Checked]], None] = lambda _checked: None,
) -> VerificationRun:
    return VerificationRun(
        settings_at(server),
        extent,
        checkpoint=path,
        credentials=StaticSource(credentials, "the test"),
        log=SilentLog(),
        account=account,
        opened=opened,
        checked=checked,
    )


async def verify(server: Sandbox, path: Path, **how: Any) -> Verified:
    return await verification(server, path, **how).run()


async def test_what_was_checked_adds_up_and_is_kept_in_the_checkpoint(tmp_path: Path) -> None:
    seen: list[Checked] = []
    scopes: list[Scope] = []
    async with sandbox("reset-after:#3,reset-after:#9") as server:
        path = await delete(server, tmp_path, max_attempts=1)
        found = await verify(server, path, opened=scopes.append, checked=seen.extend)
    assert scopes == [Scope(58, 58, 60)]
    assert found.error is None
    assert found.verification.counts == {CheckResult.GONE: 58, CheckResult.SETTLED_DELETED: 2}
    assert found.verification.proves
    assert sorted(each.suspect.flow.flow_id for each in seen) == IDS
    assert read_overview(path).verifications == (found.verification,)


async def test_a_listing_alone_settles_no_flow_in_doubt(tmp_path: Path) -> None:
    """The sandbox lists none of these flows, and the ninth is there."""
    async with sandbox("reset-after:#3,reset-before:#9") as server:
        path = await delete(server, tmp_path, max_attempts=1)
        found = await verify(server, path, extent=Extent(method=VerificationMethod.LISTING))
    assert found.verification.counts == {
        CheckResult.GONE: 58,
        CheckResult.SETTLED_DELETED: 1,
        CheckResult.SETTLED_PENDING: 1,
    }


async def test_a_sample_takes_so_many_and_always_those_in_doubt(tmp_path: Path) -> None:
    seen: list[Checked] = []
    async with sandbox("reset-after:#3") as server:
        path = await delete(server, tmp_path, max_attempts=1)
        found = await verify(server, path, extent=Extent(sample=7, seed=3), checked=seen.extend)
    assert (found.verification.known, found.verification.wanted, found.verification.checked) == (59, 7, 7)
    assert found.verification.is_sample
    assert len({each.suspect.row for each in seen}) == 8


async def test_stopped_it_keeps_what_it_found_and_says_that_it_is_not_complete(tmp_path: Path) -> None:
    async with sandbox() as server:
        path = await delete(server, tmp_path)
        run = verification(server, path, checked=lambda _checked: run.stop())
        found = await run.run()
    assert found.error is None
    assert not found.verification.complete
    assert 1 <= found.verification.checked < 60
    assert read_overview(path).verifications == (found.verification,)


async def test_stopped_before_it_began_it_leaves_no_trace(tmp_path: Path) -> None:
    async with sandbox() as server:
        path = await delete(server, tmp_path)
        run = verification(server, path)
        run.stop()
        assert (await run.run()).verification.checked == 0
        assert server.ledgers["GetFlow"].total == 0
    assert read_overview(path).verifications == ()


async def test_trouble_with_every_call_blames_no_flow_and_keeps_what_was_found(tmp_path: Path) -> None:
    async with sandbox("GetFlow/deny:#20-") as server:
        path = await delete(server, tmp_path)
        before = list(read_records(path))
        found = await verify(server, path)
    assert isinstance(found.error, FatalReplyError)
    assert "cams:GetFlow" in str(found.error)
    assert not found.verification.complete
    assert not found.verification.count(CheckResult.UNKNOWN)
    assert list(read_records(path)) == before


async def test_a_checkpoint_is_never_made_nor_taken_from_another_account_or_endpoint(tmp_path: Path) -> None:
    async with sandbox() as server, sandbox() as other:
        path = await delete(server, tmp_path)
        with pytest.raises(InputError, match="there is no checkpoint"):
            await verify(server, tmp_path / "none.ckpt")
        assert not (tmp_path / "none.ckpt").exists()
        with pytest.raises(CheckpointRefusedError, match=r"belongs to the account 1000000000000001"):
            await verify(server, path, account="2000000000000002")
        with pytest.raises(CheckpointRefusedError, match="was made for"):
            await verify(other, path, account=ACCOUNT)


async def test_another_key_of_the_account_may_verify_and_leaves_no_mark_in_the_checkpoint(
    tmp_path: Path,
) -> None:
    async with sandbox() as server:
        path = await delete(server, tmp_path)
        before = read_overview(path).status
        found = await verify(server, path, credentials=ANOTHER, account=ACCOUNT)
    assert found.verification.proves
    assert read_overview(path).status == before
    assert before.account == ACCOUNT


async def test_a_checkpoint_that_does_not_know_its_account_does_not_get_the_verifiers(tmp_path: Path) -> None:
    async with sandbox() as server:
        path = tmp_path / "job.ckpt"
        await delete_flows(
            IDS, checkpoint=path, settings=settings_at(server), credentials=CREDENTIALS, identify=False
        )
        assert (await verify(server, path, account=ACCOUNT)).verification.proves
    assert read_overview(path).status.account == ""


def test_a_sample_of_nothing_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="sample must be 1 or more"):
        Extent(sample=0)
