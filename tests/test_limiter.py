import asyncio
import random
from itertools import pairwise

from flowreaper.limiter import Limiter
from flowreaper.pacing import Pace
from tests.virtual import run_virtual


async def admissions(limiter: Limiter, count: int) -> list[float]:
    return [await limiter.admit() for _ in range(count)]


def most_in_a_second(times: list[float]) -> int:
    return max(sum(1 for other in times[i : i + 3000] if other - at < 1.0) for i, at in enumerate(times))


def test_first_call_leaves_at_once_and_none_bursts() -> None:
    times = run_virtual(admissions(Limiter(Pace(5)), 10))
    assert times[0] < 1e-6
    assert all(later - at > 0.199 for at, later in pairwise(times))


def test_late_timers_neither_break_the_second_nor_slow_the_long_run() -> None:
    luck = random.Random(1)  # noqa: S311 -- repeatable lateness
    times = run_virtual(admissions(Limiter(Pace(5)), 3000), late_s=lambda: luck.uniform(0, 0.0012))
    assert most_in_a_second(times) == 5
    assert (len(times) - 1) / (times[-1] - times[0]) >= 4.98


def test_high_rates_are_admitted_in_slices() -> None:
    times = run_virtual(admissions(Limiter(Pace(2000)), 8000))
    assert len({round(at, 6) for at in times}) == 200
    assert most_in_a_second(times) <= 2000


def test_a_pause_that_begins_while_a_call_waits_holds_that_call() -> None:
    async def scenario() -> float:
        limiter = Limiter(Pace(5))
        first = await limiter.admit()
        waiting = asyncio.create_task(limiter.admit())
        await asyncio.sleep(0.1)
        limiter.throttled(first, 1.0)
        return await waiting

    assert 1.1 <= run_virtual(scenario()) < 1.101


def test_a_throttled_call_closes_the_open_slice() -> None:
    async def scenario() -> float:
        limiter = Limiter(Pace(1000))
        sent_at = await limiter.admit()
        limiter.throttled(sent_at, 2.0)
        return await limiter.admit()

    assert run_virtual(scenario()) >= 2.0


def test_what_is_left_of_a_slice_does_not_leave_after_a_pause() -> None:
    async def scenario() -> list[float]:
        limiter = Limiter(Pace(1000))
        await limiter.admit()
        await asyncio.sleep(10)
        return await admissions(limiter, 1100)

    assert most_in_a_second(run_virtual(scenario())) <= 1000


def test_a_waiter_that_is_cancelled_leaves_the_gate_usable() -> None:
    async def scenario() -> float:
        limiter = Limiter(Pace(5))
        await limiter.admit()
        waiting = asyncio.create_task(limiter.admit())
        await asyncio.sleep(0.05)
        waiting.cancel()
        await asyncio.wait([waiting])
        return await limiter.admit()

    assert 0.2 <= run_virtual(scenario()) < 0.201
