import asyncio
import random
from collections.abc import Callable, Sequence

import pytest

from flowreaper.errors import (
    Advice,
    CheckpointError,
    ConsecutiveAbsencesError,
    ConsecutiveRefusalsError,
    CredentialsError,
    FatalReplyError,
    OutageError,
)
from flowreaper.limiter.shared_pace import Slot
from flowreaper.model import (
    Claim,
    Ending,
    Flow,
    Reply,
    ReplyClass,
    State,
)
from flowreaper.workers.stop_rules import AbsenceBrake
from tests.virtual import run_virtual
from tests.workers.rig import (
    BROKEN,
    DENIED,
    GONE,
    LOST,
    OK,
    REFUSED,
    SKEWED,
    STALE,
    THROTTLED,
    UNSENT,
    Ledger,
    Log,
    Service,
    make,
    most_in_a_second,
    run,
    states,
)


def test_every_flow_is_called_once_and_recorded() -> None:
    ledger, service = Ledger(30), Service()
    pool = make(ledger, service)
    run(pool)
    assert pool.ending is Ending.FINISHED
    assert states(ledger) == {State.DELETED: 30}
    assert [flow for _, flow in service.calls] == [str(row) for row in range(1, 31)]
    assert all(outcome.finished_at_ms == 1_800_000_000_000 for outcome in ledger.outcomes)


def test_five_a_second_for_an_hour_with_retries_throttles_late_timers_and_slow_commits() -> None:
    luck = random.Random(5)  # noqa: S311 -- repeatable trouble
    ledger, service = Ledger(17_900, commit_s=0.03), Service(latency_s=0.3)
    for row in range(1, 17_900, 97):
        service.scripts[str(row)] = [BROKEN]
    pool = make(ledger, service)
    run(pool, late_s=lambda: luck.uniform(0, 0.0012))
    assert states(ledger) == {State.DELETED: 17_900}
    assert most_in_a_second(service.times) == 5
    assert (len(service.times) - 1) / (service.times[-1] - service.times[0]) >= 4.97


def test_the_pace_holds_at_five_seconds_of_latency() -> None:
    ledger, service = Ledger(300), Service(latency_s=5)
    run(make(ledger, service))
    assert (len(service.times) - 1) / (service.times[-1] - service.times[0]) >= 4.97
    assert 24 <= service.most_under_way <= 26


def test_no_more_calls_are_under_way_than_the_concurrency() -> None:
    ledger, service = Ledger(40), Service(latency_s=5)
    run(make(ledger, service, concurrency=7))
    assert service.most_under_way == 7
    assert states(ledger) == {State.DELETED: 40}


def test_a_throttled_flow_is_called_again_and_spends_no_attempt() -> None:
    ledger = Ledger(3)
    service = Service(f2=[THROTTLED] * 7)
    pool = make(ledger, service, max_attempts=2)
    run(pool)
    assert states(ledger) == {State.DELETED: 3}
    assert ledger.attempts[2] == 1
    assert service.count("2") == 8
    assert pool.throttled == 7


def test_the_service_s_wish_to_wait_is_in_milliseconds_and_holds_the_whole_account() -> None:
    ledger = Ledger(10)
    service = Service(latency_s=0.01, f1=[THROTTLED._replace(retry_after_ms=4000)])
    run(make(ledger, service))
    assert 4.0 <= service.times[1] - service.times[0] < 4.1


def test_transient_trouble_is_tried_again_up_to_max_attempts() -> None:
    ledger = Ledger(3)
    service = Service(f1=[BROKEN, BROKEN], f2=[BROKEN] * 9)
    run(make(ledger, service, max_attempts=3))
    assert ledger.rows == {1: State.DELETED, 2: State.GAVE_UP, 3: State.DELETED}
    assert service.count("2") == 3
    assert (ledger.attempts[2], ledger.in_doubt[2]) == (3, True)


def test_a_flow_that_waits_for_its_next_attempt_holds_neither_a_worker_nor_the_pace() -> None:
    ledger, service = Ledger(200), Service(latency_s=0.01)
    for row in range(1, 50, 10):
        service.scripts[str(row)] = [BROKEN] * 8
    run(make(ledger, service, concurrency=1, max_attempts=20))
    busy = service.times[:200]
    assert (len(busy) - 1) / (busy[-1] - busy[0]) >= 4.97


def test_absent_after_a_lost_answer_is_deleted_by_inference() -> None:
    ledger = Ledger(2)
    run(make(ledger, Service(f1=[LOST, GONE], f2=[GONE])))
    first, second = sorted(ledger.outcomes, key=lambda o: o.claim.row)
    assert (first.state, first.inferred, first.in_doubt) == (State.DELETED, True, True)
    assert (second.state, second.inferred, second.in_doubt) == (State.ABSENT, False, False)


def test_a_call_that_never_left_puts_nothing_in_doubt() -> None:
    ledger = Ledger(1)
    run(make(ledger, Service(f1=[UNSENT, GONE])))
    assert ledger.rows == {1: State.ABSENT}


def test_calls_that_find_no_connection_do_not_hold_up_the_limiter() -> None:
    class Unreachable(Service):
        """Knows of no call that left, and says so after a second."""

        async def send(
            self,
            flow: Flow,
            timeout_s: float | None = None,
            left: Callable[[], None] = lambda: None,  # noqa: ARG002 -- no call leaves
            may_leave: Callable[[], bool] = lambda: True,
        ) -> Reply:
            return await super().send(flow, timeout_s, may_leave=may_leave)

    ledger, service = Ledger(30), Unreachable(latency_s=1.0)
    run(make(ledger, service))
    assert states(ledger) == {State.DELETED: 30}
    assert len(service.times) == 30


class StaleSlots:
    """A SharedPace that is free at once; between two times no slot is fresh."""

    is_lost = False

    def __init__(self, stale_from: float, stale_until: float) -> None:
        self.stale = (stale_from, stale_until)

    def reserve(self, interval_s: float, widening_s: float) -> Slot:  # noqa: ARG002 -- the port
        return Slot(0.0, None, asyncio.get_running_loop().time())

    def sent(self, slot_time: float, at: float) -> None: ...

    def heartbeat(self, interval_s: float, widening_s: float) -> None: ...

    def is_fresh(self, slot_time: float) -> bool:  # noqa: ARG002 -- the port
        return not self.stale[0] <= asyncio.get_running_loop().time() < self.stale[1]


def test_a_call_whose_permit_is_stale_waits_for_another_uses_no_attempt_up_and_comes_first() -> None:
    ledger, service = Ledger(10), Service()
    pool = make(ledger, service, max_attempts=1, turns=StaleSlots(0.9, 1.1))
    run(pool)
    assert states(ledger) == {State.DELETED: 10}
    assert set(ledger.attempts.values()) == {1}
    assert pool.calls == len(service.calls) == 10
    # The sixth was held back, at 1.0 s. The seventh did not overtake it.
    assert [flow for _, flow in service.calls] == [str(n) for n in range(1, 11)]
    assert service.times[5] == pytest.approx(1.2, abs=0.01)


def test_stale_permits_are_no_outage() -> None:
    ledger, service, log = Ledger(30), Service(), Log()
    run(make(ledger, service, turns=StaleSlots(1.0, 20.0), log=log))
    assert states(ledger) == {State.DELETED: 30}
    assert log.events == []
    assert not any(1.0 <= at < 20.0 for at in service.times)


def test_a_run_that_is_stopped_puts_back_a_flow_whose_call_was_held_back() -> None:
    class Slow(Service):
        async def send(
            self,
            flow: Flow,
            timeout_s: float | None = None,
            left: Callable[[], None] = lambda: None,
            may_leave: Callable[[], bool] = lambda: True,
        ) -> Reply:
            await asyncio.sleep(0.5)
            return await super().send(flow, timeout_s, left, may_leave)

    ledger = Ledger(1)
    pool = make(ledger, Slow(), turns=StaleSlots(0.1, 9.0))

    async def scenario() -> None:
        running = asyncio.create_task(pool.run())
        await asyncio.sleep(0.2)
        pool.stop(Ending.INTERRUPTED)
        await running

    run_virtual(scenario())
    assert ledger.rows == {1: State.PENDING}
    assert not ledger.in_doubt[1]


def test_calls_that_wait_for_a_connection_do_not_leave_together() -> None:
    class SlowToConnect(Service):
        """Connections take as long as they take; the service notes when calls leave."""

        def __init__(self) -> None:
            super().__init__()
            self.luck = random.Random(5)  # noqa: S311 -- repeatable delays

        async def send(
            self,
            flow: Flow,
            timeout_s: float | None = None,
            left: Callable[[], None] = lambda: None,
            may_leave: Callable[[], bool] = lambda: True,
        ) -> Reply:
            await asyncio.sleep(self.luck.choice([0.001, 0.001, 0.15, 2.0]))
            return await super().send(flow, timeout_s, left, may_leave)

    ledger, service = Ledger(300), SlowToConnect()
    run(make(ledger, service))
    assert states(ledger) == {State.DELETED: 300}
    assert most_in_a_second(sorted(service.times)) == 5


def test_doubt_outlives_throttling_and_a_later_definite_failure() -> None:
    ledger = Ledger(1)
    unavailable = Reply(400, "ServiceUnavailable", "later", "R")
    run(make(ledger, Service(f1=[LOST, THROTTLED, unavailable, GONE]), max_attempts=9))
    assert ledger.outcomes[0].inferred


def test_rows_left_claimed_come_first_and_are_in_doubt() -> None:
    ledger = Ledger(4)
    ledger.rows[3] = State.CLAIMED
    ledger.in_doubt[3] = True
    service = Service(f3=[GONE])
    run(make(ledger, service, left_claimed=[3]))
    assert service.calls[0][1] == "3"
    assert ledger.outcomes[0].inferred
    assert states(ledger) == {State.DELETED: 4}


def test_a_refusal_is_final_at_once_with_the_service_s_words() -> None:
    ledger, service = Ledger(1), Service(f1=[REFUSED])
    run(make(ledger, service))
    assert (ledger.outcomes[0].state, ledger.outcomes[0].reply) == (State.REFUSED, REFUSED)
    assert len(service.calls) == 1


def test_the_user_s_word_on_a_code_comes_before_the_table() -> None:
    ledger = Ledger(1)
    run(make(ledger, Service(f1=[REFUSED]), treat={"Unknown.ResourceOwnerId": ReplyClass.ABSENT}))
    assert ledger.rows == {1: State.ABSENT}


def test_a_fatal_answer_stops_the_sending_lets_calls_end_and_blames_no_flow() -> None:
    ledger, service = Ledger(100), Service(latency_s=2.0, f4=[DENIED])
    pool = make(ledger, service)
    run(pool)
    assert pool.ending is Ending.STOPPED
    assert isinstance(pool.error, FatalReplyError)
    assert all(word in str(pool.error) for word in ("Ram.PermissionDeny", "R-6", "cams:DeleteFlow"))
    last_send = service.times[3] + 2.0
    assert max(service.times) <= last_send
    assert ledger.rows[4] is State.PENDING
    assert ledger.attempts[4] == 0
    assert states(ledger) == {State.DELETED: len(service.calls) - 1, State.PENDING: 101 - len(service.calls)}
    assert not any(ledger.in_doubt.values())


def test_trouble_before_the_call_left_stops_the_run_and_blames_no_flow() -> None:
    ledger = Ledger(9)
    error = CredentialsError("none")
    pool = make(ledger, Service(f2=[error]))
    run(pool)
    assert pool.error is error
    assert ledger.rows[2] is State.PENDING
    assert State.CLAIMED not in states(ledger)


def test_a_claim_that_cannot_be_written_stops_the_sending() -> None:
    ledger, service = Ledger(100), Service()
    pool = make(ledger, service)

    async def scenario() -> None:
        running = asyncio.create_task(pool.run())
        await asyncio.sleep(2)
        ledger.failure = CheckpointError("disk full")
        await running

    run_virtual(scenario())
    assert pool.error is ledger.failure
    assert max(service.times) < 2.7


def test_stale_credentials_are_renewed_once_for_all_calls_that_met_it() -> None:
    ledger, service = Ledger(30), Service(STALE, latency_s=1.0)

    def renewed() -> None:
        service.default = OK

    service.on_renew = renewed
    pool = make(ledger, service)
    run(pool)
    assert service.renewals == 1
    assert pool.ending is Ending.FINISHED
    assert states(ledger) == {State.DELETED: 30}
    assert set(ledger.attempts.values()) == {1}


def test_credentials_that_are_stale_again_right_after_renewing_stop_the_run() -> None:
    ledger, service = Ledger(30), Service(STALE)
    pool = make(ledger, service)
    run(pool)
    assert service.renewals == 1
    assert isinstance(pool.error, FatalReplyError)
    assert states(ledger) == {State.PENDING: 30}


def test_credentials_may_expire_again_after_calls_went_well() -> None:
    ledger = Ledger(30)
    service = Service(f5=[STALE], f20=[STALE])
    pool = make(ledger, service)
    run(pool)
    assert service.renewals == 2
    assert states(ledger) == {State.DELETED: 30}


def test_a_wrong_clock_is_corrected_from_the_service_s_date() -> None:
    ledger, service = Ledger(5), Service(SKEWED, latency_s=0.5)

    def corrected() -> None:
        service.default = OK

    service.on_correct = corrected
    pool = make(ledger, service)
    run(pool)
    assert set(service.dates) == {SKEWED.date}
    assert states(ledger) == {State.DELETED: 5}


def test_a_clock_that_no_correction_helps_stops_the_run() -> None:
    ledger, service = Ledger(5), Service(SKEWED)
    pool = make(ledger, service)
    run(pool)
    assert isinstance(pool.error, FatalReplyError)
    assert states(ledger) == {State.PENDING: 5}


@pytest.mark.parametrize("limit", [1, 4, 7])
def test_the_limit_ends_the_run_after_that_many_flows(limit: int) -> None:
    ledger = Ledger(20)
    pool = make(ledger, Service(f2=[BROKEN, THROTTLED]), limit=limit)
    run(pool)
    assert pool.ending is Ending.LIMIT
    assert states(ledger) == {State.DELETED: limit, State.PENDING: 20 - limit}


def test_stopping_waits_for_the_calls_under_way_and_returns_the_rest() -> None:
    ledger, service = Ledger(100), Service(latency_s=3.0)
    pool = make(ledger, service)

    async def scenario() -> None:
        running = asyncio.create_task(pool.run())
        await asyncio.sleep(2.1)
        pool.stop(Ending.INTERRUPTED)
        await running

    run_virtual(scenario())
    assert pool.ending is Ending.INTERRUPTED
    assert max(service.times) < 2.1
    assert states(ledger) == {State.DELETED: len(service.calls), State.PENDING: 100 - len(service.calls)}


@pytest.mark.parametrize(
    ("at_s", "service"),
    [
        pytest.param(0.1, Service(f1=[THROTTLED._replace(retry_after_ms=300_000)]), id="for a permit"),
        pytest.param(6.0, Service(UNSENT), id="for a probe"),
        pytest.param(0.5, Service(latency_s=2.0), id="for room"),
    ],
)
def test_a_stop_does_not_wait_until_the_next_call_may_be_sent(at_s: float, service: Service) -> None:
    ledger = Ledger(100)
    pool = make(ledger, service, concurrency=2)

    async def scenario() -> float:
        running = asyncio.create_task(pool.run())
        await asyncio.sleep(at_s)
        pool.stop(Ending.INTERRUPTED)
        await running
        return asyncio.get_running_loop().time()

    assert run_virtual(scenario()) <= at_s + service.latency_s
    assert max(service.times) <= at_s
    assert State.CLAIMED not in states(ledger)


def test_abandoning_leaves_the_calls_under_way_claimed() -> None:
    ledger, service = Ledger(100), Service(latency_s=3.0)
    pool = make(ledger, service)

    async def scenario() -> float:
        running = asyncio.create_task(pool.run())
        await asyncio.sleep(2.1)
        pool.abandon()
        await running
        return asyncio.get_running_loop().time()

    assert run_virtual(scenario()) < 2.2
    assert states(ledger) == {State.CLAIMED: len(service.calls), State.PENDING: 100 - len(service.calls)}


class Hanging(Service):
    """Flows of even ids find no connection, and wait for one."""

    async def send(
        self,
        flow: Flow,
        timeout_s: float | None = None,
        left: Callable[[], None] = lambda: None,
        may_leave: Callable[[], bool] = lambda: True,
    ) -> Reply:
        if int(flow.flow_id) % 2 == 0:
            await asyncio.sleep(1000)
        return await super().send(flow, timeout_s, left, may_leave)


@pytest.mark.parametrize("at_s", [0.6000001, 2.1])
def test_abandoning_returns_the_flows_whose_calls_never_left(at_s: float) -> None:
    ledger, service = Ledger(100), Hanging(latency_s=3.0)
    pool = make(ledger, service)

    async def scenario() -> None:
        running = asyncio.create_task(pool.run())
        await asyncio.sleep(at_s)
        pool.abandon()
        await running

    run_virtual(scenario())
    left = len(service.calls)
    assert 0 < left < pool.calls
    assert states(ledger) == {State.CLAIMED: left, State.PENDING: 100 - left}
    assert not any(ledger.in_doubt.values())


def test_a_call_that_is_abandoned_before_it_has_begun_returns_its_flow() -> None:
    ledger, service = Ledger(1), Service()
    pool = make(ledger, service)

    async def scenario() -> None:
        running = asyncio.create_task(pool.run())
        while not pool.in_flight:  # noqa: ASYNC110 -- nothing shows a call that has not begun
            await asyncio.sleep(0)
        assert pool.calls == 0
        pool.abandon()
        await running

    run_virtual(scenario())
    assert states(ledger) == {State.CLAIMED if service.calls else State.PENDING: 1}
    assert pool.in_flight == 0


def test_a_run_that_is_cancelled_cuts_its_calls_off_and_leaves_nothing_running() -> None:
    ledger, service = Ledger(100, commit_s=0.05), Hanging(latency_s=3.0)
    pool = make(ledger, service)

    async def scenario() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(2.1):
                await pool.run()
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run_virtual(scenario())
    left = len(service.calls)
    assert states(ledger) == {State.CLAIMED: left, State.PENDING: 100 - left}


@pytest.mark.parametrize("where", ["limiter", "ledger"])
def test_a_defect_outside_the_calls_ends_the_run(where: str) -> None:
    class BrokenLedger(Ledger):
        async def claim(self, new: int, again: Sequence[int]) -> list[Claim]:
            if where == "ledger" and service.calls:
                raise ZeroDivisionError
            return await super().claim(new, again)

    class BrokenPace:
        is_lost = False

        def is_fresh(self, slot_time: float) -> bool:  # noqa: ARG002 -- the Protocol's signature
            return True

        def reserve(self, interval_s: float, widening_s: float) -> Slot:  # noqa: ARG002 -- the Protocol's signature
            if where == "limiter" and asyncio.get_running_loop().time() > 1:
                raise ZeroDivisionError
            return Slot(0.0)

        def sent(self, slot_time: float, at: float) -> None: ...

        def heartbeat(self, interval_s: float, widening_s: float) -> None: ...

    ledger, service = BrokenLedger(100), Service(latency_s=3.0)
    pool = make(ledger, service, turns=BrokenPace())
    with pytest.raises(ZeroDivisionError):
        run(pool)
    assert isinstance(pool.error, ZeroDivisionError)
    assert states(ledger) == {State.DELETED: len(service.calls), State.PENDING: 100 - len(service.calls)}


def test_a_stop_before_the_start_sends_nothing() -> None:
    ledger, service = Ledger(5), Service()
    pool = make(ledger, service)
    pool.stop(Ending.INTERRUPTED)
    run(pool)
    assert service.calls == []
    assert State.CLAIMED not in states(ledger)


def test_flows_that_come_late_are_called_at_once() -> None:
    ledger, service = Ledger(0), Service()
    pool = make(ledger, service)
    pool._backlog.more_to_read = True

    async def scenario() -> None:
        running = asyncio.create_task(pool.run())
        await asyncio.sleep(100)
        ledger.rows[1], ledger.attempts[1], ledger.in_doubt[1] = State.PENDING, 0, False
        pool.flows_added()
        await asyncio.sleep(50)
        pool.reading_ended()
        await running

    run_virtual(scenario())
    assert len(service.times) == 1
    assert 100 <= service.times[0] < 100.01


def test_a_defect_in_a_call_stops_the_run_and_leaves_its_flow_claimed() -> None:
    class Broken(Service):
        async def send(
            self,
            flow: Flow,
            timeout_s: float | None = None,
            left: Callable[[], None] = lambda: None,
            may_leave: Callable[[], bool] = lambda: True,
        ) -> Reply:
            if flow.flow_id == "3":
                raise ZeroDivisionError
            return await super().send(flow, timeout_s, left, may_leave)

    ledger = Ledger(10)
    pool = make(ledger, Broken())
    run(pool)
    assert isinstance(pool.error, ZeroDivisionError)
    assert ledger.rows[3] is State.CLAIMED


@pytest.mark.parametrize(
    ("reply", "hangs_s"),
    [(UNSENT, 0.01), (LOST, 0.1), (LOST, 30.0), (Reply(503, message="<html>", readable=False), 0.05)],
)
def test_an_outage_pauses_the_run_blames_no_flow_and_ends_within_twelve_seconds(
    reply: Reply, hangs_s: float
) -> None:
    ledger, service = Ledger(3000), Service()
    service.down_from, service.down_until = 60.0, 400.0
    service.down_reply, service.hangs_s = reply, hangs_s
    log = Log()
    pool = make(ledger, service, log=log)
    run(pool)
    assert states(ledger) == {State.DELETED: 3000}
    assert set(ledger.attempts.values()) == {1}
    down = [at for at in service.times if 60.0 + hangs_s + 10 < at < 400.0]
    assert len(down) <= 36
    assert all(later - at <= 10.05 for at, later in zip([60.0 + hangs_s + 10, *down], down, strict=False))
    back = [at for at in service.times if at >= 400.0]
    full_pace = next(at for at, fifth in zip(back, back[5:], strict=False) if fifth - at < 1.1)
    assert full_pace < 412.0
    assert [event for event, _ in log.events] == ["outage.began", "outage.ended"]


def test_an_outage_in_which_connections_hang_pauses_the_run_and_blames_no_flow() -> None:
    class Hanging(Service):
        """Finds no connection for ten seconds a call while it is down; then no call has left."""

        async def send(
            self,
            flow: Flow,
            timeout_s: float | None = None,
            left: Callable[[], None] = lambda: None,
            may_leave: Callable[[], bool] = lambda: True,
        ) -> Reply:
            down = self.down_from <= asyncio.get_running_loop().time() < self.down_until
            return await super().send(flow, timeout_s, (lambda: None) if down else left, may_leave)

    ledger, service = Ledger(500), Hanging()
    service.down_from, service.down_until = 20.0, 200.0
    service.down_reply, service.hangs_s = UNSENT, 10.0
    run(make(ledger, service))
    assert states(ledger) == {State.DELETED: 500}
    tried = [at for at in service.times if service.down_from <= at < service.down_until]
    # The limiter has five places, so two rounds of hanging calls until eight have found no connection; then probes.
    assert len([at for at in tried if at < 41.0]) <= 11
    assert len([at for at in tried if at >= 41.0]) <= 160 / 10 + 2
    assert min(at for at in service.times if at >= service.down_until) <= service.down_until + 12


def test_an_outage_of_a_few_last_flows_blames_none_of_them() -> None:
    ledger, service = Ledger(3), Service()
    service.down_until = 900.0
    run(make(ledger, service, max_attempts=10))
    assert states(ledger) == {State.DELETED: 3}


def test_a_last_flow_that_cannot_be_connected_for_waits_for_the_network() -> None:
    ledger, service = Ledger(1), Service()
    service.down_until, service.down_reply = 900.0, UNSENT
    run(make(ledger, service, max_attempts=3))
    assert ledger.rows == {1: State.DELETED}


@pytest.mark.parametrize(("limit_s", "told"), [(30, "30 seconds"), (600, "10 minutes")])
def test_an_outage_longer_than_the_limit_stops_the_run(limit_s: float, told: str) -> None:
    ledger, service = Ledger(100), Service()
    service.down_until = 1e9
    pool = make(ledger, service, outage_limit_s=limit_s)
    run(pool)
    assert isinstance(pool.error, OutageError)
    assert pool.error.advice is Advice.WAIT_LONGER
    assert f"has not answered for {told};" in str(pool.error)
    assert limit_s - 10 < max(service.times) < limit_s + 2
    assert states(ledger) == {State.PENDING: 100}
    assert set(ledger.attempts.values()) == {0}


@pytest.mark.parametrize("latency_s", [0.01, 10.0])
def test_where_nothing_ever_answered_a_minute_ends_the_run(latency_s: float) -> None:
    ledger, service = Ledger(100), Service(latency_s=latency_s)
    service.down_until = 1e9
    pool = make(ledger, service, has_answered=False)
    run(pool)
    assert isinstance(pool.error, OutageError)
    assert "the service has never answered this job, for 60 seconds" in str(pool.error)
    assert "Check the endpoint" in str(pool.error)
    assert max(service.times) <= 60
    assert states(ledger) == {State.PENDING: 100}


def test_a_shorter_outage_limit_counts_there_too() -> None:
    service = Service()
    service.down_until = 1e9
    pool = make(Ledger(100), service, has_answered=False, outage_limit_s=20)
    run(pool)
    assert isinstance(pool.error, OutageError)
    assert max(service.times) <= 20


def test_one_answer_is_enough_to_wait_for_the_whole_outage_limit() -> None:
    ledger, service = Ledger(100), Service()
    pool = make(ledger, service, has_answered=False)

    async def fail_after_a_while() -> None:
        running = asyncio.create_task(pool.run())
        await asyncio.sleep(2)
        service.down_until = 300.0
        await running

    run_virtual(fail_after_a_while())
    assert pool.ending is Ending.FINISHED
    assert states(ledger) == {State.DELETED: 100}


def test_one_flow_that_always_fails_among_many_gives_up_without_an_outage() -> None:
    ledger, service = Ledger(300), Service(f7=[LOST] * 99)
    log = Log()
    run(make(ledger, service, log=log))
    assert (ledger.rows[7], ledger.attempts[7]) == (State.GAVE_UP, 3)
    assert [event for event, _ in log.events] == ["flow.gave_up"]


def test_one_last_flow_that_always_fails_gives_up() -> None:
    ledger = Ledger(1)
    run(make(ledger, Service(BROKEN), max_attempts=10))
    assert (ledger.rows[1], ledger.attempts[1]) == (State.GAVE_UP, 10)


def test_one_call_in_five_going_wrong_ends_with_every_flow_deleted() -> None:
    luck = random.Random(11)  # noqa: S311 -- repeatable trouble
    ledger, service = Ledger(1500), Service()
    for row in ledger.rows:
        service.scripts[str(row)] = []
        while luck.random() < 0.2:
            service.scripts[str(row)].append(luck.choice([LOST, BROKEN, UNSENT, THROTTLED]))
    run(make(ledger, service, max_attempts=10))
    assert states(ledger) == {State.DELETED: 1500}


def test_fifty_flows_in_a_row_refused_with_the_same_code_stop_the_run() -> None:
    ledger, service = Ledger(500), Service(REFUSED)
    pool = make(ledger, service)
    run(pool)
    assert isinstance(pool.error, ConsecutiveRefusalsError)
    assert all(word in str(pool.error) for word in (REFUSED.code, REFUSED.request_id))
    assert pool.error.advice is Advice.RETRY_REFUSED
    assert states(ledger) == {State.REFUSED: 50, State.PENDING: 450}


def test_refusals_with_other_outcomes_or_codes_between_them_do_not_stop_the_run() -> None:
    ledger, service = Ledger(300), Service(REFUSED)
    for row in range(1, 300, 40):
        service.scripts[str(row)] = [OK]
    service.scripts["20"] = [REFUSED._replace(code="Flow.StatusInvalid")]
    pool = make(ledger, service)
    run(pool)
    assert pool.ending is Ending.FINISHED


def test_fifty_flows_in_a_row_that_do_not_exist_stop_a_job_that_deleted_none_and_stay_to_be_called() -> None:
    ledger, service = Ledger(500), Service(GONE)
    pool = make(ledger, service, absences=AbsenceBrake(50, has_deleted=False))
    run(pool)
    assert isinstance(pool.error, ConsecutiveAbsencesError)
    assert all(
        word in str(pool.error)
        for word in (
            "50 flows in a row do not exist",
            GONE.code,
            GONE.request_id,
            "another account",
        )
    )
    assert pool.error.advice is Advice.ACCEPT_ABSENCES
    assert states(ledger) == {State.PENDING: 500}
    assert not any(ledger.in_doubt.values())


@pytest.mark.parametrize(
    ("brake", "first"),
    [
        (AbsenceBrake(50, has_deleted=True), GONE),
        (AbsenceBrake(50, has_deleted=False), OK),
        (AbsenceBrake(0, has_deleted=False), GONE),
    ],
    ids=["deleted before", "deleted now", "turned off"],
)
def test_absent_flows_do_not_stop_a_job_that_is_known_to_be_in_the_right_account(
    brake: AbsenceBrake, first: Reply
) -> None:
    ledger, service = Ledger(300), Service(GONE)
    service.scripts["1"] = [first]
    pool = make(ledger, service, absences=brake)
    run(pool)
    assert pool.ending is Ending.FINISHED
    assert states(ledger)[State.ABSENT] >= 299


def test_absences_with_another_final_answer_between_them_do_not_stop_the_run() -> None:
    ledger, service = Ledger(300), Service(GONE)
    for row in range(1, 300, 40):
        service.scripts[str(row)] = [REFUSED]
    pool = make(ledger, service, absences=AbsenceBrake(50, has_deleted=False))
    run(pool)
    assert pool.ending is Ending.FINISHED


def test_the_brake_on_refusals_can_be_turned_off() -> None:
    ledger = Ledger(200)
    pool = make(ledger, Service(REFUSED), max_refusals=0)
    run(pool)
    assert states(ledger) == {State.REFUSED: 200}


def test_other_clients_that_spend_the_quota_are_logged_once() -> None:
    class Shared(Service):
        """Accepts three calls in any second: other clients spend the rest of the quota."""

        def __init__(self) -> None:
            super().__init__()
            self.accepted: list[float] = []

        async def send(
            self,
            flow: Flow,
            timeout_s: float | None = None,
            left: Callable[[], None] = lambda: None,
            may_leave: Callable[[], bool] = lambda: True,
        ) -> Reply:
            reply = await super().send(flow, timeout_s, left, may_leave)
            now = asyncio.get_running_loop().time()
            if len([at for at in self.accepted if now - at < 1.0]) >= 3:
                return THROTTLED
            self.accepted.append(now)
            return reply

    ledger, log = Ledger(600), Log()
    run(make(ledger, Shared(), log=log))
    assert states(ledger) == {State.DELETED: 600}
    told = [fields for event, fields in log.events if event == "pace.quota_shared"]
    assert len(told) == 1
    assert 1.0 < told[0]["others_per_s"] < 3.0


def test_a_failed_write_counts_more_than_the_wish_to_stop() -> None:
    ledger, service = Ledger(100), Service(latency_s=2.0)
    pool = make(ledger, service)
    error = CheckpointError("disk full")

    async def scenario() -> None:
        running = asyncio.create_task(pool.run())
        await asyncio.sleep(1.1)
        pool.stop(Ending.INTERRUPTED)
        pool.stop(Ending.STOPPED, error)
        pool.stop(Ending.STOPPED, CheckpointError("later"))
        await running

    run_virtual(scenario())
    assert (pool.ending, pool.error) == (Ending.STOPPED, error)


def test_a_last_flow_whose_call_was_cut_and_whose_network_is_gone_meets_the_outage_limit() -> None:
    ledger = Ledger(1)
    pool = make(ledger, Service(UNSENT, f1=[LOST]), outage_limit_s=60)
    run(pool)
    assert isinstance(pool.error, OutageError)
    assert ledger.rows == {1: State.PENDING}


@pytest.mark.parametrize("always_failing", [2, 4])
def test_a_few_last_flows_that_the_service_itself_fails_at_give_up(always_failing: int) -> None:
    ledger = Ledger(20)
    failing = {f"f{row}": [BROKEN] * 99 for row in range(20, 20 - always_failing, -1)}
    pool = make(ledger, Service(**failing), max_attempts=10)  # type: ignore[arg-type]  # scripts, not settings
    run(pool)
    assert pool.ending is Ending.FINISHED
    assert states(ledger) == {State.DELETED: 20 - always_failing, State.GAVE_UP: always_failing}


def test_no_call_leaves_after_the_outage_limit() -> None:
    ledger, service = Ledger(20_000), Service()
    service.down_until, service.down_reply = 1e9, UNSENT
    pool = make(ledger, service, rate=2000, outage_limit_s=30)
    run(pool)
    assert max(service.times) <= 30.0


def test_a_wish_to_wait_for_days_is_cut_to_minutes_and_logged() -> None:
    ledger, log = Ledger(3), Log()
    service = Service(f1=[THROTTLED._replace(retry_after_ms=900_000_000)])
    run(make(ledger, service, log=log))
    assert 299 < max(service.times) < 310
    assert ("pace.waiting", {"seconds": 300.0, "code": THROTTLED.code}) in log.events


def test_a_pool_that_waits_for_flows_flushes_once_each_time_it_has_been_idle_for_a_fifth_of_a_second() -> (
    None
):
    ledger, service = Ledger(3), Service(latency_s=1.0)

    async def main() -> None:
        pool = make(ledger, service, flush_when_idle=True)
        pool._backlog.more_to_read = True
        running = asyncio.create_task(pool.run())
        await asyncio.sleep(10)
        ledger.rows[4] = State.PENDING
        ledger.attempts[4], ledger.in_doubt[4] = 0, False
        pool.flows_added()
        await asyncio.sleep(10)
        pool.reading_ended()
        await running

    run_virtual(main())
    first = service.times[2] + 1.0 + 0.2
    second = service.times[3] + 1.0 + 0.2
    assert ledger.flushed_at == pytest.approx([first, second, 20.0], abs=0.01)


def test_a_pool_that_is_not_told_so_flushes_at_its_end_alone() -> None:
    ledger, service = Ledger(3), Service()

    async def main() -> None:
        pool = make(ledger, service)
        pool._backlog.more_to_read = True
        running = asyncio.create_task(pool.run())
        await asyncio.sleep(10)
        pool.reading_ended()
        await running

    run_virtual(main())
    assert ledger.flushed_at == pytest.approx([10.0], abs=0.01)
