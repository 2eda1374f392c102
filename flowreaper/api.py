"""A run as a function, for programs: `delete_flows`."""

import os
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from itertools import count
from operator import index
from pathlib import Path
from typing import SupportsIndex

from flowreaper.client.credentials import StaticSource, find_source
from flowreaper.client.endpoint import DEFAULT_REGION, region_endpoint
from flowreaper.errors import ConfigurationError
from flowreaper.escaping import printable
from flowreaper.events import Log, StdlibLogger, as_log
from flowreaper.job.run import Run
from flowreaper.job.settings import Settings
from flowreaper.job.summary import Summary
from flowreaper.model import AnyEntry, Credentials
from flowreaper.producer.flow_ids import EntryFactory, compile_pattern
from flowreaper.producer.producer import IterableProducer
from flowreaper.sink.sink import Stream

AnyFlow = str | int | tuple[str, str]

AnyFlows = Iterable[AnyFlow] | AsyncIterable[AnyFlow]


async def delete_flows(
    flows: AnyFlows | None = None,
    *,
    checkpoint: Path | str,
    settings: Settings | None = None,
    credentials: Credentials | None = None,
    streams: Sequence[Stream] = (),
    log: Log | StdlibLogger | None = None,
    id_pattern: str | None = None,
) -> Summary:
    """Delete flows and return what became of them; to resume, call it again with the same checkpoint.

    - `flows`: only these are called, nothing else in the checkpoint. None: everything unfinished in the checkpoint.
    - `flows` is an iterable or an async iterable of any length. An iterable runs on the event loop; use an async one
      if it is slow.
    - A flow is its id (a str or an int), a `Flow`, or a pair of id and CustSpaceId. Anything else, and what is no
      flow id, gets the outcome `invalid`.
    - `settings`: 5 calls a second at the documented endpoint by default.
    - `credentials`: the environment's by default, else the official chain's.
    - `streams` get each outcome once it is in the checkpoint.
    - `log`: a logger of structlog or of the standard library, or a `Log`; silent by default.
    - `id_pattern`: a regular expression that a whole id must match. By default an id has letters, digits and
      ``_ . : -``, and at least one digit.

    Raises:
        TypeError: `flows` is a single id, or cannot be iterated.
        ConfigurationError: the checkpoint belongs to another job or is in use; `flows` is None and there is no
            checkpoint; `id_pattern` is no regular expression.
        RunError: there are no credentials, or the checkpoint cannot be used; no call was made.
        Exception: what iterating `flows` raised, once the calls in progress have ended and all is recorded.
    """
    settings = settings or Settings(endpoint=region_endpoint(DEFAULT_REGION))
    factory = EntryFactory("flows", "", compile_pattern(id_pattern))
    raised: list[Exception] = []
    if flows is None:
        _check_resumable(Path(checkpoint), settings)
    entries = None if flows is None else _entries_of(flows, factory, raised)
    run = Run(
        settings,
        checkpoint=Path(checkpoint),
        credentials=StaticSource(credentials) if credentials else find_source(None, os.environ),
        log=as_log(log),
        make_producer=None if entries is None else partial(IterableProducer, entries),
        streams=streams,
    )
    summary = await run.run()
    if raised:
        raise raised[0]
    return summary


def _check_resumable(checkpoint: Path, settings: Settings) -> None:
    if settings.sandbox:
        raise ConfigurationError("a rehearsal begins with an empty checkpoint: give it flows")
    if not checkpoint.exists():
        raise ConfigurationError(
            f"there is no checkpoint {printable(str(checkpoint))} to resume: name another, or give flows"
        )


def _entries_of(
    flows: AnyFlows, factory: EntryFactory, raised: list[Exception]
) -> Iterator[AnyEntry] | AsyncIterator[AnyEntry]:
    """Return the entries of `flows`; an exception of its iterator is also put into `raised`."""
    # These can be iterated, but what comes out (characters, a flow's space) would be deleted as flows.
    if isinstance(flows, str | bytes | bytearray | memoryview) or hasattr(flows, "_fields"):
        raise TypeError(f"flows is one {type(flows).__name__}: put it into a list")
    if isinstance(flows, AsyncIterable):
        return _entries_async(flows, factory, raised)
    return _entries(iter(flows), factory, raised)


def _entries(items: Iterator[object], factory: EntryFactory, raised: list[Exception]) -> Iterator[AnyEntry]:
    try:
        for number, item in enumerate(items, start=1):
            yield _entry(factory, item, number)
    except Exception as error:
        raised.append(error)  # the run would take an error of flowreaper's own for its ending
        raise


async def _entries_async(
    items: AsyncIterable[object], factory: EntryFactory, raised: list[Exception]
) -> AsyncIterator[AnyEntry]:
    numbers = count(1)
    try:
        async for item in items:
            yield _entry(factory, item, next(numbers))
    except Exception as error:
        raised.append(error)  # as above
        raise


def _entry(factory: EntryFactory, item: object, number: int) -> AnyEntry:
    if isinstance(item, str):
        return factory.entry(item, "", number)
    if isinstance(item, tuple):
        flow_id, space = item if len(item) == 2 else (None, None)  # noqa: PLR2004 -- a pair
        if isinstance(flow_id, str) and isinstance(space, str):
            return factory.entry(flow_id, space, number)
        return factory.invalid(_shown(item), "a tuple is a flow id and a space, both of them str", number)
    reason = f"a flow id is a str or an int, not a value of type {printable(type(item).__name__)}"
    if isinstance(item, SupportsIndex) and not isinstance(item, bool):
        with suppress(Exception):  # __index__ may raise; str() of an int of over 4,300 digits does
            return factory.entry(str(index(item)), "", number)
        reason = "the number has no digits that could be sent"
    return factory.invalid(_shown(item), reason, number)


def _shown(item: object) -> str:
    try:
        return repr(item)
    except Exception:  # noqa: BLE001 -- a stranger's repr; an int of over 4,300 digits
        return object.__repr__(item)
