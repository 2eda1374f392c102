"""The operations that flowreaper calls: their parameters, and what stands in their answers. Pure; sends nothing.

Source: the vendor's pages (API version 2020-06-06; STS 2015-04-01), and the models of its official SDK for the shapes.
The readers take what they know and leave the rest; a field of another type than theirs counts as missing.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from flowreaper.client.messages import BODY_LIMIT, VERSION, Request, signed_request
from flowreaper.model import Credentials, Flow

STS_VERSION = "2015-04-01"

_LONG_ANSWER = 4 * 1024 * 1024
# A page of 100 flows has some 20 kB, a template's details may have more.

DRAFT = "DRAFT"
"""The only status of a flow that may be deleted."""


class Action(NamedTuple):
    """One call of an operation, not signed yet.

    `answer_limit` is how many bytes of the answer are read. `coded` as for `messages.read_answer`.
    """

    name: str
    parameters: Mapping[str, str]
    version: str = VERSION
    answer_limit: int = BODY_LIMIT
    coded: bool = True

    def signed(self, credentials: Credentials, *, host: str, now_s: float, nonce: str) -> Request:
        """Sign it; `host`, `now_s` and `nonce` as for `signed_request`."""
        return signed_request(
            self.name,
            self.parameters,
            credentials,
            host=host,
            now_s=now_s,
            nonce=nonce,
            version=self.version,
        )


class ListedFlow(NamedTuple):
    """A flow as ListFlow names it: there is no status among it."""

    flow: Flow
    name: str
    categories: tuple[str, ...]


class FlowDetails(NamedTuple):
    """A flow as GetFlow describes it. `status` is DRAFT, PUBLISHED, DEPRECATED, or another word.

    `content` is the whole of the answer's Data.
    """

    flow: Flow
    name: str
    status: str
    categories: tuple[str, ...]
    content: Mapping[str, object]


class Space(NamedTuple):
    """An instance of the account, from ListInstance, and its space; `cust_space_id` is empty where it has none."""

    cust_space_id: str
    name: str
    state: str
    instance_id: str = ""


class TemplateId(NamedTuple):
    """A template as ListChatappTemplate names it."""

    code: str
    name: str
    language: str
    audit_status: str


class TemplatePage(NamedTuple):
    """A page of templates; `total` is how many there are in all, None where the service does not say."""

    templates: Sequence[TemplateId]
    total: int | None = None


class CallerIdentity(NamedTuple):
    """Whose access key it is. `kind` is Account, RAMUser or AssumedRoleUser."""

    account: str
    arn: str
    kind: str


def delete_flow(flow: Flow) -> Action:
    """Delete one draft flow."""
    return Action("DeleteFlow", _of_flow(flow))


def get_flow(flow: Flow) -> Action:
    """Ask for one flow's name and status."""
    return Action("GetFlow", _of_flow(flow))


def get_flow_json(flow: Flow) -> Action:
    """Ask where one flow's JSON can be fetched."""
    return Action("GetFlowJSONAssest", _of_flow(flow))  # the vendor's spelling


def list_flow(space: str, *, index: int, size: int, name: str = "") -> Action:
    """Ask for one page of a space's flows; `index` counts from 1. `name` filters by FlowName, empty: all."""
    filters = {"FlowName": name} if name else {}
    return Action(
        "ListFlow", {**_of_space(space), **filters, "Page": _page(index, size)}, VERSION, _LONG_ANSWER
    )


def create_flow(space: str, name: str, categories: Sequence[str], endpoint_uri: str = "") -> Action:
    """Make a draft; a call that is repeated makes another one. `endpoint_uri` is empty for a flow without one."""
    words = json.dumps([*categories], ensure_ascii=False)
    parameters = {**_of_space(space), "FlowName": name, "Categories": words}
    if endpoint_uri:
        parameters["EndpointUri"] = endpoint_uri
    return Action("CreateFlow", parameters)


def update_flow_json(flow: Flow, url: str) -> Action:
    """Let the service fetch a flow's JSON from a URL."""
    return Action("UpdateFlowJSONAsset", {**_of_flow(flow), "FilePath": url})


def list_instance(*, index: int, size: int) -> Action:
    """Ask for one page of the account's instances, each with its space; `index` counts from 1."""
    return Action("ListInstance", {"PageIndex": str(index), "PageSize": str(size)}, VERSION, _LONG_ANSWER)


def list_template(space: str, *, index: int, size: int) -> Action:
    """Ask for one page of a space's templates; `index` counts from 1."""
    return Action(
        "ListChatappTemplate", {**_of_space(space), "Page": _page(index, size)}, VERSION, _LONG_ANSWER
    )


def get_template(space: str, template: TemplateId) -> Action:
    """Ask for one template's components."""
    names = {"TemplateCode": template.code, "Language": template.language}
    return Action("GetChatappTemplateDetail", {**_of_space(space), **names}, VERSION, _LONG_ANSWER)


def get_caller_identity() -> Action:
    """Ask whose access key it is; needs no permission. Of STS, at another host than the rest."""
    return Action("GetCallerIdentity", {}, STS_VERSION, coded=False)


def has_list(content: Mapping[str, object], name: str) -> bool:
    """Return whether an answer holds a list of this name: one without it does not say that there is nothing."""
    return isinstance(content.get(name, content.get(name[0].lower() + name[1:])), list)


def read_listed(content: Mapping[str, object], space: str) -> list[ListedFlow]:
    """Return the flows of a ListFlow answer, in its order; what has no id is left out."""
    return [
        ListedFlow(Flow(flow_id, space), _text(item, "FlowName"), _words(item, "Categories"))
        for item in _objects(content, "Data")
        if (flow_id := _text(item, "FlowId"))
    ]


def read_flow(content: Mapping[str, object], flow: Flow) -> FlowDetails:
    """Return what a GetFlow answer says of `flow`; the status is empty where it says none, or is about another flow."""
    data = _object(content, "Data")
    about = _text(data, "FlowId")
    status = _text(data, "Status") if about == flow.flow_id else ""
    return FlowDetails(flow, _text(data, "FlowName"), status, _words(data, "Categories"), data)


def read_flow_json(content: Mapping[str, object], flow: Flow) -> str | None:
    """Return the URL of a GetFlowJSONAssest answer, empty where it says that `flow` has none; else None."""
    data = _object(content, "Data")
    value = data.get("FilePath", data.get("filePath"))
    known = _text(data, "FlowId") == flow.flow_id and (value is None or isinstance(value, str))
    return _text(data, "FilePath") if known else None


def read_created(content: Mapping[str, object]) -> str:
    """Return the id that CreateFlow gave, empty where there is none."""
    return _text(_object(content, "Data"), "FlowId")


def read_spaces(content: Mapping[str, object]) -> list[Space]:
    """Return the instances of a ListInstance answer, in its order, with their spaces."""
    return [
        Space(*(_text(item, name) for name in ("CustSpaceId", "InstanceName", "State", "InstanceId")))
        for item in _objects(content, "Data")
    ]


def read_templates(content: Mapping[str, object]) -> TemplatePage:
    """Return the templates of a ListChatappTemplate answer, in its order; what has no code is left out."""
    templates = [
        TemplateId(code, _text(item, "TemplateName"), _text(item, "Language"), _text(item, "AuditStatus"))
        for item in _objects(content, "ListTemplate")
        if (code := _text(item, "TemplateCode"))
    ]
    total = content.get("Total", content.get("total"))
    return TemplatePage(templates, total if type(total) is int else None)


def read_flow_buttons(content: Mapping[str, object]) -> list[str] | None:
    """Return the ids of the flows that a template's buttons open, in their order.

    None where the answer does not tell: it has no list of components, or a button opens a flow without naming it.
    """
    data = _object(content, "Data")
    if not has_list(data, "Components"):
        return None
    components = _objects(data, "Components")
    # The vendor documents no such button on a carousel's card; one that is there all the same opens a flow, too.
    cards = [card for component in components for card in _objects(component, "Cards")]
    components += [part for card in cards for part in _objects(card, "CardComponents")]
    named = [
        _text(button, "FlowId")
        for component in components
        for button in _objects(component, "Buttons")
        if _text(button, "Type").upper() == "FLOW"
    ]
    return named if all(named) else None


def read_identity(content: Mapping[str, object]) -> CallerIdentity:
    """Return whose key it is; fields that are not there are empty."""
    return CallerIdentity(*(_text(content, name) for name in ("AccountId", "Arn", "IdentityType")))


def _of_flow(flow: Flow) -> dict[str, str]:
    parameters = {"FlowId": flow.flow_id}
    if flow.cust_space_id:
        parameters["CustSpaceId"] = flow.cust_space_id
    return parameters


def _of_space(space: str) -> dict[str, str]:
    return {"CustSpaceId": space} if space else {}


def _page(index: int, size: int) -> str:
    return json.dumps({"Index": index, "Size": size}, separators=(",", ":"))


def _text(item: Mapping[str, Any], name: str) -> str:
    """Return a field as text. Ids may come as numbers, names of fields with a lower-case first letter.

    Lone surrogates, which JSON can hold, are written as escapes: neither SQLite nor UTF-8 takes them.
    """
    value = item.get(name, item.get(name[0].lower() + name[1:]))
    if type(value) is int:  # a bool is an int, too, but no text
        return str(value)
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else ""


def _words(item: Mapping[str, Any], name: str) -> tuple[str, ...]:
    value = item.get(name)
    return tuple(word for word in value if isinstance(word, str)) if isinstance(value, list) else ()


def _object(item: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = item.get(name, item.get(name[0].lower() + name[1:]))
    return value if isinstance(value, dict) else {}


def _objects(item: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    value = item.get(name, item.get(name[0].lower() + name[1:]))
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
