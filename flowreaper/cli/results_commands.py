"""The ``flowreaper results`` commands that other commands name, ready for a shell, and the files that they write."""

import re
from pathlib import Path

from flowreaper.cli.options import path_word, quoted
from flowreaper.model import State

_NOT_IN_NAMES = re.compile(r"[^0-9A-Za-z._-]")
_LONGEST_IN_NAME = 60
_FORMATS = {".csv": " --format spreadsheet", ".jsonl": ""}


def list_command(checkpoint: Path, state: State | None = None, code: str | None = None) -> str:
    """Return the command that lists a checkpoint's records; `state` and `code` choose. None: all; empty: no code."""
    return f"{_chosen(state, code)} {path_word(checkpoint)}"


def write_command(checkpoint: Path, suffix: str, state: State | None = None, code: str | None = None) -> str:
    """Return the command that writes these records to `records_file` with this suffix: ``.csv`` or ``.jsonl``."""
    file = records_file(checkpoint, suffix, state, code)
    return f"{_chosen(state, code)}{_FORMATS[suffix]} -o {file} {path_word(checkpoint)}"


def remaining_command(checkpoint: Path) -> str:
    """Return the command that lists the flows that a verification found there all the same."""
    return f"flowreaper results --remaining {path_word(checkpoint)}"


def records_file(checkpoint: Path, suffix: str, state: State | None = None, code: str | None = None) -> str:
    """Return a file in the folder where the command is typed, as a word for a shell.

    Each checkpoint and each choice has one of its own: one that exists is not written over.
    """
    parts = [checkpoint.name.removesuffix(".ckpt"), state.value if state else "results"]
    if code is not None:
        parts.append(_NOT_IN_NAMES.sub("_", code)[:_LONGEST_IN_NAME] or "no-code")
    return path_word(Path(".".join(parts) + suffix))


def _chosen(state: State | None, code: str | None) -> str:
    by_state = f" --state {state.value}" if state else ""
    by_code = "" if code is None else f" --code {quoted(code or '-')}"
    return f"flowreaper results{by_state}{by_code}"
