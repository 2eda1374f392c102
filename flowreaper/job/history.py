"""What a run leaves behind in its job's history: how it began and ended, and what it did in each minute."""

import asyncio
import os
import socket
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from flowreaper.errors import RunError
from flowreaper.job.summary import Snapshot
from flowreaper.model import FINAL, Ending, State
from flowreaper.store.history import Minute, PastRun
from flowreaper.store.sqlite.history import History
from flowreaper.store.sqlite.writer import Writer
from flowreaper.version import __version__

_EVERY_S = 2.0
# A run that is killed leaves its history up to this many seconds before.

_MINUTE_S = 60

Clock = Callable[[], float]


def run_that_begins(access_key: str, rate: float, now: Clock = time.time) -> PastRun:
    """Return this process's run at its start; `access_key` is masked, `now` returns seconds since the epoch."""
    at_ms = int(now() * 1000)
    return PastRun(
        started_at_ms=at_ms,
        seen_at_ms=at_ms,
        version=__version__,
        host=socket.gethostname(),
        pid=os.getpid(),
        access_key=access_key,
        rate=rate,
    )


class RunHistory:
    """Writes one run's history, every two seconds and at each minute's end.

    `run` is the run as `begin` has kept it. `snapshot` says how far it is. `failed` is called with the error where the
    checkpoint cannot be written.
    """

    def __init__(
        self,
        run: PastRun,
        kept: History,
        writer: Writer,
        *,
        snapshot: Callable[[], Snapshot],
        failed: Callable[[RunError], None],
        now: Clock = time.time,
    ) -> None:
        self._run = run
        self._kept = kept
        self._writer = writer
        self._snapshot = snapshot
        self._failed = failed
        self._now = now
        self._minute = Minute(run=run.number, at_s=_minute_of(run.started_at_ms / 1000))
        self._elapsed_s = 0.0
        self._wall_s = run.started_at_ms / 1000

    async def run(self) -> None:
        """Keep writing; return only if that fails."""
        try:
            while True:
                now = self._now()
                await asyncio.sleep(min(_EVERY_S, _minute_of(now) + _MINUTE_S - now))
                await self.save()
        except RunError as error:
            self._failed(error)

    async def save(self) -> None:
        """Write what the run did since the last time; raises CheckpointError."""
        self._count()
        await self._writer.call(partial(self._kept.save, self._run, (self._minute,)))

    async def end(self, ending: Ending, error: BaseException | None) -> None:
        """Write how the run ended; raises CheckpointError."""
        self._count()
        self._run = replace(
            self._run,
            ended_at_ms=self._run.seen_at_ms,
            ending=ending,
            error=" ".join(str(error).split()) if error else "",
        )
        await self._writer.call(partial(self._kept.save, self._run, (self._minute,)))

    def _count(self) -> None:
        """Add what the run did since the last time to its own sums, and to the minute that this time is in.

        A minute is written at its end, so what lies across its border are the calls of some milliseconds.
        """
        snapshot, before = self._snapshot(), self._run
        passed_s = snapshot.elapsed_s - self._elapsed_s
        # Where the clock was set back, time goes on from where it was until the clock has caught up.
        now_s = self._wall_s = max(self._now(), self._wall_s + passed_s)
        # The border belongs to the minute that ends there.
        at_s = max(self._minute.at_s, _minute_of(now_s - 0.001))
        minute = self._minute if self._minute.at_s == at_s else Minute(run=before.number, at_s=at_s)
        counts = {state: snapshot.done.get(state, 0) for state in FINAL if snapshot.done.get(state)}
        grown = {state: counts.get(state, 0) - before.counts.get(state, 0) for state in FINAL}
        silent_s = 0.0 if snapshot.silent_s is None else min(snapshot.silent_s, passed_s)
        self._minute = replace(
            minute,
            calls=minute.calls + snapshot.calls - before.calls,
            throttled=minute.throttled + snapshot.throttled - before.throttled,
            deleted=max(0, minute.deleted + grown[State.DELETED]),
            absent=max(0, minute.absent + grown[State.ABSENT]),  # absences may be taken back
            refused=max(0, minute.refused + grown[State.REFUSED] + grown[State.GAVE_UP]),
            permitted_per_s=round(snapshot.permitted_per_s, 4),
            silent_s=round(min(_MINUTE_S, minute.silent_s + silent_s), 1),
        )
        self._elapsed_s = snapshot.elapsed_s
        self._run = replace(
            before,
            seen_at_ms=int(now_s * 1000),
            elapsed_s=round(snapshot.elapsed_s, 3),
            counts=counts,
            calls=snapshot.calls,
            throttled=snapshot.throttled,
        )


def _minute_of(at_s: float) -> int:
    return int(at_s // _MINUTE_S) * _MINUTE_S
