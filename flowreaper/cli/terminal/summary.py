"""A run's end in a few lines: counts, what is left, and what to type next."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from flowreaper.cli.advice import shown
from flowreaper.cli.exit_status import STATUS_OF, ExitStatus
from flowreaper.cli.options import quoted
from flowreaper.cli.terminal.causes import describe_causes, describe_causes_briefly, state_words
from flowreaper.cli.terminal.start import left_alone
from flowreaper.durations import duration
from flowreaper.errors import (
    BackupInUseError,
    CheckpointInUseError,
    CheckpointTouchedError,
    ConfigurationError,
    NotDeletedError,
    TooManyFlowsError,
)
from flowreaper.job.summary import Summary
from flowreaper.model import FAILED, FINAL, Ending, State

_NOT_AT_ONCE = (CheckpointTouchedError, NotDeletedError, TooManyFlowsError)


def exit_status(summary: Summary) -> ExitStatus:
    """Return the exit status of a run that no signal ended."""
    if summary.ending is Ending.STOPPED and summary.error and not summary.calls:
        return error_status(summary.error)
    return STATUS_OF.get(summary.ending, ExitStatus.STOPPED)


def error_status(error: Exception) -> ExitStatus:
    """Return the exit status of a command that an error ended before it sent anything."""
    if isinstance(error, CheckpointInUseError | BackupInUseError):
        return ExitStatus.IN_USE
    return ExitStatus.USAGE if isinstance(error, ConfigurationError) else ExitStatus.STOPPED


@dataclass(frozen=True, slots=True)
class RunEnd:
    """The facts of a run's end.

    `resume` is the command that goes on, empty where there is none; `retry_absent` takes the absent flows again, too;
    `delete` begins the command that calls flows that are piped to it again; `verify` looks whether what was deleted is
    gone.
    `piped`: ids came from a pipe; `pipe_again`: these commands want the same ids again.
    """

    summary: Summary
    checkpoint: Path
    resume: str
    retry_absent: str = ""
    delete: str = ""
    verify: str = ""
    piped: bool = False
    pipe_again: bool = False

    @property
    def is_done(self) -> bool:
        """Whether nothing is left that this run would have taken."""
        return not self.summary.left and self.summary.ending in (Ending.FINISHED, Ending.INCOMPLETE)

    @property
    def next_command(self) -> str:
        """The command to type next, empty where nothing is left to do.

        Also where the checkpoint was touched: typed at once, it would begin a fresh one in place of the one that must
        be put back. Where more flows would be called than may be, it would be refused again. Where a deletion did not
        happen, it would go on with other flows before anybody has looked.
        """
        return "" if self.is_done or isinstance(self.summary.error, _NOT_AT_ONCE) else self.resume

    @property
    def was_not_deleted(self) -> bool:
        """Whether a flow that the service said to have deleted stopped the run: it may be there."""
        return isinstance(self.summary.error, NotDeletedError)

    @property
    def is_to_be_proven(self) -> bool:
        """Whether this run deleted flows, and nothing comes before a proof that they are gone."""
        return self.is_done and self.summary.this_run.get(State.DELETED, 0) > 0

    @property
    def found_nothing(self) -> str:
        """What to check where every flow of this run was absent and the job has deleted none; else empty."""
        if not _found_nothing(self.summary):
            return ""
        return (
            "Every flow of this run was absent, and this job has deleted none. Check that the access key belongs to the"
            " right account, and that the flows are in this region and space."
            + (f" Once it is right{self.pipe_words}: {self.retry_absent}" if self.retry_absent else "")
        )

    @property
    def pipe_words(self) -> str:
        """What a person has to do beside typing the command."""
        return ", pipe the same ids to this" if self.pipe_again else ""


def describe(end: RunEnd) -> str:
    """Write the facts for a person, in a few lines."""
    summary, file = end.summary, quoted(str(end.checkpoint))
    lines = _why(summary)
    nothing = "no outcome is known" if summary.in_doubt else "nothing was deleted"
    resumed = any(summary.counts.get(s, 0) != summary.this_run.get(s, 0) for s in FINAL)
    effort = _effort(summary, resumed=resumed)
    lines.append(f"This run: {_counts(summary.this_run, summary.inferred) or nothing}; {effort}")
    if resumed:
        lines.append(f"All runs: {_counts(summary.counts) or nothing}")
    in_doubt = f", {summary.in_doubt:,} of them in doubt" if summary.in_doubt else ""
    if summary.left:
        lines.append(f"Checkpoint: {file}, {summary.left:,} left to do{in_doubt}")
    elif summary.read_all:
        lines.append(f"Nothing left to do. Checkpoint: {file}")
    else:
        lines.append(
            f"Checkpoint: {file}, nothing in it is left to do, but the input was not read to its end"
        )
    lines += _warnings(end)
    failed = [cause for cause in summary.causes if cause.state in FAILED]
    if end.is_done:
        lines += describe_causes(failed, end.checkpoint, end.delete)
    elif end.next_command or end.was_not_deleted:
        lines += describe_causes_briefly(failed, end.checkpoint)
    if command := end.next_command:
        lines.append(f"To go on{end.pipe_words}: {command}")
    elif end.was_not_deleted and end.verify:
        lines.append(f"To see what is still there: {end.verify}")
    elif end.is_to_be_proven and end.verify:
        lines.append(f"To prove it: {end.verify}")
    return "\n".join(lines)


def title_of(ending: Ending) -> str:
    """Write an ending for a person: its name, as JSON has it, and what it means."""
    return f"{ending.value.replace('_', ' ').capitalize()}: {ending.meaning}."


def _why(summary: Summary) -> list[str]:
    """Say how the run ended."""
    doubtful = summary.in_doubt
    if summary.error:
        return [f"Stopped: {shown(summary.error)}"]
    if not any(summary.counts.values()) and summary.read_all:
        return ["No flow id was read."]
    if summary.ending is not Ending.INTERRUPTED:
        return [title_of(summary.ending)]
    if not doubtful:
        return ["Interrupted; no outcome is lost."]
    have = "flows have" if doubtful > 1 else "flow has"
    return [
        f"Interrupted; {doubtful:,} {have} had a call without an answer: the next run finds out what became of it."
    ]


def _warnings(end: RunEnd) -> list[str]:
    summary, checkpoint = end.summary, end.checkpoint
    lines = []
    if summary.unlisted:
        lines.append(left_alone(summary.unlisted, checkpoint))
    if end.found_nothing:
        lines.append(end.found_nothing)
    if end.piped and not summary.read_all:
        lines.append("The pipe was not read to its end; what was still to come is not in the checkpoint")
    return lines


def _found_nothing(summary: Summary) -> bool:
    absent = summary.this_run.get(State.ABSENT, 0)
    called = sum(count for state, count in summary.this_run.items() if state is not State.INVALID)
    return summary.never_deleted and absent > 0 and absent == called


def _counts(counts: Mapping[State, int], inferred: int = 0) -> str:
    parts = [f"{counts[state]:,} {state_words(state)}" for state in FINAL if counts.get(state)]
    if inferred:  # the first: none is inferred but of those deleted
        parts[0] += f" ({inferred:,} by inference: a call had no answer, and the next one found nothing)"
    return ", ".join(parts)


def _effort(summary: Summary, *, resumed: bool) -> str:
    pace = f" ({summary.calls_per_s:.2f}/s)" if summary.seconds >= 1 and summary.calls > 1 else ""
    parts = [
        f"{summary.calls:,} call{'' if summary.calls == 1 else 's'} in {duration(summary.seconds)}{pace}"
    ]
    if summary.throttled:
        parts.append(f"{summary.throttled:,} throttled")
    if summary.repeated:
        ending = "" if summary.repeated == 1 else "s"
        what = f"id{ending} skipped: done before or repeated" if resumed else f"duplicate{ending} skipped"
        parts.append(f"{summary.repeated:,} {what}")
    return ", ".join(parts)
