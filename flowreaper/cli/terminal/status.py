"""How far jobs are, for a person: one in full, or several, a line each. Pure."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from flowreaper.cli.terminal.causes import describe_causes, shown_flow, state_words
from flowreaper.cli.terminal.safeguards import safeguards_in_words
from flowreaper.cli.terminal.verify import describe_verification
from flowreaper.durations import duration
from flowreaper.escaping import printable
from flowreaper.job.safeguard_settings import SafeguardSettings
from flowreaper.model import FAILED, FINAL, UNFINISHED, Flow, State
from flowreaper.store.history import SEEN_EVERY_S, Minute, PastRun
from flowreaper.store.overview import Overview
from flowreaper.store.verification import CheckResult, latest_verifications

_NAMES_SHOWN = 5
_RUNS_SHOWN = 10
_CODES_SHOWN = 10
_PACE_OVER_MINUTES = 3
_MINUTE_S = 60
_LATE_S = 3 * SEEN_EVERY_S


class Pace(NamedTuple):
    """What a run does, a second: calls that it sends, and outcomes, which are fewer where calls are throttled."""

    calls_per_s: float
    outcomes_per_s: float


def describe(overview: Overview, checkpoint: Path, now: datetime, delete: str) -> str:
    """Write what a checkpoint holds; `now` is local time, `delete` as in `cause_commands`."""
    lines = [*_facts(overview, checkpoint, now), *_runs(overview, now), *_verifications(overview)]
    lines += describe_causes([c for c in overview.causes if c.state in FAILED], checkpoint, delete)
    if delete and not overview.status.live and any(map(overview.status.states.get, UNFINISHED)):
        lines.append(f"To go on: {delete}")
    return "\n".join(lines)


def _verifications(overview: Overview) -> list[str]:
    """Say what the latest verification found, and the latest whole one, and that flows of earlier ones remain."""
    if not overview.verifications:
        return []
    last, *whole = latest_verifications(overview.verifications)
    lines = [f"Verified: {describe_verification(last)}"]
    lines += [f"  the latest of all flows: {describe_verification(each)}" for each in whole]
    if overview.remaining.flows > last.count(CheckResult.REMAINS):
        flows = overview.remaining.flows
        lines.append(f"  by earlier verifications: {flows:,} flow{' remains' if flows == 1 else 's remain'}")
    return lines


def describe_on_screen(overview: Overview, checkpoint: Path, now: datetime, columns: int, rows: int) -> str:
    """Write how far a job is so that it fits on a screen, whose last column and row stay free."""
    lines = [*_facts(overview, checkpoint, now), *_runs(overview, now), *_verifications(overview)]
    return "\n".join(line[: columns - 1] for line in lines[: rows - 1])


def _facts(overview: Overview, checkpoint: Path, now: datetime) -> list[str]:
    status = overview.status
    where = "the sandbox" if status.sandbox else f"{status.endpoint}, access key {status.access_key}"
    lines = [f"{printable(str(checkpoint))}: {printable(where)}"]
    if status.account:
        lines.append(f"Account: {printable(status.account)} ({printable(status.arn)})")
    if safeguards := safeguards_in_words(SafeguardSettings().after(status.safeguards)):
        lines.append(f"Safeguards: {safeguards}")
    # A source has no flow of its own where all of its flows were read from others before.
    if sources := {printable(name): flows for name, flows in overview.sources.items() if flows}:
        lines.append(f"Read from {_counted(sources)}")
    if set(overview.spaces) - {""}:
        own = {shown_flow(Flow(space)) or "the account's own": n for space, n in overview.spaces.items()}
        lines.append(f"Spaces: {_counted(own)}")
    if status.live:
        lines.append(_live(overview, now))
    return lines + _states(overview)


def describe_in_a_line(overview: Overview, checkpoint: Path, width: int, now: datetime) -> str:
    """Write how far a job is at the local time `now` on one line; its name takes at least `width` columns."""
    states = overview.status.states
    done = sum(states.get(state, 0) for state in FINAL)
    parts = [f"{done:,} of {sum(states.values()):,} done"]
    parts += [f"{states[s]:,} {state_words(s)}" for s in (State.ABSENT, *FAILED) if states.get(s)]
    if overview.status.in_doubt:
        parts.append(f"{overview.status.in_doubt:,} in doubt")
    if overview.status.live:
        ended = f"a run is going on{_absence(overview.live_run, now)}"
    elif overview.runs:
        last = overview.runs[-1]
        ended = f"last run: {_ending(last)}, {_local(last.seen_at_ms):%Y-%m-%d %H:%M}"
    else:
        ended = "no run is known"
    return f"{printable(str(checkpoint)):<{width}}  {', '.join(parts)}; {ended}"


def pace_of(overview: Overview) -> Pace | None:
    """Return what the live run has done in its last minutes; None where that is not known, or it had no work."""
    run = overview.live_run
    recent = _last_minutes(overview, run) if run else []
    if run is None or not recent:
        return None
    since_ms = max(run.started_at_ms, recent[0].at_s * 1000)
    seconds = (run.seen_at_ms - since_ms) / 1000
    if seconds < 1:
        return None
    outcomes = sum(minute.deleted + minute.absent + minute.refused for minute in recent)
    return Pace(sum(minute.calls for minute in recent) / seconds, outcomes / seconds)


def _last_minutes(overview: Overview, run: PastRun) -> list[Minute]:
    """Return the last minutes of a run, without a gap up to when it was last seen: in a gap it slept or had no work."""
    recent: list[Minute] = []
    before_s = run.seen_at_ms / 1000
    for minute in reversed([minute for minute in overview.minutes if minute.run == run.number]):
        # What was seen in the first seconds of a minute may have no row yet.
        longest_s = 2 * _MINUTE_S if not recent else _MINUTE_S
        if before_s - minute.at_s > longest_s or len(recent) == _PACE_OVER_MINUTES:
            break
        recent.insert(0, minute)
        before_s = minute.at_s
    return recent


def _live(overview: Overview, now: datetime) -> str:
    status = overview.status
    going_on = f"A run is going on{f' ({printable(status.run)})' if status.run else ''}"
    if absence := _absence(overview.live_run, now):
        return f"{going_on}{absence}: it hangs, or was stopped (Ctrl-Z)"
    pace = pace_of(overview)
    if not pace:
        return going_on
    going_on = f"{going_on}: {pace.calls_per_s:.1f} calls/s"
    try:
        left_s = sum(status.states.get(state, 0) for state in UNFINISHED) / pace.outcomes_per_s
        end = now + timedelta(seconds=left_s)
    except (ZeroDivisionError, OverflowError):
        return going_on
    return f"{going_on}, {duration(left_s)} for all that is unfinished, until {end:%a %Y-%m-%d %H:%M}"


def _absence(run: PastRun | None, now: datetime) -> str:
    """Say since when a run that goes on has not been seen; empty where it was seen in time."""
    away_s = now.timestamp() - run.seen_at_ms / 1000 if run else 0.0
    return f", last seen {duration(away_s)} ago" if away_s > _LATE_S else ""


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


def _runs(overview: Overview, now: datetime) -> list[str]:
    shown = overview.runs[-_RUNS_SHOWN:]
    lines = []
    if len(overview.runs) > len(shown):
        lines.append(f"Runs 1 to {len(overview.runs) - len(shown):,} are not shown; --json has them")
    for run in shown:
        begun = f"Run {run.number}: {_local(run.started_at_ms):%Y-%m-%d %H:%M}"
        if run is overview.live_run:  # the states say more than its row, which is some seconds old
            lines.append(f"{begun}, going on{_absence(run, now)}")
        else:
            lines.append(f"{begun}, {duration(run.seconds)}, {_ending(run)}; {_done(run)}")
        if run.error:
            lines.append(f"  {printable(run.error, 2000)}")
    return lines


def _done(run: PastRun) -> str:
    """Write what a run did; one that was cut off has done more in its last seconds than it could keep."""
    outcomes = ", ".join(f"{run.counts[s]:,} {state_words(s)}" for s in FINAL if run.counts.get(s))
    throttled = f", {run.throttled:,} throttled" if run.throttled else ""
    calls = f"{run.calls:,} call{'' if run.calls == 1 else 's'}{throttled}"
    at_least = "at least " if outcomes and run.ending is None else ""
    return f"{at_least}{outcomes or 'no outcome'}; {calls}"


def _ending(run: PastRun) -> str:
    return "cut off" if run.ending is None else run.ending.value.replace("_", " ")


def _local(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000).astimezone()


def _counted(counts: dict[str, int]) -> str:
    shown = ", ".join(f"{name} ({count:,})" for name, count in list(counts.items())[:_NAMES_SHOWN])
    return shown + (f" and {len(counts) - _NAMES_SHOWN:,} more" if len(counts) > _NAMES_SHOWN else "")
