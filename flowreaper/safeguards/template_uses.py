"""Which flows message templates open, read once for each space and again every hour."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping

from flowreaper.client.actions import TemplateId
from flowreaper.events import Log
from flowreaper.model import Flow

FRESH_S = 3600.0
"""What was read is read again after this time: a template may have been made meanwhile."""

STALE_S = 2 * FRESH_S
"""What was read serves no longer than this, even while it is read again."""

ReadUses = Callable[[str], Awaitable[Mapping[str, TemplateId]]]
"""Reads which flows of a space are in use, by id; raises RunError."""


class TemplateUses:
    """Knows for each flow a template that opens it. A space is read when its first flow is asked for.

    Where a flow has no space of its own, or another one than its template, it counts as used all the same: its id is
    enough. Reading again goes on beside the run, with what is known so far, for an hour; where that fails, the next
    question raises. `now` returns seconds since the epoch: it goes on while the machine sleeps.
    """

    def __init__(self, read: ReadUses, log: Log, now: Callable[[], float] = time.time) -> None:
        self._read = read
        self._log = log
        self._now = now
        self._uses: dict[str, Mapping[str, TemplateId]] = {}
        self._read_at: dict[str, tuple[float, float]] = {}
        self._reading: dict[str, asyncio.Task[None]] = {}

    async def of(self, flow: Flow) -> TemplateId | None:
        """Return a template that opens the flow, None where there is none.

        Raises:
            RunError: the templates of its space cannot be read, so any flow may be in use.
        """
        space = flow.cust_space_id
        reading = self._begin(space)
        if reading and (reading.done() or self._age_s(space) >= STALE_S):
            await asyncio.shield(reading)
        return next((uses[flow.flow_id] for uses in self._uses.values() if flow.flow_id in uses), None)

    async def close(self) -> None:
        """Read no more."""
        for reading in self._reading.values():
            reading.cancel()
        await asyncio.gather(*self._reading.values(), return_exceptions=True)

    def _begin(self, space: str) -> asyncio.Task[None] | None:
        """Return what reads the space at present, or failed to; begin it where that is due."""
        reading = self._reading.get(space)
        if reading is None and self._age_s(space) >= FRESH_S:
            reading = self._reading[space] = asyncio.create_task(self._read_space(space))
        return reading

    def _age_s(self, space: str) -> float:
        """Return how old what is known of a space is at most, by two clocks; one that was set tells nothing less."""
        then = self._read_at.get(space)
        if then is None:
            return float("inf")
        return max(abs(now - before) for now, before in zip(self._moment(), then, strict=True))

    def _moment(self) -> tuple[float, float]:
        return asyncio.get_running_loop().time(), self._now()

    async def _read_space(self, space: str) -> None:
        before = self._uses.get(space)
        (self._log.info if before is None else self._log.debug)("templates.reading", cust_space_id=space)
        self._uses[space] = uses = await self._read(space)
        self._read_at[space] = self._moment()
        del self._reading[space]  # a task that fails stays, and with it its error
        # An account can have hundreds of spaces, and a run take days: what an hour changed nothing about is no news.
        say = self._log.debug if before is not None and before.keys() == uses.keys() else self._log.info
        say("templates.read", cust_space_id=space, flows_in_use=len(uses))
