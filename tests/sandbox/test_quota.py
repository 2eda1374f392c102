from itertools import accumulate
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowreaper.errors import ConfigurationError
from flowreaper.sandbox.quota import WINDOWS, make_quota

# Gaps of eighths and the like are exact in binary, so that the laws hold without a tolerance.
moments = st.lists(st.integers(0, 256), max_size=200).map(
    lambda gaps: [1_000 + n / 256 for n in accumulate(gaps)]
)
rates = st.integers(1, 8)


def admitted(window: str, rate: int, at: list[float]) -> list[float]:
    quota = make_quota(window, rate)
    return [at_s for at_s in at if quota.admits(at_s)]


@pytest.mark.parametrize(
    ("window", "at", "expected"),
    [
        ("fixed", [9.5, 9.75, 9.9, 10.0, 10.1, 10.2], [9.5, 9.75, 10.0, 10.1]),
        ("sliding", [9.5, 9.75, 9.9, 10.0, 10.5, 10.625, 10.75], [9.5, 9.75, 10.5, 10.75]),
        ("bucket", [9.5, 9.5, 9.5, 9.75, 10.0, 10.0, 20.0, 20.0, 20.0], [9.5, 9.5, 10.0, 20.0, 20.0]),
        ("none", [1.0, 1.0, 1.0], [1.0, 1.0, 1.0]),
    ],
)
def test_each_window_counts_two_a_second_in_its_own_way(window: str, at: list[float], expected: Any) -> None:
    assert admitted(window, 2, at) == expected


@given(rates, moments)
def test_sliding_never_admits_more_than_its_rate_in_any_second(rate: int, at: list[float]) -> None:
    passed = admitted("sliding", rate, at)
    assert all(sum(start <= t < start + 1 for t in passed) <= rate for start in passed)


@given(rates, moments)
def test_sliding_refuses_only_what_would_exceed_its_rate(rate: int, at: list[float]) -> None:
    quota = make_quota("sliding", rate)
    passed = []
    for at_s in at:
        if quota.admits(at_s):
            passed.append(at_s)
        else:
            assert sum(at_s - 1 < t for t in passed) == rate


@given(rates, moments)
def test_fixed_admits_its_rate_in_a_calendar_second_and_at_most_twice_that_in_any(
    rate: int, at: list[float]
) -> None:
    passed = admitted("fixed", rate, at)
    for second in {int(t) for t in at}:
        arrived = sum(int(t) == second for t in at)
        assert sum(int(t) == second for t in passed) == min(rate, arrived)
    assert all(sum(start <= t < start + 1 for t in passed) <= 2 * rate for start in passed)


@given(rates, moments)
def test_bucket_admits_at_most_its_capacity_and_what_was_refilled(rate: int, at: list[float]) -> None:
    passed = admitted("bucket", rate, at)
    for i, first in enumerate(passed):
        assert all(n <= rate + rate * (last - first) + 1e-6 for n, last in enumerate(passed[i:], 1))


def test_bucket_holds_its_rate_over_the_long_run() -> None:
    passed = admitted("bucket", 5, [n / 64 for n in range(64 * 600)])
    assert len(passed) == pytest.approx(5 * 600 + 5, abs=1)


@pytest.mark.parametrize("window", WINDOWS)
def test_every_window_admits_an_even_pace_at_its_rate(window: str) -> None:
    at = [n / 4 for n in range(4000)]
    assert admitted(window, 4, at) == at


@pytest.mark.parametrize(
    ("window", "rate", "words"), [("round", 5, "'round'.*fixed"), ("fixed", 0, "rate is 0")]
)
def test_an_impossible_quota_is_a_configuration_error(window: str, rate: int, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        make_quota(window, rate)
