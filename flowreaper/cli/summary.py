"""What a run did, told at its end: counts, what is left, and what to type next."""

from collections.abc import Mapping
from pathlib import Path

from flowreaper.cli.options import quoted
from flowreaper.errors import ConfigurationError, FlowreaperError
from flowreaper.model import Ending, ExitStatus, State, Summary
from flowreaper.progress import duration

_FINAL = tuple(state for state in State if state.final)


def exit_status(summary: Summary) -> ExitStatus:
    """Return the exit status of a run that no signal ended."""
    if summary.ending is Ending.STOPPED:
        unsent = isinstance(summary.error, ConfigurationError) and not summary.calls
        return ExitStatus.USAGE if unsent else ExitStatus.STOPPED
    return ExitStatus.INCOMPLETE if summary.failed else ExitStatus.DONE


def error_status(error: FlowreaperError) -> ExitStatus:
    """Return the exit status of a command that an error ended before it sent anything."""
    return ExitStatus.USAGE if isinstance(error, ConfigurationError) else ExitStatus.STOPPED


def describe(summary: Summary, checkpoint: Path, resume: str, *, piped: bool = False) -> str:
    """Write a run's end in a few lines; `resume` is the command that goes on, `piped` whether ids came by pipe."""
    lines = []
    doubtful = summary.in_doubt
    if not any(summary.counts.values()) and summary.error is None:
        lines.append("No flow id was read.")
    if summary.error:
        lines.append(f"Stopped: {summary.error}")
    elif summary.ending is Ending.INTERRUPTED and not doubtful:
        lines.append("Interrupted; no outcome is lost.")
    elif summary.ending is Ending.INTERRUPTED:
        lines.append(
            f"Interrupted; {doubtful:,} flow{'s have' if doubtful > 1 else ' has'} had a call without an answer: the"
            " next run finds out what became of it."
        )
    elif summary.ending is Ending.LIMIT:
        lines.append("The limit of this run is reached.")
    nothing = "no outcome is known" if doubtful else "nothing was deleted"
    lines.append(f"This run: {_counts(summary.run, summary.inferred) or nothing}; {_effort(summary)}")
    if any(summary.counts.get(s, 0) != summary.run.get(s, 0) for s in _FINAL):
        lines.append(f"All runs: {_counts(summary.counts) or nothing}")
    file = quoted(str(checkpoint))
    in_doubt = f", {doubtful:,} of them in doubt" if doubtful else ""
    lines.append(f"Checkpoint: {file}, {summary.unfinished:,} left in it{in_doubt}")
    if piped and not summary.read_all:
        lines.append("The pipe was not read to its end: what it had not brought yet is not in the checkpoint")
    lines += [
        f"To see those {_words(state)}: flowreaper results --state {state.value} {file}"
        for state in (State.REFUSED, State.GAVE_UP, State.INVALID)
        if summary.counts.get(state)
    ]
    if summary.unfinished or summary.ending is not Ending.FINISHED:
        lines.append(f"To go on: {resume}")
    return "\n".join(lines)


def _counts(counts: Mapping[State, int], inferred: int = 0) -> str:
    parts = [f"{counts[state]:,} {_words(state)}" for state in _FINAL if counts.get(state)]
    if inferred:  # the first: none is inferred but of those deleted
        parts[0] += f" ({inferred:,} by inference: a call had no answer, and the next one found nothing)"
    return ", ".join(parts)


def _words(state: State) -> str:
    return {State.GAVE_UP: "given up"}.get(state, state.value)


def _effort(summary: Summary) -> str:
    parts = [f"{summary.calls:,} call{'' if summary.calls == 1 else 's'} in {duration(summary.seconds)}"]
    if summary.throttled:
        parts.append(f"{summary.throttled:,} throttled")
    if summary.repeated:
        parts.append(f"{summary.repeated:,} id{'' if summary.repeated == 1 else 's'} known already")
    return ", ".join(parts)
