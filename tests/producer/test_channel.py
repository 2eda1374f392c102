"""A channel: its feeders deliver while they stay, and it ends when it is closed and they have left."""

import asyncio

from flowreaper.producer.channel import Channel
from flowreaper.producer.producer import Batch
from tests.samples import entries


async def test_it_ends_once_it_is_closed_and_the_last_feeder_has_left() -> None:
    delivered: list[Batch] = []

    async def deliver(batch: Batch) -> None:
        delivered.append(batch)

    channel = Channel(deliver)
    running = asyncio.create_task(channel.run())
    with channel.feeder() as first, channel.feeder() as second:
        assert first
        assert second
        channel.close()
        await first(entries("1"))
        await second(entries("2"))
        assert not running.done()
        with channel.feeder() as late:
            assert late is None
    await running
    assert delivered == [entries("1"), entries("2")]


async def test_without_feeders_it_ends_when_it_is_closed_and_not_before() -> None:
    async def deliver(_batch: Batch) -> None: ...

    channel = Channel(deliver)
    with channel.feeder():
        pass
    running = asyncio.create_task(channel.run())
    await asyncio.sleep(0)
    assert not running.done()
    channel.close()
    await running


async def test_a_stop_asks_the_feeders_to_leave_and_waits_for_them() -> None:
    asked: list[bool] = []

    async def deliver(_batch: Batch) -> None: ...

    channel = Channel(deliver, stopping=lambda: asked.append(True))
    with channel.feeder():
        channel.stop()
        assert asked == [True]
        running = asyncio.create_task(channel.run())
        await asyncio.sleep(0)
        assert not running.done()
    await running
