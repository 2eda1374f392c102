"""Which flows message templates open, read once for each space and again every hour."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from flowreaper.client.actions import TemplateId
from flowreaper.events import Log
from flowreaper.model import Flow

FRESH_S = 3600.0
"""What was read is read again after this time: a template may have been made meanwhile."""

ReadUses = Callable[[str], Awaitable[Mapping[str, TemplateId]]]
"""Reads which flows of a space are in use, by id; raises RunError."""


class TemplateUses:
    """Knows for each flow a template that opens it. A space is read when its first flow is asked for.

    Where a flow has no space of its own, or another one than its template, it counts as used all the same: its id is
    enough. Reading again goes on beside the run, with what is known so far; where that fails, the next question raises.
    """

    def __init__(self, read: ReadUses, log: Log) -> None:
        self._read = read
        self._log = log
        self._uses: dict[str, Mapping[str, TemplateId]] = {}
        self._read_at: dict[str, float] = {}
        self._reading: dict[str, asyncio.Task[None]] = {}

    async def of(self, flow: Flow) -> TemplateId | None:
        """Return a template that opens the flow, None where there is none.

        Raises:
            RunError: the templates of its space cannot be read, so any flow may be in use.
        """
        space = flow.cust_space_id
        reading = self._begin(space)
        if reading and (space not in self._uses or reading.done()):
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
        age_s = asyncio.get_running_loop().time() - self._read_at.get(space, float("-inf"))
        if reading is None and age_s >= FRESH_S:
            reading = self._reading[space] = asyncio.create_task(self._read_space(space))
        return reading

    async def _read_space(self, space: str) -> None:
        before = self._uses.get(space)
        (self._log.info if before is None else self._log.debug)("templates.reading", cust_space_id=space)
        uses = await self._read(space)
        self._uses[space] = uses
        self._read_at[space] = asyncio.get_running_loop().time()
        del self._reading[space]  # a task that fails stays, and with it its error
        # An account can have hundreds of spaces, and a run take days: what an hour changed nothing about is no news.
        say = self._log.debug if before is not None and before.keys() == uses.keys() else self._log.info
        say("templates.read", cust_space_id=space, flows_in_use=len(uses))
