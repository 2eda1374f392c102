"""Times and time spans as people type them."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowreaper.cli.times import is_dated, parse_moment, parse_since, parse_span
from flowreaper.errors import ConfigurationError

NOW = datetime.fromisoformat("2026-11-25T22:30").astimezone()
MAY = datetime(2026, 5, 4, 22, 30, tzinfo=UTC)


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
        ("0001-01-01", "is no time"),
        ("2026-11-25T06:00", "has passed"),
    ],
)
def test_what_is_no_time_to_come_is_refused(text: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"^--stop-at {text} ?{words}"):
        parse_moment(text, "--stop-at", NOW)


def test_a_clock_time_comes_again_and_a_date_does_not() -> None:
    assert [is_dated(text) for text in ("06:00", "2026-11-27T06:00")] == [False, True]


# --- since when


def ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-05-04T20:00Z", datetime(2026, 5, 4, 20, tzinfo=UTC)),
        ("2026-05-04T20:00+02:00", datetime(2026, 5, 4, 18, tzinfo=UTC)),
        ("2026-05-04 20:00:00.250Z", datetime(2026, 5, 4, 20, 0, 0, 250_000, tzinfo=UTC)),
        ("2h", MAY - timedelta(hours=2)),
        ("30M", MAY - timedelta(minutes=30)),
        ("7d", MAY - timedelta(days=7)),
        ("1w", MAY - timedelta(days=7)),
        ("1d2h3m4s", MAY - timedelta(days=1, hours=2, minutes=3, seconds=4)),
        ("0s", MAY),
    ],
)
def test_a_time_with_a_zone_or_a_span_back_is_a_moment(text: str, expected: datetime) -> None:
    assert parse_since(text, "--since", MAY) == ms(expected)


@pytest.mark.parametrize(
    ("text", "local"),
    [("2026-05-03", datetime(2026, 5, 3)), ("2026-05-03T06:05", datetime(2026, 5, 3, 6, 5))],  # noqa: DTZ001 -- local on purpose
)
def test_what_has_no_zone_is_local(text: str, local: datetime) -> None:
    assert parse_since(text, "--since", MAY) == ms(local)


@pytest.mark.parametrize(
    "text",
    ["", " ", "yesterday", "2h ago", "-2h", "2", "h", "22:30", "2026-13-01", "9" * 20 + "d", "\x1b[31m"],
)
def test_what_is_no_time_is_refused_with_the_forms_there_are(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"--since .*is no time: give a date .*2h") as refused:
        parse_since(text, "--since", MAY)
    assert str(refused.value).isprintable()


@pytest.mark.parametrize("text", ["2027-05-04", "2026-05-04T22:30:01Z"])
def test_a_time_to_come_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="in the future"):
        parse_since(text, "--since", MAY)


@given(st.text())
def test_any_text_is_a_moment_or_refused(text: str) -> None:
    with suppress(ConfigurationError):
        assert parse_since(text, "--since", MAY) <= ms(MAY)
