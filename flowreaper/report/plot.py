"""Calls and throttles over time as geometry: lines, boxes and labels. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from flowreaper.report.strips import Strip, covered, end_of, strips
from flowreaper.report.ticks import Tick, amount_ticks, time_ticks
from flowreaper.report.time_axis import TimeAxis, time_axis
from flowreaper.store.history import Minute, PastRun

_STRIP = 2.0  # how wide, in units of the plot
_LEFT, _RIGHT = 44.0, 20.0
_DIGIT = 7.0  # how wide, at the size of the labels
_SEEN = 3.0  # the least height that is seen
_MOST_APART = 40  # pieces of the axis have rules of their own
_MOST_STARTS = 60  # more lines and crosses would hide what is beneath them

Point = tuple[float, float]
Line = tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class Lane:
    """A part of the plot with an axis of its own: from `top` down to `base`. `most` is the amount at its upper end."""

    top: float
    base: float
    most: float
    ticks: tuple[Tick, ...]

    def y(self, amount: float) -> float:
        """Return the height of an amount."""
        return self.base - amount / self.most * (self.base - self.top)


@dataclass(frozen=True, slots=True)
class Band:
    """What lies between two places of the time axis."""

    left: float
    right: float


@dataclass(frozen=True, slots=True)
class Silence:
    """A time in which nothing answered for a part of it: `bottom` is how far down the lane that part reaches."""

    left: float
    right: float
    bottom: float


@dataclass(frozen=True, slots=True)
class Pause:
    """A pause that the time axis shortens, and how long it was in seconds."""

    left: float
    right: float
    seconds: float


@dataclass(frozen=True, slots=True)
class RunMark:
    """A run, or several that are too close to be drawn apart: numbers `first` to `last`.

    `cut_off`: one has no end; `goes_on`: neither has the one that goes on.
    """

    first: int
    last: int
    left: float
    right: float
    cut_off: bool
    goes_on: bool
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """What there is to draw, in units from the upper left corner.

    `calls` and `permitted` are stepped lines in the lane `pace`, of calls a second; `throttled` in the lane below, of
    calls a minute. No line crosses a time without work. In `silent` nothing answered for a part of the time. `drawn`
    is the time axis without its shortened pauses. `starts`, `cut_off` and `goes_on` are empty where there are too many
    runs to tell these marks apart.
    """

    width: float
    left: float
    right: float
    pace: Lane
    throttles: Lane
    calls: tuple[Line, ...]
    permitted: tuple[Line, ...]
    throttled: tuple[Line, ...]
    silent: tuple[Silence, ...]
    drawn: tuple[Band, ...]
    pauses: tuple[Pause, ...]
    runs: tuple[RunMark, ...]
    starts: tuple[float, ...]
    cut_off: tuple[RunMark, ...]
    goes_on: tuple[RunMark, ...]
    times: tuple[Tick, ...]


def plot(
    runs: Sequence[PastRun], minutes: Sequence[Minute], width: float, goes_on: int | None = None
) -> Plot | None:
    """Return the plot of a job's history; None where there is none. Neither need be in order.

    `goes_on` is the number of the run that goes on.
    """
    if not runs and not minutes:
        return None
    left, right = _LEFT, width - _RIGHT
    axis = time_axis(covered(runs, minutes), left, right)
    many = max(1, round((right - left) / _STRIP))
    found = strips(axis, runs, minutes, left=left, width=_STRIP, many=many)
    pace = _lane(56, 236, [_calls, _permitted], found, at_least=1.0, most=6)
    throttles = _lane(272, 312, [_throttled], found, at_least=1.0, most=2)
    marks = _marks(axis, runs, goes_on, left, width)
    apart = marks if len(marks) <= _MOST_STARTS else ()
    drawn = tuple(Band(piece.left, piece.right) for piece in axis.drawn)
    return Plot(
        width=width,
        left=left,
        right=right,
        pace=pace,
        throttles=throttles,
        calls=_lines(found, _calls, pace, left),
        permitted=_lines(found, _permitted, pace, left),
        throttled=_lines(found, _throttled, throttles, left),
        silent=_silent(found, pace, left),
        drawn=drawn if len(drawn) <= _MOST_APART else (Band(left, right),),
        pauses=tuple(Pause(p.left, p.right, (p.end_ms - p.start_ms) / 1000) for p in axis.pauses),
        runs=marks,
        starts=tuple(mark.left for mark in apart),
        cut_off=tuple(mark for mark in apart if mark.cut_off),
        goes_on=tuple(mark for mark in apart if mark.goes_on),
        times=tuple(time_ticks(axis)),
    )


def _calls(strip: Strip) -> float:
    return strip.per_s(strip.calls)


def _permitted(strip: Strip) -> float:
    return strip.per_s(strip.permitted)


def _throttled(strip: Strip) -> float:
    return 60 * strip.per_s(strip.throttled)


def _lane(
    top: float,
    base: float,
    amounts: Sequence[Callable[[Strip], float]],
    found: Sequence[Strip | None],
    *,
    at_least: float,
    most: int,
) -> Lane:
    highest = max((amount(strip) for strip in found if strip for amount in amounts), default=0.0)
    end, ticks = amount_ticks(max(at_least, highest), base, base - top, most)
    return Lane(top, base, end, tuple(ticks))


def _lines(
    found: Sequence[Strip | None], amount: Callable[[Strip], float], lane: Lane, left: float
) -> tuple[Line, ...]:
    """Return a stepped line for each row of strips without a gap."""
    lines: list[Line] = []
    points: list[Point] = []
    for number, strip in enumerate((*found, None)):
        at = left + number * _STRIP
        if strip is None:
            if points:
                lines.append((*points, (at, points[-1][1])))
                points = []
            continue
        y = round(lane.y(amount(strip)), 1)
        if not points:
            points.append((at, y))
        elif points[-1][1] != y:
            points += [(at, points[-1][1]), (at, y)]
    return tuple(lines)


def _silent(found: Sequence[Strip | None], lane: Lane, left: float) -> tuple[Silence, ...]:
    bands: list[Silence] = []
    for number, strip in enumerate(found):
        if strip is None or not strip.silent_s:
            continue
        at = left + number * _STRIP
        share = min(1.0, strip.per_s(strip.silent_s))
        bottom = round(max(lane.top + _SEEN, lane.top + share * (lane.base - lane.top)), 1)
        if bands and (bands[-1].right, bands[-1].bottom) == (at, bottom):
            bands[-1] = Silence(bands[-1].left, at + _STRIP, bottom)
        else:
            bands.append(Silence(at, at + _STRIP, bottom))
    return tuple(bands)


def _marks(
    axis: TimeAxis, runs: Sequence[PastRun], goes_on: int | None, left: float, width: float
) -> tuple[RunMark, ...]:
    """Return a mark for each run; runs that begin within the same strip have one together."""
    groups: dict[int, list[PastRun]] = {}
    for run in sorted(runs, key=lambda run: (run.started_at_ms, run.number)):
        groups.setdefault(int((axis.x(run.started_at_ms) - left) / _STRIP), []).append(run)
    begins = [axis.x(group[0].started_at_ms) for group in groups.values()]
    return tuple(
        _mark(axis, group, goes_on, begin, room_until - begin)
        for group, begin, room_until in zip(groups.values(), begins, [*begins[1:], width], strict=True)
    )


def _mark(
    axis: TimeAxis, group: Sequence[PastRun], goes_on: int | None, begin: float, room: float
) -> RunMark:
    numbers = [run.number for run in group]
    first, last = min(numbers), max(numbers)
    label = str(first) if first == last else f"{first}\N{EN DASH}{last}"
    return RunMark(
        first,
        last,
        begin,
        max(begin + _STRIP / 2, *[axis.x(end_of(run)) for run in group]),
        any(run.ended_at_ms is None and run.number != goes_on for run in group),
        any(run.ended_at_ms is None and run.number == goes_on for run in group),
        label if room >= _DIGIT * len(label) + _DIGIT else "",
    )
