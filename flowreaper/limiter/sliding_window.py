"""When the next call may be sent: arithmetic over timestamps. No clock, no await, no log.

Timestamps are seconds of any clock that never goes back; the caller's, always the same one. Widenings are what
`flowreaper.limiter.adaptive` learns: by how many seconds the window of one second is widened.
"""

import math
from bisect import insort
from enum import Enum, auto
from typing import Final

from flowreaper.limiter.adaptive import LEAST_WIDENING_S, TUNING, AdaptiveWidening, Tuning

BATCHES_PER_S = 50
"""Above this many calls a second, calls are sent in batches, one each 20 ms: timers are good to about 1 ms."""

_CATCH_UP = 0.1
# The part of an interval by which a late call may shorten the next one, so that timers that wake late (about 1 ms in
# asyncio) do not slow the long run. Lateness beyond that is forgotten: no burst follows a stall.


class Blocked(Enum):
    """Stands for a time or a wait that nobody knows yet."""

    BLOCKED = auto()
    """Permitted calls that are not sent yet take all places: only when one of them is sent can another follow."""


BLOCKED: Final = Blocked.BLOCKED


def batches_in(interval_s: float) -> int:
    """Return how many batches a second holds, or, if that is no whole number, the whole number below it."""
    return max(1, int(round(1 / interval_s, 6)))  # 1 / (1 / 49) may come out a hair below 49


class SlidingWindow:
    """At most `rate` calls in any one second, evenly, from the first one on.

    `rate` is in calls per second, greater than 0. A rate that is no whole number is held over the whole number of
    calls below it (2.5/s: two calls in any 0.8 s). Calls come in batches (of one, up to `BATCHES_PER_S` calls a
    second). A batch that has begun counts in every window until its last call was sent, since that may happen at any
    moment, and for a window longer.
    """

    def __init__(self, rate: float) -> None:
        self.rate = rate
        batched = rate > BATCHES_PER_S
        self.interval_s = 1 / BATCHES_PER_S if batched else 1 / rate
        self._batches = batches_in(self.interval_s)
        self._calls_per_batch = rate / self._batches if batched else 1.0
        self._uneven = self._calls_per_batch != int(self._calls_per_batch)
        self._next_index = 0
        self.unsent = 0
        """How many batches have begun and are not sent."""
        self._unsent_calls = 0
        self._sent: list[tuple[float, int]] = []
        self._next_at = float("-inf")
        self._paused_until = float("-inf")

    def earliest(self, widening_s: float) -> float | Blocked:
        """Return the time from which the next batch may begin."""
        capacity = self._batches - self.unsent
        if capacity <= 0:
            return BLOCKED
        full = len(self._sent) >= capacity
        free_at = self._sent[-capacity][0] + self._window_s(widening_s) if full else self._next_at
        return max(self._next_at, free_at, self._paused_until)

    def begin(self, at: float, widening_s: float, index: int | None = None) -> int:
        """Begin a batch at this time; return how many calls it holds.

        `index` is the batch's number among those of all runs of the account; None if there is no other run.
        """
        gap_s = self.interval_s * (1 + widening_s)
        self.unsent += 1
        late_s = at - self._next_at
        made_up_s = min(late_s, gap_s * _CATCH_UP) if late_s < gap_s else 0.0
        self._next_at = at + gap_s - made_up_s
        # Batches of 499/s hold 9 or 10 calls: any 50 of them together hold 499.
        if index is None:
            index = self._next_index
        self._next_index = index + 1
        calls = self._calls_up_to(index + 1) - self._calls_up_to(index)
        if self._uneven:
            calls = max(0, min(calls, math.ceil(self.rate) - self._calls_beside(at, widening_s)))
        self._unsent_calls += calls
        return calls

    def sent(self, at: float, calls: int = 1) -> None:
        """Record when the last call of a batch of this size was sent. Batches may be sent in any order."""
        self.unsent -= 1
        self._unsent_calls -= calls
        insort(self._sent, (at, calls))
        del self._sent[: -self._batches]

    def pause(self, until: float) -> None:
        """Begin no batch before this time."""
        self._paused_until = max(self._paused_until, until)

    def shift(self, at: float, intervals: float) -> None:
        """At this time, delay all further batches by this part of an interval."""
        self._next_at = max(self._next_at, at) + self.interval_s * intervals

    def _window_s(self, widening_s: float) -> float:
        return self._batches * self.interval_s * (1 + widening_s)

    def _calls_beside(self, at: float, widening_s: float) -> int:
        """Return how many calls one window may hold beside those of a batch that begins at this time.

        Batches that were held back can meet others than their neighbours: 50 of them may be 50 of the larger ones.
        """
        since = at - self._window_s(widening_s)
        return self._unsent_calls + sum(calls for sent_at, calls in self._sent if sent_at > since)

    def _calls_up_to(self, batches: int) -> int:
        # Rounded first: 50 x 9.98 may come out a hair below 499.
        return int(round(batches * self._calls_per_batch, 6))


class Pace:
    """One account's pace: a window of one second, widened as far as throttled calls have taught.

    `rate` is in calls per second, greater than 0. `widening_s` is what an earlier run learned.
    """

    def __init__(self, rate: float, widening_s: float = LEAST_WIDENING_S, tuning: Tuning = TUNING) -> None:
        self._window = SlidingWindow(rate)
        self._adaptive = AdaptiveWidening(widening_s, tuning)
        self._tuning = tuning
        self.interval_s = self._window.interval_s
        """Seconds from batch to batch, without the widening."""

    @property
    def earliest(self) -> float | Blocked:
        """The time from which the next batch of calls may begin."""
        return self._window.earliest(self._adaptive.widening_s)

    @property
    def unsent(self) -> int:
        """How many batches have begun and are not sent."""
        return self._window.unsent

    @property
    def widening_s(self) -> float:
        """What was learned, for a later run and for the other runs of the account."""
        return self._adaptive.widening_s

    @property
    def permitted_per_s(self) -> float:
        """How many calls a second the widened window permits."""
        return self._window.rate / (1 + self._adaptive.widening_s)

    @property
    def other_clients_rate(self) -> float | None:
        """How many calls a second other clients seem to use; None without a sign of any."""
        return self._adaptive.other_clients_rate(self._window.rate)

    def begin(self, at: float, index: int | None = None) -> int:
        """Begin a batch of calls at this time; return how many it holds. `index` as in `SlidingWindow.begin`."""
        self._adaptive.shrink(at)
        calls = self._window.begin(at, self._adaptive.widening_s, index)
        self._adaptive.permitted(calls)
        return calls

    def sent(self, at: float, calls: int = 1) -> None:
        """Record when the last call of a batch of this size was sent. Batches may be sent in any order."""
        self._window.sent(at, calls)

    def throttled(self, sent_at: float, at: float, retry_after_s: float = 0.0) -> None:
        """React to a throttled call, sent at `sent_at`; its reply came at `at`, and asked for a pause, or 0."""
        self._window.pause(at + retry_after_s)
        if self._adaptive.throttled(sent_at, at):
            self._window.shift(at, self._tuning.phase_shift_intervals)
