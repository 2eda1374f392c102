"""The job as a function, for programs that have the flows already."""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from operator import index
from pathlib import Path
from typing import SupportsIndex

from flowreaper.client.credentials import StaticSource, find_source
from flowreaper.client.endpoint import DEFAULT_REGION, region_endpoint
from flowreaper.escaping import printable
from flowreaper.events import Log, SilentLog
from flowreaper.job.run import Deliver, Job
from flowreaper.job.settings import Settings
from flowreaper.job.summary import Summary
from flowreaper.model import Credentials, Entry, InvalidEntry
from flowreaper.producer.flow_ids import EntryFactory, compiled
from flowreaper.sink.sink import Stream


class IterableProducer:
    """A feed of flows that the program already has, in any iterable, taken a batch at a time."""

    def __init__(
        self, entries: Iterable[Entry | InvalidEntry], deliver: Deliver, batch_size: int = 1000
    ) -> None:
        self._entries = entries
        self._deliver = deliver
        self._batch_size = batch_size
        self._stopped = False

    async def run(self) -> None:
        """Deliver every entry, or until `stop`; what the iterable raises is raised after what came before it."""
        batch: list[Entry | InvalidEntry] = []
        try:
            for entry in self._entries:
                batch.append(entry)
                if len(batch) == self._batch_size:
                    full, batch = batch, []
                    await self._deliver(full)
                if self._stopped:
                    return
        except Exception:
            if batch:
                await self._deliver(batch)
            raise
        if batch:
            await self._deliver(batch)

    def stop(self) -> None:
        """Take no more."""
        self._stopped = True


async def delete_flows(
    flows: Iterable[str | int | tuple[str, str]],
    *,
    checkpoint: Path | str,
    settings: Settings | None = None,
    credentials: Credentials | None = None,
    streams: Sequence[Stream] = (),
    log: Log | None = None,
    id_pattern: str | None = None,
) -> Summary:
    """Delete flows and return what became of them; call it again with the same checkpoint to go on.

    `flows` may be any iterable, as long as you like; it is taken a batch at a time, on the event loop. A flow
    is its id, as a str or an int, or a `Flow`, or a pair of id and space. What is none of these, or no flow id,
    becomes an outcome `invalid`. `id_pattern` is a regular expression that a whole id must match, for ids that
    are not of letters, digits and ``_ . : -``, with a digit in it.
    `settings` default to 5 calls a second at the documented endpoint, `credentials` to the environment's,
    else the official chain's.

    Raises:
        TypeError: `flows` is a single id, or cannot be iterated.
        ConfigurationError: the checkpoint is not this job's, or is in use, or `id_pattern` is no pattern.
        RunError: there are no credentials, or the checkpoint cannot be used; no call was made.
        Exception: what iterating `flows` raised, when the calls under way have ended and all is recorded.
    """
    # Each of them can be iterated, and what comes out would be called: characters, a flow's space.
    if isinstance(flows, str | bytes | bytearray | memoryview) or hasattr(flows, "_fields"):
        raise TypeError(f"flows is one {type(flows).__name__}: put it into a list")
    maker = EntryFactory("flows", "", compiled(id_pattern))
    raised: list[Exception] = []
    entries = _entries(enumerate(flows, start=1), maker, raised)
    job = Job(
        settings or Settings(endpoint=region_endpoint(DEFAULT_REGION)),
        checkpoint=Path(checkpoint),
        credentials=StaticSource(credentials) if credentials else find_source(None, os.environ),
        log=log or SilentLog(),
        make_feed=lambda deliver: IterableProducer(entries, deliver),
        streams=streams,
    )
    summary = await job.run()
    if raised:
        raise raised[0]
    return summary


def _entries(
    numbered: Iterable[tuple[int, object]], maker: EntryFactory, raised: list[Exception]
) -> Iterator[Entry | InvalidEntry]:
    try:
        for number, item in numbered:
            yield _entry(maker, item, number)
    except Exception as error:
        raised.append(error)  # the run may take one of flowreaper's own for an outcome
        raise


def _entry(maker: EntryFactory, item: object, number: int) -> Entry | InvalidEntry:
    if isinstance(item, str):
        return maker.entry(item, "", number)
    if isinstance(item, tuple):
        flow_id, space = item if len(item) == 2 else (None, None)  # noqa: PLR2004 -- a pair
        if isinstance(flow_id, str) and isinstance(space, str):
            return maker.entry(flow_id, space, number)
        return maker.invalid(_shown(item), "a tuple is a flow id and a space, both of them str", number)
    reason = f"a flow id is a str or an int, not a value of type {printable(type(item).__name__)}"
    if isinstance(item, SupportsIndex) and not isinstance(item, bool):
        with suppress(Exception):  # a type that breaks its word; an int of over 4,300 digits has no str
            return maker.entry(str(index(item)), "", number)
        reason = "the number has no digits that could be sent"
    return maker.invalid(_shown(item), reason, number)


def _shown(item: object) -> str:
    try:
        return repr(item)
    except Exception:  # noqa: BLE001 -- a stranger's repr; an int of over 4,300 digits
        return object.__repr__(item)
