"""What of a view fits on one line of a terminal, by priority. Pure."""

from collections.abc import Iterator
from enum import Enum, auto
from typing import NamedTuple

from flowreaper.cli.terminal.progress import View, time_left, why_slow

_GAP = "  "
_NARROWEST_BAR = 8
_WIDEST_BAR = 40
_BAR_STEP = 4  # the bar's width does not follow each digit more or less
_THOUSAND = 1000


class Kind(Enum):
    """What a part of the line says, in the order from left to right."""

    COUNTS = auto()
    PERCENT = auto()
    THIS_RUN = auto()
    PACE = auto()
    TROUBLE = auto()
    TIME_LEFT = auto()
    CLOCK = auto()
    REASON = auto()


class Part(NamedTuple):
    """A piece of the line; `gap` stands before it, unless it is the first."""

    kind: Kind
    text: str
    gap: str = _GAP


class Line(NamedTuple):
    """A line: a bar of `bar` cells, 0 for none, which is `done` of `total` full, and texts of ASCII after it."""

    bar: int
    done: int
    total: int
    parts: tuple[Part, ...]

    @property
    def text(self) -> str:
        """What stands after the bar and a gap."""
        return "".join(
            part.text if number == 0 else part.gap + part.text for number, part in enumerate(self.parts)
        )

    @property
    def columns(self) -> int:
        """How many columns it takes."""
        bar = self.bar + len(_GAP) if self.bar else 0
        return bar + len(self.text)


def lay_out(view: View, columns: int) -> Line:
    """Return what fits into `columns`: the most important of what there is, and a bar if room is left."""
    line = Line(0, view.done, view.total, ())
    for wordings in _by_priority(view):
        for wording in wordings:
            longer = line._replace(parts=_in_order((*line.parts, wording)))
            if longer.columns <= columns and _makes_sense(longer):
                line = longer
                break
    room = min(columns - line.columns - len(_GAP), _WIDEST_BAR)
    if view.percent is None or not line.parts or room < _NARROWEST_BAR:
        return line
    return line._replace(bar=room - room % _BAR_STEP)


def _by_priority(view: View) -> Iterator[tuple[Part, ...]]:
    """Yield what there is to say, the most important first, each in its wordings, the longest first."""
    counts = f"{view.done:,}/{view.total:,}"
    more = "+" if view.run.reading else ""
    if view.total:
        yield (
            Part(Kind.COUNTS, counts + more),
            Part(Kind.COUNTS, f"{_compact(view.done)}/{_compact(view.total)}{more}"),
        )
    if view.left_s is not None and view.total:
        yield tuple(Part(Kind.TIME_LEFT, time_left(view.left_s, short=short)) for short in (False, True))
    if view.percent is not None:
        yield (Part(Kind.PERCENT, f"{view.percent}%", " "),)
    if view.total and view.run.silent_s is None:
        yield (Part(Kind.PACE, f"{view.calls_per_s:.1f}/s"),)
    for count, word in view.troubles:
        yield (Part(Kind.TROUBLE, f"{count:,} {word}"),)
    if reason := why_slow(view.run):
        yield (Part(Kind.REASON, reason),)
    if view.ends_at and view.total:
        yield tuple(Part(Kind.CLOCK, view.end(short=short), ", ") for short in (False, True))
    if view.this_run is not None:
        yield (Part(Kind.THIS_RUN, f"this run {view.this_run:,}"),)


def _in_order(parts: tuple[Part, ...]) -> tuple[Part, ...]:
    return tuple(sorted(parts, key=lambda part: part.kind.value))


def _makes_sense(line: Line) -> bool:
    """Return whether no part stands without the one that it belongs to."""
    kinds = {part.kind for part in line.parts}
    return Kind.TIME_LEFT in kinds or Kind.CLOCK not in kinds


def _compact(count: int) -> str:
    """Write a count in four characters or so, rounded down."""
    for unit in ("", "k", "M"):
        if count < 10 * _THOUSAND or unit == "M":
            return f"{count}{unit}"
        count //= _THOUSAND
    raise AssertionError
