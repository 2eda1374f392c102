"""How the service may count calls a second: one small class a way of counting. Pure, time is an argument.

The vendor documents "5 calls/s per account" and that the excess is refused, but not where the second begins.
Timestamps are in seconds since the epoch and do not decrease; a refused call is not counted.
"""

import math
from collections import deque
from typing import Protocol

from flowreaper.errors import ConfigurationError

WINDOWS = ("fixed", "sliding", "bucket", "none")
_SECOND = 1.0


class Quota(Protocol):
    """A way of counting."""

    def admits(self, at_s: float) -> bool:
        """Return whether a call at `at_s` is within the quota, and count it if it is."""
        ...


class FixedQuota:
    """At most `rate` calls in each calendar second; so up to twice that around a turn of the second."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._second = -math.inf
        self._used = 0

    def admits(self, at_s: float) -> bool:
        """See `Quota`."""
        second = math.floor(at_s)
        if second != self._second:
            self._second, self._used = second, 0
        if self._used >= self._rate:
            return False
        self._used += 1
        return True


class SlidingQuota:
    """At most `rate` calls in any second, wherever it begins."""

    def __init__(self, rate: int) -> None:
        self._admitted: deque[float] = deque(maxlen=rate)
        self._rate = rate

    def admits(self, at_s: float) -> bool:
        """See `Quota`."""
        if len(self._admitted) == self._rate and at_s - self._admitted[0] < _SECOND:
            return False
        self._admitted.append(at_s)
        return True


class BucketQuota:
    """A token bucket: `rate` tokens at first and at most, refilled with `rate` a second, a call takes one."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._tokens = float(rate)
        self._filled_at_s = math.inf

    def admits(self, at_s: float) -> bool:
        """See `Quota`."""
        since_s = max(0.0, at_s - self._filled_at_s)
        self._tokens = min(self._rate, self._tokens + since_s * self._rate)
        self._filled_at_s = at_s
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


class NoQuota:
    """Everything is admitted."""

    def admits(self, at_s: float) -> bool:  # noqa: ARG002 -- the Protocol's shape
        """See `Quota`."""
        return True


def make_quota(window: str, rate: int) -> Quota:
    """Make the quota that `window` names, one of `WINDOWS`, with `rate` calls a second.

    Raises ConfigurationError for another window and for a rate below 1.
    """
    if rate < 1:
        raise ConfigurationError(f"the sandbox's rate is {rate}: give 1 call a second or more")
    if window == "none":
        return NoQuota()
    if window == "fixed":
        return FixedQuota(rate)
    if window == "sliding":
        return SlidingQuota(rate)
    if window == "bucket":
        return BucketQuota(rate)
    raise ConfigurationError(f"the sandbox knows no window {window!r}: choose one of {', '.join(WINDOWS)}")
