"""The job as a function, for programs that have the flows already."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from flowreaper.credentials import StaticSource, find_source
from flowreaper.ids import EntryMaker
from flowreaper.job import Deliver, Job
from flowreaper.model import Credentials, Entry, Flow, InvalidEntry, Summary
from flowreaper.settings import DEFAULT_REGION, Settings, region_endpoint
from flowreaper.settlement import Log
from flowreaper.sink import Stream


class Batches:
    """A feed of flows that the program already has, in any iterable, taken a batch at a time."""

    def __init__(
        self, entries: Iterable[Entry | InvalidEntry], deliver: Deliver, batch_size: int = 1000
    ) -> None:
        self._entries = entries
        self._deliver = deliver
        self._batch_size = batch_size
        self._stopped = False

    async def run(self) -> None:
        """Deliver every entry, or until `stop`."""
        batch: list[Entry | InvalidEntry] = []
        for entry in self._entries:
            batch.append(entry)
            if len(batch) == self._batch_size:
                await self._deliver(batch)
                batch = []
            if self._stopped:
                return
        if batch:
            await self._deliver(batch)

    def stop(self) -> None:
        """Take no more."""
        self._stopped = True

    def read_whole(self) -> tuple[str, ...]:
        """Return no name: an iterable is no source that could be known again."""
        return ()


async def delete_flows(
    flows: Iterable[str | Flow],
    *,
    checkpoint: Path | str,
    settings: Settings | None = None,
    credentials: Credentials | None = None,
    streams: Sequence[Stream] = (),
    log: Log | None = None,
) -> Summary:
    """Delete flows and return what became of them; call it again with the same checkpoint to go on.

    `flows` may be any iterable, as long as you like; it is taken a batch at a time, on the event loop.
    `settings` default to 5 calls a second at the documented endpoint, `credentials` to the environment's,
    else the official chain's. What is no flow id becomes an outcome `invalid`.

    Raises:
        ConfigurationError: the checkpoint is not this job's, or is in use.
        RunError: there are no credentials, or the checkpoint cannot be used; no call was made.
    """
    maker = EntryMaker("flows", "")
    entries = (
        maker.entry(*((flow, "") if isinstance(flow, str) else flow), number)
        for number, flow in enumerate(flows, start=1)
    )
    job = Job(
        settings or Settings(endpoint=region_endpoint(DEFAULT_REGION)),
        checkpoint=Path(checkpoint),
        credentials=StaticSource(credentials) if credentials else find_source(None, os.environ),
        log=log or _NoLog(),
        make_feed=lambda deliver: Batches(entries, deliver),
        streams=streams,
    )
    return await job.run()


class _NoLog:
    def is_enabled_for(self, level: int) -> bool:  # noqa: ARG002 -- the Protocol's signature
        return False

    def debug(self, event: str, **fields: object) -> None: ...
    def info(self, event: str, **fields: object) -> None: ...
    def warning(self, event: str, **fields: object) -> None: ...
