from hypothesis import given
from hypothesis import strategies as st

from flowreaper.model import Flow
from flowreaper.sandbox.answer import FOREIGN, OK
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
