"""What became of a plan's flows."""

from collections.abc import Sequence
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from flowreaper.job.plan_outcomes import PlanOutcomes, count_outcomes
from flowreaper.model import Entry, Flow, Record, State
from flowreaper.store.sqlite.checkpoint import open_checkpoint
from flowreaper.store.store import Identity


def record(flow: Flow, state: State = State.DELETED) -> Record:
    fields = dict.fromkeys(Record._fields)
    return Record(
        **(fields | {"flow_id": flow.flow_id, "cust_space_id": flow.cust_space_id or None, "state": state})  # type: ignore[arg-type] # None where the type is another: nobody reads it
    )


@given(st.permutations(range(8)), st.integers(0, 8))
def test_each_flow_has_its_state_in_whatever_order_the_records_come(order: Sequence[int], known: int) -> None:
    states = {Flow(str(number)): list(State)[number] for number in range(7)}
    records = iter(
        [record(flow, state) for number in order for flow, state in states.items() if flow[0] == str(number)]
    )
    outcomes = PlanOutcomes(records)
    for number in range(known):
        flow = Flow(str(number))
        state = states.get(flow)
        assert outcomes.state_of(flow) == (None if state is State.INVALID else state)


def test_a_flow_of_another_space_and_an_invalid_line_are_not_that_flow() -> None:
    records = [record(Flow("1", "cams-a"), State.REFUSED), record(Flow("1"), State.INVALID)]
    outcomes = PlanOutcomes(iter(records))
    assert outcomes.state_of(Flow("1")) is None
    assert outcomes.state_of(Flow("1", "cams-a")) is State.REFUSED


def test_in_the_order_of_the_records_nothing_is_remembered() -> None:
    flows = [Flow(str(number)) for number in range(100)]
    outcomes = PlanOutcomes(iter([record(flow) for flow in flows]))
    for flow in flows:
        assert outcomes.state_of(flow) is State.DELETED
        assert not outcomes._passed


async def test_only_the_job_of_the_very_plan_is_counted(tmp_path: Path) -> None:
    path = tmp_path / "plan.json.ckpt"
    assert count_outcomes(path, "sha256:1") is None
    identity = Identity("https://a.example", sandbox=False, access_key="LTAI****", plan="sha256:1")
    checkpoint = open_checkpoint(path, identity)
    checkpoint.add([Entry(Flow("1"), "plan.json", 1)])
    checkpoint.close()
    counts = count_outcomes(path, "sha256:1")
    assert counts is not None
    assert counts[State.PENDING] == 1
    assert count_outcomes(path, "sha256:2") is None
