"""The rate limiter that every call passes.

At most `rate` calls are sent in any one second, retries included, from the first second on, and no burst comes first.
What counts is the moment at which a call's bytes are handed to the system: a slow connection or a busy machine makes no
exception, because a permit that was not used yet keeps its place in every second (`flowreaper.limiter.sliding_window`).
With timers that wake a millisecond late, the long run holds 4.98 of 5 calls a second.

When the service throttles calls, the pace settles at what the service really admits (`flowreaper.limiter.adaptive`);
the job keeps what was learned (`flowreaper.limiter.saved_pace`). Runs of one account on one machine reserve their calls
in a shared file (`flowreaper.limiter.shared_file`). Runs that cannot see each other, and other tools, find their share
because the service throttles them.
"""

import asyncio
from collections.abc import Callable
from functools import partial

from aiolimiter import AsyncLimiter

from flowreaper.limiter.fair_share import HEARTBEAT_S
from flowreaper.limiter.shared_pace import SharedPace, Slot
from flowreaper.limiter.sliding_window import BLOCKED, Pace


class Permit:
    """The permission to send one call, granted at `granted_at` on the loop's clock."""

    __slots__ = ("_batch", "granted_at")

    def __init__(self, granted_at: float, batch: "_CallBatch") -> None:
        self.granted_at = granted_at
        self._batch: _CallBatch | None = batch

    @property
    def was_sent(self) -> bool:
        """Whether `sent` was called."""
        return self._batch is None

    def is_fresh(self) -> bool:
        """Return whether the call may still be sent; if not, it needs another permit."""
        return self._batch is not None and self._batch.is_fresh()

    def sent(self) -> None:
        """Record that the call was sent just now, or never will be; only the first time counts."""
        if batch := self._batch:
            self._batch = None
            batch.sent()


class RateLimiter:
    """Permits calls one at a time, at the pace of one account, on the running loop's clock.

    Only one task may wait in `acquire` at a time. Call `sent` on every permit: once as many are unsent as a second may
    hold, `acquire` waits, since calls that are held back on their way to the socket may all be sent at once. Without
    `shared` there is no other run of the account.
    """

    def __init__(self, pace: Pace, shared: SharedPace | None = None) -> None:
        self._pace = pace
        self._shared = shared
        self._batch: _CallBatch | None = None
        self._batch_sent = asyncio.Event()
        self._heartbeat_timer: asyncio.TimerHandle | None = None

    async def acquire(self) -> Permit:
        """Wait until the next call may be sent."""
        loop = asyncio.get_running_loop()
        if self._batch and loop.time() >= self._batch.until:
            self._batch.close()
        # `throttled()` may close the batch while we wait; then begin another one.
        while not (self._batch and self._batch.capacity):
            self._batch = await self._next_batch(loop)
        return self._batch.acquire()

    async def _next_batch(self, loop: asyncio.AbstractEventLoop) -> "_CallBatch":
        """Wait for a batch, which at some rates may hold no call."""
        slot = await self._wait_for_slot(loop)
        now = loop.time()
        calls = self._pace.begin(now, slot.index)
        record_sent = partial(self._record_sent, slot, calls)
        if not calls:
            record_sent(now)
        is_fresh = partial(self._is_fresh, slot)
        until = now + self._pace.interval_s
        return _CallBatch(loop, calls, now, until, record_sent=record_sent, is_fresh=is_fresh)

    async def _wait_for_slot(self, loop: asyncio.AbstractEventLoop) -> Slot:
        """Wait until this run's pace and the other runs let a batch begin."""
        while True:
            earliest = self._pace.earliest
            if earliest is BLOCKED:
                self._batch_sent.clear()
                await self._batch_sent.wait()
                continue
            gap_s = earliest - loop.time()
            if gap_s <= 0:
                slot = self._reserve(loop)
                if slot.retry_after_s <= 0:
                    return slot
                gap_s = slot.retry_after_s
            # aiolimiter does the waiting. AsyncLimiter's period is fixed at construction. A fresh one, filled by the
            # first acquire, makes the second wait exactly `gap_s`. `throttled()` may call for a pause meanwhile, so
            # look again afterwards.
            gap = AsyncLimiter(1, gap_s)
            await gap.acquire()
            await gap.acquire()

    def _reserve(self, loop: asyncio.AbstractEventLoop) -> Slot:
        if self._shared is None:
            return Slot(0.0)
        slot = self._shared.reserve(self._pace.interval_s, self._pace.widening_s)
        if self._heartbeat_timer is None:
            self._heartbeat_timer = loop.call_later(HEARTBEAT_S, self._heartbeat, loop, self._shared)
        return slot

    def _heartbeat(self, loop: asyncio.AbstractEventLoop, shared: SharedPace) -> None:
        """Keep the places of unsent calls among those of the other runs, for as long as there are any."""
        self._heartbeat_timer = None
        if self._pace.unsent or shared.is_lost:
            shared.heartbeat(self._pace.interval_s, self._pace.widening_s)
            self._heartbeat_timer = loop.call_later(HEARTBEAT_S, self._heartbeat, loop, shared)

    def _is_fresh(self, slot: Slot) -> bool:
        return self._shared is None or slot.time is None or self._shared.is_fresh(slot.time)

    def _record_sent(self, slot: Slot, calls: int, at: float) -> None:
        self._pace.sent(at, calls)
        self._batch_sent.set()
        if self._shared and slot.time is not None:
            self._shared.sent(slot.time, at)

    @property
    def permitted_per_s(self) -> float:
        """How many calls a second this run's pace permits, less than its rate where the service has throttled."""
        return self._pace.permitted_per_s

    @property
    def other_clients_rate(self) -> float | None:
        """How many calls a second other clients seem to use of the quota; None without a sign of any."""
        return self._pace.other_clients_rate

    def throttled(self, sent_at: float, retry_after_s: float) -> None:
        """Slow down: the service throttled a call sent at `sent_at`, and asks for a pause of `retry_after_s`, or 0."""
        # The rest of an open batch was permitted before the service throttled that call.
        if self._batch:
            self._batch.close()
        self._pace.throttled(sent_at, asyncio.get_running_loop().time(), retry_after_s)


class _CallBatch:
    """Calls that are permitted until `until`. For the pace they are one, sent when the last of them is."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        capacity: int,
        begun_at: float,
        until: float,
        *,
        record_sent: Callable[[float], None],
        is_fresh: Callable[[], bool],
    ) -> None:
        self.capacity = capacity
        self.until = until
        self.is_fresh = is_fresh
        self._loop = loop
        self._unsent = 0
        self._sent_at = begun_at
        self._record_sent = record_sent

    def acquire(self) -> Permit:
        self.capacity -= 1
        self._unsent += 1
        return Permit(self._loop.time(), self)

    def close(self) -> None:
        """Permit no more calls."""
        if self.capacity:
            self.capacity = 0
            if not self._unsent:
                self._record_sent(self._sent_at)

    def sent(self) -> None:
        """Record that one of the permitted calls was sent just now."""
        self._unsent -= 1
        self._sent_at = self._loop.time()
        if not (self.capacity or self._unsent):
            self._record_sent(self._sent_at)
