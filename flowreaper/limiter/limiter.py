"""The gate that every call passes: aiolimiter, set by `flowreaper.limiter.pace`."""

import asyncio
import math
from collections.abc import Callable
from functools import partial
from typing import Protocol

from aiolimiter import AsyncLimiter

from flowreaper.limiter.pace import Pace

_SEEN_S = 0.4  # twice within a permit's shelf life (`flowreaper.limiter.fair_share`), since the lock may be held at once


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

    @property
    def at(self) -> float | None:
        """The time of this turn; None where it was not written down."""
        ...


class SharedPace(Protocol):
    """What the runs of one account share."""

    @property
    def alone(self) -> bool:
        """Whether it cannot be used now. `stay` finds out when it can be."""
        ...

    def is_fresh(self, turn_at: float, now: float) -> bool:
        """Return whether the calls of the turn of this time may leave now."""
        ...

    def take(self, clock: Callable[[], float], interval_s: float, widening_s: float) -> Turn:
        """Take a turn, or say how long to wait before asking again."""
        ...

    def left(self, clock: Callable[[], float], turn_at: float, at: float) -> None:
        """Take note that the last call of the turn of this time left at another."""
        ...

    def stay(self, clock: Callable[[], float], interval_s: float, widening_s: float) -> None:
        """Let the others know that this run is there, though it takes no turn now."""
        ...


class Permit:
    """A call's permission to leave, given at the time `at`."""

    __slots__ = ("_batch", "at")

    def __init__(self, at: float, slice_: "_CallBatch") -> None:
        self.at = at
        self._batch: _CallBatch | None = slice_

    @property
    def was_sent(self) -> bool:
        """Whether `left` was called."""
        return self._batch is None

    def is_fresh(self) -> bool:
        """Return whether the call may still leave; one that may not is admitted anew."""
        return self._batch is not None and self._batch.is_fresh()

    def left(self) -> None:
        """Take note that the call has left, or never will; only the first time counts."""
        if slice_ := self._batch:
            self._batch = None
            slice_.left()


class RateLimiter:
    """Lets calls through one at a time, at the pace of one account, on the running loop's clock.

    Only one task may wait in `acquire` at a time. What is admitted must leave, or the gate closes: a call that
    is held back between here and the socket would else leave together with those after it. Without `turns`
    there is no other run.
    """

    def __init__(self, pace: Pace, turns: SharedPace | None = None) -> None:
        self._pace = pace
        self._turns = turns
        self._batch: _CallBatch | None = None
        self._slice_left = asyncio.Event()
        self._staying: asyncio.TimerHandle | None = None

    async def acquire(self) -> Permit:
        """Wait until the next call may leave."""
        loop = asyncio.get_running_loop()
        if self._batch and loop.time() >= self._batch.until:
            self._batch.close()
        # A slice that is thrown away while one waits for it takes its turn with it.
        while not (self._batch and self._batch.capacity):
            self._batch = await self._next_slice(loop)
        return self._batch.acquire()

    async def _next_slice(self, loop: asyncio.AbstractEventLoop) -> "_CallBatch":
        """Wait for a slice, which at some rates may hold no call."""
        turn = None
        while True:
            gap_s = self._pace.earliest - loop.time()
            if gap_s <= 0 and self._turns:
                turn = self._turns.take(loop.time, self._pace.interval_s, self._pace.widening_s)
                gap_s = turn.wait_s
                if self._staying is None:
                    self._staying = loop.call_later(_SEEN_S, self._stay, loop, self._turns)
            if gap_s <= 0:
                break
            if math.isinf(gap_s):
                self._slice_left.clear()
                await self._slice_left.wait()
                continue
            # A live AsyncLimiter keeps the period that it was made with, so every gap gets its own: one
            # that is full now and lets the next call through when the gap has drained. A pause that begins
            # while a call waits here is seen by looking again.
            gap = AsyncLimiter(1, gap_s)
            await gap.acquire()
            await gap.acquire()
        now = loop.time()
        calls = self._pace.begin(now, turn.number if turn else None)
        left = partial(self._left, turn, calls)
        if not calls:
            left(now)
        return _CallBatch(
            loop, calls, now, now + self._pace.interval_s, left=left, is_fresh=partial(self._is_fresh, turn)
        )

    def _is_fresh(self, turn: Turn | None, now: float) -> bool:
        if self._turns is None or turn is None or turn.at is None:
            return True
        return self._turns.is_fresh(turn.at, now)

    def _stay(self, loop: asyncio.AbstractEventLoop, turns: SharedPace) -> None:
        """Keep the capacity of calls that have not left among those of the other runs, for as long as that takes."""
        self._staying = None
        if self._pace.leaving or turns.alone:
            turns.stay(loop.time, self._pace.interval_s, self._pace.widening_s)
            self._staying = loop.call_later(_SEEN_S, self._stay, loop, turns)

    def _left(self, turn: Turn | None, calls: int, at: float) -> None:
        self._pace.left(at, calls)
        self._slice_left.set()
        if self._turns and turn and turn.at is not None:
            self._turns.left(asyncio.get_running_loop().time, turn.at, at)

    @property
    def other_clients_rate(self) -> float | None:
        """How many calls a second somebody else seems to spend of the quota; None while nothing speaks for that."""
        return self._pace.other_clients_rate

    def throttled(self, sent_at: float, retry_after_s: float) -> None:
        """Tell the pace that the service refused a call for its pace; `retry_after_s` is its wish, or 0."""
        # The rest of an open slice was admitted before the service said no.
        if self._batch:
            self._batch.close()
        self._pace.throttled(sent_at, asyncio.get_running_loop().time(), retry_after_s)


class _CallBatch:
    """Calls that are admitted until `until`, and are one for the pace until the last of them has left."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        capacity: int,
        begun_at: float,
        until: float,
        *,
        left: Callable[[float], None],
        is_fresh: Callable[[float], bool],
    ) -> None:
        self.capacity = capacity
        self.until = until
        self._loop = loop
        self._under_way = 0
        self._left_at = begun_at
        self._left = left
        self._is_fresh = is_fresh

    def is_fresh(self) -> bool:
        return self._is_fresh(self._loop.time())

    def acquire(self) -> Permit:
        self.capacity -= 1
        self._under_way += 1
        return Permit(self._loop.time(), self)

    def close(self) -> None:
        if self.capacity:
            self.capacity = 0
            if not self._under_way:
                self._left(self._left_at)

    def left(self) -> None:
        self._under_way -= 1
        self._left_at = self._loop.time()
        if not (self.capacity or self._under_way):
            self._left(self._left_at)
