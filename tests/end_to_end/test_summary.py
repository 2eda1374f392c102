"""What became of a run, and why: on the screen, in --summary-json and in status the same, with commands that work."""

import json
import re
import signal
import sqlite3
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from tests.end_to_end.command import Command, Service, ended, wait_for, wait_until_deleting

Ids = Callable[[int], list[str]]
Begin = Callable[..., tuple[Service, Command]]

REFUSE_TWO_WAYS = "answer:Some.Code:#1-2,answer:Other.Code:#3"


def summary_of(command: Command, name: str = "summary.json") -> dict[str, Any]:
    found: dict[str, Any] = json.loads((command.folder / name).read_text())
    return found


def status_of(command: Command, checkpoint: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(command.run("status", "--json", checkpoint).out)
    return found


@pytest.fixture
def mixed(begin: Begin, ids: Ids) -> tuple[Command, Service, list[str]]:
    """A finished job with a summary: flows 1 and 2 refused with Some.Code, 3 with Other.Code, one invalid line."""
    service, command = begin("--trouble", REFUSE_TWO_WAYS)
    flows = ids(6)
    command.write("flows.txt", *flows, "two words")
    finished = command.delete("--concurrency", "1", "--summary-json", "summary.json", "flows.txt")
    assert finished.status == 1
    return command, service, flows


def test_the_summary_holds_what_status_says_and_how_the_run_ended(
    mixed: tuple[Command, Service, list[str]],
) -> None:
    command, _, flows = mixed
    found = summary_of(command)
    status = status_of(command, "flows.txt.ckpt")
    assert (found["ending"], found["exit_status"], found["error"], found["resume"]) == (
        "incomplete",
        1,
        None,
        None,
    )
    assert (found["calls"], found["this_run"]["refused"], found["left"]) == (6, 3, 0)
    assert [(c["state"], c["code"], c["flows"]) for c in found["causes"]] == [
        ("invalid", None, 1),
        ("refused", "Some.Code", 2),
        ("refused", "Other.Code", 1),
    ]
    assert [flow["flow_id"] for flow in found["causes"][1]["sample"]] == flows[:2]
    for cause in (*found["causes"], *status["causes"]):
        del cause["retry"]  # the run's own repeats its options
    assert found | status == found


def test_each_cause_can_be_listed_exported_and_called_again_alone_by_the_commands_shown(
    mixed: tuple[Command, Service, list[str]],
) -> None:
    command, service, flows = mixed
    cause = summary_of(command)["causes"][1]
    listed = command.shell(cause["list"])
    assert [record["flow_id"] for record in listed.records] == flows[:2]
    assert command.shell(cause["export"]).status == 0
    assert (command.folder / "flows.txt.refused.Some.Code.csv").read_text().count("Some.Code") == 2
    before = len(service.ledger())
    asked = command.shell(cause["retry"])
    assert (asked.status, len(service.ledger())) == (2, before), "it asks, and here is nobody to answer"
    (command.folder / "flows.txt.refused.Some.Code.jsonl").unlink()
    again = command.shell(cause["retry"].replace("flowreaper delete", "flowreaper delete --yes"))
    assert again.status == 1
    assert [call["flow_id"] for call in service.ledger(since=before)] == flows[:2]
    assert command.states("flows.txt.ckpt") == {"deleted": 5, "refused": 1, "invalid": 1}


def test_a_list_that_no_pipe_holds_can_be_piped_into_a_run_on_its_own_checkpoint(
    begin: Begin, ids: Ids
) -> None:
    many = 1000  # some 300 KB as JSON lines, where a pipe holds 64 KiB
    service, command = begin("--trouble", f"answer:Some.Code:#1-{many}")
    command.write("flows.txt", *ids(many))
    common = ("--rate", "2000", "--max-consecutive-refusals", "0")
    assert command.run("delete", "--yes", *common, "flows.txt").status == 1
    again = command.shell(
        "flowreaper results --state refused flows.txt.ckpt"
        " | flowreaper delete --yes --rate 2000 --retry refused -c flows.txt.ckpt -"
    )
    assert again.status == 0, again.err
    assert len(service.ledger()) == 2 * many


def test_calling_flows_again_takes_their_own_space_whatever_the_environment_says(
    mixed: tuple[Command, Service, list[str]],
) -> None:
    command, service, flows = mixed
    cause = summary_of(command)["causes"][1]
    before = len(service.ledger())
    line = cause["retry"].replace("flowreaper delete", "flowreaper delete --yes")
    command.finish("sh", "-c", line, env={"FLOWREAPER_DELETE_CUST_SPACE_ID": "cams-other"})
    called = [(call["flow_id"], call["cust_space_id"] or "") for call in service.ledger(since=before)]
    assert called == [(flow, "") for flow in flows[:2]]
    assert sum(command.states("flows.txt.ckpt").values()) == 7


def test_calling_flows_again_can_be_cut_and_gone_on_with(begin: Begin, ids: Ids) -> None:
    service, command = begin("--trouble", "answer:Some.Code:#1-6")
    flows = ids(9)
    command.write("flows.txt", *flows)
    assert command.delete("--concurrency", "1", "--limit", "6", "flows.txt").status == 4
    (cause,) = status_of(command, "flows.txt.ckpt")["causes"]
    before = len(service.ledger())
    cut = command.shell(
        cause["retry"].replace("flowreaper delete", "flowreaper delete --yes --limit 4 --concurrency 1")
    )
    assert cut.status == 4, cut.err
    command.shell(cut.resume.replace("--limit 4", ""))
    assert [call["flow_id"] for call in service.ledger(since=before)] == flows[:6]
    assert command.states("flows.txt.ckpt") == {"deleted": 6, "pending": 3}


def test_status_names_the_command_that_goes_on(command: Command, ids: Ids) -> None:
    command.write("flows.txt", *ids(5))
    assert command.delete("--limit", "2", "flows.txt").status == 4
    resume = status_of(command, "flows.txt.ckpt")["resume"]
    assert f"To go on: {resume}" in command.run("status", "flows.txt.ckpt").out
    typed = resume.replace("delete", "delete --yes")
    assert command.shell(f"unset FLOWREAPER_ENDPOINT; {typed}").status == 0
    assert status_of(command, "flows.txt.ckpt")["resume"] is None


def test_absences_of_earlier_runs_that_are_taken_back_make_no_count_negative(
    begin: Begin, bare: Command, ids: Ids
) -> None:
    bare.write("known.txt", *ids(1))
    _, command = begin("--known", "known.txt")
    command.write("flows.txt", *ids(60))
    limits = ("--max-consecutive-absent", "40", "--summary-json", "summary.json", "flows.txt")
    assert command.delete("--limit", "30", *limits).status == 4
    assert command.delete(*limits).status == 3
    found = summary_of(command)
    first, second = found["runs"]
    assert first["counts"]["absent"] == 30
    assert all(count >= 0 for count in (*second["counts"].values(), *found["this_run"].values()))
    assert command.states("flows.txt.ckpt") == {"pending": 60}


def test_the_screen_shows_the_same_commands(mixed: tuple[Command, Service, list[str]]) -> None:
    command, _, _ = mixed
    shown = command.delete("flows.txt").err
    for cause in summary_of(command)["causes"]:
        assert f"List:   {cause['list']}" in shown
    assert "Retry:  " in command.run("status", "flows.txt.ckpt").out


def test_a_second_run_ends_with_75_and_its_summary_says_so(command: Command, ids: Ids) -> None:
    command.write("flows.txt", *ids(500))
    with command.flowreaper("delete", "--yes", "flows.txt") as first:
        wait_for(lambda: command.run("status", "flows.txt.ckpt").out.count("A run is going on") > 0)
        second = command.delete("--summary-json", "summary.json", "flows.txt")
        live = status_of(command, "flows.txt.ckpt")
        first.send_signal(signal.SIGINT)
        assert ended(first).status == 130
    assert second.status == 75
    found = summary_of(command)
    assert (found["ending"], found["exit_status"]) == (None, 75)
    assert f"pid {first.pid} on " in found["error"]
    assert f"pid {first.pid} on " in live["run"]
    (run,) = live["runs"]
    assert (run["pid"], run["ending"]) == (first.pid, None)


def test_a_summary_of_an_interrupted_run_names_the_signal(command: Command, ids: Ids) -> None:
    command.write("flows.txt", *ids(500))
    with command.flowreaper("delete", "--yes", "--summary-json", "summary.json", "flows.txt") as run:
        wait_until_deleting(command)
        run.send_signal(signal.SIGTERM)
        assert ended(run).status == 143
    found = summary_of(command)
    assert (found["ending"], found["exit_status"]) == ("interrupted", 143)
    assert found["runs"][0]["ending"] == "interrupted"


def test_the_history_tells_a_run_that_was_killed_from_one_that_ended(command: Command, ids: Ids) -> None:
    command.write("flows.txt", *ids(300))
    with command.flowreaper("delete", "--yes", "flows.txt") as run:
        wait_until_deleting(command)
        run.kill()
        run.wait()
    assert command.delete("flows.txt").status == 0
    first, second = status_of(command, "flows.txt.ckpt")["runs"]
    assert (first["ending"], first["ended_at"]) == (None, None)
    assert (second["ending"], second["error"]) == ("finished", None)
    assert second["counts"]["deleted"] > 200
    assert second["calls"] >= second["counts"]["deleted"]
    shown = command.run("status", "flows.txt.ckpt").out
    assert re.search(r"^Run 1: .*, cut off; ", shown, re.MULTILINE)
    assert re.search(r"^Run 2: .*, finished; ", shown, re.MULTILINE)


def test_a_checkpoint_of_version_1_goes_on_and_keeps_its_history_from_then_on(
    command: Command, ids: Ids
) -> None:
    flows = ids(4)
    command.write("flows.txt", *flows)
    assert command.delete("--limit", "2", "flows.txt").status == 4
    db = sqlite3.connect(command.folder / "flows.txt.ckpt")
    db.executescript(
        "DROP TABLE run; DROP TABLE minute; DROP TABLE verification; DROP TABLE remaining; PRAGMA user_version = 1"
    )
    db.close()
    assert status_of(command, "flows.txt.ckpt")["runs"] == []
    assert command.delete("flows.txt").status == 0
    (run,) = status_of(command, "flows.txt.ckpt")["runs"]
    assert (run["number"], run["counts"]["deleted"]) == (1, 2)


def test_status_alone_shows_every_checkpoint_of_the_folder(command: Command, ids: Ids) -> None:
    nothing = command.run("status")
    assert (nothing.status, nothing.out, nothing.err) == (0, "", "There is no checkpoint in this folder.\n")
    for name in ("a.txt", "b.txt"):
        command.write(name, *ids(2))
        command.delete("-c", f"{name}.job", name)
    (command.folder / "other.ckpt").write_text("no checkpoint")
    lines = command.run("status").out.splitlines()
    assert [line.split()[0] for line in lines] == ["a.txt.job", "b.txt.job"]
    assert all("2 of 2 done; last run: finished, 20" in line for line in lines)
    found = json.loads(command.run("status", "--json").out)["checkpoints"]
    assert [job["checkpoint"] for job in found] == ["a.txt.job", "b.txt.job"]


def test_a_watch_ends_when_the_run_does(command: Command, ids: Ids) -> None:
    command.write("flows.txt", *ids(60))
    with command.flowreaper("delete", "--yes", "--rate", "20", "flows.txt", stderr=subprocess.DEVNULL) as run:
        wait_until_deleting(command)
        watched = command.run("status", "--watch", "flows.txt.ckpt")
        assert run.wait() == 0
    assert watched.status == 0
    assert "A run is going on" in watched.out
    assert watched.out.rstrip().splitlines()[-1].startswith("Run 1: ")
    assert "\x1b" not in watched.out
    assert command.run("status", "--watch").status == 2


@pytest.mark.parametrize("name", ["flows.txt", "-"])
def test_flows_of_an_earlier_run_that_this_one_calls_were_not_skipped(
    command: Command, ids: Ids, name: str
) -> None:
    flows = ids(5)
    command.write("flows.txt", *flows, flows[4])
    stdin = "\n".join([*flows, flows[4]]) if name == "-" else None
    common = ("-c", "job.ckpt", "--concurrency", "1", "--summary-json", "summary.json", name)
    assert command.delete("--limit", "2", *common, stdin=stdin).status == 4
    finished = command.delete(*common, stdin=stdin)
    assert summary_of(command)["repeated"] == 3
    assert "3 deleted; 3 calls" in finished.err
    assert "3 ids skipped: done before or repeated" in finished.err
