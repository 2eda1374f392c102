"""Opens when the service answers nobody, lets single probes through, closes at the first answer.

While it is open, the outage is blamed, not the flows. No clock, no await: times are seconds of any clock that
never goes back.
"""

from collections import Counter
from dataclasses import dataclass

from flowreaper.errors import Advice, OutageError
from flowreaper.escaping import printable
from flowreaper.model import Reply

SILENT_CALLS = 8
"""The breaker opens after this many failed calls in a row. Where one call in five fails by chance, that happens
once in 400,000 calls."""

PROBE_CAP_S = 10.0
"""The longest time between two probes, and the longest that a probe may take."""

FIRST_ANSWER_S = 60.0
"""The longest wait for a service that has never answered: a mistyped endpoint does not mend itself."""

_FIRST_PROBE_S = 1.0
_ENOUGH_FLOWS = 5
_MINUTES_FROM_S = 120


@dataclass(frozen=True, slots=True)
class Closed:
    """The service answers: any call may be sent."""


@dataclass(frozen=True, slots=True)
class Probe:
    """There is an outage, and the next call is a probe that may be sent now."""


@dataclass(frozen=True, slots=True)
class Wait:
    """There is an outage: ask again after `seconds`, or after the next reply."""

    seconds: float


@dataclass(frozen=True, slots=True)
class GiveUp:
    """The outage has lasted too long: stop the run with `error`."""

    error: OutageError


Decision = Closed | Probe | Wait | GiveUp

_CLOSED = Closed()
_PROBE = Probe()


class CircuitBreaker:
    """Learns of every reply, and decides whether the next call may be sent.

    It opens after `SILENT_CALLS` failures in a row, if they concern at least 5 different flows. With fewer flows
    left, all of them are enough, but at least 2, and only if no reply was readable: a service that says that it
    failed may have failed at just these flows. Calls that were never sent count whatever their flow.

    `limit_s` is how long an outage may last. `has_answered`: the service has answered this job before, so it is
    there; else the limit is `FIRST_ANSWER_S` at most.
    """

    def __init__(self, limit_s: float, *, has_answered: bool = False) -> None:
        self._limit_s = limit_s
        self._has_answered = has_answered
        self._failures = 0
        self._first_failure_at = 0.0
        self._last_failure = Reply(0)
        self._charged: Counter[int] = Counter()
        self._refunds: Counter[int] = Counter()
        self._unsent = 0
        self._any_readable = False
        self._interval_s = _FIRST_PROBE_S
        self._probe_at = 0.0
        self.since: float | None = None
        """When the outage began; None while the breaker is closed."""

    @property
    def is_open(self) -> bool:
        """Whether there is an outage."""
        return self.since is not None

    @property
    def half_suspected(self) -> bool:
        """Whether there is an outage, or the last calls of more than one flow failed: one may be about to begin.

        After `SILENT_CALLS` failures that opened nothing, it is the flows that fail.
        """
        undecided = self._failures < SILENT_CALLS
        return self.is_open or (undecided and len(self._charged) > 1)

    def allow(self, now: float) -> Decision:
        """Decide about the next call. Call `probe_sent` when a probe is sent."""
        if self.since is None:
            return _CLOSED
        limit_s = self._limit_s if self._has_answered else min(self._limit_s, FIRST_ANSWER_S)
        remaining_s = self.since + limit_s - now
        if remaining_s <= 0:
            return GiveUp(self._error(now - self.since))
        wait_s = min(self._probe_at - now, remaining_s)
        return Wait(wait_s) if wait_s > 0 else _PROBE

    def probe_sent(self, now: float) -> None:
        """Record that a probe was sent. The time until the next one doubles, up to `PROBE_CAP_S`."""
        self._interval_s = min(PROBE_CAP_S, self._interval_s * 2)
        self._probe_at = now + self._interval_s

    def record_success(self) -> float | None:
        """Record an answer of the service; return when the outage began, if this ends one."""
        since, self.since = self.since, None
        self._has_answered = True
        self._failures = self._unsent = 0
        self._any_readable = False
        self._charged.clear()
        return since

    def record_failure(
        self, row: int, reply: Reply, sent_at: float, now: float, *, flows_left: int | None
    ) -> bool:
        """Record a call without an answer of the service; return whether this opens the breaker.

        `row` is the flow's, `flows_left` how many flows are left with this one, None for many. The outage began
        when the first of the failed calls was sent.
        """
        self._last_failure = reply
        if self.is_open:
            return False
        if self._failures == 0:
            self._first_failure_at = sent_at
        self._failures += 1
        self._any_readable |= reply.readable
        if reply.reached:
            self._unsent = 0
            self._charged[row] += 1
        else:
            self._unsent += 1
        if self._unsent < SILENT_CALLS and not self._concerns_all_flows(flows_left):
            return False
        self.since = self._first_failure_at
        self._interval_s = _FIRST_PROBE_S
        self._probe_at = now + self._interval_s
        if reply.reached:
            self._charged[row] -= 1  # the flow has not been charged with this call yet
        self._refunds.update(self._charged)
        return True

    def refund(self, row: int) -> int:
        """Return how many attempts a flow was charged with for the calls that opened the breaker, once."""
        return self._refunds.pop(row, 0)

    def _concerns_all_flows(self, flows_left: int | None) -> bool:
        if flows_left is None or self._any_readable:
            enough = _ENOUGH_FLOWS
        else:
            enough = min(_ENOUGH_FLOWS, max(2, flows_left))
        return self._failures >= SILENT_CALLS and len(self._charged) >= enough

    def _error(self, lasted_s: float) -> OutageError:
        lasted = f"{lasted_s / 60:.0f} minutes" if lasted_s >= _MINUTES_FROM_S else f"{lasted_s:.0f} seconds"
        last = self._last_failure
        status = f"HTTP {last.status} " if last.status else ""
        if not self._has_answered:
            return OutageError(
                f"the service has never answered this job, for {lasted}; the last try: {status}{printable(last.message)}."
                " No flow is blamed for that. Check the endpoint for a typing error, then the network and the proxy;"
                " the same command goes on"
            )
        return OutageError(
            f"the service has not answered for {lasted}; the last try: {status}{printable(last.message)}. "
            "No flow is blamed for that. Check the network, the proxy and the endpoint, then go on",
            Advice.WAIT_LONGER,
        )
