"""The worker pool: claims flows, waits for permits, starts one call a flow. What a reply does is in `reply_handler`."""

import asyncio
from collections.abc import Sequence

from flowreaper.errors import RunError
from flowreaper.model import Claim, Ending
from flowreaper.workers.backlog import Backlog
from flowreaper.workers.call import Caller
from flowreaper.workers.circuit_breaker import PROBE_CAP_S, CircuitBreaker, GiveUp, Wait
from flowreaper.workers.claimer import Claimer, wait_until
from flowreaper.workers.ports import OutcomeSink, Permit, RateLimiter, Transport
from flowreaper.workers.reply_handler import ReplyHandler


class WorkerPool:
    """Deletes the flows of one backlog through one account's limiter and transport.

    One task claims, one sends, and each call is a task of its own; at most `concurrency` calls are in progress.
    """

    def __init__(
        self,
        *,
        backlog: Backlog,
        sink: OutcomeSink,
        limiter: RateLimiter,
        breaker: CircuitBreaker,
        transport: Transport,
        replies: ReplyHandler,
        claimer: Claimer,
        concurrency: int,
    ) -> None:
        self._backlog = backlog
        self._sink = sink
        self._limiter = limiter
        self._breaker = breaker
        self._replies = replies
        self._claimer = claimer
        self._caller = Caller(backlog, sink, transport, replies)
        self._concurrency = concurrency

        self._in_flight: set[asyncio.Task[None]] = set()
        self._claiming_ended = False
        self._sender_wakes = asyncio.Event()
        self._acquiring: asyncio.Task[None] | None = None

        self.ending: Ending | None = None
        self.error: Exception | None = None

    @property
    def in_flight(self) -> int:
        """How many calls are in progress."""
        return len(self._in_flight)

    @property
    def calls(self) -> int:
        """How many calls were made, those in progress included."""
        return self._caller.calls

    @property
    def throttled(self) -> int:
        """How many calls the service refused for their pace."""
        return self._replies.throttled

    def flows_added(self) -> None:
        """Look for pending flows again: the checkpoint has new ones."""
        self._backlog.flows_added()
        self._claimer.wake()

    def reading_ended(self) -> None:
        """Expect no more new flows: `run` returns when those in the checkpoint are done."""
        self._backlog.more_to_read = False
        self._claimer.wake()

    def stop(self, ending: Ending, error: Exception | None = None) -> None:
        """Send no more; `run` returns when the calls in progress have ended.

        The first reason counts, but an error counts more than the wish to stop.
        """
        if self.ending is not None:
            if error and self.error is None:
                self.ending, self.error = ending, error
            return
        self.ending, self.error = ending, error
        self._claimer.wake()
        self._sender_wakes.set()
        if self._acquiring:
            self._acquiring.cancel()
        self._claimer.cancel()

    def abandon(self) -> None:
        """Leave now: calls in progress are cut off. The flows of those that were sent stay claimed."""
        self.stop(Ending.INTERRUPTED)
        # Later, because a call whose task has not started yet could not put its flow back.
        asyncio.get_running_loop().call_soon(self._cut_off)

    def _cut_off(self) -> None:
        for call in self._in_flight:
            call.cancel()

    async def run(self) -> None:
        """Return when nothing is left to do, or after `stop`; all that is known is recorded then.

        If it is cancelled, it does what `abandon` does before it ends.
        """
        tasks = (asyncio.create_task(self._claim()), asyncio.create_task(self._send()))
        for task in tasks:
            task.add_done_callback(self._stop_on_defect)
        try:
            await self._end(tasks)
        except asyncio.CancelledError:
            self.abandon()
            await self._end(tasks)
            raise
        for task in tasks:
            if not task.cancelled() and (error := task.exception()):
                raise error
        if self.ending is None:
            limited = self._backlog.limit_reached and self._backlog.unread
            self.ending = Ending.LIMIT if limited else Ending.FINISHED

    async def _end(self, tasks: Sequence[asyncio.Task[None]]) -> None:
        """Wait until nothing is in progress, then record what is known."""
        await asyncio.wait(tasks)
        await self._claimer.ended()
        while self._in_flight:
            await asyncio.wait(self._in_flight)
        # These were claimed but never sent.
        while self._backlog.ready:
            self._caller.requeue(self._backlog.ready.popleft())
        await self._sink.flush()

    def _stop_on_defect(self, task: asyncio.Task[None]) -> None:
        """End the run if a task failed with a defect: the other tasks would wait for it for ever."""
        if not task.cancelled() and (error := task.exception()):
            self.stop(Ending.STOPPED, error if isinstance(error, Exception) else None)

    async def _claim(self) -> None:
        """Keep the sender supplied until nothing is left, or the run is stopped."""
        try:
            await self._claimer.run(
                is_over=lambda: self.ending is not None,
                is_calling=lambda: bool(self._in_flight),
                claimed=self._sender_wakes.set,
            )
        except RunError as error:
            self.stop(Ending.STOPPED, error)
        self._claiming_ended = True
        self._sender_wakes.set()

    async def _send(self) -> None:
        """Start a call for each claimed flow, when there is room for it, no outage, and a permit.

        Returns when nothing is left or the run is stopped. A wait for a permit may be long, so `stop` cancels it.
        """
        ready = self._backlog.ready
        while self.ending is None and (ready or not self._claiming_ended):
            self._sender_wakes.clear()
            if not ready or len(self._in_flight) >= self._concurrency:
                await self._sender_wakes.wait()
                continue
            now = asyncio.get_running_loop().time()
            match self._breaker.allow(now):
                case GiveUp(error):
                    self.stop(Ending.STOPPED, error)
                    return
                case Wait(seconds):
                    await wait_until(self._sender_wakes, now + seconds)
                    continue
            permit = await self._acquire()
            claim = ready.popleft()
            if self._claimer.is_stale(claim):
                permit.sent()  # never used
                self._look_again(claim)
            else:
                self._start_call(claim, permit)
            if self._backlog.runs_low:
                self._claimer.wake()

    async def _acquire(self) -> Permit:
        self._acquiring = asyncio.current_task()
        try:
            return await self._limiter.acquire()
        finally:
            self._acquiring = None

    def _look_again(self, claim: Claim) -> None:
        """Give back a flow that waited for too long since it was looked at, through an outage or a suspension."""
        self._caller.requeue(claim)
        self._backlog.requeue(claim.row, asyncio.get_running_loop().time())
        self._claimer.wake()

    def _start_call(self, claim: Claim, permit: Permit) -> None:
        timeout_s = None
        if self._breaker.is_open:  # perhaps only since the wait for the permit began
            self._breaker.probe_sent(permit.granted_at)
            timeout_s = PROBE_CAP_S
        call = asyncio.create_task(self._call(claim, permit, timeout_s))
        self._in_flight.add(call)
        call.add_done_callback(self._called)

    def _called(self, call: asyncio.Task[None]) -> None:
        self._in_flight.discard(call)
        self._sender_wakes.set()
        if not self._in_flight:
            self._claimer.wake()
        # Nobody knows what became of a call that met a defect, so its flow stays claimed.
        self._stop_on_defect(call)

    async def _call(self, claim: Claim, permit: Permit, timeout_s: float | None) -> None:
        if error := await self._caller.call(claim, permit, timeout_s):
            self.stop(Ending.STOPPED, error)
        if self._backlog.waiting:
            self._claimer.wake()
