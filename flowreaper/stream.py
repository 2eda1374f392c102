"""Outcomes streamed to a file or to standard output while the run goes on."""

import contextlib
import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from flowreaper.errors import ConfigurationError, OutputError
from flowreaper.escaping import printable
from flowreaper.model import Record
from flowreaper.records import json_line


class JsonLines:
    """Writes each outcome as a JSON object on a line of its own, at once.

    A reader that goes away ends the stream, not the run: `closed` is called then, once.
    """

    def __init__(self, fd: int, name: str, closed: Callable[[str], None]) -> None:
        self._fd = fd
        self._name = name
        self._closed = closed
        self._open = True

    def put(self, record: Record) -> None:
        """Write one outcome.

        Raises:
            OutputError: it could not be written (disk full and the like).
        """
        if not self._open:
            return
        left = json_line(record).encode()
        try:
            while left:
                left = left[os.write(self._fd, left) :]
        except BrokenPipeError:
            self._open = False
            self._closed(self._name)
        except OSError as error:
            raise OutputError(
                f"cannot write the results to {self._name}: {error.strerror}. What was deleted is in the"
                " checkpoint: `flowreaper results` writes it out again"
            ) from error


@contextlib.contextmanager
def open_lines(target: str, stdout: int, closed: Callable[[str], None]) -> Iterator[JsonLines]:
    """Open where outcomes are streamed to: ``-`` is `stdout`, else a file that is appended to.

    A new file gets mode 0600; a symbolic link is not followed.

    Raises:
        ConfigurationError: the file cannot be opened.
    """
    if target == "-":
        yield JsonLines(stdout, "standard output", closed)
        return
    name = printable(target)
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        fd = os.open(Path(target), flags, 0o600)
    except OSError as error:
        why = "it is a symbolic link" if error.errno == errno.ELOOP else error.strerror
        raise ConfigurationError(f"cannot write the results to {name}: {why}") from error
    try:
        yield JsonLines(fd, name, closed)
    finally:
        os.close(fd)
