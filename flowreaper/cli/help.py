"""Help that can be read at 80 columns: options in groups, then examples, then exit statuses."""

from collections.abc import Mapping, Sequence
from typing import Any

import click

from flowreaper.cli.exit_status import READING

_MOST_PADDED = 30  # columns; click puts what explains a longer option on a line of its own
_ELSE = "Other"


class HelpCommand(click.Command):
    """A command whose help is laid out so.

    `groups` maps a heading to the parameters below it, the most important first. A name that the command does not have
    is passed over; an option that no group names is shown last. Without groups, there is one, of all options.
    `examples` are lines as they are typed, or with a comment. `statuses` are what the exit statuses mean.
    """

    def __init__(
        self,
        *args: Any,
        groups: Mapping[str, Sequence[str]] | None = None,
        examples: Sequence[str] = (),
        statuses: Mapping[int, str] = READING,
        **attributes: Any,
    ) -> None:
        super().__init__(*args, **attributes)
        self.groups = groups or {}
        self.examples = examples
        self.statuses = statuses

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options, group by group, all in one column."""
        records = {
            parameter.name: record
            for parameter in self.get_params(ctx)
            if isinstance(parameter, click.Option) and (record := parameter.get_help_record(ctx))
        }
        widest = min(_MOST_PADDED, max(len(option) for option, _ in records.values()))
        left = dict(records)
        for heading, names in self.groups.items():
            rows = [left.pop(name) for name in names if name in left]
            _write_options(formatter, heading, rows, widest)
        _write_options(formatter, _ELSE if self.groups else "Options", list(left.values()), widest)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the command's own last words, the examples and the exit statuses."""
        super().format_epilog(ctx, formatter)
        if self.examples:
            with formatter.section("Examples"):
                for line in self.examples:
                    formatter.write(f"{'':{formatter.current_indent}}{line}\n")
        with formatter.section("Exit status"):
            formatter.write_dl([(str(int(status)), meaning) for status, meaning in self.statuses.items()])


def _write_options(
    formatter: click.HelpFormatter, heading: str, rows: Sequence[tuple[str, str]], widest: int
) -> None:
    if rows:
        with formatter.section(heading):
            formatter.write_dl([(option.ljust(widest), text) for option, text in rows])
