"""``flowreaper completion``: the script by which a shell completes the command."""

import click

from flowreaper.cli.completion import VARIABLE
from flowreaper.cli.exit_status import ExitStatus
from flowreaper.cli.help import HelpCommand
from flowreaper.cli.suggestions import Choice

_NAME = "flowreaper"
_EXAMPLES = (
    "flowreaper completion bash > /etc/bash_completion.d/flowreaper",
    "flowreaper completion fish > ~/.config/fish/completions/flowreaper.fish",
    "flowreaper completion zsh > ~/.zfunc/_flowreaper       fpath+=~/.zfunc",
)
_STATUSES = {ExitStatus.DONE: "the script was written", ExitStatus.USAGE: "no such shell"}


@click.command("completion", cls=HelpCommand, examples=_EXAMPLES, statuses=_STATUSES)
@click.argument("shell", metavar="SHELL", type=Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(ctx: click.Context, /, shell: str) -> None:
    """Print the script by which SHELL (bash, zsh or fish) completes this command.

    It completes commands, options, states, checkpoints, and the codes of the checkpoint that is named. For one session:

    \b
      bash, zsh:  source <(flowreaper completion bash)    or zsh
      fish:       flowreaper completion fish | source

    For every session, write it to a file that the shell reads, as below. Bash needs its package bash-completion, and
    version 4.4 or newer; zsh needs the file's folder in fpath before compinit.
    """
    from click.shell_completion import get_completion_class

    made = get_completion_class(shell)
    if made is None:
        raise click.UsageError(f"this click knows no completion for {shell}: install click 8.1 or newer")
    click.echo(made(ctx.find_root().command, {}, _NAME, VARIABLE).source())
