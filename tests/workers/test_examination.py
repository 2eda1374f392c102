"""Flows that are looked at before they are claimed: what passes, what does not, and that looking slows nothing."""

import asyncio
import random
from collections.abc import Callable

import pytest

from flowreaper.client.paced_operation import PacedOperation
from flowreaper.errors import (
    ConsecutiveAbsencesError,
    ConsecutiveRefusalsError,
    FatalReplyError,
    RunError,
)
from flowreaper.limiter.limiter import RateLimiter
from flowreaper.limiter.sliding_window import Pace
from flowreaper.model import Claim, Ending, Finding, Reply, State
from flowreaper.workers.examination import FRESH_S
from flowreaper.workers.stop_rules import AbsenceBrake
from tests.virtual import run_virtual
from tests.workers.rig import (
    GONE,
    LOST,
    OK,
    REFUSED,
    THROTTLED,
    Ledger,
    Log,
    Service,
    make,
    most_in_a_second,
    run,
    states,
)

PASS = Finding(None)
PUBLISHED = Finding(State.KEPT, Reply(0, "Status.PUBLISHED", "no draft"))


class Guard:
    """Finds what `findings` says of a flow, else that it may go; notes when it was asked, and what was claimed then."""

    def __init__(self, ledger: Ledger, **findings: Finding | RunError) -> None:
        self.ledger = ledger
        self.latency_s = 0.0
        self.findings = {name.removeprefix("f"): found for name, found in findings.items()}
        self.asked: list[tuple[float, str]] = []
        self.states: list[State] = []
        self.on_ask: Callable[[str], None] = lambda _flow_id: None
        self.pace: PacedOperation | None = None

    async def examine(self, claim: Claim) -> Finding:
        if self.pace:
            permit = await self.pace.acquire()
            permit.sent()
        self.asked.append((asyncio.get_running_loop().time(), claim.flow.flow_id))
        self.states.append(self.ledger.rows[claim.row])
        self.on_ask(claim.flow.flow_id)
        await asyncio.sleep(self.latency_s)
        found = self.findings.get(claim.flow.flow_id, PASS)
        if isinstance(found, RunError):
            raise found
        return found


def test_a_flow_that_does_not_pass_is_never_sent_and_keeps_the_guards_words() -> None:
    ledger, service = Ledger(3), Service()
    run(make(ledger, service, guard=Guard(ledger, f2=PUBLISHED)))
    assert [flow for _, flow in service.calls] == ["1", "3"]
    assert list(ledger.rows.values()) == [State.DELETED, State.KEPT, State.DELETED]
    (kept,) = (outcome for outcome in ledger.outcomes if outcome.state is State.KEPT)
    assert (kept.reply, kept.attempts, kept.in_doubt) == (PUBLISHED.reply, 0, False)


def test_a_flow_is_claimed_only_after_it_was_looked_at() -> None:
    ledger, service = Ledger(20), Service()
    guard = Guard(ledger)
    guard.latency_s = 0.3
    run(make(ledger, service, rate=5, guard=guard))
    assert set(guard.states) == {State.PENDING}
    asked = {flow: at for at, flow in guard.asked}
    assert all(asked[flow] + 0.3 <= at for at, flow in service.calls)
    assert len(service.calls) == 20


def test_the_guards_own_pace_and_latency_do_not_slow_the_deletions() -> None:
    """At 5/s each, with two seconds for every look: the looks overlap, and 5 a second are deleted."""
    ledger, service = Ledger(200), Service()
    guard = Guard(ledger)
    guard.latency_s = 2.0

    async def main() -> None:
        guard.pace = PacedOperation(RateLimiter(Pace(5)))
        await make(ledger, service, rate=5, guard=guard).run()

    run_virtual(main())
    times = service.times
    assert len(times) == 200
    assert 199 / (times[-1] - times[0]) > 4.9
    assert most_in_a_second(times) <= 5
    assert most_in_a_second([at for at, _ in guard.asked]) <= 5


def test_looks_that_are_late_now_and_then_do_not_slow_the_deletions_for_good() -> None:
    ledger, service = Ledger(300), Service()
    guard = Guard(ledger)
    luck = random.Random(1)  # noqa: S311 -- to be repeated

    def late(_flow_id: str) -> None:
        guard.latency_s = luck.choice([0.02, 0.02, 0.02, 0.7])

    guard.on_ask = late

    async def main() -> None:
        guard.pace = PacedOperation(RateLimiter(Pace(5)))
        await make(ledger, service, rate=5, guard=guard).run()

    run_virtual(main())
    assert 299 / (service.times[-1] - service.times[0]) > 4.97


def test_where_few_of_many_flows_pass_these_do_not_wait_for_each_other_until_they_are_too_old() -> None:
    ledger, service = Ledger(400), Service()
    kept = {f"f{row}": PUBLISHED for row in ledger.rows if row % 100}
    guard = Guard(ledger, **kept)

    async def main() -> None:
        guard.pace = PacedOperation(RateLimiter(Pace(5)))
        await make(ledger, service, rate=5, guard=guard).run()

    run_virtual(main())
    assert [flow for _, flow in service.calls] == ["100", "200", "300", "400"]
    assert len(guard.asked) == 400


def test_looks_that_hang_hold_back_the_flows_that_have_passed_for_two_seconds_at_most() -> None:
    ledger, service = Ledger(20), Service()
    guard = Guard(ledger)

    def hang(flow_id: str) -> None:
        guard.latency_s = 0.0 if int(flow_id) < 4 else 300.0

    guard.on_ask = hang

    async def main() -> None:
        pool = make(ledger, service, rate=5, guard=guard)
        asyncio.get_running_loop().call_later(10, pool.stop, Ending.INTERRUPTED)
        await pool.run()

    run_virtual(main())
    assert [flow for _, flow in service.calls] == ["1", "2", "3"]
    assert service.times[0] < 2.5


def test_flows_that_are_fewer_than_the_looks_are_to_be_ahead_are_deleted_all_the_same() -> None:
    ledger, service = Ledger(2), Service()
    run(make(ledger, service, rate=5, guard=Guard(ledger)))
    assert states(ledger) == {State.DELETED: 2}


@pytest.mark.parametrize("waits", [THROTTLED, LOST])
def test_a_flow_that_is_sent_again_soon_is_looked_at_again(waits: Reply) -> None:
    ledger, service = Ledger(1), Service(f1=[waits, OK])
    guard = Guard(ledger)
    run(make(ledger, service, guard=guard))
    assert [flow for _, flow in guard.asked] == ["1", "1"]
    assert states(ledger) == {State.DELETED: 1}


def test_a_flow_that_became_live_before_its_second_call_is_kept() -> None:
    ledger, service = Ledger(1), Service(f1=[THROTTLED, OK])
    guard = Guard(ledger)
    guard.on_ask = lambda _: guard.findings.update({"1": PUBLISHED}) if service.calls else None
    run(make(ledger, service, guard=guard))
    assert len(service.calls) == 1
    assert states(ledger) == {State.KEPT: 1}


def test_a_flow_that_waited_for_too_long_since_its_look_is_looked_at_again() -> None:
    """An outage holds claimed flows for a minute; some are published meanwhile."""
    ledger, service = Ledger(30), Service(latency_s=0.02)
    service.down_from, service.down_until = 1.0, 90.0
    guard = Guard(ledger)

    def published(flow_id: str) -> None:
        if asyncio.get_running_loop().time() > 60:
            guard.findings[flow_id] = PUBLISHED

    guard.on_ask = published
    run(make(ledger, service, rate=5, guard=guard))
    asked: dict[str, list[float]] = {}
    for at, flow in guard.asked:
        asked.setdefault(flow, []).append(at)
    for at, flow in service.calls:
        assert min(at - seen for seen in asked[flow] if seen <= at) <= FRESH_S + 1
    assert not [flow for at, flow in service.calls if at > 60 + FRESH_S]


def test_flows_that_have_passed_do_not_wait_for_looks_that_hang() -> None:
    ledger, service = Ledger(30), Service()

    class Hanging(Guard):
        async def examine(self, claim: Claim) -> Finding:
            self.latency_s = 300.0 if claim.row > 3 else 0.0
            return await super().examine(claim)

    async def main() -> None:
        pool = make(ledger, service, rate=5, guard=Hanging(ledger))
        asyncio.get_running_loop().call_later(10.0, pool.stop, Ending.INTERRUPTED)
        await pool.run()

    run_virtual(main())
    assert states(ledger) == {State.DELETED: 3, State.PENDING: 27}


def test_flows_that_were_seen_before_the_machine_slept_are_looked_at_again() -> None:
    """The event loop's clock stands still meanwhile."""
    slept_s = 0.0
    ledger, service = Ledger(40), Service()
    guard = Guard(ledger)

    async def main() -> None:
        nonlocal slept_s
        loop = asyncio.get_running_loop()
        pool = make(ledger, service, rate=5, guard=guard, now=lambda: 1_800_000_000.0 + loop.time() + slept_s)
        running = asyncio.ensure_future(pool.run())
        await asyncio.sleep(3.05)
        slept_s = 8 * 3600.0
        guard.findings = {str(row): PUBLISHED for row in ledger.rows}
        before = len(service.calls)
        await running
        assert len(service.calls) <= before + 1  # whose call was on its way

    run_virtual(main())
    assert states(ledger)[State.KEPT] >= 20


def test_a_flow_that_the_look_does_not_find_is_absent_unless_it_was_in_doubt() -> None:
    ledger, service = Ledger(2), Service(f2=[LOST])
    guard = Guard(ledger, f1=Finding(State.ABSENT, GONE))
    guard.on_ask = lambda flow: (
        guard.findings.update({"2": Finding(State.ABSENT, GONE)}) if flow == "2" and service.calls else None
    )
    run(make(ledger, service, guard=guard))
    assert list(ledger.rows.values()) == [State.ABSENT, State.DELETED]
    assert [outcome.inferred for outcome in ledger.outcomes] == [False, True]
    assert len(service.calls) == 1


@pytest.mark.parametrize("state", [State.REFUSED, State.GAVE_UP, State.KEPT])
def test_a_look_that_does_not_see_a_flow_leaves_it_in_doubt(state: State) -> None:
    """Only a flow that was seen is kept; a look that was refused says nothing of a call whose answer was lost."""
    ledger, service = Ledger(1), Service(f1=[LOST])
    guard = Guard(ledger)
    found = Finding(state, REFUSED)
    guard.on_ask = lambda _: guard.findings.update({"1": found}) if service.calls else None
    run(make(ledger, service, guard=guard))
    (outcome,) = ledger.outcomes
    assert (outcome.state, outcome.in_doubt) == (state, state is not State.KEPT)


def test_flows_in_a_row_that_a_look_does_not_find_stop_the_run_as_answers_do() -> None:
    ledger, service = Ledger(60), Service()
    gone = {f"f{row}": Finding(State.ABSENT, GONE) for row in ledger.rows}
    pool = make(ledger, service, guard=Guard(ledger, **gone), absences=AbsenceBrake(10, has_deleted=False))
    run(pool)
    assert isinstance(pool.error, ConsecutiveAbsencesError)
    assert not service.calls
    assert states(ledger) == {State.PENDING: 60}


def test_flows_in_a_row_whose_look_is_refused_stop_the_run() -> None:
    ledger, service = Ledger(60), Service()
    refused = {f"f{row}": Finding(State.REFUSED, REFUSED) for row in ledger.rows}
    pool = make(ledger, service, guard=Guard(ledger, **refused), max_refusals=5)
    run(pool)
    assert isinstance(pool.error, ConsecutiveRefusalsError)
    assert not service.calls


def test_what_concerns_every_look_stops_the_run_and_blames_no_flow() -> None:
    ledger, service = Ledger(10), Service()
    pool = make(ledger, service, guard=Guard(ledger, f1=FatalReplyError("no permission for GetFlow")))
    run(pool)
    assert (pool.ending, str(pool.error)) == (Ending.STOPPED, "no permission for GetFlow")
    assert states(ledger) == {State.PENDING: 10}
    assert not service.calls


def test_a_defect_of_the_guard_ends_the_run_as_a_defect() -> None:
    class Broken:
        async def examine(self, claim: Claim) -> Finding:
            raise ZeroDivisionError(claim.flow.flow_id)

    pool = make(ledger := Ledger(3), Service(), guard=Broken())
    with pytest.raises(ZeroDivisionError):
        run(pool)
    assert states(ledger) == {State.PENDING: 3}


def test_a_run_that_is_stopped_drops_its_looks_and_leaves_their_flows_as_they_were() -> None:
    ledger, service = Ledger(40), Service()
    guard = Guard(ledger)
    guard.latency_s = 5.0

    async def main() -> float:
        pool = make(ledger, service, rate=5, guard=guard)
        asyncio.get_running_loop().call_later(2.0, pool.stop, Ending.INTERRUPTED)
        await pool.run()
        return asyncio.get_running_loop().time()

    assert run_virtual(main()) < 3.0
    assert states(ledger) == {State.PENDING: 40}


def test_a_limit_counts_the_flows_that_were_looked_at() -> None:
    ledger, service = Ledger(10), Service()
    pool = make(ledger, service, limit=4, guard=Guard(ledger, f2=PUBLISHED))
    run(pool)
    assert (pool.ending, len(service.calls)) == (Ending.LIMIT, 3)
    assert states(ledger) == {State.DELETED: 3, State.KEPT: 1, State.PENDING: 6}


def test_a_flow_given_up_by_its_look_is_warned_of() -> None:
    ledger, log = Ledger(1), Log()
    not_saved = Finding(State.GAVE_UP, Reply(0, "Backup.NotSaved", "no file"))
    run(make(ledger, Service(), guard=Guard(ledger, f1=not_saved), log=log))
    assert states(ledger) == {State.GAVE_UP: 1}
    assert [event for event, fields in log.events if fields.get("code") == "Backup.NotSaved"] == [
        "flow.gave_up"
    ]
