"""What a run writes into its job's history, in virtual time."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import TypeVar

import pytest

from flowreaper.errors import CheckpointError, RunError
from flowreaper.job.history import RunHistory, run_that_begins
from flowreaper.job.summary import Snapshot
from flowreaper.model import Ending, State
from flowreaper.store.history import SEEN_EVERY_S, Minute, PastRun
from flowreaper.store.sqlite.history import History
from flowreaper.store.sqlite.writer import Writer
from tests.samples import PAST_RUN
from tests.virtual import run_virtual

T = TypeVar("T")
MINUTE_S = 28_333_320 * 60


class Kept(History):
    """Keeps rows in memory; fails where it is told to."""

    def __init__(self) -> None:
        self.run = PAST_RUN
        self.minutes: dict[int, Minute] = {}
        self.saves = 0
        self.rows = 0
        self.seen_ms: list[int] = []
        self.fails = False

    def save(self, run: PastRun, minutes: Sequence[Minute]) -> None:
        if self.fails:
            raise CheckpointError("the disk is full")
        self.saves += 1
        self.run = run
        self.rows += len(minutes)
        self.seen_ms.append(run.seen_at_ms)
        self.minutes |= {minute.at_s: minute for minute in minutes}


class InPlace(Writer):
    """A writer without a thread."""

    def __init__(self) -> None: ...

    async def call(self, work: Callable[[], T]) -> T:
        return work()


class Rig:
    """A history from `begins_s` seconds after a full minute on, while 5 calls a second delete a flow each."""

    def __init__(self, begins_s: float) -> None:
        self.kept = Kept()
        self.failed: list[RunError] = []
        self.begins_s = MINUTE_S + begins_s
        self.silent_since: float | None = None
        self.throttled = 0
        self.permitted_per_s = 5.0
        self.idle_from_s = self.busy_from_s = 1e9

    def snapshot(self) -> Snapshot:
        elapsed_s = asyncio.get_running_loop().time()
        idle_s = max(0.0, min(elapsed_s, self.busy_from_s) - self.idle_from_s)
        calls = round((elapsed_s - idle_s) * 5)
        silent_s = None if self.silent_since is None else elapsed_s - self.silent_since
        return Snapshot(
            done={State.DELETED: calls - 1, State.REFUSED: 1} if calls else {},
            left=0,
            in_flight=0,
            calls=calls,
            throttled=self.throttled,
            silent_s=silent_s,
            reading=False,
            elapsed_s=elapsed_s,
            permitted_per_s=self.permitted_per_s,
        )

    def now(self) -> float:
        return self.begins_s + asyncio.get_running_loop().time()

    def history(self) -> RunHistory:
        at_ms = int(self.begins_s * 1000)
        run = replace(PAST_RUN, number=3, started_at_ms=at_ms, seen_at_ms=at_ms)
        return RunHistory(
            run, self.kept, InPlace(), snapshot=self.snapshot, failed=self.failed.append, now=self.now
        )


async def for_seconds(history: RunHistory, seconds: float) -> None:
    task = asyncio.create_task(history.run())
    await asyncio.sleep(seconds)
    task.cancel()
    await asyncio.wait((task,))


def test_a_run_that_begins_says_who_and_with_what() -> None:
    run = run_that_begins("LTAI****Key1", 4.5, now=lambda: 1_700_000_000.25)
    assert (run.started_at_ms, run.seen_at_ms, run.ended_at_ms, run.ending) == (
        1_700_000_000_250,
        1_700_000_000_250,
        None,
        None,
    )
    assert (run.access_key, run.rate) == ("LTAI****Key1", 4.5)
    assert all((run.version, run.host, run.pid))


def test_a_row_a_minute_adds_up_to_the_run() -> None:
    rig = Rig(begins_s=30)

    async def run() -> None:
        history = rig.history()
        await for_seconds(history, 150)
        await history.end(Ending.FINISHED, None)

    run_virtual(run())
    rows = [rig.kept.minutes[at_s] for at_s in sorted(rig.kept.minutes)]
    assert [(row.at_s - MINUTE_S, row.run) for row in rows[:3]] == [(0, 3), (60, 3), (120, 3)]
    assert [row.calls for row in rows[:3]] == [150, 300, 300]
    assert [row.refused for row in rows[:3]] == [1, 0, 0]
    assert sum(row.calls for row in rows) == rig.kept.run.calls == 750
    assert sum(row.deleted for row in rows) == rig.kept.run.counts[State.DELETED] == 749
    assert (rig.kept.run.ending, rig.kept.run.error, rig.kept.run.seconds) == (Ending.FINISHED, "", 150)


def test_a_run_that_is_killed_leaves_all_but_its_last_seconds() -> None:
    rig = Rig(begins_s=30)
    run_virtual(for_seconds(rig.history(), 128))
    assert (rig.kept.run.ended_at_ms, rig.kept.run.ending) == (None, None)
    assert rig.kept.run.calls == 126 * 5
    assert rig.kept.run.seen_at_ms == int((rig.begins_s + 126) * 1000)
    assert rig.kept.saves < 70


def test_seconds_without_an_answer_throttles_and_the_permitted_pace_are_kept() -> None:
    rig = Rig(begins_s=0)

    async def run() -> None:
        history = rig.history()
        await for_seconds(history, 20)
        rig.silent_since, rig.throttled, rig.permitted_per_s = 12.0, 7, 4.75
        await for_seconds(history, 20)
        rig.silent_since = None
        await for_seconds(history, 10)
        await history.end(Ending.STOPPED, RunError("no answer\nfor long"))

    run_virtual(run())
    (minute,) = rig.kept.minutes.values()
    assert (minute.throttled, minute.permitted_per_s) == (7, 4.75)
    assert 20 <= minute.silent_s <= 28
    assert rig.kept.run.error == "no answer for long"


def test_time_in_which_the_process_stood_still_has_no_row() -> None:
    rig = Rig(begins_s=0)

    async def run() -> None:
        history = rig.history()
        await for_seconds(history, 59)
        rig.begins_s += 3600  # the machine slept
        await for_seconds(history, 30)

    run_virtual(run())
    assert [at_s - MINUTE_S for at_s in sorted(rig.kept.minutes)] == [0, 3600, 3660]


def test_where_the_clock_is_set_back_time_goes_on_from_where_it_was() -> None:
    rig = Rig(begins_s=120)

    async def run() -> None:
        history = rig.history()
        await for_seconds(history, 10)
        rig.begins_s -= 3600
        await for_seconds(history, 70)
        await history.end(Ending.FINISHED, None)

    run_virtual(run())
    assert [(at_s - MINUTE_S, minute.calls) for at_s, minute in rig.kept.minutes.items()] == [
        (120, 300),
        (180, 100),
    ]
    assert rig.kept.run.seconds == 80
    assert rig.kept.run.ended_at_ms == (MINUTE_S + 200) * 1000


def test_a_checkpoint_that_cannot_be_written_stops_the_run() -> None:
    rig = Rig(begins_s=0)
    rig.kept.fails = True
    run_virtual(for_seconds(rig.history(), 30))
    assert [str(error) for error in rig.failed] == ["the disk is full"]


@pytest.mark.parametrize("taken_back", [True, False])
def test_absences_that_are_taken_back_leave_no_negative_row(*, taken_back: bool) -> None:
    rig = Rig(begins_s=0)
    absent = 9

    def snapshot() -> Snapshot:
        return replace(Rig.snapshot(rig), done={State.ABSENT: absent})

    rig.snapshot = snapshot  # type: ignore[method-assign]  # a run that finds nothing

    async def run() -> None:
        nonlocal absent
        history = rig.history()
        await for_seconds(history, 70)
        absent = 0 if taken_back else 9
        await for_seconds(history, 30)

    run_virtual(run())
    assert [rig.kept.minutes[at_s].absent for at_s in sorted(rig.kept.minutes)] == [9, 0]
    assert rig.kept.run.counts.get(State.ABSENT, 0) == (0 if taken_back else 9)


def test_a_run_without_work_says_that_it_is_there_but_keeps_no_minutes() -> None:
    rig = Rig(begins_s=0)
    rig.idle_from_s, rig.busy_from_s = 62.0, 3610.0

    async def run() -> None:
        history = rig.history()
        await for_seconds(history, 3602)
        assert rig.now() - rig.kept.run.seen_at_ms / 1000 <= SEEN_EVERY_S
        assert max(b - a for a, b in pairwise(rig.kept.seen_ms)) <= SEEN_EVERY_S * 1000
        assert rig.kept.saves < 1000
        assert rig.kept.rows < 40
        await for_seconds(history, 119)

    run_virtual(run())
    rows = [rig.kept.minutes[at_s] for at_s in sorted(rig.kept.minutes)]
    assert [row.at_s - MINUTE_S for row in rows] == [0, 60, 3600, 3660]
    assert [row.calls for row in rows] == [300, 10, 250, 300]
    assert sum(row.calls for row in rows) == rig.kept.run.calls


def test_minutes_without_an_answer_are_kept_although_nothing_is_sent() -> None:
    rig = Rig(begins_s=0)

    async def run() -> None:
        history = rig.history()
        await for_seconds(history, 30)
        rig.idle_from_s = rig.silent_since = 30.0
        await for_seconds(history, 151)

    run_virtual(run())
    silent = [rig.kept.minutes[at_s].silent_s for at_s in sorted(rig.kept.minutes)]
    assert silent == [30.0, 60.0, 60.0]
