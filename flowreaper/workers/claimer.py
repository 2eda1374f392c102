"""Keeps a backlog supplied with claimed flows; where there is a guard, with flows that it has looked at."""

import asyncio
import contextlib
from collections.abc import Callable, Sequence

from flowreaper.model import Claim
from flowreaper.workers.backlog import Backlog
from flowreaper.workers.canary import Canary
from flowreaper.workers.examination import Examination
from flowreaper.workers.ports import OutcomeSink

_IDLE_S = 0.2


class Claimer:
    """Claims the flows of one worker pool.

    Without `examination` nothing is looked at before, without `canary` nothing is held back. `flush_when_idle`: when
    nothing was left to do for 0.2 s, all that is known is recorded and passed on.
    """

    def __init__(
        self,
        backlog: Backlog,
        sink: OutcomeSink,
        examination: Examination | None = None,
        canary: Canary | None = None,
        *,
        flush_when_idle: bool = False,
    ) -> None:
        self._backlog = backlog
        self._sink = sink
        self._examination = examination
        self._canary = canary
        self._flush_when_idle = flush_when_idle
        self._proving: asyncio.Task[None] | None = None
        self._wakes = asyncio.Event()

    def wake(self) -> None:
        """Look whether there is something to claim."""
        self._wakes.set()

    async def run(
        self, *, is_over: Callable[[], bool], is_calling: Callable[[], bool], claimed: Callable[[], None]
    ) -> None:
        """Claim until nothing is left and nothing `is_calling`, or until the run `is_over`.

        `claimed` is called when flows are ready to be sent.

        Raises:
            RunError: the checkpoint cannot be read or written, or the first deletions cannot be proven.
        """
        while not is_over():
            self._wakes.clear()
            now = asyncio.get_running_loop().time()
            if await self._claim_more(now):
                claimed()
                continue
            if self._backlog.exhausted() and not is_calling():
                await self._prove()
                return
            idle = self._flush_when_idle and not is_calling() and self._backlog.remaining == 0
            await wait_until(self._wakes, now + _IDLE_S if idle else self._next_due())
            if idle and not self._wakes.is_set():
                await self._sink.flush()
                await self._wakes.wait()

    async def _claim_more(self, now: float) -> bool:
        """Look at flows and claim some, where there is room; return whether there was anything to do."""
        if self._canary and self._canary.is_due:
            await self._prove()
            return True
        if self._examination is None:
            return await self._claim(now)
        if self._examination.error:
            raise self._examination.error
        looked = await self._look(now, self._examination)
        return await self._claim_passed(self._examination) or looked

    def _next_due(self) -> float | None:
        """Return when there is something to do at the latest; None: when something wakes it."""
        looks = self._examination
        room = looks.room if looks else self._backlog.room
        lets_go_at = looks.lets_go_at if looks and self._backlog.room else None
        moments = (self._backlog.next_due() if room else None, lets_go_at)
        return min((at for at in moments if at is not None), default=None)

    def is_stale(self, claim: Claim) -> bool:
        """Return whether a claimed flow must be looked at again; asked once, as it is sent."""
        return self._examination is not None and self._examination.is_stale(claim)

    def cancel(self) -> None:
        """Look at no more flows, and prove no more."""
        if self._examination:
            self._examination.cancel()
        if self._proving:
            self._proving.cancel()

    async def ended(self) -> None:
        """Return when no flow is looked at."""
        if self._examination:
            await self._examination.ended()

    async def _prove(self) -> None:
        """Prove the first deletions, as many as there are; return early where that is cancelled."""
        if self._canary is None:
            return
        self._proving = asyncio.create_task(self._canary.prove())
        try:
            await asyncio.wait((self._proving,))
            if not self._proving.cancelled():
                self._proving.result()
        finally:
            self._proving.cancel()
        if self._examination:
            self._examination.get_ahead()

    async def _claim(self, now: float) -> bool:
        due, new = self._backlog.wanted(now, self._backlog.room, self._most_new)
        if not (due or new):
            return False
        claims = await self._sink.claim(new, due)
        self._took(claims)
        self._backlog.claimed(claims, len(due), new)
        return True

    @property
    def _most_new(self) -> int | None:
        return self._canary.most_new if self._canary else None

    def _took(self, claims: Sequence[Claim]) -> None:
        if self._canary:
            self._canary.took(claims)

    async def _look(self, now: float, examination: Examination) -> bool:
        # What the canary holds back is not even looked at: it would take the room of those that are called again.
        due, new = self._backlog.wanted(now, examination.room, self._most_new)
        if not (due or new):
            return False
        found = await self._sink.look(new, due)
        self._took(found)
        self._backlog.looked_at(found, len(due), new)
        examination.begin(found, self.wake)
        return True

    async def _claim_passed(self, examination: Examination) -> bool:
        room = self._backlog.room
        passed, old = examination.take(room) if room else ([], [])
        examination.begin(old, self.wake)
        if not passed:
            return False
        self._backlog.passed(await self._sink.claim(0, [claim.row for claim in passed]))
        return True


async def wait_until(event: asyncio.Event, until: float | None) -> None:
    """Wait for an event, and no longer than until this moment."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout_at(until):
            await event.wait()
