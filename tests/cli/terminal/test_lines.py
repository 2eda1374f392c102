"""Progress where nothing can be drawn: a plain line, and the same as fields."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from flowreaper.cli.terminal import lines
from flowreaper.cli.terminal.progress import View
from flowreaper.model import State
from tests.cli.terminal.emulator import snapshot

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
RESUMED = View(
    snapshot(
        before={State.DELETED: 740_000},
        done={State.DELETED: 1_230, State.REFUSED: 4},
        left=258_766,
        in_doubt=3,
        throttled=5,
        permitted_per_s=4.7,
    ),
    4.66,
    198_120.0,
    NOON,
)
STOPPED = View(snapshot(done={State.DELETED: 6}, left=8_117, stops_in_s=3.2), 5.0, 3.2, NOON)
READING = View(snapshot(done={State.DELETED: 5}, left=7, reading=True), 5.0, None, NOON)


@pytest.mark.parametrize(
    ("view", "text"),
    [
        (
            RESUMED,
            (
                "741,234/1,000,000 (74%)  this run 1,234  4.7/s  4 refused  3 in doubt  5 throttled"
                "  55 h 2 min left, until Fri 2026-11-27 19:02  service admits 4.7/s"
            ),
        ),
        (STOPPED, "6/8,123 (0%)  5.0/s  3 s left, stops at 12:00"),
        (READING, "5/12+  5.0/s"),
        (replace(READING, run=snapshot(reading=True)), "0/0+  5.0/s  reading input"),
    ],
)
def test_a_line_says_everything(view: View, text: str) -> None:
    assert lines.line(view) == text


def test_the_fields_are_json_and_say_the_same() -> None:
    fields = json.loads(json.dumps(lines.fields(RESUMED)))
    assert fields == {
        "deleted": 1_230,
        "refused": 4,
        "left": 258_766,
        "calls_per_s": 4.66,
        "silent_s": None,
        "done": 741_234,
        "total": 1_000_000,
        "percent": 74,
        "reading": False,
        "in_doubt": 3,
        "throttled": 5,
        "permitted_per_s": 4.7,
        "other_clients_per_s": None,
        "left_s": 198_120,
        "ends_at": "2026-11-27T19:02:00+00:00",
        "stops_at": None,
        "slow_because": "service admits 4.7/s",
    }


def test_what_nobody_can_know_is_null() -> None:
    fields = lines.fields(READING)
    names = ("percent", "left_s", "ends_at", "stops_at", "slow_because")
    assert [fields[name] for name in names] == [None] * 5
    assert lines.fields(replace(READING, run=snapshot(silent_s=61.4)))["silent_s"] == 61


def test_the_fields_say_when_the_run_stops_also_where_it_ends_earlier() -> None:
    stopped = lines.fields(STOPPED)
    assert (stopped["left_s"], stopped["ends_at"], stopped["stops_at"]) == (
        3,
        "2026-11-25T12:00:03+00:00",
        "2026-11-25T12:00:03+00:00",
    )
    done_before = lines.fields(replace(RESUMED, run=replace(RESUMED.run, stops_in_s=200_000.0)))
    assert (done_before["ends_at"], done_before["stops_at"]) == (
        "2026-11-27T19:02:00+00:00",
        "2026-11-27T19:33:20+00:00",
    )
