"""What a slow reader has not taken yet: kept in a nameless temporary file, so that its writer need not wait.

A run cannot start on a checkpoint that is being read. A full pipe would make the reading last as long as the pipe's
reader likes: for ever, if that reader is the run that waits to start.
"""

import os
import tempfile
import threading
from types import TracebackType
from typing import BinaryIO, Self

_CHUNK = 256 * 1024
_SIGNALS_S = 0.1
# Signal handlers run only in the main thread, so its waits are cut into pieces of this length.


class Spool:
    """Passes bytes on to `out` in a thread, inside its `with` block; leaving the block waits until all is written.

    `write` raises what writing to `out` raised, and so does leaving the block. Where the temporary file has no room,
    `write` waits for the reader.
    """

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 -- closed by the thread that needs it last
        self._changed = threading.Condition()
        self._written = self._passed_on = 0
        self._ended = False
        self._error: OSError | None = None
        # A daemon: a process that must exit at once does not wait for a reader that does not read.
        self._thread = threading.Thread(target=self._pass_on, name="spool", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._changed:
            self._ended = True
            if error:
                self._written = self._passed_on
            self._changed.notify_all()
        while kind is None and self._thread.is_alive():
            self._thread.join(_SIGNALS_S)
        if kind is None:
            self._raise()

    def write(self, data: bytes) -> None:
        """Take some bytes; raises OSError where `out` cannot be written to."""
        while data:
            with self._changed:
                self._raise()
                try:
                    taken = os.pwrite(self._file.fileno(), data, self._written)
                except OSError:
                    if self._passed_on == self._written:
                        raise  # there is no room at all
                    self._changed.wait(_SIGNALS_S)
                    continue
                self._written += taken
                data = data[taken:]
                self._changed.notify_all()

    def _raise(self) -> None:
        if self._error:
            raise self._error

    def _pass_on(self) -> None:
        try:
            while data := self._next():
                self._out.write(data)
                self._out.flush()
                with self._changed:
                    self._passed_on += len(data)
                    if self._passed_on == self._written:
                        self._written = self._passed_on = 0
                        os.ftruncate(self._file.fileno(), 0)  # a reader that keeps pace needs no room
                    self._changed.notify_all()
        except OSError as error:
            with self._changed:
                self._error = error
                self._changed.notify_all()
        finally:
            with self._changed:
                self._file.close()

    def _next(self) -> bytes:
        with self._changed:
            while self._passed_on == self._written and not self._ended:
                self._changed.wait()
            count = min(_CHUNK, self._written - self._passed_on)
            return os.pread(self._file.fileno(), count, self._passed_on)
