"""Flows of a sandbox are saved whole, and the host of their files learns nothing."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

from flowreaper.model import State
from flowreaper.safeguards.backup_entry import digest_of, read_line
from tests.end_to_end.backups import back_up, listed
from tests.end_to_end.command import Command, Service

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
