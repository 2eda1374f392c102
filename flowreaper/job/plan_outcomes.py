"""What became of a plan's flows, by the records of its job."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from flowreaper.model import Flow, Record, State
from flowreaper.store.sqlite.reader import is_begun, read_records, read_status


class PlanOutcomes:
    """Finds the state of one flow after the other; memory stays flat while they come in the order of the records."""

    def __init__(self, records: Iterator[Record]) -> None:
        self._records = records
        self._passed: dict[Flow, State] = {}

    def state_of(self, flow: Flow) -> State | None:
        """Return a flow's state, None where no run has read it. Ask for each flow once."""
        if flow in self._passed:
            return self._passed.pop(flow)
        for record in self._records:
            found = Flow(record.flow_id, record.cust_space_id or "")
            if record.state is State.INVALID:
                continue
            if found == flow:
                return record.state
            self._passed[found] = record.state
        return None


def count_outcomes(checkpoint: Path, digest: str) -> Counter[State] | None:
    """Return how many flows of a plan's job are in each state; None where this plan has begun no such job.

    Raises:
        ConfigurationError: the file is no checkpoint.
        CheckpointError: it cannot be read.
    """
    if not is_begun(checkpoint):
        return None
    status = read_status(checkpoint)
    return Counter(status.states) if status.plan == digest else None


def read_outcomes(checkpoint: Path) -> PlanOutcomes:
    """Return the outcomes of a plan's job; raises as `count_outcomes`, also while states are asked for."""
    return PlanOutcomes(read_records(checkpoint))
