"""What the runs did, by narrow strips of a plot's width: its size does not grow with the number of minutes. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from flowreaper.report.time_axis import Span, TimeAxis
from flowreaper.store.history import Minute, PastRun

_MINUTE_S = 60
_MINUTE_MS = 60_000


@dataclass(slots=True)
class Strip:
    """What was done in the time that a strip stands for, so far as runs were going on in it: in `seconds` of it."""

    seconds: float = 0.0
    calls: float = 0.0
    throttled: float = 0.0
    silent_s: float = 0.0
    permitted: float = 0.0  # calls that were permitted

    def add(self, minute: Minute, seconds: float, share: float) -> None:
        """Add this share of a minute that a run spent `seconds` in."""
        self.seconds += seconds * share
        self.calls += minute.calls * share
        self.throttled += minute.throttled * share
        self.silent_s += minute.silent_s * share
        self.permitted += minute.permitted_per_s * seconds * share

    def per_s(self, amount: float) -> float:
        """Return an amount of this strip divided by its seconds."""
        return amount / self.seconds


def span_of(minute: Minute, runs: Mapping[int, PastRun]) -> Span:
    """Return the part of a minute in which its run was going on; the whole of it where that is not known."""
    start, end = minute.at_s * 1000, minute.at_s * 1000 + _MINUTE_MS
    if run := runs.get(minute.run):
        start, end = max(start, run.started_at_ms), min(end, end_of(run))
    return (start, end) if start < end else (minute.at_s * 1000, minute.at_s * 1000 + _MINUTE_MS)


def end_of(run: PastRun) -> int:
    """Return when a run ended, or was last seen, in milliseconds since the epoch; never before it began."""
    return max(run.started_at_ms, run.seen_at_ms if run.ended_at_ms is None else run.ended_at_ms)


def covered(runs: Sequence[PastRun], minutes: Iterable[Minute]) -> Iterator[Span]:
    """Yield the time of which something is known: each minute, and the beginning and the end of each run.

    Not a run as a whole: where a machine was suspended, or nothing was to be done, a run has no minutes.
    """
    known = {run.number: run for run in runs}
    for minute in minutes:
        yield span_of(minute, known)
    for run in runs:
        start, end = run.started_at_ms, end_of(run)
        yield start, min(end, start + _MINUTE_MS)
        yield max(start, end - _MINUTE_MS), end


def taken_s(seconds: float, rate: float) -> float:
    """Return how long calls took that were sent within `seconds`: the last one takes up an interval, too.

    Without it, 30 calls in 5.8 s would seem faster than the 5 a second that were permitted.
    """
    return max(1.0, seconds + (min(_MINUTE_S, 1 / rate) if rate else 0.0))


def extent(runs: Sequence[PastRun], minutes: Iterable[Minute]) -> Span | None:
    """Return when the history begins and ends; None where there is none."""
    spans = list(covered(runs, minutes))
    return (min(start for start, _ in spans), max(end for _, end in spans)) if spans else None


def strips(
    axis: TimeAxis,
    runs: Sequence[PastRun],
    minutes: Iterable[Minute],
    *,
    left: float,
    width: float,
    many: int,
) -> list[Strip | None]:
    """Return `many` strips, each `width` wide, from `left` on; None where no run had work."""
    known = {run.number: run for run in runs}
    found: list[Strip | None] = [None] * many
    for minute in minutes:
        start, end = span_of(minute, known)
        seconds = (end - start) / 1000
        if seconds < _MINUTE_S:
            seconds = taken_s(seconds, minute.permitted_per_s)
        for number, share in _shares((axis.x(start) - left) / width, (axis.x(end) - left) / width, many):
            strip = found[number] = found[number] or Strip()
            strip.add(minute, seconds, share)
    return found


def _shares(start: float, end: float, many: int) -> Iterator[tuple[int, float]]:
    """Yield each strip that lies between two places, counted in strips, and its share of what lies between them."""
    first, last = min(many - 1, int(start)), min(many - 1, int(end))
    if first == last or end - start < 1e-6:  # noqa: PLR2004 -- too narrow to be shared out
        yield first, 1.0
        return
    for number in range(first, last + 1):
        share = (min(end, number + 1) - max(start, number)) / (end - start)
        if share > 1e-6:  # noqa: PLR2004 -- a border that lies on a strip's edge
            yield number, share
