"""The command, the only part that speaks of options and exit statuses.

Begin with `flowreaper.cli.commands.delete`; this file holds the group and `main`. May be imported here: anything of
the package, but where the command starts only what is light; the rest waits until it is needed.
"""

import contextlib
import os
import signal
import sys
from importlib import import_module
from typing import TYPE_CHECKING, NoReturn

import click

from flowreaper import __version__
from flowreaper.cli import streams
from flowreaper.cli.completion import VARIABLE
from flowreaper.cli.exit_status import ExitStatus
from flowreaper.errors import FlowreaperError
from flowreaper.escaping import printable

_COMMANDS = {
    "list": "List the flows of the account, or those that rules select; or write a plan of them.",
    "spaces": "List the spaces (CustSpaceId) of the account.",
    "plan": "Show PLAN: its account, its rules, and what became of each of its flows.",
    "delete": "Delete the draft flows whose ids are in each SOURCE, at the account's pace, resumable.",
    "results": "Export the outcomes in CHECKPOINT, one record per flow; also while a run is going on.",
    "verify": "Check whether the flows that CHECKPOINT records as deleted are gone; settle those in doubt.",
    "status": "Show what CHECKPOINT holds: flows by state and code, runs, what to do next; or list all here.",
    "report": "Write one HTML page about CHECKPOINT: what was deleted and what was not, when, and how fast.",
    "restore": "Make drafts again of the flows that `delete --backup DIR` saved.",
    "sandbox": "Serve a sandbox on this machine until it is stopped.",
    "completion": "Print the script by which SHELL (bash, zsh or fish) completes this command.",
}
# What --help says of each: click would import every command to ask it, which takes 300 ms.


if TYPE_CHECKING:  # a shell that completes loads it, others need not
    from click.shell_completion import CompletionItem


class _LazyGroup(click.Group):
    """Imports a command's module when the command is wanted, and not to name it."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 -- click's signature
        return list(_COMMANDS)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 -- click's signature
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        # `flowreaper help` and `flowreaper help delete`, as with git and go.
        return super().parse_args(ctx, [*args[1:2], "--help"] if args[:1] == ["help"] else args)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in _COMMANDS and not ctx.resilient_parsing:
            from flowreaper.cli.suggestions import instead_of_command

            ctx.fail(f"there is no command {printable(args[0])}.{instead_of_command(args[0], _COMMANDS)}")
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> "list[CompletionItem[str]]":
        from click.shell_completion import CompletionItem

        commands = [
            CompletionItem(name, help=text) for name, text in _COMMANDS.items() if name.startswith(incomplete)
        ]
        return [*commands, *click.Command.shell_complete(self, ctx, incomplete)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 -- click's signature
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = import_module(f"flowreaper.cli.commands.{cmd_name}").command
        return command

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except FlowreaperError as error:
            from flowreaper.cli.advice import shown
            from flowreaper.cli.terminal.summary import error_status

            _refuse(ctx, shown(error), error_status(error))
        except KeyboardInterrupt:
            # Before a run listens for signals itself, so nothing was sent; click would say 1.
            _refuse(ctx, "interrupted before anything was sent", 128 + signal.SIGINT)
        except BrokenPipeError as error:
            ctx.exit(streams.cannot_write(error))
        except OSError as error:
            if status := streams.flush(0):
                ctx.exit(status)
            # Of more than its buffer holds, as of a long help, nothing is left there that fails again.
            if error.filename is None and error.errno in streams.FULL:
                ctx.exit(streams.cannot_write(error))
            where = f"{printable(str(error.filename))}: " if error.filename else ""
            _refuse(ctx, f"{where}{error.strerror or error}", ExitStatus.STOPPED)
        except (click.ClickException, click.Abort, click.exceptions.Exit):
            raise
        except Exception as error:  # noqa: BLE001 -- no traceback reaches a user
            what = printable(f"{type(error).__name__}: {error}")
            _refuse(
                ctx,
                f"a defect in flowreaper {__version__}: {what}\nNothing that is recorded is lost: the same"
                " command goes on. Please report this with what you did.",
                ExitStatus.STOPPED,
            )


def _refuse(ctx: click.Context, text: str, status: int) -> NoReturn:
    streams.refuse(text, status, as_json=_as_json())
    ctx.exit(status)


def _as_json() -> bool:
    return streams.wants_json(sys.argv[1:], os.environ)


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
      flowreaper COMMAND --help               options, examples, exit statuses
    """


def main() -> None:
    """Run the command; the entry point."""
    streams.open_closed()
    # It asks a run how far it is. Asked before a run answers, the command would die of it.
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    try:
        # Not as click would run it: a broken stream would end in a traceback.
        status = cli.main(prog_name="flowreaper", args=sys.argv[1:], standalone_mode=False) or 0
    except SystemExit as leaving:
        status = leaving.code if isinstance(leaving.code, int) else ExitStatus.STOPPED
    except click.ClickException as error:
        with contextlib.suppress(OSError):
            if _as_json():
                streams.refuse(error.format_message(), error.exit_code, as_json=True)
            else:
                error.show()
        status = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        status = 128 + signal.SIGINT
    except OSError as error:
        status = streams.cannot_write(error)  # the help, which click writes before it invokes a command
    except Exception:
        if VARIABLE not in os.environ:
            raise
        status = ExitStatus.INCOMPLETE  # a shell asked for words: a traceback would land in somebody's prompt
    sys.exit(streams.flush(status))
