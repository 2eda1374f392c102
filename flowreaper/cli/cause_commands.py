"""The commands that follow from a cause: list its flows, export them, call just those again."""

import re
from dataclasses import dataclass
from pathlib import Path

from flowreaper.cli.options import path_word, quoted
from flowreaper.job.settings import RETRYABLE
from flowreaper.model import Cause, State

_NOT_IN_NAMES = re.compile(r"[^0-9A-Za-z._-]")
_LONGEST_IN_NAME = 60


@dataclass(frozen=True, slots=True)
class CauseCommands:
    """Command lines, ready for a shell; `retry` is None where such flows are never called again."""

    list: str
    export: str
    retry: str | None


def cause_commands(cause: Cause, checkpoint: Path, delete: str) -> CauseCommands:
    """Return the commands for one cause of a checkpoint.

    `delete` begins the command that calls flows again, without a source. These flows alone are called, because they are
    piped to it: without a source it would take everything that is unfinished.
    """
    file = path_word(checkpoint)
    # Invalid lines have no code to select by.
    code = "" if cause.state is State.INVALID else f" --code {quoted(cause.code or '-')}"
    chosen = f"flowreaper results --state {cause.state.value}{code}"
    # Each cause has a file of its own: one that exists is not written over.
    code_in_name = _NOT_IN_NAMES.sub("_", cause.code)[:_LONGEST_IN_NAME]
    parts = (checkpoint.name.removesuffix(".ckpt"), cause.state.value, code_in_name, "csv")
    exported = path_word(Path(".".join(filter(None, parts))))
    retry = f"{chosen} {file} | {delete} --retry {cause.state.value} -"
    return CauseCommands(
        list=f"{chosen} {file}",
        export=f"{chosen} --format csv -o {exported} {file}",
        retry=retry if cause.state in RETRYABLE else None,
    )
