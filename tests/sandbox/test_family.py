"""The operations over HTTP: whose quota, ledger, trouble and account a call belongs to."""

import json
import time
from typing import Any

import aiohttp
import pytest

from flowreaper.errors import ConfigurationError
from flowreaper.model import Credentials, Flow
from flowreaper.sandbox import CREDENTIALS, Sandbox, SandboxOptions, api
from flowreaper.sandbox.operations import OPERATIONS
from flowreaper.sandbox.seed import seeded
from flowreaper.sandbox.trouble import Script, parse_script

OTHERS = [name for name, operation in OPERATIONS.items() if operation.run]
SECOND = Credentials("LTAIsandboxAccessKey0002", "second-secret")
FOREIGN = Credentials("LTAIsandboxAccessKey0003", "third-secret")
KEYS = {
    SECOND.access_key_id: (SECOND.access_key_secret, "1000000000000001"),
    FOREIGN.access_key_id: (FOREIGN.access_key_secret, "1000000000000002"),
}


class Clock:
    """The sandbox's clock; it goes on when it is told to."""

    def __init__(self) -> None:
        self.now_s = time.time()

    def time(self) -> float:
        return self.now_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    stopped = Clock()
    monkeypatch.setattr(api, "time", stopped)
    return stopped


def totals(sandbox: Sandbox) -> dict[str, int]:
    return {name: ledger.total for name, ledger in sandbox.ledgers.items() if ledger.total}


# Ledgers.


@pytest.mark.parametrize("operation", OTHERS)
async def test_a_call_is_in_its_operations_ledger_and_in_no_other(start: Any, operation: str) -> None:
    client = await start()
    version = OPERATIONS[operation].version
    got = await client.call(operation, version=version, FlowId="1", CustSpaceId="cams-x", Page="{}")
    assert totals(client.sandbox) == {operation: 1}
    call = client.sandbox.ledgers[operation].calls[0]
    assert (call.number, call.flow_id, call.cust_space_id) == (1, "1", "cams-x")
    assert call.parameters == {"FlowId": "1", "CustSpaceId": "cams-x", "Page": "{}"}
    assert (call.code, call.http_status, call.deleted) == (got.json.get("Code"), got.status, False)


async def test_calls_that_cannot_be_served_are_in_no_operations_ledger(start: Any) -> None:
    client = await start()
    assert (await client.call("SyncFlow")).code == "InvalidApi.NotFound"
    assert (await client.call("other")).code == "InvalidApi.NotFound"
    assert totals(client.sandbox) == {"other": 2}


@pytest.mark.parametrize(
    ("operation", "version"), [("GetFlow", "2015-04-01"), ("GetCallerIdentity", "2020-06-06")]
)
async def test_an_operation_is_served_in_its_version_only(start: Any, operation: str, version: str) -> None:
    got = await (await start()).call(operation, version=version, FlowId="1")
    assert (got.status, got.code) == (404, "InvalidApi.NotFound")


async def test_the_ledger_of_any_operation_is_served_and_all_are_counted(start: Any) -> None:
    client = await start()
    await client.delete("9")
    for n in range(3):
        await client.call("GetFlow", FlowId=str(n))
    await client.fetch((await client.call("GetFlowJSONAssest", FlowId="1")).json["Data"]["FilePath"])
    counted = (await client.get("/ledger?action=*")).json["calls"]
    assert {name: number for name, number in counted.items() if number} == {
        "DeleteFlow": 1,
        "GetFlow": 3,
        "GetFlowJSONAssest": 1,
        "FlowJSON": 1,
    }
    shown = (await client.get("/ledger?action=GetFlow&since=1")).json
    assert (shown["total"], [call["flow_id"] for call in shown["calls"]]) == (3, ["1", "2"])
    assert shown["calls"][0]["parameters"] == {"FlowId": "1"}
    assert (await client.get("/ledger")).json == (await client.get("/ledger?action=DeleteFlow")).json
    assert "header_names" in (await client.get("/ledger?action=FlowJSON")).json["calls"][0]
    got = await client.get("/ledger?action=GetFlows")
    assert (got.status, b"GetFlow, " in got.body) == (400, True)


# Quota.


async def test_each_operation_has_a_quota_of_its_own(start: Any, clock: Clock) -> None:
    client = await start(window="bucket", rate=1)
    for operation in ("GetFlow", "PublishFlow", "GetFlowJSONAssest"):
        assert (await client.call(operation, FlowId="1")).code == "OK"
        assert (await client.call(operation, FlowId="1")).code == "System.LimitControl"
    assert (await client.delete("2")).code == "OK"
    assert (await client.delete("3")).code == "System.LimitControl"


async def test_a_refused_call_did_nothing(start: Any, clock: Clock) -> None:
    client = await start(window="bucket", rate=1)
    created = [await client.call("CreateFlow", FlowName="a", Categories='["OTHER"]') for _ in range(3)]
    assert [got.code for got in created].count("System.LimitControl") == 2
    assert len(client.sandbox.service.stored) == 1


async def test_keys_of_one_account_share_flows_and_quota(start: Any, clock: Clock) -> None:
    client = await start(window="bucket", rate=1, more_keys=KEYS)
    assert (await client.delete("1", credentials=SECOND)).code == "OK"
    assert (await client.delete("2")).code == "System.LimitControl"
    assert (await client.call("GetFlow", FlowId="1")).code == "Flow.NotExist"


async def test_another_account_has_its_own_flows_quota_and_number(start: Any, clock: Clock) -> None:
    client = await start(window="bucket", rate=1, more_keys=KEYS)
    assert (await client.delete("1")).code == "OK"
    assert (await client.delete("2", credentials=FOREIGN)).code == "Flow.NotExist"
    assert (await client.call("ListFlow", credentials=FOREIGN)).json["Data"] == []
    made = await client.call("CreateFlow", credentials=FOREIGN, FlowName="a", Categories='["OTHER"]')
    flow_id = made.json["Data"]["FlowId"]
    assert (await client.call("GetFlow", credentials=FOREIGN, FlowId=flow_id)).code == "OK"
    assert client.sandbox.accounts["1000000000000002"].service.stored.keys() == {Flow(flow_id)}
    assert client.sandbox.service.deleted == {Flow("1")}
    told = [
        (await client.call("GetCallerIdentity", version="2015-04-01", credentials=key)).json["AccountId"]
        for key in (FOREIGN, CREDENTIALS)
    ]
    assert told == ["1000000000000002", "1000000000000001"]


async def test_each_key_has_its_own_secret(start: Any) -> None:
    client = await start(more_keys=KEYS)
    mixed = Credentials(SECOND.access_key_id, FOREIGN.access_key_secret)
    assert (await client.delete("1", credentials=mixed)).code == "SignatureDoesNotMatch"
    assert client.sandbox.service.deleted == set()


def test_no_secret_is_in_the_options_repr() -> None:
    assert "second-secret" not in repr(SandboxOptions(more_keys=KEYS))


# Rights.


async def test_denied_operations_are_refused_and_others_are_not(start: Any) -> None:
    client = await start(deny={"DeleteFlow", "ListChatappTemplate"}, trouble="DeleteFlow/reset-before:1")
    for operation in ("DeleteFlow", "ListChatappTemplate"):
        got = await client.call(operation, FlowId="1")
        assert (got.status, got.code) == (400, "Ram.PermissionDeny")
    assert (await client.call("GetFlow", FlowId="1")).code == "OK"
    assert client.sandbox.service.deleted == set()


async def test_who_is_not_known_is_told_so_before_any_right_is_looked_at(start: Any) -> None:
    client = await start(deny={"GetFlow"})
    got = await client.call("GetFlow", credentials=Credentials("nobody", "x"), FlowId="1")
    assert got.code == "InvalidAccessKeyId.NotFound"


# Trouble.


async def test_trouble_meets_the_operation_that_it_names_by_its_own_numbers(start: Any) -> None:
    client = await start(trouble="GetFlow/deny:#2,error-500:#1,ListFlow/throttle:#1")
    got = [(await client.call("GetFlow", FlowId="1")).code for _ in range(3)]
    assert got == ["OK", "Ram.PermissionDeny", "OK"]
    assert (await client.call("ListFlow")).code == "System.LimitControl"
    assert [(await client.delete("1")).code for _ in range(2)] == ["InternalError", "OK"]
    assert [call.trouble for call in client.sandbox.ledgers["GetFlow"].calls] == [None, "deny", None]


@pytest.mark.parametrize(("kind", "made"), [("reset-after", 1), ("cut-body", 1), ("reset-before", 0)])
async def test_trouble_after_the_work_leaves_the_work_done(start: Any, kind: str, made: int) -> None:
    client = await start(trouble=f"CreateFlow/{kind}:#1")
    with pytest.raises(aiohttp.ClientError):
        await client.call("CreateFlow", FlowName="a", Categories='["OTHER"]')
    assert len(client.sandbox.service.stored) == made


async def test_chances_are_the_seeds_own_for_delete_flow_and_others_for_another_operation(start: Any) -> None:
    async def troubled(script: str, operation: str) -> list[int]:
        client = await start(trouble=script, seed=3)
        for n in range(60):
            await client.delete(str(n))
            await client.call("GetFlow", FlowId=str(n))
        return [call.number for call in client.sandbox.ledgers[operation].calls if call.trouble]

    rules = Script(parse_script("error-500:0.3"), 3)
    expected = [number for number in range(1, 61) if rules.decide(number)]
    both = "error-500:0.3,GetFlow/error-500:0.3"
    assert await troubled("error-500:0.3", "DeleteFlow") == await troubled(both, "DeleteFlow") == expected
    others = await troubled(both, "GetFlow")
    assert others == await troubled(both, "GetFlow") != expected
    assert others


# The flows' JSON.


async def address(client: Any, flow_id: str) -> str:
    return str((await client.call("GetFlowJSONAssest", FlowId=flow_id)).json["Data"]["FilePath"])


async def test_the_json_lies_at_an_address_of_its_own_that_needs_no_key(start: Any) -> None:
    client = await start()
    got = await client.fetch(await address(client, "346699123"))
    assert (got.status, got.headers["Content-Type"]) == (200, "application/json;charset=utf-8")
    assert got.json["screens"][0]["layout"]["type"] == "SingleColumnLayout"
    assert b"346699123" in got.body
    call = client.sandbox.ledgers["FlowJSON"].calls[0]
    assert (call.flow_id, call.http_status) == ("346699123", 200)
    assert call.header_names is not None
    assert "host" in call.header_names
    assert not any(name.startswith(("x-acs-", "authorization")) for name in call.header_names)


async def test_a_forged_or_expired_address_is_refused(start: Any) -> None:
    client = await start()
    url = await address(client, "1")
    assert (await client.fetch(url.replace("/1.json", "/2.json"))).status == 403
    assert (await client.fetch(url.partition("?")[0])).status == 403
    expired = await start(asset_life_s=0)
    assert (await expired.fetch(await address(expired, "1"))).status == 403
    assert [call.http_status for call in expired.sandbox.ledgers["FlowJSON"].calls] == [403]


async def test_the_json_of_a_deleted_flow_is_gone(start: Any) -> None:
    client = await start()
    url = await address(client, "1")
    await client.delete("1")
    assert (await client.fetch(url)).status == 404


async def test_the_request_for_a_json_has_trouble_of_its_own(start: Any) -> None:
    client = await start(trouble="FlowJSON/error-500:#1,FlowJSON/huge:#2")
    url = await address(client, "1")
    assert (await client.fetch(url)).status == 500
    got = await client.fetch(url)
    assert (len(got.body), "screens" in got.json) == (10_000_000, True)
    assert (await client.fetch(url)).status == 200
    assert [call.trouble for call in client.sandbox.ledgers["FlowJSON"].calls] == ["error-500", "huge", None]


@pytest.mark.parametrize("ahead_s", [-10_000, 10_000])
async def test_an_address_keeps_the_clock_of_the_service(start: Any, ahead_s: int) -> None:
    client = await start(clock_offset_s=ahead_s)
    query, headers = client.request(Flow("1"), action="GetFlowJSONAssest", ahead_s=ahead_s)
    url = (await client.send(query, headers)).json["Data"]["FilePath"]
    assert (await client.fetch(url)).status == 200


# Accounts.


async def test_a_seeded_account_holds_its_flows_and_no_others(start: Any) -> None:
    client = await start(seed_flows=300, seed=5)
    content = seeded(300, 5)
    drafts = [stored for stored in content.flows if stored.status == "DRAFT"]
    found: list[str] = []
    for space in {stored.flow.cust_space_id for stored in content.flows}:
        for index in range(1, 5):
            page = json.dumps({"Index": index, "Size": 100})
            listed = (await client.call("ListFlow", CustSpaceId=space, Page=page)).json["Data"]
            found += [flow["FlowId"] for flow in listed]
    assert sorted(found) == sorted(stored.flow.flow_id for stored in content.flows)
    assert (await client.delete(*drafts[0].flow)).code == "OK"
    assert (await client.delete("1")).code == "Flow.NotExist"
    assert (await client.call("GetFlow", FlowId="1")).code == "Flow.NotExist"


async def test_a_seeded_account_also_holds_what_is_said_to_be_known(start: Any) -> None:
    client = await start(seed_flows=10, known={"1"}, published={"2"})
    assert [(await client.delete(n)).code for n in ("1", "2", "3")] == [
        "OK",
        "Flow.StatusInvalid",
        "Flow.NotExist",
    ]


async def test_pages_hold_no_more_than_their_cap(start: Any) -> None:
    client = await start(seed_flows=300, page_cap=7)
    page = json.dumps({"Index": 1, "Size": 50})
    assert len((await client.call("ListFlow", Page=page)).json["Data"]) == 7
    repeating = await start(known={"1"}, last_page_repeats=True)
    page = json.dumps({"Index": 9, "Size": 50})
    assert len((await repeating.call("ListFlow", Page=page)).json["Data"]) == 1


async def test_a_listing_lags_but_a_look_does_not(start: Any, clock: Clock) -> None:
    client = await start(known={"1"}, list_lag_s=5)
    await client.delete("1")
    assert (await client.call("GetFlow", FlowId="1")).code == "Flow.NotExist"
    assert [flow["FlowId"] for flow in (await client.call("ListFlow")).json["Data"]] == ["1"]
    clock.now_s += 5
    assert (await client.call("ListFlow")).json["Data"] == []
    await client.call("CreateFlow", FlowName="a", Categories='["OTHER"]')
    assert (await client.call("ListFlow")).json["Data"] == []
    clock.now_s += 5
    assert len((await client.call("ListFlow")).json["Data"]) == 1


async def test_parameters_may_stand_in_a_form(start: Any) -> None:
    client = await start()
    query, headers, body = client.form_request(form={"FlowId": "7"}, action="GetFlow")
    assert (await client.send(query, headers, body=body)).json["Data"]["FlowId"] == "7"
    assert client.sandbox.ledgers["GetFlow"].calls[0].parameters == {"FlowId": "7"}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"list_lag_s": -1}, "list lag is -1"),
        ({"asset_life_s": float("inf")}, "asset life is inf"),
        ({"seed_flows": -1}, "seed_flows is -1"),
        ({"page_cap": 0}, "page_cap is 0"),
        ({"deny": {"GetFlows"}}, "no operation 'GetFlows' to deny: choose from DeleteFlow, "),
        ({"account_id": "me"}, "account_id is 'me'"),
        ({"more_keys": {"a": ("b", "c")}}, "account_id is 'c'"),
        ({"more_keys": {CREDENTIALS.access_key_id: ("a", "1")}}, "is its first key"),
        ({"trouble": "GetFlows/throttle:1"}, "unknown operation 'GetFlows'"),
    ],
)
async def test_options_that_cannot_be_used_are_a_configuration_error(
    options: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigurationError, match=words):
        await Sandbox(SandboxOptions(**options)).__aenter__()
