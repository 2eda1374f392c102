"""The command: one click command a file, shared options in one. What is slow to import waits until it is needed."""

import os
import signal
import sys
from importlib import import_module

import click

from flowreaper import __version__
from flowreaper.errors import FlowreaperError
from flowreaper.escaping import printable
from flowreaper.model import ExitStatus

_COMMANDS = {
    "delete": "Delete the draft flows whose ids are in each SOURCE, at the account's pace, resumable.",
    "results": "Write what CHECKPOINT holds, one object a flow; also while a run is going on.",
    "status": "Count the flows of CHECKPOINT by state and by code, also while a run is going on.",
    "sandbox": "Serve a sandbox on this machine until it is stopped.",
}
# What --help says of each: click would import every command to ask it, which takes 300 ms.

_STANDARD_STREAMS = ((0, os.O_WRONLY), (1, os.O_RDWR), (2, os.O_RDWR))


class _LazyGroup(click.Group):
    """Imports a command's module when the command is wanted, and not to name it."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 -- click's signature
        return list(_COMMANDS)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 -- click's signature
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 -- click's signature
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = import_module(f"flowreaper.cli.{cmd_name}").command
        return command

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except FlowreaperError as error:
            from flowreaper.cli.summary import error_status

            click.echo(f"Error: {error}", err=True)
            ctx.exit(error_status(error))
        except KeyboardInterrupt:
            # Before a run listens for signals itself, so nothing was sent; click would say 1.
            click.echo(err=True)
            ctx.exit(128 + signal.SIGINT)
        except BrokenPipeError:
            # The reader wanted no more. What is still buffered must not fail again when Python exits.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            ctx.exit(128 + signal.SIGPIPE)
        except OSError as error:
            where = f"{printable(str(error.filename))}: " if error.filename else ""
            click.echo(f"Error: {where}{error.strerror or error}", err=True)
            ctx.exit(ExitStatus.STOPPED)
        except (click.ClickException, click.Abort, click.exceptions.Exit):
            raise
        except Exception as error:  # noqa: BLE001 -- no traceback reaches a user
            what = printable(f"{type(error).__name__}: {error}")
            click.echo(
                f"Error: a defect in flowreaper {__version__}: {what}\nNothing that is recorded is lost: the same"
                " command goes on. Please report this with what you did.",
                err=True,
            )
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
    _open_closed_streams()
    cli.main(prog_name="flowreaper", args=sys.argv[1:])


def _open_closed_streams() -> None:
    """Put the null device where a standard stream was closed.

    Else the next file that is opened, say the checkpoint, would take its place and what is printed.
    Standard input cannot be read then, rather than be empty.
    """
    for fd, flags in _STANDARD_STREAMS:
        try:
            os.fstat(fd)
        except OSError:
            os.open(os.devnull, flags)  # takes the lowest free number, which is this one
    # None is what Python makes of a closed stream.
    sys.stdout = sys.stdout or open(1, "w", closefd=False)  # noqa: SIM115 -- a descriptor, open until the end
    sys.stderr = sys.stderr or open(2, "w", closefd=False)  # noqa: SIM115 -- the same
