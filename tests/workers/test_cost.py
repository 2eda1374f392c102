"""What the worker pool costs, in counts that do not depend on the machine; tests/benchmarks measures the seconds."""

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from flowreaper.limiter.limiter import RateLimiter
from flowreaper.limiter.pace import Pace
from flowreaper.model import Added, Change, Claim, Ending, Entry, Flow, InvalidEntry, Reply
from flowreaper.sink.sink import GROUP_SIZE, Sink
from flowreaper.workers.backlog import Backlog
from flowreaper.workers.brakes import AbsenceBrake, RefusalStreak
from flowreaper.workers.circuit_breaker import CircuitBreaker
from flowreaper.workers.pool import WorkerPool
from flowreaper.workers.repair import Repair
from flowreaper.workers.replies import ReplyHandler
from flowreaper.workers.retry import RetryPolicy
from tests.virtual import run_virtual

COMMIT_S = 0.005
LATENCY_S = 0.02
WAKES_LATE_S = 0.001


@dataclass
class Store:
    """A checkpoint with `pending` flows that counts its transactions."""

    pending: int
    transactions: int = 0
    recorded: int = 0
    claimed: int = 0
    most_held: int = 0

    async def add(self, entries: Sequence[Entry | InvalidEntry]) -> Added:
        await asyncio.sleep(COMMIT_S)
        self.pending += len(entries)
        return Added(len(entries), 0, ())

    async def write(self, changes: Sequence[Change], new: int = 0, again: Sequence[int] = ()) -> list[Claim]:
        assert not again
        self.transactions += 1
        await asyncio.sleep(COMMIT_S)
        self.recorded += len(changes)
        rows = range(self.claimed + 1, min(self.claimed + new, self.pending) + 1)
        self.claimed += len(rows)
        self.most_held = max(self.most_held, self.claimed - self.recorded)
        return [Claim(row, Flow(str(row)), 0, in_doubt=False, source="ids", line=row) for row in rows]


class Service:
    """Answers OK after the latency, notes when calls came."""

    def __init__(self) -> None:
        self.times: list[float] = []

    async def send(
        self,
        flow: Flow,
        timeout_s: float | None = None,  # noqa: ARG002 -- the Protocol's signature
        left: Callable[[], None] = lambda: None,
        may_leave: Callable[[], bool] = lambda: True,  # noqa: ARG002 -- the Protocol's signature
    ) -> Reply:
        left()
        self.times.append(asyncio.get_running_loop().time())
        await asyncio.sleep(LATENCY_S)
        return Reply(200, "OK", "None", f"R-{flow.flow_id}")

    async def renew_credentials(self) -> None:
        raise AssertionError

    def correct_clock(self, date: str) -> bool:  # noqa: ARG002 -- the Protocol's signature
        raise AssertionError


class Log:
    def is_enabled_for(self, level: int) -> bool:  # noqa: ARG002 -- the Protocol's signature
        return True

    def debug(self, event: str, **fields: Any) -> None: ...
    def info(self, event: str, **fields: Any) -> None: ...
    def warning(self, event: str, **fields: Any) -> None: ...


def failed(error: Exception) -> None:
    raise error


def make(store: Store, service: Service, rate: float, concurrency: int = 1000) -> tuple[WorkerPool, Sink]:
    backlog = Backlog(rate, None)
    limiter = RateLimiter(Pace(rate))
    breaker = CircuitBreaker(3600)
    sink = Sink(store, (), failed)
    replies = ReplyHandler(
        backlog=backlog,
        sink=sink,
        limiter=limiter,
        breaker=breaker,
        retry=RetryPolicy(5, random.random),
        repair=Repair(service, Log()),
        absences=AbsenceBrake(0, has_deleted=False),
        refusals=RefusalStreak(50),
        overrides={},
        log=Log(),
    )
    pool = WorkerPool(
        backlog=backlog,
        sink=sink,
        limiter=limiter,
        breaker=breaker,
        transport=service,
        replies=replies,
        concurrency=concurrency,
    )
    return pool, sink


def delete_all(flows: int, rate: float) -> tuple[Store, Service]:
    store, service = Store(flows), Service()
    pool, _ = make(store, service, rate)
    pool.reading_ended()
    run_virtual(pool.run(), lambda: WAKES_LATE_S)
    assert pool.ending is Ending.FINISHED
    assert store.recorded == flows
    return store, service


def test_a_thousand_flows_at_a_high_rate_take_few_transactions() -> None:
    store, _ = delete_all(10_000, rate=5000)
    # For a thousand: one for each group of 256 outcomes, and two claims of 500.
    assert store.transactions <= 10 * 6
    assert store.most_held <= 1000 + GROUP_SIZE  # claimed ahead, or answered and not yet recorded


def test_at_five_a_second_claims_take_the_outcomes_along() -> None:
    store, _ = delete_all(1000, rate=5)
    # A claim and an outcome a flow would be 2,000.
    assert store.transactions <= 1000 + 1


@pytest.mark.parametrize("rate", [5, 40, 100, 2000])
def test_calls_leave_at_the_rate(rate: float) -> None:
    _, service = delete_all(int(rate * 20) + 1, rate)
    seconds = service.times[-1] - service.times[0]
    assert 0.995 * rate <= (len(service.times) - 1) / seconds <= rate * 1.002


def test_the_flows_in_memory_stay_few_while_a_million_are_added() -> None:
    store, service = Store(0), Service()
    pool, sink = make(store, service, rate=5)

    async def feed() -> None:
        batch: list[Entry | InvalidEntry] = [Entry(Flow("7"), "ids", 1)] * 10_000
        for _ in range(100):
            await sink.add(batch)
            pool.flows_added()
        await asyncio.sleep(60)
        pool.stop(Ending.INTERRUPTED)

    async def run() -> None:
        await asyncio.gather(pool.run(), feed())

    run_virtual(run())
    assert store.pending == 1_000_000
    # Claimed ahead, under way, and answered but not yet recorded.
    assert store.most_held <= 3 + 2 + 2
    assert len(service.times) == pytest.approx(300, abs=5)
