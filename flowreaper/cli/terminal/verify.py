"""A verification for a person: its start, how far it is, its end, and the line that other commands show. Pure."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from flowreaper.cli.advice import shown
from flowreaper.cli.cause_commands import delete_command, safeguard_words
from flowreaper.cli.results_commands import remaining_command
from flowreaper.cli.terminal.causes import shown_flow
from flowreaper.durations import duration
from flowreaper.errors import RunError
from flowreaper.escaping import printable
from flowreaper.job.safeguard_settings import SafeguardSettings
from flowreaper.store.store import Status
from flowreaper.store.verification import (
    UNCLEAR,
    Checked,
    CheckResult,
    Extent,
    Scope,
    Verification,
    VerificationMethod,
)

SIGNS = {
    CheckResult.GONE: "-",
    CheckResult.SETTLED_DELETED: "-",
    CheckResult.REMAINS: "+",
    CheckResult.REOPENED: "+",
    CheckResult.SETTLED_PENDING: "+",
    CheckResult.SETTLED_REFUSED: "+",
    CheckResult.UNKNOWN: "?",
    CheckResult.STILL_IN_DOUBT: "?",
    CheckResult.KEPT_UNKNOWN: "?",
    CheckResult.KEPT: "=",
    CheckResult.KEPT_GONE: "!",
}
"""The sign of each flow in the file of --combined."""

_METHODS = {
    VerificationMethod.LOOK: "looked at each",
    VerificationMethod.LISTING: "listed, and looked at each that a listing shows",
}
_SHOWN = 3


class VerifyCommands(NamedTuple):
    """What to type next: `resume` the job, `list` the flows that remain, `delete` them in a new job."""

    resume: str
    list: str
    delete: str


def commands_after(status: Status, checkpoint: Path, safeguards: SafeguardSettings) -> VerifyCommands:
    """Return the commands to type after a verification of this checkpoint, whose job has these safeguards.

    What remains is deleted by another job, which begins with them, too: it may be in use by now.
    """
    remaining = remaining_command(checkpoint)
    again = Path(f"{checkpoint.name.removesuffix('.ckpt')}.remaining.ckpt")
    # A flow that was made anew under its id may be in use, so it is looked at whatever the job did before.
    keep_used = bool(safeguards.keep_used or not safeguards.only_drafts)
    careful = replace(safeguards, only_drafts=True, keep_used=keep_used)
    words = " ".join(safeguard_words(careful))
    return VerifyCommands(
        resume=delete_command(status, checkpoint),
        list=remaining,
        delete=f"{remaining} | {delete_command(status, again)} {words} -",
    )


def combined_line(checked: Checked) -> str:
    """Write a flow for --combined: its sign, its id, and its space if it has one."""
    flow = checked.suspect.flow
    space = f" {printable(flow.cust_space_id)}" if flow.cust_space_id else ""
    return f"{SIGNS[checked.check]} {printable(flow.flow_id)}{space}\n"


def describe_scope(scope: Scope, extent: Extent, read_rate: float, checkpoint: Path) -> str:
    """Say what a verification is about to do; `read_rate` is in calls a second."""
    recorded = "deleted or absent flows"
    what = (
        f"{_flows(scope.known, recorded)}"
        if scope.wanted == scope.known
        else f"a sample of {scope.wanted:,} of {scope.known:,} {recorded} (again with --seed {extent.seed})"
    )
    others = scope.total - scope.wanted
    more = "in doubt" if extent.sample is not None else "in doubt or kept"
    also = f" and {others:,} {more}" if others else ""
    lasts = (
        f"about {duration(scope.total / read_rate)} at {read_rate:g} calls/s"
        if extent.method is VerificationMethod.LOOK
        else "by listing their spaces"
    )
    return f"Verifying {printable(str(checkpoint))}: {what}{also}, {lasts}"


def describe_progress(done: int, total: int, found: int, seconds: float) -> str:
    """Say in a line how far a verification is, of which `found` flows are there that should be gone."""
    pace = done / seconds if seconds > 0 else 0.0
    left = f", {duration((total - done) / pace)} left" if pace else ""
    return f"{done:,}/{total:,} checked  {found:,} still there  {pace:.1f}/s{left}"


def describe_verification(verification: Verification) -> str:
    """Say in a line what a verification found: the line of ``status`` and of the end."""
    v = verification
    at = datetime.fromtimestamp(v.at_ms / 1000).astimezone()
    how = [_METHODS[v.method]]
    if v.is_sample:
        how.append(f"a sample of {v.wanted:,} of {v.known:,}")
    if not v.complete:
        how.append(f"cut short, {v.wanted - v.checked:,} not checked")
    if unclear := v.count(CheckResult.UNKNOWN):
        how.append(f"{unclear:,} could not be looked at")
    verb = "remains" if v.remain == 1 else "remain"
    return f"{v.remain:,} of {_flows(v.looked_at, 'deleted or absent flows')} {verb} ({'; '.join([*how, f'{at:%Y-%m-%d %H:%M}'])})"


def describe_end(
    verification: Verification,
    commands: VerifyCommands,
    unclear: Sequence[Checked],
    error: RunError | None,
) -> str:
    """Write a verification's end in a few lines.

    `unclear` are some of the flows that could not be looked at; `error` is what stopped the verification.
    """
    lines = [f"Stopped: {shown(error)}"] if error else []
    if not verification.complete and not verification.counts:
        return "\n".join([*lines, "No flow was checked"])
    lines.append(describe_verification(verification))
    lines += _remaining(verification, commands)
    lines += _doubts(verification, commands)
    lines += _kept(verification)
    lines += _unclear(verification, unclear)
    if not verification.complete:
        lines.append("What was found so far is in the checkpoint; the same command checks all of them again")
    return "\n".join(lines)


def _remaining(verification: Verification, commands: VerifyCommands) -> list[str]:
    remain = verification.count(CheckResult.REMAINS)
    if not remain:
        return []
    return [
        (
            f"  {'It keeps its' if remain == 1 else f'{remain:,} keep their'} outcome, which the service gave:"
            f" {'was it' if remain == 1 else 'were they'} made anew under the same id?"
        ),
        f"  To see {'it' if remain == 1 else 'them'}: {commands.list}",
        f"  To delete {'it' if remain == 1 else 'them'} in a new job: {commands.delete}",
    ]


def _doubts(verification: Verification, commands: VerifyCommands) -> list[str]:
    v = verification
    reopened, pending = v.count(CheckResult.REOPENED), v.count(CheckResult.SETTLED_PENDING)
    lines = []
    if reopened:
        lines.append(f"  {_flows(reopened, 'flows')}, deleted by inference only, will be called again")
    settled = [
        f"{v.count(check):,} {words}"
        for check, words in (
            (CheckResult.SETTLED_DELETED, "deleted, by inference"),
            (CheckResult.SETTLED_PENDING, "still there, to be called again"),
            (CheckResult.SETTLED_REFUSED, "still there, as the refusal said"),
        )
        if v.count(check)
    ]
    if settled:
        lines.append(f"In doubt before: {', '.join(settled)}")
    if reopened or pending:
        lines.append(f"To go on: {commands.resume}")
    return lines


def _kept(verification: Verification) -> list[str]:
    v = verification
    lines = []
    if v.count(CheckResult.KEPT):
        lines.append(f"Kept, and there: {_flows(v.count(CheckResult.KEPT), 'flows')}")
    if gone := v.count(CheckResult.KEPT_GONE):
        lines.append(
            f"Kept, but gone: {_flows(gone, 'flows')}. This job did not delete {'it' if gone == 1 else 'them'}: something"
            " else did, or the access key is of another account"
        )
    return lines


def _unclear(verification: Verification, unclear: Sequence[Checked]) -> list[str]:
    count = verification.count(*UNCLEAR)
    if not count:
        return []
    lines = [f"{_flows(count, 'flows')} could not be looked at:"]
    for each in unclear[:_SHOWN]:
        reply = each.reply
        status = f"HTTP {reply.status} " if reply.status else ""
        code = f"{printable(reply.code, 80)}: " if reply.code else ""
        lines.append(f"  {shown_flow(each.suspect.flow)}: {status}{code}{printable(reply.message)}")
    return lines


def _flows(count: int, many: str) -> str:
    return f"{count:,} {many.removesuffix('s') if count == 1 else many}"
