"""A producer for flows that come from several places while the run goes on."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from flowreaper.producer.producer import Deliver


class Channel:
    """Passes on what its feeders deliver, and ends once it is closed and the last of them has left.

    `stopping` is called when the run reads no more: feeders deliver what they have read already, and leave.
    """

    def __init__(self, deliver: Deliver, stopping: Callable[[], None] = lambda: None) -> None:
        self._deliver = deliver
        self._stopping = stopping
        self._feeders = 0
        self._closed = False
        self._ended = asyncio.Event()

    async def run(self) -> None:
        """Return once nothing more can come."""
        await self._ended.wait()

    def stop(self) -> None:
        """Ask the feeders to leave, and let no others in."""
        self._stopping()
        self.close()

    def close(self) -> None:
        """Let no more feeders in."""
        self._closed = True
        self._end_if_empty()

    @contextmanager
    def feeder(self) -> Iterator[Deliver | None]:
        """Yield what takes batches, as long as the block lasts; None where the channel is closed."""
        if self._closed:
            yield None
            return
        self._feeders += 1
        try:
            yield self._deliver
        finally:
            self._feeders -= 1
            self._end_if_empty()

    def _end_if_empty(self) -> None:
        if self._closed and not self._feeders:
            self._ended.set()
