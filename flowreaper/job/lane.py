"""One account's lane: limiter, client, workers and sink, wired."""

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from flowreaper.client.repair import Repair, Signer
from flowreaper.events import Log
from flowreaper.job.checkpoint_state import Before
from flowreaper.job.settings import Settings
from flowreaper.limiter.limiter import RateLimiter
from flowreaper.limiter.peers import Peers
from flowreaper.limiter.shared_file import FileSharedPace, shared_folder
from flowreaper.model import Ending
from flowreaper.sink.sink import Sink, Stream
from flowreaper.store.store import Store
from flowreaper.workers.attempts import RetryPolicy
from flowreaper.workers.backlog import Backlog
from flowreaper.workers.canary import Canary
from flowreaper.workers.circuit_breaker import CircuitBreaker
from flowreaper.workers.claimer import Claimer
from flowreaper.workers.examination import Examination
from flowreaper.workers.outcomes import Outcomes
from flowreaper.workers.pool import WorkerPool
from flowreaper.workers.ports import Guard, Transport
from flowreaper.workers.reply_handler import ReplyHandler
from flowreaper.workers.stop_rules import AbsenceBrake, RefusalStreak


class AccountClient(Transport, Signer, Protocol):
    """What sends an account's calls, and renews its credentials."""


@dataclass(frozen=True, slots=True)
class Lane:
    """One account's parts. Flows enter and outcomes leave through `sink`; `workers` send the calls between."""

    sink: Sink
    workers: WorkerPool
    replies: ReplyHandler
    breaker: CircuitBreaker
    limiter: RateLimiter
    looks_silent_since: Callable[[], float | None]

    @property
    def silent_since(self) -> float | None:
        """Since when nothing has answered, on the event loop's clock; None where there is no outage."""
        known = [since for since in (self.breaker.since, self.looks_silent_since()) if since is not None]
        return min(known, default=None)

    def fail(self, error: Exception) -> None:
        """Stop for what concerns every flow: send no more, and end with this error."""
        self.workers.stop(Ending.STOPPED, error)


@dataclass(frozen=True, slots=True, kw_only=True)
class Safeguards:
    """What surrounds a lane's deletions. Without `guard` nothing is looked at, without `canary` nothing held back.

    `silent_since` says since when nothing has answered their calls, on the event loop's clock; None where there is no
    outage.
    """

    guard: Guard | None = None
    canary: Canary | None = None
    silent_since: Callable[[], float | None] = lambda: None


def build_lane(
    settings: Settings,
    *,
    store: Store,
    client: AccountClient,
    limiter: RateLimiter,
    log: Log,
    streams: Sequence[Stream] = (),
    before: Before = Before(),  # noqa: B008 -- an immutable value
    safeguards: Safeguards = Safeguards(),
    flush_when_idle: bool = False,
    luck: Callable[[], float] = random.random,
    now: Callable[[], float] = time.time,
) -> Lane:
    """Wire one account's parts; nothing is sent before its workers run. What cannot be recorded stops the lane.

    `luck` returns 0 to 1, `now` seconds since the epoch.
    """
    backlog = Backlog(settings.rate, settings.limit)
    backlog.take_first(before.left_claimed)
    breaker = CircuitBreaker(settings.outage_limit_s, has_answered=before.has_answer)
    absences = AbsenceBrake(settings.max_absent, has_deleted=before.has_deleted, before=before.absent)
    sink = Sink(
        store, streams, lambda e: workers.stop(Ending.STOPPED, e), absences.may_reopen, before.in_doubt
    )
    streak = RefusalStreak(settings.max_refusals)
    outcomes = Outcomes(sink, absences, streak, log=log, canary=safeguards.canary, now=now)
    replies = ReplyHandler(
        backlog=backlog,
        sink=sink,
        limiter=limiter,
        breaker=breaker,
        retry=RetryPolicy(settings.max_attempts, luck),
        repair=Repair(client, log),
        outcomes=outcomes,
        overrides=settings.treat,
        log=log,
    )
    examination = _examination(safeguards.guard, settings.rate, backlog, outcomes)
    workers = WorkerPool(
        backlog=backlog,
        sink=sink,
        limiter=limiter,
        breaker=breaker,
        transport=client,
        replies=replies,
        claimer=Claimer(backlog, sink, examination, safeguards.canary, flush_when_idle=flush_when_idle),
        concurrency=settings.concurrency,
    )
    return Lane(sink, workers, replies, breaker, limiter, safeguards.silent_since)


def _examination(
    guard: Guard | None, rate: float, backlog: Backlog, outcomes: Outcomes
) -> Examination | None:
    return Examination(guard, rate, backlog, outcomes) if guard else None


def share_pace(account: str, peers: Peers, log: Log) -> FileSharedPace:
    """Return the pace that an account's runs on this machine share; `log` gets what becomes of the sharing."""
    folder = shared_folder()

    def failed(error: OSError) -> None:
        # No part is known where the system does not say how many runs there are.
        meanwhile = "its part of the rate" if peers.signal() else "nothing"
        log.warning("pace.not_shared_on_this_machine", folder=str(folder), error=str(error), sends=meanwhile)

    clock = asyncio.get_running_loop().time
    works = partial(log.info, "pace.shared_again_on_this_machine")
    met = partial(log.info, "pace.shared_with_another_run_on_this_machine")
    return FileSharedPace(folder, account, peers, clock, failed=failed, works=works, met=met)
