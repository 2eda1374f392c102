"""What a person reads of a restore, at its beginning and at its end."""

import json
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from flowreaper.cli.terminal.restore import (
    RestoreStart,
    describe,
    describe_end,
    known_record,
    record_line,
    trouble_line,
)
from flowreaper.client.actions import CallerIdentity
from flowreaper.errors import OutageError
from flowreaper.job.restoration import RestorePlan, RestoreSummary
from flowreaper.model import Ending
from flowreaper.safeguards.backup_entry import entry_of
from flowreaper.safeguards.restoration import Json, Restored, Result
from flowreaper.safeguards.restore_journal import Draft, Step
from tests.safeguards.samples import ORIGIN, saved

ENTRY = entry_of(saved("346699123", name="pro\x1b[31mmo"), "account/346699123", ORIGIN)
ENTRY_WITHOUT_JSON = entry_of(saved("346699123", content=None), "account/346699123", ORIGIN)
PLAN = RestorePlan(
    held=5,
    places=(0, 1, 2),
    known=(3,),
    known_empty=1,
    drafts={},
    accounts=frozenset({"1000000000000001"}),
    rehearsed=0,
    filled=1,
    looked_at=0,
    were_there=0,
    unanswered=1,
    without_json=0,
    left=1,
    unreadable=(),
)


def start(base_url: str = "", **plan: Any) -> RestoreStart:
    return RestoreStart(
        folder="saved",
        endpoint="https://cams.example",
        access_key="LTAI****Key1",
        caller=CallerIdentity("1000000000000001", "acs:ram::1000000000000001:user/\x1bx", "RAMUser"),
        json_base_url=base_url,
        plan=replace(PLAN, **plan),
        fill_command="flowreaper restore --json-base-url URL saved",
        resume="flowreaper restore saved",
    )


def summary(ending: Ending = Ending.FINISHED, **counts: int) -> RestoreSummary:
    made = RestoreSummary(ending)
    made.results = Counter({result: counts.get(result.value, 0) for result in Result})
    made.json = Counter({each: counts.get(f"json_{each.value}", 0) for each in Json})
    made.left = counts.get("left", 0)
    return made


def test_the_plan_says_what_will_be_made_and_what_will_not() -> None:
    assert describe(start(), "About to make") == (
        "About to make 2 drafts from the backup saved\n"
        "  Endpoint:    https://cams.example\n"
        "  Access key:  LTAI****Key1\n"
        "  Account:     1000000000000001 (acs:ram::1000000000000001:user/\\x1bx)\n"
        "  Saved from:  1000000000000001\n"
        "  Flows:       5 in the backup; 1 restored before; JSON for 1 draft of an earlier run;"
        " 1 may have a draft, since a call had no answer: looked for by name first; 1 beyond the limit\n"
        "  JSON:        none, so the drafts will be empty (--json-base-url)"
    )


def test_the_plan_says_that_flows_are_looked_at_first() -> None:
    lines = describe(start(looked_at=2, were_there=1), "Would make").splitlines()
    assert lines[0] == "Would make up to 2 drafts from the backup saved"
    assert (
        "  Look first:  2 flows (GetFlow): one that is still there gets no draft;"
        " 1 still there when an earlier run looked"
    ) in lines
    assert "  Look first:  1 flow (GetFlow): one that is still there gets no draft" in describe(
        start(looked_at=1), "Making"
    )


@pytest.mark.parametrize(
    ("base_url", "plan", "line"),
    [
        ("https://f.example", {}, "  JSON:        fetched by the service from https://f.example"),
        ("", {"without_json": 3}, "  JSON:        these flows had none"),
    ],
)
def test_the_plan_says_where_the_json_comes_from(base_url: str, plan: dict[str, Any], line: str) -> None:
    assert line in describe(start(base_url, **plan), "About to make").splitlines()


def test_lines_that_cannot_be_read_are_not_passed_over_in_silence() -> None:
    text = describe(start(unreadable=(3, 7, 8, 9, 10, 11)), "Making")
    assert "lines of index.jsonl that cannot be read: 6 (number 3, 7, 8, 9, 10)" in text


def test_a_record_is_a_json_line_that_steers_no_terminal() -> None:
    line = record_line(Restored(ENTRY, Result.CREATED, "71", Json.NOT_SET))
    assert line.isascii()
    assert "\x1b" not in line
    assert json.loads(line) == {
        "flow_id": "346699123",
        "cust_space_id": "",
        "new_flow_id": "71",
        "name": "pro\x1b[31mmo",
        "result": "created",
        "json": "not_set",
        "file": "account/346699123/flow.json",
        "message": None,
    }


def test_a_record_of_a_flow_without_a_draft_has_no_new_id_and_no_json() -> None:
    record = json.loads(record_line(Restored(ENTRY, Result.REFUSED, "", Json.NOT_SET, "why")))
    assert (record["new_flow_id"], record["json"], record["message"]) == (None, None, "why")


def test_what_an_earlier_run_did_is_recorded_alike() -> None:
    at = datetime(2026, 11, 25, tzinfo=UTC)
    assert known_record(ENTRY, Draft(Step.CREATED, "71", at)).json is Json.NOT_SET
    assert known_record(ENTRY, Draft(Step.JSON_SET, "71", at)).json is Json.SET
    assert known_record(ENTRY_WITHOUT_JSON, Draft(Step.CREATED, "71", at)).json is Json.NONE


@pytest.mark.parametrize(
    ("result", "set_json", "begins"),
    [
        (Result.REFUSED, Json.NOT_SET, "Refused: 346699123 (pro\\x1b[31mmo): why"),
        (Result.UNSURE, Json.NOT_SET, "Unsure: 346699123"),
        (Result.DAMAGED, Json.NOT_SET, "Damaged: 346699123"),
        (Result.CREATED, Json.REFUSED, "JSON refused: 346699123"),
    ],
)
def test_a_flow_that_did_not_become_what_was_wanted_has_a_line(
    result: Result, set_json: Json, begins: str
) -> None:
    assert trouble_line(Restored(ENTRY, result, "", set_json, "why")).startswith(begins)


def test_a_flow_that_is_still_there_has_a_record_and_no_line_of_trouble() -> None:
    there = Restored(ENTRY, Result.THERE, "", Json.NOT_SET, "the flow is still there (DRAFT)")
    record = json.loads(record_line(there))
    assert (record["result"], record["new_flow_id"], record["json"]) == ("there", None, None)
    assert record["message"] == "the flow is still there (DRAFT)"
    assert trouble_line(there) == ""


@pytest.mark.parametrize("set_json", [Json.SET, Json.NOT_SET, Json.NONE])
def test_a_flow_that_did_has_none(set_json: Json) -> None:
    assert trouble_line(Restored(ENTRY, Result.CREATED, "71", set_json)) == ""


def test_the_end_says_how_to_fill_empty_drafts_and_how_to_go_on() -> None:
    end = summary(Ending.LIMIT, created=2, json_not_set=2, left=1)
    assert describe_end(start(), end) == (
        "Limit reached: 2 drafts made, 1 made by an earlier run.\n"
        "1 flow is left.\n"
        "3 drafts are empty: the service fetches a flow's JSON from a URL, and none was given. Either put the folder"
        " saved where the service can fetch it, and run\n"
        "  flowreaper restore --json-base-url URL saved\n"
        "or upload each file by hand: standard output and restored.jsonl name the file of each new flow.\n"
        "To go on: flowreaper restore saved"
    )


def test_the_end_counts_what_went_wrong() -> None:
    counts = {
        "created": 1,
        "there": 6,
        "refused": 2,
        "unsure": 3,
        "damaged": 4,
        "json_set": 1,
        "json_refused": 5,
    }
    text = describe_end(
        start("https://f.example", known=(), known_empty=0), summary(Ending.INCOMPLETE, **counts)
    )
    assert text == (
        "Restored in part: 1 draft made, 6 still there and left alone, 2 refused, 3 unsure, 4 damaged, JSON set for 1, JSON refused for 5."
    )


def test_a_stopped_run_says_how_many_are_left() -> None:
    end = summary(Ending.STOPPED, created=1, left=2)
    end.error = OutageError("nothing answers")
    text = describe_end(start(known=(), known_empty=0), end)
    assert text.splitlines() == [
        "Stopped: 1 draft made.",
        "2 flows are left.",
        "To go on: flowreaper restore saved",
    ]
