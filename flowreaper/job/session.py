"""A run that a program gives flows to while it goes on: fed by any number of deletions."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from flowreaper.client.client import CredentialSource
from flowreaper.errors import FlowreaperError
from flowreaper.events import Log
from flowreaper.job.deletion import FedDeletion
from flowreaper.job.ledger import Ledger
from flowreaper.job.run import Identify, Run, nobody
from flowreaper.job.settings import Settings
from flowreaper.job.summary import Snapshot, Summary
from flowreaper.model import AnyEntry, Entry, Flow
from flowreaper.producer.channel import Channel
from flowreaper.producer.items import SOURCE
from flowreaper.producer.producer import Batch, Deliver
from flowreaper.producer.pull import Pull, pull
from flowreaper.sink.sink import Stream


class Session:
    """One run, inside its `async with` block. It is the `Intake` of the deletions that feed it."""

    def __init__(
        self,
        settings: Settings,
        *,
        checkpoint: Path,
        credentials: CredentialSource,
        log: Log,
        identify: Identify = nobody,
        streams: Sequence[Stream] = (),
    ) -> None:
        self._settings = settings
        self._ledger = Ledger()
        self._run = Run(
            settings,
            checkpoint=checkpoint,
            credentials=credentials,
            log=log,
            identify=identify,
            make_producer=self._make_channel,
            streams=(*streams, self._ledger),  # the last, so that the others have what the program sees
            opened=lambda _opened: self._ready.set(),
            flush_when_idle=True,
        )
        self._ready = asyncio.Event()
        self._channel: Channel | None = None
        self._task: asyncio.Task[None] | None = None
        self._deletions: set[FedDeletion] = set()
        self._is_left = False
        self._is_stopping = False
        self._error: BaseException | None = None
        self._error_seen = False
        self._summary: Summary | None = None
        self.ended = False

    async def __aenter__(self) -> Self:
        """Begin the run; return once it takes flows.

        Raises:
            RuntimeError: it was entered before.
            ConfigurationError: the checkpoint is not this job's, or is in use.
            RunError: there are no credentials, or the checkpoint cannot be used.
        """
        if self._task:
            raise RuntimeError("this job was entered before: open_job makes another one")
        self._task = asyncio.create_task(self._supervise())
        try:
            await self._ready.wait()
        except asyncio.CancelledError:
            self._task.cancel()
            await self._wait_for_end()
            raise
        if self._error and self._summary is None:
            raise self._error
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the run, and raise what has stopped it, unless that was raised already or something else is."""
        await self._leave()
        if self._error and not self._error_seen and error is None:
            raise self._error

    @property
    def summary(self) -> Summary:
        """What the run did; raises RuntimeError before its end, or where it never began."""
        if self._summary is None:
            raise RuntimeError("a job has a summary once its block was left; until then it has a snapshot()")
        return self._summary

    def stop(self) -> None:
        """Read and send no more; the run ends once the calls in progress have."""
        self._is_stopping = True
        self._stop_reading()
        self._run.stop()

    def snapshot(self) -> Snapshot:
        """Return how far the run is."""
        return self._run.snapshot()

    def delete(
        self, items: Pull, entry_of: Callable[[Any, int], AnyEntry], *, last: bool = False
    ) -> FedDeletion:
        """Return the deletion of these items; raises RuntimeError outside the block.

        `last`: no other comes after it. The run ends with it, and stops where its iterable raises.
        """
        self._require_open()
        return FedDeletion(items, entry_of, self, self._last_was_read if last else lambda _error: None)

    def delete_unfinished(self) -> FedDeletion:
        """Return the deletion of all that is unfinished in the checkpoint; raises RuntimeError outside the block."""
        return self.delete(pull(self._unfinished()), _known_entry)

    def begin(self, deletion: FedDeletion) -> None:
        """As `Intake`."""
        self._require_open()
        self._deletions.add(deletion)
        if self._is_stopping:
            deletion.stop()

    @contextmanager
    def feeder(self) -> Iterator[Deliver | None]:
        """As `Intake`."""
        if self._channel is None:
            yield None
            return
        with self._channel.feeder() as deliver:
            yield partial(self._deliver, deliver) if deliver else None

    def expect(self, entry: AnyEntry, deletion: FedDeletion, tag: object) -> None:
        """As `Intake`."""
        self._ledger.expect(entry, deletion, tag)

    def done(self, deletion: FedDeletion) -> None:
        """As `Intake`."""
        self._deletions.discard(deletion)

    def trouble(self) -> BaseException | None:
        """As `Intake`."""
        self._error_seen = True
        return self._error

    async def _leave(self) -> None:
        """Send no more, unless all is done; return once the run has ended."""
        self._is_left = True
        if self._deletions:
            self.stop()
        elif self._channel:
            self._channel.close()
        await self._wait_for_end()

    async def _wait_for_end(self) -> None:
        """Return once the run has ended and its checkpoint is closed.

        If it is cancelled, it does not wait for the calls in progress: their flows stay claimed, and in doubt.
        """
        cancelled: asyncio.CancelledError | None = None
        while self._task and not self._task.done():
            try:
                await asyncio.wait([self._task])
            except asyncio.CancelledError as error:
                cancelled = error
                self._run.abandon()
        if cancelled:
            raise cancelled

    def _require_open(self) -> None:
        if self._is_left or self._task is None:
            raise RuntimeError("a job deletes inside its `async with` block alone")

    async def _deliver(self, deliver: Deliver, batch: Batch) -> None:
        await deliver(batch)
        # After that: what `retry` names is pending again then.
        if self._run.lookup:
            for record in await self._run.lookup.finished(batch):
                self._ledger.found(record)

    async def _unfinished(self) -> AsyncIterator[Flow]:
        if self._run.lookup:
            async for flow in self._run.lookup.unfinished(self._settings.taken_again):
                yield flow

    async def _supervise(self) -> None:
        try:
            self._summary = await self._run.run()
            self._error = self._summary.error
        except BaseException as error:
            self._error = error
            if not isinstance(error, Exception):
                raise
        finally:
            if isinstance(self._error, FlowreaperError):
                self._error.summary = self._summary
            self.ended = True
            self._ready.set()
            for deletion in tuple(self._deletions):
                deletion.run_ended()

    def _make_channel(self, deliver: Deliver) -> Channel:
        self._channel = Channel(deliver, self._stop_reading)
        return self._channel

    def _last_was_read(self, error: BaseException | None) -> None:
        if error:
            self.stop()
        elif self._channel:
            self._channel.close()

    def _stop_reading(self) -> None:
        for deletion in tuple(self._deletions):
            deletion.stop()


def _known_entry(flow: Flow, number: int) -> AnyEntry:
    return Entry(flow, SOURCE, number)
