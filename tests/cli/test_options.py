"""A command that is written down does, typed again, what it did."""

import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowreaper.cli import cli
from flowreaper.cli.commands.delete import command as delete
from flowreaper.cli.options import command_line, quoted
from flowreaper.escaping import printable

BASH = shutil.which("bash") or "bash"


PIECE = re.compile(r"""( )|\$'([^']*)'|'([^']*)'|"([^"]*)"|([^ '"]+)""")


def is_harmless(text: str) -> bool:
    return printable(text, len(text)) == text


def context_of(arguments: list[str]) -> click.Context:
    parent = click.Context(cli, info_name="flowreaper", **cli.context_settings)
    return delete.make_context("delete", list(arguments), parent)


def written(arguments: list[str], **options: Any) -> str:
    return command_line(context_of(arguments), **options)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ([], "flowreaper delete"),
        (["ids.txt"], "flowreaper delete ids.txt"),
        (["-y", "ids.txt", "-c", "a.ckpt"], "flowreaper delete --checkpoint a.ckpt --yes ids.txt"),
        (["b.txt", "a.txt", "-"], "flowreaper delete b.txt a.txt -"),
        (["--retry", "absent", "--retry=refused"], "flowreaper delete --retry absent --retry refused"),
        (["my ids.txt", "it's"], "flowreaper delete 'my ids.txt' 'it'\"'\"'s'"),
        (["--", "-x.txt"], "flowreaper delete -- -x.txt"),
        (["--limit=3", "--", "--yes"], "flowreaper delete --limit 3 -- --yes"),
        (["$(reboot);`id`"], "flowreaper delete '$(reboot);`id`'"),
        (["--rate", "2.5", "--sandbox"], "flowreaper delete --rate 2.5 --sandbox"),
        (["--only-drafts", "--no-keep-used"], "flowreaper delete --only-drafts --no-keep-used"),
    ],
)
def test_a_command_is_written_as_it_was_given(arguments: list[str], line: str) -> None:
    assert written(arguments) == line


def test_parameters_can_be_left_out_and_words_added_before_the_arguments() -> None:
    arguments = ["--retry", "absent", "--limit", "3", "--", "-x.txt"]
    assert (
        written(arguments, leave_out=("retry",), extra=("--checkpoint", "my job.ckpt"))
        == "flowreaper delete --limit 3 --checkpoint 'my job.ckpt' -- -x.txt"
    )
    assert written(arguments, leave_out=("retry", "source")) == "flowreaper delete --limit 3"


def test_what_came_from_the_environment_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOWREAPER_DELETE_RATE", "3")
    monkeypatch.setenv("FLOWREAPER_ENDPOINT", "https://cams.example")
    context = context_of(["ids.txt"])
    assert (context.params["rate"], context.params["endpoint"]) == (3.0, "https://cams.example")
    assert command_line(context) == "flowreaper delete ids.txt"


# What an argument of a process can hold: no NUL, and of the surrogates those that stand for bytes that are no
# UTF-8.
words = st.text(
    st.characters(exclude_characters="\0", exclude_categories=["Cs"]) | st.sampled_from("\udc80\udcff"),
    min_size=1,
    max_size=20,
)
options = st.one_of(
    st.tuples(
        st.sampled_from(
            ["--id-field", "--space-field", "--cust-space-id", "--treat", "--profile", "--results"]
        ),
        words,
    ),
    st.tuples(st.sampled_from(["--rate", "--timeout"]), st.floats(allow_nan=False).map(str)),
    st.tuples(st.sampled_from(["--limit", "--concurrency", "--max-attempts"]), st.integers().map(str)),
    st.tuples(st.just("--retry"), st.sampled_from(["refused", "gave_up", "absent"])),
    st.tuples(st.just("--checkpoint"), words.map(lambda word: f"/nowhere/{word}")),
    st.tuples(st.sampled_from(["--yes", "--sandbox", "--dry-run"])),
)
printable_words = words.filter(str.isprintable)


@given(st.lists(options, max_size=6), st.lists(words, max_size=3))
def test_a_command_line_typed_again_means_the_same(
    given_options: list[tuple[str, ...]], sources: list[str]
) -> None:
    arguments = [*(word for option in given_options for word in option), "--", *sources]
    context = context_of(arguments)
    line = command_line(context)
    assert is_harmless(line)
    assert context_of(read_by_shell(line)[2:]).params == context.params


def read_by_shell(line: str) -> list[str]:
    """Split a line as bash does: blanks, the two kinds of quotes, and $'...' with octal escapes."""
    line_words = [""]
    for piece in PIECE.finditer(line):
        blank, escaped, *plain = piece.groups()
        if blank:
            line_words.append("")
        elif escaped is not None:
            raw = re.sub(rb"\\([0-7]{3})", lambda octal: bytes([int(octal[1], 8)]), escaped.encode())
            line_words[-1] += raw.decode("utf-8", "surrogateescape")
        else:
            line_words[-1] += "".join(text or "" for text in plain)
    return line_words


@pytest.mark.parametrize(
    "word",
    [
        "a b",
        "it's",
        "\x1b[31m.txt",
        "a\nb",
        "\x1b7",
        "\\\x07'",
        "$'\x01",
        "\udcff.txt",
        "é\u202e流程",
        "\u2028",
        "-",
        "",
    ],
)
def test_bash_reads_a_quoted_word_back_and_a_terminal_can_show_it(word: str) -> None:
    shown = quoted(word)
    assert shown.isprintable()
    done = subprocess.run(
        [BASH, "-c", f"printf %s {shown}"], capture_output=True, check=True, env={"LC_ALL": "C.UTF-8"}
    )
    assert done.stdout == word.encode("utf-8", "surrogateescape")


@given(printable_words)
def test_a_printable_word_is_quoted_as_usual(word: str) -> None:
    assert quoted(word) == shlex.quote(word)


@given(words)
def test_no_quoted_word_can_steer_a_terminal(word: str) -> None:
    assert is_harmless(quoted(word))


def test_checkpoint_paths_are_paths() -> None:
    assert context_of(["-c", "x.ckpt"]).params["checkpoint"] == Path("x.ckpt")
