"""A plan is written whole or not at all, for its owner alone, and never over another file unless that is asked for."""

import json
import os
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from flowreaper.errors import Advice, ConfigurationError, OutputError
from flowreaper.job.plan_file import PlanWriter
from tests.job.plans import HEADING, planned, write_plan


def test_a_plan_is_one_json_object_with_its_heading_first(tmp_path: Path) -> None:
    path = write_plan(tmp_path / "plan.json", [planned(1), planned(2, "cams-a")])
    plan = json.loads(path.read_text())
    assert list(plan) == [
        "kind",
        "version",
        "account",
        "arn",
        "endpoint",
        "filters",
        "made_at",
        "expires_at",
        "seen",
        "kept",
        "selected",
        "digest",
        "flows",
    ]
    assert plan["flows"][1] == {
        "FlowId": "2",
        "CustSpaceId": "cams-a",
        "FlowName": "test-1",
        "Categories": ["OTHER"],
        "Status": "DRAFT",
        "Rule": "name test-*",
    }


def test_a_plan_without_flows_is_json_too(tmp_path: Path) -> None:
    assert json.loads(write_plan(tmp_path / "plan.json", []).read_text())["flows"] == []


def test_only_its_owner_can_read_it(tmp_path: Path) -> None:
    assert write_plan(tmp_path / "plan.json", [planned(1)]).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "make", [lambda path: path.write_text("kept"), lambda path: path.symlink_to("nowhere")]
)
def test_nothing_is_written_over_another_file(tmp_path: Path, make: Callable[[Path], object]) -> None:
    path = tmp_path / "plan.json"
    make(path)
    before = str(path.readlink()) if path.is_symlink() else path.read_text()
    with pytest.raises(ConfigurationError, match=r"plan.json already exists") as caught:
        write_plan(path, [planned(1)])
    assert caught.value.advice is Advice.REPLACE_PLAN
    assert (str(path.readlink()) if path.is_symlink() else path.read_text()) == before
    assert [each.name for each in tmp_path.iterdir()] == ["plan.json"]


def test_a_file_is_replaced_where_that_is_asked_for_and_what_a_link_leads_to_is_left_alone(
    tmp_path: Path,
) -> None:
    other = tmp_path / "other"
    other.write_text("kept")
    path = tmp_path / "plan.json"
    path.symlink_to(other)
    write_plan(path, [planned(1)], force=True)
    assert other.read_text() == "kept"
    assert not path.is_symlink()
    assert json.loads(path.read_text())["selected"] == 1


def test_where_a_file_system_knows_no_links_another_file_still_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    path = write_plan(tmp_path / "plan.json", [planned(1)])
    assert json.loads(path.read_text())["selected"] == 1
    with pytest.raises(ConfigurationError, match="already exists"):
        write_plan(path, [planned(2)])
    assert [each.name for each in tmp_path.iterdir()] == ["plan.json"]


def test_a_plan_that_cannot_be_written_whole_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match=r"plan.json: the plan cannot be written: No space left on device"):
        write_plan(tmp_path / "plan.json", [planned(1)])
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_an_error_that_names_the_plan(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"none/plan.json: the plan cannot be written: No such file"):
        write_plan(tmp_path / "none" / "plan.json", [planned(1)])


def test_flows_for_which_there_is_no_room_are_an_error() -> None:
    with closing(PlanWriter()) as writer:
        full = os.open("/dev/full", os.O_WRONLY)
        os.dup2(full, writer._flows.fileno())
        os.close(full)
        with pytest.raises(OutputError, match="No space left on device"):
            writer.add(planned(1, name="x" * 100_000))  # beyond the file's buffer


@pytest.mark.parametrize(
    ("now", "expired"), [("2026-12-02T13:59:59", False), ("2026-12-02T14:00:00", True), ("2027-01-01", True)]
)
def test_a_plan_expires_at_its_moment(now: str, *, expired: bool) -> None:
    assert HEADING.is_expired(datetime.fromisoformat(now).replace(tzinfo=UTC)) is expired
