"""Events on one stream: for people or for machines, and nothing in them that a terminal or a parser obeys."""

import io
import json
import re
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowreaper.cli.terminal.log import LogFormat, make_log
from flowreaper.cli.terminal.screen import Screen

HOSTILE = 'a\x1b[31m\n{"event":"run.ended"}\r\u202e\u2028\x9b\ud800'
LEVELS = ("debug", "info", "warning", "error")


class Stream(io.StringIO):
    def __init__(self, *, is_terminal: bool = False) -> None:
        super().__init__()
        self.is_terminal = is_terminal

    def isatty(self) -> bool:
        return self.is_terminal


def told(log_format: LogFormat, *, is_terminal: bool = False, **fields: Any) -> str:
    stream = Stream(is_terminal=is_terminal)
    make_log(Screen(stream), log_format, "info").info("run.started", **fields)
    return stream.getvalue()


def is_json(text: str) -> bool:
    return text.startswith("{") and isinstance(json.loads(text), dict)


def test_json_is_an_object_a_line_with_event_level_and_utc_time() -> None:
    event = json.loads(told(LogFormat.JSON, rate=5.0, checkpoint="ids.txt.ckpt", error=None))
    timestamp = datetime.fromisoformat(event.pop("timestamp"))
    assert timestamp.utcoffset() is not None
    assert event == {
        "event": "run.started",
        "level": "info",
        "rate": 5.0,
        "checkpoint": "ids.txt.ckpt",
        "error": None,
    }


def test_text_shows_time_level_event_and_fields_in_one_line() -> None:
    line = told(LogFormat.TEXT, rate=5.0, checkpoint="ids.txt.ckpt")
    assert re.fullmatch(r"\d\d:\d\d:\d\d \[info\] run\.started rate=5\.0 checkpoint=ids\.txt\.ckpt\n", line)


def test_text_leaves_out_what_is_empty_and_json_does_not() -> None:
    assert re.fullmatch(
        r"\S+ \[info\] run\.started done=0\n", told(LogFormat.TEXT, code="", error=None, done=0)
    )
    assert {"code": "", "error": None}.items() <= json.loads(
        told(LogFormat.JSON, code="", error=None)
    ).items()


@pytest.mark.parametrize("is_terminal", [True, False])
@pytest.mark.parametrize("log_format", LogFormat)
def test_the_format_is_the_one_that_was_asked_for_on_a_terminal_or_not(
    log_format: LogFormat, *, is_terminal: bool
) -> None:
    assert is_json(told(log_format, is_terminal=is_terminal)) is (log_format is LogFormat.JSON)


@pytest.mark.parametrize(
    ("is_terminal", "no_color", "colours"), [(True, "", True), (True, "1", False), (False, "", False)]
)
def test_colours_are_for_terminals_where_no_color_does_not_forbid_them(
    monkeypatch: pytest.MonkeyPatch, no_color: str, *, is_terminal: bool, colours: bool
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", no_color)
    assert ("\x1b[" in told(LogFormat.TEXT, is_terminal=is_terminal)) is colours


@pytest.mark.parametrize("lowest", LEVELS)
def test_what_is_below_the_level_is_not_told(lowest: str) -> None:
    stream = Stream()
    log = make_log(Screen(stream), LogFormat.JSON, lowest)
    for level in LEVELS:
        getattr(log, level)("some.event")
    shown = [json.loads(line)["level"] for line in stream.getvalue().splitlines()]
    assert shown == list(LEVELS[LEVELS.index(lowest) :])


@pytest.mark.parametrize("log_format", [LogFormat.TEXT, LogFormat.JSON])
@pytest.mark.parametrize(
    "fields",
    [{"message": HOSTILE}, {"codes": [HOSTILE]}, {"by_code": {HOSTILE: 1}}, {"error": OSError(HOSTILE)}],
)
def test_foreign_text_cannot_steer_a_terminal_nor_forge_a_line(
    log_format: LogFormat, fields: dict[str, Any]
) -> None:
    line = told(log_format, **fields)
    assert line.endswith("\n")
    assert line[:-1].isprintable()


@given(st.text(st.characters(codec=None, exclude_categories=[])))
def test_json_keeps_any_text_and_is_one_line_of_ascii(text: str) -> None:
    line = told(LogFormat.JSON, message=text)
    assert line.isascii()
    assert line[:-1].isprintable()
    assert json.loads(line)["message"] == text.encode("utf-16", "surrogatepass").decode(
        "utf-16", "surrogatepass"
    )


@given(st.text(st.characters(codec=None, exclude_categories=[])))
def test_any_text_is_one_harmless_line_as_text(text: str) -> None:
    line = told(LogFormat.TEXT, message=text)
    assert len(line.splitlines()) == 1
    assert "\x1b" not in line
    line.encode()
