"""The operations besides DeleteFlow: from a call's parameters to the answer. Pure.

Names and nesting are those of the official SDK's models (alibabacloud-cams20200606 5.3.1), and of the vendor's page of
GetCallerIdentity.
"""

import json
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from flowreaper.client.messages import VERSION
from flowreaper.model import Flow
from flowreaper.sandbox.account import Account
from flowreaper.sandbox.answer import HTTP_OK, OK, Answer, success
from flowreaper.sandbox.flow import CATEGORIES
from flowreaper.sandbox.paging import PageRules, page_in_json, page_in_numbers
from flowreaper.sandbox.parameters import Parameters
from flowreaper.sandbox.undocumented import NO_TEMPLATE, invalid, missing

DELETE_FLOW = "DeleteFlow"
STS_VERSION = "2015-04-01"


class Asked(NamedTuple):
    """One call, admitted: `at_s` is the moment, in seconds since the epoch.

    `asset_url` makes the address of a flow's JSON.
    """

    account: Account
    parameters: Parameters
    at_s: float
    page_rules: PageRules
    asset_url: Callable[[Flow], str]

    def get(self, name: str) -> str:
        """Return a parameter, empty where it was not sent."""
        return self.parameters.get(name)

    @property
    def flow(self) -> Flow:
        """The flow that the call is about."""
        return Flow(self.get("FlowId"), self.get("CustSpaceId"))


def _list_flow(asked: Asked) -> Answer:
    page = page_in_json(asked.parameters)
    if isinstance(page, Answer):
        return page
    part = asked.get("FlowName")
    flows = asked.account.service.listed(asked.get("CustSpaceId"), asked.at_s)
    named = [stored for stored in flows if part in stored.name]
    return success(Data=[stored.summary() for stored in page.of(named, asked.page_rules)])


def _get_flow(asked: Asked) -> Answer:
    found = asked.account.service.find(asked.flow)
    return found if isinstance(found, Answer) else success(Data=found.detail(asked.at_s))


def _get_json(asked: Asked) -> Answer:
    found = asked.account.service.find(asked.flow)
    if isinstance(found, Answer):
        return found
    path = asked.asset_url(found.flow) if found.json_from else ""
    return success(Data={"FlowId": found.flow.flow_id, "FilePath": path})


def _create_flow(asked: Asked) -> Answer:
    name = asked.get("FlowName")
    if not name:
        return missing("FlowName")
    if not asked.get("Categories"):
        return missing("Categories")
    categories = _categories(asked.get("Categories"))
    if not categories:
        return invalid("Categories", f"Categories is a JSON array of: {', '.join(CATEGORIES)}.")
    stored = asked.account.service.create(
        asked.get("CustSpaceId"),
        name,
        categories,
        endpoint_uri=asked.get("EndpointUri"),
        at_s=asked.at_s,
    )
    return success(Data=stored.summary())


def _update_json(asked: Asked) -> Answer:
    path = asked.get("FilePath")
    if not path:
        return missing("FilePath")
    if not path.startswith(("http://", "https://")):
        return invalid("FilePath", "FilePath is the URL of a JSON file.")
    answer = asked.account.service.edit(asked.flow, path)
    return success(Data={"FlowId": asked.flow.flow_id}) if answer is OK else answer


def _publish_flow(asked: Asked) -> Answer:
    return asked.account.service.publish(asked.flow)


def _deprecate_flow(asked: Asked) -> Answer:
    return asked.account.service.deprecate(asked.flow)


def _list_instance(asked: Asked) -> Answer:
    page = page_in_numbers(asked.parameters)
    if isinstance(page, Answer):
        return page
    instances = [
        instance
        for instance in asked.account.listed_instances()
        if asked.get("InstanceName") in instance.name
        and asked.get("InstanceId") in ("", instance.instance_id)
        and asked.get("ChannelType") in ("", instance.channel_type)
    ]
    shown = [instance.summary() for instance in page.of(instances, asked.page_rules)]
    return success(Data=shown, TotalCount=len(instances), Success=True)


def _list_template(asked: Asked) -> Answer:
    page = page_in_json(asked.parameters)
    if isinstance(page, Answer):
        return page
    space = asked.get("CustSpaceId")
    templates = [
        template
        for template in asked.account.templates
        if template.cust_space_id == space
        and asked.get("Name") in template.name
        and asked.get("Code") in ("", template.code)
        and asked.get("Language") in ("", template.language)
        and asked.get("Category") in ("", template.category)
        and asked.get("AuditStatus") in ("", template.audit_status)
        and asked.get("TemplateType") in ("", "WHATSAPP")
    ]
    shown = [template.summary() for template in page.of(templates, asked.page_rules)]
    return success(ListTemplate=shown, Total=len(templates), Success=True)


def _get_template(asked: Asked) -> Answer:
    wanted = asked.get("TemplateCode"), asked.get("Language"), asked.get("CustSpaceId")
    for name in ("TemplateCode", "Language"):
        if not asked.get(name):
            return missing(name)
    for template in asked.account.templates:
        if (template.code, template.language, template.cust_space_id) == wanted:
            return success(Data=template.detail(), Success=True)
    return NO_TEMPLATE


def _get_caller_identity(asked: Asked) -> Answer:
    account_id = asked.account.account_id
    user_id = f"2{account_id[1:]}"
    # A success of STS has no Code.
    return Answer(
        HTTP_OK,
        code="",
        message="",
        content={
            "AccountId": account_id,
            "Arn": f"acs:ram::{account_id}:user/flowreaper",
            "IdentityType": "RAMUser",
            "PrincipalId": user_id,
            "UserId": user_id,
        },
    )


def _categories(text: str) -> tuple[str, ...]:
    """Return the categories of a JSON array, empty where it is none or holds others."""
    try:
        names = json.loads(text)
    except (ValueError, RecursionError):
        return ()
    valid = isinstance(names, list) and all(isinstance(name, str) and name in CATEGORIES for name in names)
    return tuple(names) if valid else ()


class Operation(NamedTuple):
    """An operation's version, and what it does; None for DeleteFlow, which the server knows itself."""

    version: str
    run: Callable[[Asked], Answer] | None


OPERATIONS: Mapping[str, Operation] = MappingProxyType(
    {
        DELETE_FLOW: Operation(VERSION, None),
        "ListFlow": Operation(VERSION, _list_flow),
        "GetFlow": Operation(VERSION, _get_flow),
        "GetFlowJSONAssest": Operation(VERSION, _get_json),  # the service's own spelling
        "CreateFlow": Operation(VERSION, _create_flow),
        "UpdateFlowJSONAsset": Operation(VERSION, _update_json),
        "PublishFlow": Operation(VERSION, _publish_flow),
        "DeprecateFlow": Operation(VERSION, _deprecate_flow),
        "ListInstance": Operation(VERSION, _list_instance),
        "ListChatappTemplate": Operation(VERSION, _list_template),
        "GetChatappTemplateDetail": Operation(VERSION, _get_template),
        "GetCallerIdentity": Operation(STS_VERSION, _get_caller_identity),
    }
)
