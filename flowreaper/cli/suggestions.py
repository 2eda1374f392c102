"""What somebody may have meant: the nearest known word, a checkpoint instead of its input, an id instead of a file."""

import contextlib
import os
import re
import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from flowreaper.errors import ConfigurationError
from flowreaper.escaping import printable

# A generic class only since click 8.2.
if TYPE_CHECKING:
    _Choice = click.Choice[str]
else:
    _Choice = click.Choice

_SQLITE = b"SQLite format 3\0"
_LIKE_A_NAME = 0.85  # another job's checkpoint is no suggestion for a mistyped one
_DIGITS = re.compile(r"[0-9]{6}", re.ASCII)


def closest(word: str, known: Iterable[str], like: float = 0.6) -> str:
    """Return the known word that is most like this one, whatever the case; empty if none is as like as `like`, of 1."""
    from difflib import get_close_matches  # slow to import, and seldom wanted

    by_letters = {name.lower(): name for name in known}
    found = get_close_matches(word.lower(), by_letters, n=1, cutoff=like)
    return by_letters[found[0]] if found else ""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return a question that begins with a blank; empty if no known word is like this one."""
    found = closest(word, known)
    return f" Did you mean {printable(found, 80)}?" if found else ""


def instead_of_command(word: str, commands: Iterable[str]) -> str:
    """Return what was probably meant by a word that is no command, beginning with a blank; empty if nobody knows."""
    if Path(word).is_file():
        name = shlex.quote(printable(word))
        if word.endswith(".ckpt"):
            return f" To look at that checkpoint: flowreaper status {name}"
        return f" To delete the flows that this file lists: flowreaper delete {name}"
    return did_you_mean(word, commands)


class Choice(_Choice):
    """A choice that says which of its words was probably meant."""

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the word; raises click.BadParameter."""
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter as error:
            self.fail(f"{error.message}{did_you_mean(value, map(str, self.choices))}", param, ctx)


def refuse_what_is_no_checkpoint(path: Path, command: str) -> None:
    """Refuse a path that is certainly no checkpoint, where another one was probably meant.

    `command` is written before the checkpoint in the message.

    Raises:
        ConfigurationError: it names the checkpoint of this input, or one with a similar name.
    """
    if _may_be_a_checkpoint(path):
        return
    shown = printable(str(path))
    what = f"{shown} is no checkpoint" if path.exists() else f"there is no checkpoint {shown}"
    for own in (
        path.with_name(f"{path.name}.ckpt"),
        Path(f"{path.name}.ckpt"),
        Path(f"{path.name}.sandbox.ckpt"),
    ):
        if own.is_file():
            name = printable(str(own))
            raise ConfigurationError(f"{what}; {name} is one: {command} {shlex.quote(name)}")
    if path.exists():
        return
    here: list[str] = []
    with contextlib.suppress(OSError):
        here = sorted(other.name for other in path.parent.glob("*.ckpt"))
    if found := closest(path.name, here, _LIKE_A_NAME):
        raise ConfigurationError(f"{what}. Did you mean {printable(str(path.with_name(found)))}?")


def _may_be_a_checkpoint(path: Path) -> bool:
    """Return False only where it is none for sure; reading it will say what else is wrong."""
    try:
        if not path.is_file():  # to open a named pipe would wait for its writer
            return path.exists()
        with path.open("rb") as file:
            return file.read(len(_SQLITE)) in (b"", _SQLITE)
    except OSError:
        return True


def ids_among(sources: Sequence[str]) -> list[str]:
    """Return the sources that look like flow ids and are no files."""
    from flowreaper.producer.flow_ids import why_invalid

    return [
        source
        for source in sources
        if _DIGITS.search(source)
        and "." not in source
        and not why_invalid(source)
        and not os.path.exists(source)  # noqa: PTH110 -- Path.exists raises where a name is too long
    ]
