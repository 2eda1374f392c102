"""Flows that were refused or given up, as one line each; on a terminal only the first few of each code."""

import unicodedata
from bisect import bisect_right
from collections import Counter
from collections.abc import MutableMapping
from datetime import datetime
from itertools import accumulate
from typing import Any

import structlog

from flowreaper.cli.terminal.screen import Screen
from flowreaper.escaping import printable

SHOWN_OF_EACH = 3
_CODES_SHOWN = 10
_LONGEST_CODE = 60
_WORDS = {"flow.refused": "refused", "flow.gave_up": "gave up"}

Event = MutableMapping[str, Any]


class Refusals:
    """A processor of structlog that writes these events to the screen itself; others pass through.

    On a terminal a line is as short as the terminal is wide, and after three lines of a code the rest are only
    counted: the status line shows how many, the checkpoint holds them all. `everything` shows each of them. Elsewhere
    each has its line, whole and with the time.
    """

    def __init__(self, screen: Screen, *, everything: bool) -> None:
        self._screen = screen
        self._everything = everything
        self._seen: Counter[tuple[str, str]] = Counter()

    def __call__(self, _log: object, _method: str, event: Event) -> Event:
        """Write the event, if it is one of these.

        Raises:
            structlog.DropEvent: it was.
        """
        word = _WORDS.get(event["event"])
        if word is None:
            return event
        if not self._screen.is_terminal:
            self._screen.write(f"{datetime.now():%H:%M:%S} {_line(word, event)}\n")  # noqa: DTZ005 -- as the clock on the wall shows it
        elif self._is_shown(word, printable(event["code"], _LONGEST_CODE)):
            self._screen.write(f"{_cut(_line(word, event), self._screen.columns - 1)}\n")
        raise structlog.DropEvent

    def _is_shown(self, word: str, code: str) -> bool:
        """Count an event; return whether to show it. Of the first that is not shown, say so."""
        if self._everything:
            return True
        kind = (word, code or "no code")
        if kind not in self._seen and len(self._seen) >= _CODES_SHOWN:
            kind = (word, "other codes")  # a service that makes up codes does not fill the screen
        self._seen[kind] += 1
        if self._seen[kind] == SHOWN_OF_EACH + 1:
            self._screen.write(f"More of {kind[1]} are counted; flowreaper results lists them.\n")
        return self._seen[kind] <= SHOWN_OF_EACH


def _line(word: str, event: Event) -> str:
    flow, space = printable(event["flow_id"], 40), printable(event["cust_space_id"], 40)
    code, message = printable(event["code"], _LONGEST_CODE), printable(event["message"])
    return " ".join(filter(None, [f"{word}:", f"{space}/{flow}" if space else flow, code, message]))


def _cut(text: str, columns: int) -> str:
    """Return a text cut to a number of columns, with an ellipsis where something is left out."""
    ends = list(accumulate(map(_width, text)))
    if not ends or ends[-1] <= columns:
        return text
    return f"{text[: bisect_right(ends, columns - 1)]}…" if columns > 0 else ""


def _width(character: str) -> int:
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
