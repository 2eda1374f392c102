"""What a run is about to do, one fact a line: for the question, for --dry-run and for every start."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from flowreaper.cli.options import path_word
from flowreaper.cli.terminal.causes import shown_flow
from flowreaper.cli.terminal.progress import ends_at
from flowreaper.client.actions import CallerIdentity
from flowreaper.durations import duration
from flowreaper.escaping import printable
from flowreaper.job.dry_run import Plan
from flowreaper.job.safeguard_settings import SafeguardSettings
from flowreaper.model import State

NO_SAFEGUARDS = SafeguardSettings()
_LABEL_WIDTH = 12
_SOURCES_SHOWN = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """The facts of a run before its first call.

    `access_key` is masked, None where none was found; `caller` is whose it is, None where nobody was asked or
    `caller_unknown` says why that could not be found out; `former_key` is the one that the checkpoint was last used
    with, None where that may be the same account's. `counts` are the checkpoint's flows by state, empty for a new
    one. `sources` are names as given; `piped`: one of them can be read only once, so nobody knows yet what it
    holds. `found` is what the input holds, None where it is read while the run goes on; `known` counts the flows
    that are to be called for sure. `limit` bounds the flows of this run, None: all; `safeguards` are
    those that it has. The run stops at `stops_at`, a
    local time, at the latest, None: never.
    """

    endpoint: str
    access_key: str | None
    key_origin: str
    caller: CallerIdentity | None = None
    caller_unknown: str = ""
    former_key: str | None = None
    checkpoint: Path
    counts: Mapping[State, int]
    sources: tuple[str, ...]
    piped: bool = False
    found: Plan | None = None
    known: int = 0
    rate: float
    limit: int | None = None
    safeguards: SafeguardSettings = NO_SAFEGUARDS
    stops_at: datetime | None = None

    @property
    def to_call(self) -> int:
        """The flows that are known to be called, as far as `limit` allows."""
        flows = self.found.to_call if self.found else self.known
        return flows if self.limit is None else min(self.limit, flows)

    @property
    def unlisted(self) -> int | None:
        """The unfinished flows that the input does not list: 0 without an input, None while that is unknown."""
        if not self.sources:
            return 0
        return self.found.unlisted if self.found and not self.piped else None

    @property
    def is_counted(self) -> bool:
        """Whether `to_call` is all there is."""
        return not self.piped and (self.found is not None or not self.sources)


def describe(start: Start, what: str, now: datetime) -> str:
    """Write the facts for a person; `what` begins them, as in "About to permanently delete"; `now` is local time."""
    lines = [f"{what} {_flows(start)}", *_facts(start, now)]
    if found := start.found:
        if found.sample:
            lines.append(
                _line("For example", ", ".join(shown_flow(flow) for flow in found.sample[: start.limit]))
            )
        lines += [
            f"  Not a flow id: {printable(e.source)}, line {e.line}: {printable(e.text, 60)} ({printable(e.reason)})"
            for e in found.invalid_sample
        ]
        if start.unlisted:
            lines.append(f"  {left_alone(found.unlisted, start.checkpoint)}")
    if start.former_key:
        lines.append(f"  {another_key(start.former_key)}")
    return "\n".join(lines)


def fields(start: Start, now: datetime) -> dict[str, Any]:
    """Return the facts for a log event."""
    found = start.found
    counted = {"to_call": start.to_call} if start.is_counted else {"to_call": None, "known": start.to_call}
    planned = (
        {
            "new": found.new,
            "unfinished": found.unfinished,
            "reopened": found.reopened,
            "finished_before": found.finished,
            "repeated": found.repeated,
            "invalid": found.invalid,
            "unlisted": start.unlisted,
        }
        if found
        else {}
    )
    expected = expected_s(start, start.to_call, now)
    return {
        "endpoint": start.endpoint,
        "access_key": start.access_key,
        "access_key_from": start.key_origin,
        "account": start.caller.account if start.caller else None,
        "arn": start.caller.arn if start.caller else None,
        "checkpoint": str(start.checkpoint),
        "checkpoint_counts": {state.value: count for state, count in start.counts.items()},
        "sources": list(start.sources),
        **counted,
        **planned,
        "rate": start.rate,
        "only_drafts": bool(start.safeguards.only_drafts),
        "keep_used": bool(start.safeguards.keep_used),
        "backup": str(start.safeguards.backup) if start.safeguards.backup else None,
        "canary": start.safeguards.canary,
        "expected_s": round(expected, 1) if start.is_counted else None,
        "expected_end": ends_at(expected, now).isoformat(timespec="seconds") if start.is_counted else None,
        "stops_at": start.stops_at.isoformat(timespec="seconds") if start.stops_at else None,
    }


def another_key(former: str) -> str:
    """Say that the checkpoint was last used with another access key, which is masked."""
    return (
        f"Note: the checkpoint was last used with the access key {printable(former)}. If the present one belongs to"
        " another account, none of these flows will be found, and all will be recorded as absent."
    )


def left_alone(count: int, checkpoint: Path) -> str:
    """Say that unfinished flows which the input does not list stay as they are, and how to take them."""
    flows, verb, were = (
        ("flow of earlier inputs", "is", "was") if count == 1 else ("flows of earlier inputs", "are", "were")
    )
    return (
        f"{count:,} unfinished {flows} {verb} not in this input and {were} left alone;"
        f" {everything_command(checkpoint)} takes everything that is unfinished"
    )


def everything_command(checkpoint: Path) -> str:
    """Return the command that calls every unfinished flow of a checkpoint."""
    return f"flowreaper delete -c {path_word(checkpoint)}"


def expectation(start: Start, flows: int, now: datetime) -> str:
    """Say how long these flows take, and until when, or how many of them the time allows: `now` is local time."""
    seconds = expected_s(start, flows, now)
    allowed = round(seconds * start.rate)
    if start.stops_at and allowed < flows:
        return f"{duration(seconds)}, until it stops; about {allowed:,} of {flows:,} flows"
    end = ends_at(seconds, now)
    clock = f"{end:%H:%M:%S}" if end.date() == now.date() else f"{end:%a %Y-%m-%d %H:%M}"
    return f"{duration(seconds)}, until {clock}"


def expected_s(start: Start, flows: int, now: datetime) -> float:
    """Return for how many seconds from `now` on a run calls these flows: as long as they take, or until it stops."""
    seconds = flows / start.rate
    if start.stops_at is None:
        return seconds
    return min(seconds, max(0.0, (start.stops_at - now).total_seconds()))


def _flows(start: Start) -> str:
    count = f"{start.to_call:,} flow{'' if start.to_call == 1 else 's'}"
    if start.is_counted:
        return count
    more = "the flows that come from the pipe" if start.piped else "the flows that the input lists"
    return f"{count}, and {more}" if start.to_call else more


def _facts(start: Start, now: datetime) -> list[str]:
    key = start.access_key or "none found"
    lines = [
        _line("Endpoint", printable(start.endpoint)),
        _line(
            "Access key",
            f"{printable(key)}{f', from {printable(start.key_origin)}' if start.access_key else ''}",
        ),
        *_account(start),
        _line("Checkpoint", f"{printable(str(start.checkpoint))} ({_held(start.counts)})"),
        _line("Input", _input(start)),
    ]
    if start.found and start.limit is not None and start.limit < start.found.to_call:
        lines.append(_line("Limit", f"the first {start.limit:,} of {start.found.to_call:,}"))
    if start.safeguards.any:
        lines.append(_line("Safeguards", _safeguards(start.safeguards)))
    lines.append(_line("Rate", f"{start.rate:g} calls per second"))
    if start.stops_at:
        seconds = ":%S" if start.stops_at.second else ""
        lines.append(_line("Stops at", start.stops_at.strftime(f"%a %Y-%m-%d %H:%M{seconds}")))
    if start.is_counted:
        lines.append(_line("Expected", expectation(start, start.to_call, now)))
    elif start.piped:
        lines.append(_line("Expected", "unknown: the pipe is read as it comes"))
    else:
        lines.append(_line("Expected", "shown when the input has been read"))
    return lines


def _account(start: Start) -> list[str]:
    if start.caller:
        return [_line("Account", f"{printable(start.caller.account)} ({printable(start.caller.arn)})")]
    return [_line("Account", f"not known: {start.caller_unknown}")] if start.caller_unknown else []


def _safeguards(safeguards: SafeguardSettings) -> str:
    parts = []
    if safeguards.only_drafts:
        parts.append("only drafts")
    if safeguards.keep_used:
        parts.append("none that a template opens")
    if safeguards.backup:
        parts.append(f"each saved first, in {printable(str(safeguards.backup))}")
    if safeguards.canary:
        parts.append(f"the first {safeguards.canary:,} proven")
    return "; ".join(parts)


def _line(label: str, text: str) -> str:
    return f"  {label + ':':<{_LABEL_WIDTH}} {text}"


def _held(counts: Mapping[State, int]) -> str:
    finished = sum(count for state, count in counts.items() if state.final)
    unfinished = sum(counts.values()) - finished
    return f"{finished:,} done, {unfinished:,} unfinished" if finished or unfinished else "new"


def _input(start: Start) -> str:
    if not start.sources:
        parts = ["everything that is unfinished in the checkpoint"]
    else:
        shown = [printable(name) if name != "-" else "standard input" for name in start.sources]
        more = f" and {len(shown) - _SOURCES_SHOWN:,} more" if len(shown) > _SOURCES_SHOWN else ""
        parts = [", ".join(shown[:_SOURCES_SHOWN]) + more]
    if found := start.found:
        taken = _counted(
            (found.new, "new"), (found.unfinished, "unfinished"), (found.reopened, "taken again (--retry)")
        )
        left_out = _counted(
            (found.finished, "finished before"), (found.repeated, "repeated"), (found.invalid, "invalid")
        )
        if start.piped:
            taken = f"{taken}, and what the pipe brings" if taken else "read as it comes"
        parts.append("; left out: ".join(filter(None, [taken or "nothing to call", left_out])))
    elif start.sources:
        unread = "read as it comes" if start.piped else "read while the run goes on"
        parts.append(f"{start.known:,} known so far" if start.known else unread)
    return ": ".join(parts)


def _counted(*numbers: tuple[int, str]) -> str:
    return ", ".join(f"{count:,} {word}" for count, word in numbers if count)
