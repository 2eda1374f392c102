"""What is known of the drafts that were made."""

import errno
import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from flowreaper.errors import OutputError
from flowreaper.model import Flow
from flowreaper.safeguards.backup_entry import BackupEntry, Origin, entry_of
from flowreaper.safeguards.line_file import LineFile
from flowreaper.safeguards.restore_journal import Draft, RestoreJournal, Step, read_journal
from tests.safeguards.samples import ORIGIN, saved

NOW = datetime(2026, 11, 25, 19, 0, tzinfo=UTC)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[int]:
    fd = os.open(tmp_path, os.O_RDONLY)
    yield fd
    os.close(fd)


def entry(flow_id: str = "1", space: str = "") -> BackupEntry:
    return entry_of(saved(flow_id, space), f"account/{flow_id}", ORIGIN)


async def note(folder: int, *steps: tuple[BackupEntry, Step, str], target: Origin = ORIGIN) -> None:
    lines = LineFile.opened("restored.jsonl", folder)
    journal = RestoreJournal(lines, target, lambda: NOW)
    for step in steps:
        await journal.note(*step)
    lines.close()


async def test_the_last_step_of_a_flow_counts(folder: int) -> None:
    await note(
        folder,
        (entry("1"), Step.CREATING, ""),
        (entry("1", "cams-x"), Step.CREATING, ""),
        (entry("1"), Step.CREATED, "71"),
        (entry("2"), Step.CREATING, ""),
        (entry("2"), Step.CREATED, "72"),
        (entry("2"), Step.JSON_SET, "72"),
    )
    assert read_journal(folder, ORIGIN) == {
        Flow("1"): Draft(Step.CREATED, "71", NOW),
        Flow("1", "cams-x"): Draft(Step.CREATING, "", NOW),
        Flow("2"): Draft(Step.JSON_SET, "72", NOW),
    }


async def test_a_refused_flow_is_as_if_it_had_not_been_called(folder: int) -> None:
    await note(folder, (entry(), Step.CREATING, ""), (entry(), Step.REFUSED, ""))
    assert read_journal(folder, ORIGIN) == {}


async def test_a_flow_that_was_there_is_known_as_such_until_it_gets_a_draft(folder: int) -> None:
    await note(folder, (entry("1"), Step.THERE, ""), (entry("2"), Step.THERE, ""))
    await note(folder, (entry("1"), Step.THERE, ""), (entry("2"), Step.CREATING, ""))
    assert read_journal(folder, ORIGIN) == {
        Flow("1"): Draft(Step.THERE, "", NOW),
        Flow("2"): Draft(Step.CREATING, "", NOW),
    }
    assert list(read_journal(folder, ORIGIN, with_there=False)) == [Flow("2")]


@pytest.mark.parametrize(("step", "new_id"), [(Step.CREATING, ""), (Step.CREATED, "71")])
async def test_a_flow_that_was_there_after_a_call_may_have_a_draft_all_the_same(
    folder: int, step: Step, new_id: str
) -> None:
    await note(folder, (entry(), step, new_id), (entry(), Step.THERE, ""))
    for with_there in (True, False):
        drafts = read_journal(folder, ORIGIN, with_there=with_there)
        assert drafts == {Flow("1"): Draft(step, new_id, NOW)}


async def test_a_person_finds_new_flow_and_file_in_a_line(tmp_path: Path, folder: int) -> None:
    await note(folder, (entry(), Step.CREATED, "71"))
    (line,) = (tmp_path / "restored.jsonl").read_text().splitlines()
    assert json.loads(line) == {
        "step": "created",
        "flow_id": "1",
        "cust_space_id": "",
        "name": "promo",
        "new_flow_id": "71",
        "file": "account/1/flow.json",
        "at": NOW.isoformat(),
        "account": ORIGIN.account,
        "endpoint": ORIGIN.endpoint,
    }


@pytest.mark.parametrize(
    ("target", "is_same"),
    [
        (ORIGIN, True),
        (Origin("", ORIGIN.endpoint), True),  # nobody asked: it may be that account
        (Origin("2000000000000002", ORIGIN.endpoint), False),
        (Origin(ORIGIN.account, "https://elsewhere.example"), False),
    ],
)
async def test_drafts_elsewhere_are_no_drafts_here(folder: int, target: Origin, *, is_same: bool) -> None:
    await note(folder, (entry(), Step.CREATED, "71"))
    assert bool(read_journal(folder, target)) == is_same
    await note(folder, (entry("2"), Step.CREATED, "72"), target=target)
    assert (len(read_journal(folder, ORIGIN)) == 2) == is_same


def test_lines_of_another_kind_are_passed_over(tmp_path: Path, folder: int) -> None:
    lines = [b"garbage", b"[]", b'{"step": "creating"}', b'{"step": [], "flow_id": "1", "cust_space_id": ""}']
    (tmp_path / "restored.jsonl").write_bytes(b"\n".join(lines) + b'\n{"half')
    assert read_journal(folder, ORIGIN) == {}


@pytest.mark.parametrize("at", [None, "", "yesterday", "2026-11-25T19:00:00"])
async def test_a_time_that_cannot_be_read_is_no_time(tmp_path: Path, folder: int, at: str | None) -> None:
    await note(folder, (entry(), Step.CREATING, ""))
    line = json.loads((tmp_path / "restored.jsonl").read_text()) | {"at": at}
    (tmp_path / "restored.jsonl").write_text(json.dumps(line) + "\n")
    assert read_journal(folder, ORIGIN) == {Flow("1"): Draft(Step.CREATING, "", None)}


async def test_a_new_id_that_cannot_be_noted_is_in_the_error(
    folder: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_fd: int, _content: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OutputError, match=r"the new flow 71 of 1 could not be noted\): No space left"):
        await note(folder, (entry(), Step.CREATED, "71"))
    with pytest.raises(OutputError, match=r"^cannot write to restored.jsonl of the backup: No space left"):
        await note(folder, (entry(), Step.CREATING, ""))
