"""A new file that a command writes, or standard output: never over another file, never through a symbolic link."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import click

from flowreaper.errors import ConfigurationError, OutputError
from flowreaper.escaping import printable
from flowreaper.store.sqlite.companions import companion_named, look

STDOUT = Path("-")


def check_new(output: Path | None, checkpoint: Path, *, option: str = "--output") -> None:
    """Check, before anything is read, that an output can be made; None and ``-`` are standard output.

    `option` is the one that named it.

    Raises:
        ConfigurationError: it exists, or is a file of the checkpoint's own.
    """
    if output is None or output == STDOUT:
        return
    if own := companion_named(checkpoint, output):
        raise ConfigurationError(
            f"{option} {printable(str(output))} is {printable(own)}, a file of the checkpoint's own: name another"
        )
    if look(output):
        raise _exists(output)


@contextlib.contextmanager
def new_file(output: Path | None) -> Iterator[BinaryIO]:
    """Open an output to be written: a new file of mode 0600, or standard output for None and ``-``.

    Raises:
        ConfigurationError: the file exists, or cannot be made.
        OutputError: it cannot be written, by what is done in the block, too.
    """
    try:
        with _open(output) as out:
            yield out
            out.flush()
    except BrokenPipeError:
        raise  # a reader that closed the pipe gets no message
    except OSError as error:
        where = printable(str(output)) if output and output != STDOUT else "standard output"
        raise OutputError(
            f"cannot write to {where}: {error.strerror}. What was written is not all of it: once there is room,"
            " begin again"
        ) from error


def write_whole(output: Path | None, text: str) -> None:
    """Write a text as `new_file` does; where it cannot be written whole, no file is left behind."""
    with new_file(output) as out:
        try:
            out.write(text.encode())
            out.flush()
        except BaseException:
            if output and output != STDOUT:
                output.unlink(missing_ok=True)
            raise


def _open(output: Path | None) -> BinaryIO:
    if output is None or output == STDOUT:
        return click.open_file("-", "wb")  # type: ignore[return-value]  # "wb" opens a binary file
    try:
        # O_EXCL: neither another file nor what a symbolic link points to is overwritten.
        return os.fdopen(os.open(output, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb")
    except FileExistsError:
        raise _exists(output) from None
    except OSError as error:
        raise ConfigurationError(f"{printable(str(output))}: cannot be made: {error.strerror}") from None


def _exists(output: Path) -> ConfigurationError:
    return ConfigurationError(f"{printable(str(output))} already exists; remove it or choose another name")
