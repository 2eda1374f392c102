"""How far jobs are, as a person reads it."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from flowreaper.cli.terminal.status import Pace, describe, describe_in_a_line, describe_on_screen, pace_of
from flowreaper.model import Cause, Ending, Flow, State
from flowreaper.store.history import Minute
from flowreaper.store.overview import Overview
from flowreaper.store.store import Holder, Status
from flowreaper.store.verification import CheckResult, Remaining, Verification, VerificationMethod
from tests.samples import AT_MS, PAST_RUN

PATH = Path("job.ckpt")
BEGUN_S = AT_MS // 60_000 * 60
NOW = datetime.fromtimestamp(BEGUN_S + 303, UTC)  # 22:18:03 on 2023-11-14, a Tuesday
HOLDER = Holder(PAST_RUN.pid, PAST_RUN.host, datetime.fromtimestamp(BEGUN_S, UTC))
WHO = "A run is going on (pid 42 on here since 2023-11-14T22:13:00+00:00)"


def overview(*, live: bool = False, **more: object) -> Overview:
    codes = {
        State.DELETED: {"OK": 388},
        State.REFUSED: {"Some.Code": 10, "Other": 2},
        State.PENDING: {"": 600},
    }
    status = Status(
        endpoint="https://cams.example",
        sandbox=False,
        access_key="LTAI****Key1",
        states={state: sum(counts.values()) for state, counts in codes.items()},
        inferred=0,
        in_doubt=0,
        codes=codes,
        live=live,
        holder=HOLDER if live else None,
    )
    usual = Overview(status=status, sources={"ids.txt": 1000}, spaces={"": 1000})
    return replace(usual, **more)  # type: ignore[arg-type]  # fields of Overview


def told(overview: Overview, now: datetime = NOW) -> list[str]:
    return describe(overview, PATH, now, "flowreaper delete -c job.ckpt").split("\n")


def test_a_job_says_where_it_is_from_and_how_far_it_is() -> None:
    assert told(overview()) == [
        "job.ckpt: https://cams.example, access key LTAI****Key1",
        "Read from ids.txt (1,000)",
        "   pending          600",
        "   deleted          388",
        "   refused           12",
        "                     10  Some.Code",
        "                      2  Other",
        "     total        1,000",
        "To go on: flowreaper delete -c job.ckpt",
    ]


def test_a_live_job_and_a_rehearsal_have_nothing_to_go_on_with() -> None:
    assert not any("To go on" in line for line in told(overview(live=True)))
    assert "To go on" not in describe(overview(), PATH, NOW, "")


def test_spaces_are_shown_where_there_are_any_and_of_many_the_largest() -> None:
    spaces = {"": 990} | {f"cams-{number}": 1 for number in range(10)}
    assert (
        "Spaces: the account's own (990), cams-0 (1), cams-1 (1), cams-2 (1), cams-3 (1) and 6 more"
        in told(overview(spaces=spaces))
    )


LIVE_RUN = replace(PAST_RUN, number=2, started_at_ms=BEGUN_S * 1000, seen_at_ms=BEGUN_S * 1000 + 300_000)
MINUTES = (
    Minute(run=1, at_s=BEGUN_S, calls=9999),
    *(
        Minute(run=2, at_s=BEGUN_S + 60 * number, calls=calls, deleted=calls * 4 // 5, throttled=calls // 5)
        for number, calls in enumerate((10, 60, 300, 300, 300))
    ),
)


def test_a_live_run_says_which_one_it_is_its_pace_and_when_it_ends() -> None:
    lines = told(overview(live=True, runs=(PAST_RUN, LIVE_RUN), minutes=MINUTES))
    (line,) = (line for line in lines if line.startswith("A run is going on"))
    assert line == f"{WHO}: 5.0 calls/s, 2 min 30 s for all that is unfinished, until Tue 2023-11-14 22:20"


@pytest.mark.parametrize(("away_s", "seen"), [(15, "going on"), (20, "going on, last seen 20 s ago")])
def test_a_live_run_that_is_not_seen_says_so_and_has_no_pace(away_s: int, seen: str) -> None:
    stands = overview(live=True, runs=(PAST_RUN, LIVE_RUN), minutes=MINUTES)
    now = datetime.fromtimestamp(LIVE_RUN.seen_at_ms / 1000 + away_s, UTC)
    (line,) = (line for line in told(stands, now) if line.startswith("A run is going on"))
    assert ("calls/s" in line) == (away_s <= 15)
    assert (line == f"{WHO}, last seen 20 s ago: it hangs, or was stopped (Ctrl-Z)") == (away_s > 15)
    assert seen in told(stands, now)[-1]
    assert ("last seen 20 s ago" in describe_in_a_line(stands, PATH, 0, now)) == (away_s > 15)


def test_a_run_that_calls_without_an_outcome_says_nothing_of_an_end() -> None:
    minutes = (Minute(run=2, at_s=BEGUN_S + 240, calls=300, throttled=300),)
    assert f"{WHO}: 5.0 calls/s" in told(overview(live=True, runs=(LIVE_RUN,), minutes=minutes))
    rare = (Minute(run=2, at_s=BEGUN_S + 240, calls=300, deleted=1),)
    stands = overview(live=True, runs=(LIVE_RUN,), minutes=rare)
    states = {State.PENDING: 10**15}
    assert f"{WHO}: 5.0 calls/s" in told(replace(stands, status=replace(stands.status, states=states)))


def test_the_pace_is_that_of_the_last_minutes_of_the_live_run() -> None:
    assert pace_of(overview(live=True, runs=(PAST_RUN, LIVE_RUN), minutes=MINUTES)) == Pace(5.0, 4.0)
    begun = replace(LIVE_RUN, started_at_ms=BEGUN_S * 1000 + 30_000, seen_at_ms=BEGUN_S * 1000 + 50_000)
    first = (Minute(run=2, at_s=BEGUN_S, calls=80, deleted=20, absent=10, refused=10),)
    assert pace_of(overview(live=True, runs=(begun,), minutes=first)) == Pace(4.0, 2.0)


def test_the_pace_is_of_minutes_without_a_gap_as_a_run_that_sleeps_or_has_no_work_has_none() -> None:
    woke = replace(LIVE_RUN, seen_at_ms=BEGUN_S * 1000 + 7_260_000)
    minutes = tuple(Minute(run=2, at_s=BEGUN_S + at_s, calls=300) for at_s in (0, 60, 7200))
    assert pace_of(overview(live=True, runs=(woke,), minutes=minutes)) == Pace(5.0, 0.0)
    idle = replace(LIVE_RUN, seen_at_ms=BEGUN_S * 1000 + 300_000)
    assert pace_of(overview(live=True, runs=(idle,), minutes=minutes[:2])) is None


@pytest.mark.parametrize(
    "unknown",
    [
        overview(live=False, runs=(LIVE_RUN,), minutes=MINUTES),
        overview(live=True),
        overview(live=True, runs=(LIVE_RUN,)),
        overview(live=True, runs=(replace(LIVE_RUN, ended_at_ms=1),), minutes=MINUTES),
        overview(live=True, runs=(replace(LIVE_RUN, seen_at_ms=0),), minutes=MINUTES),
        overview(live=True, runs=(replace(LIVE_RUN, pid=43),), minutes=MINUTES),
    ],
)
def test_without_a_live_run_that_has_called_there_is_no_pace(unknown: Overview) -> None:
    assert pace_of(unknown) is None


def test_runs_are_listed_with_their_ending_and_what_stopped_them() -> None:
    ended = replace(
        LIVE_RUN,
        ended_at_ms=LIVE_RUN.seen_at_ms,
        ending=Ending.STOPPED,
        error="no permission\x1b",
        counts={State.DELETED: 388, State.GAVE_UP: 1},
        calls=400,
        throttled=3,
    )
    lines = [
        line
        for line in told(overview(runs=(replace(PAST_RUN, number=1), ended)))
        if "Run" in line or "no p" in line
    ]
    assert lines[0].endswith(", 0 s, cut off; no outcome; 0 calls")
    assert lines[1].endswith(", 5 min, stopped; 388 deleted, 1 given up; 400 calls, 3 throttled")
    assert lines[2] == r"  no permission\x1b"


def test_the_run_that_goes_on_was_not_cut_off() -> None:
    lines = told(overview(live=True, runs=(replace(PAST_RUN, number=1), LIVE_RUN)))
    assert [("cut off" in line, line.endswith("going on")) for line in lines if line.startswith("Run ")] == [
        (True, False),
        (False, True),
    ]


def test_a_run_that_was_cut_off_does_not_go_on_because_another_has_the_checkpoint() -> None:
    """In containers, every run may have the same pid and host."""
    dead = replace(LIVE_RUN, number=1, started_at_ms=BEGUN_S * 1000 - 1)
    lines = told(overview(live=True, runs=(dead,), minutes=MINUTES))
    assert WHO in lines
    assert ", cut off; " in lines[-1]


def test_of_very_many_runs_the_last_are_shown() -> None:
    runs = tuple(replace(PAST_RUN, number=number) for number in range(1, 26))
    lines = [line for line in told(overview(runs=runs)) if line.startswith("Run")]
    assert lines[0] == "Runs 1 to 15 are not shown; --json has them"
    assert lines[-1].startswith("Run 25: ")


def test_what_failed_comes_with_its_meaning_and_commands() -> None:
    causes = (
        Cause(State.REFUSED, "Some.Code", 10, (Flow("7"),)),
        Cause(State.ABSENT, "Gone", 1, (Flow("8"),)),
    )
    lines = told(overview(causes=causes))
    assert any(line.startswith("10 refused, Some.Code: ") for line in lines)
    assert not any("Gone" in line for line in lines)


@pytest.mark.parametrize(
    ("seen", "line"),
    [
        (overview(), "job.ckpt    400 of 1,000 done, 12 refused; no run is known"),
        (overview(live=True), "job.ckpt    400 of 1,000 done, 12 refused; a run is going on"),
    ],
)
def test_each_of_several_jobs_is_a_line(seen: Overview, line: str) -> None:
    assert describe_in_a_line(seen, PATH, 10, NOW) == line


def test_a_line_says_how_and_when_the_last_run_ended() -> None:
    ended = replace(PAST_RUN, ending=Ending.TIME_UP, ended_at_ms=AT_MS)
    assert "; last run: time up, 2023-11-1" in describe_in_a_line(overview(runs=(ended,)), PATH, 0, NOW)


def test_on_a_screen_it_takes_no_more_than_there_is_and_no_commands() -> None:
    causes = (Cause(State.REFUSED, "Some.Code", 10, (Flow("7"),)),)
    seen = overview(live=True, runs=(LIVE_RUN,), minutes=MINUTES, causes=causes)
    shown = describe_on_screen(seen, PATH, NOW, 40, 6).split("\n")
    assert len(shown) == 5
    assert max(map(len, shown)) == 39
    assert "List:" not in describe_on_screen(seen, PATH, NOW, 200, 100)


def test_a_run_that_was_cut_off_has_done_at_least_what_it_kept() -> None:
    cut_off = replace(PAST_RUN, number=1, counts={State.DELETED: 12}, calls=1)
    (line,) = (line for line in told(overview(runs=(cut_off,))) if line.startswith("Run 1"))
    assert line.endswith(", cut off; at least 12 deleted; 1 call")


def test_the_account_is_shown_by_its_number_where_a_run_has_asked_for_it() -> None:
    usual = overview()
    known = replace(usual, status=replace(usual.status, account="42", arn="acs:ram::42:user/\x1b[2J"))
    assert told(known)[1].startswith("Account: 42 (acs:ram::42:user/")
    assert all(line.isprintable() for line in told(known))
    assert not any(line.startswith("Account") for line in told(usual))


def test_the_latest_verification_is_shown_and_what_earlier_ones_found() -> None:
    first = Verification(
        at_ms=AT_MS,
        method=VerificationMethod.LOOK,
        complete=True,
        known=388,
        wanted=388,
        counts={CheckResult.GONE: 386, CheckResult.REMAINS: 2},
    )
    last = replace(first, wanted=10, counts={CheckResult.GONE: 10})
    lines = told(overview(verifications=(first, last), remaining=Remaining(flows=2)))
    (place,) = (place for place, line in enumerate(lines) if line.startswith("Verified: "))
    assert lines[place].startswith(
        "Verified: 0 of 10 deleted or absent flows remain (looked at each; a sample of 10 of 388;"
    )
    assert lines[place + 1].startswith("  the latest of all flows: 2 of 388 deleted or absent flows remain (")
    assert lines[place + 2] == "  by earlier verifications: 2 flows remain"
    lines = told(overview(verifications=(first,), remaining=Remaining(flows=2)))
    assert any(line.startswith("Verified: 2 of 388 ") for line in lines)
    assert not any("earlier" in line for line in lines)
