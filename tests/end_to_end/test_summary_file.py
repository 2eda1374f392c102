"""``--summary-json FILE``: never an earlier run's, never another's file."""

import json
from collections.abc import Callable

import pytest

from tests.end_to_end.command import Command

Ids = Callable[[int], list[str]]


@pytest.mark.parametrize(
    "wrong",
    [
        ("none.txt",),
        ("--rate", "0", "flows.txt"),
        ("--stop-at", "2020-01-01", "flows.txt"),
        ("-c", "none.ckpt"),
        ("--treat", "X", "flows.txt"),
    ],
)
def test_a_command_that_is_refused_leaves_no_summary_of_an_earlier_run(
    command: Command, ids: Ids, wrong: tuple[str, ...]
) -> None:
    command.write("flows.txt", *ids(1))
    assert command.run("delete", "--yes", "--summary-json", "summary.json", "flows.txt").status == 0
    assert command.run("delete", "--yes", "--summary-json", "summary.json", *wrong).status == 2
    found = json.loads((command.folder / "summary.json").read_text())
    assert (found["ending"], found["exit_status"]) == (None, 2)
    assert found["error"]


@pytest.mark.parametrize("name", ["flows.txt", "flows.txt.ckpt", "flows.txt.ckpt-wal", "job.ckpt"])
def test_a_summary_is_never_made_where_the_command_has_another_file(
    command: Command, ids: Ids, name: str
) -> None:
    command.write("flows.txt", *ids(1))
    arguments = ("-c", "job.ckpt", "flows.txt") if name == "job.ckpt" else ("flows.txt",)
    for more in ((), ("--rate", "0")):
        assert command.run("delete", "--yes", "--summary-json", name, *more, *arguments).status == 2
        assert [path.name for path in command.folder.iterdir()] == ["flows.txt"]
