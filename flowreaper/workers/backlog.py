"""Which flows come next: those that are ready to be sent, those that wait, and how many to claim. No await.

Times are the event loop's, in seconds.
"""

import heapq
from collections import deque
from collections.abc import Sequence

from flowreaper.model import Claim

AHEAD_S = 0.5
"""Flows are claimed this many seconds ahead, so that a slow commit does not slow the pace."""

_LEAST_AHEAD = 3
_MOST_AHEAD = 1000

_MOST_WAITING = 10_000
# Flows that wait for another attempt are held in memory, about 100 bytes each; beyond this no new ones are claimed.


class Backlog:
    """The flows of a run that are neither in progress nor final.

    `rate` is in calls a second; `limit` is how many flows the run may take in all, None for any number.
    """

    def __init__(self, rate: float, limit: int | None) -> None:
        self._limit = limit
        self._ahead = min(_MOST_AHEAD, max(_LEAST_AHEAD, int(rate * AHEAD_S)))
        self._first: deque[int] = deque()
        self._waiting: list[tuple[float, int]] = []
        self._taken = 0
        self._may_have_pending = True
        self.ready: deque[Claim] = deque()
        self.examined = 0
        """How many flows are looked at, or have passed and are not claimed yet."""
        self.more_to_read = True

    @property
    def waiting(self) -> int:
        """How many flows wait for another attempt."""
        return len(self._waiting)

    @property
    def remaining(self) -> int | None:
        """How many flows are left, without those of calls in progress; None: unknown, as there may be pending ones."""
        held = len(self._first) + len(self.ready) + len(self._waiting) + self.examined
        return None if self._may_have_pending else held

    @property
    def runs_low(self) -> bool:
        """Whether it is time to claim more."""
        return len(self.ready) <= self._ahead // 2

    @property
    def room(self) -> int:
        """How many flows to claim; 0 where it is not time yet."""
        return self._ahead - len(self.ready) if self.runs_low else 0

    @property
    def limit_reached(self) -> bool:
        """Whether the run has taken all the flows that it may."""
        return self._limit is not None and self._taken >= self._limit

    @property
    def unread(self) -> bool:
        """Whether there may be flows that were never taken."""
        return self.more_to_read or self._may_have_pending

    def take_first(self, rows: Sequence[int]) -> None:
        """Put rows that an earlier run left claimed before all others."""
        rows = rows if self._limit is None else rows[: self._limit]
        self._first = deque(rows)
        self._taken += len(rows)

    def flows_added(self) -> None:
        """Expect new pending flows to claim."""
        self._may_have_pending = True

    def requeue(self, row: int, due_at: float) -> None:
        """Let a flow that was sent wait for its next attempt."""
        heapq.heappush(self._waiting, (due_at, row))

    def next_due(self) -> float | None:
        """Return when the next waiting flow is due; None if none is."""
        return self._waiting[0][0] if self._waiting else None

    def wanted(self, now: float, room: int, most_new: int | None = None) -> tuple[list[int], int]:
        """Take out the rows that are due, and say how many new flows to take with them: `room` in all.

        Rows that an earlier run left claimed are among those that are due. `most_new` bounds them and the new ones,
        None: by the room alone. Answer with `claimed` or `looked_at` before asking again.
        """
        due: list[int] = []
        while self._waiting and self._waiting[0][0] <= now and len(due) < room:
            due.append(heapq.heappop(self._waiting)[1])
        new = room - len(due) if most_new is None else max(0, min(room - len(due), most_new))
        first = [self._first.popleft() for _ in range(min(new, len(self._first)))]
        due += first
        new -= len(first)
        if self._limit is not None:
            new = max(0, min(new, self._limit - self._taken))
        if not self._may_have_pending or len(self._waiting) >= _MOST_WAITING:
            new = 0
        if new:
            # `claimed` sets it again, and so does `flows_added` if flows are added meanwhile.
            self._may_have_pending = False
        return due, new

    def claimed(self, claims: Sequence[Claim], due: int, new: int) -> None:
        """Make the claimed flows ready. The last answer of `wanted` asked for `due` waiting ones and `new` new ones."""
        self._took(claims, due, new)
        self.ready.extend(claims)

    def looked_at(self, claims: Sequence[Claim], due: int, new: int) -> None:
        """Count flows that are looked at before they are claimed; `due` and `new` as for `claimed`."""
        self._took(claims, due, new)
        self.examined += len(claims)

    def passed(self, claims: Sequence[Claim]) -> None:
        """Make flows ready that were looked at, and are claimed."""
        self.examined -= len(claims)
        self.ready.extend(claims)

    def settled(self) -> None:
        """Forget a flow that was looked at, and has its outcome."""
        self.examined -= 1

    def _took(self, claims: Sequence[Claim], due: int, new: int) -> None:
        found = len(claims) - due
        self._taken += found
        if found and found == new:
            self._may_have_pending = True

    def exhausted(self) -> bool:
        """Return whether nothing is left, calls in progress aside."""
        held = self._first or self.ready or self._waiting or self.examined
        return not held and (self.limit_reached or not self.unread)
