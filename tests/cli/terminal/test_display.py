"""When progress is shown: the status line all the time, a line at an interval, or only when asked."""

import asyncio
import io
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from flowreaper.cli.terminal.display import Display, ProgressMode, StatusLine, status_line
from flowreaper.cli.terminal.progress import View
from flowreaper.cli.terminal.screen import Screen
from flowreaper.job.summary import Snapshot
from flowreaper.model import State
from tests.cli.terminal.emulator import SizedScreen, Terminal, snapshot
from tests.virtual import run_virtual

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)


class Line:
    def __init__(self) -> None:
        self.views: list[View] = []
        self.removed = 0

    def draw(self, view: View) -> None:
        self.views.append(view)

    def remove(self) -> None:
        self.removed += 1


def going_on() -> Snapshot:
    """A run of 5 calls a second since the loop's time 0."""
    now = asyncio.get_running_loop().time()
    done = int(now * 5)
    return snapshot(elapsed_s=now, calls=done, done={State.DELETED: done}, left=100_000 - done)


def shown(
    seconds: float,
    *,
    line: StatusLine | None = None,
    interval_s: float = 60.0,
    meanwhile: Callable[[Display], None] = lambda _display: None,
) -> list[View]:
    """Return what is told while this time passes; `meanwhile` is called at its end."""
    told: list[View] = []
    display = Display(going_on, told.append, status_line=line, interval_s=interval_s, clock=lambda: NOON)

    async def watch() -> None:
        task = asyncio.create_task(display.run())
        await asyncio.sleep(seconds)
        meanwhile(display)
        task.cancel()
        await asyncio.wait((task,))

    run_virtual(watch())
    return told


def test_on_a_terminal_the_line_is_drawn_four_times_a_second_and_gone_at_the_end() -> None:
    line = Line()
    assert shown(10.1, line=line) == []
    assert len(line.views) == 40
    assert line.removed == 1


@pytest.mark.parametrize(("interval_s", "lines"), [(60.0, 5), (0.5, 600), (0.0, 0)])
def test_elsewhere_a_line_comes_at_the_interval_and_none_where_it_is_0(interval_s: float, lines: int) -> None:
    assert len(shown(300.4, interval_s=interval_s)) == pytest.approx(lines, rel=0.02)


@pytest.mark.parametrize("line", [Line(), None])
def test_who_asks_is_told_at_once_with_what_was_seen_until_then(line: Line | None) -> None:
    (view,) = shown(30.0, line=line, interval_s=0.0, meanwhile=Display.tell)
    assert view.done == 150
    assert view.calls_per_s == pytest.approx(5, abs=0.2)
    assert view.left_s == pytest.approx(19_970, rel=0.01)


@pytest.mark.parametrize(
    ("mode", "on_terminal", "elsewhere"),
    [
        (ProgressMode.AUTO, True, False),
        (ProgressMode.BAR, True, False),
        (ProgressMode.LINES, False, False),
        (ProgressMode.NONE, False, False),
    ],
)
def test_a_bar_is_drawn_only_on_a_terminal(
    mode: ProgressMode, *, on_terminal: bool, elsewhere: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    assert (status_line(SizedScreen(Terminal()), mode) is not None) is on_terminal
    assert (status_line(Screen(io.StringIO()), mode) is not None) is elsewhere
    monkeypatch.setenv("TERM", "dumb")
    assert status_line(SizedScreen(Terminal()), mode) is None


@pytest.mark.parametrize(("terminal", "imported"), [("Terminal()", True), ("io.StringIO()", False)])
def test_the_bar_is_imported_only_where_it_is_drawn(terminal: str, *, imported: bool) -> None:
    program = (
        "import io, sys\n"
        "from flowreaper.cli.commands.delete import command\n"
        "from flowreaper.cli.terminal.display import ProgressMode, status_line\n"
        "from flowreaper.cli.terminal.screen import Screen\n"
        "class Terminal(io.StringIO):\n    isatty = lambda self: True\n"
        f"status_line(Screen({terminal}), ProgressMode.AUTO)\n"
        "names = ('flowreaper.cli.terminal.bar', 'rich.progress_bar')\n"
        "print(*{name in sys.modules for name in names})\n"
    )
    environment = {"TERM": "xterm", "PATH": ""}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment
    )
    assert done.stdout.split() == [str(imported)]
