"""Flows from an iterable: in batches, whether it is quick, slow, broken or stopped."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from flowreaper.model import AnyEntry, Entry
from flowreaper.producer.producer import Batch, IterableProducer
from tests.samples import entries
from tests.virtual import run_virtual

IDS = ("1", "2", "3", "4", "5")


class Keeper:
    """Keeps what is delivered, and when; each delivery takes `takes_s`."""

    def __init__(self, takes_s: float = 0.0, error: Exception | None = None) -> None:
        self.batches: list[list[str]] = []
        self.times: list[float] = []
        self._takes_s = takes_s
        self._error = error

    async def deliver(self, batch: Batch) -> None:
        self.batches.append([entry.flow.flow_id for entry in batch if isinstance(entry, Entry)])
        self.times.append(asyncio.get_running_loop().time())
        await asyncio.sleep(self._takes_s)
        if self._error:
            raise self._error

    @property
    def ids(self) -> list[str]:
        return [flow_id for batch in self.batches for flow_id in batch]


async def slowly(gap_s: float, *, error: Exception | None = None) -> AsyncIterator[AnyEntry]:
    for entry in entries(*IDS):
        yield entry
        await asyncio.sleep(gap_s)
    if error:
        raise error


async def at_once(count: int, taken: list[int]) -> AsyncIterator[AnyEntry]:
    for entry in entries(*map(str, range(count))):
        taken.append(1)
        yield entry


async def test_a_plain_iterable_is_delivered_in_full_batches() -> None:
    keeper = Keeper()
    await IterableProducer(entries(*IDS), keeper.deliver, batch_size=2).run()
    assert keeper.batches == [["1", "2"], ["3", "4"], ["5"]]


async def test_stopped_in_a_delivery_it_takes_nothing_more() -> None:
    taken: list[str] = []

    def flows() -> Iterator[AnyEntry]:
        for flow_id in IDS:
            taken.append(flow_id)
            yield from entries(flow_id)

    async def deliver(batch: Batch) -> None:
        producer.stop()

    producer = IterableProducer(flows(), deliver, batch_size=2)
    await producer.run()
    assert taken == ["1", "2"]


async def test_stopped_before_it_runs_it_takes_nothing() -> None:
    taken: list[int] = []
    keeper = Keeper()
    for flows in (iter(entries(*IDS)), at_once(5, taken)):
        producer = IterableProducer(flows, keeper.deliver)
        producer.stop()
        await producer.run()
    assert not keeper.ids
    assert not taken


def test_what_a_slow_async_iterable_yields_is_delivered_before_the_next_comes() -> None:
    keeper = Keeper()
    run_virtual(IterableProducer(slowly(10.0), keeper.deliver).run())
    assert keeper.batches == [["1"], ["2"], ["3"], ["4"], ["5"]]
    assert [round(at) for at in keeper.times] == [0, 10, 20, 30, 40]


def test_while_a_delivery_lasts_an_async_iterable_is_read_one_batch_ahead() -> None:
    taken: list[int] = []
    seen: list[int] = []
    keeper = Keeper(takes_s=1.0)

    async def deliver(batch: Batch) -> None:
        await keeper.deliver(batch)
        seen.append(len(taken) - len(keeper.ids))

    run_virtual(IterableProducer(at_once(10, taken), deliver, batch_size=3).run())
    assert keeper.ids == [str(number) for number in range(10)]
    assert max(map(len, keeper.batches)) == 3
    assert max(seen) <= 3


@pytest.mark.parametrize("gap_s", [0.0, 1.0])
def test_what_an_async_iterable_raises_comes_after_what_it_yielded(gap_s: float) -> None:
    keeper = Keeper(takes_s=0.5)
    broken = ValueError("from the database")
    with pytest.raises(ValueError, match="from the database"):
        run_virtual(IterableProducer(slowly(gap_s, error=broken), keeper.deliver).run())
    assert keeper.ids == list(IDS)


def test_stop_cancels_an_async_iterable_that_waits_and_delivers_what_it_yielded() -> None:
    keeper = Keeper()

    async def run() -> float:
        producer = IterableProducer(slowly(3600.0), keeper.deliver)
        running = asyncio.create_task(producer.run())
        await asyncio.sleep(1.0)
        producer.stop()
        await running
        return asyncio.get_running_loop().time()

    assert run_virtual(run()) == pytest.approx(1.0)
    assert keeper.ids == ["1"]


def test_an_error_of_the_delivery_ends_an_async_iterable() -> None:
    keeper = Keeper(error=RuntimeError("disk"))
    with pytest.raises(RuntimeError, match="disk"):
        run_virtual(IterableProducer(slowly(1.0), keeper.deliver).run())
    assert keeper.ids == ["1"]


def test_an_async_iterable_that_was_cancelled_by_another_is_not_taken_for_ended() -> None:
    async def cancelled() -> AsyncIterator[AnyEntry]:
        yield entries("1")[0]
        raise asyncio.CancelledError

    keeper = Keeper()

    async def run() -> None:
        with pytest.raises(asyncio.CancelledError):
            await IterableProducer(cancelled(), keeper.deliver).run()

    run_virtual(run())
    assert keeper.ids == ["1"]
