"""How far a run is, as a person sees it on a terminal, as a log keeps it, and as a program reads it."""

import json
import os
import re
import signal
from collections.abc import Callable

import pytest

from tests.cli.terminal import emulator
from tests.end_to_end.command import FLOWREAPER, Command, Service, ended, wait_for
from tests.end_to_end.terminal import Terminal

Ids = Callable[[int], list[str]]
Begin = Callable[..., tuple[Service, Command]]

LINE = re.compile(r"\d\d:\d\d:\d\d [\d,]+/[\d,]+ \(\d+%\)  .*\d/s")
FOREIGN = "Unknown.ResourceOwnerId"


def seen(shown: str) -> list[str]:
    """Return what stands on the screen after all that was shown."""
    screen = emulator.Terminal(80)
    whole = re.sub(r"\x1b[^A-Za-z]*$", "", shown)  # a control sequence may have come in part
    screen.write(whole.replace("\r\n", "\n"))
    return screen.rows


def test_a_terminal_shows_a_bar_that_is_gone_at_the_end(command: Command, ids: Ids) -> None:
    command.write("flows.txt", *ids(40))
    with Terminal(command, "delete", "--yes", "--rate", "40", "flows.txt") as terminal:
        terminal.wait_for("/s  ")
        assert re.search(r"\d+/40 \d+%  \d+\.\d/s  \d+ s left", seen(terminal.shown)[-1])
        assert terminal.wait() == 0
    rows = seen(terminal.shown)
    assert rows[-3].startswith("This run: 40 deleted; 40 calls")
    assert rows[-1] == "To prove it: flowreaper verify flows.txt.ckpt"
    assert not any("/40" in row for row in rows)


def test_on_a_terminal_the_first_refusals_of_a_code_are_one_row_each(begin: Begin, ids: Ids) -> None:
    _, command = begin("--trouble", f"answer:{FOREIGN}:#1-6")
    command.write("flows.txt", *ids(8))
    with Terminal(command, "delete", "--yes", "--rate", "40", "flows.txt") as terminal:
        assert terminal.wait() == 1
    rows = [row for row in seen(terminal.shown) if FOREIGN in row]
    assert [row.split()[0] for row in rows[:5]] == ["refused:"] * 3 + ["More", "6"]


def test_what_the_keyboard_echoes_tears_nothing(command: Command, ids: Ids) -> None:
    command.write("flows.txt", *ids(400))
    with Terminal(command, "delete", "--yes", "--rate", "40", "flows.txt") as terminal:
        terminal.wait_for("/s  ")
        terminal.type("\x03")
        assert terminal.wait() == 130
    rows = seen(terminal.shown)
    assert any(row.startswith("Stopping") for row in rows)
    assert not any("/400" in row for row in rows)


def test_a_terminal_that_hangs_up_loses_nothing(command: Command, ids: Ids) -> None:
    command.write("flows.txt", *ids(60))
    line = " ".join([*FLOWREAPER, "delete", "--yes", "--rate", "40", "flows.txt"])
    words = ("-c", f"trap '' HUP; exec {line}")
    with Terminal(command, *words, program=("/bin/sh",)) as terminal:
        terminal.wait_for("/s  ")
        os.close(terminal.master)
        assert terminal.process.wait(30) == 0
        terminal.master = os.open(os.devnull, os.O_RDONLY)
    assert command.states("flows.txt.ckpt") == {"deleted": 60}


@pytest.mark.parametrize("mode", ["auto", "bar", "lines"])
def test_elsewhere_whole_lines_come_at_the_interval(command: Command, ids: Ids, mode: str) -> None:
    command.write("flows.txt", *ids(40))
    arguments = ("--rate", "40", "--progress", mode, "--progress-interval", "0.2")
    finished = command.run("delete", "--yes", *arguments, "flows.txt")
    assert finished.status == 0
    assert sum(bool(LINE.match(line)) for line in finished.told) >= 2
    assert "\x1b" not in finished.err
    assert "\r" not in finished.err


@pytest.mark.parametrize("arguments", [("--progress", "none"), ("--progress-interval", "0")])
def test_no_line_comes_where_none_is_wanted(command: Command, ids: Ids, arguments: tuple[str, str]) -> None:
    command.write("flows.txt", *ids(80))
    finished = command.run("delete", "--yes", "--rate", "40", *arguments, "flows.txt")
    assert not any(LINE.match(line) for line in finished.told)


@pytest.mark.parametrize(("term", "arguments"), [("dumb", ()), ("xterm", ("--progress", "lines"))])
def test_a_terminal_that_cannot_or_should_not_draw_gets_lines(
    command: Command, ids: Ids, term: str, arguments: tuple[str, ...]
) -> None:
    command.write("flows.txt", *ids(40))
    words = ("delete", "--yes", "--rate", "40", "--progress-interval", "0.2", *arguments, "flows.txt")
    command.environment["TERM"] = term
    with Terminal(command, *words) as terminal:
        assert terminal.wait() == 0
    assert any(map(LINE.match, terminal.shown.splitlines()))
    assert "\x1b[J" not in terminal.shown


def test_in_json_progress_is_an_event_and_a_terminal_gets_nothing_else(command: Command, ids: Ids) -> None:
    command.write("flows.txt", *ids(40))
    words = ("--rate", "40", "--log-format", "json", "--progress-interval", "0.2", "flows.txt")
    with Terminal(command, "delete", "--yes", *words) as terminal:
        assert terminal.wait() == 0
    events = [json.loads(line) for line in terminal.shown.splitlines()]
    progress = [event for event in events if event["event"] == "run.progress"]
    assert {"deleted", "left", "calls_per_s", "silent_s", "done", "total", "left_s"} <= progress[-1].keys()
    assert progress[-1]["done"] + progress[-1]["left"] == progress[-1]["total"] == 40


def test_sigusr1_asks_for_a_line_also_where_none_is_shown(
    command: Command, service: Service, ids: Ids
) -> None:
    flows = ids(80)
    command.write("flows.txt", *flows)
    arguments = ("delete", "--yes", "--rate", "40", "--progress", "none", "flows.txt")
    with command.flowreaper(*arguments) as process:
        wait_for(lambda: len(service.called(flows)) > 2)
        process.send_signal(signal.SIGUSR1)
        finished = ended(process)
    assert finished.status == 0
    assert sum(bool(LINE.match(line)) for line in finished.told) == 1


def test_sigusr1_on_a_terminal_puts_a_line_above_the_bar(command: Command, ids: Ids) -> None:
    command.write("flows.txt", *ids(60))
    with Terminal(command, "delete", "--yes", "--rate", "40", "flows.txt") as terminal:
        terminal.wait_for("/s  ")
        terminal.process.send_signal(signal.SIGUSR1)
        assert terminal.wait() == 0
    assert sum(bool(LINE.match(row)) for row in seen(terminal.shown)) == 1


def test_sigusr1_before_the_run_starts_ends_nothing(command: Command, ids: Ids) -> None:
    command.write("flows.txt", *ids(2))
    with Terminal(command, "delete", "flows.txt") as terminal:
        terminal.wait_for("[y/N]")
        terminal.process.send_signal(signal.SIGUSR1)
        terminal.type("y\n")
        assert terminal.wait() == 0


def test_a_log_of_warnings_holds_no_lines_of_progress(command: Command, ids: Ids) -> None:
    command.write("flows.txt", *ids(40))
    arguments = ("--rate", "40", "--log-level", "warning", "--progress-interval", "0.2", "flows.txt")
    finished = command.run("delete", "--yes", *arguments)
    assert not any(LINE.match(line) for line in finished.told)
