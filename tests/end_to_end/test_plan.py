"""Deleting what a plan names: never another account's, never changed, never too late, and shown afterwards."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from flowreaper.model import Flow
from flowreaper.sandbox.flow import FlowStatus
from flowreaper.sandbox.seed import seeded
from tests.end_to_end.command import Command, Finished, Service

FLOWS = 120
SEED = 3
DRAFTS = {
    flow.flow
    for flow in seeded(FLOWS, SEED).flows
    if flow.status is FlowStatus.DRAFT and flow.name.startswith("test-")
}

Begin = Callable[..., tuple[Service, Command]]


@pytest.fixture
def planner(begin: Begin) -> tuple[Service, Command]:
    """A seeded sandbox, and a folder with a plan of its drafts that are called test-…"""
    service, command = begin("--seed-flows", str(FLOWS), "--seed", str(SEED))
    done = plan(command)
    assert (done.status, done.out) == (0, ""), done.err
    return service, command


def plan(command: Command, *words: str) -> Finished:
    return command.run(
        *("list", "--all-spaces", "--name", "test-*", "--status", "DRAFT", "--read-rate", "500"),
        *("--plan", "plan.json", *words),
    )


def change(command: Command, old: str, new: str) -> None:
    path = command.folder / "plan.json"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_what_a_plan_names_is_deleted_and_nothing_else(planner: tuple[Service, Command]) -> None:
    service, command = planner
    done = command.delete("--plan", "plan.json")
    assert done.status == 0, done.err
    called = {Flow(call["flow_id"], call["cust_space_id"] or "") for call in service.ledger()}
    assert called == DRAFTS
    assert command.states("plan.json.ckpt") == {"deleted": len(DRAFTS)}


def test_a_plan_says_how_to_look_at_it_and_how_to_use_it(begin: Begin) -> None:
    _, command = begin("--seed-flows", str(FLOWS), "--seed", str(SEED))
    done = plan(command)
    assert "flowreaper plan plan.json" in done.err
    assert "flowreaper delete --only-drafts --plan plan.json" in done.err
    written = json.loads((command.folder / "plan.json").read_text())
    assert written["account"] == "1000000000000001"
    assert written["filters"] == ["--all-spaces", "--name", "test-*", "--status", "DRAFT"]
    assert (written["seen"], written["selected"]) == (FLOWS, len(DRAFTS))
    again = plan(command)
    assert again.status == 2
    assert "plan.json already exists" in again.err
    assert "--force" in again.err
    assert plan(command, "--force").status == 0


def test_a_plan_is_gone_on_with_by_the_command_that_is_printed(planner: tuple[Service, Command]) -> None:
    _, command = planner
    done = command.delete("--plan", "plan.json", "--limit", "3")
    assert done.status == 4
    assert "--plan plan.json" in done.resume
    rest = command.shell(done.resume.replace("--limit 3 ", ""))
    assert rest.status == 0, rest.err
    assert command.states("plan.json.ckpt") == {"deleted": len(DRAFTS)}


def test_a_changed_plan_is_refused_and_nothing_is_sent(planner: tuple[Service, Command]) -> None:
    service, command = planner
    change(command, '"FlowId": "', '"FlowId": "9')
    for words in (("delete", "--yes", "--plan", "plan.json"), ("plan", "plan.json")):
        done = command.run(*words)
        assert (done.status, done.out) == (2, "")
        assert "its digest does not match" in done.err
    assert service.ledger() == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("ids.txt",), "leave out the SOURCEs, or --plan plan.json"),
        (("--cust-space-id", "cams-a"), "--cust-space-id is about SOURCEs"),
        (("--input-format", "csv"), "--input-format is about SOURCEs"),
        (("--no-identity",), "nobody can say whose the access key is"),
        (("--expect-account", "42"), "--expect-account is 42"),
        (("--endpoint", "http://127.0.0.1:1"), "this run is for http://127.0.0.1:1"),
        (("--summary-json", "plan.json"), "plan.json"),
        (("--results", "plan.json"), "plan.json"),
    ],
)
def test_what_would_weaken_a_plan_is_refused_and_the_plan_stays_as_it_was(
    planner: tuple[Service, Command], words: tuple[str, ...], message: str
) -> None:
    service, command = planner
    command.write("ids.txt", "926000000000000001")
    before = (command.folder / "plan.json").read_bytes()
    done = command.delete("--plan", "plan.json", *words)
    assert done.status == 2, done.err
    assert message in done.err
    assert service.ledger() == []
    assert (command.folder / "plan.json").read_bytes() == before


def test_a_plan_of_another_account_is_refused_by_number(begin: Begin) -> None:
    service, command = begin("--seed-flows", str(FLOWS), "--seed", str(SEED))
    plan(command)
    port = service.url.rpartition(":")[2]
    service.process.terminate()
    service.process.wait()
    again, other = begin(
        *("--seed-flows", str(FLOWS), "--seed", str(SEED), "--account-id", "2000000000000002", "--port", port)
    )
    done = other.delete("--plan", "plan.json")
    assert done.status == 2
    assert "2000000000000002" in done.err
    assert "1000000000000001" in done.err
    assert again.ledger() == []


def test_a_plan_that_nobody_asked_the_account_of_fits_any(begin: Begin) -> None:
    _, command = begin("--seed-flows", str(FLOWS), "--seed", str(SEED))
    assert plan(command, "--no-identity").status == 0
    assert command.delete("--plan", "plan.json", "--no-identity").status == 0


def test_an_expired_plan_begins_nothing_but_its_job_may_go_on(begin: Begin) -> None:
    service, command = begin("--seed-flows", str(FLOWS), "--seed", str(SEED))
    plan(command, "--plan-expires", "0.001s")  # a plan's moments are whole seconds
    done = command.delete("--plan", "plan.json")
    assert done.status == 2
    assert "has expired" in done.err
    assert "flowreaper plan plan.json" in done.err
    assert service.ledger() == []
    shown = command.run("plan", "plan.json")
    assert shown.status == 0
    assert "it has expired, and no job can begin with it" in shown.out


def test_the_job_of_an_expired_plan_goes_on(planner: tuple[Service, Command], tmp_path: Path) -> None:
    _, command = planner
    assert command.delete("--plan", "plan.json", "--limit", "2").status == 4
    # The clock of a later day, as Python sees it.
    later = tmp_path / "later"
    later.mkdir()
    (later / "sitecustomize.py").write_text(
        "import flowreaper.job.plan_file as plans\nplans.PlanHeading.is_expired = lambda self, now: True\n"
    )
    environment = {"PYTHONPATH": f"{later}:{command.environment['PYTHONPATH']}"}
    refused = command.run("delete", "--yes", "--plan", "plan.json", "-c", "new.ckpt", env=environment)
    assert refused.status == 2
    assert "has expired" in refused.err
    done = command.run("delete", "--yes", "--rate", "500", "--plan", "plan.json", env=environment)
    assert done.status == 0, done.err
    assert command.states("plan.json.ckpt") == {"deleted": len(DRAFTS)}


def test_another_plan_with_the_same_checkpoint_is_refused(planner: tuple[Service, Command]) -> None:
    service, command = planner
    assert command.delete("--plan", "plan.json", "--limit", "2").status == 4
    called = len(service.ledger())
    assert plan(command, "--force", "--keep-name", "*-callback-*").status == 0
    done = command.delete("--plan", "plan.json")
    assert done.status == 2
    assert "belongs to another plan" in done.err
    assert len(service.ledger()) == called


def test_a_plan_that_is_given_as_a_source_is_refused_with_the_option_for_it(
    planner: tuple[Service, Command],
) -> None:
    service, command = planner
    text = (command.folder / "plan.json").read_text()
    for done in (
        command.delete("plan.json"),
        command.delete("-c", "a.ckpt", "-", stdin=text),
        command.delete("-c", "b.ckpt", "-", stdin=json.dumps(json.loads(text))),
    ):
        assert done.status != 0
        assert "is a plan" in done.err
        assert "Name it with --plan" in done.err
    assert service.ledger() == []


def test_a_rehearsal_of_a_plan_calls_nothing_real(planner: tuple[Service, Command]) -> None:
    service, command = planner
    done = command.delete("--plan", "plan.json", "--sandbox")
    assert done.status == 0, done.err
    assert service.ledger() == []
    assert command.delete("--plan", "plan.json").status == 0


def test_a_dry_run_counts_a_plan(planner: tuple[Service, Command]) -> None:
    service, command = planner
    done = command.run("delete", "--plan", "plan.json", "--dry-run")
    assert done.status == 0
    assert f"plan.json: {len(DRAFTS)} new" in done.err
    assert service.ledger() == []


def test_a_plan_is_shown_with_what_became_of_its_flows(planner: tuple[Service, Command]) -> None:
    _, command = planner
    assert "not begun" in command.run("plan", "plan.json").out
    command.delete("--plan", "plan.json", "--limit", "2")
    shown = command.run("plan", "plan.json")
    assert f"plan.json.ckpt: 2 of {len(DRAFTS)} done" in shown.out
    rows = list(csv.DictReader(io.StringIO(command.run("plan", "--format", "csv", "plan.json").out)))
    assert {Flow(row["FlowId"], row["CustSpaceId"]) for row in rows} == DRAFTS
    assert [row["State"] for row in rows].count("deleted") == 2
    assert rows[0]["Rule"] == "name test-*, status DRAFT"
    lines = command.run("plan", "--format", "jsonl", "plan.json").records
    assert [line["FlowId"] for line in lines] == [row["FlowId"] for row in rows]


def test_a_hostile_name_in_a_plan_steers_nothing(begin: Begin) -> None:
    _, command = begin("--seed-flows", "420", "--seed", str(SEED))
    done = command.run("list", "--all-spaces", "--plan", "plan.json")
    assert done.status == 0
    written = (command.folder / "plan.json").read_text()
    assert written.isascii()
    for shape in ("table", "csv", "jsonl"):
        shown = command.run("plan", "--format", shape, "plan.json").out
        assert not {"\x1b", "\t", "\u202e", "\ufeff"} & set(shown)
        assert len(shown.splitlines()) == 420 + {"table": 10, "csv": 1, "jsonl": 0}[shape]


def test_status_and_a_plain_checkpoint_know_nothing_of_a_plan(
    command: Command, ids: Callable[[int], list[str]]
) -> None:
    command.write("ids.txt", *ids(2))
    assert command.delete("ids.txt").status == 0
    assert command.run("plan", "ids.txt").status == 2
