"""`flowreaper restore`: drafts of a backup's flows, each once, whatever happens meanwhile."""

import json
import random
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from flowreaper.model import Flow
from flowreaper.safeguards.backup_entry import Origin, read_line
from flowreaper.safeguards.backup_folder import held_folder
from flowreaper.sandbox.options import ACCOUNT_ID
from tests.end_to_end.backups import ORIGIN, back_up, listed, past_backup
from tests.end_to_end.command import Command, Finished, Service, ended, wait_for
from tests.end_to_end.terminal import Terminal
from tests.safeguards.samples import saved

Begin = Callable[..., tuple[Service, Command]]
FAST = ("--read-rate", "500")


def restore(command: Command, *arguments: str) -> Finished:
    return command.run("restore", "--yes", *FAST, *arguments, "saved")


def delete(command: Command, flows: Iterable[Flow]) -> None:
    """Delete flows that can be deleted, without a checkpoint in the way of a later call."""
    command.write("gone.txt", *(flow.flow_id for flow in flows))
    finished = command.delete("gone.txt")
    assert finished.status == 0, finished.err
    (command.folder / "gone.txt.ckpt").unlink()


async def drafts_of(service: Service, folder: Path) -> dict[Flow, str]:
    """Save all flows of a sandbox, and return the drafts among them."""
    flows = await listed(service.url)
    await back_up(service.url, folder, list(flows))
    entries = filter(None, map(read_line, (folder / "index.jsonl").read_bytes().splitlines(keepends=True)))
    return {entry.flow: entry.name for entry in entries if entry.status == "DRAFT"}


def save_as_they_are(folder: Path, flows: Iterable[Flow], endpoint: str) -> None:
    """Make a backup of flows that are there, without a call."""
    origin = Origin(ACCOUNT_ID, endpoint)
    with held_folder(folder, make=True) as held:
        held.begin(origin)
        held.save([saved(flow.flow_id) for flow in flows], origin)


def made(service: Service) -> list[str]:
    """Return the names that CreateFlow was called with."""
    return [call["parameters"]["FlowName"] for call in service.ledger(action="CreateFlow")]


async def test_what_was_saved_becomes_drafts_with_the_same_names(begin: Begin) -> None:
    service, command = begin("--seed-flows", "40")
    gone = await drafts_of(service, command.folder / "saved")
    delete(command, gone)
    before = await listed(service.url)
    finished = restore(command)
    assert finished.status == 0
    after = await listed(service.url)
    new = {flow: name for flow, name in after.items() if flow not in before}
    assert Counter(new.values()) == Counter(gone.values())
    created = [record for record in finished.records if record["result"] == "created"]
    assert {record["flow_id"]: record["name"] for record in created} == {
        flow.flow_id: name for flow, name in gone.items()
    }
    assert {Flow(record["new_flow_id"]) for record in created} == set(new)
    assert f"{len(gone)} drafts made" in finished.err
    assert "--json-base-url" in finished.err
    assert "drafts are empty" in finished.err


async def test_flows_that_were_saved_and_not_deleted_get_no_draft_until_they_are_gone(begin: Begin) -> None:
    service, command = begin("--seed-flows", "40")
    drafts = await drafts_of(service, command.folder / "saved")
    before = await listed(service.url)
    first, later, *_ = drafts
    delete(command, [first])
    finished = restore(command)
    assert finished.status == 0
    results = {record["flow_id"]: record["result"] for record in finished.records}
    there = {flow.flow_id: "there" for flow in before}
    assert results == {**there, first.flow_id: "created"}
    assert {record["new_flow_id"] for record in finished.records if record["result"] == "there"} == {None}
    assert made(service) == [drafts[first]]
    assert f"1 draft made, {len(before) - 1} still there and left alone" in finished.err
    assert len(await listed(service.url)) == len(before)

    delete(command, [later])
    again = restore(command)
    assert again.status == 0
    results = {record["flow_id"]: record["result"] for record in again.records}
    assert results == {**there, first.flow_id: "known", later.flow_id: "created"}
    assert made(service) == [drafts[first], drafts[later]]
    assert f"{len(before) - 1} still there when an earlier run looked" in again.err


async def test_in_another_account_no_flow_is_looked_at(begin: Begin) -> None:
    service, command = begin("--account-id", "2000000000000002", "--seed-flows", "20")
    save_as_they_are(command.folder / "saved", list(await listed(service.url))[:1], service.url)
    assert restore(command, "--to-other-account").status == 0
    assert (made(service), service.ledger(action="GetFlow")) == (["promo"], [])


async def test_a_flow_that_cannot_be_looked_at_is_not_restored(begin: Begin) -> None:
    service, command = begin("--seed-flows", "20", "--trouble", "GetFlow/answer:Flow.Strange:#1")
    save_as_they_are(command.folder / "saved", list(await listed(service.url))[:3], service.url)
    finished = restore(command)
    assert finished.status == 1
    assert Counter(record["result"] for record in finished.records) == {"there": 2, "unsure": 1}
    assert "Unsure: " in finished.err
    assert "GetFlow: Flow.Strange" in finished.err
    assert made(service) == []
    assert restore(command).status == 0
    assert made(service) == []


def test_without_the_permission_to_look_it_stops_and_says_what_works(begin: Begin) -> None:
    service, command = begin("--deny", "GetFlow")
    past_backup(command.folder / "saved", 3, origin=Origin(ACCOUNT_ID, service.url))
    finished = restore(command)
    assert finished.status == 3
    assert "cams:GetFlow" in finished.err
    assert "--no-look" in finished.err
    assert "--only-drafts" not in finished.err
    assert made(service) == []
    assert restore(command, "--no-look").status == 0
    assert len(made(service)) == 3


def test_a_second_run_makes_nothing_and_tells_the_same(begin: Begin) -> None:
    service, command = begin()
    names = past_backup(command.folder / "saved", 5)
    first, second = restore(command), restore(command)
    assert (first.status, second.status) == (0, 0)
    assert sorted(made(service)) == sorted(names)
    ids = [{record["flow_id"]: record["new_flow_id"] for record in run.records} for run in (first, second)]
    assert ids[0] == ids[1]
    assert {record["result"] for record in second.records} == {"known"}
    assert "0 drafts made, 5 made by an earlier run" in second.err


def test_a_later_run_with_a_url_fills_the_empty_drafts(begin: Begin) -> None:
    service, command = begin()
    past_backup(command.folder / "saved", 3, space="cams-x")
    restore(command, "--limit", "2")
    finished = restore(command, "--json-base-url", "https://files.example/saved/")
    assert finished.status == 0
    assert len(made(service)) == 3
    assert {
        (call["parameters"]["FilePath"], call["cust_space_id"])
        for call in service.ledger(action="UpdateFlowJSONAsset")
    } == {(f"https://files.example/saved/cams-x/9{n}/flow.json", "cams-x") for n in range(3)}
    assert {record["json"] for record in finished.records} == {"set"}
    assert "empty" not in finished.err


def test_a_dry_run_calls_and_writes_nothing(begin: Begin) -> None:
    service, command = begin()
    past_backup(command.folder / "saved", 3, origin=Origin(ACCOUNT_ID, service.url))
    before = {path: path.stat().st_mtime_ns for path in command.folder.rglob("*")}
    finished = command.run("restore", "--dry-run", "saved")
    assert finished.status == 0
    assert "Would make up to 3 drafts" in finished.err
    assert "Look first:  3 flows (GetFlow)" in finished.err
    assert "no flow was looked at" in finished.err
    assert service.ledger(action="GetFlow") == []
    assert finished.out == ""
    assert made(service) == []
    assert {path: path.stat().st_mtime_ns for path in command.folder.rglob("*")} == before


def test_flows_can_be_chosen(begin: Begin) -> None:
    service, command = begin()
    past_backup(command.folder / "saved", 5)
    assert restore(command, "--flow-id", "92", "--flow-id", "94").status == 0
    assert sorted(made(service)) == ["promo 2", "promo 4"]
    finished = restore(command, "--flow-id", "77")
    assert finished.status == 2
    assert "does not hold the flow 77" in finished.err


def test_a_limit_leaves_the_rest_and_says_how_to_go_on(begin: Begin) -> None:
    service, command = begin()
    past_backup(command.folder / "saved", 5)
    finished = restore(command, "--limit", "2")
    assert finished.status == 4
    assert command.shell(finished.resume).status == 4
    assert command.shell(finished.resume).status == 0
    assert len(made(service)) == len(set(made(service))) == 5


def test_another_accounts_backup_needs_a_word(begin: Begin) -> None:
    service, command = begin("--account-id", "2000000000000002")
    past_backup(command.folder / "saved", 1)
    refused = restore(command)
    assert refused.status == 2
    assert ACCOUNT_ID in refused.err
    assert "--to-other-account" in refused.err
    assert made(service) == []
    assert restore(command, "--to-other-account").status == 0
    assert made(service) == ["promo 0"]


def test_a_rehearsals_flows_are_not_made_in_a_real_account(begin: Begin) -> None:
    _, command = begin()
    past_backup(command.folder / "saved", 2, origin=Origin("", "http://127.0.0.1:1"))
    finished = command.run(
        "restore",
        "--yes",
        "--no-identity",
        "--endpoint",
        "https://127.0.0.1:9",
        "--outage-limit",
        "1",
        "saved",
    )
    assert finished.status == 2
    assert "2 flows of a sandbox" in finished.err
    assert restore(command).status == 0


def test_an_account_that_is_not_known_is_not_compared(begin: Begin) -> None:
    service, command = begin("--account-id", "2000000000000002")
    past_backup(command.folder / "saved", 1, origin=Origin("", ORIGIN.endpoint))
    assert restore(command).status == 0
    past_backup(command.folder / "other", 1)
    finished = command.run("restore", "--yes", "--no-identity", "other")
    assert finished.status == 0
    assert len(made(service)) == 2


@pytest.mark.parametrize("what", ["missing", "empty", "no backup", "link"])
def test_what_is_no_backup_is_refused(begin: Begin, what: str) -> None:
    service, command = begin()
    folder = command.folder / "saved"
    if what == "link":
        past_backup(command.folder / "other", 1)
        folder.symlink_to("other")
    elif what != "missing":
        folder.mkdir()
    if what == "no backup":
        (folder / "thesis.tex").touch()
    finished = restore(command)
    assert finished.status == 2
    assert "Error: " in finished.err
    assert made(service) == []


def test_a_damaged_flow_is_left_out_and_named(begin: Begin) -> None:
    service, command = begin()
    past_backup(command.folder / "saved", 3)
    (command.folder / "saved/account/91/flow.json").write_text("{}")
    shutil.rmtree(command.folder / "saved/account/92")
    finished = restore(command)
    assert finished.status == 1
    assert made(service) == ["promo 0"]
    assert "Damaged: 91 (promo 1): flow.json is not what was saved" in finished.err
    assert "Damaged: 92" in finished.err


def test_a_refused_flow_is_named_and_can_be_taken_again(begin: Begin) -> None:
    service, command = begin("--trouble", "CreateFlow/answer:Flow.NameExists:#2")
    past_backup(command.folder / "saved", 3)
    finished = restore(command)
    assert finished.status == 1
    assert "Refused: " in finished.err
    assert "Flow.NameExists" in finished.err
    assert restore(command).status == 0
    assert Counter(made(service)).most_common(1)[0][1] == 2  # the refused one


def test_a_missing_permission_stops_the_run_and_names_the_action(begin: Begin) -> None:
    service, command = begin("--deny", "CreateFlow")
    past_backup(command.folder / "saved", 20)
    finished = restore(command)
    assert finished.status == 3
    assert "cams:CreateFlow" in finished.err
    assert len(made(service)) <= 5


def test_another_process_keeps_the_backup_for_itself(begin: Begin) -> None:
    _, command = begin("--latency", "0.2")
    past_backup(command.folder / "saved", 50)
    with command.flowreaper("restore", "--yes", *FAST, "saved") as process:
        wait_for((command.folder / "saved/restored.jsonl").exists)
        finished = restore(command)
        assert finished.status == 75
        assert "another process has the backup saved" in finished.err
        process.terminate()
        assert ended(process).status == 143


def test_it_asks_on_a_terminal(begin: Begin) -> None:
    service, command = begin()
    past_backup(command.folder / "saved", 2)
    with Terminal(command, "restore", "saved") as terminal:
        terminal.wait_for("Restore? [y/N] ")
        assert "About to make 2 drafts from the backup saved" in terminal.shown
        terminal.type("n\n")
        assert terminal.wait() == 2
    assert made(service) == []
    with Terminal(command, "restore", "saved") as terminal:
        assert terminal.wait({"[y/N] ": "y\n"}) == 0
    assert len(made(service)) == 2


def test_without_a_terminal_it_wants_a_yes(begin: Begin) -> None:
    service, command = begin()
    past_backup(command.folder / "saved", 2)
    finished = command.run("restore", "saved")
    assert finished.status == 2
    assert "--yes" in finished.err
    assert made(service) == []


def test_ctrl_c_ends_the_flows_that_are_begun_and_the_next_run_goes_on(begin: Begin) -> None:
    service, command = begin("--latency", "0.1")
    names = past_backup(command.folder / "saved", 30)
    with command.flowreaper("restore", "--yes", *FAST, "saved") as process:
        wait_for(lambda: len(made(service)) >= 7)
        process.send_signal(2)
        finished = ended(process)
    assert finished.status == 130
    assert "left" in finished.err
    assert restore(command).status == 0
    assert sorted(made(service)) == sorted(names)


async def test_a_call_without_an_answer_makes_no_second_flow(begin: Begin) -> None:
    service, command = begin("--trouble", "CreateFlow/reset-after:#2,CreateFlow/reset-before:#4")
    names = past_backup(command.folder / "saved", 6)
    finished = restore(command)
    assert finished.status == 1
    there = await listed(service.url)
    assert Counter(there.values()) == Counter(names)
    (unsure,) = (line for line in finished.told if line.startswith("Unsure: "))
    assert "there is a flow of this name" in unsure
    again = restore(command)
    assert again.status == 1
    assert await listed(service.url) == there


def kill_in_the_middle(command: Command, service: Service, wait_s: float) -> None:
    """Kill a restore soon after its first call."""
    count = len(made(service))
    with command.flowreaper("restore", "--yes", *FAST, "saved", stdout=subprocess.DEVNULL) as process:
        wait_for(lambda: len(made(service)) > count)
        time.sleep(wait_s)
        process.kill()


async def test_kills_make_no_flow_twice_and_lose_none(begin: Begin) -> None:
    service, command = begin("--latency", "0.05")
    names = past_backup(command.folder / "saved", 60)
    draw = random.Random(5)  # noqa: S311 -- when to kill
    for _ in range(6):
        kill_in_the_middle(command, service, draw.random() / 10)
    finished = restore(command)
    assert finished.status in (0, 1)
    assert Counter((await listed(service.url)).values()) == Counter(names)
    results = Counter(record["result"] for record in finished.records)
    assert results.total() == 60
    known = [record["new_flow_id"] for record in finished.records if record["new_flow_id"]]
    assert len(set(known)) == len(known) == 60 - results["unsure"]
    assert results["unsure"] <= 6 * 5


def test_the_journal_holds_what_standard_output_may_have_lost(begin: Begin) -> None:
    _, command = begin()
    past_backup(command.folder / "saved", 3)
    finished = restore(command)
    lines = (command.folder / "saved/restored.jsonl").read_text().splitlines()
    noted = [json.loads(line) for line in lines]
    assert {line["flow_id"]: line["new_flow_id"] for line in noted if line["step"] == "created"} == {
        record["flow_id"]: record["new_flow_id"] for record in finished.records
    }
    assert Path(command.folder / "saved" / noted[-1]["file"]).exists()


@pytest.mark.parametrize(
    "url",
    [
        "files.example/saved",
        "ftp://files.example",
        "https://",
        "https://f.example/?a=b",
        "https://f.example/#x",
        "https://f .example",
    ],
)
def test_a_url_that_no_file_can_be_added_to_is_refused(bare: Command, url: str) -> None:
    finished = bare.run("restore", "--yes", "--json-base-url", url, "saved")
    assert finished.status == 2
    assert "--json-base-url" in finished.err
