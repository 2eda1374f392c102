"""A judge from outside: requests of the official TypeScript SDK, as bytes, replayed against the sandbox.

They are in typescript_sdk.json, with the version of the package that sent them. To record them again, in a
folder of its own outside of the project (Node.js 20 was used)::

    npm install @alicloud/cams20200606
    node .../tests/sandbox/record_typescript_sdk.mjs > .../tests/sandbox/typescript_sdk.json
"""

import asyncio
import json
import re
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from flowreaper.model import Credentials, Flow
from flowreaper.sandbox import CREDENTIALS

FILE = json.loads(Path(__file__).with_name("typescript_sdk.json").read_text(encoding="utf-8"))
RECORDED, FAMILY = FILE["recorded"], FILE["family"]
IDS = ["plain", "space", "token", "odd characters"]
each = pytest.mark.parametrize("record", RECORDED, ids=IDS)


async def started_for(start: Any, record: dict[str, str]) -> Any:
    """Start a sandbox at the time of the recording, with its key."""
    token = record.get("security_token", "")
    found = re.search(r"x-acs-date: (\S+)", record["request"])
    assert found
    ahead_s = datetime.fromisoformat(found[1]).timestamp() - time.time()
    key = Credentials(CREDENTIALS.access_key_id, CREDENTIALS.access_key_secret, token)
    return (await start(clock_offset_s=ahead_s, credentials=key)).sandbox


async def replay(port: int, request: str) -> str:
    """Send the bytes on a connection of their own; return the Code."""
    return str((await answer(port, request))["Code"])


async def answer(port: int, request: str) -> Any:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request.encode("latin-1"))
    head = await reader.readuntil(b"\r\n\r\n")
    found = re.search(rb"Content-Length: (\d+)", head)
    assert found
    body = await reader.readexactly(int(found[1]))
    writer.close()
    await writer.wait_closed()
    return json.loads(body)


@each
async def test_its_call_deletes_the_flow(start: Any, record: dict[str, str]) -> None:
    sandbox = await started_for(start, record)
    assert await replay(sandbox.port, record["request"]) == "OK"
    assert sandbox.service.deleted == {Flow(record["flow_id"], record["cust_space_id"])}
    assert sandbox.ledger.calls[0].flow_id == record["flow_id"]


@each
async def test_its_call_is_taken_once(start: Any, record: dict[str, str]) -> None:
    sandbox = await started_for(start, record)
    codes = [await replay(sandbox.port, record["request"]) for _ in range(2)]
    assert codes == ["OK", "SignatureNonceUsed"]


@each
@pytest.mark.parametrize(
    ("pattern", "forged"),
    [("FlowId=.", "FlowId=9"), ("form-urlencoded\r", "form-urlencoded; x\r"), ("POST /", "POST /?X=1")],
    ids=["form", "content type", "query"],
)
async def test_a_forged_call_is_refused(
    start: Any, record: dict[str, str], pattern: str, forged: str
) -> None:
    sandbox = await started_for(start, record)
    request = re.sub(pattern, lambda _: forged, record["request"], count=1)
    assert request != record["request"]
    assert await replay(sandbox.port, request) == "SignatureDoesNotMatch"
    assert sandbox.service.deleted == set()


async def test_its_calls_of_other_operations_lead_a_flow_from_draft_to_published(start: Any) -> None:
    sandbox = await started_for(start, FAMILY[0])
    answers = {record["operation"]: await answer(sandbox.port, record["request"]) for record in FAMILY}
    assert [(name, said["Code"]) for name, said in answers.items()] == [
        (r["operation"], "OK") for r in FAMILY
    ]
    made = answers["CreateFlow"]["Data"]
    assert (made["FlowName"], made["Categories"]) == ("promo, ☕ & more", ["SURVEY", "OTHER"])
    assert answers["ListFlow"]["Data"] == [made]
    # It begins with the host that the client called: the recorder's.
    assert f"/cams-awlkj23a09jd/{made['FlowId']}.json?" in answers["GetFlowJSONAssest"]["Data"]["FilePath"]
    assert answers["GetFlow"]["Data"]["Status"] == "PUBLISHED"
    assert answers["GetFlow"]["Data"]["FlowId"] == made["FlowId"]
    assert answers["ListChatappTemplate"]["ListTemplate"] == []
    assert {name: ledger.total for name, ledger in sandbox.ledgers.items() if ledger.total} == dict.fromkeys(
        answers, 1
    )


@pytest.mark.parametrize("record", FAMILY, ids=[record["operation"] for record in FAMILY])
async def test_a_call_that_names_another_operation_than_was_signed_is_refused(
    start: Any, record: dict[str, str]
) -> None:
    sandbox = await started_for(start, record)
    forged = record["request"].replace(f"x-acs-action: {record['operation']}", "x-acs-action: DeleteFlow")
    assert forged != record["request"]
    assert await replay(sandbox.port, forged) == "SignatureDoesNotMatch"
