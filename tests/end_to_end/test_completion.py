"""``flowreaper completion`` in the shells that are installed."""

import shutil
from collections.abc import Callable

import pytest

from tests.end_to_end.command import Command

Ids = Callable[[int], list[str]]

BASH = """
source <(flowreaper completion bash)
complete -p flowreaper
for line in "$@"; do
    COMP_WORDS=($line); [[ $line == *" " ]] && COMP_WORDS+=("")
    COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); COMPREPLY=()
    _flowreaper_completion flowreaper
    echo "${COMPREPLY[*]}"
done
"""


def needs(shell: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(shell) is None, reason=f"there is no {shell} here")


@pytest.fixture
def job(command: Command, ids: Ids) -> Command:
    command.delete(command.write("flows.txt", *ids(1)))
    return command


@needs("bash")
def test_bash_completes_commands_options_states_checkpoints_and_codes(job: Command) -> None:
    lines = {
        "flowreaper de": "delete",
        "flowreaper delete --retr": "--retry --retry-code",
        "flowreaper results --state re": "refused",
        "flowreaper results --format s": "spreadsheet",
        "flowreaper status ": "flows.txt.ckpt",
        "flowreaper delete -c fl": "flows.txt.ckpt",
        "flowreaper results flows.txt.ckpt --code ": "OK",
        "flowreaper results flows.txt --code ": "",
        "flowreaper completion ": "bash zsh fish",
    }
    finished = job.finish("bash", "-c", BASH, "bash", *lines)
    assert finished.out.splitlines() == [
        "complete -o nosort -F _flowreaper_completion flowreaper",
        *lines.values(),
    ]
    assert finished.err == ""


@needs("zsh")
def test_zsh_takes_the_script(job: Command) -> None:
    lines = (
        "autoload -U compinit; compinit -D -u; source <(flowreaper completion zsh); echo $_comps[flowreaper]"
    )
    finished = job.finish("zsh", "-f", "-c", lines)
    assert (finished.out, finished.err) == ("_flowreaper_completion\n", "")


@needs("fish")
def test_fish_completes_checkpoints(job: Command) -> None:
    lines = "flowreaper completion fish | source; complete -C 'flowreaper status fl'"
    finished = job.finish("fish", "--no-config", "-c", lines)
    assert (finished.out, finished.err) == ("flows.txt.ckpt\n", "")


def test_no_other_shell_has_a_script(command: Command) -> None:
    finished = command.run("completion", "tcsh")
    assert (finished.status, finished.out) == (2, "")
    assert "'bash', 'zsh', 'fish'" in finished.err
