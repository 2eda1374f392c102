"""How far a run is, in numbers and words."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowreaper.cli.terminal.progress import View, clock_time, ends_at, time_left, why_slow
from flowreaper.model import State
from tests.cli.terminal.emulator import snapshot

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)  # a Wednesday
COUNTS = st.dictionaries(st.sampled_from(State), st.integers(0, 10**7))


def view(**fields: Any) -> View:
    return View(snapshot(**fields), 4.9, None, NOON)


# Counts


def test_done_and_total_are_those_of_the_job_and_this_run_stands_apart() -> None:
    resumed = view(
        before={State.DELETED: 740_000, State.REFUSED: 2}, done={State.DELETED: 1_234}, left=258_764
    )
    assert (resumed.done, resumed.total, resumed.percent) == (741_236, 1_000_000, 74)
    assert resumed.this_run == 1_234
    assert view(done={State.DELETED: 5}, left=5).this_run is None


def test_done_and_total_of_a_run_with_a_limit_are_its_own() -> None:
    limited = view(before={State.DELETED: 740_000}, done={State.DELETED: 12}, left=260_000, limit=100)
    assert (limited.done, limited.total, limited.percent, limited.this_run) == (12, 100, 12, None)


def test_invalid_lines_are_no_flows() -> None:
    found = view(before={State.INVALID: 7}, done={State.DELETED: 1, State.INVALID: 8}, left=3)
    assert (found.done, found.total, found.percent) == (1, 4, 25)


def test_while_the_input_is_read_nobody_knows_the_share() -> None:
    assert view(done={State.DELETED: 1}, left=1, reading=True).percent is None
    assert view().percent is None


@given(before=COUNTS, done=COUNTS, left=st.integers(1, 10**8), limit=st.none() | st.integers(1, 10**8))
def test_the_share_is_100_only_when_nothing_is_left_to_do(
    before: dict[State, int], done: dict[State, int], left: int, limit: int | None
) -> None:
    found = view(before=before, done=done, left=left, limit=limit)
    percent = found.percent
    assert percent is not None
    assert 0 <= percent <= 100
    assert percent * found.total <= 100 * found.done
    assert (percent == 100) is (found.run.to_do == 0)


def test_every_trouble_that_there_is_is_named_the_worst_first() -> None:
    every = dict.fromkeys(State, 3)
    words = [word for _, word in view(done=every, in_doubt=2, throttled=1).troubles]
    assert words == ["refused", "gave up", "in doubt", "throttled", "invalid", "absent"]
    assert view(done={State.DELETED: 9, State.REFUSED: 0}).troubles == ()


# Why it is slow


@pytest.mark.parametrize(
    ("fields", "phrase"),
    [
        ({"left": 9}, ""),
        ({"left": 9, "permitted_per_s": 4.9}, ""),
        ({"left": 9, "permitted_per_s": 4.7}, "service admits 4.7/s"),
        ({"left": 9, "rate": 50.0, "permitted_per_s": 25.0}, "service admits 25/s"),
        ({"left": 9, "other_clients_per_s": 0.01}, ""),
        ({"left": 9, "other_clients_per_s": 2.04, "permitted_per_s": 3.0}, "another client takes about 2/s"),
        ({"left": 9, "reading": True}, ""),
        ({"reading": True, "other_clients_per_s": 2.0}, "reading input"),
        ({"left": 9, "limit": 3, "done": {State.DELETED: 3}, "reading": True}, "reading input"),
        ({"reading": True, "silent_s": 0.0}, "no answer for 0 s"),
        ({"silent_s": 59.0}, "no answer for 59 s"),
        ({"silent_s": 200.0}, "no answer for 3 min"),
        ({"silent_s": 7_500.0}, "no answer for 2 h 5 min"),
    ],
)
def test_one_phrase_says_why_a_run_is_slow(fields: dict[str, Any], phrase: str) -> None:
    assert why_slow(snapshot(**fields)) == phrase


# Times


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s left"),
        (45.4, "45 s left"),
        (200, "3 min 20 s left"),
        (659, "11 min left"),
        (3_599, "1 h left"),
        (198_120, "55 h 2 min left"),
        (4_000_000, "1,111 h left"),
    ],
)
def test_the_time_left_is_the_coarser_the_longer_it_is(seconds: float, text: str) -> None:
    assert time_left(seconds) == text


@pytest.mark.parametrize(
    ("hours", "full", "short"),
    [
        (6, "18:00", "18:00"),
        (12, "Thu 2026-11-26 00:00", "Thu 00:00"),
        (24 * 7, "Wed 2026-12-02 12:00", "Wed 2026-12-02 12:00"),  # not today, which is a Wednesday as well
    ],
)
def test_a_clock_time_names_the_day_where_it_is_not_today(hours: int, full: str, short: str) -> None:
    moment = NOON + timedelta(hours=hours)
    assert clock_time(moment, NOON) == full
    assert clock_time(moment, NOON, short=True) == short


def test_the_end_is_a_time_that_can_be_written_however_far_it_is() -> None:
    assert ends_at(3600, NOON) == NOON + timedelta(hours=1)
    assert ends_at(1e15, NOON).year == 9999


# What ends it


def ending(left_s: float | None, stops_in_s: float | None) -> View:
    return View(snapshot(left=9, stops_in_s=stops_in_s), 5.0, left_s, NOON)


@pytest.mark.parametrize(
    ("left_s", "stops_in_s", "said"),
    [
        (None, None, ""),
        (None, 60.0, ""),
        (60.0, None, "until 12:01"),
        (60.0, 61.0, "until 12:01"),
        (3600.0, 3600.0, "stops at 13:00"),
        (64_799.999999, 64_799.999999, "stops at Thu 2026-11-26 06:00"),
    ],
)
def test_an_end_says_whether_the_run_is_stopped(
    left_s: float | None, stops_in_s: float | None, said: str
) -> None:
    assert ending(left_s, stops_in_s).end() == said
