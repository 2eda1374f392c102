"""Several calls at once, whose results come in order."""

import asyncio
from contextlib import aclosing

import pytest

from flowreaper.client.concurrent_calls import in_order
from tests.virtual import run_virtual


class Calls:
    """Calls that take some seconds each."""

    def __init__(self, seconds: dict[int, float]) -> None:
        self.seconds = seconds
        self.under_way = self.most = self.cancelled = 0

    async def __call__(self, item: int) -> int:
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            await asyncio.sleep(self.seconds.get(item, 0.0))
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.under_way -= 1
        if item < 0:
            raise ValueError(item)
        return item


def test_results_come_in_the_order_of_the_items_whatever_each_call_takes() -> None:
    async def run() -> list[int]:
        calls = Calls({0: 9, 3: 5, 4: 0.1})
        return [result async for result in in_order(range(30), calls, at_once=4)]

    assert run_virtual(run()) == list(range(30))


def test_up_to_so_many_calls_are_under_way_and_no_more() -> None:
    calls = Calls(dict.fromkeys(range(50), 1.0))

    async def run() -> None:
        assert [result async for result in in_order(range(50), calls, at_once=7)] == list(range(50))

    run_virtual(run())
    assert calls.most == 7


def test_the_first_exception_ends_it_and_cancels_what_is_under_way() -> None:
    calls = Calls({1: 100.0, 2: 100.0})

    async def run() -> None:
        async with aclosing(in_order([0, -1, 1, 2], calls, at_once=4)) as results:
            assert await anext(results) == 0
            with pytest.raises(ValueError, match="-1"):
                await anext(results)

    run_virtual(run())
    assert (calls.under_way, calls.cancelled) == (0, 2)


def test_one_that_is_left_early_cancels_what_is_under_way() -> None:
    calls = Calls({1: 100.0})

    async def run() -> None:
        async with aclosing(in_order([0, 1, 2], calls, at_once=2)) as results:
            assert await anext(results) == 0

    run_virtual(run())
    assert calls.under_way == 0
    assert calls.cancelled
