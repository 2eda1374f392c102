"""A judge from outside: the official SDK's own client drives flows through their whole life."""

import asyncio
import warnings
from collections.abc import Callable
from typing import Any

import pytest

from flowreaper.sandbox import CREDENTIALS, Sandbox
from flowreaper.sandbox.flow import FlowStatus

with warnings.catch_warnings():
    # The vendor's packages import what newer Pythons deprecate; only what their import says is silenced.
    warnings.simplefilter("ignore", DeprecationWarning)
    from alibabacloud_cams20200606 import models
    from alibabacloud_cams20200606.client import Client
    from alibabacloud_tea_openapi.utils_models import Config, OpenApiRequest, Params
    from darabonba.runtime import RuntimeOptions

# The vendor's client also calls what Python 3.13 and later deprecate.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

SPACE = "cams-awlkj23a09jd"


class Sdk:
    """The SDK's operations by name; each returns its answer's body, or the Code of its exception."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.client = Client(
            Config(
                access_key_id=CREDENTIALS.access_key_id,
                access_key_secret=CREDENTIALS.access_key_secret,
                protocol="http",
                endpoint=f"127.0.0.1:{sandbox.port}",
            )
        )
        self._runtime = RuntimeOptions(autoretry=False, connect_timeout=10_000, read_timeout=10_000)

    async def call(self, name: str, request: Any) -> Any:
        try:
            operation = getattr(self.client, f"{name}_with_options_async")
            return (await operation(request, self._runtime)).body
        except Exception as error:
            if not hasattr(error, "code"):
                raise
            return error.code

    async def create(self, name: str) -> str:
        request = models.CreateFlowRequest(
            cust_space_id=SPACE, flow_name=name, categories=["SURVEY", "OTHER"]
        )
        body = await self.call("create_flow", request)
        assert (body.code, body.data.flow_name, body.data.categories) == ("OK", name, ["SURVEY", "OTHER"])
        return str(body.data.flow_id)

    async def about(self, name: str, request: Any, flow_id: str) -> Any:
        request.cust_space_id, request.flow_id = SPACE, flow_id
        return await self.call(name, request)

    async def publish(self, flow_id: str) -> Any:
        return await self.about("publish_flow", models.PublishFlowRequest(), flow_id)

    async def delete(self, flow_id: str) -> Any:
        return await self.about("delete_flow", models.DeleteFlowRequest(), flow_id)

    async def edit(self, flow_id: str) -> Any:
        request = models.UpdateFlowJSONAssetRequest(file_path="https://files.example/flow.json")
        return await self.about("update_flow_jsonasset", request, flow_id)

    async def status(self, flow_id: str) -> str:
        body = await self.about("get_flow", models.GetFlowRequest(), flow_id)
        return body if isinstance(body, str) else str(body.data.status)

    async def list(self, size: int = 50, name: str | None = None) -> list[str]:
        """Return the ids of all pages; the last is the first that is not full."""
        found: list[str] = []
        for index in range(1, 1000):
            page = models.ListFlowRequestPage(index=index, size=size)
            request = models.ListFlowRequest(cust_space_id=SPACE, flow_name=name, page=page)
            body = await self.call("list_flow", request)
            found += [flow.flow_id for flow in body.data]
            if len(body.data) < size:
                return found
        raise AssertionError("the listing does not end")


@pytest.fixture
def sdk_of(monkeypatch: pytest.MonkeyPatch) -> Callable[[Sandbox], Sdk]:
    for name in ("HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    return Sdk


async def test_flows_live_from_their_creation_to_their_deletion(start: Any, sdk_of: Any) -> None:
    sandbox = (await start()).sandbox
    sdk = sdk_of(sandbox)
    flows = await asyncio.gather(*(sdk.create(f"test-{n:03}") for n in range(120)))
    assert len(set(flows)) == 120
    published, edited = flows[:20], flows[5]
    assert {(await sdk.publish(flow)).code for flow in published} == {"OK"}
    assert await sdk.publish(flows[0]) == "Flow.StatusInvalid"
    assert await sdk.status(edited) == "PUBLISHED"
    assert (await sdk.edit(edited)).data.flow_id == edited
    assert await sdk.status(edited) == "DRAFT"

    assert await sdk.list() == list(flows)
    assert len(await sdk.list(name="test-01")) == 10
    drafts = [flow for flow in await sdk.list() if await sdk.status(flow) == "DRAFT"]
    assert drafts == [flow for flow in flows if flow not in published or flow == edited]

    assert {(await sdk.delete(flow)).code for flow in drafts} == {"OK"}
    kept = [flow for flow in published if flow != edited]
    assert await sdk.list() == kept
    assert {await sdk.status(flow) for flow in drafts} == {"Flow.NotExist"}
    assert {await sdk.delete(flow) for flow in kept} == {"Flow.StatusInvalid"}
    assert await sdk.list() == kept

    deprecate = models.DeprecateFlowRequest()
    assert (await sdk.about("deprecate_flow", deprecate, kept[0])).code == "OK"
    assert await sdk.about("deprecate_flow", deprecate, kept[0]) == "Flow.StatusInvalid"
    assert await sdk.edit(kept[0]) == "Flow.StatusInvalid"
    assert (await sdk.status(kept[0]), await sdk.delete(kept[0])) == ("DEPRECATED", "Flow.StatusInvalid")
    assert len(sandbox.service.deleted) == 101


async def test_it_reads_spaces_templates_and_json_of_a_seeded_account(start: Any, sdk_of: Any) -> None:
    sandbox = (await start(seed_flows=400)).sandbox
    sdk = sdk_of(sandbox)
    body = await sdk.call("list_instance", models.ListInstanceRequest(page_index=1, page_size=100))
    spaces = {instance.cust_space_id: instance.instance_name for instance in body.data}
    assert len(spaces) == body.total_count == 6
    assert all(spaces.values())

    named: dict[str, str] = {}
    for space in spaces:
        page = models.ListChatappTemplateRequestPage(index=1, size=100)
        request = models.ListChatappTemplateRequest(cust_space_id=space, page=page)
        listed = await sdk.call("list_chatapp_template", request)
        assert listed.total == len(listed.list_template)
        for template in listed.list_template:
            detail = await sdk.call(
                "get_chatapp_template_detail",
                models.GetChatappTemplateDetailRequest(
                    cust_space_id=space, template_code=template.template_code, language=template.language
                ),
            )
            assert detail.data.audit_status == template.audit_status
            for component in detail.data.components:
                named |= {b.flow_id: space for b in component.buttons or () if b.type == "FLOW"}
    assert sorted(named) == sorted(
        {i for t in sandbox.accounts["1000000000000001"].templates for i in t.flow_ids}
    )

    flow_id, space = next(iter(named.items()))
    asked = models.GetFlowRequest(cust_space_id=space, flow_id=flow_id)
    assert (await sdk.call("get_flow", asked)).data.flow_id == flow_id
    asked = models.GetFlowJSONAssestRequest(cust_space_id=space, flow_id=flow_id)
    path = (await sdk.call("get_flow_jsonassest", asked)).data.file_path
    assert path.startswith(f"{sandbox.url}/flow-assets/")
    assert sandbox.service.stored


async def test_it_learns_who_it_is(start: Any, sdk_of: Any) -> None:
    sdk = sdk_of((await start(account_id="1234567890123456")).sandbox)
    params = Params(
        action="GetCallerIdentity",
        version="2015-04-01",
        protocol="HTTP",
        pathname="/",
        method="POST",
        auth_type="AK",
        style="RPC",
        req_body_type="json",
        body_type="json",
    )
    body = (await sdk.client.call_api_async(params, OpenApiRequest(), RuntimeOptions()))["body"]
    assert (body["AccountId"], body["IdentityType"]) == ("1234567890123456", "RAMUser")
    assert body["Arn"] == "acs:ram::1234567890123456:user/flowreaper"
    assert body["PrincipalId"]
    assert "Code" not in body


async def test_what_it_may_not_do_is_refused_for_each_operation(start: Any, sdk_of: Any) -> None:
    sdk = sdk_of((await start(deny={"ListFlow", "PublishFlow"})).sandbox)
    assert await sdk.call("list_flow", models.ListFlowRequest()) == "Ram.PermissionDeny"
    assert await sdk.publish("1") == "Ram.PermissionDeny"
    assert await sdk.status("1") == str(FlowStatus.DRAFT)
