"""What the states and codes of a job's records mean, row by row of the page's tables. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from flowreaper.client.meanings import Meaning, meaning_of
from flowreaper.model import FAILED, Flow, State
from flowreaper.report.result_list import SAMPLE, Kind, ResultList

STATE_MEANINGS: Mapping[State, str] = {
    State.DELETED: "the flow is deleted",
    State.ABSENT: "the service said that the flow does not exist, and no earlier call of this job may have deleted it",
    State.REFUSED: "the service rejected the call for good; it deleted nothing",
    State.GAVE_UP: "every attempt met trouble that may pass",
    State.INVALID: "a piece of the input that is no flow id; nothing was sent",
    State.PENDING: "no outcome yet: not called, or to be called again",
    State.CLAIMED: "no outcome yet: a call was about to be sent, or was sent",
}
"""What each state says of a flow, in the order of the page: outcomes first."""

_CONFIRMED = Meaning("the service confirmed the deletion", "nothing")


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeRow:
    """Flows or lines that ended alike.

    `in_doubt` counts those that may be deleted although their state does not say so.
    """

    state: State
    code: str
    inferred: bool
    count: int
    in_doubt: int
    meaning: Meaning
    sample: tuple[Flow, ...]


def outcome_rows(results: ResultList) -> list[OutcomeRow]:
    """Return a row for each state and code of outcomes, in the order of the states, the most frequent first."""
    groups: dict[tuple[State, str, bool], list[Kind]] = {}
    for kind in results.kinds:
        if kind.state.final:
            groups.setdefault((kind.state, kind.code, kind.inferred), []).append(kind)
    rows = [_row(results, kinds) for kinds in groups.values()]
    order = list(STATE_MEANINGS)
    return sorted(rows, key=lambda row: (order.index(row.state), row.inferred, -row.count, row.code))


def _row(results: ResultList, kinds: list[Kind]) -> OutcomeRow:
    state, code, inferred, _ = kinds[0]
    confirmed = state is State.DELETED and not inferred
    return OutcomeRow(
        state=state,
        code=code,
        inferred=inferred,
        count=sum(results.kinds[kind] for kind in kinds),
        in_doubt=sum(results.kinds[kind] for kind in kinds if kind.in_doubt and state in FAILED),
        meaning=_CONFIRMED if confirmed else meaning_of(state, code),
        sample=tuple(flow for kind in kinds for flow in results.samples.get(kind, ()))[:SAMPLE],
    )
