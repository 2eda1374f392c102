"""How far jobs are, for a person: one in full, or several, a line each. Pure."""

from datetime import datetime, timedelta
from pathlib import Path

from flowreaper.cli.terminal.causes import describe_causes, shown_flow, state_words
from flowreaper.durations import duration
from flowreaper.escaping import printable
from flowreaper.model import FAILED, FINAL, UNFINISHED, Flow, State
from flowreaper.store.history import PastRun
from flowreaper.store.overview import Overview

_NAMES_SHOWN = 5
_RUNS_SHOWN = 10
_CODES_SHOWN = 10
_PACE_OVER_MINUTES = 3


def describe(overview: Overview, checkpoint: Path, now: datetime, delete: str) -> str:
    """Write what a checkpoint holds; `now` is local time, `delete` as in `cause_commands`."""
    status = overview.status
    where = "the sandbox" if status.sandbox else f"{status.endpoint}, access key {status.access_key}"
    lines = [f"{printable(str(checkpoint))}: {printable(where)}"]
    if overview.sources:
        lines.append(f"Read from {_counted({printable(name): n for name, n in overview.sources.items()})}")
    if set(overview.spaces) - {""}:
        own = {shown_flow(Flow(space)) or "the account's own": n for space, n in overview.spaces.items()}
        lines.append(f"Spaces: {_counted(own)}")
    if status.live:
        lines.append(_live(overview, now))
    lines += _states(overview)
    lines += _runs(overview)
    lines += describe_causes([c for c in overview.causes if c.state in FAILED], checkpoint, delete)
    if delete and not status.live and any(status.states.get(state) for state in UNFINISHED):
        lines.append(f"To go on: {delete}")
    return "\n".join(lines)


def describe_in_a_line(overview: Overview, checkpoint: Path, width: int) -> str:
    """Write how far a job is on one line; its name takes at least `width` columns."""
    states = overview.status.states
    done = sum(states.get(state, 0) for state in FINAL)
    parts = [f"{done:,} of {sum(states.values()):,} done"]
    parts += [f"{states[state]:,} {state_words(state)}" for state in FAILED if states.get(state)]
    if overview.status.in_doubt:
        parts.append(f"{overview.status.in_doubt:,} in doubt")
    if overview.status.live:
        ended = "a run is going on"
    elif overview.runs:
        ended = f"{_ending(overview.runs[-1])} {_local(overview.runs[-1].seen_at_ms):%Y-%m-%d %H:%M}"
    else:
        ended = "no run is known"
    return f"{printable(str(checkpoint)):<{width}}  {', '.join(parts)}; {ended}"


def pace_of(overview: Overview) -> float | None:
    """Return the live run's calls a second over its last minutes; None where that is not known."""
    run = overview.runs[-1] if overview.runs else None
    if run is None or not overview.status.live or run.ended_at_ms is not None:
        return None
    recent = [minute for minute in overview.minutes if minute.run == run.number][-_PACE_OVER_MINUTES:]
    if not recent:
        return None
    since_ms = max(run.started_at_ms, recent[0].at_s * 1000)
    seconds = (run.seen_at_ms - since_ms) / 1000
    return sum(minute.calls for minute in recent) / seconds if seconds >= 1 else None


def _live(overview: Overview, now: datetime) -> str:
    status = overview.status
    who = f" ({printable(status.run)})" if status.run else ""
    pace = pace_of(overview)
    if not pace:
        return f"A run is going on{who}"
    left = sum(status.states.get(state, 0) for state in UNFINISHED)
    try:
        end = now + timedelta(seconds=left / pace)
    except OverflowError:
        return f"A run is going on{who}: {pace:.1f} calls/s"
    return (
        f"A run is going on{who}: {pace:.1f} calls/s, {duration(left / pace)} for all that is unfinished,"
        f" until {end:%a %Y-%m-%d %H:%M}"
    )


def _states(overview: Overview) -> list[str]:
    status = overview.status
    lines = []
    for state in State:
        count = status.states.get(state, 0)
        if not count:
            continue
        note = f"  ({status.inferred:,} by inference)" if state is State.DELETED and status.inferred else ""
        if state is State.CLAIMED and status.under_way:
            note = "  (in progress)"
        lines.append(f"{state.value:>10} {count:>12,}{note}")
        codes = [item for item in status.codes[state].items() if item[0] not in ("", "OK")]
        lines += [f"{'':>10} {n:>12,}  {printable(code, 80)}" for code, n in codes[:_CODES_SHOWN]]
        if len(codes) > _CODES_SHOWN:
            lines.append(f"{'':>10} {'':>12}  and {len(codes) - _CODES_SHOWN:,} more codes")
    if status.in_doubt:
        lines.append(f"{'in doubt':>10} {status.in_doubt:>12,}  of the unfinished: a call had no answer")
    lines.append(f"{'total':>10} {sum(status.states.values()):>12,}")
    return lines


def _runs(overview: Overview) -> list[str]:
    shown = overview.runs[-_RUNS_SHOWN:]
    lines = []
    if len(overview.runs) > len(shown):
        lines.append(f"Runs 1 to {len(overview.runs) - len(shown):,} are not shown; --json has them")
    for run in shown:
        live = overview.status.live and run is overview.runs[-1] and run.ended_at_ms is None
        ending = "going on" if live else _ending(run)
        outcomes = ", ".join(f"{run.counts[s]:,} {state_words(s)}" for s in FINAL if run.counts.get(s))
        throttled = f", {run.throttled:,} throttled" if run.throttled else ""
        lines.append(
            f"Run {run.number}: {_local(run.started_at_ms):%Y-%m-%d %H:%M}, {duration(run.seconds)}, {ending};"
            f" {outcomes or 'no outcome'}; {run.calls:,} calls{throttled}"
        )
        if run.error:
            lines.append(f"  {printable(run.error, 200)}")
    return lines


def _ending(run: PastRun) -> str:
    return "cut off" if run.ending is None else run.ending.value.replace("_", " ")


def _local(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000).astimezone()


def _counted(counts: dict[str, int]) -> str:
    shown = ", ".join(f"{name} ({count:,})" for name, count in list(counts.items())[:_NAMES_SHOWN])
    return shown + (f" and {len(counts) - _NAMES_SHOWN:,} more" if len(counts) > _NAMES_SHOWN else "")
