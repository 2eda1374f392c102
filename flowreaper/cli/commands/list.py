"""``flowreaper list``: which flows there are."""

import asyncio
import os
import signal
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from flowreaper.cli.exit_status import LISTING
from flowreaper.cli.flow_formats import FlowFormat
from flowreaper.cli.help import HelpCommand
from flowreaper.cli.service_options import reading_options
from flowreaper.cli.streams import write_line
from flowreaper.cli.suggestions import Choice

if TYPE_CHECKING:  # help need not wait for it
    from flowreaper.cli.terminal.screen import Screen

_EXAMPLES = (
    "flowreaper list",
    "flowreaper list --all-spaces --status DRAFT --unused --format csv > drafts.csv",
    "flowreaper list --name 'test-*' | flowreaper delete --only-drafts -",
    "flowreaper list --status DRAFT --unused --keep keep.txt --plan plan.json",
    "flowreaper list --name 'test-*' --keep-name '*-live' -v > ids.txt",
)
_GROUPS = {
    "Where": ("cust_space_id", "all_spaces"),
    "Select": ("name", "category", "status", "unused"),
    "Keep": ("keep", "keep_name"),
    "Output": ("flow_format", "verbose", "plan", "plan_expires", "force"),
    "Service": ("endpoint", "region", "profile", "read_rate", "timeout", "outage_limit"),
    "Account": ("expect_account", "no_identity", "sts_endpoint"),
}


@click.command("list", cls=HelpCommand, groups=_GROUPS, examples=_EXAMPLES, statuses=LISTING)
@click.option(
    "--cust-space-id",
    multiple=True,
    metavar="ID",
    help="List this space (CustSpaceId), - for the account's own. Repeatable.  [default: the account's own]",
)
@click.option(
    "--all-spaces", is_flag=True, help="List the account's own space and every space of its instances."
)
@click.option(
    "--name",
    multiple=True,
    metavar="GLOB",
    help="Only flows whose whole name matches: * any text, ? a character, [ab] one of these. Upper and lower case"
    " differ. Repeatable: any of them.",
)
@click.option("--category", multiple=True, metavar="WORD", help="Only flows of this category. Repeatable.")
@click.option(
    "--status",
    multiple=True,
    metavar="WORD",
    help="Only flows with this status (DRAFT, PUBLISHED, DEPRECATED), which is a call for each flow. Repeatable.",
)
@click.option(
    "--unused", is_flag=True, help="Only flows that no message template names; reads every template."
)
@click.option(
    "--keep",
    multiple=True,
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    metavar="FILE",
    help="Leave out the flows that this file lists, in any format that `delete` reads: an id counts in every space,"
    " unless the file names its space. Repeatable.",
)
@click.option(
    "--keep-name", multiple=True, metavar="GLOB", help="Leave out flows whose whole name matches. Repeatable."
)
@click.option(
    "--format",
    "flow_format",
    type=Choice([f.value for f in FlowFormat]),
    metavar="FORMAT",
    help="table; csv, with a header; jsonl; or ids alone (refused where a flow may have a space). `delete -` reads the"
    " last three.  [default: a table on a terminal, else ids, or csv where a flow may have a space]",
)
@click.option("-v", "--verbose", is_flag=True, help="Say on stderr of each flow which rule decided.")
@click.option(
    "--plan",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write the flows, with the account, the rules and a digest, to this new file for `delete --plan`; nothing"
    " goes to stdout without --format.",
)
@click.option(
    "--plan-expires",
    default="7d",
    show_default=True,
    metavar="SPAN",
    help="For how long the plan can be begun.",
)
@click.option("--force", is_flag=True, help="Replace the file of --plan.")
@reading_options("list")
@click.pass_context
def command(ctx: click.Context, /, **options: Any) -> None:
    """List the flows of the account, or those that rules select: a table on a terminal, ids or CSV in a pipe.

    A flow is listed if it matches every kind of option under Select that is given, and none under Keep: these come
    first. In a pipe, what a space has to show comes when that space was read to its end, so that `delete -` can take it
    at once; with --status, everything comes when the list is complete, and nothing where it fails.
    """
    from flowreaper.cli.list_request import list_request, undocumented_words
    from flowreaper.cli.listing import ListCommand
    from flowreaper.cli.service_options import service_settings
    from flowreaper.cli.terminal.screen import Screen

    screen = Screen(sys.stderr)
    settings = service_settings(ctx, options, "list")
    request = list_request(ctx, options, is_terminal=sys.stdout.isatty())
    for note in undocumented_words(options):
        screen.write(f"Note: {note}\n")
    listing = ListCommand(settings, options, request, screen, has_status_line=_is_alone_on_terminal(screen))
    try:
        ctx.exit(asyncio.run(listing.run()))
    except KeyboardInterrupt:
        write_line("Interrupted: the list is not complete. Nothing was changed.")
        ctx.exit(128 + signal.SIGINT)


def _is_alone_on_terminal(screen: "Screen") -> bool:
    """Return whether standard error is a terminal on which nothing else appears.

    What reads a pipe may well write to the same terminal, as ``delete`` does.
    """
    if not screen.is_terminal or sys.stdout.isatty():
        return False
    try:
        mode = os.fstat(sys.stdout.fileno()).st_mode
    except (OSError, ValueError):  # no descriptor
        return False
    return not (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode))
