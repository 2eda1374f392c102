"""What a run says of its input and of how to go on is true, also where a pipe or a broken file is part of it."""

import json
import os
import shlex
import signal
import subprocess
from collections.abc import Callable

import pytest

from tests.end_to_end.command import Command, Service, ended, wait_for

Ids = Callable[[int], list[str]]
Begin = Callable[..., tuple[Service, Command]]


@pytest.fixture
def old(command: Command, ids: Ids) -> list[str]:
    """Flows of an earlier input, of which job.ckpt holds two unfinished."""
    flows = ids(3)
    command.delete("-c", "job.ckpt", "--limit", "1", "--concurrency", "1", "-", stdin="\n".join(flows))
    return flows


def test_the_command_to_go_on_after_a_pipe_takes_nothing_that_the_pipe_did_not_bring(
    command: Command, service: Service, ids: Ids, old: list[str]
) -> None:
    new = ids(4)
    limits = ("--limit", "2", "--concurrency", "1")
    finished = command.delete("-c", "job.ckpt", *limits, "-", stdin="\n".join(new))
    assert finished.status == 4
    words = shlex.split(finished.resume)
    assert words[-1] == "-"
    again = [word for word in words[1:] if word not in ("--limit", "2")]
    assert command.run(*again, stdin="\n".join(new)).status == 0
    assert sorted(service.called([*old, *new])) == sorted([old[0], *new])
    events = command.delete("-c", "job.ckpt", "--log-format", "json", "-", stdin=new[0]).events
    assert events[-1]["resume"] is None


def test_absent_flows_of_an_earlier_input_that_count_again_are_not_taken_without_being_asked_for(
    begin: Begin, bare: Command, ids: Ids
) -> None:
    bare.write("known.txt", *ids(1))
    service, command = begin("--known", "known.txt")
    old, new = ids(30), ids(25)
    command.write("old.txt", *old)
    limits = ("-c", "job.ckpt", "--max-consecutive-absent", "40")
    first = command.delete(*limits, "old.txt")
    (hint,) = (line for line in first.told if line.startswith("Every flow of this run was absent"))
    assert hint.endswith(" --retry absent old.txt")
    with command.flowreaper("delete", "--yes", *limits, "-", stdin=subprocess.PIPE) as process:
        assert process.stdin
        process.stdin.write("\n".join([*new, ""]))
        process.stdin.flush()
        assert process.wait(30) == 3
        finished = ended(process)
    assert finished.resume.endswith(" -")
    assert "To go on, pipe the same ids to this: " in finished.err
    before = service.called(old)
    assert sorted(before) == sorted(old)
    assert command.run(*shlex.split(finished.resume)[1:], stdin="\n".join(new)).status == 0
    assert service.called(old) == before


def test_a_piped_start_says_nothing_of_what_it_cannot_know(
    command: Command, ids: Ids, old: list[str]
) -> None:
    new = ids(1)
    told = command.delete("-c", "job.ckpt", "-", stdin="\n".join([old[1], *new])).told
    assert "  Input:       standard input: read as it comes" in told
    start = told[: told.index(next(line for line in told if line.startswith("This run: ")))]
    assert not any("left alone" in line for line in start if line.startswith("  "))
    planned = command.run("delete", "--dry-run", "-c", "job.ckpt", "--log-format", "json", "-", stdin=new[0])
    assert [event["event"] for event in planned.events] == ["run.planned"]
    piped = command.delete("-c", "job.ckpt", "--log-format", "json", "-", stdin=new[0])
    assert piped.events[-3]["event"] == "run.started" or piped.events[0]["event"] != "run.ended"
    (started,) = (event for event in piped.events if event["event"] == "run.started")
    assert started.get("unlisted") is None


def test_an_input_that_breaks_off_was_not_read_to_its_end(command: Command, ids: Ids, old: list[str]) -> None:
    command.write("broken.json", "[", *(f'"{flow}",' for flow in ids(14_000)), "oops")
    finished = command.delete("-c", "job.ckpt", "broken.json", "-", stdin=old[1])
    assert finished.status in (2, 3)
    assert "were left alone" not in finished.err
    assert "The pipe was not read to its end" in finished.err


def test_a_quotation_mark_that_was_opened_since_is_found_before_anything_is_sent(
    command: Command, service: Service, ids: Ids
) -> None:
    flows = ids(60_000)
    lines = ["FlowId,Name", *(f"{flow},x" for flow in flows)]
    command.write("flows.csv", *lines)
    assert command.delete("--limit", "50", "flows.csv").status == 4
    before = service.called(flows)
    lines[59_000] = f'{flows[58_999]},"x'
    command.write("flows.csv", *lines)
    finished = command.delete("flows.csv")
    assert finished.status == 2
    assert "is never closed" in finished.err
    assert service.called(flows) == before


@pytest.mark.parametrize("words", [("--dry-run",), ("--yes",)])
def test_a_lost_log_is_refused_by_a_dry_run_too(begin: Begin, ids: Ids, words: tuple[str, ...]) -> None:
    service, command = begin()
    flows = ids(100)
    command.write("flows.txt", *flows)
    with command.flowreaper("delete", "-y", "--rate", "50", "-c", "job.ckpt", "flows.txt") as process:
        wait_for(lambda: len(service.called(flows)) > 10)
        process.kill()
        process.wait()
    (command.folder / "job.ckpt-wal").unlink()
    finished = command.run("delete", *words, "-c", "job.ckpt", "flows.txt")
    assert finished.status == 2
    assert "job.ckpt-wal" in finished.err
    log = command.folder / "job.ckpt-wal"
    assert not (log.exists() and log.stat().st_size)


@pytest.mark.parametrize("level", ["info", "warning", "error"])
def test_a_run_that_was_stopped_says_so_in_events_at_every_level(begin: Begin, ids: Ids, level: str) -> None:
    _, command = begin("--trouble", "deny:#1-")
    finished = command.delete("--log-format", "json", "--log-level", level, stdin=ids(1)[0])
    assert finished.status == 3
    assert finished.events[-1]["event"] == "run.ended"
    assert finished.events[-1]["level"] == "error"
    assert "Ram.PermissionDeny" in finished.events[-1]["error"]


def test_a_run_that_found_nothing_says_what_to_check_in_events_too(
    begin: Begin, bare: Command, ids: Ids
) -> None:
    bare.write("known.txt", *ids(1))
    _, command = begin("--known", "known.txt")
    end = command.delete("--log-format", "json", stdin="\n".join(ids(3))).events[-1]
    assert (end["absent"], end["resume"]) == (3, None)
    assert "Check that the access key belongs to the right account" in end["found_nothing"]


def test_a_rehearsal_writes_no_file_of_results(bare: Command, ids: Ids) -> None:
    bare.write("flows.txt", *ids(2))
    refused = bare.delete("--sandbox", "--results", "out.jsonl", "flows.txt")
    assert refused.status == 2
    assert "--results -" in refused.err
    assert not (bare.folder / "out.jsonl").exists()
    assert len(bare.delete("--sandbox", "--results", "-", "flows.txt").records) == 2


def test_a_pipe_that_is_not_read_is_pointed_out(
    command: Command, service: Service, ids: Ids, old: list[str]
) -> None:
    (flow,) = ids(1)
    finished = command.delete("-c", "job.ckpt", stdin=flow)
    assert "standard input is not read; add - to read it" in finished.err
    assert service.called([flow]) == []
    silent = command.delete("-c", "job.ckpt")
    assert "standard input" not in silent.err


def test_waiting_for_a_reader_is_an_event_too(command: Command, ids: Ids) -> None:
    os.mkfifo(command.folder / "fifo")
    command.write("flows.txt", *ids(1))
    arguments = ("delete", "-y", "--log-format", "json", "--results", "fifo", "flows.txt")
    with command.flowreaper(*arguments, stdout=subprocess.DEVNULL) as process:
        assert process.stderr
        event = json.loads(process.stderr.readline())
        assert event["event"] == "results.waiting_for_reader"
        process.send_signal(signal.SIGINT)
        finished = ended(process)
    assert finished.status == 130


def test_the_sink_of_the_results_gets_no_absence_that_is_taken_back(
    begin: Begin, bare: Command, ids: Ids
) -> None:
    bare.write("known.txt", *ids(1))
    _, command = begin("--known", "known.txt")
    command.write("flows.txt", *ids(30))
    limits = ("--max-consecutive-absent", "20")
    finished = command.delete(*limits, "--results", "-", "flows.txt")
    assert (finished.status, finished.records) == (3, [])
    few = command.delete(*limits, "--limit", "5", "--results", "-", "flows.txt")
    assert [record["state"] for record in few.records] == ["absent"] * 5
