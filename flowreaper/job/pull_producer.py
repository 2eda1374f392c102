"""Delivers the flows of any iterable that a program gives, without waiting for their outcomes."""

from collections.abc import Callable
from itertools import count
from typing import Any

from flowreaper.model import AnyEntry
from flowreaper.producer.items import tag_of
from flowreaper.producer.producer import BATCH_SIZE, Deliver
from flowreaper.producer.pull import Pull


class PullProducer:
    """A `Producer` of what `items` brings. `entry_of` makes an entry of an item and its number, counted from 1."""

    def __init__(self, items: Pull, entry_of: Callable[[Any, int], AnyEntry], deliver: Deliver) -> None:
        self._items = items
        self._entry_of = entry_of
        self._deliver = deliver

    async def run(self) -> None:
        """Deliver all flows, or those until `stop`; raises what iterating them raised, after what came before."""
        numbers = count(1)
        try:
            while items := await self._items.take(BATCH_SIZE):
                await self._deliver([self._entry_of(tag_of(item)[0], next(numbers)) for item in items])
            if self._items.error:
                raise self._items.error
        finally:
            await self._items.close()

    def stop(self) -> None:
        """Ask for no more."""
        self._items.stop()
