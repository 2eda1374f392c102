"""Finding flows: rules that ask for more than a list, in their order, and nothing selected that could not be read."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pytest

from flowreaper.client.actions import FlowDetails, ListedFlow, Space, TemplateId, TemplatePage
from flowreaper.client.operations import Refusal
from flowreaper.errors import ListingError
from flowreaper.job.flow_rules import FlowRules, Verdict
from flowreaper.job.listing import FoundFlow, Listing, Tally
from flowreaper.model import Flow, Reply

GONE = Refusal(Reply(400, "Flow.NotExist"), gone=True)
REFUSED = Refusal(Reply(400, "Flow.Locked"))


@dataclass
class Account:
    """Flows by space, the status of each, and the flows that each template names; `asked` are the calls."""

    flows: Mapping[str, Sequence[ListedFlow]]
    statuses: Mapping[str, str | Refusal] = field(default_factory=dict)
    templates: Mapping[str, Sequence[str] | Refusal] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    deletes: set[str] = field(default_factory=set)

    async def list_flow(
        self, space: str, *, index: int, size: int, name: str = ""
    ) -> Sequence[ListedFlow] | Refusal:
        assert not name
        self.asked.append(f"ListFlow {space} {index}")
        left = [listed for listed in self.flows[space] if listed.flow.flow_id not in self.deletes]
        return left[(index - 1) * size : index * size]

    async def list_instance(self, *, index: int, size: int) -> Sequence[Space]:
        raise NotImplementedError

    async def list_template(self, space: str, *, index: int, size: int) -> TemplatePage:
        self.asked.append(f"ListChatappTemplate {space}")
        found = [TemplateId(code, code, "en", "APPROVED") for code in self.templates]
        return TemplatePage(found[size * (index - 1) :])

    async def get_template(self, space: str, template: TemplateId) -> Sequence[str] | Refusal:
        del space
        return self.templates[template.code]

    async def get_flow(self, flow: Flow) -> FlowDetails | Refusal:
        self.asked.append(f"GetFlow {flow.flow_id}")
        status = self.statuses[flow.flow_id]
        return status if isinstance(status, Refusal) else FlowDetails(flow, "", status, (), {})


def flow(number: int, space: str = "", name: str = "promo") -> ListedFlow:
    return ListedFlow(Flow(str(number), space), name, ("OTHER",))


def read(
    account: Account, rules: FlowRules, spaces: Sequence[str] = ("",), tally: Tally | None = None
) -> list[FoundFlow]:
    async def all_of_them() -> list[FoundFlow]:
        return [found async for found in Listing(account, rules, tally or Tally()).read(spaces)]

    return asyncio.run(all_of_them())


def selected(found: Sequence[FoundFlow]) -> list[str]:
    return [each.flow.flow_id for each in found if each.decision.verdict is Verdict.SELECTED]


def test_without_rules_every_flow_of_every_space_is_selected() -> None:
    account = Account({"": [flow(1), flow(2)], "cams-a": [flow(1, "cams-a")]})
    assert [found.flow for found in read(account, FlowRules(), ["", "cams-a"])] == [
        Flow("1"),
        Flow("2"),
        Flow("1", "cams-a"),
    ]


def test_only_flows_that_the_cheaper_rules_left_are_looked_at() -> None:
    account = Account(
        {"": [flow(1, name="test-1"), flow(2), flow(3, name="test-3"), flow(4, name="test-4")]},
        statuses={"1": "DRAFT", "4": "PUBLISHED"},
        templates={"t1": ["3"]},
    )
    rules = FlowRules(names=("test-*",), statuses=("DRAFT",), unused=True)
    found = read(account, rules)
    assert selected(found) == ["1"]
    assert [word for word in account.asked if word.startswith("GetFlow")] == ["GetFlow 1", "GetFlow 4"]
    assert {each.flow.flow_id: each.decision.rule for each in found} == {
        "1": "name test-*, unused, status DRAFT",
        "2": "no name matches",
        "3": "used by the template t1",
        "4": "status PUBLISHED",
    }
    assert [each.status for each in found if each.flow.flow_id == "1"] == ["DRAFT"]


def test_flows_are_looked_at_several_at_once_and_come_in_the_order_of_the_list() -> None:
    numbers = [str(number) for number in range(150)]
    account = Account({"": [flow(number) for number in range(150)]}, statuses=dict.fromkeys(numbers, "DRAFT"))
    assert selected(read(account, FlowRules(statuses=("DRAFT",)))) == numbers


def test_templates_are_read_only_for_a_space_that_has_flows_left() -> None:
    account = Account({"": [flow(1)], "cams-a": [flow(2, "cams-a", "test-2")]})
    read(account, FlowRules(names=("test-*",), unused=True), ["", "cams-a"])
    assert [word for word in account.asked if "Template" in word] == ["ListChatappTemplate cams-a"]


def test_a_template_that_cannot_be_read_ends_the_list_before_a_flow_of_its_space_is_selected() -> None:
    account = Account({"": [flow(1)]}, templates={"t1": REFUSED})
    found: list[FoundFlow] = []

    async def run() -> None:
        found.extend([each async for each in Listing(account, FlowRules(unused=True), Tally()).read([""])])

    with pytest.raises(ListingError):
        asyncio.run(run())
    assert found == []


def test_a_flow_that_is_gone_or_whose_status_cannot_be_read_is_not_selected() -> None:
    account = Account({"": [flow(1), flow(2), flow(3)]}, statuses={"1": GONE, "2": REFUSED, "3": ""})
    tally = Tally()
    found = read(account, FlowRules(statuses=("DRAFT",)), tally=tally)
    assert selected(found) == []
    assert [each.decision.rule for each in found] == [
        "deleted since it was listed",
        "status unknown: Flow.Locked",
        "status unknown",
    ]
    assert tally.unknown == 2


def test_what_is_deleted_as_soon_as_it_is_selected_hides_no_other_flow_of_the_list() -> None:
    """The pages move up while somebody deletes what the list has shown."""
    account = Account({"": [flow(number) for number in range(450)]})

    async def run() -> list[str]:
        ids = []
        async for found in Listing(account, FlowRules(), Tally()).read([""]):
            ids.append(found.flow.flow_id)
            account.deletes.add(found.flow.flow_id)
        return ids

    assert asyncio.run(run()) == [str(number) for number in range(450)]


def test_the_tally_counts_each_flow_once_by_what_became_of_it() -> None:
    account = Account(
        {"": [flow(1, name="test-1"), flow(2), flow(3, name="test-live"), flow(4, name="test-4")]},
        statuses={"1": "DRAFT", "4": "PUBLISHED"},
    )
    tally = Tally()
    read(account, FlowRules(names=("test-*",), statuses=("DRAFT",), keep_names=("*-live",)), tally=tally)
    assert tally.seen == 4
    assert sum(tally.decisions.values()) == 4
    assert [tally.count(verdict) for verdict in Verdict] == [1, 1, 2]
    assert tally.to_look_at == 0
