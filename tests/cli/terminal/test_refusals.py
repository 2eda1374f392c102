"""Flows that were refused or given up: a line each, and on a terminal only the first of each code."""

import io
import json
import re
import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowreaper.cli.terminal.log import LogFormat, make_log
from flowreaper.cli.terminal.screen import Screen
from tests.cli.terminal.emulator import SizedScreen, Terminal

FOREIGN = "Unknown.ResourceOwnerId"
MESSAGE = "The resource does not belong to the current user."


@pytest.fixture(autouse=True)
def usual_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")


def refused(log: Any, number: int, code: str = FOREIGN, event: str = "flow.refused", **fields: str) -> None:
    usual = {"flow_id": f"9260{number}", "cust_space_id": "", "message": MESSAGE, "request_id": "R-1"}
    log.warning(event, **(usual | {"code": code} | fields))


def on_terminal(columns: int = 80, level: str = "info") -> tuple[Terminal, Any]:
    terminal = Terminal(columns)
    return terminal, make_log(SizedScreen(terminal), LogFormat.TEXT, level)


def test_on_a_terminal_each_is_one_row_that_is_as_wide_as_the_terminal() -> None:
    terminal, log = on_terminal(60)
    refused(log, 1)
    refused(log, 2, code="", event="flow.gave_up", cust_space_id="space-1", message="no answer")
    assert terminal.rows == [
        "refused: 92601 Unknown.ResourceOwnerId The resource does n…",
        "gave up: space-1/92602 no answer",
    ]


def test_the_first_three_of_each_code_are_shown_and_that_there_are_more_is_said_once() -> None:
    terminal, log = on_terminal()
    for number in range(10):
        refused(log, number)
        refused(log, number, code="Flow.StatusInvalid")
    assert len(terminal.rows) == 8
    assert [row for row in terminal.rows if "More" in row] == [
        "More of Unknown.ResourceOwnerId are counted; flowreaper results lists them.",
        "More of Flow.StatusInvalid are counted; flowreaper results lists them.",
    ]


def test_three_of_a_code_are_all_there_is_to_say() -> None:
    terminal, log = on_terminal()
    for number in range(3):
        refused(log, number)
    assert len(terminal.rows) == 3
    assert all(row.startswith("refused: ") for row in terminal.rows)


def test_refused_and_given_up_with_one_code_are_counted_apart() -> None:
    terminal, log = on_terminal()
    for number in range(3):
        refused(log, number)
        refused(log, number, event="flow.gave_up")
    assert len(terminal.rows) == 6


def test_a_service_that_makes_up_codes_does_not_fill_the_screen() -> None:
    terminal, log = on_terminal()
    for number in range(1000):
        refused(log, number, code=f"Made.Up{number}")
    assert len(terminal.rows) == 10 + 3 + 1
    assert terminal.rows[-1] == "More of other codes are counted; flowreaper results lists them."


def test_level_debug_shows_each_of_them() -> None:
    terminal, log = on_terminal(level="debug")
    for number in range(10):
        refused(log, number)
    assert [row.split()[1] for row in terminal.rows] == [f"9260{number}" for number in range(10)]


def test_level_error_shows_none() -> None:
    terminal, log = on_terminal(level="error")
    refused(log, 1)
    assert terminal.rows == []


def test_elsewhere_each_is_one_whole_line_with_the_time() -> None:
    stream = io.StringIO()
    log = make_log(Screen(stream), LogFormat.TEXT, "info")
    for number in range(10):
        refused(log, number)
    lines = stream.getvalue().splitlines()
    assert len(lines) == 10
    assert re.fullmatch(rf"\d\d:\d\d:\d\d refused: 92609 {FOREIGN} {re.escape(MESSAGE)}", lines[-1])


def test_wide_characters_count_as_two_columns() -> None:
    terminal, log = on_terminal(30)
    refused(log, 1, code="X", message="该资源不属于当前用户" * 2)
    assert terminal.rows == ["refused: 92601 X 该资源不属…"]


@pytest.mark.parametrize("stream", [io.StringIO(), Terminal()])
def test_json_keeps_every_event_with_all_of_its_fields(stream: io.StringIO) -> None:
    log = make_log(Screen(stream), LogFormat.JSON, "info")
    for number in range(10):
        refused(log, number)
    events = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [event["flow_id"] for event in events] == [f"9260{number}" for number in range(10)]
    assert {event["request_id"] for event in events} == {"R-1"}


ANY = st.text(st.characters(codec=None, exclude_categories=[]), max_size=400)


@given(code=ANY, message=ANY, flow_id=ANY, space=ANY, columns=st.integers(1, 120))
def test_whatever_they_hold_it_is_one_row_without_a_control_sequence(
    code: str, message: str, flow_id: str, space: str, columns: int
) -> None:
    terminal, log = on_terminal(columns)
    log.warning(
        "flow.refused", flow_id=flow_id, cust_space_id=space, code=code, message=message, request_id=""
    )
    assert not any(unicodedata.category(character)[0] == "C" for character in terminal.getvalue()[:-1])
    assert len(terminal.rows) <= 1
