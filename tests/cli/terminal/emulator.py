"""What the tests of the terminal share: a run's snapshots, and a small terminal that shows what a person would see."""

import io
import re
from typing import Any

from flowreaper.cli.terminal.screen import Screen
from flowreaper.job.summary import Snapshot

_TOKENS = re.compile(r"\x1b\[(?P<colour>[\d;]*m)|\x1b\[(?P<erase>J)|(?P<character>[^\x1b])")


def snapshot(**fields: Any) -> Snapshot:
    """Return a run that has not begun, with these fields."""
    usual: dict[str, Any] = {
        "done": {},
        "left": 0,
        "in_flight": 0,
        "calls": 0,
        "throttled": 0,
        "silent_s": None,
        "reading": False,
        "elapsed_s": 0.0,
    }
    return Snapshot(**(usual | fields))


class Terminal(io.StringIO):
    """A terminal that breaks long lines, and breaks them anew when its width changes, as most do.

    It obeys what the screen is known to send, and fails on any other control sequence.
    """

    def __init__(self, columns: int = 80) -> None:
        super().__init__()
        self.columns = columns
        self._lines: list[list[str]] = [[]]
        self._cursor = 0

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        position = 0
        while position < len(text):
            token = _TOKENS.match(text, position)
            assert token, text[position:]
            position = token.end()
            if token["erase"]:
                del self._lines[-1][self._cursor :]
            elif token["character"]:
                self._take(token["character"])
        return super().write(text)

    @property
    def rows(self) -> list[str]:
        """What stands on the screen, row by row, to the last one that is not empty."""
        rows = [
            "".join(line[at : at + self.columns]).rstrip()
            for line in self._lines
            for at in range(0, max(1, len(line)), self.columns)
        ]
        while rows and not rows[-1]:
            rows.pop()
        return rows

    def _take(self, character: str) -> None:
        if character == "\r":
            self._cursor -= self._cursor % self.columns
        elif character == "\n":
            self._lines.append([])
            self._cursor = 0
        else:
            line = self._lines[-1]
            line.extend(" " * (self._cursor - len(line)))
            line[self._cursor : self._cursor + 1] = character
            self._cursor += 1


class SizedScreen(Screen):
    """A screen on such a terminal, which knows its width without asking the system."""

    def __init__(self, terminal: Terminal) -> None:
        super().__init__(terminal)
        self._terminal = terminal

    @property
    def columns(self) -> int:
        return self._terminal.columns
