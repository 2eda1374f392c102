"""What a run reports: the same facts as text for a person and as JSON lines for a program."""

import io
import json
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from flowreaper.cli.terminal.log import LogFormat, make_log
from flowreaper.cli.terminal.progress import View
from flowreaper.cli.terminal.reporter import JsonReporter, Reporter, TextReporter, make_reporter
from flowreaper.cli.terminal.screen import Screen
from flowreaper.cli.terminal.start import Start
from flowreaper.cli.terminal.summary import RunEnd
from flowreaper.errors import CheckpointError
from flowreaper.job.summary import InputRead, Summary
from flowreaper.model import Ending, State
from tests.cli.terminal.emulator import snapshot

NOON = datetime(2024, 5, 1, 12).astimezone()
START = Start(
    endpoint="https://cams.example",
    access_key="LTAI****Key1",
    key_origin="the environment",
    former_key="LTAI****Key0",
    checkpoint=Path("ids.txt.ckpt"),
    counts={},
    sources=("ids.txt",),
    rate=5.0,
    limit=10,
)
END = RunEnd(
    Summary(
        Ending.FINISHED,
        this_run={State.DELETED: 3},
        counts={State.DELETED: 3, State.PENDING: 1},
        seconds=1.0,
        calls=3,
        throttled=0,
        repeated=0,
    ),
    Path("ids.txt.ckpt"),
    "flowreaper delete ids.txt",
)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def reported(log_format: LogFormat, *steps: str, to: io.StringIO | None = None, **how: Any) -> str:
    """Return what stands on standard error after these steps."""
    stderr = to or io.StringIO()
    reporter = make_reporter(Screen(stderr), log_format, "info")
    for step in steps:
        match step:
            case "say":
                reporter.say("hello")
            case "planned":
                reporter.planned(START)
            case "started":
                reporter.started(START, asked=how.get("asked", False))
            case "input read":
                reporter.input_read(START, InputRead(to_call=30, repeated=1, unlisted=2))
            case "progress":
                reporter.progress(View(snapshot(done={State.DELETED: 3}, left=1), 5.0, 0.2, NOON))
            case "ended":
                reporter.ended(END)
            case "failed":
                reporter.failed(CheckpointError("the disk is full"))
    return stderr.getvalue()


def events(*steps: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in reported(LogFormat.JSON, *steps).splitlines()]


@pytest.mark.parametrize(
    ("step", "event"),
    [
        ("planned", "run.planned"),
        ("started", "run.started"),
        ("input read", "input.read"),
        ("progress", "run.progress"),
        ("ended", "run.ended"),
    ],
)
def test_each_step_is_an_event_in_json_and_lines_in_text(step: str, event: str) -> None:
    assert events(step)[0]["event"] == event
    assert reported(LogFormat.TEXT, step)


def test_json_holds_no_line_for_people() -> None:
    assert reported(LogFormat.JSON, "say") == ""
    assert reported(LogFormat.TEXT, "say") == "hello\n"


def test_a_dry_run_says_that_it_did_nothing() -> None:
    lines = reported(LogFormat.TEXT, "planned").splitlines()
    assert lines[0] == "Would permanently delete the flows that the input lists"
    assert lines[-1] == "This is a dry run: nothing was called, nothing was written."


def test_a_start_that_was_shown_with_the_question_is_not_shown_again() -> None:
    assert reported(LogFormat.TEXT, "started", to=Terminal(), asked=True) == ""
    assert reported(LogFormat.TEXT, "started", to=Terminal(), asked=False)
    assert reported(LogFormat.TEXT, "started", asked=True)  # standard error goes elsewhere


def test_another_access_key_is_a_warning_of_its_own_in_json() -> None:
    started, warned = events("started")
    assert (started["level"], warned["level"]) == ("info", "warning")
    assert warned["event"] == "checkpoint.used_with_another_access_key"
    assert warned["access_key"] == "LTAI****Key0"


def test_the_input_counts_no_further_than_the_limit() -> None:
    (event,) = events("input read")
    assert (event["to_call"], event["repeated"], event["unlisted"], event["expected_s"]) == (10, 1, 2, 2.0)
    first, second = reported(LogFormat.TEXT, "input read").splitlines()
    assert first.startswith("Input read: 10 flows to delete, 2 s, until ")
    assert second.startswith("2 unfinished flows of earlier inputs")


def test_what_the_input_held_takes_no_longer_than_until_the_run_stops() -> None:
    stops = replace(START, limit=None, stops_at=NOON + timedelta(seconds=2))
    said = {}
    for log_format in LogFormat:
        stderr = io.StringIO()
        screen = Screen(stderr)
        kind = JsonReporter if log_format is LogFormat.JSON else TextReporter
        reporter: Reporter = kind(screen, make_log(screen, log_format, "info"), lambda: NOON)
        reporter.input_read(stops, InputRead(to_call=30, repeated=1, unlisted=0))
        said[log_format] = stderr.getvalue()
    assert said[LogFormat.TEXT] == (
        "Input read: 30 flows to delete, 2 s, until it stops; about 10 of 30 flows\n"
    )
    assert json.loads(said[LogFormat.JSON])["expected_s"] == 2.0


def test_text_says_nothing_of_an_input_that_was_counted_before() -> None:
    stderr = io.StringIO()
    everything = Start(
        endpoint="", access_key=None, key_origin="", checkpoint=Path("x"), counts={}, sources=(), rate=5.0
    )
    make_reporter(Screen(stderr), LogFormat.TEXT, "info").input_read(everything, InputRead(1, 0, 0))
    assert stderr.getvalue() == ""


def test_progress_is_one_line_that_begins_with_the_time() -> None:
    assert reported(LogFormat.TEXT, "progress") == "12:00:00 3/4 (75%)  5.0/s  0 s left, until 12:00\n"


def test_the_end_holds_the_counts_and_the_command_that_goes_on() -> None:
    (event,) = events("ended")
    assert (event["ending"], event["deleted"], event["refused"]) == ("finished", 3, 0)
    assert (event["checkpoint"], event["resume"]) == ("ids.txt.ckpt", "flowreaper delete ids.txt")


def test_in_json_every_start_has_an_end_and_an_error_before_it_is_left_to_the_command() -> None:
    assert [event["event"] for event in events("started", "failed")][-1] == "run.ended"
    assert events("started", "failed")[-1]["error"] == "the disk is full"
    assert events("failed") == []
    assert reported(LogFormat.TEXT, "failed") == ""


@pytest.mark.parametrize(
    ("log_format", "kind"), [(LogFormat.TEXT, TextReporter), (LogFormat.JSON, JsonReporter)]
)
def test_the_format_chooses_the_reporter(log_format: LogFormat, kind: type[Reporter]) -> None:
    assert type(make_reporter(Screen(io.StringIO()), log_format, "info")) is kind


def test_what_a_person_confirms_is_written_with_the_local_time() -> None:
    screen = Screen(io.StringIO())
    log = make_reporter(screen, LogFormat.TEXT, "info").log
    text = TextReporter(screen, log, lambda: NOON).plan_text(START)
    assert text.startswith("About to permanently delete ")
