"""The commands that follow from a cause: list its flows, export them, call just those again."""

from dataclasses import dataclass
from pathlib import Path

from flowreaper.cli.options import quoted
from flowreaper.job.settings import RETRYABLE
from flowreaper.model import Cause


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
    file = quoted(str(checkpoint))
    code = f" --code {quoted(cause.code)}" if cause.code else ""
    chosen = f"flowreaper results --state {cause.state.value}{code}"
    exported = quoted(f"{checkpoint.name.removesuffix('.ckpt')}.{cause.state.value}.csv")
    retry = f"{chosen} {file} | {delete} --retry {cause.state.value} -"
    return CauseCommands(
        list=f"{chosen} {file}",
        export=f"{chosen} --format csv -o {exported} {file}",
        retry=retry if cause.state in RETRYABLE else None,
    )
