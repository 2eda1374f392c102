"""A deletion among safeguards: only drafts, none in use, each saved, the first proven; and crashes in between."""

import contextlib
import json
import random
import re
import signal
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.request import ProxyHandler, build_opener

import pytest

from tests.end_to_end.command import Command, Service, ended, wait_for
from tests.end_to_end.seeded import account, write_flows

Begin = Callable[..., tuple[Service, Command]]
Ids = Callable[[int], list[str]]

SEEDED = ("--seed-flows", "120")
QUICK = ("--rate", "200", "--read-rate", "400")


def calls_of(service: Service, operation: str) -> list[dict[str, Any]]:
    opener = build_opener(ProxyHandler({}))
    with opener.open(f"{service.url}/ledger?action={operation}&since=0") as answer:
        calls: list[dict[str, Any]] = json.load(answer)["calls"]
    return calls


def saved(folder: Path) -> set[str]:
    """The flows that a backup's index names, each of which must have a whole folder."""
    lines = [json.loads(line) for line in (folder / "index.jsonl").read_text().splitlines()]
    for line in lines:
        details = json.loads((folder / line["folder"] / "details.json").read_text())
        assert line["flow_id"] in json.dumps(details)
        assert (line["sha256"] is None) == (not (folder / line["folder"] / "flow.json").exists())
    return {line["flow_id"] for line in lines}


def test_only_unused_drafts_are_deleted_and_each_is_saved(begin: Begin) -> None:
    service, command = begin(*SEEDED)
    held = account(120)
    write_flows(command, "flows.csv", held.flows)
    words = ("--only-drafts", "--keep-used", "--backup", "saved", "--canary", "5")
    finished = command.run("delete", "--yes", *QUICK, *words, "flows.csv")
    assert finished.status == 0
    called = {call["flow_id"] for call in service.ledger()}
    assert called == held.unused_drafts
    assert saved(command.folder / "saved") == held.unused_drafts
    records = command.results("flows.csv.ckpt")
    assert {r["state"].value for f, r in records.items() if f in held.unused_drafts} == {"deleted"}
    kept = {f: r for f, r in records.items() if r["state"].value == "kept"}
    assert set(kept) == held.others | held.used
    for flow, record in kept.items():
        assert record["code"].startswith("Template." if flow in held.used else "Status.")
        assert (record["attempts"], record["in_doubt"]) == (0, False)
    assert f"{len(kept)} kept" in finished.err


def test_the_first_deletions_are_proven_before_any_other_is_sent(begin: Begin) -> None:
    service, command = begin(*SEEDED)
    drafts = [flow for flow in account(120).flows if flow.flow_id in account(120).unused_drafts]
    write_flows(command, "flows.csv", drafts)
    assert command.run("delete", "--yes", *QUICK, "--canary", "5", "flows.csv").status == 0
    times = [call["at_s"] for call in service.ledger()]
    looks = [call["at_s"] for call in calls_of(service, "GetFlow")]
    assert len(looks) == 5
    assert times[4] < min(looks) < max(looks) < times[5]


def test_a_deletion_that_did_not_happen_stops_the_run_at_its_canary(begin: Begin) -> None:
    """The service says OK to the third call without deleting anything."""
    service, command = begin(*SEEDED, "--trouble", "answer:OK:#3")
    held = account(120)
    drafts = [flow for flow in held.flows if flow.flow_id in held.unused_drafts]
    write_flows(command, "flows.csv", drafts)
    finished = command.run("delete", "--yes", *QUICK, "--canary", "5", "flows.csv")
    again = command.run("delete", "--yes", *QUICK, "-c", "flows.csv.ckpt")
    assert (finished.status, again.status) == (3, 0)
    looks = [call["at_s"] for call in calls_of(service, "GetFlow")]
    times = [call["at_s"] for call in service.ledger()]
    # A later run without the option proves its own first ones: five calls, a proof, five calls, a proof.
    assert sum(at < min(looks) for at in times) == 5
    assert sum(at < max(looks) for at in times) == 10
    assert f"said that it deleted the flow {drafts[2].flow_id}" in finished.err
    assert "GetFlow still finds it (DRAFT)" in finished.err
    assert "To go on" not in finished.err
    words, _, verify = finished.told[-1].partition(": ")
    assert words == "To see what is still there"
    assert verify == "flowreaper verify --read-rate 400 flows.csv.ckpt"


def test_a_job_whose_canary_failed_has_it_again_where_a_later_run_names_none(begin: Begin) -> None:
    service, command = begin(*SEEDED, "--trouble", "answer:OK:#3,answer:OK:#7")
    held = account(120)
    write_flows(command, "flows.csv", [flow for flow in held.flows if flow.flow_id in held.unused_drafts])
    first = command.run("delete", "--yes", *QUICK, "--canary", "5", "flows.csv")
    again = command.run("delete", "--yes", *QUICK, "-c", "flows.csv.ckpt")
    assert (first.status, again.status) == (3, 3)
    assert len(service.ledger()) == 10
    waived = command.run("delete", "--yes", *QUICK, "--canary", "0", "-c", "flows.csv.ckpt")
    assert waived.status == 0
    assert len(service.ledger()) == len(held.unused_drafts)


def test_a_job_keeps_its_safeguards_where_a_later_run_names_none(begin: Begin) -> None:
    service, command = begin(*SEEDED)
    held = account(120)
    write_flows(command, "flows.csv", held.flows)
    words = ("--only-drafts", "--backup", "saved")
    assert command.run("delete", "--yes", *QUICK, *words, "--limit", "20", "flows.csv").status == 4
    assert command.run("delete", "--yes", *QUICK, "-c", "flows.csv.ckpt").status == 0
    assert {call["flow_id"] for call in service.ledger()} == held.unused_drafts
    whole = str(command.folder / "saved")
    shown = command.run("status", "flows.csv.ckpt").out
    assert f"Safeguards: only drafts; none that a template opens; each saved first, in {whole}\n" in shown
    document = json.loads(command.run("status", "--json", "flows.csv.ckpt").out)
    assert document["safeguards"] == {"only_drafts": True, "keep_used": True, "backup": whole}
    assert saved(command.folder / "saved") == held.unused_drafts


@pytest.mark.parametrize("denied", ["ListChatappTemplate", "GetChatappTemplateDetail", "GetFlow"])
def test_what_may_not_be_read_stops_the_run_before_its_first_call(begin: Begin, denied: str) -> None:
    service, command = begin(*SEEDED, "--deny", denied)
    # A space without templates has no details to be read: its flows may go on before another space is looked at.
    own = [flow for flow in account(120).flows if not flow.cust_space_id]
    write_flows(command, "flows.csv", own)
    finished = command.run("delete", "--yes", *QUICK, "--only-drafts", "flows.csv")
    assert finished.status == 3
    assert f"cams:{denied}" in finished.err
    assert "Without this permission: " in finished.err
    assert service.ledger() == []
    # What a template opens needs no look.
    assert set(command.states("flows.csv.ckpt")) <= {"pending", "kept"}


@pytest.mark.parametrize(
    ("denied", "words", "advice"),
    [
        (
            "GetFlow",
            ("--only-drafts", "--no-keep-used"),
            ("--no-only-drafts", "--no-backup", "--canary", "0"),
        ),
        ("GetFlowJSONAssest", ("--backup", "saved"), ("--no-backup",)),
    ],
)
def test_a_begun_job_goes_on_with_what_a_missing_permission_advises(
    begin: Begin, ids: Ids, denied: str, words: tuple[str, ...], advice: tuple[str, ...]
) -> None:
    """A job keeps its safeguards, so it would be wrong to advise to leave out their options."""
    _, command = begin("--deny", denied)
    command.write("flows.txt", *ids(3))
    stopped = command.run("delete", "--yes", *QUICK, *words, "flows.txt")
    assert stopped.status == 3
    assert all(option in stopped.err for option in advice)
    assert command.run("delete", "--yes", *QUICK, "flows.txt").status == 3
    assert command.run("delete", "--yes", *QUICK, *advice, "flows.txt").status == 0
    assert command.states("flows.txt.ckpt") == {"deleted": 3}


def test_reading_the_templates_can_be_waived(begin: Begin) -> None:
    service, command = begin(*SEEDED, "--deny", "ListChatappTemplate")
    held = account(120)
    write_flows(command, "flows.csv", held.flows)
    finished = command.run("delete", "--yes", *QUICK, "--only-drafts", "--no-keep-used", "flows.csv")
    assert finished.status == 0
    assert {call["flow_id"] for call in service.ledger()} == {
        flow.flow_id for flow in held.flows if flow.flow_id not in held.others
    }


def test_trouble_with_looking_loses_no_flow_and_blames_none(begin: Begin) -> None:
    trouble = (
        "GetFlow/reset-before:0.1,GetFlow/throttle:0.1,GetFlow/garbage:0.1,GetFlow/error-500:0.05,"
        "GetFlowJSONAssest/reset-after:0.1,GetFlowJSONAssest/html-503:0.1,"
        "GetChatappTemplateDetail/throttle:0.2,ListChatappTemplate/cut-body:0.2,FlowJSON/reset-before:0.1"
    )
    service, command = begin(*SEEDED, "--trouble", trouble)
    held = account(120)
    write_flows(command, "flows.csv", held.flows)
    finished = command.run("delete", "--yes", *QUICK, "--only-drafts", "--backup", "saved", "flows.csv")
    assert finished.status == 0, finished.err
    assert {call["flow_id"] for call in service.ledger()} == held.unused_drafts
    assert saved(command.folder / "saved") == held.unused_drafts


def test_a_kill_while_flows_are_looked_at_leaves_no_doubt(begin: Begin, ids: Ids) -> None:
    service, command = begin("--trouble", "GetFlow/hang-before:#1-")
    command.write("flows.txt", *ids(30))
    words = ("delete", "--yes", *QUICK, "--only-drafts", "--no-keep-used", "flows.txt")
    with command.flowreaper(*words) as run:
        wait_for(lambda: len(calls_of(service, "GetFlow")) >= 10)
        run.kill()
    assert command.states("flows.txt.ckpt") == {"pending": 30}
    with contextlib.closing(sqlite3.connect(command.folder / "flows.txt.ckpt")) as db:
        assert db.execute("SELECT count(*) FROM flow WHERE in_doubt").fetchone() == (0,)
    assert service.ledger() == []


def test_ctrl_c_while_flows_are_looked_at_ends_the_run_at_once(begin: Begin, ids: Ids) -> None:
    service, command = begin("--trouble", "GetFlow/hang-before:#6-")
    command.write("flows.txt", *ids(30))
    words = ("delete", "--yes", *QUICK, "--only-drafts", "--no-keep-used", "flows.txt")
    with command.flowreaper(*words) as run:
        wait_for(lambda: len(service.ledger()) == 5 and len(calls_of(service, "GetFlow")) >= 10)
        run.send_signal(signal.SIGINT)
        finished = ended(run)
    assert finished.status == 130
    assert command.states("flows.txt.ckpt") == {"deleted": 5, "pending": 25}


@pytest.mark.parametrize("seed", range(2))
def test_kills_among_all_safeguards_delete_nothing_twice_and_nothing_unsaved(begin: Begin, seed: int) -> None:
    service, command = begin(*SEEDED, "--latency", "0.02", "--trouble", "reset-after:0.1")
    held = account(120)
    write_flows(command, "flows.csv", held.flows)
    luck = random.Random(seed)  # noqa: S311 -- to be repeated
    words = ("--only-drafts", "--backup", "saved", "--canary", "3", "--rate", "100", "--read-rate", "200")
    kills = 0
    while True:
        with command.flowreaper("delete", "--yes", *words, "flows.csv") as run:
            try:
                status = run.wait(timeout=luck.uniform(0.4, 1.4) if kills < 8 else 30)
                break
            except subprocess.TimeoutExpired:
                run.kill()
                run.wait()
                kills += 1
        # What was called is saved, whenever the kill came.
        assert {str(call["flow_id"]) for call in service.ledger()} <= saved_or_none(command.folder / "saved")
    assert status == 0
    assert kills > 0
    calls = service.ledger()
    assert {call["flow_id"] for call in calls} == held.unused_drafts
    deletions = [call["flow_id"] for call in calls if call["deleted"]]
    assert sorted(deletions) == sorted(held.unused_drafts)
    records = command.results("flows.csv.ckpt")
    assert {f for f, r in records.items() if r["state"].value == "deleted"} == held.unused_drafts
    assert {f for f, r in records.items() if r["state"].value == "kept"} == held.others | held.used


def saved_or_none(folder: Path) -> set[str]:
    return saved(folder) if (folder / "index.jsonl").exists() else set()


def test_two_runs_do_not_save_into_one_folder_at_once(begin: Begin, ids: Ids) -> None:
    service, command = begin("--trouble", "GetFlow/hang-before:#1-")
    command.write("a.txt", *ids(3))
    command.write("b.txt", *ids(3))
    with command.flowreaper("delete", "--yes", "--backup", "saved", "a.txt") as run:
        wait_for(lambda: len(calls_of(service, "GetFlow")) >= 1)
        second = command.run("delete", "--yes", "--backup", "saved", "b.txt")
        run.kill()
    assert second.status == 75
    assert "saved" in second.err


def test_a_dry_run_and_the_question_name_the_safeguards(command: Command, ids: Ids) -> None:
    command.write("flows.txt", *ids(3))
    words = ("--only-drafts", "--backup", "saved", "--canary", "2")
    planned = command.run("delete", "--dry-run", *words, "flows.txt").err
    assert re.search(
        r"^  Safeguards: +only drafts; none that a template opens; each saved first, in saved; the first 2 proven$",
        planned,
        re.MULTILINE,
    )
    assert not (command.folder / "saved").exists()


def test_a_progress_line_and_the_json_events_count_what_is_kept(begin: Begin) -> None:
    _, command = begin(*SEEDED)
    write_flows(command, "flows.csv", account(120).flows)
    words = ("--only-drafts", "--log-format", "json", "--progress-interval", "0.2")
    finished = command.run("delete", "--yes", *QUICK, *words, "flows.csv")
    progress = [event for event in finished.events if event["event"] == "run.progress"]
    assert progress
    assert progress[-1]["kept"] > 0
