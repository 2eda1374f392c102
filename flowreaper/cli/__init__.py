"""The command: one click command a file, shared options in one. What is slow to import waits until it is needed."""

import sys
from importlib import import_module

import click

from flowreaper import __version__
from flowreaper.errors import ConfigurationError, FlowreaperError
from flowreaper.escaping import printable
from flowreaper.model import ExitStatus

_COMMANDS = ("delete", "results", "status", "sandbox")


class _LazyGroup(click.Group):
    """Imports a command's module when the command is wanted."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 -- click's signature
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 -- click's signature
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = import_module(f"flowreaper.cli.{cmd_name}").command
        return command

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except FlowreaperError as error:
            status = ExitStatus.USAGE if isinstance(error, ConfigurationError) else ExitStatus.STOPPED
            click.echo(f"Error: {error}", err=True)
            ctx.exit(status)
        except OSError as error:
            where = f"{printable(str(error.filename))}: " if error.filename else ""
            click.echo(f"Error: {where}{error.strerror or error}", err=True)
            ctx.exit(ExitStatus.STOPPED)


@click.group(
    cls=_LazyGroup,
    context_settings={
        "help_option_names": ["-h", "--help"],
        "auto_envvar_prefix": "FLOWREAPER",
        "max_content_width": 100,
    },
)
@click.version_option(__version__, "--version", package_name="flowreaper")
def cli() -> None:
    """Delete WhatsApp draft flows in bulk from Alibaba Cloud Chat App Message Service.

    Deletion has no undo. Start with a rehearsal:

    \b
      flowreaper delete --sandbox ids.txt     against a stand-in on this machine
      flowreaper delete --dry-run ids.txt     read and count, call nothing
    """


def main() -> None:
    """Run the command; the entry point."""
    cli.main(prog_name="flowreaper", args=sys.argv[1:])
