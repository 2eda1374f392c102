"""What lets a flow pass to its deletion, and what it ends with otherwise."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowreaper.client.actions import FlowDetails, TemplateId
from flowreaper.client.operations import Refusal
from flowreaper.errors import FatalReplyError
from flowreaper.model import Claim, Finding, Flow, Reply, ReplyClass, State
from flowreaper.safeguards.guard import PASSES, Guard
from tests.virtual import run_virtual

FLOW = Flow("7", "cams-x")
TEMPLATE = TemplateId("4711", "welcome", "en", "APPROVED")
NOT_SAVED = Finding(State.GAVE_UP, Reply(0, "Backup.NotSaved", "no file"))
GONE = Reply(400, "Flow.NotExist", "no such flow")
RELAYED = Reply(400, "ERR-FB-001", "(#100) Object with ID '7' does not exist")
FOREIGN = Reply(400, "Unknown.ResourceOwnerId", "not yours")
BROKEN = Reply(500, "InternalError", "oops")


class World:
    """What is known of the one flow; notes who was asked."""

    def __init__(
        self,
        status: str | Refusal = "DRAFT",
        template: TemplateId | None = None,
        not_saved: Finding | None = None,
    ) -> None:
        self.status = status
        self.template = template
        self.not_saved = not_saved
        self.asked: list[str] = []

    async def get_flow(self, flow: Flow) -> FlowDetails | Refusal:
        self.asked.append("status")
        if isinstance(self.status, Refusal):
            return self.status
        return FlowDetails(flow, "name", self.status, (), {})

    async def of(self, flow: Flow) -> TemplateId | None:
        assert flow == FLOW
        self.asked.append("uses")
        return self.template

    async def save(self, details: FlowDetails) -> Finding | None:
        assert details.flow == FLOW
        self.asked.append("backup")
        return self.not_saved


def examine(
    world: World,
    *,
    only_drafts: bool = True,
    uses: bool = True,
    backup: bool = True,
    in_doubt: bool = False,
    treat: Mapping[str, ReplyClass] | None = None,
) -> Finding:
    guard = Guard(
        world,
        only_drafts=only_drafts,
        uses=world if uses else None,
        backup=world if backup else None,
        treat=treat or {},
    )
    return run_virtual(guard.examine(Claim(1, FLOW, 0, in_doubt, "ids", 1)))


def test_a_draft_that_no_template_opens_and_that_is_saved_passes() -> None:
    world = World()
    assert examine(world) == PASSES
    assert world.asked == ["uses", "status", "backup"]


@pytest.mark.parametrize("status", ["PUBLISHED", "DEPRECATED", "draft", "BLOCKED", "THROTTLED"])
def test_what_is_no_draft_is_kept_with_its_status_and_not_saved(status: str) -> None:
    world = World(status)
    found = examine(world)
    assert (found.state, found.reply.code) == (State.KEPT, f"Status.{status}")
    assert status in found.reply.message
    assert "backup" not in world.asked


def test_a_flow_without_a_status_is_given_up_and_not_kept_as_if_all_were_well() -> None:
    found = examine(World(""))
    assert found.state is State.GAVE_UP


def test_a_flow_that_a_template_opens_is_kept_with_the_templates_code() -> None:
    world = World(template=TEMPLATE)
    found = examine(world)
    assert (found.state, found.reply.code) == (State.KEPT, "Template.4711")
    assert found.reply.message == "the template 4711 (welcome, en, APPROVED) opens the flow"
    assert world.asked == ["uses"]


def test_a_flow_in_doubt_is_kept_for_its_template_only_where_it_is_there() -> None:
    world = World(template=TEMPLATE)
    assert examine(world, only_drafts=False, backup=False, in_doubt=True).state is State.KEPT
    assert world.asked == ["uses", "status"]
    assert examine(World(Refusal(GONE), TEMPLATE), in_doubt=True) == Finding(State.ABSENT, GONE)
    assert examine(World(Refusal(FOREIGN), TEMPLATE), in_doubt=True) == Finding(State.REFUSED, FOREIGN)


@pytest.mark.parametrize("template", [None, TEMPLATE])
def test_a_flow_in_doubt_that_the_answer_does_not_describe_is_not_kept_but_given_up(
    template: TemplateId | None,
) -> None:
    assert examine(World("", template), in_doubt=True).state is State.GAVE_UP


def test_a_flow_that_cannot_be_saved_ends_as_the_backup_says() -> None:
    assert examine(World(not_saved=NOT_SAVED)) == NOT_SAVED


@pytest.mark.parametrize("in_doubt", [False, True])
def test_a_flow_that_is_not_there_is_absent_in_the_services_words(*, in_doubt: bool) -> None:
    assert examine(World(Refusal(GONE, gone=True)), in_doubt=in_doubt) == Finding(State.ABSENT, GONE)


def test_the_relayed_text_means_absent_for_a_flow_in_doubt_alone() -> None:
    world = World(Refusal(RELAYED))
    assert examine(world, in_doubt=True).state is State.ABSENT
    assert examine(world, in_doubt=False).state is State.REFUSED


@pytest.mark.parametrize(("reply", "state"), [(FOREIGN, State.REFUSED), (BROKEN, State.GAVE_UP)])
def test_a_flow_that_cannot_be_looked_at_is_not_deleted(reply: Reply, state: State) -> None:
    assert examine(World(Refusal(reply))) == Finding(state, reply)


def test_what_the_user_says_of_a_code_counts_here_too() -> None:
    world = World(Refusal(FOREIGN))
    assert examine(world, treat={FOREIGN.code: ReplyClass.ABSENT}).state is State.ABSENT
    with pytest.raises(FatalReplyError, match="GetFlow"):
        examine(world, treat={FOREIGN.code: ReplyClass.FATAL})


def test_without_only_drafts_the_service_decides_what_may_be_deleted_but_all_is_saved() -> None:
    world = World("PUBLISHED")
    assert examine(world, only_drafts=False) == PASSES
    assert world.asked == ["uses", "status", "backup"]


def test_uses_alone_need_no_look() -> None:
    world = World("PUBLISHED")
    assert examine(world, only_drafts=False, backup=False) == PASSES
    assert world.asked == ["uses"]


@given(
    status=st.text() | st.builds(Refusal, st.just(FOREIGN)),
    used=st.booleans(),
    saved=st.booleans(),
    options=st.fixed_dictionaries({name: st.booleans() for name in ("only_drafts", "uses", "backup")}),
)
def test_nothing_passes_that_a_wanted_safeguard_speaks_against(
    status: Any, options: dict[str, Any], *, used: bool, saved: bool
) -> None:
    world = World(status, TEMPLATE if used else None, None if saved else NOT_SAVED)
    passes = examine(world, **options) == PASSES
    if options["only_drafts"]:
        assert not passes or status == "DRAFT"
    if options["uses"]:
        assert not passes or not used
    if options["backup"]:
        assert not passes or (saved and not isinstance(status, Refusal))
    if status == "DRAFT" and not used and saved:
        assert passes
