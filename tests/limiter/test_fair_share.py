"""Which run may reserve the next slot, and what they share for that: whatever a file holds, the rate is kept."""

import json
import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowreaper.limiter.fair_share import (
    GONE_AFTER_S,
    HEARTBEAT_S,
    LONGEST_WAIT_S,
    LOOK_ALONE_S,
    SHELF_LIFE_S,
    Census,
    FairShare,
    OwnSlots,
    Peer,
    SharedState,
    is_alive,
    json_of,
    longer,
    read,
    settle_s,
    share_wait_s,
    slot_wait_s,
)
from flowreaper.limiter.sliding_window import BLOCKED, Blocked

NOW = 1000.0
TIMES = st.floats(NOW - 50, NOW)
RUNS = st.builds(
    lambda seen, reserved, interval, widening: Peer(max(seen, reserved), reserved, interval, widening),
    TIMES,
    TIMES,
    st.sampled_from([0.02, 0.2, 1.0]),
    st.floats(0.0, 1.0),
)
NAMES = st.text("abc", min_size=1, max_size=3)


def peer(seen_at: float, reserved_at: float, interval_s: float = 0.2, widening_s: float = 0.0) -> Peer:
    return Peer(seen_at, reserved_at, interval_s, widening_s)


@given(
    st.dictionaries(
        NAMES,
        st.builds(
            lambda sent, slots, runs, unsent, closed_until: SharedState(
                sorted(sent),
                slots,
                runs,
                {name: sorted(unsent) for name in list(runs)[:1] if unsent},
                closed_until,
            ),
            st.lists(TIMES, max_size=50),
            st.integers(0, 2**52),
            st.dictionaries(NAMES, RUNS, min_size=1, max_size=3),
            st.lists(TIMES, max_size=5),
            st.floats(0, NOW + 2),
        ),
        max_size=3,
    )
)
def test_what_was_written_is_read_as_it_was(accounts: dict[str, SharedState]) -> None:
    assert read(json_of(accounts), NOW) == accounts


def test_an_account_without_a_run_of_the_last_minute_is_forgotten() -> None:
    accounts = {"a": SharedState([900.0], 1, {"r": peer(939.0, 900.0)}), "b": SharedState([1.0], 1, {})}
    assert read(json_of(accounts), NOW) == {}


@pytest.mark.parametrize(
    "unsent",
    [None, 7, "x", [], {"gone": [999.0]}, {"r": None}, {"r": [None, "x", 1e9, -1.0, math.nan]}],
)
def test_unsent_slots_that_make_no_sense_hold_nobody(unsent: object) -> None:
    account = {"left": [], "turns": 0, "runs": {"r": [999.0, 999.0, 0.2, 0.0]}, "leaving": unsent}
    found = read(json.dumps({"a": account}).encode(), NOW)
    assert not any(found["a"].unsent.values())


@given(
    st.lists(st.floats(NOW - 3, NOW), max_size=50).map(sorted),
    st.integers(0, 60),
    st.lists(RUNS, max_size=3),
    RUNS,
)
def test_a_second_never_holds_more_than_its_batches_whenever_the_unsent_ones_are_sent(
    sent: list[float], unsent: int, others: list[Peer], mine: Peer
) -> None:
    mine = mine._replace(seen_at=NOW)
    wait_s = slot_wait_s(mine, others, sent, unsent)
    batches = round(1 / min(run.interval_s for run in (mine, *others)))
    if wait_s is BLOCKED:
        assert unsent >= batches
        return
    # The worst case: all unsent ones, and this one, are sent at the very moment when it may begin.
    begins_at = NOW + max(0.0, wait_s)
    in_a_second = sum(at > begins_at - 1 + 1e-9 for at in sent) + unsent + 1
    assert in_a_second <= batches


def wait(mine: Peer, others: list[Peer], sent: list[float], unsent: int) -> float:
    """Return how long a run waits that is not blocked."""
    wait_s = slot_wait_s(mine, others, sent, unsent)
    assert wait_s is not BLOCKED
    return wait_s


def test_slots_of_two_runs_are_a_gap_apart_and_the_run_that_waits_comes_first() -> None:
    one, other = peer(10.0, 9.9), peer(10.0, 9.0)
    assert wait(one, [other], [9.0, 9.9], 0) == pytest.approx(0.103)
    assert wait(other, [one], [9.0, 9.9], 0) == pytest.approx(0.1)


def test_a_slot_whose_call_is_not_sent_is_followed_by_a_whole_gap() -> None:
    assert wait(peer(10.0, 9.0), [peer(9.9, 9.9)], [9.0], 1) == pytest.approx(0.1)


def test_a_lone_run_waits_for_its_second_alone() -> None:
    assert wait(peer(10.0, 9.99), [], [9.1, 9.3, 9.5, 9.99], 0) < 0
    assert wait(peer(10.0, 9.99), [], [9.1, 9.3, 9.5, 9.7, 9.99], 0) == pytest.approx(0.1)


def test_runs_at_work_look_often_enough_and_ended_ones_count_until_their_calls_are_over() -> None:
    assert 2 * HEARTBEAT_S < SHELF_LIFE_S
    assert 2 * LOOK_ALONE_S < SHELF_LIFE_S
    assert max(HEARTBEAT_S, LONGEST_WAIT_S) < GONE_AFTER_S
    assert SHELF_LIFE_S + 1.0 < GONE_AFTER_S


@pytest.mark.parametrize(
    ("one", "other", "longest"),
    [(1.0, 2.0, 2.0), (2.0, -1.0, 2.0), (BLOCKED, 2.0, BLOCKED), (2.0, BLOCKED, BLOCKED)],
)
def test_no_wait_is_longer_than_one_that_is_blocked(
    one: float | Blocked, other: float | Blocked, longest: float | Blocked
) -> None:
    assert longer(one, other) == longest


@pytest.mark.parametrize(("interval_s", "widening_s", "gone_after_s"), [(0.2, 0.0, 2.0), (5.0, 0.5, 22.5)])
def test_a_run_counts_as_alive_for_two_seconds_or_three_of_its_gaps(
    interval_s: float, widening_s: float, gone_after_s: float
) -> None:
    run = peer(100.0, 100.0, interval_s, widening_s)
    alive = [is_alive(run, 100.0 + at) for at in (-0.1, 0.0, gone_after_s - 0.01, gone_after_s)]
    assert alive == [False, True, True, False]


@pytest.mark.parametrize("closed_until", [None, 7, "x", -1.0, 1e9, math.inf, [999.0]])
def test_a_file_that_is_closed_until_no_sensible_time_is_open(closed_until: object) -> None:
    account = {"left": [], "turns": 0, "runs": {"r": [999.0, 999.0, 0.2, 0.0]}, "closed_until": closed_until}
    assert read(json.dumps({"a": account}).encode(), NOW)["a"].closed_until == 0.0


def share(place: int, number: int, interval_s: float = 0.2) -> int:
    """Return the share of a run whose view has not changed for long."""
    own = FairShare()
    for tick in range(20):
        own.update(0.5 * tick, Census(place, number), interval_s)
    return own.update(10.0, Census(place, number), interval_s)


@given(st.integers(1, 16), st.sampled_from([0.02, 0.2, 0.4, 1.0, 5.0]))
def test_shares_make_the_whole(number: int, interval_s: float) -> None:
    shares = [share(place, number, interval_s) for place in range(number)]
    assert sum(shares) == max(1, int(1 / interval_s))
    assert shares == sorted(shares, reverse=True)
    assert shares[0] - shares[-1] <= 1


def test_a_share_begins_when_all_others_must_have_seen_that_there_is_trouble() -> None:
    own = FairShare()
    assert settle_s(0.2) == pytest.approx(SHELF_LIFE_S + 1.0)
    assert settle_s(2.0) == pytest.approx(SHELF_LIFE_S + 2.0)
    assert [own.update(100 + 0.1 * n, Census(0, 1), 0.2) for n in range(21)] == [0] * 19 + [5] * 2


def test_a_share_shrinks_at_once_and_grows_late() -> None:
    own = FairShare()
    for tick in range(20):
        own.update(100 + 0.1 * tick, Census(0, 1), 0.2)
    assert own.update(102.0, Census(0, 1), 0.2) == 5
    assert own.update(102.1, Census(0, 2), 0.2) == 3
    assert own.update(102.2, Census(1, 2), 0.2) == 2
    found = [own.update(102.3 + 0.1 * n, Census(0, 1), 0.2) for n in range(21)]
    assert found == [2] * 19 + [5] * 2


def test_a_share_begins_anew_for_a_run_that_has_not_looked_or_cannot_know() -> None:
    own = FairShare()
    for tick in range(20):
        own.update(100 + 0.1 * tick, Census(0, 1), 0.2)
    assert own.update(102.8, Census(0, 1), 0.2) == 5
    assert own.update(103.8, Census(0, 1), 0.2) == 0
    assert [FairShare().update(100.0, None, 0.2), own.update(104.0, None, 0.2)] == [0, 0]


def own_slots(sent: list[float], unsent: int) -> OwnSlots:
    found = OwnSlots()
    found.sent = sent
    found.unsent = [99.0] * unsent
    return found


def test_a_share_of_no_slot_is_blocked_and_another_keeps_to_its_second() -> None:
    mine = peer(100.0, 99.0)
    assert share_wait_s(mine, 0, own_slots([], 0)) is BLOCKED
    assert share_wait_s(mine, 2, own_slots([99.1], 1)) == pytest.approx(0.1)
    assert share_wait_s(mine, 2, own_slots([99.1, 99.5], 0)) == pytest.approx(0.1)
    free = share_wait_s(mine, 2, own_slots([99.5], 0))
    assert free is not BLOCKED
    assert free < 0
    assert share_wait_s(mine, 2, own_slots([], 2)) is BLOCKED


class Life:
    """A run that looks when it likes, and what it might send after each look."""

    def __init__(self) -> None:
        self.share = FairShare()
        self.looks: list[tuple[float, int]] = []
        self.ended_at = math.inf

    def look(self, now: float, census: Census) -> None:
        self.looks.append((now, self.share.update(now, census, 0.2)))

    def most_in_a_second(self, now: float) -> int:
        """Return how many calls it may have sent in the last second."""
        untils = [min(at + SHELF_LIFE_S, self.ended_at) for at, _ in self.looks]
        nexts = [*[at for at, _ in self.looks][1:], math.inf][: len(untils)]
        return max(
            (
                turns
                for (_, turns), until, following in zip(self.looks, untils, nexts, strict=True)
                if min(until, following) > now - 1.0
            ),
            default=0,
        )


@given(st.integers(0, 2**32))
def test_shares_that_may_be_used_in_one_second_never_make_more_than_the_whole(seed: int) -> None:
    luck = random.Random(seed)  # noqa: S311 -- repeatable lives
    alive: dict[int, Life] = {}
    lives: list[Life] = []
    now = 0.0
    for _ in range(400):
        now += luck.choice([0.0, 0.01, 0.05, 0.05, 0.3])
        what = luck.random()
        free = [place for place in range(6) if place not in alive]
        if what < 0.02 and free:
            lives.append(alive.setdefault(luck.choice(free), Life()))
        elif what < 0.03 and alive:
            alive.pop(luck.choice(list(alive))).ended_at = now
        elif alive:
            place = luck.choice(list(alive))
            alive[place].look(now, Census(sorted(alive).index(place), len(alive)))
        assert sum(life.most_in_a_second(now) for life in lives) <= 5
