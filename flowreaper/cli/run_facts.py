"""The facts of a run: what is known before its first call, and what follows from its end."""

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from pathlib import Path

import click

from flowreaper.cli import preflight
from flowreaper.cli.resume import is_piped, resume_command, retry_command, verify_command
from flowreaper.cli.terminal.reporter import local_time
from flowreaper.cli.terminal.start import Start
from flowreaper.cli.terminal.summary import RunEnd
from flowreaper.client.actions import CallerIdentity
from flowreaper.job.safeguard_settings import NOTES
from flowreaper.job.settings import Settings
from flowreaper.job.summary import Summary
from flowreaper.model import Credentials, State
from flowreaper.producer.sources import Source
from flowreaper.store.sqlite.reader import read_notes


def start_of(
    path: Path,
    sources: Sequence[Source],
    settings: Settings,
    credentials: Credentials | None,
    *,
    key_origin: str,
    caller: CallerIdentity | None,
) -> Start:
    """Return what is known of a run before its input is read."""
    rehearsal = settings.sandbox
    former = preflight.former_key(path, credentials, caller) if credentials and not rehearsal else None
    return Start(
        endpoint="the sandbox" if rehearsal else settings.endpoint.url,
        access_key=credentials.masked_id if credentials else None,
        key_origin=key_origin,
        caller=caller,
        former_key=former,
        checkpoint=path,
        counts={} if rehearsal else preflight.counts_before(path),
        sources=tuple(source.name for source in sources),
        piped=any(not source.rereadable for source in sources),
        rate=settings.rate,
        limit=settings.limit,
        safeguards=settings.safeguards.after({} if rehearsal else notes_of(path)),
        stops_at=stops_at(settings),
    )


def notes_of(checkpoint: Path) -> dict[str, str]:
    """Return what a checkpoint notes of its job's safeguards; raises ConfigurationError, CheckpointError."""
    noted = read_notes(checkpoint, "")
    return {name: noted[name] for name in NOTES if noted.get(name)}


def stops_at(settings: Settings) -> datetime | None:
    """Return the local time at which a run that begins at this moment stops; None: never."""
    moment = settings.stops_at(local_time())
    return moment.astimezone() if moment else None


def end_of(
    ctx: click.Context, summary: Summary, start: Start, sources: list[Source], *, rehearsal: bool
) -> RunEnd:
    """Return the facts of the end; a rehearsal has nothing to go on with: each begins afresh."""
    piped = is_piped(sources)
    if rehearsal:
        return RunEnd(summary, start.checkpoint, "", piped=piped)
    # Where the input was not read to its end, all that was there before may be of other inputs.
    others = any(start.counts.values()) if summary.unlisted is None else summary.unlisted > 0
    pipe_again = piped and (others or not (summary.read_all or summary.left))
    command = partial(
        resume_command,
        ctx,
        sources,
        start.checkpoint,
        read_all=summary.read_all,
        pipe_again=pipe_again,
    )
    return RunEnd(
        summary,
        start.checkpoint,
        command(),
        retry_absent=command(retry=(State.ABSENT,)),
        delete=retry_command(ctx, start.checkpoint),
        verify=verify_command(ctx, start.checkpoint),
        piped=piped,
        pipe_again=pipe_again,
    )
