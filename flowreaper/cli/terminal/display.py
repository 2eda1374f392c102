"""Shows how far a run is, until the run ends: as a bar on a terminal, as a line now and then, or when asked."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from flowreaper.cli.terminal.estimate import Estimator
from flowreaper.cli.terminal.progress import View
from flowreaper.cli.terminal.screen import Screen
from flowreaper.job.summary import Snapshot

_REDRAW_S = 0.25
_LOOK_S = 1.0


class ProgressMode(StrEnum):
    """How progress is shown."""

    AUTO = "auto"  # a bar on a terminal, else lines
    BAR = "bar"  # the same: where nothing can be drawn, lines
    LINES = "lines"
    NONE = "none"  # only when asked


class StatusLine(Protocol):
    """What is kept up to date on a terminal."""

    def draw(self, view: View) -> None:
        """Show how far the run is."""
        ...

    def remove(self) -> None:
        """Leave nothing of it behind."""
        ...


class Display:
    """Shows a run until it is cancelled: on the status line 4 times a second, else with `tell` at an interval.

    `interval_s` is in seconds, 0: only when asked. `clock` returns the local time.
    """

    def __init__(
        self,
        snapshot: Callable[[], Snapshot],
        tell: Callable[[View], None],
        *,
        status_line: StatusLine | None,
        interval_s: float,
        clock: Callable[[], datetime],
    ) -> None:
        self._snapshot = snapshot
        self._tell = tell
        self._status_line = status_line
        self._interval_s = interval_s
        self._clock = clock
        self._estimator = Estimator()

    async def run(self) -> None:
        """Keep showing; the status line is gone at the end."""
        loop = asyncio.get_running_loop()
        told_at = loop.time()
        try:
            while True:
                await asyncio.sleep(self._pause_s())
                view = self._look()
                if self._status_line:
                    self._status_line.draw(view)
                elif self._interval_s and loop.time() - told_at >= self._interval_s:
                    told_at = loop.time()
                    self._tell(view)
        finally:
            if self._status_line:
                self._status_line.remove()

    def tell(self) -> None:
        """Tell at once how far the run is."""
        self._tell(self._look())

    def _pause_s(self) -> float:
        if self._status_line:
            return _REDRAW_S
        return min(_LOOK_S, self._interval_s or _LOOK_S)

    def _look(self) -> View:
        run, estimator = self._snapshot(), self._estimator
        estimator.add(run)
        return View(run, estimator.calls_per_s, estimator.left_s, self._clock())


def status_line(screen: Screen, mode: ProgressMode) -> StatusLine | None:
    """Return what is drawn on this screen, None where nothing can be or should be."""
    if not screen.is_terminal or mode not in (ProgressMode.AUTO, ProgressMode.BAR):
        return None
    from flowreaper.cli.terminal.bar import make_bar  # rich takes a while to import

    return make_bar(screen)
