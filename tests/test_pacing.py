from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from flowreaper.pacing import Pace


def drive(pace: Pace, count: int, late: list[float], start: float = 100.0) -> list[float]:
    """Send as soon as the pace allows, each send late by the next of `late` (cycled); return the times."""
    now, times = start, []
    for number in range(count):
        now = max(now, pace.earliest) + late[number % len(late)]
        times += [now] * pace.sent(now)
    return times


def most_in_a_second(times: list[float]) -> int:
    most = first = 0
    for last, at in enumerate(times):
        while at - times[first] >= 1.0:
            first += 1
        most = max(most, last - first + 1)
    return most


def test_first_call_leaves_at_once_and_the_next_ones_evenly() -> None:
    times = drive(Pace(5), 5, [0.0])
    assert times[0] == 100.0
    assert all(abs(b - a - 0.2) < 1e-9 for a, b in pairwise(times))


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


def test_no_burst_after_a_stall() -> None:
    pace = Pace(5)
    drive(pace, 5, [0.0])
    after = drive(pace, 6, [0.0], start=3600.0)
    assert [round(b - a, 3) for a, b in pairwise(after)] == [0.2, 0.2, 0.2, 0.2, 0.201]


def test_a_throttled_call_pauses_the_account_for_a_second() -> None:
    pace = Pace(5)
    pace.sent(10.0)
    pace.throttled(sent_at=10.0, at=10.05)
    assert pace.earliest == 11.05


def test_the_service_s_own_wish_is_honoured() -> None:
    pace = Pace(5)
    pace.sent(10.0)
    pace.throttled(sent_at=10.0, at=10.05, retry_after_s=7.5)
    assert pace.earliest == 17.55


def test_calls_that_were_on_their_way_together_are_one_sign() -> None:
    pace = Pace(5)
    for at in (10.0, 10.2, 10.4):
        pace.sent(at)
    pace.throttled(sent_at=10.0, at=10.5)
    pace.throttled(sent_at=10.2, at=10.6)
    pace.throttled(sent_at=10.4, at=10.7)
    assert pace.earliest == 11.5


def test_the_pause_doubles_while_the_calls_after_it_are_refused_and_ends_at_thirty_seconds() -> None:
    pace = Pace(5)
    now, pauses = 0.0, []
    for _ in range(8):
        pace.sent(now)
        pace.throttled(sent_at=now, at=now)
        pauses.append(pace.earliest - now)
        now = pace.earliest
    assert pauses == [1, 2, 4, 8, 16, 30, 30, 30]


def test_an_admitted_call_after_the_pause_ends_the_doubling() -> None:
    pace = Pace(5)
    pace.sent(0.0)
    pace.throttled(sent_at=0.0, at=0.1)
    pace.sent(1.1)
    pace.admitted(sent_at=1.1)
    pace.sent(1.3)
    pace.throttled(sent_at=1.3, at=1.4)
    assert pace.earliest == 2.4
