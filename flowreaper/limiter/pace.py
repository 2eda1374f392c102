"""When the next call may leave: arithmetic over timestamps. No clock, no await, no log.

Timestamps are seconds of any clock that never goes back; the caller's, always the same one.

How the service counts its second is not documented. Fixed seconds and token buckets acquire the full rate; a
sliding second admits it only if calls arrive exactly as evenly as they leave, and less if somebody else
spends the same quota. So the pace is the full rate until calls are refused, and then the highest that is
admitted: what is learned is the *stretch*, by how many seconds the window of one second must be stretched
for no call to be refused.
"""

import math
from bisect import insort

BATCHES_PER_S = 50
"""Above this many calls a second, calls leave in batches of 20 ms: timers are good to about 1 ms."""

LEAST_WIDENING_S = 0.0002
"""The service's second may be a little longer than this machine's: clocks run apart by some 100 ppm."""

MOST_WIDENING_S = 10.0
"""At 5 calls a second this is a call every 2.2 s: what is left of the pace while every call is refused."""

_CATCH_UP = 0.1
# The part of a gap by which a late call may shorten the next one, so that timers that wake late (about 1 ms
# in asyncio) do not slow the long run. What is later than that is forgotten: no burst after a stall.

# The rest was found with simulated services (tests/benchmarks/simulation.py): small steps, since a controller
# that halves and doubles settles at a third of its calls refused.
# Timers that wake late bring calls slowly on through the seconds of a service that counts by its clock. Those
# that are refused left just before such a second; a little more than their jitter (here 50 ms) puts them just
# behind it, the longest way from the next.
_SHIFT = 0.3  # of a gap
_LONE_CALLS = 100  # a refusal after so many admitted calls may be bad luck: hardly more than a shift of phase
_LONE_STEP_S = 0.0008  # a call arrives a little after it left, and not always by the same little
_SETTLED_CALLS = 30  # a refusal after so many asks for a small step; sooner ones for growing steps
_HASTY_CALLS = 14
_SMALL_STEP_S = 0.006
_SMALL_STEP = 0.08  # or this part of the stretch
_FIRST_STEP_S = 0.018
_STEP_GROWTH = 1.9
_LONGEST_STEP = 0.12  # of the stretched window
_HOLD_S = 14.0  # the stretch stays for so long after a refusal, then shrinks, faster and faster
_HOLD_LESS = 3.0
_SHRINKING = 8e-4
_SHRINKING_POWER = 2.0
_FOREIGN_STRETCH_S = 0.15  # jitter does not explain a longer one: somebody else spends the quota


def batches_in(interval_s: float) -> int:
    """Return how many batches of calls a second, or the whole number of gaps below it, holds."""
    return max(1, int(round(1 / interval_s, 6)))  # 1 / (1 / 49) may come out a hair below 49


class Pace:
    """The pace of one account: at most `rate` calls in any one second, evenly, from the first one on.

    `rate` is in calls per second, greater than 0. A rate that is no whole number is held over the whole
    number of calls below it (2.5/s: two calls in any 0.8 s). `widening_s` is what an earlier run learned.
    """

    def __init__(self, rate: float, widening_s: float = LEAST_WIDENING_S) -> None:
        self.rate = rate
        sliced = rate > BATCHES_PER_S
        self.interval_s = 1 / BATCHES_PER_S if sliced else 1 / rate
        self._batches = batches_in(self.interval_s)
        self._calls_per_batch = rate / self._batches if sliced else 1.0
        self._uneven = self._calls_per_batch != int(self._calls_per_batch)
        self._batch = 0
        self._leaving = self._calls_leaving = 0
        self._left: list[tuple[float, int]] = []
        self._even = float("-inf")
        self._paused_until = float("-inf")
        # NaN, which a forged checkpoint may hold, compares with nothing: the least is what max() keeps.
        self._widening_s = min(MOST_WIDENING_S, max(LEAST_WIDENING_S, widening_s))
        self._learned_s = self._widening_s
        self._learned_at: float | None = None
        self._step_s = _FIRST_STEP_S
        self._refused_at = float("-inf")
        self._calls_since = _LONE_CALLS
        self._reactions = 0

    @property
    def earliest(self) -> float:
        """The time from which the next slice of calls may begin; infinite until one of those before has left."""
        capacity = self._batches - self._leaving
        if capacity <= 0:
            return float("inf")
        window_s = self._batches * self.interval_s * (1 + self._widening_s)
        full = len(self._left) >= capacity
        window = self._left[-capacity][0] + window_s if full else self._even
        return max(self._even, window, self._paused_until)

    @property
    def leaving(self) -> int:
        """How many batches have begun and not left."""
        return self._leaving

    @property
    def widening_s(self) -> float:
        """What was learned, for a later run."""
        return self._widening_s

    @property
    def other_clients_rate(self) -> float | None:
        """How many calls a second somebody else seems to spend; None while nothing speaks for that."""
        settled = self._calls_since >= _SETTLED_CALLS and self._reactions > 1
        if not settled or self._widening_s < _FOREIGN_STRETCH_S:
            return None
        return self.rate - self.rate / (1 + self._widening_s)

    def begin(self, at: float, turn: int | None = None) -> int:
        """Begin a slice of calls at this time; return how many calls it holds.

        Until its last call has `left`, the slice counts as one that may leave at any moment: between here and
        the socket, the system can hold a call back, or it waits for a connection. `turn` is the slice's
        number among those of all runs of the account; None: there is no other.
        """
        if self._learned_at is None:
            self._learned_at = at
        self._shrink(at)
        gap_s = self.interval_s * (1 + self._widening_s)
        self._leaving += 1
        late_s = at - self._even
        made_up_s = min(late_s, gap_s * _CATCH_UP) if late_s < gap_s else 0.0
        self._even = at + gap_s - made_up_s
        # Slices of 499/s hold 9 or 10 calls: any 50 of them together hold 499.
        number = self._batch if turn is None else turn
        self._batch = number + 1
        calls = self._calls_up_to(number + 1) - self._calls_up_to(number)
        if self._uneven:
            calls = max(0, min(calls, math.ceil(self.rate) - self._calls_with(at)))
        self._calls_leaving += calls
        self._calls_since += calls
        return calls

    def left(self, at: float, calls: int = 1) -> None:
        """Take note that the last call of a slice of so many, of any that has begun, left at this time."""
        self._leaving -= 1
        self._calls_leaving -= calls
        insort(self._left, (at, calls))
        del self._left[: -self._batches]

    def _calls_with(self, at: float) -> int:
        """Return how many calls one second may hold beside those of a slice that begins at this time.

        Slices that were held back can come together with others than their neighbours: 50 of them may be 50
        of the larger ones.
        """
        since = at - self._batches * self.interval_s * (1 + self._widening_s)
        return self._calls_leaving + sum(calls for left_at, calls in self._left if left_at > since)

    def throttled(self, sent_at: float, at: float, retry_after_s: float = 0.0) -> None:
        """Take note, at `at`, that the service refused a call of `sent_at` for its pace.

        Calls that were on their way together are one sign, not many. The service's own wish to wait is
        honoured on top.
        """
        self._paused_until = max(self._paused_until, at + retry_after_s)
        if sent_at <= self._refused_at:
            return
        if self._calls_since < _SETTLED_CALLS:
            self._learn(self._widening_s + self._step_s, at)
            if self._calls_since < _HASTY_CALLS:
                self._step_s = min(self._step_s * _STEP_GROWTH, _LONGEST_STEP * (1 + self._widening_s))
        else:
            lone = self._calls_since >= _LONE_CALLS and self._widening_s < _SMALL_STEP_S
            step_s = _LONE_STEP_S if lone else max(_SMALL_STEP_S, _SMALL_STEP * self._widening_s)
            self._learn(self._widening_s + step_s, at)
            self._step_s = _FIRST_STEP_S
        self._even = max(self._even, at) + self.interval_s * _SHIFT
        self._refused_at = at
        self._calls_since = 0
        self._reactions += 1

    def _learn(self, widening_s: float, at: float) -> None:
        self._widening_s = self._learned_s = min(MOST_WIDENING_S, widening_s)
        self._learned_at = at

    def _shrink(self, at: float) -> None:
        hold_s = _HOLD_S / (1 + _HOLD_LESS * self._learned_s)
        shrinking_s = at - (self._learned_at or 0.0) - hold_s
        if shrinking_s > 0 and self._widening_s > LEAST_WIDENING_S:
            speed = _SHRINKING * self._learned_s**_SHRINKING_POWER
            self._widening_s = max(LEAST_WIDENING_S, self._learned_s - speed * shrinking_s**2)

    def _calls_up_to(self, batches: int) -> int:
        # Rounded first: 50 x 9.98 may come out a hair below 499.
        return int(round(batches * self._calls_per_batch, 6))
