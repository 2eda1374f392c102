"""What ``flowreaper restore`` shows: the plan, what became of single flows, the end. Pure."""

import json
from dataclasses import dataclass

from flowreaper.client.actions import CallerIdentity
from flowreaper.escaping import printable
from flowreaper.job.restoration import RestorePlan, RestoreSummary
from flowreaper.model import Ending
from flowreaper.safeguards.backup_entry import INDEX, JOURNAL, BackupEntry
from flowreaper.safeguards.restoration import Json, Restored, Result
from flowreaper.safeguards.restore_journal import Draft, Step

_LINES_SHOWN = 5
_FAILED = (Result.REFUSED, Result.UNSURE, Result.DAMAGED)


@dataclass(frozen=True, slots=True)
class RestoreStart:
    """What is known before anything is sent. `fill_command` sets the JSON later, `resume` goes on."""

    folder: str
    endpoint: str
    access_key: str
    caller: CallerIdentity | None
    json_base_url: str
    plan: RestorePlan
    fill_command: str
    resume: str


def describe(start: RestoreStart, what: str) -> str:
    """Write the plan; `what` begins it, as in "About to make"."""
    plan = start.plan
    up_to = "up to " if plan.looked_at else ""
    lines = [
        f"{what} {up_to}{_drafts(len(plan.places) - plan.filled)} from the backup {start.folder}",
        f"  Endpoint:    {printable(start.endpoint)}",
        f"  Access key:  {printable(start.access_key)}",
    ]
    if start.caller:
        lines.append(f"  Account:     {start.caller.account} ({printable(start.caller.arn)})")
    if plan.accounts:
        lines.append(f"  Saved from:  {', '.join(map(printable, sorted(plan.accounts)))}")
    lines.append(f"  Flows:       {_flows(plan)}")
    if plan.looked_at:
        lines.append(f"  Look first:  {_look(plan)}")
    if plan.places:
        lines.append(f"  JSON:        {_json(start)}")
    if plan.unreadable:
        shown = ", ".join(map(str, plan.unreadable[:_LINES_SHOWN]))
        lines.append(
            f"  Warning:     lines of {INDEX} that cannot be read: {len(plan.unreadable):,} (number {shown})"
        )
    return "\n".join(lines)


def record_line(restored: Restored) -> str:
    """Write what became of a flow as a JSON object on a line of its own; ASCII, so nothing in it steers a terminal."""
    entry = restored.entry
    fields = {
        "flow_id": entry.flow_id,
        "cust_space_id": entry.cust_space_id,
        "new_flow_id": restored.new_flow_id or None,
        "name": entry.name,
        "result": restored.result.value,
        "json": restored.json.value if restored.new_flow_id else None,
        "file": None if entry.sha256 is None else entry.file,
        "message": restored.message or None,
    }
    return f"{json.dumps(fields)}\n"


def known_record(entry: BackupEntry, draft: Draft) -> Restored:
    """Return what an earlier run did, as this one would have."""
    none = Json.NONE if entry.sha256 is None else Json.NOT_SET
    return Restored(entry, Result.KNOWN, draft.new_flow_id, Json.SET if draft.step is Step.JSON_SET else none)


def trouble_line(restored: Restored) -> str:
    """Return a line about a flow that did not become what was wanted; empty for others."""
    if restored.result not in _FAILED and restored.json is not Json.REFUSED:
        return ""
    what = "JSON refused" if restored.result not in _FAILED else restored.result.value.capitalize()
    return f"{what}: {printable(restored.entry.flow_id)} ({printable(restored.entry.name, 80)}): {restored.message}"


def describe_end(start: RestoreStart, summary: RestoreSummary) -> str:
    """Write the end: what was done, what was not and why, and the command that goes on."""
    counts, plan = summary.results, start.plan
    parts = [f"{_drafts(counts[Result.CREATED])} made"]
    if known := counts[Result.KNOWN] + len(plan.known):
        parts.append(f"{known:,} made by an earlier run")
    if counts[Result.THERE]:
        parts.append(f"{counts[Result.THERE]:,} still there and left alone")
    parts += [f"{counts[result]:,} {result.value}" for result in _FAILED if counts[result]]
    if summary.json[Json.SET]:
        parts.append(f"JSON set for {summary.json[Json.SET]:,}")
    if summary.json[Json.REFUSED]:
        parts.append(f"JSON refused for {summary.json[Json.REFUSED]:,}")
    lines = [f"{_ENDED[summary.ending]}: {', '.join(parts)}."]
    if summary.left:
        lines.append("1 flow is left." if summary.left == 1 else f"{summary.left:,} flows are left.")
    if empty := summary.json[Json.NOT_SET] + plan.known_empty:
        lines.append(_how_to_fill(start, empty))
    if summary.left and start.resume:
        lines.append(f"To go on: {start.resume}")
    return "\n".join(lines)


_ENDED = {
    Ending.FINISHED: "Restored",
    Ending.INCOMPLETE: "Restored in part",
    Ending.LIMIT: "Limit reached",
    Ending.INTERRUPTED: "Interrupted",
    Ending.STOPPED: "Stopped",
}


def _how_to_fill(start: RestoreStart, empty: int) -> str:
    drafts = "1 draft is empty" if empty == 1 else f"{empty:,} drafts are empty"
    return (
        f"{drafts}: the service fetches a flow's JSON from a URL, and none was given. Either put the folder"
        f" {start.folder} where the service can fetch it, and run\n  {start.fill_command}\n"
        f"or upload each file by hand: standard output and {JOURNAL} name the file of each new flow."
    )


def _flows(plan: RestorePlan) -> str:
    parts = [f"{plan.held:,} in the backup"]
    if plan.known:
        parts.append(f"{len(plan.known):,} restored before")
    if plan.filled:
        parts.append(f"JSON for {_drafts(plan.filled)} of an earlier run")
    if plan.unanswered:
        parts.append(
            f"{plan.unanswered:,} may have a draft, since a call had no answer: looked for by name first"
        )
    if plan.left:
        parts.append(f"{plan.left:,} beyond the limit")
    return "; ".join(parts)


def _look(plan: RestorePlan) -> str:
    flows = "1 flow" if plan.looked_at == 1 else f"{plan.looked_at:,} flows"
    before = f"; {plan.were_there:,} still there when an earlier run looked" if plan.were_there else ""
    return f"{flows} (GetFlow): one that is still there gets no draft{before}"


def _json(start: RestoreStart) -> str:
    if start.json_base_url:
        return f"fetched by the service from {printable(start.json_base_url)}"
    if len(start.plan.places) == start.plan.without_json:
        return "these flows had none"
    return "none, so the drafts will be empty (--json-base-url)"


def _drafts(count: int) -> str:
    return f"{count:,} draft{'' if count == 1 else 's'}"
