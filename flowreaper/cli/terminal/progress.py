"""What a person sees of a run: one line on the terminal that is kept up to date, or a log event now and then."""

import asyncio
import contextlib
import os
from collections import deque
from collections.abc import Callable
from typing import TextIO

from flowreaper.events import Log
from flowreaper.job.summary import Snapshot

_REDRAW_S = 0.2
_EVENT_S = 60.0
_RATE_OVER_S = 10.0
_COLUMNS = 80
_ERASE_LINE = "\r\x1b[2K"


class Screen:
    """Standard error as a file that keeps a status line below everything that is written to it.

    Where it is no terminal there is no status line. A reader that went away is ignored: what it would have
    read is in the checkpoint.
    """

    def __init__(self, stderr: TextIO) -> None:
        self._stderr = stderr
        self._status = ""
        self.is_terminal = stderr.isatty() and os.environ.get("TERM") != "dumb"

    def write(self, text: str) -> int:
        """Write text that ends with a line break, above the status line."""
        self._put(f"{_ERASE_LINE if self._status else ''}{text}{self._status}")
        return len(text)

    def flush(self) -> None:
        """Do nothing: every write is flushed."""

    def show(self, status: str) -> None:
        """Replace the status line; an empty one removes it."""
        if self.is_terminal and status != self._status:
            width = self._columns() - 1
            erase = _ERASE_LINE if self._status else ""
            self._status = status[:width]
            self._put(erase + self._status)

    def _columns(self) -> int:
        # Not shutil's, which asks standard output: that may be a file.
        try:
            return os.get_terminal_size(self._stderr.fileno()).columns or _COLUMNS
        except (OSError, ValueError):
            return _COLUMNS

    def _put(self, text: str) -> None:
        with contextlib.suppress(OSError, ValueError):  # ValueError: the file was closed
            self._stderr.write(text)
            self._stderr.flush()


class Progress:
    """Tells how far a run is until it is cancelled: on the terminal 5 times a second, else an event a minute."""

    def __init__(self, screen: Screen, log: Log, snapshot: Callable[[], Snapshot]) -> None:
        self._screen = screen
        self._log = log
        self._snapshot = snapshot
        # The first call leaves at the start: between it and another lies a whole number of gaps.
        self._recent: deque[tuple[float, int]] = deque([(0.0, 1)])

    async def run(self) -> None:
        """Keep telling; the status line is gone at the end."""
        try:
            while True:
                await asyncio.sleep(_REDRAW_S if self._screen.is_terminal else _EVENT_S)
                now = self._snapshot()
                per_s = self._rate(now)
                if self._screen.is_terminal:
                    self._screen.show(describe(now, per_s))
                else:
                    fields = {state.value: count for state, count in now.done.items()}
                    silent_s = None if now.silent_s is None else round(now.silent_s)
                    self._log.info(
                        "run.progress",
                        **fields,
                        left=now.left,
                        calls_per_s=round(per_s, 2),
                        silent_s=silent_s,
                    )
        finally:
            self._screen.show("")

    def _rate(self, now: Snapshot) -> float:
        if now.calls != self._recent[-1][1]:
            self._recent.append((now.elapsed_s, now.calls))
        while len(self._recent) > 2 and now.elapsed_s - self._recent[0][0] > _RATE_OVER_S:  # noqa: PLR2004 -- two points make a slope
            self._recent.popleft()
        since_s, calls = self._recent[0]
        until_s = self._recent[-1][0] if now.elapsed_s - self._recent[-1][0] < 1 else now.elapsed_s
        return max(0.0, (now.calls - calls) / (until_s - since_s)) if until_s > since_s else 0.0


def describe(now: Snapshot, per_s: float) -> str:
    """Write a snapshot as one line."""
    parts = [f"{count:,} {state.value.replace('_', ' ')}" for state, count in now.done.items() if count]
    parts.append(f"{now.left:,}{'+' if now.reading else ''} left")
    if now.silent_s is not None:
        parts.append(f"no answer for {duration(now.silent_s)}, waiting")
        return "  ".join(parts)
    parts.append(f"{per_s:.1f} calls/s")
    if now.throttled:
        parts.append(f"{now.throttled:,} throttled")
    if per_s > 0 and not now.reading:
        parts.append(f"{duration(now.left / per_s)} to go")
    return "  ".join(parts)


def duration(seconds: float) -> str:
    """Write a time span as a person would: 42 s, 3 min 20 s, 55 h 33 min."""
    whole = round(seconds)
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours:,} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
