"""Outcomes streamed to a file or to standard output while the run goes on."""

import contextlib
import errno
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from flowreaper.errors import Advice, ConfigurationError, OutputError, RunError
from flowreaper.escaping import printable
from flowreaper.model import Record
from flowreaper.sink.formats import json_line

MOST_HELD = 4 * 1024 * 1024
"""How many bytes (some 12,000 outcomes) are buffered for a slow reader before the run waits for it."""

_SIGNALS_S = 0.1
# Signal handlers run only in the main thread; a signal delivered to another thread does not interrupt its wait, so
# the wait is cut into pieces of this length.


class JsonLines:
    """Writes each outcome as a JSON object on its own line, in a thread: a slow reader does not slow the run.

    A reader that closes the pipe ends the stream, not the run; `closed` is called then, once. `begin` is called in the
    thread, with the first line, before anything is written; it may raise RunError.
    """

    def __init__(
        self,
        fd: int,
        name: str,
        closed: Callable[[str], None],
        *,
        most_held: int = MOST_HELD,
        begin: Callable[[bytes], None] | None = None,
    ) -> None:
        self._fd = fd
        self._name = name
        self._closed = closed
        self._most_held = most_held
        self._begin = begin
        self._changed = threading.Condition()
        self._held = bytearray()
        self._writing = 0
        self._ending = False
        self._broken: OSError | RunError | None = None
        self._reported = False
        # A daemon: a process that must exit at once does not wait for a reader that does not read.
        self._thread = threading.Thread(target=self._write, name="results", daemon=True)

    def start(self) -> None:
        """Start the thread; end it with `end`."""
        self._thread.start()

    @property
    def broken(self) -> bool:
        """Whether something could not be written."""
        return self._broken is not None

    def put(self, record: Record) -> None:
        """Take one outcome; blocks while too much waits to be written.

        Raises:
            OutputError: an earlier one could not be written (disk full and the like).
            RunError: `begin` raised it.
        """
        line = json_line(record).encode()
        with self._changed:
            while self._broken is None and len(self._held) >= self._most_held:
                self._changed.wait(_SIGNALS_S)
            if self._broken is None:
                self._held += line
                self._changed.notify_all()
        self._report()

    def written(self, within_s: float) -> bool:
        """Wait up to `within_s` seconds until all is written, or cannot be; return whether nothing waits any more."""
        with self._changed:
            return self._changed.wait_for(
                lambda: self._broken is not None or not (self._held or self._writing), within_s
            )

    def end(self) -> None:
        """Write what is buffered, and end the thread.

        Raises:
            OutputError: as `put`.
        """
        with self._changed:
            self._ending = True
            self._changed.notify_all()
        while self._thread.is_alive():
            self._thread.join(_SIGNALS_S)
        self._report()

    def _report(self) -> None:
        if self._broken is None or self._reported:
            return
        self._reported = True
        if isinstance(self._broken, BrokenPipeError):
            self._closed(self._name)
            return
        if isinstance(self._broken, RunError):
            raise self._broken
        raise OutputError(
            f"cannot write the results to {self._name}: {self._broken.strerror}. What was deleted is in the"
            " checkpoint",
            Advice.EXPORT_RESULTS,
        ) from self._broken

    def _write(self) -> None:
        while lines := self._next():
            try:
                if self._begin:
                    self._begin(lines[: lines.index(b"\n") + 1])
                    self._begin = None
                while lines:
                    lines = lines[os.write(self._fd, lines) :]
            except (OSError, RunError) as error:
                with self._changed:
                    self._broken = error
                    self._held.clear()
                    self._changed.notify_all()
                return

    def _next(self) -> bytes:
        with self._changed:
            self._writing = 0
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._held or self._ending)
            lines = bytes(self._held)
            self._held.clear()
            self._writing = len(lines)
            return lines


@contextlib.contextmanager
def started(lines: JsonLines) -> Iterator[JsonLines]:
    """Start a stream, and end it; raises OutputError at the end, where something could not be written."""
    lines.start()
    try:
        yield lines
    finally:
        lines.end()


def open_target(target: str, access: int = os.O_WRONLY) -> int:
    """Open a file that outcomes are appended to, and return its descriptor.

    A new file gets mode 0600; a symbolic link is not followed.

    Raises:
        ConfigurationError: it cannot be opened.
    """
    flags = access | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        return os.open(Path(target), flags, 0o600)
    except OSError as error:
        raise cannot_write(target, error) from error


def open_pipe(target: str) -> int | None:
    """Open a named pipe, and return its descriptor; None while nobody has opened it for reading.

    Raises:
        ConfigurationError: it cannot be opened.
    """
    flags = os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
    try:
        fd = os.open(Path(target), flags)
    except OSError as error:
        if error.errno == errno.ENXIO:
            return None
        raise cannot_write(target, error) from error
    os.set_blocking(fd, True)  # a slow reader makes the writing thread wait
    return fd


def cannot_write(target: str, error: OSError) -> ConfigurationError:
    """Return the error for results that cannot go where they should."""
    why = "it is a symbolic link" if error.errno == errno.ELOOP else error.strerror
    return ConfigurationError(f"cannot write the results to {printable(target)}: {why}")
