"""``flowreaper spaces``: which spaces the account has."""

import asyncio
import json
import signal
import sys
from enum import StrEnum
from typing import Any

import click

from flowreaper.cli.exit_status import LISTING
from flowreaper.cli.help import HelpCommand
from flowreaper.cli.service_options import reading_options
from flowreaper.cli.streams import write_line
from flowreaper.cli.suggestions import Choice
from flowreaper.client.actions import Space
from flowreaper.escaping import printable
from flowreaper.job.settings import Settings
from flowreaper.sink.formats import csv_row

_EXAMPLES = (
    "flowreaper spaces",
    "flowreaper spaces --format jsonl | jq -r .CustSpaceId",
)
_COLUMNS = ("CustSpaceId", "InstanceName", "State")


class SpaceFormat(StrEnum):
    """How spaces are written."""

    TABLE = "table"
    CSV = "csv"
    JSONL = "jsonl"


@click.command("spaces", cls=HelpCommand, examples=_EXAMPLES, statuses=LISTING)
@click.option(
    "--format",
    "space_format",
    type=Choice([f.value for f in SpaceFormat]),
    metavar="FORMAT",
    help="table, csv (with a header) or jsonl.  [default: a table on a terminal, else csv]",
)
@reading_options("spaces")
@click.pass_context
def command(ctx: click.Context, /, **options: Any) -> None:
    """List the spaces (CustSpaceId) of the account's instances, with their names and states.

    The account's own space has no CustSpaceId, and is not among them.
    """
    from flowreaper.cli.service_options import service_settings

    settings = service_settings(ctx, options, "spaces")
    usual = SpaceFormat.TABLE if sys.stdout.isatty() else SpaceFormat.CSV
    try:
        spaces = asyncio.run(_read(settings, options))
    except KeyboardInterrupt:
        write_line("Interrupted. Nothing was changed.")
        ctx.exit(128 + signal.SIGINT)
    click.echo(_text(spaces, SpaceFormat(options["space_format"] or usual)), nl=False)
    sys.stdout.flush()
    if not spaces:
        write_line("The account has no space besides its own.")


async def _read(settings: Settings, options: dict[str, Any]) -> list[Space]:
    from flowreaper.cli.service import open_reading
    from flowreaper.cli.terminal.screen import Screen
    from flowreaper.client.listing import list_spaces

    async with open_reading(settings, options, Screen(sys.stderr)) as (operations, _):
        return await list_spaces(operations)


def _text(spaces: list[Space], shape: SpaceFormat) -> str:
    rows = [space[: len(_COLUMNS)] for space in spaces]
    if shape is SpaceFormat.JSONL:
        return "".join(f"{json.dumps(dict(zip(_COLUMNS, row, strict=True)))}\n" for row in rows)
    if shape is SpaceFormat.CSV:
        return "".join(map(csv_row, [_COLUMNS, *rows]))
    return "".join(_table_line(*row) for row in [("SPACE", "NAME", "STATE"), *rows]) if rows else ""


def _table_line(space: str, name: str, state: str) -> str:
    # The name is last: some terminals show its characters wider than others.
    return f"{printable(space):<28}  {printable(state):<12}  {printable(name)}".rstrip() + "\n"
