"""How far a listing is, and what became of its flows, for a person. Pure."""

from flowreaper.escaping import printable
from flowreaper.job.flow_rules import Verdict
from flowreaper.job.listing import FoundFlow, Tally

_NAME_LIMIT = 60


def progress_line(tally: Tally) -> str:
    """Write how far a listing is, on a line."""
    parts = [tally.doing or "asking the service", f"{tally.seen:,} seen"]
    parts += [f"{tally.count(Verdict.SELECTED):,} selected"]
    if tally.to_look_at:
        parts.append(f"{tally.to_look_at:,} left to look at")
    return ", ".join(parts)


def sum_line(tally: Tally) -> str:
    """Write how many flows were listed, and which rules decided."""
    flows = f"{tally.seen:,} flow{'' if tally.seen == 1 else 's'} listed"
    parts = [f"{tally.count(Verdict.SELECTED):,} selected"]
    parts += [
        f"{count:,} {verdict} ({_by_rule(tally, verdict)})"
        for verdict in (Verdict.KEPT, Verdict.PASSED_OVER)
        if (count := tally.count(verdict))
    ]
    if tally.unknown:
        parts.append(f"the status of {tally.unknown:,} could not be read")
    return f"{flows}: {', '.join(parts)}"


def decision_line(found: FoundFlow) -> str:
    """Write which rule decided about a flow."""
    decision, space = found.decision, found.flow.cust_space_id
    where = f" in {printable(space)}" if space else ""
    name = printable(found.name, _NAME_LIMIT)
    return (
        f"{decision.verdict:<11} {printable(found.flow.flow_id)}{where} ({name}): {printable(decision.rule)}"
    )


def _by_rule(tally: Tally, verdict: Verdict) -> str:
    counts = {kind: count for (had, kind), count in tally.decisions.items() if had is verdict}
    return ", ".join(
        f"{count:,} by {kind}" for kind, count in sorted(counts.items(), key=lambda item: -item[1])
    )
