"""One call of `Job.delete`: flows in, their records out."""

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager
from itertools import count
from typing import Any, Protocol, Self

from flowreaper.errors import FlowreaperError
from flowreaper.model import AnyEntry, Record
from flowreaper.producer.items import tag_of
from flowreaper.producer.producer import BATCH_SIZE, Deliver
from flowreaper.producer.pull import Pull

MOST_UNREAD = 10_000
"""No more flows are taken while this many wait for their outcome, or for the caller to take their record."""


class TaggedRecord(Record):
    """The record of a flow that a program gave.

    `tag` is what came with the flow, None where nothing did. `earlier`: the flow had its outcome before it was given,
    from an earlier run or an earlier `delete`. Both are attributes, no fields: no export has them.
    """

    tag: Any = None
    earlier: bool = False


class Deletion(Protocol):
    """The records of flows that are being deleted: what `Job.delete` returns.

    The first step begins the deletion. Each record is in the checkpoint when it comes; they come in the order of the
    outcomes, one for each flow given. A step that is cancelled loses nothing: the next one goes on.
    """

    def __aiter__(self) -> Self: ...

    async def __anext__(self) -> TaggedRecord: ...

    async def aclose(self) -> None:
        """Take no more flows and give no more records. Flows that were taken are still called, while the job lasts."""
        ...


class Intake(Protocol):
    """The run that a deletion gives its flows to."""

    @property
    def ended(self) -> bool:
        """Whether the run has ended: no outcome comes any more."""
        ...

    def begin(self, deletion: "FedDeletion", /) -> None:
        """Keep the deletion until nothing of it is left to do; raises RuntimeError outside the job's block."""
        ...

    def feeder(self) -> AbstractContextManager[Deliver | None]:
        """Yield what takes batches while the block lasts, and keeps the run from ending; None where it has ended."""
        ...

    def expect(self, entry: AnyEntry, deletion: "FedDeletion", tag: object, /) -> None:
        """Let the deletion wait for the entry's outcome."""
        ...

    def done(self, deletion: "FedDeletion", /) -> None:
        """Forget the deletion: nothing of it is left to do."""
        ...

    def trouble(self) -> BaseException | None:
        """Return what stopped the run, if anything did."""
        ...


class FedDeletion:
    """A `Deletion` that feeds a run.

    `entry_of` makes an entry of an item and its number, counted from 1. `was_read` is called once all items were read,
    with what their iterable raised.
    """

    def __init__(
        self,
        items: Pull,
        entry_of: Callable[[Any, int], AnyEntry],
        intake: Intake,
        was_read: Callable[[BaseException | None], None] = lambda _error: None,
    ) -> None:
        self._items = items
        self._entry_of = entry_of
        self._intake = intake
        self._was_read = was_read
        self._feeding: asyncio.Task[None] | None = None
        self._reading = True
        self._read_all = False
        self._stopping = False
        self._abandoned = False
        self._broken = False
        self._waiting = 0
        self._records: deque[TaggedRecord] = deque()
        self._error: BaseException | None = None
        self._changed = asyncio.Event()
        self._has_room = asyncio.Event()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> TaggedRecord:
        if self._feeding is None and not self._abandoned:
            self._intake.begin(self)
            self._feeding = asyncio.create_task(self._feed())
        while not self._records:
            self._changed.clear()
            if self._complete or self._abandoned or self._intake.ended:
                self._raise_end()
            await self._changed.wait()
        self._has_room.set()
        return self._records.popleft()

    async def aclose(self) -> None:
        """As `Deletion`."""
        self._abandoned = True
        self._records.clear()
        self.stop()
        self._changed.set()
        if self._feeding:
            await asyncio.wait([self._feeding])

    def stop(self) -> None:
        """Ask for no more flows; what has come already is still taken into the checkpoint."""
        self._stopping = True
        self._items.stop()
        self._has_room.set()

    def run_ended(self) -> None:
        """Give the records that have come, and no others."""
        self.stop()
        self._changed.set()

    def settle(self, record: Record, tag: object, *, earlier: bool) -> None:
        """Take the record of one flow, as `Waiter`."""
        self._waiting -= 1
        if not self._abandoned:
            found = TaggedRecord._make(record)
            found.tag, found.earlier = tag, earlier
            self._records.append(found)
        self._look()

    @property
    def _complete(self) -> bool:
        return self._broken or (self._read_all and not self._waiting)

    def _look(self) -> None:
        self._changed.set()
        if self._complete or (self._abandoned and not self._reading and not self._waiting):
            self._intake.done(self)

    def _raise_end(self) -> None:
        error, self._error = self._error, None
        if self._abandoned:
            raise StopAsyncIteration
        if error is None and not self._complete:
            error = self._intake.trouble()
        raise error or StopAsyncIteration

    async def _feed(self) -> None:
        try:
            with self._intake.feeder() as deliver:
                if deliver:
                    await self._feed_to(deliver)
        except FlowreaperError:
            pass  # the run stops for it, and the caller gets it from there
        except Exception as error:  # noqa: BLE001 -- a defect must not keep the caller waiting
            self._error, self._broken = error, True
        finally:
            self._reading = False
            self._look()

    async def _feed_to(self, deliver: Deliver) -> None:
        numbers = count(1)
        try:
            while items := await self._items.take(await self._room()):
                self._waiting += len(items)
                await deliver([self._expected(item, next(numbers)) for item in items])
            self._error = self._items.error
            if not self._stopping:
                self._read_all = True
                self._was_read(self._error)
        finally:
            await self._items.close()

    def _expected(self, item: object, number: int) -> AnyEntry:
        """Return an item's entry, whose outcome is waited for from then on."""
        flow, tag = tag_of(item)
        entry = self._entry_of(flow, number)
        self._intake.expect(entry, self, tag)
        return entry

    async def _room(self) -> int:
        """Return how many flows may be taken; wait while too many records are not taken."""
        while not self._stopping:
            room = MOST_UNREAD - self._waiting - len(self._records)
            if room > 0:
                return min(room, BATCH_SIZE)
            self._has_room.clear()
            await self._has_room.wait()
        return BATCH_SIZE
