"""What counts as an attempt, and the back-off: exponential, capped, with full jitter."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flowreaper.client.backoff import CAP_S, backoff_s
from flowreaper.model import Reply
from flowreaper.workers.attempts import RetryPolicy

# No test is timed: the first text that Hypothesis draws builds its tables of Unicode.
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

attempts = st.integers(1, 10**9)
lucks = st.floats(0, 1)


@pytest.mark.parametrize(
    ("attempt", "ceiling_s"), [(1, 0.5), (2, 1.0), (3, 2.0), (6, 16.0), (7, 30.0), (8, 30.0), (10**9, 30.0)]
)
def test_ceiling_doubles_from_half_a_second_up_to_thirty(attempt: int, ceiling_s: float) -> None:
    assert backoff_s(attempt, 1.0) == ceiling_s


def test_cap_is_thirty_seconds() -> None:
    assert CAP_S == 30.0


@unhurried
@given(attempts, lucks)
def test_wait_lies_between_nothing_and_the_cap(attempt: int, luck: float) -> None:
    assert 0 <= backoff_s(attempt, luck) <= CAP_S


@unhurried
@given(attempts, lucks)
def test_jitter_is_full_and_linear_in_luck(attempt: int, luck: float) -> None:
    assert backoff_s(attempt, 0.0) == 0
    assert backoff_s(attempt, luck) == backoff_s(attempt, 1.0) * luck


@unhurried
@given(attempts, attempts)
def test_ceiling_never_falls(one: int, other: int) -> None:
    fewer, more = sorted((one, other))
    assert backoff_s(fewer, 1.0) <= backoff_s(more, 1.0)


def test_a_policy_waits_after_no_attempt_as_after_the_first() -> None:
    policy = RetryPolicy(3, lambda: 0.5)
    assert [policy.wait_s(attempt) for attempt in (-1, 0, 1, 2)] == [0.25, 0.25, 0.25, 0.5]


def test_a_policy_is_exhausted_at_its_last_attempt() -> None:
    policy = RetryPolicy(3, lambda: 0.5)
    assert [policy.is_exhausted(attempt) for attempt in (2, 3, 4)] == [False, True, True]


@pytest.mark.parametrize(
    ("reply", "counts"),
    [
        (Reply(200, "OK"), 1),
        (Reply(400, "System.LimitControl"), 1),
        (Reply(503, "", readable=False, reached=True), 1),
        (Reply(0, "", readable=False, reached=True), 1),
        (Reply(0, "", readable=False, reached=False), 0),
    ],
)
def test_a_call_that_was_sent_is_an_attempt_whatever_came_back(reply: Reply, counts: int) -> None:
    assert RetryPolicy(8, lambda: 0.5).count(2, reply) == 2 + counts
