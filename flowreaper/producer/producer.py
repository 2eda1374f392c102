"""A producer brings flows to a run: it delivers them in batches. Also the producer of flows from any iterable."""

import asyncio
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable
from typing import Protocol

from flowreaper.model import AnyEntry

Batch = list[AnyEntry]

Deliver = Callable[[Batch], Awaitable[None]]
"""Takes a batch; returns once it is in the checkpoint."""

BATCH_SIZE = 1000


class Producer(Protocol):
    """Where a run's flows come from."""

    async def run(self) -> None:
        """Deliver all flows, or those until `stop`; return once they are delivered."""
        ...

    def stop(self) -> None:
        """Read no more."""
        ...


class IterableProducer:
    """Delivers the entries of an iterable, in batches of up to `batch_size`. Runs once.

    - A plain iterable runs on the event loop; a batch is full, unless it is the last one.
    - An async iterable may be slow: what it has yielded is delivered at once. It runs at most one batch ahead.
    """

    def __init__(
        self,
        entries: Iterable[AnyEntry] | AsyncIterable[AnyEntry],
        deliver: Deliver,
        batch_size: int = BATCH_SIZE,
    ) -> None:
        self._entries = entries
        self._deliver = deliver
        self._batch_size = batch_size
        self._stopped = False
        self._batch: Batch = []
        self._reading: asyncio.Task[None] | None = None
        self._wake_delivery = asyncio.Event()
        self._has_room = asyncio.Event()

    async def run(self) -> None:
        """Deliver all entries, or those until `stop`.

        Raises:
            Exception: what the iterable or `deliver` raised. What the iterable yielded before was delivered.
        """
        if self._stopped:
            return
        if isinstance(self._entries, AsyncIterable):
            await self._run_async(self._entries)
            return
        try:
            for entry in self._entries:
                self._batch.append(entry)
                if len(self._batch) == self._batch_size:
                    await self._flush()
                    if self._stopped:
                        return
        except Exception:
            await self._flush()
            raise
        await self._flush()

    def stop(self) -> None:
        """Take no more; an async iterable that is waiting is cancelled."""
        self._stopped = True
        if self._reading:
            self._reading.cancel()

    async def _flush(self) -> None:
        batch, self._batch = self._batch, []
        if batch:
            await self._deliver(batch)

    async def _run_async(self, entries: AsyncIterable[AnyEntry]) -> None:
        reading = self._reading = asyncio.create_task(self._read(entries))
        reading.add_done_callback(lambda _: self._wake_delivery.set())
        try:
            while self._batch or not reading.done():
                self._has_room.set()
                await self._flush()
                if not self._batch and not reading.done():
                    self._wake_delivery.clear()
                    await self._wake_delivery.wait()
        finally:
            reading.cancel()
            await asyncio.wait([reading])
        if not (self._stopped and reading.cancelled()):
            reading.result()

    async def _read(self, entries: AsyncIterable[AnyEntry]) -> None:
        async for entry in entries:
            self._batch.append(entry)
            self._wake_delivery.set()
            if len(self._batch) >= self._batch_size:
                self._has_room.clear()
                await self._has_room.wait()
