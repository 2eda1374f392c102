"""What the crash tests stand on: a service with a memory, and a run over a checkpoint without a thread."""

import asyncio
import random
import sqlite3
from collections.abc import Callable, Sequence
from enum import Enum, auto
from typing import Any

from flowreaper.client.endpoint import parse_endpoint
from flowreaper.events import SilentLog
from flowreaper.job.checkpoint_state import Before
from flowreaper.job.lane import build_lane
from flowreaper.job.settings import Settings
from flowreaper.limiter.limiter import RateLimiter
from flowreaper.limiter.sliding_window import Pace
from flowreaper.model import Added, AnyEntry, Change, Claim, Flow, Record, Reply
from flowreaper.store.sqlite.checkpoint import Checkpoint
from flowreaper.workers.pool import WorkerPool

ENDPOINT = parse_endpoint("http://127.0.0.1:1")

OK = Reply(200, "OK", "None", "R-1")
GONE = Reply(400, "Flow.NotExist", "The flow does not exist.", "R-2")
REFUSED = Reply(400, "Unknown.ResourceOwnerId", "not yours", "R-3")
THROTTLED = Reply(400, "System.LimitControl", "too fast", "R-4")
FAILED = Reply(500, "InternalError", "oops", "R-5")
BUSY = Reply(503, "ServiceUnavailable", "later", "R-6")
LOST = Reply(0, message="the answer was lost", readable=False)
UNSENT = Reply(0, message="no connection", readable=False, reached=False)


SYNCHRONOUS = "PRAGMA synchronous = FULL"
"""The checkpoint's own statement."""


class Hasty(sqlite3.Connection):
    """Syncs nothing, for files that nobody will cut any more."""

    def execute(self, sql: str, values: Any = (), /) -> sqlite3.Cursor:
        return super().execute("PRAGMA synchronous = OFF" if sql == SYNCHRONOUS else sql, values)


def hasty(uri: str) -> sqlite3.Connection:
    """Connect as a checkpoint does, but do not wait for the disk."""
    db = sqlite3.connect(uri, uri=True, isolation_level=None, factory=Hasty)
    db.execute(SYNCHRONOUS)
    return db


class How(Enum):
    """How a call goes."""

    WELL = auto()
    LOST_AFTER = auto()  # deleted, but nobody hears of it
    FAILED_AFTER = auto()
    LOST_BEFORE = auto()
    FAILED_BEFORE = auto()
    UNSENT = auto()
    BUSY = auto()
    THROTTLED = auto()
    REFUSED = auto()


_DELETES = {How.LOST_AFTER: LOST, How.FAILED_AFTER: FAILED}
_DELETES_NOT = {
    How.LOST_BEFORE: LOST,
    How.FAILED_BEFORE: FAILED,
    How.UNSENT: UNSENT,
    How.BUSY: BUSY,
    How.THROTTLED: THROTTLED,
    How.REFUSED: REFUSED,
}


class Service:
    """Flows that exist until they are deleted, and what it told of each."""

    def __init__(self, missing: frozenset[str] = frozenset()) -> None:
        self.missing = missing
        self.calls: list[str] = []
        self.deleted: set[str] = set()
        self.acknowledged: set[str] = set()

    def call(self, flow_id: str, how: How) -> Reply:
        """Take one call."""
        self.calls.append(flow_id)
        gone = flow_id in self.deleted or flow_id in self.missing
        if how in _DELETES_NOT and not (how is How.REFUSED and gone):
            return _DELETES_NOT[how]
        if not gone:
            self.deleted.add(flow_id)
        if how in _DELETES:
            return _DELETES[how]
        if not gone:
            self.acknowledged.add(flow_id)
        return GONE if gone else OK


class NeverAsked:
    """A signer that no reply here asks to repair anything."""

    async def renew_credentials(self) -> None:
        raise AssertionError

    def correct_clock(self, date: str) -> bool:
        raise AssertionError(date)


class Transport(NeverAsked):
    """Calls of a service that go as `how` says; `sending` is told of each flow first."""

    def __init__(
        self, service: Service, how: Callable[[], How], sending: Callable[[Flow], None] = lambda _flow: None
    ) -> None:
        self._service = service
        self._how = how
        self._sending = sending

    async def send(
        self,
        flow: Flow,
        timeout_s: float | None = None,  # noqa: ARG002 -- the engine's port
        left: Callable[[], None] = lambda: None,
        may_leave: Callable[[], bool] = lambda: True,  # noqa: ARG002 -- the engine's port
    ) -> Reply:
        self._sending(flow)
        left()
        how = self._how()
        await asyncio.sleep(0.03)
        reply = self._service.call(flow.flow_id, how)
        await asyncio.sleep(0.03)
        return reply


class Silence:
    """A log that nobody reads."""

    def is_enabled_for(self, level: int) -> bool:  # noqa: ARG002 -- the Protocol's signature
        return True

    def debug(self, event: str, **fields: Any) -> None: ...
    def info(self, event: str, **fields: Any) -> None: ...
    def warning(self, event: str, **fields: Any) -> None: ...


class Store:
    """A checkpoint's transactions, done at once: on virtual time, no thread can be waited for."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.checkpoint = checkpoint

    async def add(self, entries: Sequence[AnyEntry]) -> Added:
        return self.checkpoint.add(entries)

    async def look(self, new: int, rows: Sequence[int] = ()) -> list[Claim]:
        await asyncio.sleep(0.001)
        return self.checkpoint.look(new, rows)

    async def write(self, changes: Sequence[Change], new: int = 0, rows: Sequence[int] = ()) -> list[Claim]:
        await asyncio.sleep(0.001)
        return self.checkpoint.write(changes, new, rows)


class Shown:
    """A stream that keeps what it was shown; `told` hears of it at that moment."""

    def __init__(self, told: Callable[[Record], None] = lambda _record: None) -> None:
        self.records: list[Record] = []
        self._told = told

    def put(self, record: Record) -> None:
        self.records.append(record)
        self._told(record)


async def run(
    store: Store,
    transport: Transport,
    stream: Shown,
    *,
    feed: Sequence[Sequence[AnyEntry]] = (),
    left_claimed: Sequence[int] = (),
    limit: int | None = None,
    seed: int = 1,
) -> WorkerPool:
    """Read and delete until the end; the engine says how it came."""
    lane = build_lane(
        Settings(
            endpoint=ENDPOINT,
            rate=20,
            concurrency=8,
            max_attempts=4,
            max_refusals=0,
            max_absent=0,
            limit=limit,
        ),
        store=store,
        client=transport,
        limiter=RateLimiter(Pace(20)),
        log=SilentLog(),
        streams=[stream],
        before=Before(left_claimed=left_claimed),
        luck=random.Random(seed).random,  # noqa: S311 -- repeatable waits
        now=lambda: 1_800_000_000.0,
    )
    workers = lane.workers

    async def read() -> None:
        try:
            for batch in feed:
                if await lane.sink.add(batch):
                    workers.flows_added()
                await asyncio.sleep(0.05)
        finally:
            workers.reading_ended()

    reading = asyncio.create_task(read())
    await workers.run()
    await asyncio.wait((reading,))
    if not reading.cancelled() and (error := reading.exception()) is not workers.error and error:
        raise error
    return workers
