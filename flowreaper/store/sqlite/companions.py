"""The files beside a checkpoint: SQLite's own, and copies saved during a run. A fresh checkpoint must spoil neither."""

import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

from flowreaper.errors import Advice, CheckpointRefusedError
from flowreaper.escaping import printable

_COMPANIONS = ("-wal", "-shm", "-journal")
"""What SQLite adds to a database's name for the files that it makes, and removes, beside it."""

_SHARED_MEMORY = 3007000  # the version that such a file begins with (SQLite's "WAL-mode file format")
_MOST_SAVED = 100


def companion_named(checkpoint: Path, path: Path) -> str:
    """Return the name of the file beside a checkpoint, made or not, that a path is another name of; empty if none.

    The checkpoint itself counts, too.
    """
    for end in ("", *_COMPANIONS):
        own = checkpoint.with_name(checkpoint.name + end)
        if path.resolve() == own.resolve() or (path.exists() and own.exists() and path.samefile(own)):
            return own.name
    return ""


def refuse_lone_log(path: Path) -> None:
    """Raise where a checkpoint is empty or gone and its log is there: SQLite removes the log when it opens that.

    Raises:
        CheckpointRefusedError: the log would be lost.
    """
    now = look(path)
    if now is not None and not (stat.S_ISREG(now.st_mode) and now.st_size == 0):
        return
    for end in _COMPANIONS if now is None else ("-wal",):
        beside = look(path.with_name(path.name + end))
        if beside and (beside.st_size or now is None) and not _is_shared_memory(path, end):
            raise CheckpointRefusedError(
                f"the checkpoint {printable(str(path))} {'is empty' if now else 'does not exist'}, but there is"
                f" {printable(path.name + end)}, which SQLite would remove: put the checkpoint that it belongs"
                " to back in its place, or move it away",
                Advice.OTHER_CHECKPOINT,
            )


def saved_names(path: Path) -> Iterator[Path]:
    """Yield the names, in their order, under which a checkpoint is saved that lost its own during a run."""
    yield path.with_name(f"{path.name}.saved")
    for number in range(2, _MOST_SAVED + 1):
        yield path.with_name(f"{path.name}.saved.{number}")


def refuse_beside_saved(path: Path) -> None:
    """Raise where a checkpoint does not exist, but a saved copy of it does.

    Raises:
        CheckpointRefusedError: a fresh checkpoint would take the place of the copy.
    """
    for saved in saved_names(path):
        if look(saved):
            raise CheckpointRefusedError(
                f"the checkpoint {printable(str(path))} does not exist, but there is {printable(saved.name)}, which holds what a run had"
                " recorded when its file was removed. A fresh checkpoint would call every flow again, and those that"
                f" are deleted would end as absent: move it to {printable(path.name)}, or away if you do not need it"
            )


def _is_shared_memory(path: Path, end: str) -> bool:
    """Return whether a file is SQLite's -shm, which holds nothing of its own and may be left behind."""
    if end != "-shm":
        return False
    with path.with_name(path.name + end).open("rb") as file:
        return file.read(4) in (b"", bytes(4), _SHARED_MEMORY.to_bytes(4, sys.byteorder))


def look(path: Path | str) -> os.stat_result | None:
    """Return what stands at a path, a symbolic link not followed; None if nothing."""
    try:
        return os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
