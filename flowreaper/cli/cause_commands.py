"""The commands that follow from a cause: list its flows, export them, call just those again."""

import re
from dataclasses import dataclass
from pathlib import Path

from flowreaper.cli.options import path_word, quoted
from flowreaper.client.endpoint import DEFAULT_REGION, region_endpoint
from flowreaper.job.settings import RETRYABLE
from flowreaper.model import Cause, State
from flowreaper.store.store import Status

_NOT_IN_NAMES = re.compile(r"[^0-9A-Za-z._-]")
_LONGEST_IN_NAME = 60


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


def cause_commands(cause: Cause, checkpoint: Path, delete: str) -> CauseCommands:
    """Return the commands for one cause of a checkpoint.

    `delete` begins the command that calls flows again, without a source; empty: nothing can be called again. The flows
    are written to a file that is its source: without one, everything unfinished would be taken, and of a pipe nobody
    could be told beforehand what is in it, nor go on after an interruption.
    """
    file = path_word(checkpoint)
    # Invalid lines have no code to select by.
    code = "" if cause.state is State.INVALID else f" --code {quoted(cause.code or '-')}"
    chosen = f"flowreaper results --state {cause.state.value}{code}"
    # Each cause has a file of its own: one that exists is not written over.
    code_in_name = _NOT_IN_NAMES.sub("_", cause.code)[:_LONGEST_IN_NAME]
    parts = (checkpoint.name.removesuffix(".ckpt"), cause.state.value, code_in_name)
    name = ".".join(filter(None, parts))
    table, again = path_word(Path(f"{name}.csv")), path_word(Path(f"{name}.jsonl"))
    retry = f"{chosen} -o {again} {file} && {delete} --retry {cause.state.value} {again}"
    return CauseCommands(
        list=f"{chosen} {file}",
        export=f"{chosen} --format spreadsheet -o {table} {file}",
        retry=retry if delete and cause.state in RETRYABLE else None,
    )
