"""The facts of a run before its first call, for people and for programs."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from flowreaper.cli.terminal.start import Start, describe, expectation, fields, left_alone
from flowreaper.client.actions import CallerIdentity
from flowreaper.job.dry_run import Plan
from flowreaper.model import Flow, InvalidEntry, State

NOW = datetime(2026, 11, 25, 14, 0, 0, tzinfo=UTC)
HOSTILE = "\x1b[2J\n\u202e"


def plan(**found: Any) -> Plan:
    nothing: dict[str, Any] = {
        "new": 0,
        "unfinished": 0,
        "finished": 0,
        "reopened": 0,
        "repeated": 0,
        "invalid": 0,
        "sample": (),
        "invalid_sample": (),
    }
    return Plan(**(nothing | found))


def start(found: Plan | None = None, **how: Any) -> Start:
    usual: dict[str, Any] = {
        "endpoint": "https://cams.ap-southeast-1.aliyuncs.com",
        "access_key": "LTAI****0001",
        "key_origin": "the environment",
        "checkpoint": Path("ids.txt.ckpt"),
        "counts": {},
        "sources": ("ids.txt",),
        "found": found,
        "rate": 5.0,
    }
    return Start(**(usual | how))


def lines(found: Plan | None = None, **how: Any) -> list[str]:
    return describe(start(found, **how), "Would permanently delete", NOW).split("\n")


def test_a_start_is_one_fact_a_line() -> None:
    assert lines(plan(new=1500, sample=(Flow("1"), Flow("2", "cams-x")))) == [
        "Would permanently delete 1,500 flows",
        "  Endpoint:    https://cams.ap-southeast-1.aliyuncs.com",
        "  Access key:  LTAI****0001, from the environment",
        "  Checkpoint:  ids.txt.ckpt (new)",
        "  Input:       ids.txt: 1,500 new",
        "  Rate:        5 calls per second",
        "  Expected:    5 min, until 14:05:00",
        "  For example: 1, cams-x/2",
    ]


def test_each_number_of_the_input_is_shown_and_what_is_left_out() -> None:
    shown = lines(plan(new=1, unfinished=2, reopened=3, finished=4, repeated=5, invalid=6))
    assert shown[0] == "Would permanently delete 6 flows"
    assert (
        "  Input:       ids.txt: 1 new, 2 unfinished, 3 taken again (--retry);"
        " left out: 4 finished before, 5 repeated, 6 invalid" in shown
    )


def test_flows_that_the_input_does_not_list_are_counted_with_the_way_to_take_them() -> None:
    shown = lines(plan(new=1, unlisted=14), counts={State.PENDING: 14})
    assert "  Checkpoint:  ids.txt.ckpt (0 done, 14 unfinished)" in shown
    assert shown[-1] == (
        "  14 unfinished flows of earlier inputs are not in this input and were left alone;"
        " flowreaper delete -c ids.txt.ckpt takes everything that is unfinished"
    )
    assert left_alone(1, Path("my job.ckpt")) == (
        "1 unfinished flow of earlier inputs is not in this input and was left alone;"
        " flowreaper delete -c 'my job.ckpt' takes everything that is unfinished"
    )


def test_another_access_key_than_last_time_is_a_note() -> None:
    assert lines(plan(new=1), former_key="LTAI****\x1b[31m")[-1] == (
        "  Note: the checkpoint was last used with the access key LTAI****\\x1b[31m. If the present one belongs to"
        " another account, none of these flows will be found, and all will be recorded as absent."
    )


def test_one_flow_is_one_flow() -> None:
    assert lines(plan(new=1))[0] == "Would permanently delete 1 flow"


def test_a_limit_is_what_would_be_deleted() -> None:
    shown = lines(plan(new=100), limit=10)
    assert shown[0] == "Would permanently delete 10 flows"
    assert "  Limit:       the first 10 of 100" in shown
    assert "  Expected:    2 s, until 14:00:02" in shown
    assert not any("Limit" in line for line in lines(plan(new=10), limit=10))


def test_the_pace_is_the_one_that_was_asked_for() -> None:
    shown = lines(plan(new=100), rate=2.5)
    assert "  Rate:        2.5 calls per second" in shown
    assert "  Expected:    40 s, until 14:00:40" in shown


@pytest.mark.parametrize(
    ("flows", "said"),
    [
        (5, "1 s, until 14:00:01"),
        (1_000_000, "55 h 33 min, until Fri 2026-11-27 21:33"),
        (10**18, "55,555,555,555,555 h 33 min, until Fri 9999-12-31 23:59"),
    ],
)
def test_the_end_is_given_by_the_clock(flows: int, said: str) -> None:
    assert expectation(start(), flows, NOW) == said


AT_SIX = datetime(2026, 11, 26, 6, 0, 0, tzinfo=UTC)


def test_a_run_that_is_asked_to_stop_says_when_and_how_many_flows_the_time_allows() -> None:
    shown = lines(plan(new=1_000_000), stops_at=AT_SIX)
    assert "  Stops at:    Thu 2026-11-26 06:00" in shown
    assert "  Expected:    16 h, until it stops; about 288,000 of 1,000,000 flows" in shown
    enough = lines(plan(new=5), stops_at=datetime(2026, 11, 25, 14, 0, 3, tzinfo=UTC))
    assert "  Stops at:    Wed 2026-11-25 14:00:03" in enough
    assert "  Expected:    1 s, until 14:00:01" in enough


def test_a_moment_that_passed_while_a_person_was_asked_allows_no_flow() -> None:
    shown = lines(plan(new=5), stops_at=NOW.replace(hour=13))
    assert "  Expected:    0 s, until it stops; about 0 of 5 flows" in shown


def test_a_program_gets_the_moment_at_which_the_run_stops() -> None:
    facts = fields(start(plan(new=1_000_000), stops_at=AT_SIX), NOW)
    assert (facts["stops_at"], facts["expected_end"], facts["expected_s"]) == (
        "2026-11-26T06:00:00+00:00",
        "2026-11-26T06:00:00+00:00",
        57_600.0,
    )
    assert fields(start(plan(new=5)), NOW)["stops_at"] is None


def test_without_a_key_it_is_said_that_none_was_found() -> None:
    assert "  Access key:  none found" in lines(plan(new=2), access_key=None)


def test_what_a_pipe_will_bring_is_not_counted() -> None:
    shown = lines(plan(), piped=True, sources=("-",))
    assert shown[0] == "Would permanently delete the flows that come from the pipe"
    assert "  Expected:    unknown: the pipe is read as it comes" in shown
    assert lines(plan(unfinished=3), piped=True)[0] == (
        "Would permanently delete 3 flows, and the flows that come from the pipe"
    )

    assert "  Input:       standard input: read as it comes" in shown
    both = lines(plan(new=2), piped=True, sources=("a.txt", "-"))
    assert "  Input:       a.txt, standard input: 2 new, and what the pipe brings" in both


def test_an_input_that_is_read_while_the_run_goes_on_is_not_counted() -> None:
    shown = lines(known=7)
    assert shown[0] == "Would permanently delete 7 flows, and the flows that the input lists"
    assert "  Input:       ids.txt: 7 known so far" in shown
    assert "  Expected:    shown when the input has been read" in shown


def test_without_an_input_everything_unfinished_is_taken() -> None:
    shown = lines(sources=(), known=3, counts={State.PENDING: 3, State.DELETED: 2})
    assert shown[0] == "Would permanently delete 3 flows"
    assert "  Checkpoint:  ids.txt.ckpt (2 done, 3 unfinished)" in shown
    assert "  Input:       everything that is unfinished in the checkpoint" in shown


def test_of_many_sources_a_few_are_named() -> None:
    sources = ("a.txt", "-", "b.txt", "c.txt", "d.txt")
    assert "  Input:       a.txt, standard input, b.txt and 2 more: 1 new" in lines(
        plan(new=1), sources=sources
    )


def test_lines_that_are_no_id_are_shown_with_their_place_and_reason() -> None:
    sample = (InvalidEntry("9.26E+17", "a number that a spreadsheet has rounded", "ids.csv", 7),)
    assert "  Not a flow id: ids.csv, line 7: 9.26E+17 (a number that a spreadsheet has rounded)" in lines(
        plan(new=1, invalid=1, invalid_sample=sample)
    )


def test_nothing_foreign_can_steer_the_terminal() -> None:
    found = plan(
        new=1,
        invalid=1,
        sample=(Flow(HOSTILE, HOSTILE), Flow("9" * 200)),
        invalid_sample=(InvalidEntry(HOSTILE, HOSTILE, HOSTILE, 1),),
    )
    shown = lines(found, sources=(HOSTILE,), key_origin=HOSTILE, checkpoint=Path(HOSTILE), former_key=HOSTILE)
    assert len(shown) == 10
    assert all(line.isprintable() for line in shown)
    assert max(map(len, shown)) < 250


def test_a_program_gets_the_same_facts() -> None:
    facts = fields(start(plan(new=10, unlisted=2), counts={State.PENDING: 2}), NOW)
    assert facts["to_call"] == 10
    assert facts["unlisted"] == 2
    assert facts["checkpoint_counts"] == {"pending": 2}
    assert (facts["expected_s"], facts["expected_end"]) == (2.0, "2026-11-25T14:00:02+00:00")
    unknown = fields(start(known=3), NOW)
    assert (unknown["to_call"], unknown["known"], unknown["expected_end"]) == (None, 3, None)


CALLER = CallerIdentity("1234567890123456", "acs:ram::1234567890123456:user/cleaner", "RAMUser")


def test_the_account_is_shown_by_its_number_with_the_name_of_its_caller() -> None:
    assert "  Account:     1234567890123456 (acs:ram::1234567890123456:user/cleaner)" in lines(
        plan(new=1), caller=CALLER
    )
    shown = fields(start(caller=CALLER), NOW)
    assert (shown["account"], shown["arn"]) == CALLER[:2]


def test_an_account_that_could_not_be_found_out_is_shown_with_the_reason() -> None:
    assert "  Account:     not known: no answer" in lines(plan(new=1), caller_unknown="no answer")
    assert fields(start(), NOW)["account"] is None
    assert not any("Account" in line for line in lines(plan(new=1)))


def test_no_escape_in_the_name_of_a_caller_reaches_the_terminal() -> None:
    shown = describe(start(caller=CALLER._replace(arn=HOSTILE)), "Would delete", NOW)
    assert all(line.isprintable() for line in shown.split("\n"))
