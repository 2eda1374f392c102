"""Flows are looked at before they are claimed: several at once, so that looking does not slow the deletions.

A flow that is only looked at stays as it is in the store. A crash leaves no doubt about it.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

from flowreaper.model import Claim
from flowreaper.workers.backlog import Backlog
from flowreaper.workers.outcomes import Outcomes
from flowreaper.workers.ports import Guard

FRESH_S = 30.0
"""A flow is looked at again where it was not sent within this time: it may have been published since."""

_LONGEST_LOOK_S = 10.0
# Flows for this many seconds are looked at at once: a look that saves a flow makes three calls and fetches a file.

_MOST_PASSED_S = 2.0
_FEWEST = 4

_AHEAD_S = 1.0
# No flow is claimed before as many have passed as are deleted in this time. Looks and deletions have the same pace, so
# a look that comes late would else make its deletion late, for good: 4.89 calls a second, not 4.98.

_LONGEST_HOLD_S = 2.0
# Where few of many flows pass, the first of them do not wait for longer than this.


class _Moment(NamedTuple):
    on_the_loop: float
    on_the_wall: float


class Examination:
    """Looks at flows through `guard`.

    `rate` is the pace of the deletions, in calls a second. What the guard does not let pass ends in `outcomes`. `now`
    returns seconds since the epoch: the event loop's clock stands still while the machine sleeps, this one does not.
    """

    def __init__(
        self,
        guard: Guard,
        rate: float,
        backlog: Backlog,
        outcomes: Outcomes,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._guard = guard
        self._most = max(_FEWEST, int(rate * _LONGEST_LOOK_S))
        self._most_passed = max(_FEWEST, int(rate * _MOST_PASSED_S))
        self._backlog = backlog
        self._outcomes = outcomes
        self._now = now
        self._looks: set[asyncio.Task[None]] = set()
        self._passed: deque[tuple[Claim, _Moment]] = deque()
        self._seen_at: dict[int, _Moment] = {}
        self._ahead = int(rate * _AHEAD_S)
        self._is_ahead = False
        self.error: BaseException | None = None
        """What must stop the run: the first thing that a look raised."""

    @property
    def room(self) -> int:
        """How many more flows to look at."""
        if len(self._passed) >= self._most_passed:
            return 0
        return max(0, self._most - len(self._looks) - len(self._passed))

    def begin(self, claims: Sequence[Claim], ended: Callable[[], None]) -> None:
        """Look at these flows; `ended` is called after each look."""
        for claim in claims:
            look = asyncio.create_task(self._look(claim))
            self._looks.add(look)
            look.add_done_callback(partial(self._looked, ended))

    def take(self, count: int) -> tuple[list[Claim], list[Claim]]:
        """Return up to `count` flows that have passed, in the order of passing.

        Then those that were seen too long ago, and must be looked at again. None of either before the looks are ahead
        of the deletions, or over.
        """
        if not self._lets_go():
            return [], []
        taken: list[Claim] = []
        old: list[Claim] = []
        left: deque[tuple[Claim, _Moment]] = deque()
        for claim, seen_at in self._passed:
            if self._is_old(seen_at):
                old.append(claim)
            elif len(taken) < count:
                taken.append(claim)
                self._seen_at[claim.row] = seen_at
            else:
                left.append((claim, seen_at))
        self._passed = left
        return taken, old

    @property
    def lets_go_at(self) -> float | None:
        """When flows that have passed are claimed at the latest; None where there is none, or nothing holds them."""
        if self._is_ahead or not self._passed:
            return None
        return self._passed[0][1].on_the_loop + _LONGEST_HOLD_S

    def get_ahead(self) -> None:
        """Let the looks get ahead of the deletions once more: these have waited for something else than looks."""
        self._is_ahead = False

    def is_stale(self, claim: Claim) -> bool:
        """Return whether a flow that was claimed since must be looked at again; asked once, as it is sent."""
        seen_at = self._seen_at.pop(claim.row, None)
        return seen_at is None or self._is_old(seen_at)

    def cancel(self) -> None:
        """Look no more, and let nothing pass."""
        for look in self._looks:
            look.cancel()
        self._passed.clear()

    async def ended(self) -> None:
        """Return when no look is in progress."""
        while self._looks:
            await asyncio.wait(self._looks)

    async def _look(self, claim: Claim) -> None:
        finding = await self._guard.examine(claim)
        if finding.state is None:
            self._passed.append((claim, self._moment()))
            return
        error = self._outcomes.settle(claim, finding)
        self._backlog.settled()
        if error:
            raise error

    def _lets_go(self) -> bool:
        """Return whether the looks are ahead of the deletions, over, or too rarely passed to wait for more."""
        at = self.lets_go_at
        if at is not None:
            is_time = asyncio.get_running_loop().time() >= at
            self._is_ahead = len(self._passed) >= self._ahead or not self._looks or is_time
        return self._is_ahead

    def _moment(self) -> _Moment:
        return _Moment(asyncio.get_running_loop().time(), self._now())

    def _is_old(self, seen_at: _Moment) -> bool:
        # A clock that was set, either way, says nothing of the time that has passed: look again.
        return any(abs(now - then) > FRESH_S for now, then in zip(self._moment(), seen_at, strict=True))

    def _looked(self, ended: Callable[[], None], look: asyncio.Task[None]) -> None:
        self._looks.discard(look)
        if not look.cancelled():
            error = look.exception()  # retrieved of every look, so that asyncio logs nothing
            self.error = self.error or error
        ended()
