"""How far throttled calls widen the window, and for how long."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowreaper.limiter.adaptive import LEAST_WIDENING_S, MOST_WIDENING_S, AdaptiveWidening, Tuning


def throttle(widening: AdaptiveWidening, at: float) -> float:
    """Have a call throttled as soon as it was sent; return the widening that was learned."""
    widening.shrink(at)
    widening.permitted(1)
    assert widening.throttled(sent_at=at, at=at)
    return widening.widening_s


def test_calls_that_were_in_flight_together_are_one_sign() -> None:
    widening = AdaptiveWidening()
    throttle(widening, 10.6)
    learned = throttle(widening, 10.8)
    assert not widening.throttled(sent_at=10.2, at=10.85)
    assert not widening.throttled(sent_at=10.8, at=10.9)
    assert widening.widening_s == learned


def test_the_first_throttled_call_is_taken_for_bad_luck() -> None:
    assert throttle(AdaptiveWidening(), 10.0) == LEAST_WIDENING_S + Tuning().lone_step_s


def test_calls_throttled_one_after_another_widen_the_window_in_growing_steps() -> None:
    widening = AdaptiveWidening()
    throttle(widening, 10.0)
    learned = [throttle(widening, 10.5 + n) for n in range(5)]
    steps = [b - a for a, b in pairwise(learned)]
    assert all(later > step for step, later in pairwise(steps))


def test_a_call_throttled_after_many_admitted_ones_widens_by_a_small_step() -> None:
    widening = AdaptiveWidening(0.2)
    throttle(widening, 10.0)
    before = throttle(widening, 10.5)
    widening.permitted(30)
    assert throttle(widening, 17.0) - before == pytest.approx(0.08 * before)


def test_the_widening_holds_for_a_while_then_shrinks_back_to_the_full_rate() -> None:
    widening = AdaptiveWidening()
    learned = [throttle(widening, 10.0 + n) for n in range(8)][-1]
    widening.shrink(19.0)
    assert widening.widening_s == learned
    seen = []
    for at in range(30, 200, 5):
        widening.shrink(float(at))
        seen.append(widening.widening_s)
    assert all(later <= earlier for earlier, later in pairwise(seen))
    assert seen[-1] == LEAST_WIDENING_S


@pytest.mark.parametrize("saved", [float("nan"), float("-inf"), -1.0, 0.0])
def test_a_saved_widening_that_makes_no_sense_is_ignored(saved: float) -> None:
    assert AdaptiveWidening(saved).widening_s == LEAST_WIDENING_S


def test_a_saved_widening_beyond_reason_is_cut() -> None:
    assert AdaptiveWidening(float("inf")).widening_s == MOST_WIDENING_S


@given(st.floats(), st.lists(st.tuples(st.floats(0, 30), st.integers(0, 120), st.booleans()), max_size=60))
def test_the_widening_stays_in_its_bounds(saved: float, events: list[tuple[float, int, bool]]) -> None:
    widening, now = AdaptiveWidening(saved), 0.0
    for later_s, calls, throttled in events:
        now += later_s
        widening.shrink(now)
        widening.permitted(calls)
        if throttled:
            widening.throttled(sent_at=now, at=now + 0.02)
        assert LEAST_WIDENING_S <= widening.widening_s <= MOST_WIDENING_S


def test_jitter_of_fifty_milliseconds_is_not_taken_for_another_client() -> None:
    widening = AdaptiveWidening()
    for n in range(3):
        throttle(widening, 10.0 + n)
    widening.permitted(40)
    assert widening.other_clients_rate(5) is None


def test_a_long_widening_that_settled_is_another_client_s_share() -> None:
    widening = AdaptiveWidening()
    for n in range(9):
        throttle(widening, 10.0 + n)
    assert widening.other_clients_rate(5) is None
    widening.permitted(31)
    rate = widening.other_clients_rate(5)
    assert rate is not None
    assert 0.5 < rate < 3
