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
from flowreaper.store.history import SEEN_EVERY_S, Minute, PastRun
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

    A run that has nothing to do, as in a web app, only says now and then that it is there: `status` would take it for
    one that hangs otherwise. Its minutes, of which there may be years, get no row.

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
        self._saved = run, self._minute
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
        """Write what the run did since the last time, or that it is there; raises CheckpointError."""
        self._count()
        run = self._saved[0]
        if self._has_news or self._run.seen_at_ms - run.seen_at_ms > (SEEN_EVERY_S - _EVERY_S) * 1000:
            await self._save()

    async def end(self, ending: Ending, error: BaseException | None) -> None:
        """Write how the run ended; raises CheckpointError."""
        self._count()
        self._run = replace(
            self._run,
            ended_at_ms=self._run.seen_at_ms,
            ending=ending,
            error=" ".join(str(error).split()) if error else "",
        )
        await self._save()

    async def _save(self) -> None:
        run, minute = self._run, self._minute
        await self._writer.call(partial(self._kept.save, run, (minute,) if self._minute_has_news else ()))
        self._saved = run, minute

    @property
    def _has_news(self) -> bool:
        run, saved = self._run, self._saved[0]
        counted = (run.counts, run.calls, run.throttled)
        return self._minute_has_news or counted != (saved.counts, saved.calls, saved.throttled)

    @property
    def _minute_has_news(self) -> bool:
        return _has_work(self._minute) and self._minute != self._saved[1]

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


def _has_work(minute: Minute) -> bool:
    return any(
        (minute.calls, minute.deleted, minute.absent, minute.refused, minute.throttled, minute.silent_s)
    )


def _minute_of(at_s: float) -> int:
    return int(at_s // _MINUTE_S) * _MINUTE_S
