"""Times and time spans as people type them."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowreaper.cli.times import is_dated, parse_moment, parse_span
from flowreaper.errors import ConfigurationError

NOW = datetime.fromisoformat("2026-11-25T22:30").astimezone()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("5h30m", 19_800),
        ("90s", 90),
        ("1d12h", 129_600),
        ("1.5h", 5_400),
        (" 2H ", 7_200),
        ("10m0.5s", 600.5),
    ],
)
def test_a_span_is_read_in_its_units(text: str, seconds: float) -> None:
    assert parse_span(text, "--x") == seconds


@given(st.integers(0, 99), st.integers(0, 99), st.integers(0, 99), st.integers(1, 99))
def test_any_span_is_the_sum_of_its_parts(days: int, hours: int, minutes: int, seconds: int) -> None:
    text = f"{days}d{hours}h{minutes}m{seconds}s"
    whole = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    assert parse_span(text, "--x") == whole.total_seconds()


@pytest.mark.parametrize("text", ["", "5", "h", "5x", "30m5h", "5h 30m", "-5h", "5h\n30m", "\u0665h", "1e3s"])
def test_what_is_no_span_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^--max .* is no time span: write it as 5h30m"):
        parse_span(text, "--max")


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("06:00", "2026-11-26T06:00:00"),
        ("23:15", "2026-11-25T23:15:00"),
        ("22:30", "2026-11-26T22:30:00"),
        ("6:00:30", "2026-11-26T06:00:30"),
        ("2026-11-27T06:00", "2026-11-27T06:00:00"),
        ("2026-11-27", "2026-11-27T00:00:00"),
    ],
)
def test_a_moment_without_a_zone_is_the_next_one_of_local_time(text: str, moment: str) -> None:
    assert parse_moment(text, "--x", NOW) == datetime.fromisoformat(moment).astimezone()


def test_a_moment_with_a_zone_is_of_that_zone() -> None:
    assert parse_moment("2026-11-28T06:00Z", "--x", NOW) == datetime(2026, 11, 28, 6, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is no time"),
        ("6", "is no time"),
        ("24:00", "is no time"),
        ("06:60", "is no time"),
        ("tomorrow", "is no time"),
        ("2026-13-01", "is no time"),
        ("2026-11-25T06:00", "has passed"),
    ],
)
def test_what_is_no_time_to_come_is_refused(text: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"^--stop-at {text} ?{words}"):
        parse_moment(text, "--stop-at", NOW)


def test_a_clock_time_comes_again_and_a_date_does_not() -> None:
    assert [is_dated(text) for text in ("06:00", "2026-11-27T06:00")] == [False, True]
