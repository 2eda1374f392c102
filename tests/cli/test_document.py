"""The documents of status and summary: the same names for the same things, each of them documented."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from flowreaper.cli import document
from flowreaper.cli.document import (
    job_document,
    refusal_document,
    run_document,
    summary_document,
    verification_summary,
)
from flowreaper.cli.terminal.summary import RunEnd
from flowreaper.cli.terminal.verify import VerifyCommands
from flowreaper.errors import FatalReplyError
from flowreaper.job.summary import Summary
from flowreaper.model import Cause, Ending, Flow, State
from flowreaper.store.overview import Overview
from flowreaper.store.store import Status
from flowreaper.store.verification import CheckResult, Remaining, Verification, VerificationMethod, Verified
from tests.samples import AT, AT_MS, PAST_RUN

CAUSE = Cause(State.REFUSED, "Some.Code", 3, (Flow("7", "cams-a"), Flow("8")))
RUN = replace(
    PAST_RUN,
    number=1,
    seen_at_ms=AT_MS + 60_000,
    ended_at_ms=AT_MS + 60_000,
    ending=Ending.LIMIT,
    counts={State.DELETED: 290},
    calls=297,
    throttled=7,
)
OVERVIEW = Overview(
    status=Status(
        endpoint="https://cams.example",
        sandbox=False,
        access_key="LTAI****Key1",
        states={State.REFUSED: 3, State.PENDING: 4},
        inferred=0,
        in_doubt=1,
        codes={State.REFUSED: {"Some.Code": 3}, State.PENDING: {"": 4}},
    ),
    causes=(CAUSE,),
    sources={"ids.txt": 7},
    spaces={"": 6, "cams-a": 1},
    runs=(RUN,),
)
VERIFICATION = Verification(
    at_ms=AT_MS,
    method=VerificationMethod.LOOK,
    complete=True,
    known=9,
    wanted=3,
    counts={CheckResult.GONE: 1, CheckResult.REMAINS: 1, CheckResult.REOPENED: 1},
)
PATH = Path("job.ckpt")
DELETE = "flowreaper delete -c job.ckpt"


def end(ending: Ending = Ending.LIMIT, error: Exception | None = None) -> RunEnd:
    counts = {State.DELETED: 290, State.PENDING: 4}
    summary = Summary(
        ending, counts, {State.DELETED: 290}, seconds=60.0, calls=297, throttled=7, repeated=2, error=error
    )
    return RunEnd(
        summary, PATH, "flowreaper delete ids.txt", delete="flowreaper delete --profile p -c job.ckpt"
    )


def test_a_job_has_its_counts_causes_and_runs() -> None:
    found = json.loads(json.dumps(job_document(OVERVIEW, PATH, DELETE)))
    assert found["states"] == dict.fromkeys([state.value for state in State], 0) | {
        "refused": 3,
        "pending": 4,
    }
    assert found["total"] == 7
    (cause,) = found["causes"]
    assert cause["sample"] == [
        {"flow_id": "7", "cust_space_id": "cams-a"},
        {"flow_id": "8", "cust_space_id": None},
    ]
    assert cause["retry"].endswith(
        " && flowreaper delete -c job.ckpt --retry refused job.refused.Some.Code.jsonl"
    )
    assert found["resume"] == DELETE
    assert (found["spaces"], found["sources"]) == ({"": 6, "cams-a": 1}, {"ids.txt": 7})
    assert len(found["runs"]) == 1


def test_a_run_of_the_history_says_when_and_how_it_ended() -> None:
    found = run_document(RUN)
    assert (found["started_at"], found["ending"], found["meaning"]) == (AT, "limit", Ending.LIMIT.meaning)
    assert (found["seconds"], found["calls_per_s"], found["counts"]["deleted"]) == (60.0, 4.93, 290)
    cut_off = run_document(PAST_RUN)
    assert (cut_off["ended_at"], cut_off["ending"], cut_off["calls_per_s"]) == (None, None, 0)


def test_a_summary_is_the_jobs_document_and_what_the_run_knows() -> None:
    found = json.loads(json.dumps(summary_document(end(), OVERVIEW, 4)))
    job = json.loads(json.dumps(job_document(OVERVIEW, PATH, end().delete)))
    assert found | job | {"resume": found["resume"]} == found
    assert (found["ending"], found["meaning"], found["exit_status"]) == ("limit", Ending.LIMIT.meaning, 4)
    assert (found["calls"], found["calls_per_s"], found["throttled"], found["left"]) == (297, 4.93, 7, 4)
    assert found["this_run"]["deleted"] == 290
    assert found["resume"] == "flowreaper delete ids.txt"
    assert "--profile p" in found["causes"][0]["retry"]


def test_a_summary_has_every_name_of_a_status() -> None:
    assert summary_document(end(), OVERVIEW, 4).keys() > job_document(OVERVIEW, PATH, DELETE).keys()


def test_where_the_checkpoint_cannot_be_read_the_run_is_still_told() -> None:
    found = summary_document(end(Ending.STOPPED, FatalReplyError("no permission")), None, 3)
    assert (found["ending"], found["error"], found["exit_status"]) == ("stopped", "no permission", 3)
    assert "states" not in found


@pytest.mark.parametrize(
    "made",
    [
        job_document(OVERVIEW, PATH, DELETE),
        run_document(RUN),
        summary_document(end(), OVERVIEW, 4),
        refusal_document(PATH, "why", 2),
    ],
    ids=["job", "run", "summary", "refusal"],
)
def test_every_name_is_documented(made: dict[str, object]) -> None:
    names = set(re.findall(r"[a-z_]+", document.__doc__ or ""))
    assert made.keys() <= names


def test_a_rehearsal_has_no_command_that_calls_the_real_service() -> None:
    found = job_document(OVERVIEW, PATH, "")
    assert (found["resume"], found["causes"][0]["retry"]) == (None, None)


def test_while_a_run_goes_on_there_is_nothing_to_resume() -> None:
    live = replace(OVERVIEW, status=replace(OVERVIEW.status, live=True))
    assert job_document(live, PATH, DELETE)["resume"] is None


def test_a_job_has_its_account_by_number_and_null_where_nobody_asked() -> None:
    assert (job_document(OVERVIEW, PATH, DELETE)["account"], job_document(OVERVIEW, PATH, DELETE)["arn"]) == (
        None,
        None,
    )
    status = replace(OVERVIEW.status, account="42", arn="acs:ram::42:root")
    shown = job_document(replace(OVERVIEW, status=status), PATH, DELETE)
    assert (shown["account"], shown["arn"]) == ("42", "acs:ram::42:root")


def test_a_job_has_its_verifications_and_how_many_flows_remain() -> None:
    overview = replace(OVERVIEW, verifications=(VERIFICATION,), remaining=Remaining(flows=4))
    found = job_document(overview, PATH, DELETE)
    assert found["remaining"] == 4
    (made,) = found["verifications"]
    assert made["checks"] == {check.value: VERIFICATION.count(check) for check in CheckResult}
    assert made | {"at": AT, "method": "look", "known": 9, "wanted": 3, "checked": 3, "remain": 2} == made
    assert made["proves"] is False


def test_a_verification_names_what_to_do_only_where_there_is_something() -> None:
    commands = VerifyCommands("resume", "list", "delete")
    found = verification_summary(Verified(VERIFICATION, FatalReplyError("no")), PATH, commands, 3)
    assert (found["resume"], found["delete_remaining"]) == ("resume", "delete")
    assert (found["exit_status"], found["error"]) == (3, "no")
    fine = replace(VERIFICATION, counts={CheckResult.GONE: 3})
    found = verification_summary(Verified(fine), PATH, commands, 0)
    assert (found["resume"], found["delete_remaining"], found["error"]) == (None, None, None)
    assert found["proves"] is True
