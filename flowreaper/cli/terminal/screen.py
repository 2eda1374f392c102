"""Standard error: the one way to it, for text, log events and the line that shows how far a run is."""

import contextlib
import os
import select
from typing import TextIO

_COLUMNS = 80
_NO_CURSOR = frozenset({"dumb", "unknown"})
# Erases to the end of the screen, not of the line: a terminal that was made narrower has broken the line in two.
_ERASE = "\r\x1b[J"


class Screen:
    """Standard error as a file that keeps a status line below everything that is written to it.

    Where it is no terminal there is no status line. A reader that went away is ignored: what it would have
    read is in the checkpoint. The cursor is not hidden, so nothing has to bring it back. It rests on the status line's
    first column: what the keyboard echoes (^C) breaks no line there, and a terminal that changes its width keeps it
    at the line's beginning.
    """

    def __init__(self, stderr: TextIO) -> None:
        self.stream = stderr
        self._status = ""
        self._drawn_at = 0
        self.is_terminal = stderr.isatty() and os.environ.get("TERM") not in _NO_CURSOR

    @property
    def columns(self) -> int:
        """The terminal's width, 80 where it is not known."""
        # Not shutil's, which asks standard output: that may be a file.
        try:
            return os.get_terminal_size(self.stream.fileno()).columns or _COLUMNS
        except (OSError, ValueError):
            return _COLUMNS

    @property
    def has_colours(self) -> bool:
        """Whether text may be coloured: https://no-color.org."""
        return self.is_terminal and not os.environ.get("NO_COLOR")

    def write(self, text: str) -> int:
        """Write text that ends with a line break, above the status line."""
        if not self._status:
            self._put(text)
            return len(text)
        if self.columns != self._drawn_at:  # as it is, the status might not fit: the next one will
            self._put(f"{_ERASE}{text}")
            self._status = ""
        else:
            self._put(f"{_ERASE}{text}{self._status}\r")
        return len(text)

    def flush(self) -> None:
        """Do nothing: every write is flushed."""

    def show(self, status: str) -> None:
        """Replace the status line; an empty one removes it.

        It must be narrower than the terminal. A terminal that takes no more (Ctrl-S) keeps the one before.
        """
        if not self.is_terminal or status == self._status:
            return
        if status and not self._takes_more():
            return
        self._put(f"\r{status}\x1b[J\r" if status else _ERASE)
        self._status, self._drawn_at = status, self.columns

    def _takes_more(self) -> bool:
        # A status line is not worth waiting for: the calls would wait as well.
        try:
            return bool(select.select([], [self.stream.fileno()], [], 0)[1])
        except (OSError, ValueError):
            return True

    def _put(self, text: str) -> None:
        with contextlib.suppress(OSError, ValueError):  # ValueError: the file was closed
            self.stream.write(text)
            self.stream.flush()
