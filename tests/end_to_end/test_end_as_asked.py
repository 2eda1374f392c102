"""A run that was asked to end early (--limit, --max-duration, --stop-at), and what cannot be meant by it."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from tests.end_to_end.command import Command, Service

Ids = Callable[[int], list[str]]


@pytest.mark.parametrize(
    "limit",
    [
        ("--limit", "3"),
        ("--max-duration", "1s"),
        ("--stop-at", (datetime.now().astimezone() + timedelta(hours=30)).isoformat()),
    ],
)
def test_a_run_that_stops_as_asked_with_flows_left_ends_with_4(
    command: Command, ids: Ids, limit: tuple[str, str]
) -> None:
    command.write("flows.txt", *ids(40))
    if limit[0] == "--stop-at":  # as near as a test may be
        limit = ("--stop-at", (datetime.now().astimezone() + timedelta(seconds=2)).isoformat())
    finished = command.run("delete", "--yes", *limit, "--summary-json", "summary.json", "flows.txt")
    assert finished.status == 4
    found = json.loads((command.folder / "summary.json").read_text())
    assert found["ending"] == ("limit" if limit[0] == "--limit" else "time_up")
    assert found["exit_status"] == 4
    assert found["left"] > 0
    assert found["resume"] == finished.resume
    assert ("--stop-at" in finished.resume) is False
    assert command.states("flows.txt.ckpt")["deleted"] < 40


def test_a_limit_that_comes_with_the_last_flow_leaves_nothing(command: Command, ids: Ids) -> None:
    command.write("flows.txt", *ids(3))
    assert command.delete("--limit", "3", "flows.txt").status == 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--max-duration", "5"), "--max-duration 5 is no time span"),
        (("--max-duration", "0s"), "--max-duration must be more than 0"),
        (("--stop-at", "25:00"), "--stop-at 25:00 is no time"),
        (("--stop-at", "2020-01-01T06:00"), "has passed"),
        (("--summary-json", "flows.txt"), "--summary-json flows.txt is a SOURCE too"),
        (("--summary-json", "flows.txt.ckpt"), "is the checkpoint too"),
        (("--summary-json", "flows.txt.ckpt-wal"), "a file that SQLite makes"),
        (("--summary-json", "notes.txt"), "is no summary of flowreaper"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_is_sent(
    command: Command, service: Service, ids: Ids, options: tuple[str, str], words: str
) -> None:
    flows = ids(2)
    command.write("flows.txt", *flows)
    command.write("notes.txt", "mine")
    finished = command.delete(*options, "flows.txt")
    assert (finished.status, service.called(flows)) == (2, [])
    assert words in finished.err
    assert (command.folder / "notes.txt").read_text() == "mine\n"
