"""Where a plot's axes have labels, and what these say. Pure."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from flowreaper.report.time_axis import Piece, TimeAxis

_SECOND, _MINUTE, _HOUR, _DAY = 1000, 60_000, 3_600_000, 86_400_000
_STEPS = (
    *(number * _SECOND for number in (1, 2, 5, 10, 15, 30)),
    *(number * _MINUTE for number in (1, 2, 5, 10, 15, 30)),
    *(number * _HOUR for number in (1, 2, 3, 6, 12)),
    *(number * _DAY for number in (1, 2, 7, 14, 28, 91, 182, 365, 3650)),
)
_ABOVE = 0.03  # of a step may be above the last label: a second may hold a call more than the pace
_ROOM = 58.0  # between the middles of two times
_ROOM_OF_DATE = 70.0


@dataclass(frozen=True, slots=True)
class Tick:
    """A label of an axis: `at` is its place; `below` stands in a second row, empty where the row says nothing new."""

    at: float
    text: str
    below: str = ""


def time_ticks(axis: TimeAxis) -> list[Tick]:
    """Return the labels of a time axis, in UTC, as many as have room."""
    step = _step(axis)
    found: list[Tick] = []
    date_at, last_at = -math.inf, -math.inf
    for piece in axis.drawn:
        shown = ""  # after a pause, the date is said again
        for at_ms in _times(piece, step):
            at = axis.x(at_ms)
            if at - last_at < _ROOM:
                continue
            time, date = _words(at_ms, step)
            below = date if date != shown and at - date_at >= _ROOM_OF_DATE else ""
            if below:
                shown, date_at = date, at
            found.append(Tick(at, time, below))
            last_at = at
    return found


def amount_ticks(top: float, base: float, height: float, most: int = 5) -> tuple[float, list[Tick]]:
    """Return the amount at the upper end of an axis that shows 0 to `top`, and its labels; `height` above `base`."""
    rough = max(top, 1e-9) / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * 0.999)
    steps = max(1, math.ceil(top / step - _ABOVE))
    labels = [Tick(base - height * number / steps, f"{number * step:,.6g}") for number in range(steps + 1)]
    return steps * step, labels


def _step(axis: TimeAxis) -> int:
    drawn = axis.drawn
    width = sum(piece.right - piece.left for piece in drawn)
    per_ms = width / sum(piece.end_ms - piece.start_ms for piece in drawn)
    return next((step for step in _STEPS if step * per_ms >= _ROOM), _STEPS[-1])


def _times(piece: Piece, step: int) -> Iterator[int]:
    """Yield the round times of a piece; where there is none, its beginning."""
    first = -(-piece.start_ms // step) * step
    if first > piece.end_ms:
        yield piece.start_ms
    else:
        yield from range(first, piece.end_ms + 1, step)


def _words(at_ms: int, step: int) -> tuple[str, str]:
    at = datetime.fromtimestamp(at_ms / 1000, UTC)
    if step >= _DAY:
        return f"{at:%m-%d}", f"{at:%Y}"
    return f"{at:%H:%M:%S}" if step < _MINUTE else f"{at:%H:%M}", f"{at:%Y-%m-%d}"
