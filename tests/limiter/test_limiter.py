import asyncio
import random
from itertools import pairwise

import pytest

from flowreaper.limiter.adaptive import LEAST_WIDENING_S
from flowreaper.limiter.limiter import Permit, RateLimiter
from flowreaper.limiter.shared_pace import Slot
from flowreaper.limiter.sliding_window import Pace
from tests.virtual import run_virtual


def now() -> float:
    return asyncio.get_running_loop().time()


async def send(limiter: RateLimiter) -> float:
    """Send a call that leaves as soon as it is admitted; return when."""
    permit = await limiter.acquire()
    permit.sent()
    return permit.granted_at


async def granted(limiter: RateLimiter, count: int) -> list[float]:
    return [await send(limiter) for _ in range(count)]


def most_in_a_second(times: list[float]) -> int:
    return max(sum(1 for other in times[i : i + 3000] if other - at < 1.0) for i, at in enumerate(times))


def test_the_first_call_is_permitted_at_once_and_none_bursts() -> None:
    times = run_virtual(granted(RateLimiter(Pace(5)), 10))
    assert times[0] < 1e-6
    assert all(later - at > 0.199 for at, later in pairwise(times))


def test_late_timers_neither_break_the_second_nor_slow_the_long_run() -> None:
    luck = random.Random(1)  # noqa: S311 -- repeatable lateness
    times = run_virtual(granted(RateLimiter(Pace(5)), 3000), late_s=lambda: luck.uniform(0, 0.0012))
    assert most_in_a_second(times) == 5
    assert (len(times) - 1) / (times[-1] - times[0]) >= 4.98


def test_high_rates_are_permitted_in_batches() -> None:
    times = run_virtual(granted(RateLimiter(Pace(2000)), 8000))
    assert len({round(at, 6) for at in times}) == 200
    assert most_in_a_second(times) <= 2000


def test_a_pause_that_begins_while_a_call_waits_holds_that_call() -> None:
    async def scenario() -> float:
        limiter = RateLimiter(Pace(5))
        first = await send(limiter)
        waiting = asyncio.create_task(send(limiter))
        await asyncio.sleep(0.1)
        limiter.throttled(first, 1.0)
        return await waiting

    assert 1.1 <= run_virtual(scenario()) < 1.101


def test_a_throttled_call_closes_the_open_batch() -> None:
    async def scenario() -> float:
        limiter = RateLimiter(Pace(1000))
        sent_at = await send(limiter)
        limiter.throttled(sent_at, 2.0)
        return await send(limiter)

    assert run_virtual(scenario()) >= 2.0


def test_the_rest_of_a_batch_is_not_sent_after_a_pause() -> None:
    async def scenario() -> list[float]:
        limiter = RateLimiter(Pace(1000))
        await send(limiter)
        await asyncio.sleep(10)
        return await granted(limiter, 1100)

    assert most_in_a_second(run_virtual(scenario())) <= 1000


def test_no_second_holds_more_than_five_calls_however_late_permits_are_used() -> None:
    luck = random.Random(2)  # noqa: S311 -- repeatable delays
    times: list[float] = []

    async def call(permit: Permit) -> None:
        if (held_s := luck.choice([0, 0, 0, 0.002, 0.1, 0.5, 3.0])) > 0:
            await asyncio.sleep(held_s)
        times.append(asyncio.get_running_loop().time())
        permit.sent()

    async def scenario() -> None:
        limiter = RateLimiter(Pace(5))
        async with asyncio.TaskGroup() as calls:
            for _ in range(500):
                calls.create_task(call(await limiter.acquire()))

    run_virtual(scenario(), late_s=lambda: luck.uniform(0, 0.0012))
    assert len(times) == 500
    assert most_in_a_second(sorted(times)) == 5


def test_five_unsent_calls_block_the_next_until_one_of_them_is_sent() -> None:
    async def scenario() -> float:
        limiter = RateLimiter(Pace(5))
        held = [await limiter.acquire() for _ in range(5)]
        waiting = asyncio.create_task(limiter.acquire())
        await asyncio.sleep(30)
        assert not waiting.done()
        held[3].sent()
        left_at = asyncio.get_running_loop().time()
        return (await waiting).granted_at - left_at

    assert 1 + LEAST_WIDENING_S <= run_virtual(scenario()) < 1.001


def test_a_permit_is_marked_as_sent_once() -> None:
    async def scenario() -> float:
        limiter = RateLimiter(Pace(5))
        held = [await limiter.acquire() for _ in range(5)]
        for _ in range(5):
            held[0].sent()
        await limiter.acquire()
        waiting = asyncio.create_task(limiter.acquire())
        await asyncio.sleep(30)
        assert not waiting.done()
        waiting.cancel()
        return 0

    run_virtual(scenario())


def test_a_batch_is_sent_when_its_last_call_is() -> None:
    async def scenario() -> float:
        limiter = RateLimiter(Pace(100))
        held = []
        for _ in range(50):
            first = await limiter.acquire()
            held.append(await limiter.acquire())
            first.sent()
            first.sent()
        waiting = asyncio.create_task(limiter.acquire())
        await asyncio.sleep(30)
        assert not waiting.done()
        held[7].sent()
        left_at = asyncio.get_running_loop().time()
        return (await waiting).granted_at - left_at

    assert 1 + LEAST_WIDENING_S <= run_virtual(scenario()) < 1.001


def test_a_batch_whose_time_is_over_is_not_sent_while_a_call_of_it_is_not() -> None:
    async def scenario() -> float:
        limiter = RateLimiter(Pace(100))
        held = []
        for _ in range(50):
            held.append(await limiter.acquire())
            await asyncio.sleep(0.03)
        waiting = asyncio.create_task(limiter.acquire())
        await asyncio.sleep(30)
        assert not waiting.done()
        for permit in held[:2]:
            permit.sent()
        left_at = asyncio.get_running_loop().time()
        await waiting
        for _ in range(2):
            await limiter.acquire()
        last = await limiter.acquire()
        closed = asyncio.create_task(limiter.acquire())
        await asyncio.sleep(30)
        assert not closed.done()
        return last.granted_at - left_at

    assert 1.02 <= run_virtual(scenario()) < 1.03


def test_a_batch_whose_time_is_over_is_sent_with_its_last_call() -> None:
    async def scenario() -> float:
        limiter = RateLimiter(Pace(100))
        await send(limiter)
        await asyncio.sleep(0.5)
        for _ in range(98):
            await send(limiter)
        return await send(limiter)

    # 49 gaps after 0.5 s. It would be a second after that if the first batch counted as sent when the next one began.
    assert run_virtual(scenario()) == pytest.approx(0.5 + 49 * 0.02, abs=0.003)


def test_batches_that_hold_no_call_block_nothing() -> None:
    class ManySlots:
        """Other runs have reserved slots, so a batch rounds down to no call at all."""

        is_lost = False

        def __init__(self) -> None:
            self.reserved = 0

        def is_fresh(self, slot_time: float) -> bool:  # noqa: ARG002 -- the port
            return True

        def reserve(self, interval_s: float, widening_s: float) -> Slot:  # noqa: ARG002 -- the port
            self.reserved += 1
            return Slot(0.0, 2**62 if self.reserved < 100 else 0, now())

        def sent(self, slot_time: float, at: float) -> None: ...

        def heartbeat(self, interval_s: float, widening_s: float) -> None: ...

    assert 1.9 < run_virtual(send(RateLimiter(Pace(51), ManySlots()))) < 2.1


class Recorded:
    """A SharedPace that is free at once, and records what the limiter reports."""

    def __init__(self) -> None:
        self.recorded: list[tuple[float, float]] = []
        self.heartbeats: list[float] = []
        self.is_lost = False
        self.fresh_until = float("inf")

    def is_fresh(self, slot_time: float) -> bool:  # noqa: ARG002 -- the port
        return now() < self.fresh_until

    def reserve(self, interval_s: float, widening_s: float) -> Slot:  # noqa: ARG002 -- the port
        return Slot(0.0, 7, now() - 0.001)

    def sent(self, slot_time: float, at: float) -> None:
        self.recorded.append((slot_time, at))

    def heartbeat(self, interval_s: float, widening_s: float) -> None:  # noqa: ARG002 -- the port
        self.heartbeats.append(now())


def test_the_shared_pace_records_when_a_call_was_sent() -> None:
    async def scenario() -> None:
        shared = Recorded()
        permit = await RateLimiter(Pace(5), shared).acquire()
        await asyncio.sleep(0.25)
        permit.sent()
        ((slot_time, at),) = shared.recorded
        assert slot_time == pytest.approx(-0.001, abs=1e-6)
        assert at == pytest.approx(0.25, abs=1e-6)

    run_virtual(scenario())


def test_a_run_with_an_unsent_call_sends_heartbeats_until_it_is_sent() -> None:
    async def scenario() -> list[float]:
        shared = Recorded()
        permit = await RateLimiter(Pace(5), shared).acquire()
        await asyncio.sleep(3.5)
        permit.sent()
        await asyncio.sleep(10)
        return shared.heartbeats

    assert run_virtual(scenario()) == pytest.approx([0.4 * n for n in range(1, 9)], abs=0.01)


def test_a_run_whose_calls_are_sent_at_once_needs_no_heartbeat() -> None:
    async def scenario() -> list[float]:
        shared = Recorded()
        limiter = RateLimiter(Pace(5), shared)
        for _ in range(40):
            await send(limiter)
        return shared.heartbeats

    assert run_virtual(scenario()) == []


def test_a_run_that_has_lost_the_others_sends_heartbeats_until_it_finds_them() -> None:
    async def scenario() -> list[float]:
        shared = Recorded()
        shared.is_lost = True
        await send(RateLimiter(Pace(5), shared))
        await asyncio.sleep(1)
        shared.is_lost = False
        await asyncio.sleep(10)
        return shared.heartbeats

    assert run_virtual(scenario()) == pytest.approx([0.4, 0.8], abs=0.01)


def test_a_permit_is_fresh_as_long_as_its_slot_is_and_the_call_is_not_sent() -> None:
    async def scenario() -> list[bool]:
        shared = Recorded()
        permit = await RateLimiter(Pace(5), shared).acquire()
        found = [permit.is_fresh()]
        shared.fresh_until = 1.0
        await asyncio.sleep(0.9)
        found.append(permit.is_fresh())
        await asyncio.sleep(0.2)
        found.append(permit.is_fresh())
        shared.fresh_until = 9.0
        permit.sent()
        return [*found, permit.is_fresh(), (await RateLimiter(Pace(5)).acquire()).is_fresh()]

    assert run_virtual(scenario()) == [True, True, False, False, True]


def test_a_cancelled_waiter_leaves_the_limiter_usable() -> None:
    async def scenario() -> float:
        limiter = RateLimiter(Pace(5))
        await send(limiter)
        waiting = asyncio.create_task(send(limiter))
        await asyncio.sleep(0.05)
        waiting.cancel()
        await asyncio.wait([waiting])
        return await send(limiter)

    assert 0.2 <= run_virtual(scenario()) < 0.201
