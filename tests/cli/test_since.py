from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowreaper.cli.since import parse_since
from flowreaper.errors import ConfigurationError

NOW = datetime(2026, 5, 4, 22, 30, tzinfo=UTC)


def ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-05-04T20:00Z", datetime(2026, 5, 4, 20, tzinfo=UTC)),
        ("2026-05-04T20:00+02:00", datetime(2026, 5, 4, 18, tzinfo=UTC)),
        ("2026-05-04 20:00:00.250Z", datetime(2026, 5, 4, 20, 0, 0, 250_000, tzinfo=UTC)),
        ("2h", NOW - timedelta(hours=2)),
        ("30M", NOW - timedelta(minutes=30)),
        ("7d", NOW - timedelta(days=7)),
        ("1w", NOW - timedelta(days=7)),
        ("1d2h3m4s", NOW - timedelta(days=1, hours=2, minutes=3, seconds=4)),
        ("0s", NOW),
    ],
)
def test_a_time_with_a_zone_or_a_span_back_is_a_moment(text: str, expected: datetime) -> None:
    assert parse_since(text, NOW) == ms(expected)


@pytest.mark.parametrize(
    ("text", "local"),
    [("2026-05-03", datetime(2026, 5, 3)), ("2026-05-03T06:05", datetime(2026, 5, 3, 6, 5))],  # noqa: DTZ001 -- local on purpose
)
def test_what_has_no_zone_is_local(text: str, local: datetime) -> None:
    assert parse_since(text, NOW) == ms(local)


@pytest.mark.parametrize(
    "text",
    ["", " ", "yesterday", "2h ago", "-2h", "2", "h", "22:30", "2026-13-01", "9" * 20 + "d", "\x1b[31m"],
)
def test_what_is_no_time_is_refused_with_the_forms_there_are(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"--since .*is no time: give a date .*2h") as refused:
        parse_since(text, NOW)
    assert str(refused.value).isprintable()


@pytest.mark.parametrize("text", ["2027-05-04", "2026-05-04T22:30:01Z"])
def test_a_time_to_come_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="in the future"):
        parse_since(text, NOW)


@given(st.text())
def test_any_text_is_a_moment_or_refused(text: str) -> None:
    with suppress(ConfigurationError):
        assert parse_since(text, NOW) <= ms(NOW)
