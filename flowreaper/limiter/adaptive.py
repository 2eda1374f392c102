"""How far to widen the window of one second, learned from throttled calls. No clock, no await, no log.

The service does not document how it counts a second. Fixed seconds and token buckets admit the full rate. A sliding
second admits it only if calls arrive exactly as evenly as they were sent: behind 50 ms of jitter it throttles one
call in seven of an even 5/s. Another client of the same quota leaves less of it, too. So the pace is the full rate
until calls are throttled, and then the highest that the service admits: what is learned is the *widening*, how many
seconds longer than a second the window must be for no call to be throttled.
"""

from dataclasses import dataclass

LEAST_WIDENING_S = 0.0002
"""The service's second may be a little longer than this machine's: clocks differ by some 100 ppm."""

MOST_WIDENING_S = 10.0
"""At 5 calls a second this is a call every 2.2 s: the slowest pace, while every call is throttled."""


@dataclass(frozen=True, slots=True)
class Tuning:
    """How strongly to react to a throttled call, and when to speed up again.

    The values were chosen with simulated services (tests/benchmarks/simulation.py), behind each way of counting a
    second; tests/limiter/test_pace_simulated.py holds the results. Steps are small and added: a controller that
    halves and doubles settles with a third of its calls throttled.
    """

    phase_shift_intervals: float = 0.3
    """Each reaction delays the next call by this part of an interval.

    Late timers make calls drift against the service's one-second windows. A throttled call came just before a window
    began; shifting by a bit more than the jitter (50 ms in the simulation) puts the calls just after it.
    """

    lone_after_calls: int = 100
    """A call throttled after this many admitted ones may be bad luck: `lone_step_s` and the phase shift suffice."""
    lone_step_s: float = 0.0008
    """Covers that a call arrives a little after it was sent, and not always by the same little."""

    settled_after_calls: int = 30
    """A call throttled after this many admitted ones asks for a small step, an earlier one for growing steps."""
    hasty_before_calls: int = 14
    """A call throttled before this many admitted ones makes the next growing step larger."""
    small_step_s: float = 0.006
    small_step_share: float = 0.08
    """The small step is at least this part of the widening."""
    first_step_s: float = 0.018
    """The first of the growing steps."""
    step_growth: float = 1.9
    longest_step_s_per_window_s: float = 0.12
    """Upper bound of the growing steps, for each second of the widened window."""

    hold_s: float = 14.0
    """The widening stays this long after a reaction, less where it is long, and then shrinks faster and faster."""
    hold_less_per_s: float = 3.0
    """A widening of w seconds is held for `hold_s / (1 + hold_less_per_s * w)`."""
    shrink_factor: float = 8e-4
    shrink_power: float = 2.0
    """After t seconds, a widening of w has shrunk by `shrink_factor * w**shrink_power * t**2`."""

    other_clients_widening_s: float = 0.15
    """Jitter does not explain a longer widening: another client must be using the quota."""


TUNING = Tuning()


class AdaptiveWidening:
    """The widening of one account's window, in seconds.

    `widening_s` is what an earlier run learned; values that make no sense are brought into bounds. Timestamps are
    seconds of any clock that never goes back.
    """

    def __init__(self, widening_s: float = LEAST_WIDENING_S, tuning: Tuning = TUNING) -> None:
        # A forged checkpoint may hold NaN. NaN compares false with everything, so max() returns the minimum.
        self.widening_s = min(MOST_WIDENING_S, max(LEAST_WIDENING_S, widening_s))
        self._tuning = tuning
        self._learned_s = self.widening_s
        self._learned_at: float | None = None
        self._step_s = tuning.first_step_s
        self._reacted_at = float("-inf")
        self._calls_since = tuning.lone_after_calls
        self._reactions = 0

    def other_clients_rate(self, rate: float) -> float | None:
        """Return how many calls a second, of `rate`, other clients seem to use; None without a sign of any."""
        settled = self._calls_since >= self._tuning.settled_after_calls and self._reactions > 1
        if not settled or self.widening_s < self._tuning.other_clients_widening_s:
            return None
        return rate - rate / (1 + self.widening_s)

    def shrink(self, at: float) -> None:
        """Shrink the widening, if at this time no call has been throttled for long enough."""
        if self._learned_at is None:
            self._learned_at = at
        tuning = self._tuning
        hold_s = tuning.hold_s / (1 + tuning.hold_less_per_s * self._learned_s)
        shrinking_s = at - self._learned_at - hold_s
        if shrinking_s > 0 and self.widening_s > LEAST_WIDENING_S:
            speed = tuning.shrink_factor * self._learned_s**tuning.shrink_power
            self.widening_s = max(LEAST_WIDENING_S, self._learned_s - speed * shrinking_s**2)

    def permitted(self, calls: int) -> None:
        """Count calls as admitted until the service says otherwise."""
        self._calls_since += calls

    def throttled(self, sent_at: float, at: float) -> bool:
        """Widen because the service throttled a call, sent at `sent_at`; its reply came at `at`.

        Calls that were in flight together are one sign: returns False for all but the first, and changes nothing.
        """
        if sent_at <= self._reacted_at:
            return False
        tuning = self._tuning
        if self._calls_since < tuning.settled_after_calls:
            self._learn(self.widening_s + self._step_s, at)
            if self._calls_since < tuning.hasty_before_calls:
                longest_s = tuning.longest_step_s_per_window_s * (1 + self.widening_s)
                self._step_s = min(self._step_s * tuning.step_growth, longest_s)
        else:
            self._learn(self.widening_s + self._settled_step_s(), at)
            self._step_s = tuning.first_step_s
        self._reacted_at = at
        self._calls_since = 0
        self._reactions += 1
        return True

    def _settled_step_s(self) -> float:
        tuning = self._tuning
        if self._calls_since >= tuning.lone_after_calls and self.widening_s < tuning.small_step_s:
            return tuning.lone_step_s
        return max(tuning.small_step_s, tuning.small_step_share * self.widening_s)

    def _learn(self, widening_s: float, at: float) -> None:
        self.widening_s = self._learned_s = min(MOST_WIDENING_S, widening_s)
        self._learned_at = at
