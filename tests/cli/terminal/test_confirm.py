"""The question itself on a pseudo-terminal."""

import os
import pty
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from flowreaper.cli.terminal.confirm import confirmed


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    """A pseudo-terminal: a person's end, and the program's."""
    person, program = pty.openpty()
    yield person, program
    os.close(person)


@pytest.mark.parametrize(
    ("answer", "agreed"),
    [
        (b"y\n", True),
        (b"yes\n", True),
        (b" YES \n", True),
        (b"Y\n", True),
        (b"\n", False),
        (b"n\n", False),
        (b"no\n", False),
        (b"ye\n", False),
        (b"yy\n", False),
        (b"yes please\n", False),
        (b"ja\n", False),
        (b"\xff\n", False),
        (b"\x04", False),  # Ctrl-D
    ],
)
def test_only_a_yes_is_a_yes(terminal: tuple[int, int], answer: bytes, *, agreed: bool) -> None:
    person, program = terminal
    os.write(person, answer)
    assert confirmed(program, "To delete: 1 flow") is agreed


def test_the_plan_is_shown_before_the_question(terminal: tuple[int, int]) -> None:
    person, program = terminal
    seen = b""

    def be_a_person() -> None:
        nonlocal seen
        while not seen.endswith(b"[y/N] "):
            seen += os.read(person, 1000)
        os.write(person, b"y\n")

    thread = threading.Thread(target=be_a_person)
    thread.start()
    assert confirmed(program, "To delete, for good: 2 flows, flüchtig\n  2 new")
    thread.join()
    assert seen.decode() == "To delete, for good: 2 flows, flüchtig\r\n  2 new\r\nDelete? [y/N] "


def test_a_terminal_that_hangs_up_is_a_no() -> None:
    person, program = pty.openpty()

    def leave() -> None:
        os.read(person, 1000)
        os.close(person)

    thread = threading.Thread(target=leave)
    thread.start()
    assert not confirmed(program, "To delete: 1 flow")
    thread.join()


def test_without_a_terminal_the_way_on_is_told() -> None:
    program = """
from flowreaper.cli.terminal.confirm import require_terminal
from flowreaper.errors import ConfigurationError
try:
    require_terminal()
except ConfigurationError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        start_new_session=True,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[3],
    )
    assert "no terminal" in done.stdout
    assert "nothing was sent" in done.stdout
    assert "--dry-run" in done.stdout
    assert "--yes" in done.stdout


def test_the_terminal_is_asked_whatever_standard_input_and_output_are(terminal: tuple[int, int]) -> None:
    # The first terminal that the leader of a session opens becomes the session's.
    program = """
import os, sys
os.open(sys.argv[1], os.O_RDWR)
from flowreaper.cli.terminal.confirm import require_terminal
os.write(require_terminal(), b"Delete?")
"""
    person, slave = terminal
    subprocess.run(
        [sys.executable, "-c", program, os.ttyname(slave)],
        start_new_session=True,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=True,
        cwd=Path(__file__).parents[3],
    )
    assert os.read(person, 100) == b"Delete?"
    os.close(slave)
