"""The gate that every call passes: aiolimiter, set by `flowreaper.pacing`."""

import asyncio
from collections.abc import Callable
from typing import Protocol

from aiolimiter import AsyncLimiter

from flowreaper.pacing import Pace


class Turn(Protocol):
    """The answer to who wants to send."""

    @property
    def wait_s(self) -> float:
        """After how many seconds to ask again; 0: send now."""
        ...

    @property
    def number(self) -> int | None:
        """How many turns all runs of the account had before; None where they cannot be counted."""
        ...


class Turns(Protocol):
    """What the runs of one account share."""

    def take(self, clock: Callable[[], float], even_gap_s: float, stretch_s: float) -> Turn:
        """Take a turn, or say how long to wait before asking again."""
        ...


class Limiter:
    """Lets calls through one at a time, at the pace of one account, on the running loop's clock.

    Only one task may wait in `admit` at a time. Without `turns` there is no other run.
    """

    def __init__(self, pace: Pace, turns: Turns | None = None) -> None:
        self._pace = pace
        self._turns = turns
        self._left_in_slice = 0
        self._slice_until = 0.0

    async def admit(self) -> float:
        """Wait until the next call may leave; return that moment, for `throttled`."""
        loop = asyncio.get_running_loop()
        if loop.time() >= self._slice_until:
            self._left_in_slice = 0
        # A slice that is thrown away while one waits for it takes its turn with it.
        while self._left_in_slice == 0:
            self._left_in_slice = await self._next_slice(loop)
        self._left_in_slice -= 1
        return loop.time()

    async def _next_slice(self, loop: asyncio.AbstractEventLoop) -> int:
        """Wait for a slice; return how many calls it holds, which at some rates may be none."""
        number = None
        while True:
            gap_s = self._pace.earliest - loop.time()
            if gap_s <= 0 and self._turns:
                turn = self._turns.take(loop.time, self._pace.even_gap_s, self._pace.stretch_s)
                gap_s, number = turn.wait_s, turn.number
            if gap_s <= 0:
                break
            # A live AsyncLimiter keeps the period that it was made with, so every gap gets its own: one
            # that is full now and lets the next call through when the gap has drained. A pause that begins
            # while a call waits here is seen by looking again.
            gap = AsyncLimiter(1, gap_s)
            await gap.acquire()
            await gap.acquire()
        now = loop.time()
        self._slice_until = now + self._pace.even_gap_s
        return self._pace.sent(now, number)

    @property
    def foreign_per_s(self) -> float | None:
        """How many calls a second somebody else seems to spend of the quota; None while nothing speaks for that."""
        return self._pace.foreign_per_s

    def throttled(self, sent_at: float, retry_after_s: float) -> None:
        """Tell the pace that the service refused a call for its pace; `retry_after_s` is its wish, or 0."""
        # The rest of an open slice was admitted before the service said no.
        self._left_in_slice = 0
        self._pace.throttled(sent_at, asyncio.get_running_loop().time(), retry_after_s)
