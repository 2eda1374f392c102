"""What goes on side by side during a run: the input is read, the workers send, the pace is saved, the file watched."""

import asyncio
import contextlib
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any

from flowreaper.errors import FlowreaperError, RunError
from flowreaper.events import Log
from flowreaper.job.lane import Lane
from flowreaper.job.settings import Settings
from flowreaper.job.summary import InputRead, Snapshot
from flowreaper.limiter.saved_pace import SavedPace
from flowreaper.model import AnyEntry, Ending, State
from flowreaper.producer.producer import Deliver, Producer
from flowreaper.store.sqlite.writer import Writer

_LOOK_S = 0.5
# How often it is looked whether the time is up.


class Supervisor:
    """Runs a lane until nothing is left to do, with all that goes on beside it.

    `make_producer` gets the coroutine to deliver batches to; None: there is no input. `before` counts the job's flows
    by state when the run begins, `to_call` the flows that will be called for sure. `expires_at` is when the credentials
    expire, in seconds since the epoch, None: never. `count_existing` returns how many flows there are in the spaces of
    those that would be called, for a `max_delete` that is a share. `input_read` is called once the input was read to
    its end. `now` returns seconds since the epoch.
    """

    def __init__(
        self,
        settings: Settings,
        lane: Lane,
        writer: Writer,
        pace: SavedPace,
        *,
        make_producer: Callable[[Deliver], Producer] | None,
        before: Mapping[State, int],
        to_call: int,
        expires_at: float | None,
        input_read: Callable[[InputRead], None],
        count_existing: Callable[[], Awaitable[int]],
        log: Log,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        self._lane = lane
        self._writer = writer
        self._pace = pace
        self._producer = make_producer(self._deliver) if make_producer else None
        self._before = Counter({state: count for state, count in before.items() if state.final})
        self._to_call = to_call
        self._expires_at = expires_at
        self._input_read = input_read
        self._count_existing = count_existing
        self._log = log
        self._now = now
        self._reading = make_producer is not None
        self._read_all = make_producer is None
        self._warned_of_expiry = False
        self._started_at = asyncio.get_running_loop().time()

    async def run(self, keep_history: Callable[[], Coroutine[None, None, None]]) -> bool:
        """Run to the end, with `keep_history` beside; return whether all of the input was read.

        Raises:
            Exception: what the input raised and is no FlowreaperError, or a defect, once all is recorded.
        """
        lane = self._lane
        reading = asyncio.create_task(self._read())
        beside = (
            asyncio.create_task(self._pace.run()),
            asyncio.create_task(keep_history()),
            asyncio.create_task(self._writer.watch(lane.fail)),
            asyncio.create_task(self._stop_in_time()),
        )
        try:
            await self._require_few(reading)
            await lane.workers.run()
            read_all = self._read_all
            with contextlib.suppress(RunError):  # all outcomes are recorded; a pace can be learned again
                await self._pace.save()
        finally:
            for task in beside:
                task.cancel()
            if self._producer:
                self._producer.stop()
            await asyncio.wait((reading, *beside))
        if error := reading.exception():
            raise error
        if lane.workers.error and not isinstance(lane.workers.error, FlowreaperError):
            raise lane.workers.error
        return read_all

    @property
    def elapsed_s(self) -> float:
        """Seconds since the start."""
        return asyncio.get_running_loop().time() - self._started_at

    def snapshot(self) -> Snapshot:
        """Return how far the run is."""
        lane = self._lane
        done = dict(lane.sink.recorded)
        finished = sum(count for state, count in done.items() if state is not State.INVALID)
        since = lane.silent_since
        return Snapshot(
            done=done,
            left=self._to_call - finished,
            in_flight=lane.workers.in_flight,
            calls=lane.workers.calls,
            throttled=lane.replies.throttled,
            silent_s=None if since is None else asyncio.get_running_loop().time() - since,
            reading=self._reading,
            elapsed_s=self.elapsed_s,
            before=dict(self._before - lane.sink.reopened),
            in_doubt=lane.sink.in_doubt,
            rate=self._settings.rate,
            permitted_per_s=lane.limiter.permitted_per_s,
            other_clients_per_s=lane.limiter.other_clients_rate,
            limit=self._settings.limit,
            stops_in_s=self._stops_in_s,
        )

    async def _require_few(self, reading: "asyncio.Task[None]") -> None:
        """Stop the run before its first call where it would call more flows than it may; read all of them first."""
        most, workers = self._settings.max_delete, self._lane.workers
        if most is None:
            return
        await self._wait_unless_stopped(reading)
        existing = 0
        try:
            if most.percent is not None and workers.ending is None:
                if self._settings.sandbox:
                    return  # it can list no flow
                existing = await self._existing()
            if workers.ending is None:
                most.require(min(self._to_call, self._settings.limit or sys.maxsize), existing)
        except FlowreaperError as error:
            self._lane.fail(error)

    async def _existing(self) -> int:
        counting = asyncio.ensure_future(self._count_existing())
        try:
            await self._wait_unless_stopped(counting)
            return counting.result() if counting.done() else 0
        finally:
            counting.cancel()

    async def _wait_unless_stopped(self, task: "asyncio.Future[Any]") -> None:
        """Return when the task has ended, or soon after the run was stopped."""
        while not task.done() and self._lane.workers.ending is None:
            await asyncio.wait([task], timeout=_LOOK_S)

    async def _stop_in_time(self) -> None:
        """Stop the run when its time is up."""
        while left_s := self._stops_in_s:  # noqa: ASYNC110 -- a clock sets no event
            await asyncio.sleep(_LOOK_S)
        if left_s is not None:
            self._lane.workers.stop(Ending.TIME_UP)

    @property
    def _stops_in_s(self) -> float | None:
        # The wall clock may be set, and goes on while the machine sleeps: it is asked again and again.
        settings, left_s = self._settings, []
        if settings.stop_at is not None:
            left_s.append(settings.stop_at.timestamp() - self._now())
        if settings.max_duration_s is not None:
            left_s.append(settings.max_duration_s - self.elapsed_s)
        return max(0.0, min(left_s)) if left_s else None

    async def _read(self) -> None:
        self._warn_of_expiry()
        try:
            if self._producer:
                await self._producer.run()
                self._read_all = True
                await self._report_input()
        except FlowreaperError as error:
            self._lane.fail(error)
        except Exception as error:  # the caller's iterable raised it: `run` raises it when all is recorded
            self._lane.fail(error)
            raise
        finally:
            self._reading = False
            self._warn_of_expiry()
            self._lane.workers.reading_ended()

    async def _deliver(self, batch: list[AnyEntry]) -> None:
        new = await self._lane.sink.add(batch)
        self._to_call += new
        if new:
            self._lane.workers.flows_added()

    async def _report_input(self) -> None:
        if self._lane.workers.ending:
            return  # the reading was stopped before its end
        unlisted = await self._writer.unlisted()
        self._input_read(InputRead(self._to_call, self._lane.sink.repeated, unlisted))

    def _warn_of_expiry(self) -> None:
        """Warn once if the credentials expire before what is known to be left can be done, and before the run stops."""
        if self._expires_at is None or self._warned_of_expiry:
            return
        left_s = min(self.snapshot().left, self._settings.limit or sys.maxsize) / self._settings.rate
        if (stops_in_s := self._stops_in_s) is not None:
            left_s = min(left_s, stops_in_s)
        valid_s = self._expires_at - self._now()
        if left_s > valid_s:
            self._warned_of_expiry = True
            self._log.warning(
                "credentials.expire_before_the_end", valid_s=round(valid_s, 1), estimated_s=round(left_s, 1)
            )
