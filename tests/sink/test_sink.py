"""Where outcomes go, and in which order; on a virtual clock."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import pytest

from flowreaper.errors import CheckpointError, OutputError, RunError
from flowreaper.model import (
    Added,
    AnyEntry,
    Change,
    Claim,
    InvalidEntry,
    Outcome,
    Record,
    Reopen,
    Requeue,
    State,
    Unsent,
)
from flowreaper.sink.sink import GROUP_S, GROUP_SIZE, Sink
from tests.samples import claim, entries, invalid, outcome
from tests.virtual import run_virtual


def row_of(change: Outcome | Unsent | Requeue) -> int:
    if isinstance(change, Unsent):
        return change.outcome.claim.row
    return change.claim.row if isinstance(change, Outcome) else change.row


class FakeStore:
    """Notes the rows of each write and when it came; a write takes `takes_s` and may fail."""

    def __init__(self, events: list[str]) -> None:
        self.events = events
        self.writes: list[tuple[list[int], int, list[int]]] = []
        self.at: list[float] = []
        self.takes_s = 0.0
        self.error: RunError | None = None

    async def add(self, entries: Sequence[AnyEntry]) -> Added:
        if self.error:
            raise self.error
        bad = tuple(e for e in entries if isinstance(e, InvalidEntry))
        return Added(len(entries) - len(bad) - 1, 1, bad)

    async def look(self, new: int, rows: Sequence[int] = ()) -> list[Claim]:
        if self.error:
            raise self.error
        self.events.append(f"looked for {new}")
        return [claim(row) for row in rows]

    async def write(self, changes: Sequence[Change], new: int = 0, rows: Sequence[int] = ()) -> list[Claim]:
        changed = [row_of(c) for c in changes if not isinstance(c, Reopen)]
        self.writes.append((changed, new, list(rows)))
        self.at.append(asyncio.get_running_loop().time())
        await asyncio.sleep(self.takes_s)
        if self.error:
            raise self.error
        self.events += [f"recorded {row}" for row in changed]
        return [claim(row) for row in rows]


class FakeStream:
    def __init__(self, events: list[str], error: RunError | None = None) -> None:
        self.events = events
        self.error = error

    def put(self, record: Record) -> None:
        self.events.append(f"streamed {record.flow_id}")
        if self.error:
            raise self.error


class Parts:
    def __init__(self) -> None:
        self.events: list[str] = []
        self.failures: list[Exception] = []
        self.defects: list[type] = []
        self.store = FakeStore(self.events)
        self.stream = FakeStream(self.events)
        self.undecided: set[int] = set()
        self.sink = Sink(self.store, [self.stream], self.failures.append, self.undecided.__contains__)

    def put(self, *rows: int) -> None:
        for row in rows:
            self.sink.put(outcome(claim(row, str(row))))

    @property
    def groups(self) -> list[list[int]]:
        return [changed for changed, _new, _rows in self.store.writes]


def run(scene: Callable[[Parts], Awaitable[None]]) -> Parts:
    parts = Parts()

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(
            lambda _loop, context: parts.defects.append(type(context["exception"]))
        )
        await scene(parts)

    run_virtual(main())
    assert parts.defects == []
    return parts


# --- grouping


def test_outcomes_are_recorded_in_one_transaction_a_fifth_of_a_second_after_the_first() -> None:
    async def scene(parts: Parts) -> None:
        for row in range(1, 6):
            parts.put(row)
            await asyncio.sleep(0.05)
        await asyncio.sleep(1)

    parts = run(scene)
    assert parts.groups == [[1, 2, 3, 4], [5]]
    assert parts.store.at == [pytest.approx(GROUP_S), pytest.approx(0.2 + GROUP_S)]


def test_what_was_put_is_recorded_before_flows_are_looked_at() -> None:
    """A flow that is looked at again must be known with its attempts and its doubt."""

    async def scene(parts: Parts) -> None:
        parts.put(1)
        assert [seen.row for seen in await parts.sink.look(3, [7])] == [7]

    assert run(scene).events == ["recorded 1", "streamed 1", "looked for 3"]


def test_the_outcome_of_a_flow_that_was_only_looked_at_is_counted_and_streamed() -> None:
    async def scene(parts: Parts) -> None:
        parts.sink.put(Unsent(outcome(claim(1, "1"), State.KEPT)))
        await parts.sink.flush()
        assert parts.sink.recorded == {State.KEPT: 1}

    assert run(scene).events == ["recorded 1", "streamed 1"]


def test_a_full_group_is_recorded_at_once_and_whole() -> None:
    async def scene(parts: Parts) -> None:
        parts.put(*range(GROUP_SIZE - 1))
        await asyncio.sleep(0.01)
        assert parts.groups == []
        parts.put(GROUP_SIZE - 1)
        await asyncio.sleep(0.01)
        assert parts.groups == [list(range(GROUP_SIZE))]
        await asyncio.sleep(1)

    assert len(run(scene).groups) == 1


def test_a_burst_within_one_turn_of_the_loop_is_one_transaction() -> None:
    async def scene(parts: Parts) -> None:
        parts.put(*range(2 * GROUP_SIZE + 7))
        await asyncio.sleep(1)

    assert run(scene).groups == [list(range(2 * GROUP_SIZE + 7))]


def test_what_comes_during_a_slow_write_waits_for_the_next() -> None:
    async def scene(parts: Parts) -> None:
        parts.store.takes_s = 5
        parts.put(1)
        await asyncio.sleep(1)
        parts.put(2)
        await parts.sink.flush()

    parts = run(scene)
    assert parts.groups == [[1], [2]]
    assert sorted(parts.events[:2]) == ["recorded 1", "streamed 1"]


def test_nothing_put_means_no_write() -> None:
    async def scene(parts: Parts) -> None:
        await parts.sink.flush()
        await asyncio.sleep(1)

    assert run(scene).groups == []


# --- the order


def test_an_outcome_is_streamed_and_counted_only_when_it_is_recorded() -> None:
    async def scene(parts: Parts) -> None:
        parts.store.takes_s = 1
        parts.put(1, 2)
        await asyncio.sleep(GROUP_S + 0.9)
        assert parts.events == []
        assert not parts.sink.recorded
        await asyncio.sleep(0.2)

    parts = run(scene)
    assert parts.events == ["recorded 1", "recorded 2", "streamed 1", "streamed 2"]
    assert parts.sink.recorded == {State.DELETED: 2}


def test_deletions_by_inference_are_counted_apart_once_they_are_recorded() -> None:
    async def scene(parts: Parts) -> None:
        parts.store.takes_s = 1
        parts.put(1)
        parts.sink.put(outcome(claim(2, "2"), inferred=True, in_doubt=True))
        await asyncio.sleep(GROUP_S + 0.9)
        assert parts.sink.inferred == 0
        await parts.sink.flush()

    parts = run(scene)
    assert (parts.sink.inferred, parts.sink.recorded) == (1, {State.DELETED: 2})


def test_a_flow_that_goes_back_is_recorded_but_not_streamed() -> None:
    async def scene(parts: Parts) -> None:
        parts.sink.put(Requeue(1, 2, in_doubt=True))
        await parts.sink.flush()

    parts = run(scene)
    assert parts.events == ["recorded 1"]
    assert not parts.sink.recorded


def test_an_outcome_that_may_be_taken_back_is_recorded_at_once_and_streamed_when_it_is_decided() -> None:
    async def scene(parts: Parts) -> None:
        parts.undecided |= {1, 2}
        parts.put(1, 2, 3)
        await parts.sink.claim(0, [])
        assert parts.events == ["recorded 1", "recorded 2", "recorded 3", "streamed 3"]
        parts.undecided.clear()
        parts.put(4)
        await parts.sink.claim(0, [])
        assert parts.events[4:] == ["recorded 4", "streamed 4", "streamed 1", "streamed 2"]

    run(scene)


def test_a_flow_is_held_from_its_recording_until_its_outcome_is_decided() -> None:
    async def scene(parts: Parts) -> None:
        flow = claim(1, "1").flow
        parts.undecided |= {1}
        parts.put(1, 2)
        assert not parts.sink.holds(flow)
        await parts.sink.claim(0, [])
        assert parts.sink.holds(flow)
        assert not parts.sink.holds(claim(2, "2").flow)
        parts.undecided.clear()
        await parts.sink.claim(0, [])
        assert not parts.sink.holds(flow)

    run(scene)


def test_an_outcome_that_is_taken_back_is_not_streamed_and_the_rest_is_at_the_end() -> None:
    async def scene(parts: Parts) -> None:
        parts.undecided |= {1, 2, 3}
        parts.put(1, 2, 3)
        parts.sink.put(Reopen((1, 3)))
        await parts.sink.flush()

    assert run(scene).events == ["recorded 1", "recorded 2", "recorded 3", "streamed 2"]


def test_invalid_lines_are_streamed_when_they_are_kept_and_repeats_are_counted() -> None:
    async def scene(parts: Parts) -> None:
        assert await parts.sink.add([*entries("1", "1"), invalid("x y")]) == 1
        assert await parts.sink.add(entries("2")) == 0

    parts = run(scene)
    assert parts.events == ["streamed x y"]
    assert parts.sink.recorded == {State.INVALID: 1}
    assert parts.sink.repeated == 2


# --- claiming


def test_a_claim_takes_the_waiting_group_into_its_own_transaction() -> None:
    async def scene(parts: Parts) -> None:
        parts.put(1, 2)
        assert await parts.sink.claim(3, [7]) == [claim(7)]
        await asyncio.sleep(1)

    parts = run(scene)
    assert parts.store.writes == [([1, 2], 3, [7])]
    assert parts.events == ["recorded 1", "recorded 2", "streamed 1", "streamed 2"]


def test_a_claim_without_a_group_is_one_transaction_too() -> None:
    async def scene(parts: Parts) -> None:
        assert await parts.sink.claim(3, []) == []

    assert run(scene).store.writes == [([], 3, [])]


# --- flush


def test_flush_records_at_once_and_returns_when_all_is_passed_on() -> None:
    async def scene(parts: Parts) -> None:
        parts.store.takes_s = 0.05
        parts.put(1)
        await parts.sink.flush()
        assert parts.events == ["recorded 1", "streamed 1"]
        assert asyncio.get_running_loop().time() < GROUP_S

    assert run(scene).groups == [[1]]


def test_flush_waits_for_what_a_claim_took_along() -> None:
    async def scene(parts: Parts) -> None:
        parts.store.takes_s = 3
        parts.put(1)
        claiming = asyncio.create_task(parts.sink.claim(1, []))
        await asyncio.sleep(0.01)
        await parts.sink.flush()
        assert parts.events == ["recorded 1", "streamed 1"]
        await claiming

    run(scene)


# --- failures


def test_a_failed_write_is_told_once_and_nothing_is_recorded_or_streamed_after_it() -> None:
    full = CheckpointError("disk full")

    async def scene(parts: Parts) -> None:
        parts.store.takes_s = 0.1
        parts.store.error = full
        parts.put(1)
        await asyncio.sleep(GROUP_S + 0.01)
        parts.put(2)
        await asyncio.sleep(1)
        parts.store.error = None
        parts.put(3)
        await parts.sink.flush()
        with pytest.raises(CheckpointError, match="disk full"):
            await parts.sink.claim(1, [])
        await asyncio.sleep(1)

    parts = run(scene)
    assert parts.failures == [full]
    assert parts.groups == [[1]]
    assert parts.events == []
    assert not parts.sink.recorded


def test_a_failed_claim_is_told_and_raised() -> None:
    async def scene(parts: Parts) -> None:
        parts.store.error = CheckpointError("disk full")
        parts.put(1)
        with pytest.raises(CheckpointError):
            await parts.sink.claim(1, [])

    parts = run(scene)
    assert [str(e) for e in parts.failures] == ["disk full"]
    assert parts.events == []


def test_a_failed_add_is_told_and_raised() -> None:
    async def scene(parts: Parts) -> None:
        parts.store.error = CheckpointError("disk full")
        with pytest.raises(CheckpointError):
            await parts.sink.add(entries("1", "2"))

    assert len(run(scene).failures) == 1


def test_a_stream_that_fails_is_told_once_and_outcomes_are_recorded_all_the_same() -> None:
    gone = OutputError("results: disk full")

    async def scene(parts: Parts) -> None:
        parts.stream.error = gone
        parts.put(1, 2)
        await parts.sink.flush()
        parts.put(3)
        parts.sink.put(Requeue(4, 0, in_doubt=False))
        await parts.sink.flush()
        await parts.sink.add([invalid("x y")])

    parts = run(scene)
    assert parts.failures == [gone]
    assert parts.groups == [[1, 2], [3, 4]]
    assert parts.sink.recorded == {State.DELETED: 3, State.INVALID: 1}


def test_a_stream_that_fails_does_not_keep_outcomes_from_another() -> None:
    async def main() -> list[str]:
        events: list[str] = []
        failing, well = FakeStream([], OutputError("full")), FakeStream(events)
        sink = Sink(FakeStore([]), [failing, well], lambda _error: None)
        sink.put(outcome(claim(1, "1")))
        await sink.flush()
        return events

    assert run_virtual(main()) == ["streamed 1"]


def test_a_defect_in_the_store_stops_the_run_like_a_failed_write() -> None:
    async def scene(parts: Parts) -> None:
        parts.put(1)
        parts.sink.put("no change")  # type: ignore[arg-type]  # the defect
        await parts.sink.flush()
        await asyncio.sleep(0)

    assert [type(failure) for failure in run(scene).failures] == [AttributeError]


class Doubtful(FakeStore):
    """Claims flows that had a call without a reply, and takes finished ones again."""

    async def add(self, entries: Sequence[AnyEntry]) -> Added:
        return Added(0, len(entries), (), len(entries), {State.REFUSED: len(entries)})

    async def write(self, changes: Sequence[Change], new: int = 0, rows: Sequence[int] = ()) -> list[Claim]:
        return [c._replace(in_doubt=True) for c in await super().write(changes, new, rows)]


def test_flows_in_doubt_are_counted_from_the_start_until_their_outcome() -> None:
    counts = []

    async def run() -> None:
        sink = Sink(Doubtful([]), (), lambda _error: None, in_doubt=3)
        counts.append(sink.in_doubt)
        await sink.claim(0, [1, 2])
        counts.append(sink.in_doubt)
        sink.put(outcome(claim(1)))
        sink.put(Requeue(2, 1, in_doubt=True))
        sink.put(Requeue(9, 1, in_doubt=True))
        sink.put(Requeue(8, 1, in_doubt=False))
        await sink.flush()
        counts.append(sink.in_doubt)
        await sink.claim(0, [2, 9])
        counts.append(sink.in_doubt)
        for row in (2, 9):
            sink.put(outcome(claim(row)))
        await sink.flush()
        counts.append(sink.in_doubt)

    run_virtual(run())
    assert counts == [3, 3, 3, 3, 1]


def test_finished_flows_that_are_taken_again_are_counted() -> None:
    async def run() -> Sink:
        sink = Sink(Doubtful([]), (), lambda _error: None)
        await sink.add(entries("1", "2"))
        await sink.add(entries("3"))
        return sink

    assert run_virtual(run()).reopened == {State.REFUSED: 3}
