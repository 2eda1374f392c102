"""What a person sees while a run goes on."""

import asyncio
import io
import math
import os
import termios
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowreaper.cli.terminal import progress as progress_module
from flowreaper.cli.terminal.progress import Progress, Screen, describe, duration
from flowreaper.job.summary import Snapshot
from flowreaper.model import State

ERASE = "\r\x1b[2K"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class ClosedPipe(Terminal):
    """A reader that went away: nothing can be written, as the given error says."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self._error = error

    def write(self, _text: str) -> int:
        raise self._error


class Log:
    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, object]]] = []

    def is_enabled_for(self, level: int) -> bool:  # noqa: ARG002 -- the Protocol's signature
        return True

    def debug(self, event: str, **fields: object) -> None: ...
    def warning(self, event: str, **fields: object) -> None: ...
    def info(self, event: str, **fields: object) -> None:
        self.events.append((event, fields))


class Run:
    """A run that is seen in the given states one after another, and is then over."""

    def __init__(self, *states: Snapshot) -> None:
        self._states = iter(states)

    def __call__(self) -> Snapshot:
        try:
            return next(self._states)
        except StopIteration:
            raise asyncio.CancelledError from None


def snapshot(**fields: Any) -> Snapshot:
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


@pytest.fixture(autouse=True)
def usual_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """No time passes between two looks."""
    monkeypatch.setattr(progress_module, "_REDRAW_S", 0)
    monkeypatch.setattr(progress_module, "_EVENT_S", 0)


async def watch(screen: Screen, log: Log, *states: Snapshot) -> None:
    with pytest.raises(asyncio.CancelledError):
        await Progress(screen, log, Run(*states)).run()


# The screen


def test_text_goes_above_the_status_line_which_is_drawn_again() -> None:
    terminal = Terminal()
    screen = Screen(terminal)
    screen.show("1 left")
    assert screen.write("event\n") == len("event\n")
    assert terminal.getvalue() == f"1 left{ERASE}event\n1 left"


def test_a_new_status_takes_the_old_ones_place_and_an_empty_one_leaves_nothing() -> None:
    terminal = Terminal()
    screen = Screen(terminal)
    screen.show("2 left")
    screen.show("1 left")
    screen.show("")
    screen.write("end\n")
    assert terminal.getvalue() == f"2 left{ERASE}1 left{ERASE}end\n"


def test_the_same_status_is_not_drawn_twice() -> None:
    terminal = Terminal()
    screen = Screen(terminal)
    for _ in range(3):
        screen.show("1 left")
    assert terminal.getvalue() == "1 left"


def test_a_status_never_fills_the_last_column_so_that_it_never_wraps() -> None:
    master, slave = os.openpty()
    termios.tcsetwinsize(slave, (24, 10))
    with os.fdopen(slave, "w") as terminal:
        Screen(terminal).show("0123456789abc")
        shown = os.read(master, 100)
    os.close(master)
    assert shown == b"012345678"


@pytest.mark.parametrize(("stream", "term"), [(io.StringIO, "xterm"), (Terminal, "dumb")])
def test_where_a_line_cannot_be_redrawn_there_is_no_status(
    stream: type[io.StringIO], term: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", term)
    written = stream()
    screen = Screen(written)
    screen.show("1 left")
    screen.write("event\n")
    assert not screen.is_terminal
    assert written.getvalue() == "event\n"


@pytest.mark.parametrize("error", [BrokenPipeError(), OSError(5, "gone"), ValueError("closed file")])
def test_a_reader_that_went_away_is_ignored(error: Exception) -> None:
    screen = Screen(ClosedPipe(error))
    screen.show("1 left")
    screen.write("event\n")
    screen.flush()
    screen.show("")


def test_a_pipe_that_nobody_reads_any_more_is_ignored() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    stderr = os.fdopen(writer, "w", buffering=1)
    screen = Screen(stderr)
    screen.write("event\n")
    assert not screen.is_terminal
    with pytest.raises(BrokenPipeError):
        stderr.close()


# The progress


async def test_on_a_terminal_the_status_line_follows_the_run_and_is_gone_at_the_end(at_once: None) -> None:
    terminal, log = Terminal(), Log()
    await watch(Screen(terminal), log, snapshot(left=2, elapsed_s=0.2), snapshot(left=1, elapsed_s=0.4))
    assert terminal.getvalue() == f"2 left  0.0 calls/s{ERASE}1 left  0.0 calls/s{ERASE}"
    assert log.events == []


async def test_elsewhere_progress_is_an_event_with_counts(at_once: None) -> None:
    stderr, log = io.StringIO(), Log()
    states = (
        snapshot(done={State.DELETED: 1}, left=9, calls=5, elapsed_s=60.0),
        snapshot(done={State.DELETED: 300, State.GAVE_UP: 1}, left=7, calls=305, elapsed_s=120.0),
    )
    await watch(Screen(stderr), log, *states)
    assert [event for event, _ in log.events] == ["run.progress"] * 2
    shown = log.events[1][1]
    assert {"deleted": 300, "gave_up": 1, "left": 7, "calls_per_s": 5.0}.items() <= shown.items()
    assert stderr.getvalue() == ""


async def test_an_event_says_for_how_long_nothing_has_answered(at_once: None) -> None:
    log = Log()
    await watch(Screen(io.StringIO()), log, snapshot(silent_s=61.4), snapshot())
    assert [fields["silent_s"] for _, fields in log.events] == [61, None]


async def test_the_rate_is_that_of_the_last_ten_seconds(at_once: None) -> None:
    terminal = Terminal()
    quick = [snapshot(left=1, calls=5 * second, elapsed_s=float(second)) for second in range(60)]
    slow = [snapshot(left=1, calls=295 + second, elapsed_s=59.0 + second) for second in range(1, 11)]
    await watch(Screen(terminal), Log(), *quick, *slow)
    shown = [line for line in terminal.getvalue().split(ERASE) if line]
    assert "5.0 calls/s" in shown[-1 - len(slow)]
    assert "1.0 calls/s" in shown[-1]


@given(st.lists(st.tuples(st.floats(0, 5), st.integers(0, 100)), min_size=1, max_size=30))
def test_the_rate_never_lies_outside_of_what_was_seen(steps: list[tuple[float, int]]) -> None:
    progress = Progress(Screen(io.StringIO()), Log(), Run())
    highest = max((more / step_s if step_s else math.inf for step_s, more in steps))
    elapsed_s, calls = 0.0, 0
    for step_s, more in steps:
        elapsed_s, calls = elapsed_s + step_s, calls + more
        assert 0 <= progress._rate(snapshot(calls=calls, elapsed_s=elapsed_s)) <= highest * (1 + 1e-6)


# The words


@pytest.mark.parametrize(
    ("now", "per_s", "text"),
    [
        (snapshot(left=30), 0.0, "30 left  0.0 calls/s"),
        (snapshot(left=30, reading=True), 4.96, "30+ left  5.0 calls/s"),
        (
            snapshot(done={State.DELETED: 1234, State.ABSENT: 0, State.GAVE_UP: 2}, left=1_000_000),
            5.0,
            "1,234 deleted  2 gave up  1,000,000 left  5.0 calls/s  55 h 33 min to go",
        ),
        (
            snapshot(done={State.DELETED: 3}, left=10, throttled=2, silent_s=200.0),
            5.0,
            "3 deleted  10 left  no answer for 3 min 20 s, waiting",
        ),
        (snapshot(left=10, throttled=1500), 5.0, "10 left  5.0 calls/s  1,500 throttled  2 s to go"),
    ],
)
def test_a_snapshot_is_one_line(now: Snapshot, per_s: float, text: str) -> None:
    assert describe(now, per_s) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.4, "0 s"),
        (41.6, "42 s"),
        (59.4, "59 s"),
        (59.6, "1 min 0 s"),
        (200, "3 min 20 s"),
        (3599.6, "1 h 0 min"),
        (200_000, "55 h 33 min"),
        (36_000_000, "10,000 h 0 min"),
    ],
)
def test_a_time_span_is_told_in_two_units_at_most(seconds: float, text: str) -> None:
    assert duration(seconds) == text
