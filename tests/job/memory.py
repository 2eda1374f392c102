"""A checkpoint and a service in memory, for lanes and what supervises them."""

import asyncio
from collections.abc import Callable, Sequence

from flowreaper.client.endpoint import parse_endpoint
from flowreaper.errors import CheckpointError
from flowreaper.job.settings import Settings
from flowreaper.model import Added, AnyEntry, Change, Claim, Entry, Flow, Reply
from tests.samples import OK

SETTINGS = Settings(endpoint=parse_endpoint("http://127.0.0.1:1"), rate=10.0)


class Store:
    """Rows in memory, which cannot be written any more once `broken`."""

    def __init__(self) -> None:
        self.rows: list[Flow] = []
        self.claimed = 0
        self.broken = False

    async def add(self, entries: Sequence[AnyEntry]) -> Added:
        self.rows += [entry.flow for entry in entries if isinstance(entry, Entry)]
        return Added(len(entries), 0, ())

    async def look(self, new: int, rows: Sequence[int] = ()) -> list[Claim]:
        return await self.write((), new, rows)

    async def write(self, changes: Sequence[Change], new: int = 0, again: Sequence[int] = ()) -> list[Claim]:
        if changes and self.broken:
            raise CheckpointError("the disk is full")
        first, self.claimed = self.claimed, min(self.claimed + new, len(self.rows))
        rows = [*again, *range(first, self.claimed)]
        return [Claim(row, self.rows[row], 0, in_doubt=False, source="ids", line=row) for row in rows]


class Client:
    """Answers OK, and keeps what it was sent."""

    def __init__(self) -> None:
        self.sent: list[str] = []

    async def send(
        self,
        flow: Flow,
        timeout_s: float | None = None,  # noqa: ARG002 -- the Protocol's signature
        left: Callable[[], None] = lambda: None,
        may_leave: Callable[[], bool] = lambda: True,  # noqa: ARG002 -- the Protocol's signature
    ) -> Reply:
        left()
        self.sent.append(flow.flow_id)
        await asyncio.sleep(0.1)
        return OK

    async def renew_credentials(self) -> None: ...

    def correct_clock(self, date: str) -> bool:  # noqa: ARG002 -- the Protocol's signature
        return False
