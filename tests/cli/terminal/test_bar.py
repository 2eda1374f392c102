"""The bar as it is drawn: what a person sees, in colours and characters that the terminal has."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from flowreaper.cli.terminal.bar import Bar, make_bar
from flowreaper.cli.terminal.progress import View
from flowreaper.model import State
from tests.cli.terminal.emulator import SizedScreen, Terminal, snapshot

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
HALF = View(snapshot(done={State.DELETED: 48, State.REFUSED: 2}, left=50), 5.0, 10.0, NOON)
TEXT = "50/100 50%  5.0/s  2 refused  10 s left, until 12:00"


@pytest.fixture(autouse=True)
def usual_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    for name in ("NO_COLOR", "COLORTERM", "LC_ALL", "LC_CTYPE", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LANG", "en_US.UTF-8")


class NarrowEncoding(Terminal):
    encoding = "ascii"


def drawn(terminal: Terminal, view: View = HALF) -> Bar:
    bar = make_bar(SizedScreen(terminal))
    bar.draw(view)
    return bar


def test_the_bar_is_full_to_the_share_that_is_done() -> None:
    terminal = Terminal(80)
    drawn(terminal)
    assert terminal.rows == [f"{'━' * 12}╺{'━' * 11}  {TEXT}"]


@given(done=st.integers(0, 1000), columns=st.integers(1, 130))
def test_it_is_one_row_of_any_terminal(done: int, columns: int) -> None:
    terminal = Terminal(columns)
    drawn(terminal, replace(HALF, run=snapshot(done={State.DELETED: done}, left=1000 - done)))
    assert len(terminal.rows) <= 1
    assert all(len(row) < columns for row in terminal.rows)


def test_what_has_not_changed_is_not_drawn_again_and_a_new_width_is_a_change() -> None:
    terminal = Terminal(80)
    bar = drawn(terminal)
    before = terminal.getvalue()
    bar.draw(HALF)
    assert terminal.getvalue() == before
    terminal.columns = 40
    bar.draw(HALF)
    assert terminal.rows == ["50/100 50%  5.0/s  2 refused  10 s left"]


def test_what_has_not_changed_costs_no_rendering() -> None:
    class Counting(Console):
        rendered = 0

        def print(self, *objects: Any, **how: Any) -> None:
            self.rendered += 1
            super().print(*objects, **how)

    console = Counting(force_terminal=True)
    bar = Bar(SizedScreen(Terminal(80)), console, ascii_only=False)
    for _ in range(3):
        bar.draw(HALF)
    assert console.rendered == 1


def test_nothing_of_it_is_left_behind() -> None:
    terminal = Terminal(80)
    drawn(terminal).remove()
    assert terminal.rows == []


def test_the_cursor_is_never_hidden() -> None:
    terminal = Terminal(80)  # fails on any control sequence but colours and erasing
    bar = drawn(terminal)
    bar.remove()
    assert "\x1b[?25l" not in terminal.getvalue()


def test_trouble_is_coloured_and_no_color_draws_without_any(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal(80)
    drawn(terminal)
    assert "\x1b[33m2 refused\x1b[0m" in terminal.getvalue()
    monkeypatch.setenv("NO_COLOR", "1")
    plain = Terminal(80)
    drawn(plain)
    assert "\x1b[3" not in plain.getvalue()
    assert plain.rows == [f"{'━' * 12}{'─' * 12}  {TEXT}"]


@pytest.mark.parametrize("language", ["zh_CN.UTF-8", "ja_JP.UTF-8"])
def test_where_lines_may_be_drawn_two_columns_wide_the_bar_is_ascii(
    language: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LC_ALL", language)
    terminal = Terminal(80)
    drawn(terminal)
    assert terminal.rows == [f"{'-' * 12} {'-' * 11}  {TEXT}"]


def test_an_encoding_without_lines_gets_an_ascii_bar_that_needs_no_colours(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    terminal = NarrowEncoding(80)
    drawn(terminal)
    assert terminal.rows == [f"{'-' * 12}{'.' * 12}  {TEXT}"]


def test_a_terminal_that_went_away_ends_nothing() -> None:
    class Gone(Terminal):
        def write(self, _text: str) -> int:
            raise OSError(5, "Input/output error")

    drawn(Gone()).remove()
