"""Who may take the next turn, and what is kept for that: whatever a file holds, the law stays."""

import json
import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowreaper.limiter.fair_share import (
    SHELF_LIFE_S,
    Account,
    Census,
    Part,
    Peer,
    Permits,
    is_alive,
    json_of,
    part_wait_s,
    read,
    settle_s,
    turn_wait_s,
)

NOW = 1000.0
TIMES = st.floats(NOW - 50, NOW)
RUNS = st.builds(
    lambda seen, sent, gap, stretch: Peer(max(seen, sent), sent, gap, stretch),
    TIMES,
    TIMES,
    st.sampled_from([0.02, 0.2, 1.0]),
    st.floats(0.0, 1.0),
)
NAMES = st.text("abc", min_size=1, max_size=3)


def sharer(seen_at: float, sent_at: float, interval_s: float = 0.2, widening_s: float = 0.0) -> Peer:
    return Peer(seen_at, sent_at, interval_s, widening_s)


@given(
    st.dictionaries(
        NAMES,
        st.builds(
            lambda left, turns, runs, leaving, closed_until: Account(
                sorted(left),
                turns,
                runs,
                {name: sorted(leaving) for name in list(runs)[:1] if leaving},
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
def test_what_is_kept_is_read_as_it_was(accounts: dict[str, Account]) -> None:
    assert read(json_of(accounts), NOW) == accounts


def test_an_account_without_a_run_of_the_last_minute_is_forgotten() -> None:
    accounts = {"a": Account([900.0], 1, {"r": sharer(939.0, 900.0)}), "b": Account([1.0], 1, {})}
    assert read(json_of(accounts), NOW) == {}


@pytest.mark.parametrize(
    "leaving",
    [None, 7, "x", [], {"gone": [999.0]}, {"r": None}, {"r": [None, "x", 1e9, -1.0, math.nan]}],
)
def test_turns_under_way_that_make_no_sense_hold_nobody(leaving: object) -> None:
    account = {"left": [], "turns": 0, "runs": {"r": [999.0, 999.0, 0.2, 0.0]}, "leaving": leaving}
    found = read(json.dumps({"a": account}).encode(), NOW)
    assert not any(found["a"].leaving.values())


@given(
    st.lists(st.floats(NOW - 3, NOW), max_size=50).map(sorted),
    st.integers(0, 60),
    st.lists(RUNS, max_size=3),
    RUNS,
)
def test_a_second_never_holds_more_than_its_slices_wherever_the_calls_under_way_leave(
    left: list[float], leaving: int, others: list[Peer], mine: Peer
) -> None:
    mine = mine._replace(seen_at=NOW)
    wait_s = turn_wait_s(mine, others, left, leaving)
    batches = round(1 / min(run.interval_s for run in (mine, *others)))
    if wait_s == math.inf:
        assert leaving >= batches
        return
    # The worst that can come: all of them, and this one, leave at the very moment when it may begin.
    begins_at = NOW + max(0.0, wait_s)
    in_a_second = sum(at > begins_at - 1 + 1e-9 for at in left) + leaving + 1
    assert in_a_second <= batches


def test_turns_of_two_runs_come_a_gap_apart_and_who_waits_comes_first() -> None:
    one, other = sharer(10.0, 9.9), sharer(10.0, 9.0)
    assert turn_wait_s(one, [other], [9.0, 9.9], 0) == pytest.approx(0.103)
    assert turn_wait_s(other, [one], [9.0, 9.9], 0) == pytest.approx(0.1)


def test_a_turn_that_was_taken_and_has_not_left_is_followed_by_a_whole_gap() -> None:
    assert turn_wait_s(sharer(10.0, 9.0), [sharer(9.9, 9.9)], [9.0], 1) == pytest.approx(0.1)


def test_a_lone_run_waits_for_its_second_alone() -> None:
    assert turn_wait_s(sharer(10.0, 9.99), [], [9.1, 9.3, 9.5, 9.99], 0) < 0
    assert turn_wait_s(sharer(10.0, 9.99), [], [9.1, 9.3, 9.5, 9.7, 9.99], 0) == pytest.approx(0.1)


@pytest.mark.parametrize(("interval_s", "widening_s", "gone_after_s"), [(0.2, 0.0, 2.0), (5.0, 0.5, 22.5)])
def test_a_run_is_near_for_two_seconds_or_three_of_its_gaps(
    interval_s: float, widening_s: float, gone_after_s: float
) -> None:
    run = sharer(100.0, 100.0, interval_s, widening_s)
    nears = [is_alive(run, 100.0 + at) for at in (-0.1, 0.0, gone_after_s - 0.01, gone_after_s)]
    assert nears == [False, True, True, False]


@pytest.mark.parametrize("closed_until", [None, 7, "x", -1.0, 1e9, math.inf, [999.0]])
def test_a_file_that_is_closed_until_no_sensible_time_is_open(closed_until: object) -> None:
    account = {"left": [], "turns": 0, "runs": {"r": [999.0, 999.0, 0.2, 0.0]}, "closed_until": closed_until}
    assert read(json.dumps({"a": account}).encode(), NOW)["a"].closed_until == 0.0


def part(place: int, number: int, interval_s: float = 0.2) -> int:
    """Return the part of a run whose view has not changed for long."""
    own = Part()
    for tick in range(20):
        own.seen(0.5 * tick, Census(place, number), interval_s)
    return own.seen(10.0, Census(place, number), interval_s)


@given(st.integers(1, 16), st.sampled_from([0.02, 0.2, 0.4, 1.0, 5.0]))
def test_parts_make_the_whole(number: int, interval_s: float) -> None:
    parts = [part(place, number, interval_s) for place in range(number)]
    assert sum(parts) == max(1, int(1 / interval_s))
    assert parts == sorted(parts, reverse=True)
    assert parts[0] - parts[-1] <= 1


def test_a_part_begins_when_all_others_must_have_seen_that_there_is_trouble() -> None:
    own = Part()
    assert settle_s(0.2) == pytest.approx(SHELF_LIFE_S + 1.0)
    assert settle_s(2.0) == pytest.approx(SHELF_LIFE_S + 2.0)
    assert [own.seen(100 + 0.1 * n, Census(0, 1), 0.2) for n in range(21)] == [0] * 19 + [5] * 2


def test_a_part_shrinks_at_once_and_grows_late() -> None:
    own = Part()
    for tick in range(20):
        own.seen(100 + 0.1 * tick, Census(0, 1), 0.2)
    assert own.seen(102.0, Census(0, 1), 0.2) == 5
    assert own.seen(102.1, Census(0, 2), 0.2) == 3
    assert own.seen(102.2, Census(1, 2), 0.2) == 2
    found = [own.seen(102.3 + 0.1 * n, Census(0, 1), 0.2) for n in range(21)]
    assert found == [2] * 19 + [5] * 2


def test_a_part_begins_anew_for_a_run_that_has_not_looked_or_cannot_know() -> None:
    own = Part()
    for tick in range(20):
        own.seen(100 + 0.1 * tick, Census(0, 1), 0.2)
    assert own.seen(102.8, Census(0, 1), 0.2) == 5
    assert own.seen(103.8, Census(0, 1), 0.2) == 0
    assert [Part().seen(100.0, None, 0.2), own.seen(104.0, None, 0.2)] == [0, 0]


def permits(left: list[float], leaving: int) -> Permits:
    found = Permits()
    found.left = left
    found.leaving = [99.0] * leaving
    return found


def test_a_part_without_a_turn_never_begins_and_another_holds_its_second() -> None:
    mine = sharer(100.0, 99.0)
    assert part_wait_s(mine, 0, permits([], 0)) == math.inf
    assert part_wait_s(mine, 2, permits([99.1], 1)) == pytest.approx(0.1)
    assert part_wait_s(mine, 2, permits([99.1, 99.5], 0)) == pytest.approx(0.1)
    assert part_wait_s(mine, 2, permits([99.5], 0)) < 0
    assert part_wait_s(mine, 2, permits([], 2)) == math.inf


class Life:
    """A run that looks when it likes, and what it might send after each look."""

    def __init__(self) -> None:
        self.part = Part()
        self.looks: list[tuple[float, int]] = []
        self.ended_at = math.inf

    def look(self, now: float, census: Census) -> None:
        self.looks.append((now, self.part.seen(now, census, 0.2)))

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
def test_parts_that_may_be_used_in_one_second_never_make_more_than_the_whole(seed: int) -> None:
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
