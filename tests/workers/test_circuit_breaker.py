"""The circuit breaker: when it opens, what it decides while it is open, whom it forgives."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowreaper.client.codes import is_answer
from flowreaper.model import Reply
from flowreaper.workers.circuit_breaker import (
    FIRST_ANSWER_S,
    PROBE_CAP_S,
    SILENT_CALLS,
    CircuitBreaker,
    Closed,
    GiveUp,
    Probe,
    Wait,
)

LOST = Reply(0, message="the answer was lost", readable=False)
UNSENT = Reply(0, message="no connection", readable=False, reached=False)
BROKEN = Reply(500, "InternalError", "oops")


def fail(
    breaker: CircuitBreaker,
    rows: list[int],
    reply: Reply = LOST,
    *,
    at: float = 0.0,
    flows_left: int | None = None,
) -> list[bool]:
    return [breaker.record_failure(row, reply, at, at, flows_left=flows_left) for row in rows]


def opened(limit_s: float = 3600.0, *, has_answered: bool = True) -> CircuitBreaker:
    breaker = CircuitBreaker(limit_s, has_answered=has_answered)
    fail(breaker, list(range(SILENT_CALLS)))
    assert breaker.is_open
    return breaker


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (Reply(200, "OK"), True),
        (Reply(400, "Flow.NotExist"), True),
        (Reply(429, "Throttling"), True),
        (BROKEN, False),
        (Reply(502, message="<html>", readable=False), False),
        (Reply(200, message="<html>", readable=False), False),
        (LOST, False),
    ],
)
def test_only_a_readable_reply_without_a_server_error_is_an_answer(reply: Reply, *, expected: bool) -> None:
    assert is_answer(reply) is expected


def test_it_is_closed_at_first() -> None:
    breaker = CircuitBreaker(3600)
    assert breaker.allow(1e9) == Closed()
    assert not breaker.half_suspected


def test_it_opens_at_the_eighth_failure_in_a_row_of_five_flows() -> None:
    breaker = CircuitBreaker(3600)
    assert fail(breaker, [1, 2, 3, 4, 5, 1, 2, 3]) == [False] * 7 + [True]
    assert breaker.since == 0.0


@pytest.mark.parametrize(
    ("flows", "flows_left", "reply", "opens"),
    [
        (5, None, LOST, True),
        (4, None, LOST, False),
        (4, 4, LOST, True),
        (3, 4, LOST, False),
        (2, 2, LOST, True),
        (2, 1, LOST, True),
        (1, 1, LOST, False),
        (5, None, BROKEN, True),
        (4, 4, BROKEN, False),
        (1, None, UNSENT, True),
        (1, 1, UNSENT, True),
    ],
)
def test_the_failures_must_concern_five_flows_or_all_that_are_left_but_two(
    flows: int, flows_left: int | None, reply: Reply, *, opens: bool
) -> None:
    breaker = CircuitBreaker(3600)
    fail(breaker, [n % flows for n in range(3 * SILENT_CALLS)], reply, flows_left=flows_left)
    assert breaker.is_open is opens


def test_an_answer_starts_the_count_again() -> None:
    breaker = CircuitBreaker(3600)
    fail(breaker, list(range(7)))
    assert breaker.record_success() is None
    fail(breaker, list(range(7)), at=5.0)
    assert not breaker.is_open
    fail(breaker, [7], at=6.0)
    assert breaker.since == 5.0


def test_an_answer_closes_it_and_says_when_the_outage_began() -> None:
    breaker = opened()
    assert breaker.record_success() == 0.0
    assert breaker.allow(1.0) == Closed()
    assert breaker.record_success() is None


def test_it_is_half_suspected_from_the_second_flow_on_until_eight_failures_opened_nothing() -> None:
    breaker = CircuitBreaker(3600)
    suspected = []
    for row in [1, 1, 2, 1, 2, 1, 2, 1]:
        fail(breaker, [row])
        suspected.append(breaker.half_suspected)
    assert suspected == [False, False, True, True, True, True, True, False]
    assert opened().half_suspected


def test_probes_come_after_one_second_then_after_twice_as_long_up_to_ten() -> None:
    breaker, now = opened(), 0.0
    waits = []
    for _ in range(6):
        decision = breaker.allow(now)
        assert isinstance(decision, Wait)
        waits.append(decision.seconds)
        now += decision.seconds
        assert breaker.allow(now) == Probe()
        breaker.probe_sent(now)
    assert waits == [1.0, 2.0, 4.0, 8.0, PROBE_CAP_S, PROBE_CAP_S]


def test_the_next_outage_begins_with_short_waits_again() -> None:
    breaker = opened()
    for at in range(9):
        breaker.probe_sent(float(at))
    breaker.record_success()
    fail(breaker, list(range(SILENT_CALLS)), at=100.0)
    assert breaker.allow(100.0) == Wait(1.0)


@pytest.mark.parametrize(
    ("has_answered", "limit_s", "lasts_s", "words"),
    [
        (True, 30.0, 30.0, "the service has not answered for 30 seconds;"),
        (True, 600.0, 600.0, "the service has not answered for 10 minutes;"),
        (False, 600.0, FIRST_ANSWER_S, "the service has never answered this job, for 60 seconds;"),
        (False, 20.0, 20.0, "the service has never answered this job, for 20 seconds;"),
    ],
)
def test_it_gives_up_at_the_limit_which_is_a_minute_where_nothing_ever_answered(
    limit_s: float, lasts_s: float, words: str, *, has_answered: bool
) -> None:
    breaker = opened(limit_s, has_answered=has_answered)
    breaker.probe_sent(lasts_s - 0.5)
    assert breaker.allow(lasts_s - 0.25) == Wait(0.25)
    decision = breaker.allow(lasts_s)
    assert isinstance(decision, GiveUp)
    assert str(decision.error).startswith(words)


def test_its_error_names_the_last_failure_escaped() -> None:
    breaker = opened(30)
    fail(breaker, [1], Reply(503, message="busy\x1b[2J", readable=False), at=9.0)
    decision = breaker.allow(30.0)
    assert isinstance(decision, GiveUp)
    assert "the last try: HTTP 503 busy" in str(decision.error)
    assert "\x1b" not in str(decision.error)


def test_attempts_of_the_failures_that_opened_it_are_refunded_once_but_the_last_was_not_charged_yet() -> None:
    breaker = CircuitBreaker(3600)
    fail(breaker, [1, 1, 1, 2, 3, 4, 5, 5])
    assert [breaker.refund(row) for row in (1, 2, 5, 6)] == [3, 1, 1, 0]
    assert [breaker.refund(row) for row in (1, 2, 5, 6)] == [0, 0, 0, 0]


def test_failures_while_it_is_open_are_not_refunded() -> None:
    breaker = opened()
    assert fail(breaker, [0, 0, 99]) == [False] * 3
    assert (breaker.refund(0), breaker.refund(99)) == (1, 0)


@given(st.lists(st.tuples(st.integers(1, 9), st.sampled_from([LOST, UNSENT, BROKEN, None]))))
def test_it_is_open_exactly_between_a_failure_that_opens_it_and_the_next_answer(
    replies: list[tuple[int, Reply | None]],
) -> None:
    breaker = CircuitBreaker(3600)
    is_open = False
    in_a_row = 0
    for at, (row, reply) in enumerate(replies):
        if reply is None:
            assert (breaker.record_success() is not None) is is_open
            is_open, in_a_row = False, 0
        else:
            in_a_row += 1
            opens = breaker.record_failure(row, reply, at, at, flows_left=None)
            assert not (opens and (is_open or in_a_row < SILENT_CALLS))
            is_open |= opens
        assert breaker.is_open is is_open
        assert isinstance(breaker.allow(at), Closed) is not is_open
