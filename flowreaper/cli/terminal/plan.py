"""A plan's heading, for a person. Pure."""

import shlex
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from flowreaper.durations import duration
from flowreaper.escaping import printable
from flowreaper.job.plan_file import PlanHeading
from flowreaper.model import FINAL, State

_LABEL_WIDTH = 12
_LIMIT = 2000
_DAY_S = 86_400
_MANY_DAYS_S = 2 * _DAY_S


def describe_plan(
    name: str,
    heading: PlanHeading,
    digest: str,
    job: tuple[Path, Mapping[State, int]] | None,
    now: datetime,
) -> str:
    """Write what a plan says of itself, a fact a line.

    `job` is its checkpoint and what that holds, None where there is none; `now` is local time.
    """
    flows = f"{heading.selected:,} flow{'' if heading.selected == 1 else 's'} to delete"
    kept = f", {heading.kept:,} kept by keep rules" if heading.kept else ""
    who = f"{heading.account} ({heading.arn})" if heading.account else "not known"
    filters = " ".join(map(shlex.quote, heading.filters)) or "none: every flow of the account's own space"
    facts = (
        ("Plan", f"{name}: {flows}, of {heading.seen:,} that were listed{kept}"),
        ("Account", who),
        ("Endpoint", heading.endpoint),
        ("Made", _made(heading, now)),
        ("Expires", _expires(heading, now)),
        ("Rules", filters),
        ("Digest", digest),
        ("Job", _job(job)),
    )
    return "\n".join(f"{label + ':':<{_LABEL_WIDTH}} {printable(text, _LIMIT)}" for label, text in facts)


def _made(heading: PlanHeading, now: datetime) -> str:
    moment = datetime.fromisoformat(heading.made_at)
    age_s = (now - moment).total_seconds()
    return f"{_local(moment)}, {_span(max(age_s, 0.0))} ago"


def _expires(heading: PlanHeading, now: datetime) -> str:
    moment = datetime.fromisoformat(heading.expires_at)
    left_s = (moment - now).total_seconds()
    if left_s <= 0:
        return f"{_local(moment)}: it has expired, and no job can begin with it"
    return f"{_local(moment)}, in {_span(left_s)}"


def _job(job: tuple[Path, Mapping[State, int]] | None) -> str:
    if job is None:
        return "not begun"
    checkpoint, states = job
    done = sum(states.get(state, 0) for state in FINAL)
    counts = ", ".join(f"{states[state]:,} {state}" for state in State if states.get(state))
    return f"{checkpoint}: {done:,} of {sum(states.values()):,} done ({counts or 'nothing read yet'})"


def _span(seconds: float) -> str:
    return duration(seconds) if seconds < _MANY_DAYS_S else f"{seconds / _DAY_S:.0f} days"


def _local(moment: datetime) -> str:
    return f"{moment.astimezone():%Y-%m-%d %H:%M}"
