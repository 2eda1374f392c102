"""What goes on beside the workers: the input is read and reported, a failure stops everything, expiry is warned of."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from flowreaper.errors import CheckpointError, InputError, RunError
from flowreaper.events import SilentLog
from flowreaper.job.lane import build_lane
from flowreaper.job.max_delete import parse_max_delete
from flowreaper.job.settings import Settings
from flowreaper.job.summary import InputRead
from flowreaper.job.supervisor import Supervisor
from flowreaper.limiter.limiter import RateLimiter
from flowreaper.limiter.saved_pace import SavedPace
from flowreaper.limiter.sliding_window import Pace
from flowreaper.model import Added, AnyEntry, Change, Claim, Ending, State
from flowreaper.producer.producer import Deliver
from flowreaper.store.sqlite.writer import Writer
from tests.job.memory import SETTINGS, Client, Store
from tests.samples import entries
from tests.virtual import run_virtual


class MemoryWriter(Writer):
    """A writer without a thread, whose file fails after `fails_after_s` seconds."""

    def __init__(self, fails_after_s: float = 1e9) -> None:
        self._store = Store()
        self._fails_after_s = fails_after_s

    async def add(self, entries: Sequence[AnyEntry]) -> Added:
        return await self._store.add(entries)

    async def write(self, changes: Sequence[Change], new: int = 0, again: Sequence[int] = ()) -> list[Claim]:
        return await self._store.write(changes, new, again)

    async def note(self, name: str, value: str) -> None: ...

    async def unlisted(self) -> int:
        return 4

    async def watch(self, failed: Callable[[RunError], None]) -> None:
        await asyncio.sleep(self._fails_after_s)
        failed(CheckpointError("the file is gone"))


class Input:
    """Delivers flows one by one, each after `wait_s`; raises `error` at its end."""

    def __init__(self, count: int, error: Exception | None = None, wait_s: float = 0.0) -> None:
        self._count = count
        self._error = error
        self._wait_s = wait_s
        self._stopped = False

    def __call__(self, deliver: Deliver) -> "Input":
        self._deliver = deliver
        return self

    async def run(self) -> None:
        for flow_id in range(1, self._count + 1):
            if self._stopped:
                return
            await self._deliver(entries(str(flow_id)))
            await asyncio.sleep(self._wait_s)
        if self._error:
            raise self._error

    def stop(self) -> None:
        self._stopped = True


class Log(SilentLog):
    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warning(self, event: str, **_fields: object) -> None:
        self.warnings.append(event)


class Rig:
    """A supervisor over memory, after its run."""

    def __init__(
        self,
        source: Input | None,
        writer: MemoryWriter | None = None,
        *,
        settings: Settings = SETTINGS,
        expires_at: float | None = None,
        at_s: float = 0.0,
        existing: int | RunError = 0,
    ) -> None:
        self.client = Client()
        self.read: list[InputRead] = []
        self.log = Log()
        self.raised: Exception | None = None
        self.read_all = False
        self.keeps_history: bool | None = None
        self._at_s = at_s
        self._existing = existing
        self.counted = 0
        run_virtual(self._run(source, writer or MemoryWriter(), settings, expires_at))

    async def _run(
        self, source: Input | None, writer: MemoryWriter, settings: Settings, expires_at: float | None
    ) -> None:
        pace = Pace(settings.rate)
        limiter = RateLimiter(pace)
        self.lane = build_lane(settings, store=writer, client=self.client, limiter=limiter, log=self.log)
        supervisor = Supervisor(
            settings,
            self.lane,
            writer,
            SavedPace(pace, writer.note, self.lane.fail),
            make_producer=source,
            before={State.DELETED: 2, State.PENDING: 7},
            to_call=0,
            expires_at=expires_at,
            input_read=self.read.append,
            count_existing=self._count_existing,
            log=self.log,
            now=self._wall_clock,
        )
        try:
            self.read_all = await supervisor.run(self._keep_history)
        except ValueError as error:
            self.raised = error
        self.snapshot = supervisor.snapshot()

    def _wall_clock(self) -> float:
        return self._at_s + asyncio.get_running_loop().time()

    async def _count_existing(self) -> int:
        self.counted += 1
        await asyncio.sleep(30)
        if isinstance(self._existing, RunError):
            raise self._existing
        return self._existing

    async def _keep_history(self) -> None:
        self.keeps_history = True
        try:
            await asyncio.Event().wait()
        finally:
            self.keeps_history = False


def test_the_input_is_called_and_reported_when_it_was_read() -> None:
    rig = Rig(Input(3))
    assert rig.client.sent == ["1", "2", "3"]
    assert rig.read == [InputRead(to_call=3, repeated=0, unlisted=4)]
    assert rig.read_all
    assert (rig.snapshot.left, rig.snapshot.reading, rig.snapshot.calls) == (0, False, 3)
    assert rig.snapshot.done == {State.DELETED: 3}


def test_without_an_input_there_is_nothing_to_report() -> None:
    rig = Rig(None)
    assert (rig.read, rig.read_all, rig.lane.workers.ending) == ([], True, Ending.FINISHED)


def test_an_input_that_was_stopped_before_its_end_is_not_reported_as_read() -> None:
    rig = Rig(Input(100, wait_s=1.0), settings=Settings(endpoint=SETTINGS.endpoint, rate=10.0, limit=2))
    assert (rig.read, rig.read_all) == ([], False)
    assert rig.client.sent == ["1", "2"]


def test_an_input_that_cannot_be_read_stops_the_run_and_is_its_error() -> None:
    rig = Rig(Input(2, InputError("unreadable")))
    assert isinstance(rig.lane.workers.error, InputError)
    assert rig.raised is None
    assert not rig.read


def test_what_a_callers_own_input_raises_is_raised_once_all_is_recorded() -> None:
    rig = Rig(Input(2, ValueError("the caller's")))
    assert str(rig.raised) == "the caller's"
    assert rig.lane.sink.recorded[State.DELETED] == len(rig.client.sent)


def test_a_file_that_fails_while_nothing_is_recorded_stops_the_run() -> None:
    rig = Rig(Input(100, wait_s=1.0), MemoryWriter(fails_after_s=5.5))
    assert str(rig.lane.workers.error) == "the file is gone"
    assert len(rig.client.sent) < 100


@pytest.mark.parametrize(("valid_s", "warned"), [(10, True), (1000, False), (None, False)])
def test_credentials_that_expire_too_early_are_warned_of_once(valid_s: float | None, *, warned: bool) -> None:
    expires_at = None if valid_s is None else valid_s
    rig = Rig(Input(1000), expires_at=expires_at)
    assert rig.log.warnings == ["credentials.expire_before_the_end"] * warned


@pytest.mark.parametrize("limits", [{"max_duration_s": 5.0}, {"stop_at": datetime.fromtimestamp(5, UTC)}])
def test_credentials_that_outlive_the_run_are_not_warned_of_however_much_is_left(
    limits: dict[str, Any],
) -> None:
    assert not Rig(Input(1000), settings=replace(SETTINGS, **limits), expires_at=10).log.warnings


def test_a_snapshot_tells_this_run_and_the_jobs_former_outcomes_apart() -> None:
    snapshot = Rig(Input(3)).snapshot
    assert (snapshot.done, snapshot.before) == ({State.DELETED: 3}, {State.DELETED: 2})
    assert (snapshot.called, snapshot.to_do, snapshot.rate, snapshot.limit) == (3, 0, 10.0, None)
    assert snapshot.permitted_per_s == pytest.approx(10.0, rel=0.001)
    assert (snapshot.other_clients_per_s, snapshot.in_doubt) == (None, 0)


def test_the_history_is_kept_for_as_long_as_the_run_goes_on() -> None:
    assert Rig(Input(3)).keeps_history is False


AT_SIX = datetime(2026, 11, 25, 6, tzinfo=UTC)


@pytest.mark.parametrize(
    ("limits", "at_s"),
    [
        ({"max_duration_s": 3.0}, 0.0),
        ({"stop_at": AT_SIX}, AT_SIX.timestamp() - 3),
        ({"stop_at": AT_SIX, "max_duration_s": 3600.0}, AT_SIX.timestamp() - 3),
    ],
    ids=["after a time", "at a time", "whichever comes first"],
)
def test_a_run_whose_time_is_up_sends_no_more_and_says_so(limits: dict[str, Any], at_s: float) -> None:
    settings = replace(SETTINGS, **limits)
    rig = Rig(Input(1000, wait_s=0.01), settings=settings, at_s=at_s)
    assert rig.lane.workers.ending is Ending.TIME_UP
    assert 25 <= len(rig.client.sent) <= 36
    assert rig.lane.sink.recorded[State.DELETED] == len(rig.client.sent)
    assert not rig.read_all


@pytest.mark.parametrize(
    ("limits", "stops_in_s"),
    [
        ({}, None),
        ({"max_duration_s": 3600.0}, 3599.0),
        ({"stop_at": AT_SIX}, 1799.0),
        ({"stop_at": AT_SIX, "max_duration_s": 3600.0}, 1799.0),
        ({"stop_at": AT_SIX, "max_duration_s": 60.0}, 59.0),
    ],
)
def test_a_snapshot_says_in_how_many_seconds_the_run_stops(
    limits: dict[str, Any], stops_in_s: float | None
) -> None:
    rig = Rig(Input(2, wait_s=0.5), settings=replace(SETTINGS, **limits), at_s=AT_SIX.timestamp() - 1800)
    expected = stops_in_s if stops_in_s is None else pytest.approx(stops_in_s, abs=0.5)
    assert rig.snapshot.stops_in_s == expected


def test_a_run_whose_time_is_up_stops_in_no_time() -> None:
    rig = Rig(Input(1000, wait_s=0.01), settings=replace(SETTINGS, max_duration_s=3.0))
    assert rig.snapshot.stops_in_s == 0


def test_a_time_that_is_not_up_ends_nothing() -> None:
    rig = Rig(Input(3), settings=replace(SETTINGS, max_duration_s=3600.0))
    assert rig.lane.workers.ending is Ending.FINISHED


def bounded(most: int | str, **settings: Any) -> Settings:
    return Settings(endpoint=SETTINGS.endpoint, rate=10.0, max_delete=parse_max_delete(most), **settings)


def test_a_run_that_would_call_more_flows_than_it_may_reads_them_all_and_calls_none() -> None:
    rig = Rig(Input(100, wait_s=1.0), settings=bounded(99))
    assert rig.client.sent == []
    assert rig.lane.workers.ending is Ending.STOPPED
    assert str(rig.lane.workers.error).startswith("100 flows would be called, and at most 99 may be")
    assert rig.read == [InputRead(to_call=100, repeated=0, unlisted=4)]


def test_a_run_within_its_bound_calls_all() -> None:
    rig = Rig(Input(5, wait_s=1.0), settings=bounded(5))
    assert (len(rig.client.sent), rig.counted, rig.lane.workers.ending) == (5, 0, Ending.FINISHED)


def test_flows_beyond_the_limit_of_a_run_do_not_count_for_its_bound() -> None:
    rig = Rig(Input(100), settings=bounded(3, limit=3))
    assert rig.client.sent == ["1", "2", "3"]


@pytest.mark.parametrize(("existing", "calls"), [(100, 10), (99, 0)])
def test_a_share_is_reckoned_from_the_flows_that_exist(existing: int, calls: int) -> None:
    rig = Rig(Input(10), settings=bounded("10%"), existing=existing)
    assert len(rig.client.sent) == calls


def test_where_the_existing_flows_cannot_be_counted_nothing_is_called_and_that_is_the_error() -> None:
    rig = Rig(Input(10), settings=bounded("10%"), existing=RunError("no list"))
    assert (rig.client.sent, str(rig.lane.workers.error)) == ([], "no list")


def test_a_rehearsal_counts_nothing_for_a_share() -> None:
    rig = Rig(Input(10), settings=bounded("10%", sandbox=True))
    assert (len(rig.client.sent), rig.counted) == (10, 0)


def test_an_input_that_cannot_be_read_is_the_error_of_a_bounded_run_too() -> None:
    rig = Rig(Input(2, InputError("unreadable")), settings=bounded(5))
    assert (rig.client.sent, str(rig.lane.workers.error)) == ([], "unreadable")


@pytest.mark.parametrize(("most", "wait_s"), [(100, 15.0), ("10%", 0.0)], ids=["reading", "counting"])
def test_a_bounded_run_that_is_stopped_before_its_first_call_waits_for_nothing(
    most: int | str, wait_s: float
) -> None:
    rig = Rig(Input(100, wait_s=wait_s), settings=bounded(most, max_duration_s=20.0), existing=1000)
    assert (rig.client.sent, rig.lane.workers.ending) == ([], Ending.TIME_UP)
    assert rig.snapshot.elapsed_s < 40
