"""That the commands run: tests/end_to_end/test_report.py and test_summary.py; their quoting: test_cause_commands.py."""

from pathlib import Path

import pytest

from flowreaper.cli.results_commands import list_command, records_file, write_command
from flowreaper.model import State

JOB = Path("far/ids.txt.ckpt")


@pytest.mark.parametrize(
    ("state", "code", "chosen"),
    [
        (None, None, ""),
        (State.PENDING, None, " --state pending"),
        (State.REFUSED, "A.B", " --state refused --code A.B"),
        (State.REFUSED, "", " --state refused --code -"),
    ],
)
def test_what_is_chosen_is_listed(state: State | None, code: str | None, chosen: str) -> None:
    assert list_command(JOB, state, code) == f"flowreaper results{chosen} far/ids.txt.ckpt"


def test_a_table_is_for_spreadsheets_and_the_rest_are_json_lines() -> None:
    csv = "flowreaper results --state refused --format spreadsheet -o ids.txt.refused.csv far/ids.txt.ckpt"
    assert write_command(JOB, ".csv", State.REFUSED) == csv
    assert write_command(JOB, ".jsonl") == "flowreaper results -o ids.txt.results.jsonl far/ids.txt.ckpt"


def test_no_two_checkpoints_and_no_two_choices_share_a_file() -> None:
    choices = [
        (None, None),
        (State.REFUSED, None),
        (State.REFUSED, ""),
        (State.REFUSED, "A"),
        (State.ABSENT, "A"),
    ]
    files = [
        records_file(Path(f"{name}.ckpt"), suffix, *choice)
        for name in ("a.txt", "b.txt")
        for suffix in (".csv", ".jsonl")
        for choice in choices
    ]
    assert len(set(files)) == len(files)
