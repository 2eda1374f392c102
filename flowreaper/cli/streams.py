"""The standard streams at the command's two ends: closed ones when it starts, broken ones when it leaves."""

import contextlib
import errno
import json
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import click

from flowreaper.cli.exit_status import ExitStatus

FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})
"""Errors of a write that has nowhere to go. One without a file's name is of a standard stream."""

_FLAGS = ((0, os.O_WRONLY), (1, os.O_RDWR), (2, os.O_RDWR))


def open_closed() -> None:
    """Put the null device where a standard stream was closed.

    Else the next file that is opened, say the checkpoint, would take its place and what is printed.
    Standard input cannot be read then, rather than be empty.
    """
    for fd, flags in _FLAGS:
        try:
            os.fstat(fd)
        except OSError:
            os.open(os.devnull, flags)  # takes the lowest free number, which is this one
    # None is what Python makes of a closed stream.
    sys.stdout = sys.stdout or open(1, "w", closefd=False)  # noqa: SIM115 -- a descriptor, open until the end
    sys.stderr = sys.stderr or open(2, "w", closefd=False)  # noqa: SIM115 -- the same


def write_line(text: str) -> None:
    """Write a line to standard error, if somebody can read it."""
    with contextlib.suppress(OSError):
        click.echo(text, err=True)


def wants_json(words: Sequence[str], environment: Mapping[str, str]) -> bool:
    """Return whether standard error is to hold JSON lines only, for `words` of a command line that may be wrong."""
    if "delete" not in words:
        return False
    given = environment.get("FLOWREAPER_DELETE_LOG_FORMAT", "")
    for word, following in zip(words, [*words[1:], ""], strict=True):
        if word == "--":
            break
        if word == "--log-format":
            given = following
        elif word.startswith("--log-format="):
            given = word.partition("=")[2]
    return given.lower() == "json"


def refuse(text: str, status: int, *, as_json: bool) -> None:
    """Write to standard error why a command ends, as a line of text or as a log event."""
    if not as_json:
        write_line(f"Error: {text}")
        return
    at = datetime.now(UTC).isoformat()
    event = {
        "error": text,
        "exit_status": int(status),
        "level": "error",
        "timestamp": at,
        "event": "run.refused",
    }
    write_line(json.dumps(event))


def flush(status: int) -> int:
    """Write what is still buffered, and return the exit status: `status`, unless it was 0 and output is lost.

    What cannot be written is thrown away. Python would try again when it exits, print a traceback and exit
    with 120.
    """
    try:
        sys.stdout.flush()
    except OSError as error:
        _discard(1)
        if status == 0:
            status = cannot_write(error)
    try:
        sys.stderr.flush()
    except OSError:
        _discard(2)
    return status


def cannot_write(error: OSError) -> int:
    """Tell that standard output cannot be written to, unless its reader wanted no more; return the exit status."""
    if isinstance(error, BrokenPipeError):
        return 128 + signal.SIGPIPE
    write_line(f"Error: cannot write to standard output: {error.strerror or error}")
    return ExitStatus.STOPPED


def _discard(fd: int) -> None:
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, fd)
    os.close(null)
