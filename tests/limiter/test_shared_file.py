"""Runs that share a file share the rate; a file that cannot be used stops none, and makes none faster."""

import asyncio
import contextlib
import errno
import fcntl
import json
import math
import os
import random
import shutil
import stat
import sys
from collections.abc import Callable
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any, Self

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowreaper.limiter.limiter import Permit, RateLimiter
from flowreaper.limiter.locked_file import LockedFile, _write
from flowreaper.limiter.peers import Peers
from flowreaper.limiter.shared_file import FileSharedPace, account_of, shared_folder
from flowreaper.limiter.shared_pace import SharedPace, Slot
from flowreaper.limiter.sliding_window import Pace
from tests.virtual import run_virtual

shares_are_known = pytest.mark.skipif(
    sys.platform != "linux", reason="elsewhere a run that cannot share sends nothing"
)


def unexpected(error: OSError) -> None:
    raise error


class Clock:
    """The running loop's clock, until a test sets another."""

    def __init__(self) -> None:
        self.read: Callable[[], float] = lambda: asyncio.get_running_loop().time()

    def __call__(self) -> float:
        return self.read()


class Joined(FileSharedPace):
    """A run's access to the file, which closes its peers too."""

    clock: Clock

    def at(self, now: float) -> Self:
        """Set the time."""
        self.clock.read = lambda: now
        return self

    def close(self) -> None:
        super().close()
        self._trouble.peers.close()


def join(
    folder: Path,
    account: str = "account",
    failed: Callable[[OSError], None] = unexpected,
    works: Callable[[], None] = lambda: None,
    met: Callable[[], None] = lambda: None,
) -> Joined:
    # The peers of one folder know each other, and no other test's.
    peers = Peers(f"{account}-{sha256(str(folder).encode()).hexdigest()[:16]}")
    clock = Clock()
    joined = Joined(folder / "turns", account, peers, clock, failed=failed, works=works, met=met)
    joined.clock = clock
    return joined


def ask(own: Joined, at: float, interval_s: float = 0.2, widening_s: float = 0.001) -> float:
    """Reserve a slot whose call is never sent; return the wait."""
    return own.at(at).reserve(interval_s, widening_s).retry_after_s


def take(own: Joined, at: float, interval_s: float = 0.2, widening_s: float = 0.001) -> float:
    """Reserve a slot whose call is sent at once; return the wait."""
    slot = own.at(at).reserve(interval_s, widening_s)
    if slot.time is not None:
        own.sent(slot.time, slot.time)
    return slot.retry_after_s


def free_in(own: Joined, from_s: float, until_s: float) -> list[float]:
    """Take every slot of a time, with calls that are sent at once; return when."""
    found, now = [], from_s
    while now < until_s:
        wait_s = take(own, now)
        if wait_s == 0:
            found.append(now)
        now += max(wait_s, 0.001)
    return found


def content(folder: Path) -> dict[str, dict[str, Any]]:
    """Return what the file holds."""
    found: dict[str, dict[str, Any]] = json.loads((folder / "turns" / "turns.json").read_text())
    return found


async def send(limiter: RateLimiter) -> float:
    """Send a call that leaves as soon as it is admitted; return when."""
    permit = await limiter.acquire()
    permit.sent()
    return permit.granted_at


async def call(limiter: RateLimiter, until_s: float, from_s: float = 0.0) -> list[float]:
    """Call as fast as a limiter lets through; return when."""
    await asyncio.sleep(from_s)
    times = [await send(limiter)]
    while times[-1] < until_s:
        times.append(await send(limiter))
    return times


def runs(folder: Path, *rates: float, until_s: float = 30.0) -> list[list[float]]:
    """Let a run of each rate call for half a minute; return when each called."""
    luck = random.Random(1)  # noqa: S311 -- repeatable lateness

    async def all_of_them() -> list[list[float]]:
        return await asyncio.gather(*(call(limiter, until_s) for limiter in limiters))

    shared = [join(folder) for _ in rates]
    limiters = [RateLimiter(Pace(rate), own) for rate, own in zip(rates, shared, strict=True)]
    try:
        return run_virtual(all_of_them(), lambda: luck.uniform(0, 0.001))
    finally:
        for own in shared:
            own.close()


def per_s(times: list[float]) -> float:
    return (len(times) - 1) / (times[-1] - times[0])


def most_in_a_second(times: list[float]) -> int:
    return most_in(times, 1.0)


def most_in(times: list[float], window_s: float) -> int:
    return max(sum(1 for other in times[i : i + 200] if other - at < window_s) for i, at in enumerate(times))


@pytest.mark.parametrize("seed", range(20))
def test_no_second_holds_more_than_the_fastest_rate_while_runs_come_pause_and_go(
    tmp_path: Path, seed: int
) -> None:
    luck = random.Random(seed)  # noqa: S311 -- repeatable lives
    rate = luck.choice([1.0, 2.5, 5.0, 20.0])
    times: list[float] = []

    async def live(shared: Joined, own_rate: float) -> None:
        with shared as own:
            limiter = RateLimiter(Pace(own_rate), own)
            await asyncio.sleep(luck.uniform(0, 10))
            for _ in range(luck.randint(1, 60)):
                times.append(await send(limiter))
                if luck.random() < 0.2:
                    await asyncio.sleep(luck.choice([0.05, 0.15, 0.19, 0.3, 1.0, 3.0]))

    async def all_of_them() -> None:
        number = luck.randint(2, 5)
        rates = [rate, *(rate * luck.choice([1, 1, 0.5, 0.1]) for _ in range(number))]
        await asyncio.gather(*(live(join(tmp_path), own_rate) for own_rate in rates))

    run_virtual(all_of_them(), lambda: luck.choice([0.0, 0.0005, 0.001, 0.02]))
    assert most_in_a_second(sorted(times)) <= math.ceil(rate)


@pytest.mark.parametrize(("rate", "number"), [(51.0, 8), (60.0, 4), (99.0, 3), (499.0, 3)])
def test_runs_of_a_high_rate_that_is_no_multiple_of_fifty_keep_it_together(
    tmp_path: Path, rate: float, number: int
) -> None:
    together = sorted(at for times in runs(tmp_path, *[rate] * number, until_s=3.0) for at in times)
    starts = [at for at in together if at + 1 < together[-1]]
    assert max(sum(1 for other in together if 0 <= other - at < 1) for at in starts) <= rate
    assert per_s(together) > 0.93 * rate


def test_calls_sent_at_the_end_of_their_batch_do_not_halve_the_pace_of_two_runs(tmp_path: Path) -> None:
    async def send_late(limiter: RateLimiter, until_s: float) -> list[float]:
        loop = asyncio.get_running_loop()
        times = [0.0]
        while times[-1] < until_s:
            permit = await limiter.acquire()
            loop.call_later(0.018, permit.sent)
            times.append(permit.granted_at)
        return times[1:]

    async def both(one: RateLimiter, other: RateLimiter) -> list[list[float]]:
        return list(await asyncio.gather(send_late(one, 5), send_late(other, 5)))

    with join(tmp_path) as first, join(tmp_path) as second:
        found = run_virtual(both(RateLimiter(Pace(100), first), RateLimiter(Pace(100), second)))
    assert per_s(sorted(at for times in found for at in times)) > 90


def test_no_run_gives_way_to_a_slow_run_that_wants_nothing_now(tmp_path: Path) -> None:
    fast, *_ = runs(tmp_path, 50.0, *[0.2] * 4)
    assert per_s(fast) > 46  # 47.9; giving way would cost 13 of them


@pytest.mark.parametrize("number", [1, 2, 3, 7])
def test_runs_of_one_account_keep_its_pace_together_and_share_it_evenly(tmp_path: Path, number: int) -> None:
    found = runs(tmp_path, *[5.0] * number)
    together = sorted(at for times in found for at in times)
    assert most_in_a_second(together) <= 5
    assert per_s(together) > 4.9
    shares = [len(times) for times in found]
    assert max(shares) - min(shares) <= 3


def test_a_slower_run_keeps_its_rate_beside_a_faster_one(tmp_path: Path) -> None:
    slow, fast = runs(tmp_path, 2.0, 5.0)
    assert most_in_a_second(sorted(slow + fast)) <= 5
    assert most_in_a_second(slow) <= 2
    assert per_s(slow) > 1.6  # slots come every 0.2 s, so its 0.5 s may become 0.6
    assert per_s(sorted(slow + fast)) > 4.9


def test_a_run_is_not_slowed_by_one_with_a_far_higher_rate(tmp_path: Path) -> None:
    slow, _ = runs(tmp_path, 5.0, 40.0)
    assert per_s(slow) > 4.5


def test_a_run_has_the_whole_pace_again_when_the_other_has_ended(tmp_path: Path) -> None:
    async def both(one: RateLimiter, other: RateLimiter) -> list[float]:
        times, _ = await asyncio.gather(call(one, 40), call(other, 10))
        return times

    with join(tmp_path) as first, join(tmp_path) as second:
        times = run_virtual(both(RateLimiter(Pace(5), first), RateLimiter(Pace(5), second)))
    assert per_s([at for at in times if at < 10]) == pytest.approx(2.5, abs=0.1)
    assert per_s([at for at in times if at > 13]) > 4.98


def test_a_run_that_starts_anew_goes_on_from_the_last_call_of_the_one_before(tmp_path: Path) -> None:
    with join(tmp_path) as ended:
        assert take(ended, 100.0) == 0
    with join(tmp_path) as new:
        assert take(new, 100.05) == pytest.approx(0.1502)
        assert take(new, 100.21) == 0


def test_a_call_that_was_sent_late_begins_the_second_of_all_runs_then(tmp_path: Path) -> None:
    with join(tmp_path) as own, join(tmp_path) as other:
        for run, at in ((own, 99.8), (other, 100.01)):
            assert take(run, at) == 0
        assert ask(own, 100.22) == 0
        assert content(tmp_path)["account"]["left"] == [99.8, 100.01]
        own.at(100.9).sent(100.22, 100.9)
        own.at(101.0).sent(100.22, 101.0)  # it is no longer known by its old time
        assert content(tmp_path)["account"]["left"] == [99.8, 100.01, 100.9]
        for at in (100.92, 101.13, 101.34, 101.55):
            assert take(other, at) == 0
        assert take(other, 101.76) == pytest.approx(100.9 + 1.001 - 101.76)


def test_recording_a_sent_call_keeps_a_slot_that_another_run_reserved_before(
    tmp_path: Path,
) -> None:
    with join(tmp_path) as own, join(tmp_path) as other:
        assert take(other, 99.8) == ask(own, 100.1) == take(other, 100.31) == 0
        before = content(tmp_path)["account"]
        own.at(100.32).sent(100.1, 100.3)
        after = content(tmp_path)["account"]
    assert after["left"] == [99.8, 100.3, 100.31]
    assert after["runs"] == before["runs"]
    assert len(before["leaving"]) == 1
    assert after["leaving"] == {}


def test_a_call_sent_while_the_file_was_locked_is_recorded_with_the_next_slot(tmp_path: Path) -> None:
    with join(tmp_path) as own:
        assert ask(own, 100.0) == 0
        before = content(tmp_path)
        with (tmp_path / "turns" / "turns.json").open() as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            own.at(100.1).sent(100.0, 100.1)
        assert content(tmp_path) == before
        assert ask(own, 100.3) == 0
        assert content(tmp_path)["account"]["left"] == [100.1]
        assert list(content(tmp_path)["account"]["leaving"].values()) == [[100.3]]


def test_a_call_sent_while_the_file_could_not_be_used_is_recorded_when_it_can_be(
    tmp_path: Path,
) -> None:
    errors: list[OSError] = []
    with join(tmp_path, failed=errors.append) as own:
        assert ask(own, 100.0) == 0
        (tmp_path / "turns").rename(tmp_path / "away")
        (tmp_path / "turns").touch()
        assert ask(own, 100.2) > 0
        assert len(errors) == 1
        own.at(105.0).sent(100.0, 105.0)
        (tmp_path / "turns").unlink()
        assert ask(own, 111.0) == 1.0
        assert ask(own, 113.0) == 0
    assert content(tmp_path)["account"]["left"] == [105.0]
    assert list(content(tmp_path)["account"]["leaving"].values()) == [[113.0]]


def test_a_run_that_joins_after_a_stall_of_another_finds_its_second_full(tmp_path: Path) -> None:
    with join(tmp_path) as stalled, join(tmp_path) as new:
        begun = [100.0, 100.21, 100.42, 100.63, 100.84]
        for at in begun:
            assert ask(stalled, at) == 0
        assert ask(new, 101.5) == 0.02
        for at in begun:
            stalled.at(103.0).sent(at, 103.0)
        assert take(new, 103.05) == pytest.approx(0.951)


def test_unsent_calls_of_a_run_take_places_in_every_second_of_another(
    tmp_path: Path,
) -> None:
    with join(tmp_path) as held, join(tmp_path) as other:
        for at in (100.0, 100.21, 100.42):
            assert ask(held, at) == 0
        assert [take(other, at) for at in (100.63, 100.84)] == [0, 0]
        assert take(other, 101.1) == pytest.approx(100.63 + 1.001 - 101.1)
        assert take(other, 101.64) == 0


def test_heartbeats_keep_the_places_of_unsent_calls_and_a_run_that_is_gone_loses_them(tmp_path: Path) -> None:
    with join(tmp_path) as held, join(tmp_path) as other:
        for number in range(5):
            assert ask(held, 100 + 0.21 * number) == 0
        for tick in range(20):
            assert ask(other, 101.2 + 0.4 * tick) == 0.02
            held.at(101.2 + 0.4 * tick).heartbeat(0.2, 0.001)
        assert ask(other, 110.7) == 0.02
        assert ask(other, 110.9) == 0


@pytest.mark.parametrize("seed", range(20))
def test_no_second_holds_more_calls_than_the_rate_while_the_network_holds_up_those_of_several_runs(
    tmp_path: Path, seed: int
) -> None:
    luck = random.Random(seed)  # noqa: S311 -- repeatable stalls
    rate = luck.choice([1.0, 2.5, 5.0, 20.0])
    sent_at: list[float] = []
    # While the network is down every call waits, and all are sent at once when it is back.
    stalls = [(start, start + luck.choice([0.3, 1.0, 4.0])) for start in (3.0, 10.0, 20.0)]

    def send_now(loop: asyncio.AbstractEventLoop, permit: Permit) -> None:
        sent_at.append(loop.time())
        permit.sent()

    async def send_later(limiter: RateLimiter) -> None:
        permit = await limiter.acquire()
        loop = asyncio.get_running_loop()
        free_at = next((end for start, end in stalls if start <= loop.time() < end), loop.time())
        late_s = max(0.0, free_at - loop.time()) + luck.choice([0.0, 0.001, 0.15])
        loop.call_later(late_s, send_now, loop, permit)

    async def live(shared: Joined) -> None:
        with shared as own:
            limiter = RateLimiter(Pace(rate), own)
            await asyncio.sleep(luck.uniform(0, 2))
            while asyncio.get_running_loop().time() < 30:
                await send_later(limiter)
                if luck.random() < 0.1:
                    await asyncio.sleep(luck.choice([0.05, 0.3, 1.0, 3.0]))
            await asyncio.sleep(5)

    async def all_of_them() -> None:
        await asyncio.gather(*(live(join(tmp_path)) for _ in range(luck.randint(2, 4))))

    run_virtual(all_of_them(), lambda: luck.choice([0.0, 0.0005, 0.001, 0.02]))
    assert most_in_a_second(sorted(sent_at)) <= math.ceil(rate)
    assert len(sent_at) > 10 * rate


def test_what_one_run_learned_widens_the_window_of_both(tmp_path: Path) -> None:
    with join(tmp_path) as learned, join(tmp_path) as fresh:
        take(learned, 100.0, widening_s=0.5)
        assert take(fresh, 100.1) == pytest.approx(0.2)
        assert take(fresh, 100.3) == 0
        assert take(learned, 100.4, widening_s=0.5) == pytest.approx(0.2)


def test_the_run_that_sent_last_gives_way_to_one_that_waits(tmp_path: Path) -> None:
    with join(tmp_path) as one, join(tmp_path) as other:
        take(one, 100.0)
        take(other, 100.3)
        wait_of_one, wait_of_other = take(one, 100.4), take(other, 100.4)
    assert wait_of_one == pytest.approx(0.1002)
    assert wait_of_other == pytest.approx(0.1032)


def test_another_run_that_is_at_work_is_reported_once_and_one_that_has_ended_is_not(tmp_path: Path) -> None:
    told: list[str] = []
    with join(tmp_path) as ended:
        take(ended, 99.9)
    with (
        join(tmp_path, met=lambda: told.append("one")) as one,
        join(tmp_path, "else", met=lambda: told.append("else")) as elsewhere,
    ):
        take(one, 100.0)
        take(one, 100.3)
        take(elsewhere, 100.3)
        assert told == []
        with join(tmp_path) as other:
            take(other, 100.4)
            for at in (100.6, 100.9):
                take(one, at)
        take(elsewhere, 101.0)
    assert told == ["one"]


def test_a_run_that_joins_finds_the_second_of_the_others_full(tmp_path: Path) -> None:
    with join(tmp_path) as lone, join(tmp_path) as joining:
        # The first of them was late, which the second made up for.
        assert [take(lone, 100 + at) for at in (0.0, 0.18, 0.38, 0.58, 0.78)] == [0] * 5
        assert take(joining, 100.985) == pytest.approx(0.016)


def test_a_run_counts_as_gone_two_seconds_after_it_last_looked(tmp_path: Path) -> None:
    with join(tmp_path) as other, join(tmp_path) as own:
        take(other, 100.0)
        assert [take(own, 101.5), take(own, 101.69)] == [0, pytest.approx(0.0102)]
        assert [take(own, 102.5), take(own, 102.69)] == [0, 0]


def test_slots_of_a_time_to_come_hold_nobody(tmp_path: Path) -> None:
    (tmp_path / "turns").mkdir(mode=0o700)
    forged = {"left": [1e9] * 50, "turns": 50, "runs": {"forged": [99.9, -1.0, 0.2, 0.001]}}
    (tmp_path / "turns" / "turns.json").write_text(json.dumps({"account": forged}))
    with join(tmp_path) as own:
        assert take(own, 100.0) == 0


def test_the_run_that_sent_last_gives_way_by_half_a_gap_at_most_however_many_wait(tmp_path: Path) -> None:
    with contextlib.ExitStack() as stack:
        others = [stack.enter_context(join(tmp_path)) for _ in range(50)]
        own = stack.enter_context(join(tmp_path))
        take(own, 100.0)
        for other in others:
            assert take(other, 100.1) > 0
        assert take(own, 100.2) == pytest.approx(0.1003)


def test_other_accounts_do_not_wait_for_each_other(tmp_path: Path) -> None:
    with join(tmp_path, "a") as one, join(tmp_path, "b") as other:
        assert [take(one, 100.0), take(other, 100.0)] == [0, 0]
    assert set(content(tmp_path)) == {"a", "b"}


@pytest.mark.parametrize(("now", "what"), [(1000.0, "long past"), (3.0, "of another boot")])
def test_runs_that_are_not_of_this_time_are_forgotten(tmp_path: Path, now: float, what: str) -> None:
    for _ in range(3):
        with join(tmp_path) as past:
            take(past, 50.0 + 0.3 * _)
    with join(tmp_path) as later:
        assert take(later, now) == 0, what
    assert list(content(tmp_path)["account"]["runs"].values()) == [[now, now, 0.2, 0.001]]


@given(
    st.one_of(
        st.binary(max_size=200),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
            lambda inner: (
                st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
            ),
        ).map(lambda value: json.dumps({"account": value}).encode()),
        st.lists(st.floats(), min_size=4, max_size=4).map(
            lambda value: json.dumps({"account": {"x": value}}).encode()
        ),
    )
)
def test_whatever_the_file_holds_a_slot_comes(tmp_path_factory: pytest.TempPathFactory, text: bytes) -> None:
    folder = tmp_path_factory.mktemp("any")
    (folder / "turns").mkdir(mode=0o700)
    (folder / "turns" / "turns.json").write_bytes(text)
    with join(folder) as own:
        now = 100.0
        while (wait_s := take(own, now)) > 0:
            now += max(wait_s, 0.001)
        assert now < 120
    content(folder)


@pytest.mark.parametrize(
    "forged",
    [[99.9, 99.9, 0.2, 1e9], [99.9, 99.9, 5e-324, 0.0], [99.9, 1e9, 0.2, 0.0], [1e9, 99.9, 0.2, 0.0], [99.9]],
)
def test_a_run_that_cannot_be_holds_nobody(tmp_path: Path, forged: list[float]) -> None:
    (tmp_path / "turns").mkdir(mode=0o700)
    (tmp_path / "turns" / "turns.json").write_text(json.dumps({"account": {"runs": {"forged": forged}}}))
    with join(tmp_path) as own:
        assert take(own, 100.0) == 0


@pytest.mark.parametrize("size", [100, 100_000, 3_000_000])
def test_a_file_of_a_long_text_is_cut_to_the_short_one(tmp_path: Path, size: int) -> None:
    (tmp_path / "turns").mkdir(mode=0o700)
    path = tmp_path / "turns" / "turns.json"
    path.write_text("x" * size)
    with join(tmp_path) as own:
        for number in range(3):
            take(own, 100.0 + number)
    assert content(tmp_path)["account"]["left"] == [100.0, 101.0, 102.0]
    assert path.stat().st_size < 1000


def test_the_folder_and_the_file_are_for_this_user_alone(tmp_path: Path) -> None:
    with join(tmp_path) as own:
        take(own, 100.0)
    assert stat.S_IMODE((tmp_path / "turns").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "turns" / "turns.json").stat().st_mode) == 0o600


def make_link(path: Path) -> None:
    (path.parent / "elsewhere").mkdir(mode=0o700)
    path.symlink_to(path.parent / "elsewhere")


def make_open(path: Path) -> None:
    path.mkdir()
    path.chmod(0o777)


def make_link_inside(path: Path) -> None:
    path.mkdir(mode=0o700)
    (path.parent / "precious").write_text("precious")
    (path / "turns.json").symlink_to(path.parent / "precious")


@pytest.mark.parametrize("prepare", [make_link, make_open, make_link_inside, Path.touch])
@shares_are_known
def test_a_place_that_somebody_else_prepared_is_not_used(
    tmp_path: Path, prepare: Callable[[Path], None]
) -> None:
    prepare(tmp_path / "turns")
    errors: list[OSError] = []
    with join(tmp_path, failed=errors.append) as own:
        assert free_in(own, 100.0, 101.8) == []
        # It is the only run, so its share is the whole rate.
        assert len(free_in(own, 101.9, 111.9)) == pytest.approx(50, abs=1)
    assert len(errors) == 1
    assert not (tmp_path / "elsewhere" / "turns.json").exists()
    if prepare is make_link_inside:
        assert (tmp_path / "precious").read_text() == "precious"


@shares_are_known
def test_a_file_that_fails_is_reported_once_and_so_is_that_it_works_again(tmp_path: Path) -> None:
    errors: list[OSError] = []
    told: list[str] = []
    with join(tmp_path, failed=errors.append, works=lambda: told.append("works")) as own:
        take(own, 100.0)
        for start in (101.0, 111.0):
            (tmp_path / "turns" / "turns.json").unlink()
            (tmp_path / "turns").rmdir()
            (tmp_path / "turns").touch()
            assert free_in(own, start, start + 1.8) == []
            assert own.is_lost
            (tmp_path / "turns").unlink()
            # Less the pause of a new file.
            assert len(free_in(own, start + 1.9, start + 9.9)) == pytest.approx(40 - 1.9 * 5, abs=5)
            assert not own.is_lost
    assert [error.errno for error in errors] == [errno.ENOTDIR] * 2
    assert told == ["works"] * 2


@shares_are_known
def test_a_run_in_trouble_uses_its_share_and_so_do_the_others(tmp_path: Path) -> None:
    with contextlib.ExitStack() as stack:
        healthy = [stack.enter_context(join(tmp_path)) for _ in range(2)]
        for number, run in enumerate(healthy):
            take(run, 100.0 + number)
        lost = stack.enter_context(join(tmp_path, failed=lambda _: None))
        lost._file = LockedFile(tmp_path / "no" / "such" / "folder.json")
        found: list[list[float]] = [[], [], []]
        for tick in range(10_000):
            at = 102.0 + tick * 0.001
            for times, run in zip(found, (lost, *healthy), strict=True):
                if take(run, at) == 0:
                    times.append(at)
        assert all(times[0] > 103.89 for times in found)
        # Of five a second: 1, 2 and 2.
        assert [len(times) for times in found] == pytest.approx([8, 16, 16], abs=2)
        lost.close()
        # What it sent last is in nobody's file.
        assert len(free_in(healthy[0], 112.0, 113.8)) <= 4
        assert len(free_in(healthy[0], 115.0, 120.0)) == pytest.approx(25, abs=1)


def test_where_the_system_has_no_names_a_run_that_cannot_share_sends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    (tmp_path / "turns").touch()
    with join(tmp_path, failed=lambda _: None) as own:
        assert free_in(own, 100.0, 130.0) == []
        (tmp_path / "turns").unlink()
        assert len(free_in(own, 130.0, 140.0)) == pytest.approx(50, abs=6)


@pytest.mark.parametrize("how", ["removed", "renamed", "replaced"])
def test_runs_meet_again_after_the_file_was_cleaned_up(tmp_path: Path, how: str) -> None:
    path = tmp_path / "turns" / "turns.json"
    with join(tmp_path) as one, join(tmp_path) as other:
        take(one, 100.0)
        take(other, 100.3)
        if how == "removed":
            path.unlink()
            path.parent.rmdir()
        else:
            path.rename(path.with_suffix(".old"))
            if how == "replaced":
                path.touch()
        # The new file does not know what the old one allowed.
        assert take(one, 101.0) == 1.0
        assert [free_in(one, 101.0, 102.89), free_in(other, 101.0, 102.89)] == [[], []]
        assert take(one, 103.0) == 0
        assert take(other, 103.1) == pytest.approx(0.1002)


def test_what_a_run_sent_that_has_ended_is_not_forgotten_with_its_file(tmp_path: Path) -> None:
    with join(tmp_path) as own:
        with join(tmp_path) as ended:
            assert [take(own, 100.0), take(ended, 100.3)] == [0, 0]
        shutil.rmtree(tmp_path / "turns")
        assert free_in(own, 100.5, 102.39) == []
        assert take(own, 102.41) == 0


def test_a_run_that_waits_long_looks_again_within_a_second(tmp_path: Path) -> None:
    with join(tmp_path) as one, join(tmp_path) as other:
        take(one, 100.0, 10.0)
        assert take(other, 100.1, 10.0) == 1.0


def test_the_clock_is_read_under_the_lock(tmp_path: Path) -> None:
    with join(tmp_path) as own, join(tmp_path) as other:
        take(own, 100.0)
        waits: list[float] = []

        def clock() -> float:
            waits.append(take(other, 100.3))
            return 100.3

        own.clock.read = clock
        assert own.reserve(0.2, 0.001).retry_after_s == 0
        assert waits
        assert min(waits) > 0
    assert content(tmp_path)["account"]["left"] == [100.0]
    assert list(content(tmp_path)["account"]["leaving"].values()) == [[100.3]]


@shares_are_known
def test_while_a_lock_is_held_each_run_has_its_share_and_those_that_start_meanwhile_too(
    tmp_path: Path,
) -> None:
    errors: list[OSError] = []
    with contextlib.ExitStack() as stack:
        known = stack.enter_context(join(tmp_path, failed=errors.append))
        take(known, 100.0)
        stopped = os.open(tmp_path / "turns" / "turns.json", os.O_RDWR)
        fcntl.flock(stopped, fcntl.LOCK_EX)
        late = stack.enter_context(join(tmp_path, failed=errors.append))
        found: list[list[float]] = [[], []]
        for tick in range(10_000):
            at = 101.0 + tick * 0.001
            for times, run in zip(found, (known, late), strict=True):
                if take(run, at) == 0:
                    times.append(at)
        assert len(errors) == 2
        assert "resume or end the run" in str(errors[0])
        assert all(times[0] > 101.5 + 1.89 for times in found)
        assert most_in_a_second(sorted(found[0] + found[1])) == 5
        assert [len(times) for times in found] == pytest.approx([3 * 7.6, 2 * 7.6], abs=2)
        os.close(stopped)
        together = [*free_in(known, 112.0, 113.0), *free_in(late, 113.0, 120.0)]
        assert most_in_a_second(together) == 5
    assert len(errors) == 2


def test_a_slot_is_stale_when_its_run_has_not_looked_for_some_time_and_stays_so(tmp_path: Path) -> None:
    with join(tmp_path) as own:
        assert not own.at(100.0).is_fresh(100.0)
        assert ask(own, 100.0) == 0
        assert [own.at(at).is_fresh(100.0) for at in (100.89, 100.91)] == [True, False]
        own.at(100.8).heartbeat(0.2, 0.001)
        assert [own.at(at).is_fresh(100.0) for at in (101.69, 101.71)] == [True, False]
        own.at(101.8).sent(99.0, 101.8)
        assert not own.at(101.8).is_fresh(100.0)
        # The others have had its place meanwhile.
        assert ask(own, 102.8) == 0
        assert [own.at(102.9).is_fresh(at) for at in (100.0, 102.8)] == [False, True]
        assert list(content(tmp_path)["account"]["leaving"].values()) == [[102.8]]


def test_a_run_that_was_suspended_while_it_held_the_lock_has_no_fresh_slot(tmp_path: Path) -> None:
    with join(tmp_path) as own:
        # The clock is read once under the lock; the process goes on at 140.
        slot = own.at(100.0).reserve(0.2, 0.001)
        assert slot.time == 100.0
        assert not own.at(140.0).is_fresh(slot.time)


def test_a_file_that_was_replaced_meanwhile_gives_no_slot(tmp_path: Path) -> None:
    path = tmp_path / "turns" / "turns.json"
    with join(tmp_path) as own:
        assert ask(own, 100.0) == 0

        def clock() -> float:
            path.unlink(missing_ok=True)
            return 100.5

        own.clock.read = clock
        assert own.reserve(0.2, 0.001).retry_after_s > 0
        assert [own.at(at).is_fresh(100.0) for at in (100.8, 100.91)] == [True, False]


class Suspendable:
    """A SharedPace of a run that is suspended now and then: then it reserves nothing and sends no heartbeat."""

    def __init__(self, shared: SharedPace) -> None:
        self.shared = shared
        self.stopped_until = 0.0

    @property
    def is_lost(self) -> bool:
        return self.shared.is_lost

    @property
    def stopped_s(self) -> float:
        return self.stopped_until - asyncio.get_running_loop().time()

    def is_fresh(self, slot_time: float) -> bool:
        return self.shared.is_fresh(slot_time)

    def reserve(self, interval_s: float, widening_s: float) -> Slot:
        if self.stopped_s > 0:
            return Slot(self.stopped_s)
        return self.shared.reserve(interval_s, widening_s)

    def sent(self, slot_time: float, at: float) -> None:
        self.shared.sent(slot_time, at)

    def heartbeat(self, interval_s: float, widening_s: float) -> None:
        if self.stopped_s <= 0:
            self.shared.heartbeat(interval_s, widening_s)


class Rough:
    """Runs of one account, what happens to them, and when their calls are sent."""

    def __init__(self, folder: Path, luck: random.Random, rate: float) -> None:
        self.folder = folder
        self.luck = luck
        self.rate = rate
        self.sent_at: list[float] = []
        self.full_until = 0.0
        self.runs: list[Suspendable] = []

    def write(self, fd: int, text: bytes, over: int) -> None:
        if asyncio.get_running_loop().time() < self.full_until:
            raise OSError(errno.ENOSPC, "full")
        _write(fd, text, over)

    async def send_later(self, own: Suspendable, permit: Permit) -> None:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(self.luck.choice([0, 0, 0.001, 0.15, 1.5]))
        if (wait_s := own.stopped_s) > 0:
            await asyncio.sleep(wait_s)
        if permit.is_fresh():
            self.sent_at.append(loop.time())
        permit.sent()

    async def live(self) -> None:
        peers_and_file = join(self.folder, failed=lambda _: None)
        await asyncio.sleep(self.luck.uniform(0, 20))
        with peers_and_file as shared:
            own = Suspendable(shared)
            self.runs.append(own)
            limiter = RateLimiter(Pace(self.rate), own)
            async with asyncio.TaskGroup() as calls:
                for _ in range(self.luck.randint(20, 120)):
                    calls.create_task(self.send_later(own, await limiter.acquire()))
                    if self.luck.random() < 0.05:
                        await asyncio.sleep(self.luck.choice([0.05, 0.3, 1.0, 3.0]))
            self.runs.remove(own)
            # What a run sent that ends before it could write it down is known to nobody.
            while shared.is_lost:  # noqa: ASYNC110 -- the limiter's timer ends it
                await asyncio.sleep(0.1)

    async def happen(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(self.luck.uniform(0.1, 4))
            for_s = self.luck.choice([0.05, 0.6, 1.2, 4.0])
            what = self.luck.choice(["hold", "vanish", "full", "suspend", "suspend"])
            if what == "vanish":
                shutil.rmtree(self.folder / "turns", ignore_errors=True)
            elif what == "full":
                self.full_until = loop.time() + for_s
            elif what == "suspend" and self.runs:
                self.luck.choice(self.runs).stopped_until = loop.time() + for_s
            elif what == "hold" and (self.folder / "turns" / "turns.json").exists():
                with (self.folder / "turns" / "turns.json").open() as file:
                    with contextlib.suppress(BlockingIOError):
                        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    await asyncio.sleep(for_s)

    async def play(self) -> None:
        happening = asyncio.create_task(self.happen())
        await asyncio.gather(*(self.live() for _ in range(self.luck.randint(1, 5))))
        happening.cancel()


@shares_are_known
@given(st.integers(0, 2**32), st.sampled_from([1.0, 2.5, 5.0, 20.0, 99.0]))
@settings(max_examples=20, deadline=None)
def test_no_second_holds_more_than_the_rate_whatever_happens_to_file_and_runs(
    tmp_path_factory: pytest.TempPathFactory, seed: int, rate: float
) -> None:
    luck = random.Random(seed)  # noqa: S311 -- repeatable trouble
    rough = Rough(tmp_path_factory.mktemp("rough"), luck, rate)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("flowreaper.limiter.locked_file._write", rough.write)
        run_virtual(rough.play(), lambda: luck.choice([0.0, 0.0005, 0.001, 0.02]))
    # A rate that is no whole number is held over the whole number of calls below it.
    assert most_in(sorted(rough.sent_at), math.floor(rate) / rate) <= math.floor(rate)


def test_an_account_is_named_without_its_key() -> None:
    names = [account_of(url, key) for url in ("https://a", "https://b") for key in ("LTAI1", "LTAI2")]
    assert len(set(names)) == 4
    assert not any("LTAI" in name for name in names)


def test_each_user_has_a_folder_of_their_own() -> None:
    assert str(os.geteuid()) in shared_folder().name


def test_gaps_are_even_while_two_runs_alternate(tmp_path: Path) -> None:
    found = runs(tmp_path, 5.0, 5.0, until_s=10)
    together = sorted(at for times in found for at in times)
    assert all(0.2 < later - at < 0.206 for at, later in pairwise(together))
