"""The commands that follow from a cause. That they run and take these flows alone: tests/end_to_end/test_summary.py."""

from pathlib import Path
from typing import Any

import pytest

from flowreaper.cli.cause_commands import cause_commands, delete_command, safeguard_words
from flowreaper.job.safeguard_settings import SafeguardSettings
from flowreaper.model import FINAL, Cause, State
from flowreaper.store.store import Status

DELETE = "flowreaper delete -c job.ckpt"


@pytest.mark.parametrize("state", FINAL)
def test_only_what_may_be_called_again_has_a_command_for_it(state: State) -> None:
    commands = cause_commands(Cause(state, "X", 1, ()), Path("job.ckpt"), DELETE)
    code = "" if state is State.INVALID else " --code X"
    assert commands.list == f"flowreaper results --state {state.value}{code} job.ckpt"
    may = state in (State.REFUSED, State.GAVE_UP, State.ABSENT)
    file = f"job.{state.value}.X.jsonl"
    written = f"flowreaper results --state {state.value} --code X -o {file} job.ckpt"
    assert commands.retry == (f"{written} && {DELETE} --retry {state.value} {file}" if may else None)
    assert cause_commands(Cause(state, "X", 1, ()), Path("job.ckpt"), "").retry is None


def test_the_export_is_named_after_the_checkpoint_and_lies_here() -> None:
    cause = Cause(State.REFUSED, "", 1, ())
    commands = cause_commands(cause, Path("/far/away/ids.txt.ckpt"), DELETE)
    assert commands.export == (
        "flowreaper results --state refused --code - --format spreadsheet -o ids.txt.refused.no-code.csv /far/away/ids.txt.ckpt"
    )


def test_a_code_of_the_service_is_quoted_for_the_shell() -> None:
    commands = cause_commands(Cause(State.REFUSED, "X; rm -rf ~", 1, ()), Path("job.ckpt"), DELETE)
    assert "--code 'X; rm -rf ~' job.ckpt" in commands.list


def test_a_path_is_never_taken_for_an_option() -> None:
    commands = cause_commands(Cause(State.REFUSED, "X", 1, ()), Path("-job.ckpt"), DELETE)
    assert commands.list.endswith(" ./-job.ckpt")
    assert " -o ./-job.refused.X.csv ./-job.ckpt" in commands.export


def test_two_causes_are_never_exported_into_the_same_file() -> None:
    exports = {
        cause_commands(Cause(State.REFUSED, code, 1, ()), Path("job.ckpt"), DELETE).export.split(" -o ")[1]
        for code in ("A", "B", "", "../../etc/C", "D" * 500)
    }
    assert len(exports) == 5
    assert "job.refused..._.._etc_C.csv job.ckpt" in exports
    assert all(len(name) < 100 for name in exports)


def status(endpoint: str, *, sandbox: bool = False) -> Status:
    return Status(endpoint, sandbox=sandbox, access_key="k", states={}, inferred=0, in_doubt=0, codes={})


def test_the_command_to_go_on_names_the_endpoint_where_it_is_not_the_usual_one() -> None:
    usual = status("https://cams.ap-southeast-1.aliyuncs.com")
    assert delete_command(usual, Path("job.ckpt")) == "flowreaper delete -c job.ckpt"
    other = delete_command(status("http://127.0.0.1:1"), Path("job.ckpt"))
    assert other == "flowreaper delete --endpoint http://127.0.0.1:1 -c job.ckpt"


def test_a_rehearsal_has_nothing_to_go_on_with() -> None:
    assert delete_command(status("sandbox", sandbox=True), Path("job.sandbox.ckpt")) == ""


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, ""),
        ({"only_drafts": True}, "--only-drafts"),
        ({"only_drafts": True, "keep_used": False}, "--only-drafts --no-keep-used"),
        ({"keep_used": True, "canary": 5}, "--keep-used --canary 5"),
        ({"backup": Path("/my files/saved")}, "--backup '/my files/saved'"),
    ],
)
def test_another_job_begins_with_the_same_safeguards(settings: dict[str, Any], words: str) -> None:
    assert " ".join(safeguard_words(SafeguardSettings(**settings).after({}))) == words
