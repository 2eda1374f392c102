"""Whether the service answers at all, judged from the calls that got no definite answer. No clock, no await.

Trouble with everything is not trouble with one flow: while nothing answers, no flow is blamed, and single
calls find out whether the service is back. Times are seconds of any clock that never goes back.
"""

from collections import Counter

SILENT_CALLS = 8
"""So many calls one after another without a definite answer are an outage. Where one call in five fails by
chance, that happens once in 400,000 calls."""

PROBE_CAP_S = 10.0
"""The longest time between two probes, and the longest that a probe may take."""

FIRST_ANSWER_S = 60.0
"""The longest wait for a service that has never answered: a mistyped endpoint does not mend itself."""

_FIRST_PROBE_S = 1.0
_ENOUGH_FLOWS = 5


class CircuitBreaker:
    """Told of every reply, says whether there is an outage, and when the next probe may leave.

    `has_answered`: the service has answered this job before, so it is there.
    """

    def __init__(self, *, has_answered: bool = False) -> None:
        self.since: float | None = None
        self.has_answered = has_answered
        self._streak = 0
        self._first_at = 0.0
        self._blamed: Counter[int] = Counter()
        self._forgiven: Counter[int] = Counter()
        self._unreached = 0
        self._said_something = False
        self._interval_s = _FIRST_PROBE_S
        self._probe_at = 0.0

    @property
    def suspected(self) -> bool:
        """Whether the last replies hint at an outage: more than one flow got no definite answer."""
        undecided = self._streak < SILENT_CALLS
        return self.since is not None or (undecided and len(self._blamed) > 1)

    def answered(self) -> float | None:
        """Take note of a definite answer; return since when there was an outage, if this ends one."""
        since, self.since = self.since, None
        self.has_answered = True
        self._streak = self._unreached = 0
        self._said_something = False
        self._blamed.clear()
        return since

    def silent(
        self, row: int, sent_at: float, at: float, *, reached: bool, readable: bool, flows_left: int
    ) -> bool:
        """Take note of a call for a flow without a definite answer; return whether an outage begins.

        The outage began when the first such call was sent.
        `reached` is False where the call certainly never left: that is never one flow's fault. Else the
        calls must have been for five flows. If fewer are left, two or more, then for all of these, and none
        with a `readable` answer: the service itself said there that it failed, perhaps at just these flows.
        """
        if self.since is not None:
            return False
        if self._streak == 0:
            self._first_at = sent_at
        self._streak += 1
        self._said_something |= readable
        if reached:
            self._unreached = 0
            self._blamed[row] += 1
        else:
            self._unreached += 1
        enough = _ENOUGH_FLOWS if self._said_something else min(_ENOUGH_FLOWS, max(2, flows_left))
        everything = self._streak >= SILENT_CALLS and len(self._blamed) >= enough
        if not everything and self._unreached < SILENT_CALLS:
            return False
        self.since = self._first_at
        self._interval_s = _FIRST_PROBE_S
        self._probe_at = at + self._interval_s
        if reached:
            self._blamed[row] -= 1  # this call was not charged yet
        self._forgiven.update(self._blamed)
        return True

    def refund(self, row: int) -> int:
        """Return how many of a flow's attempts fell into the beginning of an outage; asked once, they are gone."""
        return self._forgiven.pop(row, 0)

    def left_s(self, now: float, limit_s: float) -> float:
        """Return for how long to go on waiting: an outage may last `limit_s`, a minute where nothing ever answered."""
        if not self.has_answered:
            limit_s = min(limit_s, FIRST_ANSWER_S)
        return (now if self.since is None else self.since) + limit_s - now

    def probe_wait_s(self, now: float) -> float:
        """Return how long the next call must wait for its turn as a probe; 0 where there is no outage."""
        return 0.0 if self.since is None else max(0.0, self._probe_at - now)

    def probe_sent(self, now: float) -> None:
        """Take note that a probe leaves; the next one comes later, 10 s at most."""
        self._interval_s = min(PROBE_CAP_S, self._interval_s * 2)
        self._probe_at = now + self._interval_s
