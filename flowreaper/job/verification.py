"""One verification of one checkpoint: opens what it needs, checks flow after flow, settles, and sums it up."""

import contextlib
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path

from flowreaper.client.client import CredentialSource
from flowreaper.client.operations import Operations
from flowreaper.errors import RunError
from flowreaper.events import Log
from flowreaper.job.check_result import check_result, patience_for, sample_of
from flowreaper.job.operations import open_operations
from flowreaper.job.run import identity_of
from flowreaper.job.settings import Settings
from flowreaper.model import Flow, Reply
from flowreaper.safeguards.listed import ListedLook
from flowreaper.safeguards.verify import Look, Sighting, There, Verifier, is_gone
from flowreaper.store.sqlite.checkpoint import Checkpoint, open_checkpoint
from flowreaper.store.sqlite.reader import read_status
from flowreaper.store.sqlite.writer import Writer
from flowreaper.store.verification import (
    Checked,
    CheckResult,
    Extent,
    Scope,
    Suspect,
    Verification,
    VerificationMethod,
    Verified,
)

_PIECE = 500  # flows that are read from the checkpoint at once

Given = tuple[Suspect, Flow, Sequence[float]]


class VerificationRun:
    """One verification of one checkpoint.

    `account` is the account's number, empty where it is not known. `opened` is called once the checkpoint is open,
    `checked` with flows that were checked, after what that changes is durable. Runs once.
    """

    def __init__(
        self,
        settings: Settings,
        extent: Extent,
        *,
        checkpoint: Path,
        credentials: CredentialSource,
        log: Log,
        account: str = "",
        opened: Callable[[Scope], None] = lambda _scope: None,
        checked: Callable[[Sequence[Checked]], None] = lambda _checked: None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        self._extent = extent
        self._path = checkpoint
        self._credentials = credentials
        self._log = log
        self._account = account
        self._opened = opened
        self._checked = checked
        self._now = now
        self._in_doubt: set[Flow] = set()
        self._stopped = False
        self._verifier: Verifier | None = None
        self._counts: Counter[CheckResult] = Counter()

    async def run(self) -> Verified:
        """Check until all are checked, `stop`, or trouble that concerns every flow.

        Raises:
            ConfigurationError: there is no such checkpoint, it is not this account's or endpoint's, or is in use.
            RunError: there are no credentials, or the checkpoint cannot be used.
        """
        credentials = await self._credentials.get()
        async with AsyncExitStack() as stack:
            checkpoint, writer = self._open(stack)
            account = self._account or credentials.access_key_id
            operations = await stack.enter_async_context(
                open_operations(self._settings, self._credentials, account=account, log=self._log)
            )
            scope, sample = await self._scope(checkpoint, writer)
            self._opened(scope)
            error = await self._check(checkpoint, writer, operations, sample)
            verification = Verification(
                at_ms=int(self._now() * 1000),
                method=self._extent.method,
                complete=error is None and not self._stopped,
                known=scope.known,
                wanted=scope.wanted,
                counts=dict(self._counts),
            )
            if verification.complete or self._counts:
                with contextlib.suppress(RunError):  # what stopped it may be the checkpoint
                    await writer.call(partial(checkpoint.verifications.add, verification))
            return Verified(verification, error)

    def stop(self) -> None:
        """Look no more, keep what was found, return from `run`."""
        self._stopped = True
        if self._verifier:
            self._verifier.stop()

    def abandon(self) -> None:
        """Do as `stop`: it waits for no call."""
        self.stop()

    @property
    def in_flight(self) -> int:
        """How many calls `stop` waits for: none, since a look changes nothing."""
        return 0

    def _open(self, stack: AsyncExitStack) -> tuple[Checkpoint, Writer]:
        # Read first: opening would make a checkpoint where there is none. It keeps the access key and the account's
        # number that its deletions were made with.
        known = read_status(self._path)
        account = self._account if known.account else ""
        identity = replace(identity_of(self._settings, known.access_key), account=account)
        checkpoint = open_checkpoint(self._path, identity)
        stack.callback(_close, checkpoint)
        writer = Writer(checkpoint)
        stack.callback(writer.close)
        return checkpoint, writer

    async def _scope(self, checkpoint: Checkpoint, writer: Writer) -> tuple[Scope, list[int] | None]:
        """Return how many flows it is about, and the rows of the sample; None: all."""
        kept = checkpoint.verifications
        if self._extent.sample is None:
            known = await writer.call(kept.count_recorded_gone)
            return Scope(known, known, await writer.call(kept.count)), None
        rows = await writer.call(kept.rows_recorded_gone)
        # Not for secrets: a seed must choose the same flows again.
        sample = sample_of(rows, self._extent.sample, random.Random(self._extent.seed).randrange)  # noqa: S311
        in_doubt = await writer.call(partial(kept.count, in_doubt_only=True))
        return Scope(len(rows), len(sample), len(sample) + in_doubt), sample

    async def _check(
        self, checkpoint: Checkpoint, writer: Writer, operations: Operations, sample: Sequence[int] | None
    ) -> RunError | None:
        """Check all flows; return what stopped it."""
        self._verifier = Verifier(self._look(operations), at_once=self._settings.concurrency)
        if self._stopped:
            self._verifier.stop()
        suspects = self._suspects(checkpoint, writer, sample)
        found = self._verifier.sightings(suspects)
        try:
            async with contextlib.aclosing(found):
                async for sightings in found:
                    await self._settle(checkpoint, writer, sightings)
        except RunError as error:
            return error
        return None

    def _look(self, operations: Operations) -> Look:
        async def look(flow: Flow, /, *, patience: Sequence[float]) -> Sighting:
            return await is_gone(operations, flow, patience=patience, treat=self._settings.treat)

        if self._extent.method is VerificationMethod.LOOK:
            return look
        return ListedLook(operations, look, self._in_doubt.__contains__)

    async def _settle(
        self, checkpoint: Checkpoint, writer: Writer, sightings: Sequence[tuple[Suspect, Sighting]]
    ) -> None:
        checked = [
            Checked(
                suspect,
                check_result(suspect, sighting),
                Reply(0) if isinstance(sighting, There) else sighting.reply,
            )
            for suspect, sighting in sightings
        ]
        if checked:
            at_ms = int(self._now() * 1000)
            await writer.call(partial(checkpoint.verifications.settle, checked, at_ms))
            self._counts.update(each.check for each in checked)
            self._checked(checked)

    async def _suspects(
        self, checkpoint: Checkpoint, writer: Writer, sample: Sequence[int] | None
    ) -> AsyncIterator[Given]:
        """Yield the flows to check, and note which of them are in doubt."""
        async for suspect in _suspects(checkpoint, writer, sample):
            if suspect.is_in_doubt:
                self._in_doubt.add(suspect.flow)
            yield suspect, suspect.flow, patience_for(suspect)


async def _suspects(
    checkpoint: Checkpoint, writer: Writer, sample: Sequence[int] | None
) -> AsyncIterator[Suspect]:
    """Yield the flows to check, each once: those in doubt and the sample, or all in the order of reading."""
    after = 0
    while True:
        read = partial(checkpoint.verifications.suspects, after, _PIECE, in_doubt_only=sample is not None)
        suspects = await writer.call(read)
        for suspect in suspects:
            after = suspect.row
            yield suspect
        if len(suspects) < _PIECE:
            break
    for start in range(0, len(sample or ()), _PIECE):
        rows = (sample or ())[start : start + _PIECE]
        for suspect in await writer.call(partial(checkpoint.verifications.suspects_of, rows)):
            yield suspect


def _close(checkpoint: Checkpoint) -> None:
    # After a failed write, closing may fail as well; the first failure is the one to report.
    with contextlib.suppress(RunError):
        checkpoint.close()
