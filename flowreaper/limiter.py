"""The gate that every call passes: aiolimiter, set by `flowreaper.pacing`."""

import asyncio
from typing import Protocol

from aiolimiter import AsyncLimiter

from flowreaper.pacing import Pace


class Turns(Protocol):
    """What the runs of one account share."""

    def take(self, now: float, even_gap_s: float, stretch_s: float) -> float:
        """Take a turn and return 0, or return how many seconds to wait before asking again."""
        ...


class Limiter:
    """Lets calls through one at a time, at the pace of one account, on the running loop's clock.

    Only one task may wait in `admit` at a time. Without `turns` there is no other run.
    """

    def __init__(self, pace: Pace, turns: Turns | None = None) -> None:
        self._pace = pace
        self._turns = turns
        self._left_in_slice = 0

    async def admit(self) -> float:
        """Wait until the next call may leave; return that moment, for `throttled`."""
        loop = asyncio.get_running_loop()
        if self._left_in_slice == 0:
            # A live AsyncLimiter keeps the period that it was made with, so every gap gets its own: one
            # that is full now and lets the next call through when the gap has drained. A pause that begins
            # while a call waits here is seen by looking again.
            while (gap_s := self._gap_s(loop.time())) > 0:
                gap = AsyncLimiter(1, gap_s)
                await gap.acquire()
                await gap.acquire()
            self._left_in_slice = self._pace.sent(loop.time())
        self._left_in_slice -= 1
        return loop.time()

    @property
    def foreign_per_s(self) -> float | None:
        """How many calls a second somebody else seems to spend of the quota; None while nothing speaks for that."""
        return self._pace.foreign_per_s

    def throttled(self, sent_at: float, retry_after_s: float) -> None:
        """Tell the pace that the service refused a call for its pace; `retry_after_s` is its wish, or 0."""
        # The rest of an open slice was admitted before the service said no.
        self._left_in_slice = 0
        self._pace.throttled(sent_at, asyncio.get_running_loop().time(), retry_after_s)

    def _gap_s(self, now: float) -> float:
        gap_s = self._pace.earliest - now
        if gap_s > 0 or self._turns is None:
            return gap_s
        return self._turns.take(now, self._pace.even_gap_s, self._pace.stretch_s)
