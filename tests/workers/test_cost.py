"""What the engine costs, in counts that do not depend on the machine; tests/benchmarks measures the seconds."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pytest

from flowreaper.client.endpoint import parse_endpoint
from flowreaper.events import SilentLog
from flowreaper.job.lane import Lane, build_lane
from flowreaper.job.settings import Settings
from flowreaper.limiter.limiter import RateLimiter
from flowreaper.limiter.sliding_window import Pace
from flowreaper.model import Added, AnyEntry, Change, Claim, Ending, Entry, Flow, Reply
from flowreaper.sink.sink import GROUP_SIZE
from tests.virtual import run_virtual

ENDPOINT = parse_endpoint("http://127.0.0.1:1")
COMMIT_S = 0.005
LATENCY_S = 0.02
WAKES_LATE_S = 0.001


@dataclass
class Store:
    """A checkpoint of so many pending flows that counts its transactions."""

    pending: int
    transactions: int = 0
    recorded: int = 0
    claimed: int = 0
    most_held: int = 0

    async def add(self, entries: Sequence[AnyEntry]) -> Added:
        await asyncio.sleep(COMMIT_S)
        self.pending += len(entries)
        return Added(len(entries), 0, ())

    async def look(self, new: int, rows: Sequence[int] = ()) -> list[Claim]:
        raise AssertionError(f"nothing is looked at without a guard: {new}, {rows}")

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
        timeout_s: float | None = None,  # noqa: ARG002 -- the engine's port
        left: Callable[[], None] = lambda: None,
        may_leave: Callable[[], bool] = lambda: True,  # noqa: ARG002 -- the engine's port
    ) -> Reply:
        left()
        self.times.append(asyncio.get_running_loop().time())
        await asyncio.sleep(LATENCY_S)
        return Reply(200, "OK", "None", f"R-{flow.flow_id}")

    async def renew_credentials(self) -> None:
        raise AssertionError

    def correct_clock(self, date: str) -> bool:  # noqa: ARG002 -- the settlement's port
        raise AssertionError


def make(store: Store, service: Service, rate: float, concurrency: int = 1000) -> Lane:
    return build_lane(
        Settings(endpoint=ENDPOINT, rate=rate, concurrency=concurrency),
        store=store,
        client=service,
        limiter=RateLimiter(Pace(rate)),
        log=SilentLog(),
    )


def delete_all(flows: int, rate: float) -> tuple[Store, Service]:
    store, service = Store(flows), Service()
    workers = make(store, service, rate).workers
    workers.reading_ended()
    run_virtual(workers.run(), lambda: WAKES_LATE_S)
    assert workers.ending is Ending.FINISHED
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
    lane = make(store, service, rate=5)

    async def feed() -> None:
        batch: list[AnyEntry] = [Entry(Flow("7"), "ids", 1)] * 10_000
        for _ in range(100):
            await lane.sink.add(batch)
            lane.workers.flows_added()
        await asyncio.sleep(60)
        lane.workers.stop(Ending.INTERRUPTED)

    async def run() -> None:
        await asyncio.gather(lane.workers.run(), feed())

    run_virtual(run())
    assert store.pending == 1_000_000
    # Claimed ahead, in progress, and answered but not yet recorded.
    assert store.most_held <= 3 + 2 + 2
    assert len(service.times) == pytest.approx(300, abs=5)
