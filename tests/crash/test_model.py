"""A model of a whole life: any order of reading, claiming, sending, recording, crashing and going on.

The checkpoint, the backlog and the reply handler are the real ones; Hypothesis is the event loop. The service
remembers what it deleted and what it acknowledged; the checkpoint must say the same in the end.
"""

import contextlib
import itertools
import random
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from flowreaper.client.repair import Repair
from flowreaper.job.settings import RETRYABLE
from flowreaper.model import Change, Claim, Outcome, Record, Retry, State
from flowreaper.store.sqlite.checkpoint import Checkpoint, open_checkpoint
from flowreaper.store.sqlite.database import GuardedDatabase
from flowreaper.store.sqlite.reader import read_records
from flowreaper.workers.attempts import RetryPolicy
from flowreaper.workers.backlog import Backlog
from flowreaper.workers.circuit_breaker import CircuitBreaker
from flowreaper.workers.outcomes import Outcomes
from flowreaper.workers.ports import Permit
from flowreaper.workers.reply_handler import ReplyHandler
from flowreaper.workers.stop_rules import AbsenceBrake, RefusalStreak
from tests.crash.rig import How, NeverAsked, Service, Silence, hasty
from tests.samples import IDENTITY, entries
from tests.virtual import run_virtual

MISSING = frozenset({"3", "6"})
IDS = [str(n) for n in range(1, 9)]


class Group:
    """Outcomes that wait for their transaction; the model claims by itself."""

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


class Unlimited:
    """No pace, and no permits: the model sends by itself."""

    other_clients_rate: float | None = None

    async def acquire(self) -> Permit:
        raise AssertionError

    def throttled(self, sent_at: float, retry_after_s: float) -> None: ...


class Life(RuleBasedStateMachine):
    """Flows from input to outcome, through crashes."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.path = self.folder / "ids.ckpt"
        self.service = Service(MISSING)
        self.read: set[str] = set()
        self.final: dict[str, Record] = {}
        self.clock = itertools.count()

    def teardown(self) -> None:
        """Let the job end on a good day, then compare."""
        try:
            self.resume()
            while self.claim_and_send():
                pass
            self.compare()
            self.checkpoint.close()
        finally:
            shutil.rmtree(self.folder)

    # --- steps

    @initialize(max_attempts=st.sampled_from([1, 3]))
    def begin(self, max_attempts: int) -> None:
        self.max_attempts = max_attempts
        self.open(())
        self.reads(IDS[:5])

    @rule(ids=st.lists(st.sampled_from(IDS), max_size=4))
    def reads(self, ids: list[str]) -> None:
        added = self.checkpoint.add(entries(*ids))
        assert added.new == len(set(ids) - self.read)
        self.read |= set(ids)
        self.backlog.flows_added()

    @rule()
    def claims(self) -> None:
        due, new = self.backlog.wanted(float("inf"), self.backlog.room)
        self.backlog.claimed(self.write(new, due), len(due), new)

    @rule(hows=st.lists(st.sampled_from(How), min_size=1, max_size=5))
    def sends(self, hows: list[How]) -> None:
        for how in hows:
            if not self.backlog.ready:
                self.claims()
            if self.backlog.ready:
                self.send(how)

    @rule()
    def records(self) -> None:
        self.write(0, [])

    @precondition(lambda self: self.group.changes or self.backlog.ready)
    @rule()
    def crashes(self) -> None:
        self.resume()

    @precondition(lambda self: self.retryable())
    @rule(data=st.data())
    def is_told_to_retry(self, data: st.DataObject) -> None:
        state = data.draw(st.sampled_from(self.retryable()))
        self.final = {flow: record for flow, record in self.final.items() if record.state is not state}
        self.resume(state)

    @invariant()
    def final_stays_final(self) -> None:
        if self.final:
            assert self.final.items() <= self.on_disk().items()

    # --- what the steps are made of

    def retryable(self) -> list[State]:
        return [state for state in RETRYABLE if any(r.state is state for r in self.final.values())]

    def open(self, retry: tuple[State, ...]) -> None:
        self.checkpoint: Checkpoint = open_checkpoint(self.path, IDENTITY, connect=hasty)
        self.checkpoint.reopen(Retry(retry))
        self.backlog = Backlog(10, None)
        self.backlog.take_first(self.checkpoint.mark_claimed_in_doubt())
        self.group = Group()
        self.replies = ReplyHandler(
            backlog=self.backlog,
            sink=self.group,
            limiter=Unlimited(),
            breaker=CircuitBreaker(3600),
            retry=RetryPolicy(self.max_attempts, random.random),
            repair=Repair(NeverAsked(), Silence()),
            outcomes=Outcomes(
                sink=self.group,
                absences=AbsenceBrake(0, has_deleted=False),
                refusals=RefusalStreak(0),
                log=Silence(),
            ),
            overrides={},
            log=Silence(),
        )

    def resume(self, *retry: State) -> None:
        # As a kill leaves it: the log stays beside the file, nothing is folded or closed in order.
        left = self.folder / "left.ckpt"
        for end in ("", "-wal"):
            with contextlib.suppress(FileNotFoundError):
                shutil.copy(f"{self.path}{end}", f"{left}{end}")
        database = self.checkpoint._database
        assert isinstance(database, GuardedDatabase)
        self.checkpoint._db.close()
        database._file.close()
        for end in ("", "-wal", "-shm"):
            Path(f"{self.path}{end}").unlink(missing_ok=True)
            with contextlib.suppress(FileNotFoundError):
                Path(f"{left}{end}").rename(f"{self.path}{end}")
        self.open(retry)

    def send(self, how: How) -> None:
        claim = self.backlog.ready.popleft()
        flow_id = claim.flow.flow_id
        assert flow_id not in self.final, "a flow that is final was called again"
        assert self.on_disk()[flow_id].state is State.CLAIMED, "a call left before its claim was kept"
        reply = self.service.call(flow_id, how)
        error = run_virtual(self.replies.handle(claim, reply, next(self.clock), 0))
        assert error is None

    def write(self, new: int, again: list[int]) -> list[Claim]:
        changes, self.group.changes = self.group.changes, []
        claims = self.checkpoint.write(changes, new, again)
        ended = [c for c in changes if isinstance(c, Outcome)]
        if ended:
            kept = self.on_disk()
            self.final |= {o.claim.flow.flow_id: kept[o.claim.flow.flow_id] for o in ended}
        return claims

    def claim_and_send(self) -> bool:
        self.claims()
        if not self.backlog.ready:
            return False
        while self.backlog.ready:
            self.send(How.WELL)
        self.records()
        return True

    def on_disk(self) -> dict[str, Record]:
        found = list(read_records(self.path))
        assert len(found) == len({record.flow_id for record in found})
        return {record.flow_id: record for record in found}

    def compare(self) -> None:
        kept = self.on_disk()
        assert set(kept) == self.read
        assert set(self.service.calls) == self.read
        assert self.service.deleted <= self.read
        for flow, record in kept.items():
            assert record.state.final
            deleted, told = flow in self.service.deleted, flow in self.service.acknowledged
            match record.state:
                case State.DELETED:
                    # A missing flow whose answer was lost once is taken for deleted: nobody can know better.
                    assert deleted or flow in MISSING
                    assert record.inferred or told
                    assert record.in_doubt or not record.inferred
                case State.ABSENT:
                    assert flow in MISSING
                case State.REFUSED:
                    assert not deleted
                case State.GAVE_UP:
                    assert record.in_doubt or not deleted


def test_whatever_happens_the_checkpoint_says_what_the_service_did() -> None:
    run_state_machine_as_test(Life, settings=settings(max_examples=150, stateful_step_count=30))


def test_a_flow_that_gave_up_in_doubt_and_is_taken_again_by_name_ends_deleted_by_inference() -> None:
    life = Life()
    life.begin(max_attempts=1)
    life.sends([How.LOST_AFTER])
    life.records()
    assert life.retryable() == [State.GAVE_UP]
    life.final.clear()
    life.resume(State.GAVE_UP)
    life.teardown()


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_whatever_happens_in_many_longer_lives() -> None:
    run_state_machine_as_test(Life, settings=settings(max_examples=1000, stateful_step_count=60))
