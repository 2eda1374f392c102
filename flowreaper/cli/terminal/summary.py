"""A run's end in a few lines: counts, what is left, and what to type next."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from flowreaper.cli.advice import shown
from flowreaper.cli.exit_status import ExitStatus
from flowreaper.cli.options import quoted
from flowreaper.cli.terminal.progress import duration
from flowreaper.cli.terminal.start import left_alone
from flowreaper.errors import CheckpointTouchedError, ConfigurationError
from flowreaper.job.summary import Summary
from flowreaper.model import FAILED, FINAL, Ending, State


def exit_status(summary: Summary) -> ExitStatus:
    """Return the exit status of a run that no signal ended."""
    if summary.ending is Ending.STOPPED:
        unsent = isinstance(summary.error, ConfigurationError) and not summary.calls
        return ExitStatus.USAGE if unsent else ExitStatus.STOPPED
    return ExitStatus.INCOMPLETE if summary.failed else ExitStatus.DONE


def error_status(error: Exception) -> ExitStatus:
    """Return the exit status of a command that an error ended before it sent anything."""
    return ExitStatus.USAGE if isinstance(error, ConfigurationError) else ExitStatus.STOPPED


@dataclass(frozen=True, slots=True)
class RunEnd:
    """The facts of a run's end.

    `resume` is the command that goes on, empty where there is none; `retry_absent` takes the absent flows again, too.
    `piped`: ids came from a pipe; `pipe_again`: these commands want the same ids again. `limit` bounded the run's
    flows, None: nothing did.
    """

    summary: Summary
    checkpoint: Path
    resume: str
    retry_absent: str = ""
    piped: bool = False
    pipe_again: bool = False
    limit: int | None = None

    @property
    def next_command(self) -> str:
        """The command to type next, empty where nothing is left to do.

        Also where the checkpoint was touched: typed at once, it would begin a fresh one in place of the one that must
        be put back.
        """
        done = not self.summary.left and self.summary.ending is Ending.FINISHED
        return "" if done or isinstance(self.summary.error, CheckpointTouchedError) else self.resume

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
    lines = _why(summary, end.limit)
    nothing = "no outcome is known" if summary.in_doubt else "nothing was deleted"
    resumed = any(summary.counts.get(s, 0) != summary.this_run.get(s, 0) for s in FINAL)
    effort = _effort(summary, resumed=resumed)
    lines.append(f"This run: {_counts(summary.this_run, summary.inferred) or nothing}; {effort}")
    if resumed:
        lines.append(f"All runs: {_counts(summary.counts) or nothing}")
    in_doubt = f", {summary.in_doubt:,} of them in doubt" if summary.in_doubt else ""
    lines.append(
        f"Checkpoint: {file}, {summary.left:,} left to do{in_doubt}"
        if summary.left
        else f"Nothing left to do. Checkpoint: {file}"
    )
    lines += _warnings(end)
    lines += [
        f"To list the {_words(state)} {'lines' if state is State.INVALID else 'flows'}:"
        f" flowreaper results --state {state.value} {file}"
        for state in FAILED
        if summary.counts.get(state)
    ]
    if command := end.next_command:
        lines.append(f"To go on{end.pipe_words}: {command}")
    return "\n".join(lines)


def _why(summary: Summary, limit: int | None) -> list[str]:
    """Say why the run ended, where it did not simply finish."""
    doubtful = summary.in_doubt
    if summary.error:
        return [f"Stopped: {shown(summary.error)}"]
    if not any(summary.counts.values()):
        return ["No flow id was read."]
    if summary.ending is Ending.LIMIT:
        return [f"Stopped at --limit {limit}."]
    if summary.ending is not Ending.INTERRUPTED:
        return []
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
    parts = [f"{counts[state]:,} {_words(state)}" for state in FINAL if counts.get(state)]
    if inferred:  # the first: none is inferred but of those deleted
        parts[0] += f" ({inferred:,} by inference: a call had no answer, and the next one found nothing)"
    return ", ".join(parts)


def _words(state: State) -> str:
    return {State.GAVE_UP: "given up"}.get(state, state.value)


def _effort(summary: Summary, *, resumed: bool) -> str:
    parts = [f"{summary.calls:,} call{'' if summary.calls == 1 else 's'} in {duration(summary.seconds)}"]
    if summary.throttled:
        parts.append(f"{summary.throttled:,} throttled")
    if summary.repeated:
        ending = "" if summary.repeated == 1 else "s"
        what = f"id{ending} skipped: done before or repeated" if resumed else f"duplicate{ending} skipped"
        parts.append(f"{summary.repeated:,} {what}")
    return ", ".join(parts)
