"""What another process sees of a run: while it goes on, hangs, or was killed, and until when it says that it works."""

import contextlib
import re
import signal
import sqlite3
import subprocess
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from tests.end_to_end.command import Command, ended, wait_for, wait_until_deleting
from tests.end_to_end.terminal import Terminal

Ids = Callable[[int], list[str]]


def test_a_watch_that_is_interrupted_ends_in_silence_and_leaves_the_run_alone(
    command: Command, ids: Ids
) -> None:
    command.write("flows.txt", *ids(60))
    with command.flowreaper("delete", "--yes", "--rate", "20", "flows.txt", stderr=subprocess.DEVNULL) as run:
        wait_until_deleting(command)
        with command.flowreaper("status", "--watch", "flows.txt.ckpt") as watch:
            assert watch.stdout
            watch.stdout.readline()
            watch.send_signal(signal.SIGINT)
            watched = ended(watch)
        assert run.wait() == 0
    assert (watched.status, watched.err) == (130, "")


def test_on_a_terminal_a_watch_leaves_the_warning_of_a_missing_log_to_be_seen(
    command: Command, ids: Ids
) -> None:
    command.write("flows.txt", *ids(60))
    with command.flowreaper("delete", "--yes", "--rate", "20", "flows.txt", stderr=subprocess.DEVNULL) as run:
        wait_until_deleting(command)
        run.kill()
    (command.folder / "flows.txt.ckpt-wal").unlink()
    with Terminal(command, "status", "--watch", "flows.txt.ckpt") as terminal:
        assert terminal.wait() == 0
    before, left = re.split(r"\x1b\[2?J", terminal.shown)
    assert "is not whole" in left
    assert "is not whole" not in before


def test_a_run_that_was_stopped_is_not_shown_at_full_pace(command: Command, ids: Ids) -> None:
    """Its last minute is set back: nobody waits for a quarter of a minute."""
    command.write("flows.txt", *ids(400))
    with command.flowreaper("delete", "--yes", "--rate", "20", "flows.txt", stderr=subprocess.DEVNULL) as run:
        wait_until_deleting(command)
        wait_for(lambda: stopped_and_set_back(run, command.folder / "flows.txt.ckpt"))
        told = command.run("status", "flows.txt.ckpt").out
        run.kill()
    assert " ago: it hangs, or was stopped (Ctrl-Z)" in told
    assert "calls/s" not in told


def test_a_run_that_is_asked_to_stop_says_when(command: Command, ids: Ids) -> None:
    command.write("flows.txt", *ids(100))
    planned = command.run("delete", "--dry-run", "--stop-at", "2126-11-26T06:00", "flows.txt").err
    assert "  Stops at:    Tue 2126-11-26 06:00\n" in planned
    json_lines = ("--log-format", "json", "--progress", "lines", "--progress-interval", "0.2")
    finished = command.run("delete", "--yes", "--max-duration", "1s", *json_lines, "flows.txt")
    began = next(event for event in finished.events if event["event"] == "run.started")
    progress = next(event for event in finished.events if event["event"] == "run.progress")
    assert began["stops_at"] == began["expected_end"]
    assert began["expected_s"] <= 1
    assert progress["left_s"] <= 1
    assert abs(moment(progress["ends_at"]) - moment(began["stops_at"])) <= timedelta(seconds=2)


def stopped_and_set_back(run: subprocess.Popen[str], checkpoint: Path) -> bool:
    """Stop a run and set its last minute back; a run that stopped while it wrote goes on, to be stopped again."""
    run.send_signal(signal.SIGSTOP)
    with contextlib.closing(sqlite3.connect(checkpoint, timeout=0.1)) as db:
        try:
            with db:
                db.execute("UPDATE run SET seen_at_ms = seen_at_ms - 20000")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
                raise
            run.send_signal(signal.SIGCONT)
            return False
    return True


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
