"""When the next call may leave: arithmetic over timestamps. No clock, no await, no log.

Timestamps are seconds of any clock that never goes back; the caller's, always the same one.
"""

from collections import deque

SLICES_PER_S = 50
"""Above this many calls a second, calls leave in slices of 20 ms: timers are good to about 1 ms."""

_WINDOW_MARGIN = 1.001
# A call arrives a little after it was admitted, and not always by the same little: without a margin, six
# arrivals in one second would follow from five even gaps. It costs 0.1 % of the rate.

_CATCH_UP = 0.1
# The part of a gap by which a late call may shorten the next one, so that timers that wake late (about 1 ms
# in asyncio) do not slow the long run. What is later than that is forgotten: no burst after a stall.

_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 30.0


class Pace:
    """The pace of one account: at most `rate` calls in any one second, evenly, from the first one on.

    `rate` is in calls per second, greater than 0. A rate that is no whole number is held over the whole
    number of calls below it (2.5/s: two calls in any 0.8 s).
    """

    def __init__(self, rate: float) -> None:
        self.rate = rate
        sliced = rate > SLICES_PER_S
        self._gap_s = 1 / SLICES_PER_S if sliced else 1 / rate
        slices = SLICES_PER_S if sliced else max(1, int(rate))
        self._calls_per_slice = rate / slices if sliced else 1.0
        self._slice = 0
        self._sent: deque[float] = deque(maxlen=slices)
        self._window_s = slices * self._gap_s * _WINDOW_MARGIN
        self._even = float("-inf")
        self._paused_until = float("-inf")
        self._pause_began = float("-inf")
        self._pause_s = _PAUSE_S

    @property
    def earliest(self) -> float:
        """The time from which the next slice of calls may leave."""
        window = self._sent[0] + self._window_s if len(self._sent) == self._sent.maxlen else self._even
        return max(self._even, window, self._paused_until)

    def sent(self, at: float) -> int:
        """Take note that a slice of calls leaves at this time; return how many calls it holds."""
        self._sent.append(at)
        late_s = at - self._even
        made_up_s = min(late_s, self._gap_s * _CATCH_UP) if late_s < self._gap_s else 0.0
        self._even = at + self._gap_s - made_up_s
        # Slices of 499/s hold 9 or 10 calls: any 50 of them together hold 499.
        before = self._calls_up_to(self._slice)
        self._slice += 1
        return self._calls_up_to(self._slice) - before

    def admitted(self, sent_at: float) -> None:
        """Take note that the service admitted a call that left at `sent_at`."""
        if sent_at > self._pause_began:
            self._pause_s = _PAUSE_S

    def throttled(self, sent_at: float, at: float, retry_after_s: float = 0.0) -> None:
        """Take note, at `at`, that the service refused a call of `sent_at` for its pace.

        Calls that were on their way together are one sign, not many. The pause doubles from 1 s to 30 s
        while even the calls after a pause are refused; the service's own wish is honoured on top.
        """
        self._paused_until = max(self._paused_until, at + retry_after_s)
        if sent_at > self._pause_began:
            self._pause_began = at
            self._paused_until = max(self._paused_until, at + self._pause_s)
            self._pause_s = min(self._pause_s * 2, _LONGEST_PAUSE_S)

    def _calls_up_to(self, slices: int) -> int:
        # Rounded first: 50 x 9.98 may come out a hair below 499.
        return int(round(slices * self._calls_per_slice, 6))
