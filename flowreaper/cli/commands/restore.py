"""``flowreaper restore``: drafts of what a backup holds."""

from pathlib import Path
from typing import Any

import click

from flowreaper.cli.exit_status import RESTORING
from flowreaper.cli.help import HelpCommand
from flowreaper.cli.service_options import reading_options

_EXAMPLES = (
    "flowreaper restore --dry-run saved            show what it would do",
    "flowreaper restore saved > new-ids.jsonl",
    "flowreaper restore --flow-id 346699123 saved",
    "flowreaper restore --json-base-url https://files.example.com/saved saved",
)
_GROUPS = {
    "What": ("flow_id", "limit", "json_base_url"),
    "Safety": ("dry_run", "yes", "no_look", "to_other_account", "expect_account", "no_identity"),
    "Service": ("endpoint", "sts_endpoint", "region", "profile", "read_rate", "timeout", "outage_limit"),
}


@click.command("restore", cls=HelpCommand, groups=_GROUPS, examples=_EXAMPLES, statuses=RESTORING)
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--flow-id",
    multiple=True,
    metavar="ID",
    help="Only the flow that had this id. Repeatable.  [default: all]",
)
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Stop after N flows.")
@click.option(
    "--json-base-url",
    metavar="URL",
    help="Where the service can fetch the files of DIR: it gets URL/<folder>/flow.json for each flow. Also fills the"
    " empty drafts of an earlier run.",
)
@click.option("--dry-run", is_flag=True, help="Show what would be done; make nothing, write nothing.")
@click.option("-y", "--yes", is_flag=True, help="Skip the confirmation.")
@click.option(
    "--no-look",
    is_flag=True,
    help="Do not look first whether a flow is still there (GetFlow): makes a draft beside each that is.",
)
@click.option(
    "--to-other-account",
    is_flag=True,
    help="Make the drafts in another account than the one they were saved from.",
)
@reading_options("restore")
@click.pass_context
def command(ctx: click.Context, /, folder: Path, **options: Any) -> None:
    """Make drafts again of the flows that `flowreaper delete --backup DIR` saved in DIR (CreateFlow).

    Each flow gets a draft with its name, its categories and its endpoint URI, where GetFlow told one, in the space that
    it was in. Standard output gets a JSON line for each: the old id, the new id, the file of its JSON.

    It cannot bring back: the old id, and what pointed to it, such as templates; the status PUBLISHED; preview links; an
    endpoint URI that GetFlow did not tell. Nor the JSON from the files alone, since the service (UpdateFlowJSONAsset)
    fetches it from a URL: without --json-base-url the drafts are empty.

    DIR can also hold flows that are still there, since each is saved before it is deleted: the run was cut off, or the
    service refused. So each is looked at first (GetFlow). One that is still there gets no draft, and is looked at again
    by the next run; one that cannot be looked at gets none either. In another account, or at another endpoint, than
    those that the flows come from, none is looked at.

    No flow is made twice: DIR/restored.jsonl notes each before and after its call. Where a call had no answer, the
    flow is looked for by its name; if one of that name is there, it is left to you. Run the same command again to go
    on. To begin afresh, move restored.jsonl away.
    """
    # These take a fifth of a second, which help and completion need not wait.
    from flowreaper.cli.restore import RestoreCommand
    from flowreaper.cli.service_options import service_settings

    ctx.exit(RestoreCommand(ctx, folder, service_settings(ctx, options, "restore"), options).execute())
