"""A checkpoint whose log is lost or is another one's, between two runs: it is refused, or what is gone is made good."""

import shutil
from collections.abc import Callable

import pytest

from tests.end_to_end.command import Command, Service, ended, wait_for

Ids = Callable[[int], list[str]]
Begin = Callable[..., tuple[Service, Command]]


def cut_off(command: Command, service: Service, flows: list[str]) -> None:
    """Kill a run of these flows when some are recorded as deleted."""
    command.write("flows.txt", *flows)
    with command.flowreaper("delete", "-y", "--rate", "50", "flows.txt") as process:
        wait_for(lambda: len(service.called(flows)) > 10)
        wait_for(lambda: command.states("flows.txt.ckpt").get("deleted", 0) > 5)
        process.kill()
        ended(process)


@pytest.fixture
def lost(begin: Begin, bare: Command, ids: Ids) -> tuple[Service, Command, list[str]]:
    """A job whose run was killed, and whose log was removed then; flows that are gone do not exist."""
    flows = ids(200)
    bare.write("known.txt", *flows)
    service, command = begin("--known", "known.txt")
    cut_off(command, service, flows)
    (command.folder / "flows.txt.ckpt-wal").unlink()
    return service, command, flows


def test_a_resume_without_the_log_stops_and_says_what_is_missing(
    lost: tuple[Service, Command, list[str]],
) -> None:
    service, command, flows = lost
    called = len(service.called(flows))
    finished = command.delete("flows.txt")
    assert finished.status == 2
    assert "the checkpoint flows.txt.ckpt is not whole" in finished.err
    assert (
        "flows.txt.ckpt-wal, the log that holds what that run recorded last, is not beside it" in finished.err
    )
    assert "--accept-lost-log" in finished.err
    assert len(service.called(flows)) == called


def test_a_lost_log_can_be_accepted_and_what_is_gone_counts_as_deleted_by_inference(
    lost: tuple[Service, Command, list[str]],
) -> None:
    service, command, flows = lost
    finished = command.delete("--accept-lost-log", "flows.txt")
    assert finished.status == 0
    assert "--accept-lost-log" not in finished.err
    records = command.results("flows.txt.ckpt")
    assert {record["state"] for record in records.values()} == {"deleted"}
    twice = {flow for flow in flows if service.called(flows).count(flow) > 1}
    assert twice == {flow for flow, record in records.items() if record["inferred"]}
    assert len(twice) > 5


@pytest.mark.parametrize("name", ["status", "results"])
def test_what_is_read_without_its_log_is_warned_about(
    lost: tuple[Service, Command, list[str]], name: str
) -> None:
    _, command, _ = lost
    shown = command.run(name, "flows.txt.ckpt")
    assert shown.status == 0
    assert shown.err.startswith("Warning: flows.txt.ckpt is not whole: its last run was cut off")


def test_a_copy_that_was_made_without_the_log_is_refused_and_one_with_it_goes_on(
    begin: Begin, ids: Ids
) -> None:
    service, command = begin()
    flows = ids(100)
    cut_off(command, service, flows)
    for name in ("bare", "whole"):
        shutil.copy(command.folder / "flows.txt.ckpt", command.folder / name)
    shutil.copy(command.folder / "flows.txt.ckpt-wal", command.folder / "whole-wal")
    assert command.delete("-c", "bare", "flows.txt").status == 2
    assert command.run("status", "whole").err == ""
    assert command.delete("-c", "whole", "flows.txt").status == 0
    assert len(command.results("whole")) == 100


def test_the_log_of_another_checkpoint_is_refused_and_nothing_is_written(begin: Begin, ids: Ids) -> None:
    service, command = begin()
    cut_off(command, service, ids(100))
    mine = command.folder / "flows.txt.ckpt"
    for end in ("", "-wal"):
        shutil.move(f"{mine}{end}", f"{mine}{end}.first")
    cut_off(command, service, ids(100))
    shutil.move(f"{mine}-wal.first", f"{mine}-wal")
    before = mine.read_bytes()
    finished = command.delete("flows.txt")
    assert finished.status == 2
    assert "flows.txt.ckpt-wal belongs to another checkpoint, or is an older one" in finished.err
    assert mine.read_bytes() == before
