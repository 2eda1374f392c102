"""The history as rows: what is written is read again, whatever it says; a forged row is none."""

import contextlib
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowreaper.model import FINAL, Ending, State
from flowreaper.store.history import Minute, PastRun
from flowreaper.store.sqlite import history, schema
from flowreaper.store.sqlite.database import Database
from flowreaper.store.sqlite.history import History
from tests.samples import AT_MS, IDENTITY, PAST_RUN

COUNT = st.integers(0, 2**40)
TIME_MS = st.integers(0, 253_000_000_000_000)
NAME = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
RUNS = st.builds(
    PastRun,
    started_at_ms=TIME_MS,
    seen_at_ms=TIME_MS,
    ended_at_ms=st.none() | TIME_MS,
    ending=st.none() | st.sampled_from(Ending),
    error=st.text("abc :.-", max_size=20),
    version=NAME,
    host=NAME,
    pid=st.integers(0, 2**31),
    access_key=NAME,
    rate=st.floats(0, 1e6),
    counts=st.dictionaries(st.sampled_from(FINAL), st.integers(1, 2**40)),
    calls=COUNT,
    throttled=COUNT,
)
MINUTES = st.builds(
    Minute,
    run=st.integers(1, 9),
    at_s=st.integers(0, 4 * 10**9),
    calls=COUNT,
    deleted=COUNT,
    absent=COUNT,
    refused=COUNT,
    throttled=COUNT,
    permitted_per_s=st.floats(0, 1e6),
    silent_s=st.floats(0, 60),
)


@pytest.fixture
def db() -> Iterator[sqlite3.Connection]:
    with made() as db:
        yield db


@contextlib.contextmanager
def made() -> Iterator[sqlite3.Connection]:
    with contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        schema.prepare(db, "c", IDENTITY)
        yield db


def kept(db: sqlite3.Connection) -> History:
    return History(Database(Path("c"), db))


@given(st.lists(RUNS, max_size=3), st.lists(MINUTES, unique_by=lambda m: (m.run, m.at_s), max_size=5))
def test_what_is_kept_is_read_again(runs: list[PastRun], minutes: list[Minute]) -> None:
    with made() as db:
        numbered = [replace(run, number=kept(db).begin(run)) for run in runs]
        kept(db).save(PAST_RUN, minutes)
        assert list(history.runs(db)) == numbered
        assert list(history.minutes(db)) == sorted(minutes, key=lambda m: (m.run, m.at_s))


def test_a_run_and_a_minute_are_replaced_when_they_are_saved_again(db: sqlite3.Connection) -> None:
    run = replace(PAST_RUN, number=kept(db).begin(PAST_RUN))
    other = replace(PAST_RUN, number=kept(db).begin(PAST_RUN))
    minute = Minute(run=1, at_s=60, calls=1)
    kept(db).save(run, [minute])
    ended = replace(run, ending=Ending.STOPPED, ended_at_ms=AT_MS, counts={State.DELETED: 2}, error="why")
    kept(db).save(ended, [replace(minute, calls=5), replace(minute, at_s=120)])
    assert history.runs(db) == (ended, other)
    assert [(m.at_s, m.calls) for m in history.minutes(db)] == [(60, 5), (120, 1)]


def test_an_error_is_kept_on_one_line_and_cut(db: sqlite3.Connection) -> None:
    kept(db).begin(replace(PAST_RUN, error="\x1b[2J" + "x" * 10_000))
    (run,) = history.runs(db)
    assert run.error.startswith("\\x1b[2Jx")
    assert len(run.error) < 2100


@pytest.mark.parametrize(
    "forgery",
    [
        "UPDATE run SET started_at_ms = 'x'",
        "UPDATE run SET seen_at_ms = -1",
        "UPDATE run SET ended_at_ms = 9e18",
        "UPDATE run SET ended_at_ms = 9000000000000000000",
        "UPDATE run SET ending = 'else'",
        "UPDATE run SET rate = 9e999",
        "UPDATE run SET host = x'00'",
        "UPDATE minute SET calls = 1.5",
        "UPDATE minute SET silent_s = -1",
        "UPDATE minute SET at_s = 9000000000000000",
    ],
)
def test_a_forged_row_is_an_error_and_no_run(db: sqlite3.Connection, forgery: str) -> None:
    kept(db).save(replace(PAST_RUN, number=kept(db).begin(PAST_RUN)), [Minute(run=1, at_s=60)])
    db.execute(forgery)
    with pytest.raises(ValueError, match=r"stands where|time of no run|is not a valid Ending"):
        _ = history.runs(db), history.minutes(db)
