"""Where outcomes go: recorded in the store, in groups, then streamed. Claims share the transactions of outcomes."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, TypeVar

from flowreaper.model import (
    Change,
    Claim,
    Entry,
    Flow,
    InvalidEntry,
    Outcome,
    Record,
    Requeue,
    State,
    Unsent,
)
from flowreaper.store.records import record_of, record_of_invalid
from flowreaper.store.store import Store

T = TypeVar("T")

GROUP_S = 0.2
"""An outcome is committed at most this many seconds after it came."""

GROUP_SIZE = 256
"""A group is committed at once when it has this many, as it has above 1,280 calls a second.

A transaction releases and re-acquires the GIL about 20 times; that is its main cost.
"""


class Stream(Protocol):
    """What gets each outcome once it is recorded."""

    def put(self, record: Record) -> None:
        """Take one outcome; may raise RunError."""
        ...


class Sink:
    """Groups outcomes into transactions, and streams only what is recorded.

    `failed` is called once, with the first failure. After a failed write nothing is recorded any more; a stream that
    fails does not stop the recording. `may_reopen` says of a row whether its outcome may still be taken back: it is
    recorded at once, but streamed only when that is decided, at the latest at `flush`. `in_doubt` counts the unfinished
    flows of earlier runs that had a call without a reply.
    """

    def __init__(
        self,
        store: Store,
        streams: Sequence[Stream],
        failed: Callable[[Exception], None],
        may_reopen: Callable[[int], bool] = lambda _row: False,
        in_doubt: int = 0,
    ) -> None:
        self._store = store
        self._streams = streams
        self._failed = failed
        self._may_reopen = may_reopen
        self._held: list[Outcome] = []
        self._group: list[Change] = []
        self._timer: asyncio.TimerHandle | None = None
        self._writes: set[asyncio.Task[list[Claim]]] = set()
        self._has_failed = False
        self._broken: Exception | None = None
        self._in_doubt = in_doubt
        self._doubtful_rows: set[int] = set()
        self.recorded: Counter[State] = Counter()
        self.reopened: Counter[State] = Counter()
        self.repeated = 0
        self.resumed = 0
        self.inferred = 0

    @property
    def in_doubt(self) -> int:
        """How many unfinished flows of the job had a call without a reply, as far as is recorded."""
        return self._in_doubt + len(self._doubtful_rows)

    async def add(self, entries: Sequence[Entry | InvalidEntry]) -> int:
        """Keep what was read; return how many flows the run takes of it.

        Raises:
            RunError: it could not be kept.
        """
        added = await self._guard(self._store.add(entries))
        self.repeated += added.repeated
        self.resumed += added.resumed
        self.reopened.update(added.reopened)
        found_at_ms = int(time.time() * 1000)
        for entry in added.invalid:
            self.recorded[State.INVALID] += 1
            self._pass_on(record_of_invalid(entry, found_at_ms))
        return added.new + added.resumed

    async def claim(self, new: int, rows: Sequence[int]) -> list[Claim]:
        """Claim flows, as `Store.write`; what waits to be recorded shares the transaction, and so its fsync.

        Raises:
            RunError: they could not be claimed.
        """
        return await self._write_soon(new, rows)

    async def look(self, new: int, rows: Sequence[int]) -> list[Claim]:
        """Return flows that may be claimed, as `Store.look`; an outcome that was put before is recorded then.

        Raises:
            RunError: they could not be read.
        """
        if self._group:
            await self._write_soon()
        if self._broken:
            raise self._broken
        return await self._guard(self._store.look(new, rows))

    def put(self, change: Change) -> None:
        """Record a change with the next group."""
        if self._broken:
            return
        self._group.append(change)
        if len(self._group) == GROUP_SIZE:
            self._write_soon()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(GROUP_S, self._write_soon)

    async def flush(self) -> None:
        """Return when everything that was put is recorded and passed on, or recording has failed."""
        if self._group:
            self._write_soon()
        while self._writes:
            await asyncio.wait(self._writes)
        self._release(lambda _row: False)

    def holds(self, flow: Flow) -> bool:
        """Return whether the flow's outcome is recorded, but not streamed yet because it may be taken back."""
        return any(outcome.claim.flow == flow for outcome in self._held)

    def _write_soon(self, new: int = 0, rows: Sequence[int] = ()) -> asyncio.Task[list[Claim]]:
        task = asyncio.get_running_loop().create_task(self._write(new, rows))
        self._writes.add(task)
        task.add_done_callback(self._written)
        return task

    def _written(self, task: asyncio.Task[list[Claim]]) -> None:
        self._writes.discard(task)
        if not task.cancelled():
            task.exception()  # retrieved, so that asyncio logs nothing: `_fail` has reported it

    async def _write(self, new: int, rows: Sequence[int]) -> list[Claim]:
        if self._broken:
            raise self._broken
        group, self._group = self._group, []
        if self._timer:
            self._timer.cancel()
            self._timer = None
        claims = await self._guard(self._store.write(group, new, rows))
        for change in group:
            self._record(change)
        for claim in claims:
            if claim.in_doubt and claim.row not in self._doubtful_rows:
                self._in_doubt = max(0, self._in_doubt - 1)  # it was counted at the start
                self._doubtful_rows.add(claim.row)
        self._release(self._may_reopen)
        return claims

    def _record(self, change: Change) -> None:
        """Count a change that is in the store, and stream it."""
        if isinstance(change, Unsent):
            claim = change.outcome.claim
            if claim.in_doubt and claim.row not in self._doubtful_rows:
                self._in_doubt = max(0, self._in_doubt - 1)  # it was counted at the start
            change = change.outcome
        if isinstance(change, Outcome):
            self._doubtful_rows.discard(change.claim.row)
            self.recorded[change.state] += 1
            self.inferred += change.inferred
            if self._streams and self._may_reopen(change.claim.row):
                self._held.append(change)
            elif self._streams:
                self._pass_on(record_of(change))
        elif isinstance(change, Requeue):
            if change.in_doubt:
                self._doubtful_rows.add(change.row)
        else:
            self.recorded[State.ABSENT] -= len(change.rows) - change.earlier
            self.reopened[State.ABSENT] += change.earlier
            reopened = set(change.rows)
            self._held = [outcome for outcome in self._held if outcome.claim.row not in reopened]

    def _release(self, is_held: Callable[[int], bool]) -> None:
        """Stream what was held back and is decided now."""
        held, self._held = self._held, []
        for outcome in held:
            if is_held(outcome.claim.row):
                self._held.append(outcome)
            else:
                self._pass_on(record_of(outcome))

    def _pass_on(self, record: Record) -> None:
        for stream in self._streams:
            try:
                stream.put(record)
            except Exception as error:  # noqa: BLE001 -- a defect of a stream must not lose what is recorded
                self._fail(error)

    async def _guard(self, work: Awaitable[T]) -> T:
        try:
            return await work
        except Exception as error:
            self._broken = error
            self._fail(error)
            raise

    def _fail(self, error: Exception) -> None:
        if not self._has_failed:
            self._has_failed = True
            self._failed(error)
