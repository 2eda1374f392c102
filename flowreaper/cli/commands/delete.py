"""``flowreaper delete``: the main job's options."""

import os
from pathlib import Path
from typing import Any

import click

from flowreaper.cli.arguments import ENDPOINT_VARIABLES
from flowreaper.cli.run import DeleteCommand
from flowreaper.cli.terminal.log import LogFormat
from flowreaper.client.endpoint import DEFAULT_REGION
from flowreaper.errors import ConfigurationError
from flowreaper.escaping import printable
from flowreaper.job import settings
from flowreaper.producer.formats import Format
from flowreaper.producer.sources import Source, open_sources

_STDIN = 0


@click.command("delete")
@click.argument("source", nargs=-1, type=click.Path(allow_dash=True))
@click.option(
    "-c",
    "--checkpoint",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The job's memory. Default: <source name>.ckpt here, stdin-<UTC time>-<pid>.ckpt for a pipe."
    " With it, standard input is read only where - names it.",
)
@click.option(
    "--input-format",
    type=click.Choice(["auto", *(f.value for f in Format)]),
    default="auto",
    show_default=True,
    help="auto: by suffix, else by the first bytes.",
)
@click.option(
    "--id-field", metavar="NAME", help="CSV column or JSON field of the ids.  [default: FlowId, flow_id, ...]"
)
@click.option(
    "--space-field", metavar="NAME", help="The same for spaces.  [default: CustSpaceId, cust_space_id, ...]"
)
@click.option("--cust-space-id", metavar="ID", default="", help="CustSpaceId for ids that come without one.")
@click.option(
    "--id-pattern",
    metavar="REGEX",
    help="What a whole id must match.  [default: ASCII letters, digits, _ . : -, a letter or digit first, a digit in it]",
)
@click.option(
    "--rate",
    type=float,
    default=settings.DEFAULT_RATE,
    show_default=True,
    help="Calls per second for the account. More than 5 is for accounts with a raised quota.",
)
@click.option("--concurrency", type=int, help="Maximum concurrent calls.  [default: 10 x rate]")
@click.option(
    "--timeout",
    type=float,
    default=settings.DEFAULT_TIMEOUT_S,
    show_default=True,
    help="Seconds for a whole call.",
)
@click.option(
    "--max-attempts",
    type=int,
    default=settings.DEFAULT_MAX_ATTEMPTS,
    show_default=True,
    help="Maximum attempts per flow on transient errors; throttled calls do not count.",
)
@click.option(
    "--max-consecutive-refusals",
    type=int,
    default=settings.DEFAULT_MAX_REFUSALS,
    show_default=True,
    metavar="N",
    help="Stop when N flows in a row are refused with the same code; 0: never.",
)
@click.option(
    "--max-consecutive-absent",
    type=int,
    default=settings.DEFAULT_MAX_ABSENT,
    show_default=True,
    metavar="N",
    help="Stop when N flows in a row do not exist and this job has deleted none: the account or space may be the"
    " wrong one. 0: never.",
)
@click.option(
    "--outage-limit",
    type=float,
    default=settings.DEFAULT_OUTAGE_LIMIT_S,
    show_default=True,
    metavar="S",
    help="Stop when nothing has answered for S seconds; until then, wait. Where nothing ever answered: 60 at most.",
)
@click.option("--region", default=DEFAULT_REGION, show_default=True, help="Region of the endpoint.")
@click.option(
    "--endpoint",
    envvar=ENDPOINT_VARIABLES,
    metavar="HOST|URL",
    help="Endpoint instead of the region's; https unless it is this machine.",
)
@click.option("--profile", metavar="NAME", help="Credentials profile of ~/.aliyun/config.json.")
@click.option(
    "--results",
    metavar="PATH|-",
    help="Stream each outcome as a JSON line, once it is recorded. A file is new or empty, or was begun by this"
    " checkpoint: it gets every outcome since then.",
)
@click.option(
    "--retry",
    multiple=True,
    type=click.Choice([s.value for s in settings.RETRYABLE]),
    help="Take finished flows in this state again; with SOURCEs, only those that they list. Repeatable.",
)
@click.option(
    "--retry-code",
    multiple=True,
    metavar="CODE",
    help="Take finished flows with this code again, with --retry only those in its states. Repeatable.",
)
@click.option(
    "--treat",
    multiple=True,
    metavar="CODE=CLASS",
    help="Treat an error code as throttled, transient, fatal, refused or absent; repeatable.",
)
@click.option(
    "--accept-lost-log",
    is_flag=True,
    help="Go on with a checkpoint whose -wal file is lost: every flow without an outcome counts as in doubt.",
)
@click.option("--limit", type=int, metavar="N", help="Stop after N flows.")
@click.option("--max-duration", metavar="SPAN", help="Stop after this time, as in 5h30m.")
@click.option("--stop-at", metavar="TIME", help="Stop at this time, as in 06:00 (local) or 2026-11-26T06:00.")
@click.option("--dry-run", is_flag=True, help="Read, check, count and compare; call nothing, write nothing.")
@click.option("-y", "--yes", is_flag=True, help="Skip the confirmation.")
@click.option("--sandbox", is_flag=True, help="Run against a sandbox that is started for this run.")
@click.option(
    "--summary-json",
    metavar="PATH",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write what became of the run to this file, as one JSON object; replaced by each run.",
)
@click.option(
    "--log-format",
    type=click.Choice([f.value for f in LogFormat]),
    default=LogFormat.TEXT.value,
    show_default=True,
    help="How stderr is written; json: one object a line, and nothing else.",
)
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="info",
    show_default=True,
    help="Lowest level logged to stderr.",
)
@click.pass_context
def command(ctx: click.Context, /, **options: Any) -> None:
    """Delete the draft flows whose ids are in each SOURCE, at the account's pace, resumable.

    SOURCE is a file, or - for standard input. Only flows that the SOURCEs list are called: unfinished flows of an
    earlier run that are no longer listed are left alone. Without SOURCE and -c, standard input is read; with -c and
    without SOURCE, every unfinished flow of the checkpoint is called. Run the same command again to go on where it
    stopped.

    \b
      flowreaper delete ids.txt
      aliyun cams ListFlow ... | jq -r '.Data[].FlowId' | flowreaper delete --yes
      flowreaper delete -c ids.txt.ckpt                       everything that is unfinished
      flowreaper delete --retry gave_up -c ids.txt.ckpt       and what gave up

    Exit status: 0 every flow that was taken is deleted or absent; 1 finished, but some refused, invalid or given up;
    2 bad usage or input, or answered No, nothing sent; 3 stopped by something that concerns every flow; 4 stopped as
    asked, with flows left; 75 another run has the checkpoint; 130 or 143 interrupted. After 3, 4, 75, 130 and 143 the
    job can go on.
    """
    sources: list[Source] = []
    try:
        sources = _open(options["source"], options["checkpoint"], rehearsal=options["sandbox"])
        ctx.exit(DeleteCommand(ctx, sources, options).execute())
    finally:
        for source in sources:
            source.close()


def _open(arguments: tuple[str, ...], checkpoint: Path | None, *, rehearsal: bool) -> list[Source]:
    if checkpoint is not None and not checkpoint.name:
        raise ConfigurationError("the checkpoint's name is empty: name a file with -c, or leave -c out")
    if not arguments and checkpoint is not None:
        name = printable(str(checkpoint))
        if rehearsal:
            raise ConfigurationError(
                "a rehearsal begins with an empty checkpoint: name a SOURCE to read ids from"
            )
        if not checkpoint.exists():
            raise ConfigurationError(
                f"there is no checkpoint {name}, and no SOURCE to read: to begin a new one with ids from standard"
                " input, add -"
            )
        return []
    if not arguments:
        if os.isatty(_STDIN):
            raise ConfigurationError(
                "there is nothing to read: name a SOURCE, or the checkpoint to go on with (-c)"
            )
        arguments = ("-",)
    return open_sources(arguments, _STDIN)
