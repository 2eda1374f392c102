"""The worker pool: takes claimed flows, passes the gate, calls, and settles what each reply means.

It decides nothing by itself about pace, codes or waiting times: those rules are passed in.
"""

import asyncio
import contextlib
import random
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from flowreaper.backlog import Backlog
from flowreaper.errors import FatalReplyError, RunError
from flowreaper.model import Again, Claim, Ending, Flow, Kind, Outcome, Reply, State
from flowreaper.retry import backoff_s
from flowreaper.verdict import explain, judge


class Gate(Protocol):
    """The account's pace. One task waits at a time."""

    async def admit(self) -> float:
        """Wait until a call may leave; return that moment."""
        ...

    def admitted(self, sent_at: float) -> None:
        """Take note that the service took the call of that moment."""
        ...

    def throttled(self, sent_at: float, retry_after_s: float) -> None:
        """Take note that it refused it for its pace."""
        ...


class Transport(Protocol):
    """One account's calls."""

    async def send(self, flow: Flow) -> Reply:
        """Send one DeleteFlow call; raises RunError for what concerns every flow."""
        ...

    async def renew_credentials(self) -> None:
        """Fetch the credentials again; raises RunError."""
        ...

    def correct_clock(self, date: str) -> bool:
        """Follow the service's Date header; return whether that changed anything."""
        ...


class Ledger(Protocol):
    """Where flows come from and outcomes go to."""

    async def claim(self, new: int, again: Sequence[int]) -> list[Claim]:
        """Claim the rows `again` and up to `new` pending flows, durably; raises RunError."""
        ...

    def put(self, change: Outcome | Again) -> None:
        """Record a change soon."""
        ...

    async def flush(self) -> None:
        """Return when all is recorded."""
        ...


class Log(Protocol):
    """Where events are told: a dotted name, and fields."""

    def debug(self, event: str, **fields: Any) -> object:
        """Tell what only somebody who searches wants to know."""
        ...

    def info(self, event: str, **fields: Any) -> object:
        """Tell what happens."""
        ...

    def warning(self, event: str, **fields: Any) -> object:
        """Tell what somebody should look at."""
        ...


class Engine:
    """Deletes the flows of one ledger through one account's gate and transport.

    `concurrency` bounds the calls under way, `max_attempts` the calls of a flow that meet transient
    trouble; `treat` says what codes mean, before the table. `luck` returns a random number from 0 to 1,
    `now` seconds since the epoch.
    """

    def __init__(
        self,
        *,
        backlog: Backlog,
        ledger: Ledger,
        gate: Gate,
        transport: Transport,
        log: Log,
        concurrency: int,
        max_attempts: int,
        treat: Mapping[str, Kind],
        luck: Callable[[], float] = random.random,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._backlog = backlog
        self._ledger = ledger
        self._gate = gate
        self._transport = transport
        self._log = log
        self._concurrency = concurrency
        self._max_attempts = max_attempts
        self._treat = treat
        self._luck = luck
        self._now = now

        self._in_flight: set[asyncio.Task[None]] = set()
        self._claiming_ended = False
        self._claimer_wakes = asyncio.Event()
        self._sender_wakes = asyncio.Event()
        self._sender: asyncio.Task[None] | None = None
        self._repairs = _Repairs()

        self.ending: Ending | None = None
        self.error: Exception | None = None
        self.calls = 0
        self.throttled = 0

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
        """Send no more; `run` returns when the calls under way have ended. The first reason counts."""
        if self.ending is None:
            self.ending, self.error = ending, error
            self._claimer_wakes.set()
            if self._sender:
                self._sender.cancel()

    def abandon(self) -> None:
        """Leave now: the calls under way are cut off, their flows stay claimed."""
        self.stop(Ending.INTERRUPTED)
        for call in self._in_flight:
            call.cancel()

    async def run(self) -> None:
        """Return when nothing is left to do, or after `stop`; what is known is recorded then."""
        claimer = asyncio.create_task(self._claim())
        self._sender = asyncio.create_task(self._send())
        if self.ending:
            self._sender.cancel()
        await asyncio.wait((claimer, self._sender))
        while self._in_flight:
            await asyncio.wait(self._in_flight)
        # Claimed but never sent: they go back, and no doubt falls on them.
        for claim in self._backlog.ready:
            self._ledger.put(Again(claim.row, claim.attempts, claim.in_doubt))
        await self._ledger.flush()
        for task in (claimer, self._sender):
            if not task.cancelled() and (error := task.exception()):
                raise error
        if self.ending is None:
            limited = self._backlog.limit_reached and self._backlog.unread
            self.ending = Ending.LIMIT if limited else Ending.FINISHED

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
            sent_at = await self._gate.admit()
            call = asyncio.create_task(self._call(ready.popleft(), sent_at))
            self._in_flight.add(call)
            call.add_done_callback(self._called)
            if self._backlog.runs_low:
                self._claimer_wakes.set()

    def _called(self, call: asyncio.Task[None]) -> None:
        self._in_flight.discard(call)
        self._sender_wakes.set()
        if not self._in_flight:
            self._claimer_wakes.set()
        if not call.cancelled() and (error := call.exception()):
            # A defect of ours: what became of that call is unknown, so its flow stays claimed.
            self.stop(Ending.STOPPED, error if isinstance(error, Exception) else None)

    async def _call(self, claim: Claim, sent_at: float) -> None:
        self.calls += 1
        signed_after = self._repairs.made
        try:
            reply = await self._transport.send(claim.flow)
        except RunError as error:
            # Nothing left for the service, so nothing became of the flow.
            self._ledger.put(Again(claim.row, claim.attempts, claim.in_doubt))
            self.stop(Ending.STOPPED, error)
            return
        verdict = judge(reply, in_doubt=claim.in_doubt, overrides=self._treat)
        in_doubt = claim.in_doubt or verdict.doubt
        self._log.debug(
            "call.answered",
            flow_id=claim.flow.flow_id,
            cust_space_id=claim.flow.cust_space_id,
            verdict=verdict.kind.value,
            http_status=reply.status,
            code=reply.code,
            message=reply.message,
            request_id=reply.request_id,
            ms=round((asyncio.get_running_loop().time() - sent_at) * 1000),
        )
        match verdict.kind:
            case Kind.THROTTLED:
                self.throttled += 1
                self._gate.throttled(sent_at, reply.retry_after_ms / 1000)
                self._again(claim, claim.attempts, in_doubt, 0.0)
                return
            case Kind.RENEW | Kind.CLOCK | Kind.FATAL:
                self._again(claim, claim.attempts, in_doubt, 0.0)
                await self._repair(verdict.kind, reply, signed_after)
                return
        if reply.status:
            self._gate.admitted(sent_at)
            self._repairs.forget()
        self._settle(claim, verdict.kind, reply, in_doubt=in_doubt)

    def _settle(self, claim: Claim, kind: Kind, reply: Reply, *, in_doubt: bool) -> None:
        attempts = claim.attempts + 1
        if kind is Kind.TRANSIENT and attempts < self._max_attempts:
            self._again(claim, attempts, in_doubt, backoff_s(attempts, self._luck()))
            return
        inferred = kind is Kind.ABSENT and in_doubt
        state = {
            Kind.DELETED: State.DELETED,
            Kind.ABSENT: State.DELETED if inferred else State.ABSENT,
            Kind.REFUSED: State.REFUSED,
            Kind.TRANSIENT: State.GAVE_UP,
        }[kind]
        self._ledger.put(Outcome(claim, state, inferred, in_doubt, attempts, reply, int(self._now() * 1000)))
        if state in (State.REFUSED, State.GAVE_UP):
            self._log.warning(
                f"flow.{state.value}",
                flow_id=claim.flow.flow_id,
                cust_space_id=claim.flow.cust_space_id,
                code=reply.code,
                message=reply.message,
                request_id=reply.request_id,
            )

    def _again(self, claim: Claim, attempts: int, in_doubt: bool, wait_s: float) -> None:  # noqa: FBT001 -- a field
        self._ledger.put(Again(claim.row, attempts, in_doubt))
        self._backlog.put_back(claim.row, asyncio.get_running_loop().time() + wait_s)
        self._claimer_wakes.set()

    async def _repair(self, kind: Kind, reply: Reply, signed_after: int) -> None:
        """Mend what concerns every flow, once for all calls that met it, or stop."""
        stale = self._repairs.under_way or signed_after < self._repairs.made
        if stale and kind is not Kind.FATAL:
            return
        if kind is Kind.FATAL or not self._repairs.begin(kind):
            self.stop(Ending.STOPPED, FatalReplyError(explain(reply)))
        elif kind is Kind.RENEW:
            self._log.info("credentials.renewing", code=reply.code)
            try:
                await self._transport.renew_credentials()
            except RunError as error:
                self.stop(Ending.STOPPED, error)
        elif self._transport.correct_clock(reply.date):
            self._log.warning("clock.corrected", service_date=reply.date)
        else:
            self.stop(Ending.STOPPED, FatalReplyError(explain(reply)))
        self._repairs.end()


class _Repairs:
    """Which repairs were made since the service last took a call: each kind helps once or not at all."""

    def __init__(self) -> None:
        self.made = 0
        self.under_way = False
        self._kinds: set[Kind] = set()

    def begin(self, kind: Kind) -> bool:
        self.under_way = kind not in self._kinds
        self._kinds.add(kind)
        return self.under_way

    def end(self) -> None:
        # Calls that were signed before this moment say nothing about the repair.
        self.made += 1
        self.under_way = False

    def forget(self) -> None:
        self._kinds.clear()
