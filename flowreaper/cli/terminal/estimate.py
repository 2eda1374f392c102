"""How fast a run is, and how long it still takes, from one look at it after the other. Pure."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, replace

from flowreaper.job.summary import Snapshot

_PACE_OVER_S = 10.0
_WINDOW_S = 300.0
_STRETCH_S = 5.0
_PERMITTED_OVER_S = 60.0
# A process that looks several times a second and misses that long was stopped (Ctrl-Z), or its machine slept.
_GAP_S = 5.0
_TRUSTED_AFTER_S = 60.0
_NEVER_S = 100 * 365 * 86400.0


@dataclass(slots=True)
class _Stretch:
    """A few seconds in which the run did its work: until when, how long, what was permitted, what came of it."""

    until: float
    seconds: float = 0.0
    permitted: float = 0.0
    outcomes: int = 0


class Estimator:
    """Estimates pace and time left. Show it the run at least once a second, in order of time.

    The time left follows from the permitted pace and from how many outcomes came of a permitted call in the last five
    minutes. What is no work counts for nothing: time in which the process was stopped, nothing answered, or no flow
    was there to call.
    """

    def __init__(self) -> None:
        self._last: Snapshot | None = None
        self._active_s = 0.0
        self._sent: deque[tuple[float, int]] = deque()
        self._stretches: deque[_Stretch] = deque()

    def add(self, run: Snapshot) -> None:
        """Take a look at the run into account."""
        last, self._last = self._last, run
        if last is None:
            last = replace(run, elapsed_s=0.0, calls=0, done={}, left=0, silent_s=None)
            self._sent = deque([(0.0, 0)])
        seconds = max(0.0, run.elapsed_s - last.elapsed_s)
        if seconds > _GAP_S:
            self._sent = deque([(self._active_s, run.calls)])
            return
        self._active_s += seconds
        self._record_calls(run.calls)
        if run.silent_s is not None:
            self._forget_since(run.elapsed_s - run.silent_s)
        elif last.to_do:
            self._record_work(last, run, seconds)

    @property
    def calls_per_s(self) -> float:
        """The pace of the last ten seconds, at most what was asked for: counting is exact to one call only."""
        if self._last is None or not self._sent:
            return 0.0
        since_s, calls = self._sent[0]
        seconds = self._active_s - since_s
        return max(0.0, min((self._last.calls - calls) / seconds, self._last.rate)) if seconds > 0 else 0.0

    @property
    def left_s(self) -> float | None:
        """For how many seconds the run still works; None where nobody can know.

        A run that will be told to stop works no longer than that, however much it still reads.
        """
        run = self._last
        if run is None:
            return None
        flows_per_s = self._permitted(run) * self._yield(run)
        seconds = run.to_do / flows_per_s if flows_per_s > 0 else _NEVER_S
        if run.stops_in_s is not None and run.stops_in_s <= seconds:
            return run.stops_in_s
        return seconds if seconds < _NEVER_S and not run.reading else None

    def _record_calls(self, calls: int) -> None:
        sent = self._sent
        sent.append((self._active_s, calls))
        while len(sent) > 2 and self._active_s - sent[1][0] >= _PACE_OVER_S:  # noqa: PLR2004 -- two points make a slope
            sent.popleft()

    def _record_work(self, last: Snapshot, run: Snapshot, seconds: float) -> None:
        stretches = self._stretches
        if not stretches or stretches[-1].seconds >= _STRETCH_S:
            stretches.append(_Stretch(run.elapsed_s))
        stretch = stretches[-1]
        stretch.until = run.elapsed_s
        stretch.seconds += seconds
        stretch.permitted += seconds * run.permitted_per_s
        stretch.outcomes += run.called - last.called
        while len(stretches) > _WINDOW_S / _STRETCH_S:
            stretches.popleft()

    def _forget_since(self, moment: float) -> None:
        """Forget the work after a moment: an outage is known only some calls after it began."""
        while self._stretches and self._stretches[-1].until > moment:
            self._stretches.pop()

    def _permitted(self, run: Snapshot) -> float:
        recent = list(self._stretches)[-int(_PERMITTED_OVER_S / _STRETCH_S) :]
        seconds = _total(stretch.seconds for stretch in recent)
        return _total(stretch.permitted for stretch in recent) / seconds if seconds else run.permitted_per_s

    def _yield(self, run: Snapshot) -> float:
        """Return how many outcomes come of a permitted call: at first one, then what the last minutes show."""
        worked_s = _total(stretch.seconds for stretch in self._stretches)
        assumed = max(0.0, _TRUSTED_AFTER_S - worked_s) * run.permitted_per_s
        permitted = _total(stretch.permitted for stretch in self._stretches) + assumed
        outcomes = max(0, sum(stretch.outcomes for stretch in self._stretches)) + assumed
        return outcomes / permitted if permitted > 0 else 0.0


def _total(numbers: Iterable[float]) -> float:
    return sum(numbers, 0.0)
