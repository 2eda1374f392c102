"""The worker pool: takes claimed flows, passes the gate, calls; what a reply means is settled elsewhere."""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from typing import Protocol

from flowreaper.errors import RunError
from flowreaper.model import HELD_BACK, Change, Claim, Ending, Flow, Reply, Requeue
from flowreaper.workers.backlog import Backlog
from flowreaper.workers.circuit_breaker import PROBE_CAP_S, CircuitBreaker
from flowreaper.workers.replies import ReplyHandler


class Permit(Protocol):
    """A call's permission to leave."""

    @property
    def granted_at(self) -> float:
        """When it was given, on the loop's clock."""
        ...

    @property
    def was_sent(self) -> bool:
        """Whether `sent` was called."""
        ...

    def is_fresh(self) -> bool:
        """Return whether the call may still leave; one that may not is admitted anew."""
        ...

    def sent(self) -> None:
        """Record that the call was sent, or never will be; only the first time counts."""
        ...


class Gate(Protocol):
    """The account's pace. One task waits at a time."""

    async def acquire(self) -> Permit:
        """Wait until a call may leave. It closes after some that do not leave."""
        ...


class Transport(Protocol):
    """One account's calls."""

    async def send(
        self,
        flow: Flow,
        timeout_s: float | None = None,
        left: Callable[[], None] = lambda: None,
        may_leave: Callable[[], bool] = lambda: True,
    ) -> Reply:
        """Send one DeleteFlow call, within this time if it is shorter; call `left` when it is on its way.

        `may_leave` is asked at the last moment; where it says no, nothing is sent and HELD_BACK returned.
        Raises RunError for what concerns every flow.
        """
        ...


class Ledger(Protocol):
    """Where flows come from and outcomes go to."""

    async def claim(self, new: int, again: Sequence[int]) -> list[Claim]:
        """Claim the rows `again` and up to `new` pending flows, durably; raises RunError."""
        ...

    def put(self, change: Change) -> None:
        """Record a change soon."""
        ...

    async def flush(self) -> None:
        """Return when all is recorded."""
        ...


class WorkerPool:
    """Deletes the flows of one ledger through one account's gate and transport.

    `concurrency` bounds the calls under way. An outage of `outage_limit_s` seconds ends the run.
    """

    def __init__(
        self,
        *,
        backlog: Backlog,
        ledger: Ledger,
        gate: Gate,
        transport: Transport,
        settlement: ReplyHandler,
        outage: CircuitBreaker,
        concurrency: int,
        outage_limit_s: float,
    ) -> None:
        self._backlog = backlog
        self._ledger = ledger
        self._gate = gate
        self._transport = transport
        self._settlement = settlement
        self._outage = outage
        self._concurrency = concurrency
        self._outage_limit_s = outage_limit_s

        self._in_flight: set[asyncio.Task[None]] = set()
        self._claiming_ended = False
        self._claimer_wakes = asyncio.Event()
        self._sender_wakes = asyncio.Event()
        self._sender: asyncio.Task[None] | None = None

        self.ending: Ending | None = None
        self.error: Exception | None = None
        self.calls = 0

    @property
    def in_flight(self) -> int:
        """How many calls are under way."""
        return len(self._in_flight)

    def flows_added(self) -> None:
        """Take note that the ledger has new pending flows."""
        self._backlog.flows_added()
        self._claimer_wakes.set()

    def reading_ended(self) -> None:
        """Take note that the ledger gets no more flows."""
        self._backlog.more_to_read = False
        self._claimer_wakes.set()

    def stop(self, ending: Ending, error: Exception | None = None) -> None:
        """Send no more; `run` returns when the calls under way have ended.

        The first reason counts, but an error counts more than the wish to stop.
        """
        if self.ending is not None:
            if error and self.error is None:
                self.ending, self.error = ending, error
        else:
            self.ending, self.error = ending, error
            self._claimer_wakes.set()
            if self._sender:
                self._sender.cancel()

    def abandon(self) -> None:
        """Leave now: the calls under way are cut off, and the flows of those that have left stay claimed."""
        self.stop(Ending.INTERRUPTED)
        # A call that has not even begun could not put its flow back.
        asyncio.get_running_loop().call_soon(self._cut_off)

    def _cut_off(self) -> None:
        for call in self._in_flight:
            call.cancel()

    async def run(self) -> None:
        """Return when nothing is left to do, or after `stop`; what is known is recorded then.

        When it is cancelled, it does what `abandon` does before it ends so.
        """
        claimer = asyncio.create_task(self._claim())
        self._sender = asyncio.create_task(self._send())
        tasks = (claimer, self._sender)
        for task in tasks:
            task.add_done_callback(self._stop_with)
        if self.ending:
            self._sender.cancel()
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
        """Wait until nothing is under way, and record what is known."""
        await asyncio.wait(tasks)
        while self._in_flight:
            await asyncio.wait(self._in_flight)
        # Claimed but never sent: they go back, and no doubt falls on them.
        while self._backlog.ready:
            self._put_back(self._backlog.ready.popleft())
        await self._ledger.flush()

    def _put_back(self, claim: Claim) -> None:
        self._ledger.put(Requeue(claim.row, claim.attempts, claim.in_doubt))

    def _stop_with(self, task: asyncio.Task[None]) -> None:
        """Let a defect of ours end the run: the other tasks would wait for this one for ever."""
        if not task.cancelled() and (error := task.exception()):
            self.stop(Ending.STOPPED, error if isinstance(error, Exception) else None)

    async def _claim(self) -> None:
        """Keep the sender supplied, until nothing is left."""
        while self.ending is None:
            self._claimer_wakes.clear()
            again, new = self._backlog.wanted(asyncio.get_running_loop().time())
            if again or new:
                try:
                    claims = await self._ledger.claim(new, again)
                except RunError as error:
                    self.stop(Ending.STOPPED, error)
                    break
                self._backlog.claimed(claims, len(again), new)
                self._sender_wakes.set()
            elif self._backlog.exhausted() and not self._in_flight:
                break
            else:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout_at(self._backlog.next_due()):
                        await self._claimer_wakes.wait()
        self._claiming_ended = True
        self._sender_wakes.set()

    async def _send(self) -> None:
        """Start a call for each claimed flow, when there is room for it and the gate opens."""
        ready = self._backlog.ready
        while ready or not self._claiming_ended:
            self._sender_wakes.clear()
            if not ready or len(self._in_flight) >= self._concurrency:
                await self._sender_wakes.wait()
                continue
            if self._outage.since is not None and not await self._probe_turn():
                continue
            admission = await self._gate.acquire()
            probing = self._outage.since is not None
            if probing:
                self._outage.probe_sent(admission.granted_at)
            timeout_s = PROBE_CAP_S if probing else None
            call = asyncio.create_task(self._call(ready.popleft(), admission, timeout_s))
            self._in_flight.add(call)
            call.add_done_callback(self._called)
            if self._backlog.runs_low:
                self._claimer_wakes.set()

    async def _probe_turn(self) -> bool:
        """Wait for a part of an outage; return whether it is time for a probe."""
        now = asyncio.get_running_loop().time()
        left_s = self._outage.left_s(now, self._outage_limit_s)
        if left_s <= 0:
            self.stop(Ending.STOPPED, self._settlement.outage_error(now))
            await asyncio.sleep(0)  # where the cancellation of this task arrives
        wait_s = min(self._outage.probe_wait_s(now), max(left_s, 0.0))
        if wait_s <= 0:
            return True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await self._sender_wakes.wait()
        return False

    def _called(self, call: asyncio.Task[None]) -> None:
        self._in_flight.discard(call)
        self._sender_wakes.set()
        if not self._in_flight:
            self._claimer_wakes.set()
        # What became of a call that met a defect is unknown, so its flow stays claimed.
        self._stop_with(call)

    async def _call(self, claim: Claim, admission: Permit, timeout_s: float | None) -> None:
        self.calls += 1
        credentials_generation = self._settlement.credentials_generation
        try:
            reply = await self._transport.send(claim.flow, timeout_s, admission.sent, admission.is_fresh)
        except RunError as error:
            # Nothing left for the service, so nothing became of the flow.
            self._put_back(claim)
            self.stop(Ending.STOPPED, error)
            return
        except asyncio.CancelledError:
            if not admission.was_sent:
                self._put_back(claim)
            raise
        finally:
            admission.sent()
        if reply is HELD_BACK:
            # No call was made, so no attempt is used up: it waits for another permit, before all others.
            self.calls -= 1
            self._backlog.ready.appendleft(claim)
            return
        trouble = await self._settlement.settle(claim, reply, admission.granted_at, credentials_generation)
        if trouble:
            self.stop(Ending.STOPPED, trouble)
        if self._backlog.waiting:
            self._claimer_wakes.set()
