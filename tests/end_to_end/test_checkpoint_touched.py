"""A checkpoint that somebody touches: during a run, between runs, or before the first one."""

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.end_to_end.command import (
    FLOWREAPER,
    Command,
    Finished,
    Service,
    ended,
    wait_for,
    wait_until_deleting,
)

Ids = Callable[[int], list[str]]
Begin = Callable[..., tuple[Service, Command]]

NAME = "live.ckpt"
# Root may write where nobody may; without this capability it may not.
NO_OVERRIDE = ("setpriv", "--bounding-set=-dac_override,-dac_read_search", "--")


@contextlib.contextmanager
def waiting_run(command: Command, flow: str, *before: str) -> Iterator[subprocess.Popen[str]]:
    """A run that has deleted one flow, and waits for more from a pipe: no transaction is due."""
    words = (*before, *FLOWREAPER, "delete", "-y", "-c", NAME, "-")
    with command.start(*words, stdin=subprocess.PIPE) as process:
        assert process.stdin
        process.stdin.write(f"{flow}\n")
        process.stdin.flush()
        try:
            wait_until_begun(command)
            wait_for(lambda: command.states(NAME) == {"deleted": 1})
            yield process
        finally:
            process.kill()


def wait_until_begun(command: Command) -> None:
    """Return when a run has made its checkpoint's tables, and its log."""
    wait_for((command.folder / f"{NAME}-wal").exists)


def end_of(process: subprocess.Popen[str]) -> Finished:
    """Wait until a run ends by itself, though its input stays open."""
    process.wait(30)
    return ended(process)


TOUCHES: dict[str, tuple[Callable[[Path], object], str]] = {
    "removed": (Path.unlink, "was removed. All that was recorded is saved as "),
    "renamed": (lambda path: path.rename(path.with_name("new.ckpt")), "was renamed or moved"),
    "replaced": (lambda path: path.with_name("other").replace(path), "is another file now"),
    "linked": (
        lambda path: path.with_name("new.ckpt").hardlink_to(path),
        "has a second name now (a hard link)",
    ),
    "truncated": (lambda path: os.truncate(path, 0), "was truncated or overwritten by something else"),
    "overwritten": (lambda path: path.write_text("x\n"), "was truncated or overwritten by something else"),
    "log removed": (lambda path: Path(f"{path}-wal").unlink(), "has lost its log: live.ckpt-wal was removed"),
}


@pytest.mark.parametrize("touch", TOUCHES)
def test_a_run_whose_checkpoint_is_touched_stops_with_status_3_and_says_what_happened(
    command: Command, service: Service, ids: Ids, touch: str
) -> None:
    (flow,) = ids(1)
    do, words = TOUCHES[touch]
    command.write("other", "another file")
    with waiting_run(command, flow) as process:
        do(command.folder / NAME)
        finished = end_of(process)
    assert finished.status == 3
    (stopped,) = (line for line in finished.told if line.startswith("Stopped: "))
    assert stopped.startswith(f"Stopped: the checkpoint {NAME} {words}")
    assert "a defect" not in finished.err
    # Typed at once, the command would begin a fresh checkpoint in place of the one to be put back.
    assert "To go on: " not in finished.err
    assert service.called([flow]) == [flow]


def test_a_run_whose_checkpoint_vanishes_sends_no_more(begin: Begin, ids: Ids) -> None:
    service, command = begin()
    flows = ids(200)
    command.write("flows.txt", *flows)
    with command.flowreaper("delete", "-y", "--rate", "20", "-c", NAME, "flows.txt") as process:
        wait_for(lambda: len(service.called(flows)) > 5)
        (command.folder / NAME).unlink()
        finished = end_of(process)
    assert finished.status == 3
    called = service.called(flows)
    assert len(called) < 100
    fresh = command.delete("-c", NAME, "flows.txt")
    assert fresh.status == 2
    assert f"there is {NAME}.saved, which holds what a run had recorded" in fresh.err
    # What was saved goes on where the run stopped: nothing is called twice but what was in progress.
    (command.folder / f"{NAME}.saved").rename(command.folder / NAME)
    saved = command.results(NAME)
    done = [flow for flow, record in saved.items() if record["state"] == "deleted"]
    assert done
    assert command.delete("-c", NAME, "flows.txt").status == 0
    assert {record["state"] for record in command.results(NAME).values()} == {"deleted"}
    assert not {flow for flow in done if service.arrived.count(flow) > 1}


@pytest.mark.parametrize("end", ["-wal", "-shm", "-journal", ""])
def test_an_export_never_goes_where_sqlite_keeps_its_own(command: Command, ids: Ids, end: str) -> None:
    command.write("flows.txt", *ids(2))
    command.delete("-c", NAME, "flows.txt")
    finished = command.run("results", "-o", f"{NAME}{end}", NAME)
    assert finished.status == 2
    assert f"is {NAME}{end}, a file of the checkpoint's own" in finished.err


def test_what_a_removed_checkpoint_held_is_saved_beside_an_older_one(command: Command, ids: Ids) -> None:
    (flow,) = ids(1)
    with waiting_run(command, flow) as process:
        (command.folder / f"{NAME}.saved").write_text("older")
        (command.folder / NAME).unlink()
        finished = end_of(process)
    assert f"saved as {command.folder / NAME}.saved.2" in finished.err
    assert command.states(f"{NAME}.saved.2") == {"deleted": 1}
    assert (command.folder / f"{NAME}.saved").read_text() == "older"


@pytest.mark.parametrize("reader", ["status", "results", "delete --dry-run -c"])
def test_readers_leave_the_log_of_an_emptied_checkpoint_alone(
    command: Command, ids: Ids, reader: str
) -> None:
    (flow,) = ids(1)
    with waiting_run(command, flow) as process:
        process.kill()
        process.wait()
    os.truncate(command.folder / NAME, 0)
    log = (command.folder / f"{NAME}-wal").read_bytes()
    command.run(*reader.split(), NAME)
    assert (command.folder / f"{NAME}-wal").read_bytes() == log


@pytest.mark.parametrize("touch", ["removed", "truncated"])
def test_a_results_file_does_not_hide_what_happened_to_the_checkpoint(
    command: Command, ids: Ids, touch: str
) -> None:
    do, words = TOUCHES[touch]
    command.write("flows.txt", *ids(400))
    arguments = ("delete", "-y", "--rate", "20", "-c", NAME, "--results", "out.jsonl", "flows.txt")
    with command.flowreaper(*arguments) as process:
        wait_until_deleting(command, NAME)
        do(command.folder / NAME)
        finished = end_of(process)
    assert finished.status == 3
    assert f"Stopped: the checkpoint {NAME} {words}" in finished.err


def test_a_folder_that_becomes_read_only_ends_the_run_with_its_summary(command: Command, ids: Ids) -> None:
    before = NO_OVERRIDE if os.geteuid() == 0 else ()
    if before and not shutil.which(before[0]):
        pytest.skip("root may write everywhere, and there is no setpriv to take that away")
    with waiting_run(command, *ids(1), *before) as process:
        command.folder.chmod(0o555)
        try:
            finished = end_of(process)
        finally:
            command.folder.chmod(0o755)
    assert finished.status == 3
    assert "Stopped: the checkpoint live.ckpt is in a folder that cannot be written any more" in finished.err
    assert "This run: 1 deleted" in finished.err
    assert "a defect" not in finished.err
    assert command.states(NAME) == {"deleted": 1}
    assert command.delete("-c", NAME, "-", stdin="").status == 0


# --- before the first run


@pytest.mark.parametrize("kind", ["hard link", "FIFO", "device"])
def test_what_cannot_be_a_checkpoint_is_refused_and_nothing_is_made_beside_it(
    command: Command, service: Service, ids: Ids, kind: str
) -> None:
    flows = ids(1)
    command.write("flows.txt", *flows)
    path = command.folder / "job.ckpt"
    match kind:
        case "hard link":
            command.delete("-c", "other.ckpt", "-", stdin=ids(1)[0])
            path.hardlink_to(command.folder / "other.ckpt")
        case "FIFO":
            os.mkfifo(path)
        case "device":
            path = Path("/dev/null")
    before = sorted(
        found.name for found in path.parent.iterdir() if found.name.startswith((path.name, "other"))
    )
    finished = command.delete("-c", str(path), "flows.txt")
    assert finished.status == 2
    assert f"{path} is " in finished.err
    assert service.called(flows) == []
    after = sorted(
        found.name for found in path.parent.iterdir() if found.name.startswith((path.name, "other"))
    )
    assert after == before


def test_a_lock_file_of_somebody_elses_is_neither_emptied_nor_removed(command: Command, ids: Ids) -> None:
    command.write("poetry.lock", "[[package]]")
    command.write("flows.txt", *ids(1))
    assert command.delete("-c", "poetry", "flows.txt").status == 0
    assert (command.folder / "poetry.lock").read_text() == "[[package]]\n"


def test_an_input_that_is_named_as_the_checkpoints_lock_once_was_is_read_and_kept(
    command: Command, ids: Ids
) -> None:
    flows = ids(2)
    command.write("job.lock", *flows)
    assert command.delete("-c", "job", "--input-format", "text", "job.lock").status == 0
    assert (command.folder / "job.lock").read_text().split() == flows
    assert command.states("job") == {"deleted": 2}


@pytest.mark.parametrize("end", ["-wal", "-shm", "-journal"])
@pytest.mark.parametrize("use", ["SOURCE", "--results"])
def test_what_sqlite_makes_beside_the_checkpoint_is_neither_read_nor_written(
    command: Command, service: Service, ids: Ids, use: str, end: str
) -> None:
    flows = ids(1)
    command.write("flows.txt", *flows)
    command.write(f"job{end}", *flows)
    words = (f"job{end}",) if use == "SOURCE" else ("--results", f"./job{end}", "flows.txt")
    finished = command.delete("-c", "job", *words)
    assert finished.status == 2
    assert f"job{end}, a file that SQLite makes and removes" in finished.err
    assert service.called(flows) == []
    assert (command.folder / f"job{end}").read_text().split() == flows


# --- two runs


@pytest.mark.parametrize("state", ["running", "stopped"])
def test_a_second_run_is_refused_while_the_first_lives_and_let_in_when_it_is_killed(
    command: Command, ids: Ids, state: str
) -> None:
    first, second = ids(2)
    with waiting_run(command, first) as process:
        if state == "stopped":
            process.send_signal(signal.SIGSTOP)
        refused = command.delete("-c", NAME, "-", stdin=second)
        assert refused.status == 75
        assert f"is in use by another run (pid {process.pid} on " in refused.err
        process.kill()
        process.wait()
        assert command.delete("-c", NAME, "-", stdin=second).status == 0
    assert command.states(NAME) == {"deleted": 2}


def test_status_says_under_way_while_a_run_goes_on_and_in_doubt_when_it_is_gone(
    begin: Begin, ids: Ids
) -> None:
    service, command = begin("--latency", "20")
    flows = ids(3)
    command.write("flows.txt", *flows)
    words = ("delete", "-y", "--no-identity", "--rate", "50", "-c", NAME, "flows.txt")
    with command.flowreaper(*words) as process:
        wait_until_begun(command)
        wait_for(lambda: command.states(NAME).get("claimed") == 3)
        live = command.run("status", NAME)
        as_json = command.run("status", "--json", NAME).records[0]
        process.kill()
        process.wait()
    assert f"A run is going on (pid {process.pid} on " in live.out
    assert "   claimed            3  (in progress)" in live.out
    assert "in doubt" not in live.out
    assert (as_json["live"], as_json["under_way"], as_json["in_doubt"]) == (True, 3, 0)
    assert as_json["run"].startswith(f"pid {process.pid} on ")
    gone = command.run("status", NAME)
    assert "going on" not in gone.out
    assert "in doubt            3" in gone.out
    after = command.run("status", "--json", NAME).records[0]
    assert (after["live"], after["run"], after["under_way"], after["in_doubt"]) == (False, None, 0, 3)
    assert service.process.poll() is None
