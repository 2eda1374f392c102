"""What a shell completes: checkpoints, and the codes of the one that is named.

A shell's script pastes what it gets into the command line and expands it there. So only words that no shell takes for
anything else are offered, and nothing that goes wrong is shown.
"""

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:  # a shell that completes loads it, others need not
    from click.shell_completion import CompletionItem

VARIABLE = "_FLOWREAPER_COMPLETE"
"""The environment variable by which a shell asks for words."""

_PLAIN = re.compile(r"[0-9A-Za-z._+@%/-]+")


def complete_checkpoint(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> "list[CompletionItem[str]]":
    """Return the checkpoints whose path begins so; where there are none, let the shell complete any file."""
    from click.shell_completion import CompletionItem

    del ctx, param
    found = sorted(_checkpoints(incomplete)) if _PLAIN.fullmatch(incomplete) or not incomplete else []
    return [CompletionItem(name) for name in found] or [CompletionItem(incomplete, type="file")]


def complete_code(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Return the codes of the checkpoint on the command line that begin so, the most frequent first.

    The checkpoint is only read; of a million flows that takes a fifth of a second.
    """
    del param
    counts: dict[str, int] = {}
    with contextlib.suppress(Exception):  # a traceback would land in the middle of somebody's prompt
        from flowreaper.store.sqlite.reader import read_status

        for by_code in read_status(_checkpoint_of(ctx)).codes.values():
            for code, count in by_code.items():
                counts[code] = counts.get(code, 0) + count
    codes = sorted(counts, key=lambda code: -counts[code])
    return [code for code in codes if code.startswith(incomplete) and _PLAIN.fullmatch(code)]


def _checkpoints(incomplete: str) -> Iterator[str]:
    folder, slash, start = incomplete.rpartition("/")
    with contextlib.suppress(OSError):
        for path in Path(f"{folder}{slash}" or ".").iterdir():
            name = path.name
            if name.startswith(start) and name.endswith(".ckpt") and path.is_file():
                whole = f"{folder}{slash}{name}"
                if _PLAIN.fullmatch(whole) and not whole.startswith("-"):
                    yield whole


def _checkpoint_of(ctx: click.Context) -> Path:
    """Return the checkpoint that is named, else that of the first source, else the only one in this folder."""
    named: Path | None = ctx.params.get("checkpoint")
    if named:
        return named
    # click stops at the option that lacks its value, and leaves the arguments as they are.
    arguments = [word for word in ctx.args if not word.startswith("-")]
    if not arguments:
        (only,) = _checkpoints("")
        return Path(only)
    is_source = any(parameter.name == "source" for parameter in ctx.command.params)
    return Path(f"{Path(arguments[0]).name}.ckpt" if is_source else arguments[0])
