"""What a run's checkpoint knows of flows, for programs that wait for their outcomes."""

from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from typing import TypeVar

from flowreaper.job.lane import Lane
from flowreaper.model import AnyEntry, Flow, Record, Retry, State
from flowreaper.store.sqlite.known_flows import KnownFlows
from flowreaper.store.sqlite.writer import Writer

_PAGE = 1000

T = TypeVar("T")


class Lookup:
    """Reads the checkpoint of a run, in the thread that writes it. What cannot be read stops the run."""

    def __init__(self, known: KnownFlows, writer: Writer, lane: Lane) -> None:
        self._known = known
        self._writer = writer
        self._lane = lane

    async def finished(self, entries: Sequence[AnyEntry]) -> list[Record]:
        """Return the records of those entries that have an outcome, each once; none that may still be taken back.

        Raises:
            CheckpointError: the checkpoint cannot be read.
        """
        found = await self._read(partial(self._known.finished, entries))
        return [record for record in found if record.state is State.INVALID or not self._is_held(record)]

    async def unfinished(self, retry: Retry) -> AsyncIterator[Flow]:
        """Yield every unfinished flow of the checkpoint, and the finished ones that `retry` names.

        Raises:
            CheckpointError: the checkpoint cannot be read.
        """
        after = 0
        while page := await self._read(partial(self._known.unfinished, after, _PAGE, retry)):
            after, _ = page[-1]
            for _, flow in page:
                yield flow

    def _is_held(self, record: Record) -> bool:
        return self._lane.sink.holds(Flow(record.flow_id, record.cust_space_id or ""))

    async def _read(self, work: Callable[[], T]) -> T:
        try:
            return await self._writer.call(work)
        except Exception as error:
            self._lane.fail(error)
            raise
