"""What to do about a checkpoint that was moved, changed or removed during a run.

The functions return sentences for people; `save` also writes what a removed file held to a new one.
"""

import contextlib
import errno
import os
import sqlite3
from pathlib import Path

from flowreaper.escaping import printable
from flowreaper.store.sqlite.companions import saved_names
from flowreaper.store.sqlite.file_guard import Trouble

_FRESH = "a fresh checkpoint would call every flow again, and those that are deleted would end as absent"


def advice(trouble: Trouble) -> str:
    """Say what is left of the record, and what to do before going on."""
    if not trouble.intact:
        return (
            "What was recorded since it was last copied is only in the results that were streamed. Put a copy of it back before"
            f" you go on: {_FRESH}"
        )
    return f"All that was recorded is still in it, and calls in progress are in doubt: {trouble.then}, then go on"


def _new_file(path: Path) -> Path:
    for saved in saved_names(path):
        with contextlib.suppress(FileExistsError):
            os.close(os.open(saved, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
            return saved
    raise FileExistsError(errno.EEXIST, "every name for it is taken")


def save(db: sqlite3.Connection, path: Path) -> str:
    """Write a database whose file was removed to a new file, ``<path>.saved``; return a sentence about the result."""
    try:
        saved = _new_file(path)
        db.execute("VACUUM INTO ?", (str(saved),))
        with saved.open("rb") as file:
            os.fsync(file.fileno())
    except (OSError, sqlite3.Error) as error:
        return (
            f"What it held could not be saved ({printable(str(error))}), and is only in the results that were streamed:"
            f" {_FRESH}"
        )
    return (
        f"All that was recorded is saved as {printable(str(saved))}, and calls in progress are in doubt: move it to"
        f" {printable(path.name)}, then go on"
    )
