"""A run's end as a person reads it and as a script sees it."""

from pathlib import Path
from typing import Any

import pytest

from flowreaper.cli.exit_status import ExitStatus
from flowreaper.cli.terminal.summary import RunEnd, describe, error_status, exit_status
from flowreaper.errors import (
    Advice,
    CheckpointInUseError,
    CheckpointRefusedError,
    CheckpointTouchedError,
    ConfigurationError,
    CredentialsError,
    FatalReplyError,
    InputError,
    NotDeletedError,
)
from flowreaper.job.summary import Summary
from flowreaper.model import Cause, Ending, Flow, State

RESUME = "flowreaper delete --yes ids.txt"
AGAIN = "flowreaper delete --yes --retry absent ids.txt"
RETRY = "flowreaper delete -c ids.txt.ckpt"
VERIFY = "flowreaper verify ids.txt.ckpt"
CHECKPOINT = Path("ids.txt.ckpt")


def summary(ending: Ending = Ending.FINISHED, **fields: Any) -> Summary:
    usual: dict[str, Any] = {
        "counts": {},
        "this_run": fields.get("counts", {}),
        "seconds": 6.0,
        "calls": 30,
        "throttled": 0,
        "repeated": 0,
    }
    return Summary(ending, **(usual | fields))


def told(ending: Ending = Ending.FINISHED, *, checkpoint: Path = CHECKPOINT, **fields: Any) -> list[str]:
    return describe(RunEnd(summary(ending, **fields), checkpoint, RESUME, AGAIN, RETRY)).split("\n")


def last_line(ending: Ending, verify: str = VERIFY, **fields: Any) -> str:
    end = RunEnd(summary(ending, **fields), CHECKPOINT, RESUME, verify=verify)
    return describe(end).rpartition("\n")[2]


@pytest.mark.parametrize(
    ("ending", "status"),
    [
        (Ending.FINISHED, ExitStatus.DONE),
        (Ending.INCOMPLETE, ExitStatus.INCOMPLETE),
        (Ending.LIMIT, ExitStatus.LEFT),
        (Ending.TIME_UP, ExitStatus.LEFT),
        (Ending.STOPPED, ExitStatus.STOPPED),
    ],
)
def test_each_ending_has_its_exit_status(ending: Ending, status: ExitStatus) -> None:
    assert exit_status(summary(ending, counts={State.REFUSED: 5, State.PENDING: 9})) is status


@pytest.mark.parametrize(
    ("calls", "error", "status"),
    [
        (0, InputError("x"), ExitStatus.USAGE),
        (7, InputError("x"), ExitStatus.STOPPED),
        (0, FatalReplyError("x"), ExitStatus.STOPPED),
    ],
)
def test_a_run_that_an_input_stopped_before_anything_was_sent_is_a_matter_of_usage(
    calls: int, error: Exception, status: ExitStatus
) -> None:
    assert exit_status(summary(Ending.STOPPED, calls=calls, error=error)) is status


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ConfigurationError("x"), ExitStatus.USAGE),
        (InputError("x"), ExitStatus.USAGE),
        (CheckpointRefusedError("x"), ExitStatus.USAGE),
        (CheckpointInUseError("x"), ExitStatus.IN_USE),
        (CredentialsError("x"), ExitStatus.STOPPED),
    ],
)
def test_an_error_before_anything_was_sent_tells_usage_from_the_rest(
    error: ConfigurationError | CredentialsError, status: ExitStatus
) -> None:
    assert error_status(error) is status


def test_a_finished_run_is_three_facts_and_no_more() -> None:
    assert told(counts={State.DELETED: 30}) == [
        "Finished: every flow that was taken is deleted, absent or kept.",
        "This run: 30 deleted; 30 calls in 6 s (4.84/s)",
        "Nothing left to do. Checkpoint: ids.txt.ckpt",
    ]


def test_what_failed_comes_with_its_meaning_and_the_commands_that_follow() -> None:
    counts = {State.DELETED: 1, State.ABSENT: 2, State.REFUSED: 3, State.INVALID: 5}
    causes = (
        Cause(State.INVALID, "", 5, (Flow("no id"),)),
        Cause(State.REFUSED, "Unknown.ResourceOwnerId", 3, (Flow("7", "cams-a"), Flow("8"), Flow("9"))),
        Cause(State.ABSENT, "Flow.NotExist", 2, (Flow("5"),)),
    )
    assert told(Ending.INCOMPLETE, counts=counts, causes=causes) == [
        "Incomplete: nothing is left to do, but some flows were refused, invalid or given up.",
        "This run: 1 deleted, 2 absent, 3 refused, 5 invalid; 30 calls in 6 s (4.84/s)",
        "Nothing left to do. Checkpoint: ids.txt.ckpt",
        "5 invalid: the input is no flow id; nothing was sent",
        "  Flows:  no id, ...",
        "  To do:  correct the lines",
        "  List:   flowreaper results --state invalid ids.txt.ckpt",
        "  Export: flowreaper results --state invalid --format spreadsheet -o ids.txt.invalid.csv ids.txt.ckpt",
        "3 refused, Unknown.ResourceOwnerId: the flow or its space belongs to another account",
        "  Flows:  cams-a/7, 8, 9",
        "  To do:  check the access key's account and the space of these flows",
        "  List:   flowreaper results --state refused --code Unknown.ResourceOwnerId ids.txt.ckpt",
        (
            "  Export: flowreaper results --state refused --code Unknown.ResourceOwnerId --format spreadsheet"
            " -o ids.txt.refused.Unknown.ResourceOwnerId.csv ids.txt.ckpt"
        ),
        (
            "  Retry:  flowreaper results --state refused --code Unknown.ResourceOwnerId"
            " -o ids.txt.refused.Unknown.ResourceOwnerId.jsonl ids.txt.ckpt"
            " && flowreaper delete -c ids.txt.ckpt --retry refused ids.txt.refused.Unknown.ResourceOwnerId.jsonl"
        ),
    ]


def test_a_run_that_will_go_on_names_its_causes_briefly() -> None:
    causes = (Cause(State.REFUSED, "Some.Code", 3, (Flow("7"),)),)
    lines = told(Ending.INTERRUPTED, counts={State.REFUSED: 3, State.PENDING: 9}, causes=causes)
    assert [line.partition(":")[0] for line in lines[-3:]] == [
        "3 refused, Some.Code",
        "More about them",
        "To go on",
    ]
    assert "flowreaper status ids.txt.ckpt" in lines[-2]


def test_all_runs_are_told_where_they_differ_from_this_one() -> None:
    lines = told(counts={State.DELETED: 1_000_000}, this_run={State.DELETED: 10})
    assert lines[1:3] == ["This run: 10 deleted; 30 calls in 6 s (4.84/s)", "All runs: 1,000,000 deleted"]


@pytest.mark.parametrize(
    ("ending", "first"),
    [
        (Ending.INTERRUPTED, "Interrupted; no outcome is lost."),
        (Ending.LIMIT, "Limit: the limit of flows was reached; flows or input are left."),
        (Ending.TIME_UP, "Time up: the time was up; flows or input are left."),
    ],
)
def test_a_run_that_ended_early_says_why_what_is_left_and_how_to_go_on(ending: Ending, first: str) -> None:
    counts = {State.DELETED: 10, State.PENDING: 1002}
    lines = told(ending, counts=counts, this_run={State.DELETED: 10})
    assert lines[0] == first
    assert lines[-2:] == ["Checkpoint: ids.txt.ckpt, 1,002 left to do", f"To go on: {RESUME}"]


def test_a_run_that_was_stopped_says_what_stopped_it_first_and_how_to_go_on_last() -> None:
    lines = told(Ending.STOPPED, error=FatalReplyError("Ram.PermissionDeny: grant cams:DeleteFlow"))
    assert lines[0] == "Stopped: Ram.PermissionDeny: grant cams:DeleteFlow"
    assert lines[-1] == f"To go on: {RESUME}"


def test_an_interrupted_run_with_nothing_left_may_still_go_on_with_its_input() -> None:
    assert told(Ending.INTERRUPTED)[-1] == f"To go on: {RESUME}"


def test_a_run_without_outcomes_says_so() -> None:
    lines = told(counts={State.PENDING: 1}, this_run={}, calls=0, seconds=0.0)
    assert lines[1] == "This run: nothing was deleted; 0 calls in 0 s"


def test_the_effort_tells_throttled_calls_and_known_ids() -> None:
    assert told(counts={State.DELETED: 1}, calls=1, throttled=1234, repeated=5)[1] == (
        "This run: 1 deleted; 1 call in 6 s, 1,234 throttled, 5 duplicates skipped"
    )
    assert told(counts={State.DELETED: 1}, repeated=1)[1].endswith(", 1 duplicate skipped")


def test_ids_that_an_earlier_run_has_done_are_no_duplicates() -> None:
    lines = told(counts={State.DELETED: 7}, this_run={State.DELETED: 2}, repeated=5)
    assert lines[1].endswith(", 5 ids skipped: done before or repeated")


def test_what_was_deleted_by_inference_is_told_apart() -> None:
    assert told(counts={State.DELETED: 1200, State.ABSENT: 3}, inferred=2)[1] == (
        "This run: 1,200 deleted (2 by inference: a call had no answer, and the next one found nothing), 3 absent;"
        " 30 calls in 6 s (4.84/s)"
    )


def test_a_checkpoint_with_an_odd_name_is_quoted_for_the_shell_and_cannot_steer_the_terminal() -> None:
    causes = (Cause(State.REFUSED, "\x1b[2J'", 1, (Flow("\x1b[31m7"),)),)
    lines = told(counts={State.REFUSED: 1}, checkpoint=Path("my \x1b[31m.ckpt"), causes=causes)
    quoted = r"$'\033[2J\047' $'my \033[31m.ckpt'"
    assert f"  List:   flowreaper results --state refused --code {quoted}" in lines
    assert r"  Flows:  \x1b[31m7" in lines
    assert told(checkpoint=Path("my job.ckpt"))[-1] == "Nothing left to do. Checkpoint: 'my job.ckpt'"
    assert all(line.isprintable() for line in lines)


def test_calls_that_were_cut_off_are_not_told_as_nothing_lost() -> None:
    counts = {State.PENDING: 21, State.CLAIMED: 19}
    lines = told(Ending.INTERRUPTED, counts=counts, this_run={}, calls=19, in_doubt=19)
    assert lines[0] == (
        "Interrupted; 19 flows have had a call without an answer: the next run finds out what became of it."
    )
    assert lines[1] == "This run: no outcome is known; 19 calls in 6 s (3.06/s)"
    assert lines[2] == "Checkpoint: ids.txt.ckpt, 40 left to do, 19 of them in doubt"


def test_an_input_without_ids_is_told() -> None:
    assert told(counts={}, calls=0)[0] == "No flow id was read."
    assert told(counts={State.INVALID: 1}, calls=0)[0] != "No flow id was read."


def test_flows_that_the_input_does_not_list_are_neither_left_to_do_nor_silent() -> None:
    lines = told(counts={State.DELETED: 3, State.PENDING: 14}, this_run={State.DELETED: 3}, unlisted=14)
    assert lines[-2] == "Nothing left to do. Checkpoint: ids.txt.ckpt"
    assert lines[-1].startswith(
        "14 unfinished flows of earlier inputs are not in this input and were left alone;"
    )


ABSENT = {State.ABSENT: 3}


def test_a_run_that_found_nothing_in_a_job_that_deleted_nothing_says_what_to_check() -> None:
    (line,) = (line for line in told(counts=ABSENT, never_deleted=True) if line.startswith("Every flow"))
    assert "Check that the access key belongs to the right account" in line
    assert line.endswith(f"Once it is right: {AGAIN}")


@pytest.mark.parametrize(
    ("run", "never_deleted"),
    [(ABSENT, False), (ABSENT | {State.REFUSED: 1}, True), ({State.INVALID: 1}, True), ({}, True)],
)
def test_other_runs_say_nothing_of_that(run: dict[State, int], *, never_deleted: bool) -> None:
    assert not any(line.startswith("Every flow") for line in told(counts=run, never_deleted=never_deleted))


def test_a_rehearsal_has_no_command_to_go_on() -> None:
    end = describe(RunEnd(summary(Ending.LIMIT, counts={State.PENDING: 1}), CHECKPOINT, ""))
    assert "To go on" not in end


def test_a_rehearsal_has_no_command_to_call_flows_again() -> None:
    causes = (Cause(State.REFUSED, "X", 1, (Flow("7"),)),)
    end = describe(
        RunEnd(summary(Ending.INCOMPLETE, counts={State.REFUSED: 1}, causes=causes), CHECKPOINT, "")
    )
    assert "List:" in end
    assert "Retry:" not in end


def test_of_many_codes_the_first_are_shown_and_the_rest_is_named() -> None:
    causes = tuple(Cause(State.REFUSED, f"C{number}", 1, (Flow("7"),)) for number in range(9))
    lines = told(Ending.INCOMPLETE, counts={State.REFUSED: 9}, causes=causes)
    assert lines[-1] == "And 4 more: flowreaper status --json ids.txt.ckpt"
    assert sum(line.startswith("1 refused, C") for line in lines) == 5


def test_where_the_checkpoint_was_taken_away_no_command_begins_another() -> None:
    causes = (Cause(State.REFUSED, "X", 1, (Flow("7"),)),)
    moved = CheckpointTouchedError("the checkpoint was moved")
    lines = told(Ending.STOPPED, counts={State.REFUSED: 1, State.PENDING: 5}, causes=causes, error=moved)
    assert not any("flowreaper " in line for line in lines)


def test_an_input_that_was_not_read_to_its_end_is_not_called_done() -> None:
    lines = told(Ending.LIMIT, counts={State.DELETED: 3}, read_all=False)
    assert (
        "Checkpoint: ids.txt.ckpt, nothing in it is left to do, but the input was not read to its end"
        in lines
    )
    assert told(Ending.TIME_UP, counts={}, read_all=False)[0].startswith("Time up: ")


def test_a_deletion_that_did_not_happen_is_looked_at_before_the_run_goes_on() -> None:
    counts = {State.DELETED: 5, State.REFUSED: 1, State.PENDING: 9}
    causes = (Cause(State.REFUSED, "X", 1, (Flow("7"),)),)
    error = NotDeletedError("the flow 7 is still there", Advice.VERIFY_FIRST)
    end = RunEnd(
        summary(Ending.STOPPED, counts=counts, causes=causes, error=error),
        CHECKPOINT,
        RESUME,
        verify=VERIFY,
    )
    lines = describe(end).split("\n")
    assert lines[0].startswith("Stopped: the flow 7 is still there. `flowreaper verify` ")
    assert lines[-1] == f"To see what is still there: {VERIFY}"
    assert not any("To go on" in line for line in lines)
    assert any(line.startswith("1 refused, X") for line in lines)
    assert end.next_command == ""


@pytest.mark.parametrize("ending", [Ending.FINISHED, Ending.INCOMPLETE])
def test_a_run_that_deleted_flows_and_left_none_ends_with_the_command_that_proves_it(ending: Ending) -> None:
    causes = (Cause(State.REFUSED, "X", 1, (Flow("7"),)),)
    counts = {State.DELETED: 3, State.REFUSED: 1}
    assert last_line(ending, counts=counts, causes=causes) == f"To prove it: {VERIFY}"


@pytest.mark.parametrize(
    ("ending", "fields"),
    [
        (Ending.LIMIT, {"counts": {State.DELETED: 3, State.PENDING: 1}}),
        (Ending.FINISHED, {"counts": {State.ABSENT: 3}}),
        (Ending.FINISHED, {"counts": {State.DELETED: 3}, "this_run": {}}),
        (Ending.FINISHED, {"counts": {State.DELETED: 3}, "verify": ""}),
    ],
    ids=["flows are left", "all were absent", "an earlier run deleted them", "a rehearsal"],
)
def test_other_runs_name_no_proof(ending: Ending, fields: dict[str, Any]) -> None:
    assert "To prove it" not in last_line(ending, **fields)
