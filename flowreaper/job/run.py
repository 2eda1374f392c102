"""One run over one checkpoint: opens what it needs, runs it, and sums it up."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from flowreaper.client.actions import CallerIdentity
from flowreaper.client.client import Client, CredentialSource
from flowreaper.errors import RunError
from flowreaper.events import Log
from flowreaper.job.checkpoint_state import StartState, prepare, read_end
from flowreaper.job.existing import count_existing
from flowreaper.job.history import RunHistory, run_that_begins
from flowreaper.job.lane import Lane, build_lane, share_pace
from flowreaper.job.lookup import Lookup
from flowreaper.job.safeguards import open_safeguards
from flowreaper.job.settings import Settings
from flowreaper.job.sum_up import sum_up
from flowreaper.job.summary import InputRead, Opened, Snapshot, Summary
from flowreaper.job.supervisor import Supervisor
from flowreaper.limiter.limiter import RateLimiter
from flowreaper.limiter.peers import Peers
from flowreaper.limiter.saved_pace import SavedPace, learned_pace
from flowreaper.limiter.shared_file import FileSharedPace, account_of
from flowreaper.model import Credentials, Ending, Flow
from flowreaper.producer.producer import Deliver, Producer
from flowreaper.sink.sink import Stream
from flowreaper.store.sqlite.checkpoint import Checkpoint, open_checkpoint
from flowreaper.store.sqlite.lock import network_file_system
from flowreaper.store.sqlite.writer import Writer
from flowreaper.store.store import Identity

Beside = Callable[[Callable[[str, str], None]], AbstractAsyncContextManager[None]]
"""What stands open while the checkpoint does. It gets a function that notes a value in the checkpoint, and waits."""

Identify = Callable[[], Awaitable[CallerIdentity | None]]
"""Returns whose the access key is, None where that is not to be known; raises RunError or ConfigurationError."""


async def nobody() -> None:
    """Ask for no identity."""


class Run:
    """One run over one checkpoint.

    `make_producer` gets the coroutine to deliver batches to, and the run calls only what it delivers; None: the run
    calls every unfinished flow of the checkpoint. `first_listed` returns those of some unfinished flows that the input
    surely lists, so that they are called before it is read; it is called in a thread. `identify` is called first of
    all: a checkpoint of another account is refused, and the pace is shared by account. `streams` get each outcome once
    it is recorded. `opened` is called with what the checkpoint holds before the first call, `input_read` once the input
    was read to its end. `beside` is entered before anything is sent. `accept_lost_log` as in `open_checkpoint`,
    `flush_when_idle` as in `WorkerPool`. Runs once.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        checkpoint: Path,
        credentials: CredentialSource,
        log: Log,
        identify: Identify = nobody,
        make_producer: Callable[[Deliver], Producer] | None = None,
        first_listed: Callable[[Sequence[Flow]], Sequence[Flow]] = lambda _flows: (),
        streams: Sequence[Stream] = (),
        opened: Callable[[Opened], None] = lambda _opened: None,
        input_read: Callable[[InputRead], None] = lambda _read: None,
        beside: Beside = lambda _note: contextlib.nullcontext(),
        accept_lost_log: bool = False,
        flush_when_idle: bool = False,
    ) -> None:
        self._settings = settings
        self._path = checkpoint
        self._credentials = credentials
        self._log = log
        self._identify = identify
        self._make_producer = make_producer
        self._first_listed = first_listed
        self._opened = opened
        self._input_read = input_read
        self._streams = streams
        self._beside = beside
        self._accept_lost_log = accept_lost_log
        self._flush_when_idle = flush_when_idle
        self._interrupted = False
        self._active: _Active | None = None
        self.lookup: Lookup | None = None
        """What the checkpoint knows; from `opened` until the run's end."""

    async def run(self) -> Summary:
        """Run until nothing is left, the limit, `stop`, or trouble that concerns every flow.

        Such trouble, once calls may have been made, is the summary's `error`, not an exception.

        Raises:
            ConfigurationError: the checkpoint is not this job's, or is in use; the account is not the expected one.
            RunError: there are no credentials, nobody says whose they are, or the checkpoint cannot be used; no flow
                was called.
        """
        credentials = await self._credentials.get()
        identity = identity_of(self._settings, credentials.masked_id, await self._identify())
        async with AsyncExitStack() as stack:
            checkpoint, writer = await self._open(identity, stack)
            start = await self._prepare(checkpoint, writer, credentials)
            active = self._active = await self._activate(identity.account, credentials, writer, start, stack)
            self.lookup = Lookup(checkpoint.known, writer, active.lane)
            self._opened(Opened(start.counts, start.to_call))
            if self._interrupted:
                active.lane.workers.stop(Ending.INTERRUPTED)
            history = RunHistory(
                start.run,
                checkpoint.history,
                writer,
                snapshot=active.supervisor.snapshot,
                failed=active.lane.fail,
            )
            try:
                read_all = await active.supervisor.run(history.run)
            except BaseException as error:
                await _end(history, Ending.STOPPED, error)
                raise
            recorded = active.lane.sink.recorded
            end = await writer.call(partial(read_end, checkpoint, start.counts, recorded, read_all=read_all))
            listed = self._make_producer is not None
            seconds = active.supervisor.elapsed_s
            summary = sum_up(active.lane, seconds, start, end, listed=listed, read_all=read_all)
            await _end(history, summary.ending, summary.error)
            return summary

    def stop(self) -> None:
        """Send no more, wait for the calls in progress, record, return from `run`."""
        self._interrupted = True
        if self._active:
            self._active.lane.workers.stop(Ending.INTERRUPTED)

    def abandon(self) -> None:
        """Do not even wait for the calls in progress: their flows stay claimed, and in doubt."""
        self._interrupted = True
        if self._active:
            self._active.lane.workers.abandon()

    @property
    def in_flight(self) -> int:
        """How many calls are in progress."""
        return self._active.lane.workers.in_flight if self._active else 0

    def snapshot(self) -> Snapshot:
        """Return how far the run is; nothing is done before it has opened its checkpoint."""
        if self._active:
            return self._active.supervisor.snapshot()
        return Snapshot(
            done={},
            left=0,
            in_flight=0,
            calls=0,
            throttled=0,
            silent_s=None,
            reading=self._make_producer is not None,
            elapsed_s=0.0,
        )

    async def _open(self, identity: Identity, stack: AsyncExitStack) -> tuple[Checkpoint, Writer]:
        """Open the checkpoint, and what stands open beside it; `stack` closes them."""
        if network := network_file_system(self._path):
            self._log.warning("checkpoint.on_network_file_system", type=network, checkpoint=str(self._path))
        checkpoint = open_checkpoint(self._path, identity, accept_lost_log=self._accept_lost_log)
        stack.callback(_close, checkpoint)
        writer = Writer(checkpoint)
        stack.callback(writer.close)
        await stack.enter_async_context(self._beside(writer.note_now))
        return checkpoint, writer

    async def _prepare(self, checkpoint: Checkpoint, writer: Writer, credentials: Credentials) -> StartState:
        """Make the checkpoint ready; flows that the input surely lists are called before it is read."""
        begins = run_that_begins(credentials.masked_id, self._settings.rate)
        listed = self._make_producer is not None
        start = await writer.call(partial(prepare, checkpoint, self._settings, begins, listed=listed))
        if not start.sought:
            return start
        found = await asyncio.to_thread(self._first_listed, start.sought)
        return replace(start, to_call=await writer.call(partial(checkpoint.list_known, found)))

    async def _activate(
        self, number: str, credentials: Credentials, writer: Writer, start: StartState, stack: AsyncExitStack
    ) -> "_Active":
        """Wire the account's lane and what supervises it; `stack` closes its connections.

        `number` is the account's, empty where it is not known.
        """
        settings, account = self._settings, number or credentials.access_key_id
        timeout_s, connections = settings.timeout_s, settings.concurrency
        client = Client(settings.endpoint, self._credentials, timeout_s=timeout_s, connections=connections)
        await stack.enter_async_context(client)
        shared = _shared_pace(settings, account, self._log, stack)
        guarded = open_safeguards(
            settings, self._credentials, account, start, writer.note, number=number, log=self._log
        )
        safeguards = await stack.enter_async_context(guarded)

        async def existing() -> int:
            spaces = await writer.spaces()
            return await count_existing(settings, self._credentials, spaces, account=account, log=self._log)

        pace = learned_pace(settings.rate, start.pace)
        lane = build_lane(
            settings,
            store=writer,
            client=client,
            limiter=RateLimiter(pace, shared),
            log=self._log,
            streams=self._streams,
            before=start.before,
            safeguards=safeguards,
            flush_when_idle=self._flush_when_idle,
        )
        supervisor = Supervisor(
            settings,
            lane,
            writer,
            SavedPace(pace, writer.note, lane.fail),
            make_producer=self._make_producer,
            before=start.counts,
            to_call=start.to_call,
            expires_at=credentials.expires_at,
            input_read=self._input_read,
            count_existing=existing,
            log=self._log,
        )
        return _Active(lane, supervisor)


@dataclass(frozen=True, slots=True)
class _Active:
    """What a run is made of from its checkpoint's opening to its end."""

    lane: Lane
    supervisor: Supervisor


def identity_of(settings: Settings, access_key: str = "", caller: CallerIdentity | None = None) -> Identity:
    """Return what a checkpoint of these settings belongs to; `access_key` is masked, `caller` None where not known."""
    # The embedded sandbox has another port each time; its checkpoints must know it again.
    endpoint = "sandbox" if settings.sandbox else settings.endpoint.url
    identity = Identity(endpoint, settings.sandbox, access_key, plan=settings.plan)
    return replace(identity, account=caller.account, arn=caller.arn) if caller else identity


def _shared_pace(settings: Settings, account: str, log: Log, stack: AsyncExitStack) -> FileSharedPace:
    name = account_of(settings.endpoint.url, account)
    peers = stack.enter_context(Peers(name))
    return stack.enter_context(share_pace(name, peers, log))


def _close(checkpoint: Checkpoint) -> None:
    # After a failed write, closing may fail as well; the first failure is the one to report.
    with contextlib.suppress(RunError):
        checkpoint.close()


async def _end(history: RunHistory, ending: Ending, error: BaseException | None) -> None:
    with contextlib.suppress(RunError):  # what stopped the run may be the checkpoint
        await history.end(ending, error)
