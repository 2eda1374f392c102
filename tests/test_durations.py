import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowreaper.durations import duration

SECONDS = {"s": 1, "min": 60, "h": 3600}


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.4, "0 s"),
        (41.6, "42 s"),
        (59.4, "59 s"),
        (59.6, "1 min"),
        (61, "1 min 1 s"),
        (200, "3 min 20 s"),
        (3599.6, "1 h"),
        (3661, "1 h 1 min"),
        (200_000, "55 h 33 min"),
        (36_000_000, "10,000 h"),
    ],
)
def test_a_time_span_is_told_in_two_units_at_most(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@given(st.integers(0, 10**9))
def test_what_is_told_is_the_time_span_and_less_than_a_minute_is_lost_of_hours(seconds: int) -> None:
    words = duration(seconds).replace(",", "").split()
    told = sum(int(many) * SECONDS[unit] for many, unit in zip(words[::2], words[1::2], strict=True))
    assert told == (seconds if seconds < SECONDS["h"] else seconds // 60 * 60)
