"""A mistake is answered with what was probably meant."""

import os
from contextlib import closing
from pathlib import Path

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowreaper.cli.suggestions import (
    Choice,
    closest,
    did_you_mean,
    ids_among,
    instead_of_command,
    refuse_what_is_no_checkpoint,
)
from flowreaper.errors import ConfigurationError
from flowreaper.escaping import printable
from flowreaper.store.sqlite.checkpoint import open_checkpoint
from tests.samples import IDENTITY

COMMANDS = ("delete", "results", "status")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    with closing(open_checkpoint(Path("ids.txt.ckpt"), IDENTITY)):
        pass
    Path("ids.txt").write_text("926000000000007919\n")
    return tmp_path


@pytest.mark.parametrize(
    ("word", "expected"), [("delte", "delete"), ("STATUS", "status"), ("xyz", ""), ("", "")]
)
def test_the_nearest_word_is_found_whatever_its_case(word: str, expected: str) -> None:
    assert closest(word, COMMANDS) == expected


def test_nothing_is_asked_where_no_word_is_near() -> None:
    assert (did_you_mean("refusd", ["refused"]), did_you_mean("x", ["refused"])) == (
        " Did you mean refused?",
        "",
    )


@given(st.text(), st.lists(st.text(min_size=1), min_size=1))
def test_what_is_suggested_cannot_steer_a_terminal(word: str, known: list[str]) -> None:
    shown = did_you_mean(word, known)
    assert printable(shown, len(shown)) == shown


@pytest.mark.parametrize(
    ("word", "words"),
    [
        ("delte", " Did you mean delete?"),
        ("ids.txt", " To delete the flows that this file lists: flowreaper delete ids.txt"),
        ("ids.txt.ckpt", " To look at that checkpoint: flowreaper status ids.txt.ckpt"),
        ("nothing", ""),
    ],
)
def test_a_word_that_is_no_command_may_be_a_file(word: str, words: str) -> None:
    assert instead_of_command(word, COMMANDS) == words


def test_a_mistyped_choice_is_refused_with_the_word_that_was_meant() -> None:
    choice = Choice(["refused", "gave_up"])
    assert choice.convert("refused", None, None) == "refused"
    with pytest.raises(click.BadParameter, match=r"'gave_up'\. Did you mean gave_up\?"):
        choice.convert("gaveup", None, None)
    with pytest.raises(click.BadParameter) as refused:
        choice.convert("7", None, None)
    assert "Did you mean" not in refused.value.message


@pytest.mark.parametrize(
    ("given_path", "words"),
    [
        ("ids.txt", "ids.txt is no checkpoint; ids.txt.ckpt is one: flowreaper status ids.txt.ckpt"),
        ("elsewhere/ids.txt", "there is no checkpoint elsewhere/ids.txt; ids.txt.ckpt is one"),
        ("new.txt", "new.txt is no checkpoint; new.txt.sandbox.ckpt is one"),
        ("ids.tx.ckpt", "there is no checkpoint ids.tx.ckpt. Did you mean ids.txt.ckpt?"),
    ],
)
def test_the_checkpoint_that_was_meant_is_named(given_path: str, words: str) -> None:
    Path("new.txt").write_text("926000000000007919\n")
    Path("new.txt.sandbox.ckpt").touch()
    with pytest.raises(ConfigurationError, match=words.replace("?", r"\?")):
        refuse_what_is_no_checkpoint(Path(given_path), "flowreaper status")


@pytest.mark.parametrize(
    "name", ["ids.txt.ckpt", "empty", "other.txt", "missing", "folder", "pipe", "a/b/c", "x" * 300]
)
def test_what_may_be_a_checkpoint_or_has_none_nearby_is_left_to_the_reader(name: str) -> None:
    Path("empty").touch()
    Path("other.txt").write_text("other\n")
    Path("folder").mkdir()
    Path("folder.ckpt").touch()
    os.mkfifo("pipe")
    refuse_what_is_no_checkpoint(Path(name), "flowreaper status")


def test_an_id_that_is_no_file_is_told_from_a_file(folder: Path) -> None:
    (folder / "20261125").touch()
    given_words = (
        "926000000000007919",
        "20261125",
        "ids2.txt",
        "1234567.txt",
        "ids",
        "-",
        "a/1234567",
        "12345",
        "fl_1234567",
        "1" * 256,
    )
    assert ids_among(given_words) == ["926000000000007919", "fl_1234567", "1" * 256]
