"""What tests of `open_job` share: a job at a sandbox, what its checkpoint holds, what the sandbox was called for."""

from collections.abc import AsyncIterable, Iterable, Sequence
from pathlib import Path
from typing import Any

from flowreaper import Job, Record, Settings, Stream, TaggedRecord, open_job, parse_endpoint, read_records
from flowreaper.producer.items import AnyFlow
from flowreaper.sandbox import CREDENTIALS, Sandbox

CHECKPOINT = "job.ckpt"


def job_at(server: Sandbox, folder: Path, *, streams: Sequence[Stream] = (), **settings: Any) -> Job:
    """Return a job of 500 calls a second."""
    settings.setdefault("rate", 500.0)
    return open_job(
        folder / CHECKPOINT,
        settings=Settings(endpoint=parse_endpoint(server.url), **settings),
        credentials=CREDENTIALS,
        streams=streams,
    )


async def records_of(job: Job, flows: Iterable[AnyFlow] | AsyncIterable[AnyFlow]) -> list[TaggedRecord]:
    """Delete flows in an open job, and return all their records."""
    return [record async for record in job.delete(flows)]


async def delete_all(
    job: Job, flows: Iterable[AnyFlow] | AsyncIterable[AnyFlow], seen: list[TaggedRecord] | None = None
) -> None:
    """Delete flows in a block of their own; `seen` gets the records, also where it ends with an exception."""
    async with job:
        async for record in job.delete(flows):
            if seen is not None:
                seen.append(record)


def kept(folder: Path) -> dict[str, Record]:
    """Return what another connection reads from the checkpoint, by flow id."""
    return {record.flow_id: record for record in read_records(folder / CHECKPOINT)}


def called(server: Sandbox) -> list[str]:
    """Return the flow ids of all calls, in order."""
    return [call.flow_id for call in server.ledger.calls]
