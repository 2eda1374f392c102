"""Saves a flow before it is deleted: what GetFlow says of it, and its JSON. What is not saved is not deleted.

A flow's JSON is at a URL, which GetFlowJSONAssest signs for a short time. The URL is a secret for as long: it is in no
message, no log and no file.
"""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from flowreaper.client.actions import FlowDetails
from flowreaper.client.asset import Asset, AssetFetcher, NotFetched
from flowreaper.client.backoff import backoff_s
from flowreaper.client.codes import in_words
from flowreaper.client.endpoint import Endpoint
from flowreaper.client.operations import FIRST_ANSWER_S, Refusal
from flowreaper.errors import Advice, BackupError, OutageError
from flowreaper.events import Log
from flowreaper.model import Finding, Flow, Reply, State
from flowreaper.safeguards.backup_entry import Origin, Saved
from flowreaper.safeguards.backup_folder import held_folder
from flowreaper.safeguards.backup_writer import BackupWriter

NOT_SAVED = "Backup.NotSaved"
"""The code of a flow that could not be saved."""

_OF_ANOTHER = "GetFlow's answer does not describe the flow"

TRIES = 4
"""How many times a flow's JSON is fetched, each time from a new URL."""

MAX_UNSAVED = 10
"""This many flows in a row that cannot be saved stop the run."""


class JsonUrls(Protocol):
    """Asks where a flow's JSON is; `client.operations.Operations` does."""

    async def get_flow_json(self, flow: Flow, /) -> str | Refusal:
        """Return the URL of a flow's JSON, empty where it has none."""
        ...


class Files(Protocol):
    """Fetches files; `client.asset.AssetFetcher` does."""

    async def fetch(self, text: str, /) -> Asset | NotFetched:
        """Return the file behind a URL, or why there is none."""
        ...


class Writer(Protocol):
    """Writes flows down; `BackupWriter` does."""

    async def put(self, saved: Saved, /) -> None:
        """Save a flow; it is durable when this returns. Raises OutputError."""
        ...


class FileHost:
    """Whether the host of the files answers at all: while it does not, no flow is to blame.

    Where nothing ever answered, `outage_limit_s` is 60 at most.
    """

    def __init__(self, outage_limit_s: float, log: Log) -> None:
        self._outage_limit_s = outage_limit_s
        self._log = log
        self._has_answered = False
        self._silent_since: float | None = None

    def is_silent_since(self, moment: float) -> bool:
        """Return whether nothing has answered from before `moment`, on the event loop's clock, until now."""
        return self._silent_since is not None and self._silent_since <= moment

    def record(self, found: Asset | NotFetched) -> None:
        """Note what a fetch brought; raises OutageError where nothing has answered for too long."""
        now = asyncio.get_running_loop().time()
        if isinstance(found, Asset) or found.reached:
            if self._silent_since is not None:
                self._log.info("backup.outage_ended", seconds=round(now - self._silent_since, 1))
            self._has_answered, self._silent_since = True, None
            return
        if self._silent_since is None:
            self._silent_since = now
            self._log.warning("backup.outage_began", message=found.reason)
        limit_s = self._outage_limit_s if self._has_answered else min(FIRST_ANSWER_S, self._outage_limit_s)
        if (lasted_s := now - self._silent_since) >= limit_s:
            raise OutageError(
                f"the files of the flows could not be fetched for {lasted_s:.0f} seconds; the last try:"
                f" {found.reason}. Check the network and the proxy, then go on",
                Advice.WAIT_LONGER,
            )


class Backup:
    """Saves flows; one that fails `MAX_UNSAVED` times in a row stops the run.

    `luck` returns 0 to 1, `now` the time in UTC.
    """

    def __init__(
        self,
        urls: JsonUrls,
        files: Files,
        writer: Writer,
        host: FileHost,
        *,
        luck: Callable[[], float] = random.random,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._urls = urls
        self._files = files
        self._writer = writer
        self._host = host
        self._luck = luck
        self._now = now
        self._unsaved_in_a_row = 0
        self._why = ""

    async def save(self, details: FlowDetails) -> Finding | None:
        """Save a flow; return None where it is durable, else that it is given up, and why.

        Raises:
            BackupError: the flows before it could not be saved either; this one is not blamed.
            OutputError: the backup cannot be written.
            RunError: the service, or the host of the files, fails for every flow.
        """
        self._check_streak()
        # Without a status, the answer may be about another flow: then nothing of this one would be saved.
        content = await self._content(details.flow) if details.status else _OF_ANOTHER
        if isinstance(content, str):
            self._check_streak()
            self._unsaved_in_a_row += 1
            self._why = content
            return Finding(State.GAVE_UP, Reply(0, NOT_SAVED, content))
        at = self._now().isoformat(timespec="milliseconds").replace("+00:00", "Z")
        await self._writer.put(Saved(details, content, at))
        self._unsaved_in_a_row = 0
        return None

    def _check_streak(self) -> None:
        if self._unsaved_in_a_row >= MAX_UNSAVED:
            raise BackupError(
                f"{MAX_UNSAVED} flows in a row could not be saved, so they were given up and not deleted; no further"
                f" flow was touched. The last one: {self._why}. Mend that",
                Advice.RETRY_UNSAVED,
            )

    async def _content(self, flow: Flow) -> bytes | str | None:
        """Return a flow's JSON, None where it has none, or why it cannot be fetched."""
        failures = 0
        for tries in range(1, 1_000_000):
            url = await self._urls.get_flow_json(flow)
            if isinstance(url, Refusal):
                return f"GetFlowJSONAssest was refused: {in_words(url.reply)}"
            if not url:
                return None
            began = asyncio.get_running_loop().time()
            found = await self._files.fetch(url)
            self._host.record(found)
            if isinstance(found, Asset):
                return found.content
            # While nothing answers, no flow is to blame.
            failures += found.reached or not self._host.is_silent_since(began)
            if found.permanent or failures >= TRIES:
                return f"its JSON cannot be fetched: {found.reason}"
            await asyncio.sleep(backoff_s(tries, self._luck()))
        raise AssertionError  # not reached: an outage ends before


@contextlib.asynccontextmanager
async def open_backup(
    path: Path, urls: JsonUrls, *, endpoint: Endpoint, account: str, outage_limit_s: float, log: Log
) -> AsyncIterator[Backup]:
    """Yield the backup in a folder, which this process has for itself meanwhile; it is made where there is none.

    `account` is the account's number, empty where it is not known. What is being written when the block is left is
    written to its end.

    Raises:
        BackupInUseError: another process has the folder.
        ConfigurationError: the folder cannot be used, holds other things, or another account's backup.
    """
    origin = Origin(account, endpoint.url)
    with held_folder(path, make=True) as folder:
        folder.begin(origin)
        async with BackupWriter(folder, origin) as writer, AssetFetcher(endpoint) as files:
            yield Backup(urls, files, writer, FileHost(outage_limit_s, log))
