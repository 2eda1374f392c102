"""Flows of any iterable reach a run, in their order, and what iterating raises comes after them."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from functools import partial

import pytest

from flowreaper.job.pull_producer import PullProducer
from flowreaper.model import AnyEntry, Entry, InvalidEntry
from flowreaper.producer.flow_ids import EntryFactory
from flowreaper.producer.items import SOURCE, Tagged, entry_of
from flowreaper.producer.pull import pull

MAKE_ENTRY = partial(entry_of, EntryFactory(SOURCE, ""))


async def test_flows_with_and_without_a_tag_are_delivered_with_their_numbers() -> None:
    found: list[AnyEntry] = []

    async def deliver(batch: list[AnyEntry]) -> None:
        found.extend(batch)

    flows = ["1", Tagged("2", object()), ("3", "cams-1"), None]
    await PullProducer(pull(flows), MAKE_ENTRY, deliver).run()
    assert [(e.flow, e.line) for e in found if isinstance(e, Entry)] == [
        (("1", ""), 1),
        (("2", ""), 2),
        (("3", "cams-1"), 3),
    ]
    assert isinstance(found[3], InvalidEntry)


async def test_what_iterating_raises_comes_after_the_flows_before_it() -> None:
    found: list[AnyEntry] = []

    async def deliver(batch: list[AnyEntry]) -> None:
        found.extend(batch)

    def flows() -> Iterator[str]:
        yield "1"
        raise ValueError("the caller's")

    with pytest.raises(ValueError, match="the caller's"):
        await PullProducer(pull(flows()), MAKE_ENTRY, deliver).run()
    assert len(found) == 1


async def test_stopping_ends_it_also_while_the_iterable_keeps_it_waiting() -> None:
    async def deliver(_batch: list[AnyEntry]) -> None:
        raise AssertionError("nothing came")

    async def flows() -> AsyncIterator[str]:
        await asyncio.Event().wait()
        yield "1"

    producer = PullProducer(pull(flows()), MAKE_ENTRY, deliver)
    running = asyncio.create_task(producer.run())
    await asyncio.sleep(0)
    producer.stop()
    await running
