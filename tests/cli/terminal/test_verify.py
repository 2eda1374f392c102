"""A verification as a person reads it, and the signs of its flows."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowreaper.cli.terminal.verify import (
    SIGNS,
    combined_line,
    commands_after,
    describe_end,
    describe_progress,
    describe_scope,
    describe_verification,
)
from flowreaper.errors import OutageError
from flowreaper.job.safeguard_settings import SafeguardSettings
from flowreaper.model import Flow, Reply, State
from flowreaper.store.store import Status
from flowreaper.store.verification import (
    STILL_THERE,
    UNCLEAR,
    Checked,
    CheckResult,
    Extent,
    Scope,
    Suspect,
    Verification,
    VerificationMethod,
)
from tests.samples import AT_MS

PATH = Path("jobs/ids.txt.ckpt")
STATUS = Status("https://cams.example", False, "LTAI****Key1", {}, 0, 0, {})  # noqa: FBT003 -- a field
COMMANDS = commands_after(STATUS, PATH, SafeguardSettings())
FINE = Verification(
    at_ms=AT_MS,
    method=VerificationMethod.LOOK,
    complete=True,
    known=12_345,
    wanted=12_345,
    counts={CheckResult.GONE: 12_345},
)


def checked(result: CheckResult, flow: Flow = Flow("7"), reply: Reply = Reply(0)) -> Checked:  # noqa: B008 -- immutable
    return Checked(Suspect(1, flow, State.DELETED, inferred=False), result, reply)


def end(counts: dict[CheckResult, int], *unclear: Checked) -> list[str]:
    verification = replace(FINE, counts={**FINE.counts, **counts})
    return describe_end(verification, COMMANDS, unclear, None).split("\n")


def test_every_result_has_a_sign_and_what_is_still_there_a_plus() -> None:
    assert set(SIGNS) == set(CheckResult)
    assert {result for result, sign in SIGNS.items() if sign == "+"} == set(STILL_THERE)
    assert {result for result, sign in SIGNS.items() if sign == "?"} == set(UNCLEAR)


def test_a_flow_is_a_line_with_its_space_and_cannot_steer_a_terminal() -> None:
    assert combined_line(checked(CheckResult.GONE)) == "- 7\n"
    assert combined_line(checked(CheckResult.KEPT, Flow("7", "cams-x"))) == "= 7 cams-x\n"
    assert combined_line(checked(CheckResult.REMAINS, Flow("\x1b[2J\n- 8"))) == "+ \\x1b[2J\\x0a- 8\n"


def test_a_proof_is_one_line() -> None:
    (line,) = end({})
    assert line.startswith("0 of 12,345 deleted or absent flows remain (looked at each; 2023-11-1")


def test_what_a_verification_did_not_see_is_said_beside_what_it_found() -> None:
    sample = replace(FINE, wanted=100, counts={CheckResult.GONE: 59, CheckResult.UNKNOWN: 1}, complete=False)
    assert describe_verification(sample).startswith(
        "0 of 59 deleted or absent flows remain (looked at each; a sample of 100 of 12,345; cut short, 40 not checked;"
        " 1 could not be looked at; "
    )
    listed = replace(FINE, method=VerificationMethod.LISTING)
    assert "(listed, and looked at each that a listing shows; " in describe_verification(listed)


def test_confirmed_deletions_that_are_there_come_with_the_commands_that_see_and_delete_them() -> None:
    _, keep, see, again = end({CheckResult.REMAINS: 2})
    assert keep == "  2 keep their outcome, which the service gave: were they made anew under the same id?"
    assert see == "  To see them: flowreaper results --remaining jobs/ids.txt.ckpt"
    assert again == (
        "  To delete them in a new job: flowreaper results --remaining jobs/ids.txt.ckpt"
        " | flowreaper delete --endpoint https://cams.example -c ids.txt.remaining.ckpt --only-drafts -"
    )


@pytest.mark.parametrize(
    ("safeguards", "options"),
    [
        (SafeguardSettings(), "--only-drafts"),
        (SafeguardSettings(only_drafts=True), "--only-drafts"),
        (SafeguardSettings(only_drafts=True, keep_used=False), "--only-drafts --no-keep-used"),
        (SafeguardSettings(keep_used=True), "--only-drafts"),
        (SafeguardSettings(backup=Path("/my saved")), "--only-drafts --backup '/my saved'"),
        (SafeguardSettings(canary=5), "--only-drafts --canary 5"),
    ],
)
def test_the_new_job_is_at_least_as_careful_as_the_one_that_was_verified(
    safeguards: SafeguardSettings, options: str
) -> None:
    commands = commands_after(STATUS, PATH, safeguards.after({}))
    assert commands.delete.endswith(f" -c ids.txt.remaining.ckpt {options} -")


def test_what_is_pending_again_comes_with_the_command_that_goes_on() -> None:
    lines = end({CheckResult.REOPENED: 1, CheckResult.SETTLED_PENDING: 3, CheckResult.SETTLED_DELETED: 1})
    assert lines[1:] == [
        "  1 flow, deleted by inference only, will be called again",
        "In doubt before: 1 deleted, by inference, 3 still there, to be called again",
        "To go on: flowreaper delete --endpoint https://cams.example -c jobs/ids.txt.ckpt",
    ]
    assert end({CheckResult.SETTLED_REFUSED: 2})[1:] == [
        "In doubt before: 2 still there, as the refusal said"
    ]


def test_kept_flows_are_counted_and_one_that_is_gone_is_a_warning() -> None:
    _, there, gone = end({CheckResult.KEPT: 4, CheckResult.KEPT_GONE: 1})
    assert there == "Kept, and there: 4 flows"
    assert gone.startswith(
        "Kept, but gone: 1 flow. This job did not delete it: something else did, or the access key"
    )


def test_flows_that_could_not_be_looked_at_are_shown_with_the_reason_three_at_most() -> None:
    reply = Reply(400, "Odd\x1b", "not so")
    unclear = [checked(CheckResult.UNKNOWN, Flow(str(n), "cams-x"), reply) for n in range(5)]
    lines = end({CheckResult.UNKNOWN: 4, CheckResult.KEPT_UNKNOWN: 1}, *unclear)
    assert lines[1:] == [
        "5 flows could not be looked at:",
        *(f"  cams-x/{n}: HTTP 400 Odd\\x1b: not so" for n in range(3)),
    ]


def test_what_stopped_it_comes_first_and_that_nothing_is_lost_last() -> None:
    cut = replace(FINE, complete=False)
    lines = describe_end(cut, COMMANDS, (), OutageError("nothing answers")).split("\n")
    assert lines[0] == "Stopped: nothing answers"
    assert (
        lines[-1] == "What was found so far is in the checkpoint; the same command checks all of them again"
    )
    nothing = replace(cut, counts={})
    assert describe_end(nothing, COMMANDS, (), None) == "No flow was checked"


@pytest.mark.parametrize(
    ("scope", "extent", "text"),
    [
        (
            Scope(12_345, 12_345, 12_348),
            Extent(),
            "12,345 deleted or absent flows and 3 in doubt or kept, about 41 min 10 s at 5 calls/s",
        ),
        (
            Scope(12_345, 50, 51),
            Extent(sample=50, seed=7),
            (
                "a sample of 50 of 12,345 deleted or absent flows (again with --seed 7) and 1 in doubt, about 10 s at 5"
                " calls/s"
            ),
        ),
        (
            Scope(1, 1, 1),
            Extent(method=VerificationMethod.LISTING),
            "1 deleted or absent flow, by listing their spaces",
        ),
    ],
)
def test_the_start_says_what_is_checked_and_how_long_that_takes(
    scope: Scope, extent: Extent, text: str
) -> None:
    assert describe_scope(scope, extent, 5.0, PATH) == f"Verifying jobs/ids.txt.ckpt: {text}"


@given(st.integers(0, 10**7), st.integers(0, 10**7), st.floats(0, 1e7))
def test_progress_can_be_told_at_any_moment(done: int, left: int, seconds: float) -> None:
    text = describe_progress(done, done + left, 2, seconds)
    assert text.startswith(f"{done:,}/{done + left:,} checked  2 still there  ")
    assert "\n" not in text


def test_what_remains_is_deleted_with_the_safeguards_that_its_job_had() -> None:
    safeguards = SafeguardSettings(only_drafts=True, backup=Path("/saved")).after({})
    command = commands_after(STATUS, PATH, safeguards).delete
    assert command.endswith(" -c ids.txt.remaining.ckpt --only-drafts --backup /saved -")
