"""Builds the parts of one job and runs it: what the command and library users call."""

import asyncio
import contextlib
import math
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from flowreaper.client.client import Client, CredentialSource
from flowreaper.errors import FlowreaperError, RunError
from flowreaper.events import Log
from flowreaper.job.settings import Settings
from flowreaper.job.summary import Snapshot, Summary
from flowreaper.limiter.limiter import RateLimiter
from flowreaper.limiter.peers import Peers
from flowreaper.limiter.saved_pace import NOTE, SavedPace, learned_pace
from flowreaper.limiter.shared_file import FileSharedPace, account_of, shared_folder
from flowreaper.model import UNFINISHED, Ending, Flow, State
from flowreaper.producer.producer import Batch, Deliver, Producer
from flowreaper.sink.sink import Sink, Stream
from flowreaper.store.sqlite.checkpoint import Checkpoint, open_checkpoint
from flowreaper.store.sqlite.lock import network_file_system
from flowreaper.store.sqlite.writer import Writer
from flowreaper.store.store import Identity
from flowreaper.workers.backlog import Backlog
from flowreaper.workers.brakes import AbsenceBrake, RefusalStreak
from flowreaper.workers.circuit_breaker import CircuitBreaker
from flowreaper.workers.pool import WorkerPool
from flowreaper.workers.repair import Repair
from flowreaper.workers.replies import ReplyHandler
from flowreaper.workers.retry import RetryPolicy

_REGARDLESS = "absences_regardless"
"""The note that a run was told not to stop where nothing is there: what it found absent is accepted."""

_SOUGHT = 10_000
# Unfinished flows that the input is searched for before it is read. They are the ones that were read first.

Beside = Callable[[Callable[[str, str], None]], AbstractAsyncContextManager[None]]
"""What stands open while the checkpoint does. It gets a function that notes a value in the checkpoint, and waits."""


@dataclass(frozen=True, slots=True)
class Opened:
    """What a checkpoint holds when a run begins: flows by state, and how many of them are to be called for sure."""

    counts: Mapping[State, int]
    to_call: int


@dataclass(frozen=True, slots=True)
class InputRead:
    """What an input was found to hold: flows to call, known or repeated ones, unfinished ones that it does not list."""

    to_call: int
    repeated: int
    unlisted: int


class Job:
    """One run over one checkpoint.

    `make_producer` gets the coroutine to deliver batches to, and the run calls only flows that it delivers; None: the run
    calls every unfinished flow of the checkpoint. `first_listed` returns those of some unfinished flows that the input
    surely lists, so that they are called before it is read; it is called in a thread. `streams` get each outcome once
    it is recorded. `opened` is called with what the checkpoint holds before the first call, `input_read` once the input
    was read to its end. `beside` is entered before anything is sent. `accept_lost_log` as in `open_checkpoint`. Runs
    once.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        checkpoint: Path,
        credentials: CredentialSource,
        log: Log,
        make_producer: Callable[[Deliver], Producer] | None = None,
        first_listed: Callable[[Sequence[Flow]], Sequence[Flow]] = lambda _flows: (),
        streams: Sequence[Stream] = (),
        opened: Callable[[Opened], None] = lambda _opened: None,
        input_read: Callable[[InputRead], None] = lambda _read: None,
        beside: Beside = lambda _note: contextlib.nullcontext(),
        accept_lost_log: bool = False,
    ) -> None:
        self._settings = settings
        self._path = checkpoint
        self._credentials = credentials
        self._log = log
        self._make_producer = make_producer
        self._first_listed = first_listed
        self._opened = opened
        self._input_read = input_read
        self._streams = streams
        self._beside = beside
        self._accept_lost_log = accept_lost_log
        self._parts: _Parts | None = None
        self._unfinished = 0
        self._reading = make_producer is not None
        self._ending: Ending | None = None
        self._expires_at: float | None = None

    async def run(self) -> Summary:
        """Run until nothing is left, the limit, `stop`, or trouble that concerns every flow.

        Such trouble, once calls may have been made, is the summary's `error`, not an exception.

        Raises:
            ConfigurationError: the checkpoint is not this job's, or is in use.
            RunError: there are no credentials, or the checkpoint cannot be used; no call was made.
        """
        credentials = await self._credentials.get()
        self._expires_at = credentials.expires_at
        identity = identity_of(self._settings, credentials.masked_id)
        if network := network_file_system(self._path):
            self._log.warning("checkpoint.on_network_file_system", type=network, checkpoint=str(self._path))
        checkpoint = open_checkpoint(self._path, identity, accept_lost_log=self._accept_lost_log)
        writer = Writer(checkpoint)
        account = account_of(self._settings.endpoint.url, credentials.access_key_id)
        try:
            async with self._beside(writer.note_now):
                with Peers(account) as peers, self._turns(account, peers) as turns:
                    summary = await self._run(checkpoint, writer, turns)
        finally:
            writer.close()
            # After a failed write, closing may fail as well; the first failure is the one to tell.
            with contextlib.suppress(RunError):
                checkpoint.close()
        return summary

    def stop(self) -> None:
        """Send no more, wait for the calls under way, record, return from `run`."""
        self._ending = Ending.INTERRUPTED
        if self._parts:
            self._parts.engine.stop(Ending.INTERRUPTED)

    def abandon(self) -> None:
        """Do not even wait for the calls under way: their flows stay claimed, and in doubt."""
        self._ending = Ending.INTERRUPTED
        if self._parts:
            self._parts.engine.abandon()

    @property
    def in_flight(self) -> int:
        """How many calls are under way."""
        return self._parts.engine.in_flight if self._parts else 0

    def snapshot(self) -> Snapshot:
        """Return how far the run is."""
        parts = self._parts
        if parts is None:
            return Snapshot({}, 0, 0, 0, 0, None, self._reading, 0.0)
        now = asyncio.get_running_loop().time()
        done = dict(parts.sink.recorded)
        finished = sum(count for state, count in done.items() if state is not State.INVALID)
        return Snapshot(
            done=done,
            left=self._unfinished - finished,
            in_flight=parts.engine.in_flight,
            calls=parts.engine.calls,
            throttled=parts.settlement.throttled,
            silent_s=None if parts.outage.since is None else now - parts.outage.since,
            reading=self._reading,
            elapsed_s=now - parts.started_at,
        )

    async def _run(self, checkpoint: Checkpoint, writer: Writer, turns: FileSharedPace) -> Summary:
        begun = await writer.call(
            partial(_begin, checkpoint, self._settings, listed=self._make_producer is not None)
        )
        self._unfinished = begun.to_call
        if begun.sought:
            found = await asyncio.to_thread(self._first_listed, begun.sought)
            self._unfinished = await writer.call(partial(checkpoint.list_known, found))
        pace = learned_pace(self._settings.rate, begun.pace)
        kept_pace = SavedPace(pace, writer.note, self._failed)
        parts = self._parts = self._build(begun, writer, RateLimiter(pace, turns))
        engine, sink = parts.engine, parts.sink
        self._opened(Opened(begun.counts, self._unfinished))
        if self._ending:
            engine.stop(self._ending)
        async with parts.client:
            producer = self._make_producer(self._deliver) if self._make_producer else None
            reading = asyncio.create_task(self._read(producer, engine, writer))
            keeping = asyncio.create_task(kept_pace.run())
            watching = asyncio.create_task(writer.watch(self._failed))
            read_all = False
            try:
                await engine.run()
                read_all = not self._reading
                with contextlib.suppress(RunError):  # all outcomes are recorded; a pace can be learned again
                    await kept_pace.save()
            finally:
                keeping.cancel()
                watching.cancel()
                if producer:
                    producer.stop()
                await asyncio.wait((reading, keeping))
        if error := reading.exception():
            raise error
        if engine.error and not isinstance(engine.error, FlowreaperError):
            raise engine.error
        left = await writer.call(partial(_left, checkpoint, begun.counts, sink.recorded, read_all=read_all))
        return Summary(
            ending=engine.ending or Ending.FINISHED,
            this_run=dict(+sink.recorded),
            seconds=asyncio.get_running_loop().time() - parts.started_at,
            calls=engine.calls,
            throttled=parts.settlement.throttled,
            repeated=sink.repeated,
            read_all=read_all,
            error=engine.error,
            inferred=sink.inferred,
            counts=left.counts,
            in_doubt=left.in_doubt,
            unlisted=left.unlisted,
            never_deleted=left.never_deleted,
        )

    def _build(self, begun: "_Begun", writer: Writer, gate: RateLimiter) -> "_Parts":
        settings = self._settings
        client = Client(
            settings.endpoint,
            self._credentials,
            timeout_s=settings.timeout_s,
            connections=settings.concurrency,
        )
        sink = Sink(writer, self._streams, self._failed)
        backlog = Backlog(settings.rate, settings.limit)
        backlog.take_first(begun.left_claimed)
        outage = CircuitBreaker(settings.outage_limit_s, has_answered=begun.has_answer)
        settlement = ReplyHandler(
            backlog=backlog,
            sink=sink,
            limiter=gate,
            breaker=outage,
            retry=RetryPolicy(settings.max_attempts, random.random),
            repair=Repair(client, self._log),
            absences=AbsenceBrake(
                settings.max_absent, has_deleted=begun.has_deleted, before=begun.absent_before
            ),
            refusals=RefusalStreak(settings.max_refusals),
            overrides=settings.treat,
            log=self._log,
        )
        engine = WorkerPool(
            backlog=backlog,
            sink=sink,
            limiter=gate,
            breaker=outage,
            transport=client,
            replies=settlement,
            concurrency=settings.concurrency,
        )
        return _Parts(client, sink, outage, settlement, engine, asyncio.get_running_loop().time())

    async def _read(self, producer: Producer | None, engine: WorkerPool, writer: Writer) -> None:
        self._warn_of_expiry()
        try:
            if producer:
                await producer.run()
                await self._note_end_of_input(writer)
        except FlowreaperError as error:
            self._failed(error)
        except Exception as error:  # the caller's iterable raised it: `run` raises it when all is recorded
            self._failed(error)
            raise
        finally:
            self._reading = False
            self._warn_of_expiry()
            engine.reading_ended()

    async def _note_end_of_input(self, writer: Writer) -> None:
        if self._parts is None or self._ending or self._parts.engine.ending:
            return  # the reading was stopped before its end
        unlisted = await writer.unlisted()
        self._input_read(InputRead(self._unfinished, self._parts.sink.repeated, unlisted))

    def _warn_of_expiry(self) -> None:
        """Say, once, that the credentials expire before what is known to be left can be done."""
        left_s = min(self.snapshot().left, self._settings.limit or sys.maxsize) / self._settings.rate
        valid_s = math.inf if self._expires_at is None else self._expires_at - time.time()
        if left_s > valid_s:
            self._log.warning(
                "credentials.expire_before_the_end", valid_s=round(valid_s, 1), estimated_s=round(left_s, 1)
            )
            self._expires_at = None

    async def _deliver(self, batch: Batch) -> None:
        if self._parts:
            new = await self._parts.sink.add(batch)
            self._unfinished += new
            if new:
                self._parts.engine.flows_added()

    def _turns(self, account: str, peers: Peers) -> FileSharedPace:
        folder = shared_folder()

        def failed(error: OSError) -> None:
            # No part is known where the system does not say how many runs there are.
            meanwhile = "its part of the rate" if peers.signal() else "nothing"
            self._log.warning(
                "pace.not_shared_on_this_machine", folder=str(folder), error=str(error), sends=meanwhile
            )

        works = partial(self._log.info, "pace.shared_again_on_this_machine")
        met = partial(self._log.info, "pace.shared_with_another_run_on_this_machine")
        clock = asyncio.get_running_loop().time
        return FileSharedPace(folder, account, peers, clock, failed=failed, works=works, met=met)

    def _failed(self, error: Exception) -> None:
        if self._parts:
            self._parts.engine.stop(Ending.STOPPED, error)


@dataclass(frozen=True, slots=True)
class _Parts:
    """What a run is made of, while it goes on."""

    client: Client
    sink: Sink
    outage: CircuitBreaker
    settlement: ReplyHandler
    engine: WorkerPool
    started_at: float


def identity_of(settings: Settings, access_key: str = "") -> Identity:
    """Return what a checkpoint of these settings belongs to; `access_key` is masked."""
    # The embedded sandbox has another port each time; its checkpoints must know it again.
    endpoint = "sandbox" if settings.sandbox else settings.endpoint.url
    return Identity(endpoint, settings.sandbox, access_key)


@dataclass(frozen=True, slots=True)
class _Begun:
    """What a checkpoint holds when a run begins.

    `to_call` counts the flows that are to be called for sure, `left_claimed` are rows among them that a crash left
    claimed. Where only listed flows are called, these are not known yet, and the input is searched for `sought`.
    """

    counts: dict[State, int]
    to_call: int
    left_claimed: Sequence[int]
    sought: Sequence[Flow]
    pace: str
    has_answer: bool
    has_deleted: bool
    absent_before: Sequence[int]


def _begin(checkpoint: Checkpoint, settings: Settings, *, listed: bool) -> _Begun:
    if settings.sandbox:
        checkpoint.clear()  # the embedded sandbox has forgotten all that an earlier rehearsal did
    left_claimed = checkpoint.mark_claimed_in_doubt()
    if listed:
        checkpoint.take_listed(settings.taken_again)
    else:
        checkpoint.reopen(settings.taken_again)
    counts = checkpoint.counts()
    return _Begun(
        counts,
        to_call=0 if listed else sum(counts.get(state, 0) for state in UNFINISHED),
        left_claimed=[] if listed else left_claimed,
        sought=checkpoint.unfinished(_SOUGHT) if listed else [],
        pace=checkpoint.noted(NOTE),
        has_answer=checkpoint.has_answer(),
        has_deleted=(has_deleted := checkpoint.has_deleted()),
        absent_before=[] if has_deleted else _absent_before(checkpoint, settings),
    )


def _absent_before(checkpoint: Checkpoint, settings: Settings) -> list[int]:
    """Return the flows that earlier runs found absent; none where the user has accepted that, or asks for them again."""
    if settings.max_absent == 0:
        checkpoint.note(_REGARDLESS, "yes")
    if checkpoint.noted(_REGARDLESS) or State.ABSENT in settings.taken_again.states:
        return []
    return checkpoint.latest_absent(settings.max_absent - 1)


@dataclass(frozen=True, slots=True)
class _Left:
    """What a checkpoint holds at a run's end."""

    counts: dict[State, int]
    in_doubt: int = 0
    unlisted: int | None = None
    never_deleted: bool = False


def _left(
    checkpoint: Checkpoint, before: dict[State, int], recorded: Counter[State], *, read_all: bool
) -> _Left:
    try:
        return _Left(
            checkpoint.counts(),
            checkpoint.in_doubt(),
            checkpoint.unlisted() if read_all else None,
            not checkpoint.has_deleted(),
        )
    except RunError:
        # The checkpoint is what failed: what was recorded is known all the same.
        return _Left(dict(Counter(before) + recorded))
