"""``flowreaper delete``: the main job's options."""

import contextlib
import os
import signal
from pathlib import Path
from typing import Any

import click

from flowreaper.cli.advice import shown
from flowreaper.cli.arguments import ENDPOINT_VARIABLES
from flowreaper.cli.completion import complete_checkpoint, complete_code
from flowreaper.cli.exit_status import MEANINGS
from flowreaper.cli.help import HelpCommand
from flowreaper.cli.option_groups import DELETE
from flowreaper.cli.options import command_line, quoted
from flowreaper.cli.service_options import identity_options
from flowreaper.cli.suggestions import Choice, ids_among
from flowreaper.cli.terminal.display import ProgressMode
from flowreaper.cli.terminal.log import LogFormat
from flowreaper.client.endpoint import DEFAULT_REGION
from flowreaper.errors import ConfigurationError, FlowreaperError
from flowreaper.escaping import printable
from flowreaper.job import settings
from flowreaper.producer.formats import Format
from flowreaper.producer.sources import Source, open_sources

_STDIN = 0
_IDS_SHOWN = 20


_EXAMPLES = (
    "flowreaper delete --dry-run ids.txt           read and count, call nothing",
    "flowreaper delete ids.txt                     and again, to go on",
    "flowreaper delete -c ids.txt.ckpt             all that is unfinished in it",
    "flowreaper delete --retry gave_up -c ids.txt.ckpt ids.txt",
    "flowreaper delete --plan plan.json            what a plan names, and nothing else",
    "flowreaper list --name 'test-*' | flowreaper delete --yes -",
)


@click.command("delete", cls=HelpCommand, groups=DELETE, examples=_EXAMPLES, statuses=MEANINGS)
@click.argument("source", nargs=-1, type=click.Path(allow_dash=True))
@click.option(
    "-c",
    "--checkpoint",
    type=click.Path(path_type=Path, dir_okay=False),
    shell_complete=complete_checkpoint,
    help="The job's memory.  [default: <source name>.ckpt here, stdin-<UTC time>-<pid>.ckpt for a pipe]",
)
@click.option(
    "--plan",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Delete what this plan of `flowreaper list --plan` names, in place of SOURCEs: at its endpoint, in its account,"
    " unchanged and before it expires.",
)
@click.option(
    "--input-format",
    type=Choice(["auto", *(f.value for f in Format)]),
    default="auto",
    metavar="FORMAT",
    help=f"{', '.join(Format)}.  [default: by the suffix, else by the first bytes]",
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
    help="What a whole id must match.  [default: letters, digits, _.:-, a letter or digit first, a digit in it]",
)
@click.option(
    "--rate",
    type=float,
    default=settings.DEFAULT_RATE,
    show_default=True,
    metavar="N",
    help="Calls per second for the account. More than 5 is for accounts with a raised quota.",
)
@click.option("--concurrency", type=int, metavar="N", help="Maximum concurrent calls.  [default: 10 x rate]")
@click.option(
    "--timeout",
    type=float,
    default=settings.DEFAULT_TIMEOUT_S,
    show_default=True,
    metavar="S",
    help="Seconds for a whole call.",
)
@click.option(
    "--max-attempts",
    type=int,
    default=settings.DEFAULT_MAX_ATTEMPTS,
    show_default=True,
    metavar="N",
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
@click.option("--region", metavar="NAME", default=DEFAULT_REGION, show_default=True, help="Its region.")
@click.option(
    "--endpoint",
    envvar=ENDPOINT_VARIABLES,
    metavar="HOST|URL",
    help="Endpoint instead of the region's; https unless it is this machine.",
)
@identity_options("delete")
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
    type=Choice([s.value for s in settings.RETRYABLE]),
    metavar="STATE",
    help=f"Take finished flows in this state again ({', '.join(settings.RETRYABLE)}); with SOURCEs, only those"
    " that they list. Repeatable.",
)
@click.option(
    "--retry-code",
    multiple=True,
    metavar="CODE",
    shell_complete=complete_code,
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
@click.option(
    "--max-delete",
    metavar="N|P%",
    help="Delete nothing where this run would call more than N flows, or more than P% of those in their spaces.",
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
    help="Write what became of the run to this file, as one JSON object; replaced by each run, left alone by --dry-run.",
)
@click.option(
    "--progress",
    type=Choice([m.value for m in ProgressMode]),
    default=ProgressMode.AUTO.value,
    metavar="MODE",
    show_default=True,
    help="auto or bar: a bar on a terminal, else lines; lines; none: only when SIGUSR1 asks for a line.",
)
@click.option(
    "--progress-interval",
    type=click.FloatRange(min=0, max=86400),
    default=60,
    show_default=True,
    metavar="S",
    help="Seconds from a line of progress to the next; 0: none.",
)
@click.option(
    "--log-format",
    type=Choice([f.value for f in LogFormat]),
    default=LogFormat.TEXT.value,
    metavar="FORMAT",
    show_default=True,
    help="text, or json: one object a line on stderr, and nothing else.",
)
@click.option(
    "--log-level",
    type=Choice(["debug", "info", "warning", "error"]),
    default="info",
    metavar="LEVEL",
    show_default=True,
    help="Lowest level on stderr: debug, info, warning or error.",
)
@click.pass_context
def command(ctx: click.Context, /, **options: Any) -> None:
    """Delete the draft flows whose ids are in each SOURCE, at the account's pace, resumable.

    SOURCE is a file of flow ids, or - for standard input. Only flows that the SOURCEs list are called: unfinished
    flows of an earlier run that are no longer listed are left alone. Without SOURCE and -c, standard input is read;
    with -c and without SOURCE, every unfinished flow of the checkpoint is called, and standard input is not read. Run
    the same command again to go on where it stopped.
    """
    # These take a fifth of a second, which help and completion need not wait.
    from flowreaper.cli.planned import planned_sources
    from flowreaper.cli.preflight import names_twice
    from flowreaper.cli.run import DeleteCommand
    from flowreaper.cli.summary_file import SummaryFile
    from flowreaper.cli.terminal.summary import error_status

    sources: list[Source] = []
    held = contextlib.ExitStack()
    summary = SummaryFile(None if options["dry_run"] else options["summary_json"])
    try:
        _refuse_ids(ctx, options["source"])
        if options["plan"]:
            sources = planned_sources(ctx, options, held)
        else:
            sources = _open(options["source"], options["checkpoint"], rehearsal=options["sandbox"])
        ctx.exit(DeleteCommand(ctx, sources, options, summary).execute())
    except (FlowreaperError, KeyboardInterrupt) as error:
        with contextlib.suppress(FlowreaperError):  # the first error is the one to report
            if not names_twice(options["summary_json"], options):
                summary.begin()
            if isinstance(error, FlowreaperError):
                summary.write_refusal(shown(error), error_status(error))
            else:
                summary.write_refusal("interrupted before anything was sent", 128 + signal.SIGINT)
        raise
    finally:
        held.close()
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


def _refuse_ids(ctx: click.Context, arguments: tuple[str, ...]) -> None:
    """Refuse ids in the place of files; a file of such a name is a file."""
    ids = ids_among(arguments)
    if not ids:
        return
    command = command_line(ctx, leave_out=("source",), extra=("-",))
    raise ConfigurationError(
        f"there is no file {quoted(ids[0])}. If it is a flow id: ids come from a file or a pipe, as in\n"
        f"  {_written(ids)} | {command}"
    )


def _written(ids: list[str]) -> str:
    """Return a command that prints the ids, a line each."""
    if len(ids) == 1:
        return f"echo {quoted(ids[0])}"
    if len(ids) <= _IDS_SHOWN:
        return f"printf '%s\\n' {' '.join(map(quoted, ids))}"
    return "cat IDS"
