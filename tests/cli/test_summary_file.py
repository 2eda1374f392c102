"""The file of --summary-json: whole or not there, and never another's."""

import json
import shutil
import stat
from pathlib import Path

import pytest

from flowreaper.cli.summary_file import SummaryFile
from flowreaper.cli.terminal.summary import RunEnd
from flowreaper.errors import ConfigurationError, OutputError
from flowreaper.job.summary import Summary
from flowreaper.model import Ending

END = RunEnd(
    Summary(Ending.FINISHED, {}, {}, seconds=1.0, calls=0, throttled=0, repeated=0), Path("none.ckpt"), "go"
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "summary.json"


def begun(path: Path) -> SummaryFile:
    file = SummaryFile(path)
    file.begin()
    return file


def test_the_summary_of_a_run_is_one_object_that_only_its_owner_may_read(path: Path) -> None:
    begun(path).write(END, 0)
    found = json.loads(path.read_text())
    assert (found["schema"], found["ending"], found["exit_status"]) == (1, "finished", 0)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]


def test_a_run_that_has_begun_leaves_no_summary_of_another(path: Path) -> None:
    begun(path).write(END, 0)
    begun(path)
    found = json.loads(path.read_text())
    assert (found["ending"], found["exit_status"]) == (None, None)


def test_what_has_taken_the_name_meanwhile_is_left_as_it_is(path: Path) -> None:
    file = begun(path)
    path.unlink()
    path.write_text("precious")
    with pytest.raises(OutputError, match="something else has taken its place"):
        file.write(END, 0)
    assert path.read_text() == "precious"


def test_no_refusal_replaces_the_summary_of_a_run(path: Path) -> None:
    file = begun(path)
    file.write(END, 0)
    file.write_refusal("the reader went away", 3)
    assert json.loads(path.read_text())["ending"] == "finished"


@pytest.mark.parametrize("name", ["-", ""])
def test_what_is_no_file_name_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match="is no file: name one"):
        SummaryFile(Path(name)).begin()


def test_a_command_that_ended_before_a_run_has_no_ending(path: Path) -> None:
    begun(path).write_refusal("why", 75)
    found = json.loads(path.read_text())
    assert (found["ending"], found["exit_status"], found["error"]) == (None, 75, "why")


@pytest.mark.parametrize(
    "text", ["926000000000000001\n", "{}", "[1]", '{"schema": 1}', "null", "\xff", "[" * 100_000, " "]
)
def test_a_file_that_is_no_summary_is_refused_and_left_as_it_is(path: Path, text: str) -> None:
    path.write_text(text)
    with pytest.raises(ConfigurationError, match="is no summary of flowreaper, so it is left as it is"):
        begun(path)
    assert path.read_text() == text


def test_an_empty_file_may_be_taken(path: Path) -> None:
    path.touch()
    begun(path).write(END, 0)
    assert json.loads(path.read_text())


def test_a_link_and_a_folder_are_refused(path: Path) -> None:
    (path.parent / "ids.txt").write_text("7")
    path.symlink_to("ids.txt")
    for wrong in (path, path.parent):
        with pytest.raises(ConfigurationError, match="is no regular file"):
            begun(wrong)


def test_a_folder_that_is_not_there_is_told_before_anything_is_sent(path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be written: No such file or directory"):
        begun(path.parent / "none" / "summary.json")


def test_a_summary_that_cannot_be_written_any_more_is_an_error(path: Path) -> None:
    folder = path.parent / "gone"
    folder.mkdir()
    file = begun(folder / "summary.json")
    shutil.rmtree(folder)
    with pytest.raises(OutputError, match="What was deleted is in the checkpoint"):
        file.write(END, 0)


def test_nothing_is_written_where_no_file_is_named_or_nothing_has_begun(path: Path) -> None:
    none = SummaryFile(None)
    none.begin()
    none.write(END, 0)
    SummaryFile(path).write_refusal("why", 2)
    assert list(path.parent.iterdir()) == []
