"""The first deletions of a run: proven before any other flow is called."""

import asyncio
from collections.abc import Sequence

import pytest

from flowreaper.client.paced_operation import PacedOperation
from flowreaper.errors import RunError
from flowreaper.limiter.limiter import RateLimiter
from flowreaper.limiter.sliding_window import Pace
from flowreaper.model import Ending, Finding, Flow, Reply, State
from flowreaper.workers.canary import Canary
from tests.virtual import run_virtual
from tests.workers.rig import BROKEN, GONE, LOST, OK, REFUSED, THROTTLED, Ledger, Service, make, run, states
from tests.workers.test_examination import Guard


class Proof:
    """Notes what is to be proven, and how many calls were made by then; takes a while; may fail."""

    def __init__(self, service: Service, error: RunError | None = None) -> None:
        self.service = service
        self.error = error
        self.asked: list[list[str]] = []
        self.calls: list[int] = []

    async def __call__(self, flows: Sequence[Flow]) -> None:
        self.asked.append([flow.flow_id for flow in flows])
        self.calls.append(len(self.service.calls))
        await asyncio.sleep(7)
        if self.error:
            raise self.error


@pytest.mark.parametrize("guarded", [False, True])
def test_no_other_flow_is_called_before_the_first_ones_are_proven(*, guarded: bool) -> None:
    ledger, service = Ledger(30), Service()
    proof = Proof(service)
    guard = Guard(ledger) if guarded else None
    run(make(ledger, service, rate=100, canary=Canary(5, proof), guard=guard))
    assert proof.asked == [["1", "2", "3", "4", "5"]]
    assert proof.calls == [5]
    assert states(ledger) == {State.DELETED: 30}


@pytest.mark.parametrize("guarded", [False, True])
def test_only_deletions_that_the_service_confirmed_are_counted(*, guarded: bool) -> None:
    service = Service(f1=[REFUSED], f2=[GONE], f3=[LOST, GONE], f4=[THROTTLED, THROTTLED, OK])
    ledger = Ledger(30)
    proof = Proof(service)
    guard = Guard(ledger, f5=Finding(State.KEPT, Reply(0, "Status.PUBLISHED"))) if guarded else None
    run(make(ledger, service, rate=100, canary=Canary(3, proof), guard=guard))
    (proven,) = proof.asked
    assert len(proven) == 3
    assert not {"1", "2", "3"} & set(proven)
    before = [flow for _, flow in service.calls[: proof.calls[0]]]
    assert set(before) <= {*proven, "1", "2", "3", "4"}


@pytest.mark.parametrize("guarded", [False, True])
def test_what_is_not_proven_stops_the_run_with_nothing_more_sent(*, guarded: bool) -> None:
    ledger, service = Ledger(30), Service()
    pool = make(
        ledger,
        service,
        rate=100,
        canary=Canary(5, Proof(service, RunError("flow 1 is still there"))),
        guard=Guard(ledger) if guarded else None,
    )
    run(pool)
    assert (pool.ending, str(pool.error)) == (Ending.STOPPED, "flow 1 is still there")
    assert states(ledger) == {State.DELETED: 5, State.PENDING: 25}


@pytest.mark.parametrize("guarded", [False, True])
def test_flows_that_a_crash_left_claimed_count_among_the_first(*, guarded: bool) -> None:
    ledger, service = Ledger(30), Service()
    left = range(1, 21)
    ledger.rows |= dict.fromkeys(left, State.CLAIMED)
    proof = Proof(service)
    guard = Guard(ledger) if guarded else None
    run(make(ledger, service, rate=100, canary=Canary(5, proof), guard=guard, left_claimed=left))
    assert proof.calls == [5]
    assert states(ledger) == {State.DELETED: 30}


def test_the_proof_does_not_wait_behind_the_looks_at_other_flows() -> None:
    """Both have GetFlow's pace: 5 a second."""
    ledger, service = Ledger(100), Service()
    guard = Guard(ledger)

    async def main() -> None:
        pace = guard.pace = PacedOperation(RateLimiter(Pace(5)))

        async def prove(flows: Sequence[Flow]) -> None:
            for _ in flows:
                (await pace.acquire()).sent()

        await make(ledger, service, rate=5, canary=Canary(5, prove), guard=guard).run()

    run_virtual(main())
    assert service.times[5] - service.times[4] < 2.5
    assert 99 / (service.times[-1] - service.times[0]) > 4.5


def test_a_run_with_fewer_flows_proves_these_before_it_ends() -> None:
    ledger, service = Ledger(2), Service()
    proof = Proof(service)
    run(make(ledger, service, canary=Canary(5, proof)))
    assert proof.asked == [["1", "2"]]


def test_a_run_without_a_deletion_has_nothing_to_prove() -> None:
    ledger, service = Ledger(2), Service(GONE)
    proof = Proof(service)
    run(make(ledger, service, canary=Canary(5, proof)))
    assert proof.asked == []


def test_a_run_that_is_stopped_does_not_wait_for_the_proof() -> None:
    ledger, service = Ledger(30), Service()

    async def main() -> float:
        pool = make(ledger, service, rate=100, canary=Canary(5, Proof(service)))
        asyncio.get_running_loop().call_later(2.0, pool.stop, Ending.INTERRUPTED)
        await pool.run()
        return asyncio.get_running_loop().time()

    assert run_virtual(main()) < 3.0
    assert states(ledger) == {State.DELETED: 5, State.PENDING: 25}


@pytest.mark.parametrize("trouble", [THROTTLED, LOST, BROKEN])
@pytest.mark.parametrize("count", [1, 5])
def test_guarded_first_flows_that_must_be_called_again_are(count: int, trouble: Reply) -> None:
    """Flows that wait for the proof took the room of those that are looked at again before their next call."""
    ledger, service = Ledger(60), Service()
    service.scripts = {str(row): [trouble, OK] for row in range(1, 61)}
    proof = Proof(service)

    async def main() -> None:
        pool = make(ledger, service, canary=Canary(count, proof), guard=Guard(ledger))
        async with asyncio.timeout(600):
            await pool.run()

    run_virtual(main())
    assert [len(asked) for asked in proof.asked] == [count]
    assert states(ledger) == {State.DELETED: 60}


@pytest.mark.parametrize("guarded", [False, True])
@pytest.mark.parametrize("count", [1, 2, 4, 20])
def test_flows_that_a_crash_left_claimed_are_held_as_others_are(count: int, *, guarded: bool) -> None:
    ledger, service = Ledger(30), Service(f1=[THROTTLED, OK], f2=[THROTTLED, THROTTLED, OK])
    left = range(1, 9)
    ledger.rows |= dict.fromkeys(left, State.CLAIMED)
    ledger.skip(len(left))
    proof = Proof(service)
    guard = Guard(ledger) if guarded else None
    pool = make(ledger, service, canary=Canary(count, proof), left_claimed=left, guard=guard)
    run(pool)
    (asked,) = proof.asked
    assert len(asked) == count
    assert {flow for _, flow in service.calls[: proof.calls[0]]} == set(asked)
    assert (pool.ending, states(ledger)) == (Ending.FINISHED, {State.DELETED: 30})
