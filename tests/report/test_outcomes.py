import pytest

from flowreaper.model import Flow, State
from flowreaper.report.outcomes import outcome_rows
from flowreaper.report.result_list import Kind
from tests.report.samples import report


def kind(state: State, code: str = "", *, inferred: bool = False, in_doubt: bool = False) -> Kind:
    return Kind(state, code, inferred, in_doubt)


def test_what_is_not_decided_has_no_row_and_the_rest_add_up() -> None:
    kinds = {
        kind(State.PENDING): 5,
        kind(State.REFUSED, "B"): 1,
        kind(State.REFUSED, "A"): 2,
        kind(State.DELETED, "OK"): 9,
        kind(State.DELETED, "Unknown.FlowId", inferred=True, in_doubt=True): 3,
    }
    rows = outcome_rows(report(kinds=kinds).results)
    assert [(row.state, row.code, row.count) for row in rows] == [
        (State.DELETED, "OK", 9),
        (State.DELETED, "Unknown.FlowId", 3),
        (State.REFUSED, "A", 2),
        (State.REFUSED, "B", 1),
    ]
    assert rows[0].meaning.meaning == "the service confirmed the deletion"
    assert "found that the flow is gone" in rows[1].meaning.meaning


@pytest.mark.parametrize(("state", "in_doubt"), [(State.GAVE_UP, 4), (State.REFUSED, 4), (State.DELETED, 0)])
def test_flows_in_doubt_are_counted_where_the_state_does_not_decide_it(state: State, in_doubt: int) -> None:
    kinds = {kind(state, "Code"): 6, kind(state, "Code", in_doubt=True): 4}
    samples = {found: (Flow("1"), Flow("2")) for found in kinds}
    (row,) = outcome_rows(report(kinds=kinds, samples=samples).results)
    assert (row.count, row.in_doubt) == (10, in_doubt)
    assert len(row.sample) == 3
