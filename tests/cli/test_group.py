import subprocess
import sys

import click

from flowreaper.cli import _COMMANDS, cli

SLOW = ("aiohttp", "structlog", "ijson", "asyncio")


def test_the_help_says_of_each_command_what_its_own_help_begins_with() -> None:
    context = click.Context(cli)
    for name in cli.list_commands(context):
        command = cli.get_command(context, name)
        assert command
        assert command.help
        words = _COMMANDS[name].rstrip(".").split()
        own = command.help.split("\n\n")[0].replace("\n", " ").split()
        # The first words are the same, so that the two cannot drift apart unseen.
        assert own[: min(5, len(words))] == words[:5]


def test_the_help_imports_nothing_slow() -> None:
    program = (
        "import sys\nfrom flowreaper.cli import cli\n"
        "try:\n    cli.main(['--help'], prog_name='flowreaper')\n"
        "except SystemExit:\n    pass\n"
        f"print([name for name in {SLOW!r} if name in sys.modules], file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert all(f"  {name}" in done.stdout for name in _COMMANDS)
    assert done.stderr == "[]\n"
