"""The options of ``flowreaper delete``, by the headings of its help."""

from pathlib import Path

import click

from flowreaper.cli.completion import complete_checkpoint, complete_code
from flowreaper.cli.options import grouped
from flowreaper.cli.service_options import endpoint_options, timeout_option
from flowreaper.cli.suggestions import Choice
from flowreaper.cli.terminal.display import ProgressMode
from flowreaper.cli.terminal.log import LogFormat
from flowreaper.job import settings
from flowreaper.producer.formats import Format

what_options = grouped(
    click.option(
        "-c",
        "--checkpoint",
        type=click.Path(path_type=Path, dir_okay=False),
        shell_complete=complete_checkpoint,
        help="The job's memory.  [default: <source name>.ckpt here, stdin-<UTC time>-<pid>.ckpt for a pipe]",
    ),
    click.option(
        "--plan",
        type=click.Path(path_type=Path, dir_okay=False),
        metavar="FILE",
        help="Delete what this plan of `flowreaper list --plan` names, in place of SOURCEs: in its account, at its"
        " endpoint, unchanged, and begun before it expires.",
    ),
    click.option(
        "--cust-space-id", metavar="ID", default="", help="CustSpaceId for ids that come without one."
    ),
    click.option("--limit", type=int, metavar="N", help="Stop after N flows, kept ones included."),
    click.option("--max-duration", metavar="SPAN", help="Stop after this time, as in 5h30m."),
    click.option(
        "--stop-at", metavar="TIME", help="Stop at this time, as in 06:00 (local) or 2026-11-26T06:00."
    ),
    click.option(
        "--retry",
        multiple=True,
        type=Choice([s.value for s in settings.RETRYABLE]),
        metavar="STATE",
        help=f"Take finished flows in this state again ({', '.join(settings.RETRYABLE)}); with SOURCEs, only those"
        " that they list. Repeatable.",
    ),
    click.option(
        "--retry-code",
        multiple=True,
        metavar="CODE",
        shell_complete=complete_code,
        help="Take finished flows with this code again, with --retry only those in its states. Repeatable.",
    ),
    click.option(
        "--input-format",
        type=Choice(["auto", *(f.value for f in Format)]),
        default="auto",
        metavar="FORMAT",
        help=f"{', '.join(Format)}.  [default: by the suffix, else by the first bytes]",
    ),
    click.option(
        "--id-field",
        metavar="NAME",
        help="CSV column or JSON field of the ids.  [default: FlowId, flow_id, ...]",
    ),
    click.option(
        "--space-field",
        metavar="NAME",
        help="The same for spaces.  [default: CustSpaceId, cust_space_id, ...]",
    ),
    click.option(
        "--id-pattern",
        metavar="REGEX",
        help="What a whole id must match.  [default: letters, digits, _.:-, a letter or digit first, a digit in it]",
    ),
)
"""The options under the heading What."""

pace_options = grouped(
    click.option(
        "--rate",
        type=float,
        default=settings.DEFAULT_RATE,
        show_default=True,
        metavar="N",
        help="Calls per second for the account. More than 5 is for accounts with a raised quota.",
    ),
    click.option(
        "--read-rate",
        type=float,
        default=settings.DEFAULT_RATE,
        show_default=True,
        metavar="N",
        help="Calls per second of each other operation (GetFlow, ListChatappTemplate, ...), beside the deletions.",
    ),
    click.option(
        "--concurrency", type=int, metavar="N", help="Maximum concurrent calls.  [default: 10 x rate]"
    ),
    click.option(
        "--max-attempts",
        type=int,
        default=settings.DEFAULT_MAX_ATTEMPTS,
        show_default=True,
        metavar="N",
        help="Maximum attempts per flow on transient errors; throttled calls do not count.",
    ),
    timeout_option,
)
"""The options under the heading Pace."""

safety_options = grouped(
    click.option(
        "--only-drafts/--no-only-drafts",
        default=None,
        help="Look at each flow (GetFlow) just before its deletion; keep what is no draft.  [default: as the job began]",
    ),
    click.option(
        "--keep-used/--no-keep-used",
        default=None,
        help="Keep flows that a message template opens: a draft may be live.  [default: as the job began, there with"
        " --only-drafts]",
    ),
    click.option(
        "--backup",
        type=click.Path(path_type=Path, file_okay=False),
        metavar="DIR",
        help="Save each flow in this folder before it is deleted; what cannot be saved is not deleted.  [default: as"
        " the job began]",
    ),
    click.option("--no-backup", is_flag=True, help="Save no more, in a job that began with --backup."),
    click.option(
        "--canary",
        type=int,
        metavar="N",
        help="Prove with GetFlow that the first N deletions happened, before the rest starts; 0: do not.  [default: as"
        " the job began]",
    ),
    click.option(
        "--dry-run", is_flag=True, help="Read, check, count and compare; call nothing, write nothing."
    ),
    click.option("--sandbox", is_flag=True, help="Run against a sandbox that is started for this run."),
    click.option("-y", "--yes", is_flag=True, help="Skip the confirmation."),
    click.option(
        "--max-delete",
        metavar="N|P%",
        help="Delete nothing where this run would call more than N flows, or more than P% of those in their spaces.",
    ),
    click.option(
        "--max-consecutive-refusals",
        type=int,
        default=settings.DEFAULT_MAX_REFUSALS,
        show_default=True,
        metavar="N",
        help="Stop when N flows in a row are refused with the same code; 0: never.",
    ),
    click.option(
        "--max-consecutive-absent",
        type=int,
        default=settings.DEFAULT_MAX_ABSENT,
        show_default=True,
        metavar="N",
        help="Stop when N flows in a row do not exist and this job has deleted none: the account or space may be the"
        " wrong one. 0: never.",
    ),
    click.option(
        "--outage-limit",
        type=float,
        default=settings.DEFAULT_OUTAGE_LIMIT_S,
        show_default=True,
        metavar="S",
        help="Stop when nothing has answered for S seconds; until then, wait. Where nothing ever answered: 60 at most.",
    ),
    click.option(
        "--accept-lost-log",
        is_flag=True,
        help="Go on with a checkpoint whose -wal file is lost: every flow without an outcome counts as in doubt.",
    ),
)
"""The options under the heading Safety."""

output_options = grouped(
    click.option(
        "--results",
        metavar="PATH|-",
        help="Stream each outcome as a JSON line, once it is recorded. A file is new or empty, or was begun by this"
        " checkpoint: it gets every outcome since then.",
    ),
    click.option(
        "--summary-json",
        metavar="PATH",
        type=click.Path(path_type=Path, dir_okay=False),
        help="Write what became of the run to this file, as one JSON object; replaced by each run, left alone by --dry-run.",
    ),
    click.option(
        "--progress",
        type=Choice([m.value for m in ProgressMode]),
        default=ProgressMode.AUTO.value,
        metavar="MODE",
        show_default=True,
        help="auto or bar: a bar on a terminal, else lines; lines; none: only when SIGUSR1 asks for a line.",
    ),
    click.option(
        "--progress-interval",
        type=click.FloatRange(min=0, max=86400),
        default=60,
        show_default=True,
        metavar="S",
        help="Seconds from a line of progress to the next; 0: none.",
    ),
    click.option(
        "--log-level",
        type=Choice(["debug", "info", "warning", "error"]),
        default="info",
        metavar="LEVEL",
        show_default=True,
        help="Lowest level on stderr: debug, info, warning or error.",
    ),
    click.option(
        "--log-format",
        type=Choice([f.value for f in LogFormat]),
        default=LogFormat.TEXT.value,
        metavar="FORMAT",
        show_default=True,
        help="text, or json: one object a line on stderr, and nothing else.",
    ),
)
"""The options under the heading Output."""

service_options = grouped(
    endpoint_options("delete"),
    click.option(
        "--treat",
        multiple=True,
        metavar="CODE=CLASS",
        help="Treat an error code as throttled, transient, fatal, refused or absent; repeatable.",
    ),
)
"""The options under the heading Service."""
