import heapq
import math
import pickle
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from flowreaper.limiter.adaptive import LEAST_WIDENING_S, MOST_WIDENING_S
from flowreaper.limiter.sliding_window import BLOCKED, Pace


def earliest(pace: Pace) -> float:
    """Return when the next batch may begin; infinity if that is not known yet."""
    found = pace.earliest
    return math.inf if found is BLOCKED else found


def send(pace: Pace, at: float) -> int:
    """Begin a batch and send all of its calls at once; return how many."""
    calls = pace.begin(at)
    pace.sent(at, calls)
    return calls


def drive(pace: Pace, count: int, late: list[float], start: float = 100.0) -> list[float]:
    """Send as soon as the pace allows, each send late by the next of `late` (cycled); return the times."""
    now, times = start, []
    for number in range(count):
        now = max(now, earliest(pace)) + late[number % len(late)]
        times += [now] * send(pace, now)
    return times


def most_in_a_second(times: list[float]) -> int:
    most = first = 0
    for last, at in enumerate(times):
        while at - times[first] >= 1.0:
            first += 1
        most = max(most, last - first + 1)
    return most


def test_the_first_call_is_sent_at_once_and_the_next_ones_evenly() -> None:
    times = drive(Pace(5), 5, [0.0])
    assert times[0] == 100.0
    assert all(abs(b - a - 0.2 * (1 + LEAST_WIDENING_S)) < 1e-9 for a, b in pairwise(times))


def test_five_a_second_over_an_hour_with_exact_timers() -> None:
    times = drive(Pace(5), 18_000, [0.0])
    assert most_in_a_second(times) == 5
    assert (len(times) - 1) / (times[-1] - times[0]) > 4.99


def test_timers_that_wake_a_millisecond_late_cost_less_than_half_a_percent() -> None:
    times = drive(Pace(5), 18_000, [0.001, 0.0002, 0.0011, 0.0007])
    assert most_in_a_second(times) == 5
    assert (len(times) - 1) / (times[-1] - times[0]) > 4.98


@given(
    st.sampled_from([0.5, 1.0, 3.0, 5.0, 7.0, 20.0, 50.0, 100.0, 499.0, 2000.0]),
    st.lists(st.one_of(st.just(0.0), st.floats(0, 0.01), st.floats(0, 3)), min_size=1, max_size=20),
)
def test_no_second_holds_more_than_the_rate_whatever_the_delays(rate: float, late: list[float]) -> None:
    pace = Pace(rate)
    times = drive(pace, 200, late)
    assert most_in_a_second(times) <= max(1, rate)


@given(st.floats(0.1, 5000), st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_a_rate_that_is_no_whole_number_is_never_passed_by_more_than_one_call(
    rate: float, late: list[float]
) -> None:
    assert most_in_a_second(drive(Pace(rate), 200, late)) <= rate + 1


@given(
    st.sampled_from([0.5, 1.0, 3.0, 5.0, 7.0, 50.0, 51.0, 499.0]),
    st.lists(st.one_of(st.floats(0, 0.002), st.floats(0, 0.3), st.floats(0, 12)), min_size=1, max_size=60),
)
@example(499.0, [0.0, 0.0625, 0.0])
def test_no_second_holds_more_than_the_rate_however_long_calls_are_held_back_on_their_way(
    rate: float, held_s: list[float]
) -> None:
    pace, now = Pace(rate), 100.0
    times: list[float] = []
    on_their_way: list[tuple[float, int]] = []

    def send_until(at: float) -> None:
        while on_their_way and on_their_way[0][0] <= at:
            sent_at, calls = heapq.heappop(on_their_way)
            pace.sent(sent_at, calls)
            times.extend([sent_at] * calls)

    for number in range(150):
        while earliest(pace) > now:
            now = min(earliest(pace), on_their_way[0][0] if on_their_way else math.inf)
            send_until(now)
        heapq.heappush(on_their_way, (now + held_s[number % len(held_s)], pace.begin(now)))
        send_until(now)
    send_until(math.inf)
    assert most_in_a_second(times) <= max(1, rate)


def test_a_call_that_was_held_back_begins_its_second_when_it_is_sent() -> None:
    pace = Pace(5)
    pace.begin(100.0)
    pace.sent(100.15)
    drive(pace, 4, [0.0])
    assert earliest(pace) == pytest.approx(100.15 + 1 + LEAST_WIDENING_S)


def test_a_call_that_is_not_sent_costs_its_own_place_in_each_second_and_no_other() -> None:
    pace = Pace(5)
    pace.begin(100.0)
    times = drive(pace, 40, [0.0], start=100.2)
    assert (len(times) - 1) / (times[-1] - times[0]) == pytest.approx(4, abs=0.1)


def test_calls_may_be_recorded_as_sent_in_any_order() -> None:
    pace = Pace(5)
    for at in (100.0, 100.2, 100.4, 100.6, 100.8):
        pace.begin(at)
    for at in (100.95, 100.3, 100.5, 100.7, 100.1):
        pace.sent(at)
    assert earliest(pace) == pytest.approx(100.1 + 1 + LEAST_WIDENING_S)


def test_what_is_remembered_of_earlier_calls_does_not_grow() -> None:
    pace = Pace(5)
    drive(pace, 50, [0.0])
    size = len(pickle.dumps(pace))
    drive(pace, 5000, [0.0], start=200.0)
    assert len(pickle.dumps(pace)) <= size + 10


def test_nothing_follows_five_calls_that_are_not_sent() -> None:
    pace = Pace(5)
    for number in range(5):
        assert earliest(pace) < 200
        pace.begin(100.0 + number)
    assert pace.earliest is BLOCKED
    pace.sent(107.0)
    assert earliest(pace) == pytest.approx(107.0 + 1 + LEAST_WIDENING_S)


def test_no_burst_after_a_stall() -> None:
    pace = Pace(5)
    drive(pace, 5, [0.0])
    after = drive(pace, 6, [0.0], start=3600.0)
    assert [round(b - a, 3) for a, b in pairwise(after)] == [0.2, 0.2, 0.2, 0.2, 0.2]


def throttle(pace: Pace, at: float) -> float:
    """Send a call at this time, have it throttled at once; return the widening that was learned."""
    send(pace, at)
    pace.throttled(sent_at=at, at=at)
    return pace.widening_s


def test_a_pause_that_the_service_asks_for_is_kept() -> None:
    pace = Pace(5)
    send(pace, 10.0)
    pace.throttled(sent_at=10.0, at=10.05, retry_after_s=7.5)
    assert earliest(pace) == 17.55


def test_a_lone_throttled_call_shifts_the_phase_and_costs_a_tenth_of_a_percent_at_most() -> None:
    pace = Pace(5)
    drive(pace, 200, [0.0])
    before = earliest(pace)
    assert LEAST_WIDENING_S < throttle(pace, before) <= 0.001
    # Later by more than the jitter of 50 ms, on top of the next gap.
    assert 0.25 < earliest(pace) - before < 0.29


def test_a_service_that_throttles_everything_gets_a_call_every_two_seconds_at_last() -> None:
    pace = Pace(5)
    now = 0.0
    for _ in range(200):
        now = max(now, earliest(pace))
        throttle(pace, now)
    assert pace.widening_s == MOST_WIDENING_S
    assert 2.2 <= earliest(pace) - now <= 2.4


def test_what_an_earlier_run_learned_is_where_a_new_one_begins() -> None:
    assert Pace(5, 0.05).widening_s == 0.05
    times = drive(Pace(5, 0.05), 30, [0.0])
    assert most_in_a_second(times) <= 5
    assert 4.7 < 29 / (times[-1] - times[0]) < 4.8


@given(st.lists(st.tuples(st.floats(0, 3), st.booleans()), min_size=1, max_size=60))
def test_no_second_holds_more_than_five_whatever_is_throttled(calls: list[tuple[float, bool]]) -> None:
    pace, now, times = Pace(5), 0.0, []
    for late_s, throttled in calls:
        now = max(now, earliest(pace)) + late_s
        send(pace, now)
        times.append(now)
        if throttled:
            pace.throttled(sent_at=now, at=now + 0.02)
    assert most_in_a_second(times) <= 5
