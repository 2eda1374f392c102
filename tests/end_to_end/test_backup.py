"""Flows of a sandbox are saved whole, and the host of their files learns nothing."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

from flowreaper.model import Flow, State
from flowreaper.safeguards.backup_entry import digest_of, read_line
from tests.end_to_end.backups import back_up, listed
from tests.end_to_end.command import Command, Service, wait_for

Begin = Callable[..., tuple[Service, Command]]


async def test_every_flow_of_a_space_is_saved_as_the_service_has_it(begin: Begin, tmp_path: Path) -> None:
    service, _ = begin("--seed-flows", "150")
    folder = tmp_path / "saved"
    flows = await listed(service.url)
    assert set(await back_up(service.url, folder, list(flows))) == {None}
    entries = [read_line(line) for line in (folder / "index.jsonl").read_bytes().splitlines(keepends=True)]
    assert {entry.flow: entry.name for entry in entries if entry} == flows
    with_json = 0
    for entry in entries:
        assert entry
        details = json.loads((folder / entry.folder / "details.json").read_bytes())["GetFlow"]
        assert (details["FlowId"], details["Status"]) == (entry.flow_id, entry.status)
        if entry.sha256:
            content = (folder / entry.file).read_bytes()
            assert digest_of(content) == entry.sha256
            assert json.loads(content)["version"]
            with_json += 1
    assert 0 < len(entries) - with_json < len(entries) / 5  # a few have none
    requests = service.ledger(action="FlowJSON")
    assert len(requests) == with_json
    assert {name for each in requests for name in each["header_names"]} == {
        "accept",
        "accept-encoding",
        "host",
        "user-agent",
    }


def test_no_signature_of_a_files_url_is_in_the_backup(begin: Begin, tmp_path: Path) -> None:
    service, _ = begin("--seed-flows", "20")
    flows = asyncio.run(listed(service.url))
    asyncio.run(back_up(service.url, tmp_path / "saved", list(flows)))
    everything = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert b"Signature" not in everything
    assert b"Expires=" not in everything


async def test_trouble_of_service_and_file_host_is_passed(begin: Begin, tmp_path: Path) -> None:
    trouble = (
        "GetFlowJSONAssest/throttle:0.2,GetFlowJSONAssest/reset-before:0.1,"
        "FlowJSON/html-503:0.2,FlowJSON/reset-before:0.1,FlowJSON/cut-body:0.1"
    )
    service, _ = begin("--seed-flows", "60", "--trouble", trouble, "--seed", "3")
    flows = await listed(service.url)
    found = await back_up(service.url, tmp_path / "saved", list(flows))
    # Only who is cut off four times in a row is given up.
    assert found.count(None) > len(flows) * 0.9
    assert {finding.state for finding in found if finding} <= {State.GAVE_UP}


def whole(folder: Path) -> set[Flow]:
    """Return the flows that a backup holds whole."""
    lines = (folder / "index.jsonl").read_bytes().splitlines(keepends=True)
    found = set()
    for entry in filter(None, map(read_line, lines)):
        assert json.loads((folder / entry.folder / "details.json").read_bytes())["GetFlow"]["FlowId"]
        assert not entry.sha256 or digest_of((folder / entry.file).read_bytes()) == entry.sha256
        found.add(entry.flow)
    return found


def deleted(service: Service) -> set[Flow]:
    """Return the flows that a sandbox has deleted, whatever the client got to hear of it."""
    return {Flow(call["flow_id"], call["cust_space_id"]) for call in service.ledger() if call["deleted"]}


def test_no_flow_is_deleted_that_was_not_saved_however_often_the_run_is_killed(begin: Begin) -> None:
    service, command = begin("--seed-flows", "300", "--latency", "0.02")
    flows = asyncio.run(listed(service.url))
    command.write("flows.txt", *(flow.flow_id for flow in flows))
    words = (
        "delete",
        "--yes",
        "--rate",
        "100",
        "--read-rate",
        "100",
        "--backup",
        "saved",
        "--only-drafts",
        "flows.txt",
    )
    for _ in range(4):
        before = len(deleted(service))
        with command.flowreaper(*words) as process:
            wait_for(lambda least=before + 8: len(deleted(service)) >= least or process.poll() is not None)  # type: ignore[misc]  # mypy knows no default
            process.kill()
        assert deleted(service) <= whole(command.folder / "saved")
    finished = command.run(*words)
    assert finished.status == 0
    gone = deleted(service)
    assert gone == set(flows) - set(asyncio.run(listed(service.url)))
    assert gone <= whole(command.folder / "saved")
    assert command.states("flows.txt.ckpt")["deleted"] == len(gone) > 50


def test_what_cannot_be_saved_is_not_deleted_and_can_be_taken_again(begin: Begin) -> None:
    service, command = begin("--trouble", "FlowJSON/answer:AccessDenied:#1-4")
    flow_id = "926000000000007919"
    command.write("flows.txt", flow_id)
    words = ("--backup", "saved", "flows.txt")
    first = command.delete(*words)
    record = command.results("flows.txt.ckpt")[flow_id]
    assert first.status == 1
    assert (record["state"], record["code"], record["attempts"]) == ("gave_up", "Backup.NotSaved", 0)
    assert "HTTP 400" in record["message"]
    assert "Signature" not in record["message"]
    assert service.ledger() == []
    again = command.delete("--retry-code", "Backup.NotSaved", *words)
    assert again.status == 0
    assert deleted(service) == whole(command.folder / "saved") == {Flow(flow_id)}


def test_a_rehearsal_has_a_folder_of_its_own(bare: Command) -> None:
    bare.write("flows.txt", "926000000000007919")
    finished = bare.run("delete", "--sandbox", "--yes", "--backup", "saved", "flows.txt")
    assert finished.status == 0
    assert "saved.sandbox" in finished.err
    assert not (bare.folder / "saved").exists()
    assert whole(bare.folder / "saved.sandbox") == {Flow("926000000000007919")}
