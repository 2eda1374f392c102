"""Outcomes, rows and invalid lines become records of one shape."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowreaper.model import Flow, Record, Reply, State
from flowreaper.store.records import record_of, record_of_invalid, record_of_row, source_name, utc_time
from tests.samples import AT, AT_MS, REFUSAL, claim, invalid, outcome


def test_an_outcome_becomes_a_record() -> None:
    claimed = claim(7, "7", "cams-a")
    assert record_of(outcome(claimed, State.REFUSED, REFUSAL, in_doubt=True, attempts=3)) == Record(
        "7",
        "cams-a",
        State.REFUSED,
        inferred=False,
        in_doubt=True,
        attempts=3,
        http_status=400,
        code="Some.Code",
        message="no",
        request_id="RID-2",
        source="ids.txt",
        line=7,
        finished_at=AT,
    )


def test_what_is_not_known_is_none() -> None:
    record = record_of(outcome(claim(), State.GAVE_UP, Reply(0)))
    unknown = (record.cust_space_id, record.http_status, record.code, record.message, record.request_id)
    assert unknown == (None,) * 5


def test_an_invalid_line_becomes_a_record_with_its_reason_as_message() -> None:
    record = record_of_invalid(invalid("x y"), AT_MS)
    assert (record.flow_id, record.state, record.message) == ("x y", State.INVALID, "the reason")
    assert (record.source, record.line, record.finished_at, record.attempts) == ("ids.txt", 9, AT, 0)


@pytest.mark.parametrize(
    ("kept", "shown"),
    [
        ("-", "stdin"),
        ("stdin", "./stdin"),
        ("./stdin", "./stdin"),
        ("./-", "./-"),
        ("ids.txt", "ids.txt"),
        ("", ""),
    ],
)
def test_standard_input_is_named_so_and_differs_from_every_file(kept: str, shown: str) -> None:
    assert source_name(kept) == shown
    assert record_of_row(Flow("7"), State.PENDING, source=kept, line=1).source == shown


@pytest.mark.parametrize("state", list(State))
def test_a_claimed_row_is_in_doubt_for_its_call_may_have_been_sent(state: State) -> None:
    record = record_of_row(Flow("7", ""), state, source=None, line=7)
    assert record.in_doubt is (state is State.CLAIMED)
    assert (record.source, record.finished_at, record.code) == (None, None, None)


@pytest.mark.parametrize(
    ("at_ms", "expected"),
    [(0, "1970-01-01T00:00:00.000Z"), (AT_MS, AT), (-1, "1969-12-31T23:59:59.999Z")],
)
def test_times_are_utc_with_milliseconds(at_ms: int, expected: str) -> None:
    assert utc_time(at_ms) == expected


@given(st.datetimes(timezones=st.just(UTC)))
def test_a_time_comes_back_to_the_millisecond(at: datetime) -> None:
    at = at.replace(microsecond=at.microsecond // 1000 * 1000)
    at_ms = (at - datetime(1970, 1, 1, tzinfo=UTC)) // (datetime.resolution * 1000)
    assert datetime.fromisoformat(utc_time(at_ms)) == at


@pytest.mark.parametrize("at_ms", [2**63 - 1, -(2**63), 10**18])
def test_a_time_beyond_the_calendar_is_an_overflow(at_ms: int) -> None:
    with pytest.raises(OverflowError):
        utc_time(at_ms)
