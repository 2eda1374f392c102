from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from flowreaper.model import Flow
from flowreaper.sandbox.answer import FOREIGN, OK, Answer
from flowreaper.sandbox.flow import CATEGORIES, FlowStatus, StoredFlow, made_up
from flowreaper.sandbox.service import Service
from flowreaper.sandbox.undocumented import MISSING_FLOW_ID, NOT_EXIST, PUBLISHED

flows = st.builds(Flow, st.text("12", min_size=1, max_size=2), st.sampled_from(["", "cams-a", "cams-b"]))


def test_a_draft_is_deleted_once_and_then_does_not_exist() -> None:
    service = Service()
    assert [service.delete(Flow("1")) for _ in range(3)] == [OK, NOT_EXIST, NOT_EXIST]
    assert service.deleted == {Flow("1")}


@given(st.lists(flows))
def test_each_flow_of_each_space_is_deleted_exactly_once(asked: list[Flow]) -> None:
    service = Service()
    answers = [service.delete(flow) for flow in asked]
    assert answers.count(OK) == len(set(asked)) == len(service.deleted)


def test_published_and_foreign_flows_are_refused_and_stay() -> None:
    service = Service(published={"1", "cams-a,2"}, foreign={"3"})
    assert service.delete(Flow("1", "cams-b")) == PUBLISHED
    assert service.delete(Flow("2", "cams-a")) == PUBLISHED
    assert service.delete(Flow("3")) == FOREIGN
    assert service.deleted == set()


def test_an_entry_with_a_space_counts_in_that_space_only() -> None:
    assert Service(published={"cams-a,2"}).delete(Flow("2")) == OK


def test_where_flows_are_known_no_other_exists() -> None:
    service = Service(known={"1", "cams-a,2"})
    asked = [Flow("1"), Flow("2"), Flow("2", "cams-a"), Flow("3")]
    assert [service.delete(flow) for flow in asked] == [OK, NOT_EXIST, OK, NOT_EXIST]


def test_a_call_without_a_flow_id_is_refused() -> None:
    assert Service().delete(Flow("")) == MISSING_FLOW_ID


# Their states.

DRAFT, PUBLISHED_STATUS, DEPRECATED = FlowStatus


class Life(RuleBasedStateMachine):
    """One flow, asked for everything in any order, beside the rules as a table."""

    def __init__(self) -> None:
        super().__init__()
        self.service = Service(known=frozenset())
        self.flow = self.service.create("cams-a", "a", ("OTHER",)).flow
        self.status: FlowStatus | None = DRAFT

    def step(self, did: Answer, allowed: set[FlowStatus | None], then: FlowStatus | None) -> None:
        if self.status in allowed:
            assert did is OK
            self.status = then
        else:
            assert did.code == ("Flow.NotExist" if self.status is None else "Flow.StatusInvalid")

    @rule()
    def publish(self) -> None:
        self.step(self.service.publish(self.flow), {DRAFT}, PUBLISHED_STATUS)

    @rule()
    def deprecate(self) -> None:
        self.step(self.service.deprecate(self.flow), {PUBLISHED_STATUS}, DEPRECATED)

    @rule()
    def edit(self) -> None:
        self.step(self.service.edit(self.flow, "https://a"), {DRAFT, PUBLISHED_STATUS}, DRAFT)

    @rule()
    def delete(self) -> None:
        self.step(self.service.delete(self.flow), {DRAFT}, None)

    @invariant()
    def it_is_found_and_listed_as_what_it_is(self) -> None:
        found = self.service.find(self.flow)
        assert (NOT_EXIST if self.status is None else self.status) == (
            found if isinstance(found, Answer) else found.status
        )
        assert [stored.flow for stored in self.service.listed("cams-a", 0)] == [self.flow] * bool(self.status)


TestLife = Life.TestCase


def test_a_flow_of_which_only_the_id_is_known_is_a_draft_with_a_name_and_a_json_made_from_it() -> None:
    found = Service().find(Flow("346699123"))
    assert isinstance(found, StoredFlow)
    assert (found.status, found.name) == (DRAFT, "flow_346699123")
    assert set(found.categories) < set(CATEGORIES)
    assert b"346699123" in found.json()
    assert found == Service().find(Flow("346699123"))
    assert found.json() != made_up(Flow("346699124"), DRAFT).json()


@given(st.lists(st.sampled_from("123")), st.sampled_from("1234"), st.sampled_from(["", "cams-a", "cams-b"]))
def test_looking_and_deleting_agree(deleted: list[str], flow_id: str, space: str) -> None:
    service = Service(known={"1", "cams-a,2"}, published={"2", "cams-b,3"}, foreign={"4"})
    for done in deleted:
        service.delete(Flow(done, space))
    found = service.find(Flow(flow_id, space))
    answer = service.delete(Flow(flow_id, space))
    if isinstance(found, Answer):
        assert answer == found
    else:
        assert answer == (OK if found.status is DRAFT else PUBLISHED)


def test_what_was_published_through_the_service_is_published_also_where_every_id_is_a_draft() -> None:
    service = Service()
    assert service.publish(Flow("1")) is OK
    assert service.delete(Flow("1")) == PUBLISHED
    assert service.edit(Flow("1"), "https://files.example/1.json") is OK
    assert service.delete(Flow("1")) is OK


def test_an_unknown_account_lists_nothing_that_it_cannot_know() -> None:
    service = Service()
    service.delete(Flow("1"))
    assert service.listed("", 0) == []
    assert service.spaces() == [""]


def test_known_and_published_flows_are_listed_in_every_space_or_in_theirs() -> None:
    service = Service(known={"1", "cams-a,2", "9"}, published={"3"}, foreign={"9"})
    own, space = ([stored.flow.flow_id for stored in service.listed(name, 0)] for name in ("", "cams-a"))
    assert (own, space) == (["1", "3"], ["1", "3", "2"])
    assert service.spaces() == ["", "cams-a"]
    service.delete(Flow("1"))
    assert [stored.flow.flow_id for stored in service.listed("", 0)] == ["3"]
    service.edit(Flow("3"), "https://files.example/3.json")
    assert [stored.flow.flow_id for stored in service.listed("", 0)] == ["3"]


def test_created_flows_get_ids_that_no_other_flow_has() -> None:
    service = Service()
    service.delete(Flow("700000000000001"))
    flows = [service.create("", "same", ("OTHER",)).flow for _ in range(3)]
    assert [flow.flow_id for flow in flows] == [f"70000000000000{n}" for n in (2, 3, 4)]
    assert all(len(flow.flow_id) == 15 for flow in flows)


def test_a_listing_lags_behind_deletions_and_creations_but_a_look_does_not() -> None:
    service = Service(known=frozenset(), list_lag_s=5)
    flow = service.create("", "a", ("OTHER",), at_s=100).flow
    assert isinstance(service.find(flow), StoredFlow)
    assert [len(service.listed("", at_s)) for at_s in (100, 104.9, 105)] == [0, 0, 1]
    service.delete(flow, 200)
    assert service.find(flow) == NOT_EXIST
    assert [len(service.listed("", at_s)) for at_s in (200, 204.9, 205)] == [1, 1, 0]


def test_a_created_flow_has_no_json_until_it_is_edited() -> None:
    service = Service()
    stored = service.create("", "a", ("OTHER",))
    assert stored.json_from == ""
    service.edit(stored.flow, "https://files.example/a.json")
    edited = service.find(stored.flow)
    assert isinstance(edited, StoredFlow)
    assert b"https://files.example/a.json" in edited.json()
