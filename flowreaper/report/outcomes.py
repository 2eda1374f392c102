"""What became of a job's flows by state and code, row by row of the page's table. Pure."""

from dataclasses import dataclass

from flowreaper.client.meanings import BY_STATE, Meaning, meaning_of
from flowreaper.model import FAILED, Flow, State
from flowreaper.report.result_list import SAMPLE, Kind, ResultList


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
    order = list(BY_STATE)
    return sorted(rows, key=lambda row: (order.index(row.state), row.inferred, -row.count, row.code))


def _row(results: ResultList, kinds: list[Kind]) -> OutcomeRow:
    state, code, inferred, _ = kinds[0]
    return OutcomeRow(
        state=state,
        code=code,
        inferred=inferred,
        count=sum(results.kinds[kind] for kind in kinds),
        in_doubt=sum(results.kinds[kind] for kind in kinds if kind.in_doubt and state in FAILED),
        meaning=meaning_of(state, code, inferred=inferred),
        sample=tuple(flow for kind in kinds for flow in results.samples.get(kind, ()))[:SAMPLE],
    )
