"""The plan that a person says yes to, and the question itself on a pseudo-terminal."""

import os
import pty
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flowreaper.cli.question import confirmed, describe_plan
from flowreaper.model import Flow, InvalidEntry
from flowreaper.settings import Endpoint, Settings
from flowreaper.survey import Survey

ENDPOINT = Endpoint("https", "cams.ap-southeast-1.aliyuncs.com", 443)
KEY = "LTAI****0001"
CHECKPOINT = Path("ids.txt.ckpt")
HOSTILE = "\x1b[2J\n\u202e"


def plan(
    *,
    settings: dict[str, Any] | None = None,
    access_key: str | None = KEY,
    former_key: str | None = None,
    piped: bool = False,
    **found: Any,
) -> list[str]:
    nothing: dict[str, Any] = {
        "new": 0,
        "unfinished": 0,
        "finished": 0,
        "reopened": 0,
        "repeated": 0,
        "invalid": 0,
        "sample": (),
        "invalid_sample": (),
    }
    return describe_plan(
        Survey(**(nothing | found)),
        Settings(endpoint=ENDPOINT, **(settings or {})),
        checkpoint=CHECKPOINT,
        access_key=access_key,
        former_key=former_key,
        piped=piped,
    ).split("\n")


# The plan


def test_a_plan_says_how_many_where_with_which_key_which_and_how_long() -> None:
    assert plan(new=1500, sample=(Flow("1"), Flow("2", "cams-x"))) == [
        "To delete, for good: 1,500 flows, at https://cams.ap-southeast-1.aliyuncs.com, access key LTAI****0001",
        "  1,500 new",
        "  for example 1, cams-x/2",
        "  at 5 calls a second this takes 5 min 0 s",
    ]


def test_a_plan_tells_another_access_key_of_the_run_before() -> None:
    lines = plan(new=1, former_key="LTAI****\x1b[31m")
    assert lines[1] == (
        "  the checkpoint was last used with the access key LTAI****\\x1b[31m: where this one is another account's,"
        " no flow of the first is found, and each ends as absent"
    )


def test_a_plan_tells_what_each_number_is_made_of_and_what_is_left_out() -> None:
    lines = plan(new=1, unfinished=2, reopened=3, finished=4, repeated=5, invalid=6)
    assert lines[0].startswith("To delete, for good: 6 flows, at ")
    assert lines[1:3] == [
        "  1 new, 2 unfinished in ids.txt.ckpt, 3 taken again (--retry)",
        "  left out: 4 finished before, 5 repeated, 6 invalid",
    ]


def test_one_flow_is_one_flow() -> None:
    assert plan(new=1)[0].startswith("To delete, for good: 1 flow, at ")


def test_a_limit_is_what_would_be_deleted() -> None:
    lines = plan(new=100, settings={"limit": 10})
    assert lines[0].startswith("To delete, for good: 10 flows, at ")
    assert "  --limit: the first 10 of 100" in lines
    assert lines[-1] == "  at 5 calls a second this takes 2 s"


def test_a_limit_beyond_what_there_is_is_not_mentioned() -> None:
    lines = plan(new=10, settings={"limit": 10})
    assert not any("--limit" in line for line in lines)


def test_the_pace_is_that_of_the_settings() -> None:
    assert plan(new=100, settings={"rate": 2.5})[-1] == "  at 2.5 calls a second this takes 40 s"


def test_the_sandbox_is_named_instead_of_an_endpoint_and_a_key() -> None:
    assert plan(new=2, settings={"sandbox": True})[0] == "To delete, for good: 2 flows, at the sandbox"


def test_a_key_that_was_not_looked_up_is_not_shown() -> None:
    assert "access key" not in plan(new=2, access_key=None)[0]


def test_what_a_pipe_will_bring_is_not_counted_but_told() -> None:
    assert plan(piped=True)[0].startswith("To delete, for good: the flows that come from the pipe, at ")
    assert plan(piped=True, unfinished=3)[0].startswith(
        "To delete, for good: 3 flows, and those that come from the pipe, at "
    )


def test_nothing_to_do_takes_no_time() -> None:
    assert plan() == [
        "To delete, for good: 0 flows, at https://cams.ap-southeast-1.aliyuncs.com, access key LTAI****0001"
    ]


def test_lines_that_are_no_id_are_shown_with_their_place_and_reason() -> None:
    sample = (InvalidEntry("9.26E+17", "a number that a spreadsheet has rounded", "ids.csv", 7),)
    assert "  not a flow id: ids.csv, line 7: 9.26E+17 (a number that a spreadsheet has rounded)" in plan(
        new=1, invalid=1, invalid_sample=sample
    )


def test_nothing_from_the_input_can_steer_the_terminal() -> None:
    lines = plan(
        new=1,
        invalid=1,
        sample=(Flow(HOSTILE, HOSTILE), Flow("9" * 200)),
        invalid_sample=(InvalidEntry(HOSTILE, HOSTILE, HOSTILE, 1),),
    )
    assert len(lines) == 6
    assert all(line.isprintable() for line in lines)
    assert max(map(len, lines)) < 200


# The question


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
from flowreaper.cli.question import require_terminal
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
        cwd=Path(__file__).parents[2],
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
from flowreaper.cli.question import require_terminal
os.write(require_terminal(), b"Delete?")
"""
    person, slave = terminal
    subprocess.run(
        [sys.executable, "-c", program, os.ttyname(slave)],
        start_new_session=True,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    assert os.read(person, 100) == b"Delete?"
    os.close(slave)
