"""A worker pool with its real parts, between a ledger and a service in memory, on virtual time."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from flowreaper.client.repair import Repair
from flowreaper.errors import (
    RunError,
)
from flowreaper.limiter.limiter import RateLimiter
from flowreaper.limiter.shared_pace import SharedPace
from flowreaper.limiter.sliding_window import Pace
from flowreaper.model import (
    HELD_BACK,
    Change,
    Claim,
    Flow,
    Outcome,
    Reopen,
    Reply,
    ReplyClass,
    State,
    Unsent,
)
from flowreaper.workers.attempts import RetryPolicy
from flowreaper.workers.backlog import Backlog
from flowreaper.workers.canary import Canary
from flowreaper.workers.circuit_breaker import CircuitBreaker
from flowreaper.workers.claimer import Claimer
from flowreaper.workers.examination import Examination
from flowreaper.workers.outcomes import Outcomes
from flowreaper.workers.pool import WorkerPool
from flowreaper.workers.ports import Guard
from flowreaper.workers.reply_handler import ReplyHandler
from flowreaper.workers.stop_rules import AbsenceBrake, RefusalStreak
from tests.virtual import run_virtual

OK = Reply(200, "OK", "None", "R-1")
THROTTLED = Reply(400, "System.LimitControl", "The system is under flow control.", "R-2")
BROKEN = Reply(500, "InternalError", "oops", "R-3")
LOST = Reply(0, message="the answer was lost", readable=False)
UNSENT = Reply(0, message="no connection", readable=False, reached=False)
GONE = Reply(400, "Flow.NotExist", "The flow does not exist.", "R-4")
REFUSED = Reply(400, "Unknown.ResourceOwnerId", "not yours", "R-5")
DENIED = Reply(400, "Ram.PermissionDeny", "not authorized", "R-6")
STALE = Reply(400, "InvalidSecurityToken.Expired", "expired", "R-7")
SKEWED = Reply(400, "InvalidTimeStamp.Expired", "clock", "R-8", date="Tue, 24 Nov 2026 06:00:00 GMT")


class Ledger:
    """A checkpoint in memory, behind the sink's Protocol; checks that each flow is claimed before it is recorded."""

    def __init__(self, count: int, commit_s: float = 0.0) -> None:
        self.rows = dict.fromkeys(range(1, count + 1), State.PENDING)
        self.attempts = dict.fromkeys(self.rows, 0)
        self.in_doubt = dict.fromkeys(self.rows, False)
        self.outcomes: list[Outcome] = []
        self.commit_s = commit_s
        self.failure: RunError | None = None
        self.flushed_at: list[float] = []
        self._read_up_to = 0

    def skip(self, rows: int) -> None:
        """Let no more be claimed as new flows than those after this many rows."""
        self._read_up_to = rows

    async def claim(self, new: int, again: Sequence[int]) -> list[Claim]:
        await asyncio.sleep(self.commit_s)
        if self.failure:
            raise self.failure
        rows: list[int] = []
        while len(rows) < new and self._read_up_to < len(self.rows):
            self._read_up_to += 1
            if self.rows[self._read_up_to] is State.PENDING:
                rows.append(self._read_up_to)
        claimed = [*again, *rows]
        assert all(self.rows[row] in (State.PENDING, State.CLAIMED) for row in claimed)
        for row in claimed:
            self.rows[row] = State.CLAIMED
        return [Claim(r, Flow(str(r)), self.attempts[r], self.in_doubt[r], "ids", r) for r in claimed]

    async def look(self, new: int, again: Sequence[int]) -> list[Claim]:
        before = dict(self.rows)
        seen = await self.claim(new, again)
        self.rows = before
        return seen

    def put(self, change: Change) -> None:
        if isinstance(change, Reopen):
            assert all(self.rows[row] is State.ABSENT for row in change.rows)
            self.rows |= dict.fromkeys(change.rows, State.PENDING)
            return
        if isinstance(change, Unsent):
            assert not self.rows[change.outcome.claim.row].final
            self.rows[change.outcome.claim.row] = change.outcome.state
            self.outcomes.append(change.outcome)
            return
        row = change.claim.row if isinstance(change, Outcome) else change.row
        assert self.rows[row] is State.CLAIMED
        self.attempts[row], self.in_doubt[row] = change.attempts, change.in_doubt
        self.rows[row] = change.state if isinstance(change, Outcome) else State.PENDING
        if isinstance(change, Outcome):
            self.outcomes.append(change)

    async def flush(self) -> None:
        self.flushed_at.append(asyncio.get_running_loop().time())
        await asyncio.sleep(self.commit_s)


class Service:
    """Answers each flow's calls from its script, else with `default`; notes every call."""

    def __init__(
        self, default: Reply = OK, latency_s: float = 0.02, **scripts: list[Reply | RunError]
    ) -> None:
        self.default = default
        self.latency_s = latency_s
        self.scripts = {name.removeprefix("f"): list(script) for name, script in scripts.items()}
        self.calls: list[tuple[float, str]] = []
        self.under_way = self.most_under_way = 0
        self.down_from = self.down_until = 0.0
        self.down_reply, self.hangs_s = LOST, 0.1
        self.renewals = 0
        self.dates: list[str] = []
        self.on_renew: Callable[[], None] = lambda: None
        self.on_correct: Callable[[], None] = lambda: None

    async def send(
        self,
        flow: Flow,
        timeout_s: float | None = None,
        left: Callable[[], None] = lambda: None,
        may_leave: Callable[[], bool] = lambda: True,
    ) -> Reply:
        if not may_leave():
            return HELD_BACK
        left()
        now = asyncio.get_running_loop().time()
        self.calls.append((now, flow.flow_id))
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            if self.down_from <= now < self.down_until:
                await asyncio.sleep(min(self.hangs_s, timeout_s or self.hangs_s))
                return self.down_reply
            await asyncio.sleep(self.latency_s)
        finally:
            self.under_way -= 1
        script = self.scripts.get(flow.flow_id)
        reply = script.pop(0) if script else self.default
        if isinstance(reply, RunError):
            raise reply
        return reply

    async def renew_credentials(self) -> None:
        self.renewals += 1
        await asyncio.sleep(1)
        self.on_renew()

    def correct_clock(self, date: str) -> bool:
        self.dates.append(date)
        self.on_correct()
        return len(self.dates) == 1

    @property
    def times(self) -> list[float]:
        return [at for at, _ in self.calls]

    def count(self, flow_id: str) -> int:
        return sum(1 for _, called in self.calls if called == flow_id)


class Log:
    def is_enabled_for(self, level: int) -> bool:  # noqa: ARG002 -- the Protocol's signature
        return True

    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, Any]]] = []

    def debug(self, event: str, **fields: Any) -> None:
        pass

    def info(self, event: str, **fields: Any) -> None:
        self.events.append((event, fields))

    def warning(self, event: str, **fields: Any) -> None:
        self.events.append((event, fields))


def make(
    ledger: Ledger,
    service: Service,
    *,
    rate: float = 5,
    concurrency: int = 50,
    max_attempts: int = 3,
    limit: int | None = None,
    treat: dict[str, ReplyClass] | None = None,
    left_claimed: Sequence[int] = (),
    max_refusals: int = 50,
    absences: AbsenceBrake | None = None,
    has_answered: bool = True,
    outage_limit_s: float = 3600.0,
    log: Log | None = None,
    turns: SharedPace | None = None,
    flush_when_idle: bool = False,
    guard: Guard | None = None,
    canary: Canary | None = None,
    now: Callable[[], float] = lambda: 1_800_000_000.0,
) -> WorkerPool:
    backlog = Backlog(rate, limit)
    backlog.take_first(left_claimed)
    limiter = RateLimiter(Pace(rate), turns)
    breaker = CircuitBreaker(outage_limit_s, has_answered=has_answered)
    log = log or Log()
    outcomes = Outcomes(
        sink=ledger,
        absences=absences or AbsenceBrake(0, has_deleted=False),
        refusals=RefusalStreak(max_refusals),
        log=log,
        canary=canary,
        now=now,
    )
    examination = None
    if guard:
        examination = Examination(
            guard,
            rate,
            backlog,
            outcomes,
            now,
        )
    pool = WorkerPool(
        backlog=backlog,
        sink=ledger,
        limiter=limiter,
        breaker=breaker,
        transport=service,
        replies=ReplyHandler(
            backlog=backlog,
            sink=ledger,
            limiter=limiter,
            breaker=breaker,
            retry=RetryPolicy(max_attempts, random.Random(3).random),  # noqa: S311 -- repeatable waits
            repair=Repair(service, log),
            outcomes=outcomes,
            overrides=treat or {},
            log=log,
        ),
        claimer=Claimer(backlog, ledger, examination, canary, flush_when_idle=flush_when_idle),
        concurrency=concurrency,
    )
    pool.reading_ended()
    return pool


def run(pool: WorkerPool, late_s: Callable[[], float] = lambda: 0.0) -> None:
    run_virtual(pool.run(), late_s)


def most_in_a_second(times: list[float]) -> int:
    most = first = 0
    for last, at in enumerate(times):
        while at - times[first] >= 1.0:
            first += 1
        most = max(most, last - first + 1)
    return most


def states(ledger: Ledger) -> Counter[State]:
    return Counter(ledger.rows.values())


"""A worker pool with its real parts, between a ledger and a service in memory, on virtual time."""
