"""What a shell is offered: plain words alone, whatever a checkpoint holds."""

import os
from contextlib import closing
from pathlib import Path

import click
import pytest

from flowreaper.cli import cli, main
from flowreaper.cli.completion import VARIABLE, complete_checkpoint, complete_code
from flowreaper.model import Reply, State
from flowreaper.store.sqlite.checkpoint import open_checkpoint
from tests.samples import IDENTITY, entries, outcome

CODES = ("Flow.Locked", "OK", "$(reboot)", "a b", "x;y", "*", "`id`", "a\nb", "\x1b[31m")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with a checkpoint that holds one flow of each code."""
    monkeypatch.chdir(tmp_path)
    with closing(open_checkpoint(Path("ids.txt.ckpt"), IDENTITY)) as checkpoint:
        checkpoint.add(entries(*map(str, range(1, len(CODES) + 1))))
        claims = checkpoint.write([], new=len(CODES))
        checkpoint.write(
            [
                outcome(claim, State.REFUSED, Reply(400, code))
                for claim, code in zip(claims, CODES, strict=True)
            ]
        )
    return tmp_path


def context(*words: str) -> click.Context:
    """Make the context of a command line that ends before the value to complete."""
    name, *rest = words
    command = cli.get_command(click.Context(cli), name)
    assert command
    return command.make_context(name, rest, click.Context(cli), resilient_parsing=True)


def codes(*words: str, incomplete: str = "") -> list[str]:
    ctx = context(*words)
    return complete_code(ctx, ctx.command.params[0], incomplete)


def checkpoints(incomplete: str) -> list[tuple[str, str]]:
    ctx = context("status")
    return [(item.type, item.value) for item in complete_checkpoint(ctx, ctx.command.params[0], incomplete)]


@pytest.mark.parametrize(
    "words",
    [
        ("results", "ids.txt.ckpt", "--code"),
        ("results", "--code"),
        ("delete", "--retry-code"),
        ("delete", "ids.txt", "--retry-code"),
        ("delete", "-c", "ids.txt.ckpt", "--retry-code"),
    ],
)
def test_only_codes_that_no_shell_takes_for_anything_else_are_offered(words: tuple[str, ...]) -> None:
    assert sorted(codes(*words)) == ["Flow.Locked", "OK"]
    assert codes(*words, incomplete="Fl") == ["Flow.Locked"]


def test_no_code_is_offered_where_no_checkpoint_can_be_read() -> None:
    Path("damaged.ckpt").write_bytes(b"SQLite format 3\0" + b"x" * 5000)
    os.mkfifo("pipe.ckpt")
    for name in ("damaged.ckpt", "pipe.ckpt", "missing.ckpt", "."):
        assert codes("results", name, "--code") == []
    assert codes("results", "--code") == []  # which of the two?


def test_checkpoints_are_offered_with_plain_names_and_else_any_file() -> None:
    for name in ("ids 2.ckpt", "ids$x.ckpt", "-x.ckpt", "ids.csv"):
        Path(name).touch()
    Path("jobs.ckpt").mkdir()
    Path("jobs.ckpt/a.ckpt").touch()
    assert checkpoints("") == checkpoints("id") == [("plain", "ids.txt.ckpt")]
    assert checkpoints("jobs.ckpt/") == [("plain", "jobs.ckpt/a.ckpt")]
    assert checkpoints("no") == [("file", "no")]
    assert checkpoints("missing/x") == [("file", "missing/x")]
    assert checkpoints("'ids") == [("file", "'ids")]


def test_whatever_goes_wrong_a_shell_gets_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(cli, "main", fail)
    monkeypatch.setenv(VARIABLE, "bash_complete")
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 1
    assert capsys.readouterr() == ("", "")
    monkeypatch.delenv(VARIABLE)
    with pytest.raises(RuntimeError):
        main()
