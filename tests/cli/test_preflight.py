"""What is refused or warned about before a run asks or sends."""

import contextlib
import dataclasses
from pathlib import Path

import pytest

from flowreaper.cli.preflight import (
    check_paths,
    counts_before,
    former_key,
    refuse_another_job,
    refuse_too_many,
    unusual_settings,
)
from flowreaper.client.actions import CallerIdentity
from flowreaper.client.endpoint import DEFAULT_REGION, region_endpoint
from flowreaper.errors import ConfigurationError, TooManyFlowsError
from flowreaper.job.max_delete import parse_max_delete
from flowreaper.job.settings import Settings
from flowreaper.model import Credentials, State
from flowreaper.producer.sources import Source
from flowreaper.store.sqlite.checkpoint import open_checkpoint
from tests.samples import IDENTITY, entries

KEY = Credentials("LTAI5tABCDEFGHKey1", "secret")
ROLE = Credentials("STS.ABCDEFGHIJKLMNOP", "secret", "token")


def source(path: Path | str) -> Source:
    return Source(str(path), str(path), rereadable=True)


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    return tmp_path / "ids.txt.ckpt"


def begin(checkpoint: Path, access_key: str = "", name: str = "ids.txt", account: str = "") -> None:
    """Leave a checkpoint with two pending flows of a source."""
    identity = dataclasses.replace(IDENTITY, access_key=access_key, account=account)
    with contextlib.closing(open_checkpoint(checkpoint, identity)) as opened:
        opened.add(entries("1", "2", source=name))


def test_paths_that_differ_are_fine(tmp_path: Path, checkpoint: Path) -> None:
    check_paths([source(tmp_path / "ids.txt")], checkpoint, {"--results": tmp_path / "results.jsonl"})
    check_paths([], checkpoint, {"--results": "-"})
    check_paths([], checkpoint, {"--results": None, "--summary-json": None})


@pytest.mark.parametrize(
    ("sources", "results", "message"),
    [
        (["job.ckpt"], None, r"--checkpoint .*job\.ckpt is a SOURCE too"),
        (["ids.txt"], "ids.txt", r"--results .*ids\.txt is a SOURCE too"),
        (["ids.txt"], "folder/../ids.txt", r"--results .* is a SOURCE too"),
        ([], "job.ckpt", r"--results .*job\.ckpt is the checkpoint too"),
        (["job.ckpt-wal"], None, r"a SOURCE .* is .*job\.ckpt-wal, a file that SQLite makes"),
        ([], "job.ckpt-shm", r"--results .* is .*job\.ckpt-shm, a file that SQLite makes"),
    ],
)
def test_a_path_with_two_purposes_is_refused(
    tmp_path: Path, sources: list[str], results: str | None, message: str
) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(ConfigurationError, match=message):
        check_paths(
            [source(tmp_path / name) for name in sources],
            tmp_path / "job.ckpt",
            {"--results": results and str(tmp_path / results)},
        )


def test_two_outputs_never_share_a_file(tmp_path: Path, checkpoint: Path) -> None:
    path = tmp_path / "out"
    with pytest.raises(ConfigurationError, match=r"--summary-json .*out is the file of --results too"):
        check_paths([], checkpoint, {"--results": str(path), "--summary-json": path})


def test_a_checkpoint_of_another_source_is_refused_with_its_name_and_count(checkpoint: Path) -> None:
    begin(checkpoint, name="/elsewhere/ids.txt")
    with pytest.raises(ConfigurationError, match=r"other sources: 2 of /elsewhere/ids\.txt\. To keep"):
        refuse_another_job([source("ids.txt")], checkpoint)


def test_the_same_source_goes_on_and_no_checkpoint_is_no_other_job(checkpoint: Path) -> None:
    refuse_another_job([source("ids.txt")], checkpoint)
    begin(checkpoint)
    refuse_another_job([source("ids.txt")], checkpoint)
    refuse_another_job([source(Path("ids.txt").absolute())], checkpoint)


def test_another_access_key_is_returned_masked(checkpoint: Path) -> None:
    assert former_key(checkpoint, KEY) is None
    begin(checkpoint, KEY.masked_id)
    assert former_key(checkpoint, KEY) is None
    assert former_key(checkpoint, ROLE) == KEY.masked_id


def test_a_role_has_another_key_each_hour(checkpoint: Path) -> None:
    begin(checkpoint, "STS.****ZZZZ")
    assert former_key(checkpoint, ROLE) is None
    assert former_key(checkpoint, KEY) == "STS.****ZZZZ"


def test_a_role_is_taken_for_the_same_one_only_where_no_account_is_known(checkpoint: Path) -> None:
    begin(checkpoint, "STS.****ZZZZ", account="42")
    assert former_key(checkpoint, ROLE) == "STS.****ZZZZ"
    assert (
        former_key(checkpoint, ROLE, CallerIdentity("42", "acs:ram::42:role/cleaner", "AssumedRoleUser"))
        is None
    )


def test_another_key_of_the_account_that_the_checkpoint_knows_is_none(checkpoint: Path) -> None:
    caller = CallerIdentity("42", "acs:ram::42:user/cleaner", "RAMUser")
    begin(checkpoint, "LTAI****ZZZZ")
    assert former_key(checkpoint, KEY, caller) == "LTAI****ZZZZ"
    begin(checkpoint, "LTAI****ZZZZ", account="42")
    assert former_key(checkpoint, KEY, caller) is None
    assert former_key(checkpoint, KEY) == "LTAI****ZZZZ"


@pytest.mark.parametrize(("to_call", "limit"), [(6, "5"), (1, "0")])
def test_more_flows_than_may_be_called_are_refused(to_call: int, limit: str) -> None:
    settings = Settings(endpoint=region_endpoint(DEFAULT_REGION), max_delete=parse_max_delete(limit))
    with pytest.raises(TooManyFlowsError):
        refuse_too_many(settings, to_call)
    refuse_too_many(settings, to_call - 1)


def test_a_share_and_no_bound_refuse_nothing_before_the_run() -> None:
    settings = Settings(endpoint=region_endpoint(DEFAULT_REGION))
    refuse_too_many(settings, 10**6)
    refuse_too_many(dataclasses.replace(settings, max_delete=parse_max_delete("1%")), 10**6)


def test_the_counts_are_those_of_the_checkpoint_if_there_is_one(checkpoint: Path) -> None:
    assert counts_before(checkpoint) == {}
    checkpoint.touch()
    assert counts_before(checkpoint) == {}
    checkpoint.unlink()
    begin(checkpoint)
    assert counts_before(checkpoint)[State.PENDING] == 2


def test_a_rate_above_the_quota_and_an_undocumented_region_are_warned_about() -> None:
    usual = Settings(endpoint=region_endpoint(DEFAULT_REGION))
    assert unusual_settings(usual, DEFAULT_REGION) == []
    fast = dataclasses.replace(usual, rate=20.0, endpoint=region_endpoint("eu-central-1"))
    assert [event for event, _ in unusual_settings(fast, "eu-central-1")] == [
        "rate.above_documented_quota",
        "region.undocumented",
    ]
    assert unusual_settings(usual, "eu-central-1") == []  # an endpoint was named
