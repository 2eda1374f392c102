"""The commands that follow from a cause: list its flows, export them, call just those again."""

from dataclasses import dataclass
from pathlib import Path

from flowreaper.cli.options import path_word, quoted
from flowreaper.cli.results_commands import list_command, records_file, write_command
from flowreaper.client.endpoint import DEFAULT_REGION, region_endpoint
from flowreaper.job.safeguard_settings import SafeguardSettings
from flowreaper.job.settings import RETRYABLE
from flowreaper.model import Cause, State
from flowreaper.store.store import Status


@dataclass(frozen=True, slots=True)
class CauseCommands:
    """Command lines, ready for a shell; `retry` is None where such flows are never called again."""

    list: str
    export: str
    retry: str | None


def delete_command(status: Status, checkpoint: Path) -> str:
    """Return the command that calls everything unfinished in a checkpoint.

    Empty for a rehearsal's, which begins afresh.
    """
    if status.sandbox:
        return ""
    usual = region_endpoint(DEFAULT_REGION).url
    endpoint = "" if status.endpoint == usual else f" --endpoint {quoted(status.endpoint)}"
    return f"flowreaper delete{endpoint} -c {path_word(checkpoint)}"


def safeguard_words(safeguards: SafeguardSettings) -> list[str]:
    """Return the options, written for a shell, with which another job begins with these safeguards."""
    words = []
    if safeguards.only_drafts:
        words += ["--only-drafts"]
    if bool(safeguards.keep_used) != bool(safeguards.only_drafts):
        words += ["--keep-used" if safeguards.keep_used else "--no-keep-used"]
    if safeguards.backup:
        words += ["--backup", path_word(safeguards.backup)]
    if safeguards.canary:
        words += ["--canary", str(safeguards.canary)]
    return words


def cause_commands(cause: Cause, checkpoint: Path, delete: str) -> CauseCommands:
    """Return the commands for one cause of a checkpoint.

    `delete` begins the command that calls flows again, without a source; empty: nothing can be called again. The flows
    are written to a file that is its source: without one, everything unfinished would be taken, and of a pipe nobody
    could be told beforehand what is in it, nor go on after an interruption.
    """
    # What a safeguard kept is offered to nobody for deletion.
    offered = cause.state in RETRYABLE and cause.state is not State.KEPT
    # Invalid lines have no code to choose by.
    chosen = (cause.state, None if cause.state is State.INVALID else cause.code)
    again = records_file(checkpoint, ".jsonl", *chosen)
    retry = f"{write_command(checkpoint, '.jsonl', *chosen)} && {delete} --retry {cause.state.value} {again}"
    return CauseCommands(
        list=list_command(checkpoint, *chosen),
        export=write_command(checkpoint, ".csv", *chosen),
        retry=retry if delete and offered else None,
    )
