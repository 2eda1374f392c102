"""What each class of reply does to its flow and to the run."""

from collections.abc import Sequence
from typing import Any

import pytest

from flowreaper.client.repair import Repair
from flowreaper.errors import ConsecutiveAbsencesError, ConsecutiveRefusalsError, FatalReplyError, RunError
from flowreaper.model import Change, Claim, Flow, Outcome, Reopen, Reply, ReplyClass, Requeue, State
from flowreaper.workers.attempts import RetryPolicy
from flowreaper.workers.backlog import Backlog
from flowreaper.workers.circuit_breaker import SILENT_CALLS, CircuitBreaker
from flowreaper.workers.outcomes import Outcomes
from flowreaper.workers.ports import Permit
from flowreaper.workers.reply_handler import FINAL_STATES, ReplyHandler
from flowreaper.workers.stop_rules import AbsenceBrake, RefusalStreak
from tests.virtual import run_virtual

OK = Reply(200, "OK", "None", "R-1")
GONE = Reply(400, "Flow.NotExist", "The flow does not exist.", "R-2")
REFUSED = Reply(400, "Unknown.ResourceOwnerId", "not yours", "R-3")
THROTTLED = Reply(400, "System.LimitControl", "too fast", "R-4", retry_after_ms=7000)
BROKEN = Reply(500, "InternalError", "oops", "R-5")
BUSY = Reply(400, "ServiceUnavailable", "later", "R-6")
LOST = Reply(0, message="the answer was lost", readable=False)
UNSENT = Reply(0, message="no connection", readable=False, reached=False)
DENIED = Reply(400, "Ram.PermissionDeny", "not authorized", "R-7")
STALE = Reply(400, "InvalidSecurityToken.Expired", "expired", "R-8")
SKEWED = Reply(400, "InvalidTimeStamp.Expired", "clock", "R-9", date="Tue, 24 Nov 2026 06:00:00 GMT")

WAIT_S = 0.25  # of the first attempt, with half the luck
INSTANT_S = 1e-6  # virtual time goes on a little with each turn of the loop


class Sink:
    """Keeps what is put; nothing here claims."""

    def __init__(self) -> None:
        self.changes: list[Change] = []

    async def claim(self, new: int, rows: Sequence[int]) -> list[Claim]:
        raise AssertionError((new, rows))

    async def look(self, new: int, rows: Sequence[int]) -> list[Claim]:
        raise AssertionError((new, rows))

    def put(self, change: Change) -> None:
        self.changes.append(change)

    async def flush(self) -> None:
        raise AssertionError


class Limiter:
    """Notes how it was throttled; nothing here acquires."""

    def __init__(self) -> None:
        self.other_clients_rate: float | None = None
        self.throttles: list[tuple[float, float]] = []

    async def acquire(self) -> Permit:
        raise AssertionError

    def throttled(self, sent_at: float, retry_after_s: float) -> None:
        self.throttles.append((sent_at, retry_after_s))


class Signer:
    """Counts the repairs."""

    def __init__(self) -> None:
        self.renewals = 0
        self.dates: list[str] = []

    async def renew_credentials(self) -> None:
        self.renewals += 1

    def correct_clock(self, date: str) -> bool:
        self.dates.append(date)
        return True


class Log:
    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, Any]]] = []

    def is_enabled_for(self, level: int) -> bool:  # noqa: ARG002 -- the Protocol's signature
        return True

    def debug(self, event: str, **fields: Any) -> None:
        self.events.append((event, fields))

    info = warning = debug


class Rig:
    """A reply handler with its real parts, between a sink, a limiter and a signer that only note."""

    def __init__(
        self,
        *,
        max_attempts: int = 3,
        max_absent: int = 0,
        max_refusals: int = 0,
        overrides: dict[str, ReplyClass] | None = None,
    ) -> None:
        self.backlog = Backlog(5, None)
        self.sink, self.limiter, self.signer, self.log = Sink(), Limiter(), Signer(), Log()
        self.breaker = CircuitBreaker(3600)
        self.handler = ReplyHandler(
            backlog=self.backlog,
            sink=self.sink,
            limiter=self.limiter,
            breaker=self.breaker,
            retry=RetryPolicy(max_attempts, lambda: 0.5),
            repair=Repair(self.signer, self.log),
            outcomes=Outcomes(
                sink=self.sink,
                absences=AbsenceBrake(max_absent, has_deleted=False),
                refusals=RefusalStreak(max_refusals),
                log=self.log,
                now=lambda: 1_800_000_000.0,
            ),
            overrides=overrides or {},
            log=self.log,
        )

    def handle(
        self, reply: Reply, *, row: int = 1, attempts: int = 0, in_doubt: bool = False
    ) -> RunError | None:
        claim = Claim(row, Flow(str(row)), attempts, in_doubt, "ids", row)
        generation = self.handler.credentials_generation
        return run_virtual(self.handler.handle(claim, reply, 0.0, generation))

    def event_names(self) -> list[str]:
        return [event for event, _ in self.log.events if event != "call.answered"]


def test_every_reply_class_is_either_final_or_leaves_the_flow_to_be_sent_again() -> None:
    again = {
        ReplyClass.THROTTLED,
        ReplyClass.TRANSIENT,
        ReplyClass.RENEW,
        ReplyClass.CLOCK,
        ReplyClass.FATAL,
    }
    assert FINAL_STATES.keys() | again == set(ReplyClass)
    assert not FINAL_STATES.keys() & again
    assert all(state.final for state in FINAL_STATES.values())


@pytest.mark.parametrize(
    ("reply", "in_doubt", "state", "inferred"),
    [
        (OK, False, State.DELETED, False),
        (OK, True, State.DELETED, False),
        (GONE, False, State.ABSENT, False),
        (GONE, True, State.DELETED, True),
        (REFUSED, False, State.REFUSED, False),
        (REFUSED, True, State.REFUSED, False),
    ],
)
def test_a_final_reply_finishes_its_flow(
    reply: Reply, state: State, *, in_doubt: bool, inferred: bool
) -> None:
    rig = Rig()
    assert rig.handle(reply, attempts=2, in_doubt=in_doubt) is None
    claim = Claim(1, Flow("1"), 2, in_doubt, "ids", 1)
    assert rig.sink.changes == [Outcome(claim, state, inferred, in_doubt, 3, reply, 1_800_000_000_000)]
    assert rig.backlog.waiting == 0


def test_a_refused_flow_is_logged_with_the_service_s_words() -> None:
    rig = Rig()
    rig.handle(REFUSED)
    assert rig.event_names() == ["flow.refused"]
    assert rig.log.events[-1][1]["request_id"] == REFUSED.request_id


@pytest.mark.parametrize(
    ("reply", "attempts", "in_doubt"),
    [(BROKEN, 2, True), (LOST, 2, True), (BUSY, 2, False), (UNSENT, 1, False)],
)
def test_transient_trouble_uses_up_an_attempt_unless_the_call_was_never_sent(
    reply: Reply, attempts: int, *, in_doubt: bool
) -> None:
    rig = Rig()
    assert rig.handle(reply, attempts=1) is None
    assert rig.sink.changes == [Requeue(1, attempts, in_doubt)]


def test_a_flow_waits_longer_after_each_attempt() -> None:
    rig = Rig()
    rig.handle(BROKEN, row=1, attempts=0)
    rig.handle(BROKEN, row=2, attempts=1)
    assert rig.backlog.wanted(WAIT_S + INSTANT_S, 5)[0] == [1]
    assert rig.backlog.next_due() == pytest.approx(2 * WAIT_S)


def test_the_last_attempt_gives_up_and_never_by_inference() -> None:
    rig = Rig(max_attempts=3)
    rig.handle(LOST, attempts=2)
    (outcome,) = rig.sink.changes
    assert isinstance(outcome, Outcome)
    assert (outcome.state, outcome.attempts) == (State.GAVE_UP, 3)
    assert (outcome.in_doubt, outcome.inferred) == (True, False)
    assert rig.event_names() == ["flow.gave_up"]


def test_no_flow_gives_up_while_an_outage_is_half_suspected() -> None:
    rig = Rig(max_attempts=1)
    rig.handle(UNSENT, row=1)
    rig.breaker.record_failure(2, LOST, 0.0, 0.0, flows_left=None)
    rig.handle(LOST, row=3)
    assert rig.sink.changes == [Requeue(1, 0, in_doubt=False), Requeue(3, 1, in_doubt=True)]


def test_an_outage_returns_what_it_cost_its_flows_and_is_logged_with_its_end() -> None:
    rig = Rig(max_attempts=10)
    for row in range(1, SILENT_CALLS + 1):
        rig.handle(LOST, row=row)
    assert rig.breaker.is_open
    assert rig.sink.changes[0] == Requeue(1, 1, in_doubt=True)
    assert rig.sink.changes[-1] == Requeue(SILENT_CALLS, 0, in_doubt=True)
    rig.handle(LOST, row=1, attempts=1)
    assert rig.sink.changes[-1] == Requeue(1, 0, in_doubt=True)
    rig.handle(OK, row=2, attempts=1)
    assert rig.event_names() == ["outage.began", "outage.ended"]


def test_an_answer_that_asks_to_try_again_ends_an_outage_too() -> None:
    rig = Rig()
    for row in range(1, SILENT_CALLS + 1):
        rig.handle(LOST, row=row)
    rig.handle(BUSY, row=9)
    assert not rig.breaker.is_open


def test_a_throttled_call_slows_the_limiter_and_uses_up_no_attempt() -> None:
    rig = Rig()
    assert rig.handle(THROTTLED, attempts=2) is None
    assert rig.sink.changes == [Requeue(1, 2, in_doubt=False)]
    assert rig.limiter.throttles == [(0.0, 7.0)]
    assert rig.backlog.wanted(INSTANT_S, 5)[0] == [1]
    assert rig.handler.throttled == 1
    assert rig.log.events[-1] == ("pace.waiting", {"seconds": 7.0, "code": THROTTLED.code})


def test_a_short_wait_is_not_logged_and_a_wait_of_days_is_cut_to_five_minutes() -> None:
    rig = Rig()
    rig.handle(THROTTLED._replace(retry_after_ms=4999))
    assert rig.event_names() == []
    rig.handle(THROTTLED._replace(retry_after_ms=900_000_000))
    assert rig.limiter.throttles[-1] == (0.0, 300.0)


def test_other_clients_are_mentioned_once_and_only_after_a_throttled_call() -> None:
    rig = Rig()
    rig.limiter.other_clients_rate = 2.04
    rig.handle(OK, row=1)
    assert rig.event_names() == []
    rig.handle(THROTTLED._replace(retry_after_ms=0), row=2)
    rig.handle(OK, row=3)
    rig.handle(OK, row=4)
    assert rig.event_names() == ["pace.quota_shared"]
    assert [fields for event, fields in rig.log.events if event == "pace.quota_shared"] == [
        {"others_per_s": 2.0}
    ]


@pytest.mark.parametrize("reply", [DENIED, STALE, SKEWED])
def test_what_concerns_every_flow_costs_this_one_no_attempt(reply: Reply) -> None:
    rig = Rig()
    rig.handle(reply, attempts=2)
    assert rig.sink.changes == [Requeue(1, 2, in_doubt=False)]


def test_a_fatal_reply_stops_the_run_and_repairs_nothing() -> None:
    rig = Rig()
    assert isinstance(rig.handle(DENIED), FatalReplyError)
    assert (rig.signer.renewals, rig.signer.dates) == (0, [])


def test_stale_credentials_and_a_wrong_clock_are_repaired_and_again_after_a_final_reply() -> None:
    rig = Rig()
    assert rig.handle(STALE) is None
    assert rig.handle(SKEWED) is None
    assert (rig.signer.renewals, rig.signer.dates) == (1, [SKEWED.date])
    assert rig.handler.credentials_generation == 2
    rig.handle(OK)
    assert rig.handle(STALE) is None
    assert isinstance(rig.handle(STALE), FatalReplyError)


def test_a_streak_of_absences_is_reopened_and_later_ones_are_requeued() -> None:
    rig = Rig(max_absent=3)
    assert rig.handle(GONE, row=1) is None
    assert rig.handle(GONE, row=2) is None
    assert isinstance(rig.handle(GONE, row=3), ConsecutiveAbsencesError)
    assert rig.sink.changes[2:] == [Reopen((1, 2)), Requeue(3, 0, in_doubt=False)]
    assert rig.handle(GONE, row=4) is None
    assert rig.sink.changes[-1] == Requeue(4, 0, in_doubt=False)


def test_a_streak_of_refusals_stops_the_run_and_stays_refused() -> None:
    rig = Rig(max_refusals=2)
    assert rig.handle(REFUSED, row=1) is None
    assert isinstance(rig.handle(REFUSED, row=2), ConsecutiveRefusalsError)
    assert [c.state for c in rig.sink.changes if isinstance(c, Outcome)] == [State.REFUSED] * 2


def test_the_user_s_word_on_a_code_comes_first() -> None:
    rig = Rig(overrides={REFUSED.code: ReplyClass.FATAL})
    assert isinstance(rig.handle(REFUSED), FatalReplyError)


def test_every_reply_is_logged_for_debugging() -> None:
    rig = Rig()
    rig.handle(GONE)
    event, fields = rig.log.events[0]
    assert event == "call.answered"
    assert fields["reply_class"] == "absent"
    assert fields["code"] == GONE.code
