"""Standard error with a status line: nothing tears, whatever is written, typed or resized meanwhile."""

import io
import os
import pty
import select
import termios

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowreaper.cli.terminal.screen import Screen
from tests.cli.terminal.emulator import SizedScreen, Terminal


class ClosedPipe(io.StringIO):
    """A terminal or pipe that went away: nothing can be written, as the given error says."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self._error = error

    def isatty(self) -> bool:
        return True

    def write(self, _text: str) -> int:
        raise self._error


@pytest.fixture(autouse=True)
def usual_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")


def test_text_goes_above_the_status_line() -> None:
    terminal = Terminal()
    screen = SizedScreen(terminal)
    screen.show("1 left")
    assert screen.write("event\n") == len("event\n")
    assert terminal.rows == ["event", "1 left"]


def test_a_new_status_takes_the_old_ones_place_and_an_empty_one_leaves_nothing() -> None:
    terminal = Terminal()
    screen = SizedScreen(terminal)
    screen.show("20 left")
    screen.show("1 left")
    assert terminal.rows == ["1 left"]
    screen.show("")
    screen.write("end\n")
    assert terminal.rows == ["end"]


def test_the_same_status_is_not_drawn_twice() -> None:
    terminal = Terminal()
    screen = SizedScreen(terminal)
    screen.show("1 left")
    drawn = terminal.getvalue()
    screen.show("1 left")
    assert terminal.getvalue() == drawn


LINES = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=60)


@given(
    steps=st.lists(
        st.one_of(
            st.tuples(st.just("event"), LINES),
            st.tuples(st.just("status"), LINES),
            st.tuples(st.just("resize"), st.integers(1, 100).map(str)),
        ),
        max_size=30,
    )
)
def test_events_and_status_never_tear_each_other_on_a_terminal_of_any_changing_width(
    steps: list[tuple[str, str]],
) -> None:
    terminal = Terminal()
    screen = SizedScreen(terminal)
    events = []
    for kind, text in steps:
        if kind == "event":
            events.append(text)
            screen.write(f"{text}\n")
        elif kind == "status":
            screen.show(text[: terminal.columns - 1])
        else:
            terminal.columns = int(text)
    screen.show("")
    screen.write("end\n")
    terminal.columns = 1000
    assert terminal.rows == [*events, "end"]


def test_what_the_keyboard_echoes_breaks_no_line() -> None:
    terminal = Terminal(10)
    screen = SizedScreen(terminal)
    screen.show("123456789")
    terminal.write("^C")
    screen.write("Stopping\n")
    assert terminal.rows == ["Stopping", "123456789"]


@pytest.mark.parametrize(
    ("stream", "term"), [(io.StringIO, "xterm"), (Terminal, "dumb"), (Terminal, "unknown")]
)
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


@pytest.mark.parametrize(("no_color", "colours"), [("", True), ("1", False)])
def test_colours_are_for_terminals_where_no_color_does_not_forbid_them(
    no_color: str, *, colours: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", no_color)
    assert Screen(Terminal()).has_colours is colours
    assert not Screen(io.StringIO()).has_colours


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


def test_the_width_is_that_of_the_terminal_itself_and_80_where_nobody_knows() -> None:
    master, slave = pty.openpty()
    with os.fdopen(slave, "w") as terminal:
        assert Screen(terminal).columns == 80
        termios.tcsetwinsize(slave, (24, 10))
        assert Screen(terminal).columns == 10
    os.close(master)
    assert Screen(io.StringIO()).columns == 80


def test_a_terminal_that_is_halted_does_not_halt_the_run() -> None:
    master, slave = pty.openpty()
    with os.fdopen(slave, "w") as terminal:
        screen = Screen(terminal)
        screen.show("2 left")
        termios.tcflow(slave, termios.TCOOFF)  # what Ctrl-S does
        screen.show("1 left")  # would wait until Ctrl-Q
        termios.tcflow(slave, termios.TCOON)
        assert "1 left" not in shown(master)
        screen.show("0 left")
        assert "0 left" in shown(master)
    os.close(master)


def shown(master: int) -> str:
    text = b""
    while select.select([master], [], [], 0.1)[0]:
        text += os.read(master, 1000)
    return text.decode()
