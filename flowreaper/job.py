"""Builds the parts of one job and runs it: what the command and library users call."""

import asyncio
import contextlib
import math
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from flowreaper.backlog import Backlog
from flowreaper.checkpoint import Checkpoint, open_checkpoint
from flowreaper.client import Client, CredentialSource
from flowreaper.engine import Engine
from flowreaper.errors import FlowreaperError, RunError
from flowreaper.kept_pace import NOTE, KeptPace, learned_pace
from flowreaper.limiter import Limiter
from flowreaper.lock import network_file_system
from flowreaper.model import Ending, Entry, Identity, InvalidEntry, State, Summary
from flowreaper.outage import Outage
from flowreaper.progress import Snapshot
from flowreaper.settings import Settings
from flowreaper.settlement import Log, Settlement
from flowreaper.sink import Sink, Stream
from flowreaper.turns import Turns, account_of, turns_folder
from flowreaper.writer import Writer

Deliver = Callable[[list[Entry | InvalidEntry]], Awaitable[None]]


class Feed(Protocol):
    """What brings the flows: reads until its end or `stop`, and hands over batches."""

    async def run(self) -> None:
        """Read and deliver; return at the end."""
        ...

    def stop(self) -> None:
        """Read no more."""
        ...


class Job:
    """One run over one checkpoint.

    `make_feed` gets the coroutine to deliver batches to; None: only what the checkpoint still holds.
    `streams` get each outcome once it is recorded. `accept_lost_log` as in `open_checkpoint`. Runs once.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        checkpoint: Path,
        credentials: CredentialSource,
        log: Log,
        make_feed: Callable[[Deliver], Feed] | None = None,
        streams: Sequence[Stream] = (),
        accept_lost_log: bool = False,
    ) -> None:
        self._settings = settings
        self._path = checkpoint
        self._credentials = credentials
        self._log = log
        self._make_feed = make_feed
        self._streams = streams
        self._accept_lost_log = accept_lost_log
        self._parts: _Parts | None = None
        self._unfinished = 0
        self._reading = make_feed is not None
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
            with Turns(turns_folder(), account, failed=self._no_turns, met=self._shared) as turns:
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

    async def _run(self, checkpoint: Checkpoint, writer: Writer, turns: Turns) -> Summary:
        if self._settings.retry:
            checkpoint.reopen(self._settings.retry)
        left_claimed = checkpoint.doubt_claimed()
        before = checkpoint.counts()
        self._unfinished = before.get(State.PENDING, 0) + before.get(State.CLAIMED, 0)
        pace = learned_pace(self._settings.rate, checkpoint.noted(NOTE))
        kept_pace = KeptPace(pace, writer.note, self._failed)
        parts = self._parts = self._build(writer, left_claimed, Limiter(pace, turns))
        engine, sink = parts.engine, parts.sink
        if self._ending:
            engine.stop(self._ending)
        async with parts.client:
            feed = self._make_feed(self._deliver) if self._make_feed else None
            reading = asyncio.create_task(self._read(feed, engine))
            keeping = asyncio.create_task(kept_pace.run())
            watching = asyncio.create_task(writer.watch(self._failed))
            read_all = False
            try:
                await engine.run()
                read_all = not self._reading
                with contextlib.suppress(RunError):  # all outcomes are recorded; a pace can be learned again
                    await kept_pace.keep()
            finally:
                keeping.cancel()
                watching.cancel()
                if feed:
                    feed.stop()
                await asyncio.wait((reading, keeping))
        if error := reading.exception():
            raise error
        if engine.error and not isinstance(engine.error, FlowreaperError):
            raise engine.error
        counts, in_doubt = _left(checkpoint, before, sink.recorded)
        return Summary(
            ending=engine.ending or Ending.FINISHED,
            counts=counts,
            run=dict(sink.recorded),
            seconds=asyncio.get_running_loop().time() - parts.started_at,
            calls=engine.calls,
            throttled=parts.settlement.throttled,
            repeated=sink.repeated,
            read_all=read_all,
            error=engine.error,
            in_doubt=in_doubt,
            inferred=sink.inferred,
        )

    def _build(self, writer: Writer, left_claimed: Sequence[int], gate: Limiter) -> "_Parts":
        settings = self._settings
        client = Client(
            settings.endpoint,
            self._credentials,
            timeout_s=settings.timeout_s,
            connections=settings.concurrency,
        )
        sink = Sink(writer, self._streams, self._failed)
        backlog = Backlog(settings.rate, settings.limit)
        backlog.take_first(left_claimed)
        outage = Outage()
        settlement = Settlement(
            backlog=backlog,
            ledger=sink,
            gate=gate,
            account=client,
            outage=outage,
            log=self._log,
            max_attempts=settings.max_attempts,
            max_refusals=settings.max_refusals,
            treat=settings.treat,
        )
        engine = Engine(
            backlog=backlog,
            ledger=sink,
            gate=gate,
            transport=client,
            settlement=settlement,
            outage=outage,
            concurrency=settings.concurrency,
            outage_limit_s=settings.outage_limit_s,
        )
        return _Parts(client, sink, outage, settlement, engine, asyncio.get_running_loop().time())

    async def _read(self, feed: Feed | None, engine: Engine) -> None:
        self._warn_of_expiry()
        try:
            if feed:
                await feed.run()
        except FlowreaperError as error:
            self._failed(error)
        finally:
            self._reading = False
            self._warn_of_expiry()
            engine.reading_ended()

    def _warn_of_expiry(self) -> None:
        """Say, once, that the credentials expire before what is known to be left can be done."""
        left_s = min(self.snapshot().left, self._settings.limit or sys.maxsize) / self._settings.rate
        valid_s = math.inf if self._expires_at is None else self._expires_at - time.time()
        if left_s > valid_s:
            self._log.warning(
                "credentials.expire_before_the_end", valid_s=round(valid_s, 1), estimated_s=round(left_s, 1)
            )
            self._expires_at = None

    async def _deliver(self, batch: list[Entry | InvalidEntry]) -> None:
        if self._parts:
            new = await self._parts.sink.add(batch)
            self._unfinished += new
            if new:
                self._parts.engine.flows_added()

    def _shared(self) -> None:
        self._log.info("pace.shared_with_another_run_on_this_machine")

    def _no_turns(self, error: OSError) -> None:
        self._log.warning("pace.not_shared_on_this_machine", folder=str(turns_folder()), error=str(error))

    def _failed(self, error: Exception) -> None:
        if self._parts:
            self._parts.engine.stop(Ending.STOPPED, error)


@dataclass(frozen=True, slots=True)
class _Parts:
    """What a run is made of, while it goes on."""

    client: Client
    sink: Sink
    outage: Outage
    settlement: Settlement
    engine: Engine
    started_at: float


def identity_of(settings: Settings, access_key: str = "") -> Identity:
    """Return what a checkpoint of these settings belongs to; `access_key` is masked."""
    # The embedded sandbox has another port each time; its checkpoints must know it again.
    endpoint = "sandbox" if settings.sandbox else settings.endpoint.url
    return Identity(endpoint, settings.sandbox, access_key)


def _left(
    checkpoint: Checkpoint, before: dict[State, int], recorded: Counter[State]
) -> tuple[dict[State, int], int]:
    """Return the checkpoint's counts by state, and how many of its unfinished flows are in doubt."""
    try:
        return checkpoint.counts(), checkpoint.in_doubt()
    except RunError:
        # The checkpoint is what failed: what was recorded is known all the same.
        return dict(Counter(before) + recorded), 0
