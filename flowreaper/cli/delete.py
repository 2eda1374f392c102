"""``flowreaper delete``: the main job's options."""

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

import click

from flowreaper import settings as rules
from flowreaper.cli import question
from flowreaper.cli.arguments import ENDPOINT_VARIABLES
from flowreaper.cli.run import Run
from flowreaper.cli.summary import error_status
from flowreaper.errors import ConfigurationError, FlowreaperError
from flowreaper.escaping import printable
from flowreaper.formats import Format
from flowreaper.log import LogFormat, make_log
from flowreaper.producer import Source, open_sources
from flowreaper.progress import Screen

_STDIN = 0


@click.command("delete")
@click.argument("source", nargs=-1, type=click.Path(allow_dash=True))
@click.option(
    "-c",
    "--checkpoint",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The job's memory. Default: <source name>.ckpt here, stdin-<UTC time>.ckpt for a pipe.",
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
@click.option(
    "--cust-space-id", metavar="ID", default="", help="Space of the ids that bring none of their own."
)
@click.option(
    "--rate",
    type=float,
    default=rules.DEFAULT_RATE,
    show_default=True,
    help="Calls a second for the account. More than 5 is for accounts with a raised quota.",
)
@click.option("--concurrency", type=int, help="Most calls under way at once.  [default: 10 seconds of calls]")
@click.option(
    "--timeout",
    type=float,
    default=rules.DEFAULT_TIMEOUT_S,
    show_default=True,
    help="Seconds for a whole call.",
)
@click.option(
    "--max-attempts",
    type=int,
    default=rules.DEFAULT_MAX_ATTEMPTS,
    show_default=True,
    help="Calls of a flow that meets transient trouble; throttled calls do not count.",
)
@click.option(
    "--max-consecutive-refusals",
    type=int,
    default=rules.DEFAULT_MAX_REFUSALS,
    show_default=True,
    metavar="N",
    help="Stop when N flows in a row are refused with the same code; 0: never.",
)
@click.option(
    "--outage-limit",
    type=float,
    default=rules.DEFAULT_OUTAGE_LIMIT_S,
    show_default=True,
    metavar="S",
    help="Stop when nothing has answered for S seconds; until then, wait.",
)
@click.option("--region", default=rules.DEFAULT_REGION, show_default=True, help="Region of the endpoint.")
@click.option(
    "--endpoint",
    envvar=ENDPOINT_VARIABLES,
    metavar="HOST|URL",
    help="Endpoint instead of the region's; https unless it is this machine.",
)
@click.option("--profile", metavar="NAME", help="Credentials profile of ~/.aliyun/config.json.")
@click.option("--results", metavar="PATH|-", help="Stream each outcome as a JSON line, once it is recorded.")
@click.option(
    "--retry",
    multiple=True,
    type=click.Choice([s.value for s in rules.RETRYABLE]),
    help="Take flows in this final state again; repeatable.",
)
@click.option(
    "--treat",
    multiple=True,
    metavar="CODE=CLASS",
    help="Say what a code means: throttled, transient, fatal, refused or absent; repeatable.",
)
@click.option(
    "--accept-lost-log",
    is_flag=True,
    help="Go on with a checkpoint whose -wal file is lost: every flow without an outcome counts as in doubt.",
)
@click.option("--limit", type=int, metavar="N", help="End after N flows of this run.")
@click.option("--dry-run", is_flag=True, help="Read, check, count and compare; call nothing, write nothing.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option("--sandbox", is_flag=True, help="Run against a sandbox that is started for this run.")
@click.option(
    "--log-format",
    type=click.Choice([f.value for f in LogFormat]),
    default=LogFormat.AUTO.value,
    show_default=True,
    help="auto: JSON where stderr is no terminal. With json, stderr holds JSON alone.",
)
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="info",
    show_default=True,
    help="What is told on stderr.",
)
@click.pass_context
def command(ctx: click.Context, /, **options: Any) -> None:
    """Delete the draft flows whose ids are in each SOURCE, at the account's pace, resumable.

    SOURCE is a file, or - for standard input. Without one: standard input if it is no terminal, else what
    the checkpoint holds unfinished. Run the same command again to go on where it stopped.

    \b
      flowreaper delete ids.txt
      aliyun cams ListFlow ... | jq -r '.Data[].FlowId' | flowreaper delete --yes
      flowreaper delete --retry gave_up -c ids.txt.ckpt

    Exit status: 0 every flow that was taken is deleted or absent; 1 finished, but some refused, invalid or given up;
    2 bad usage or input, or answered No, nothing sent; 3 stopped by something that concerns every flow;
    130 or 143 interrupted. After 3, 130 and 143 the job can go on.
    """
    sources: list[Source] = []
    try:
        sources = _open(options["source"], options["checkpoint"])
        run = Run(ctx, sources, options)
        if options["dry_run"]:
            run.tell_plan()
            return
        terminal = None if options["yes"] else question.require_terminal()
        ctx.exit(asyncio.run(run.run(terminal)))
    except FlowreaperError as error:
        if options["log_format"] != LogFormat.JSON:
            raise
        make_log(Screen(sys.stderr), LogFormat.JSON, "error").error("run.refused", error=str(error))
        ctx.exit(error_status(error))
    finally:
        for source in sources:
            source.close()


def _open(arguments: tuple[str, ...], checkpoint: Path | None) -> list[Source]:
    if not arguments:
        if not os.isatty(_STDIN):
            arguments = ("-",)
        elif checkpoint is None:
            raise ConfigurationError(
                "there is nothing to read: name a SOURCE, or the checkpoint to go on with (-c)"
            )
        elif not checkpoint.exists():
            raise ConfigurationError(
                f"there is no checkpoint {printable(str(checkpoint))}, and no SOURCE to read"
            )
    return open_sources(arguments, _STDIN)
