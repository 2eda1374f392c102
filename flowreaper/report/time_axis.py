"""A time axis that shortens long pauses, so that they do not press the time between them to a hairline. Pure."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

_MOST_EMPTY = 0.3  # of the time that is drawn to scale may be gaps; beyond, the longest gaps are shortened
_ALIKE = 3  # a gap of at least a third of a shortened one is shortened, too
_PAUSE_WIDTH = 26.0
_MOST_PAUSES = 0.3  # of the width go to shortened pauses

_SHORTEST_MS = 1000  # what is shorter is drawn as long as this

Span = tuple[int, int]
"""From and until, in milliseconds since the epoch."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of the axis, linear in itself: `start_ms` lies at `left`, `end_ms` at `right`.

    `pause`: it is a shortened pause, not to scale.
    """

    start_ms: int
    end_ms: int
    left: float
    right: float
    pause: bool = False


@dataclass(frozen=True, slots=True)
class TimeAxis:
    """The pieces of an axis, in their order, without a hole between them, and where each begins."""

    pieces: tuple[Piece, ...]
    starts_ms: tuple[int, ...]

    def x(self, at_ms: int) -> float:
        """Return where a time lies; what is before or after the axis lies at its end."""
        number = bisect_right(self.starts_ms, at_ms) - 1
        piece = self.pieces[max(0, number)]
        share = (at_ms - piece.start_ms) / (piece.end_ms - piece.start_ms)
        return piece.left + min(1.0, max(0.0, share)) * (piece.right - piece.left)

    @property
    def drawn(self) -> tuple[Piece, ...]:
        """The pieces that are drawn to scale."""
        return tuple(piece for piece in self.pieces if not piece.pause)

    @property
    def pauses(self) -> tuple[Piece, ...]:
        """The shortened pauses."""
        return tuple(piece for piece in self.pieces if piece.pause)


def time_axis(covered: Iterable[Span], left: float, right: float) -> TimeAxis:
    """Return the axis over the time that is covered, which must not be empty, from `left` to `right`."""
    spans = _merged(covered)
    shortened = _shortened(spans)
    drawn = _joined(spans, shortened)
    pause = min(_PAUSE_WIDTH, (right - left) * _MOST_PAUSES / max(1, len(shortened)))
    width = right - left - pause * len(shortened)
    per_ms = width / sum(end - start for start, end in drawn)
    pieces: list[Piece] = []
    at = left
    for number, (start, end) in enumerate(drawn):
        if number:
            pieces.append(Piece(drawn[number - 1][1], start, at, at + pause, pause=True))
            at += pause
        pieces.append(Piece(start, end, at, at + (end - start) * per_ms))
        at += (end - start) * per_ms
    return TimeAxis(tuple(pieces), tuple(piece.start_ms for piece in pieces))


def _merged(covered: Iterable[Span]) -> list[Span]:
    spans: list[Span] = []
    for start, until in sorted(covered):
        end = max(until, start + _SHORTEST_MS)
        if spans and start <= spans[-1][1]:
            spans[-1] = (spans[-1][0], max(end, spans[-1][1]))
        else:
            spans.append((start, end))
    return spans


def _shortened(spans: Sequence[Span]) -> set[int]:
    """Return the gaps to shorten, each by the number of the span before it: the longest, as many as it takes."""
    gaps = [after[0] - before[1] for before, after in pairwise(spans)]
    active, empty = sum(end - start for start, end in spans), sum(gaps)
    shortest = 0
    for gap in sorted(gaps, reverse=True):
        if empty <= _MOST_EMPTY * (active + empty):
            break
        shortest = gap
        empty -= gap
    return {number for number, gap in enumerate(gaps) if shortest and gap * _ALIKE >= shortest}


def _joined(spans: Sequence[Span], shortened: set[int]) -> list[Span]:
    """Return the spans, those joined between which no gap is shortened."""
    joined = [spans[0]]
    for number, span in enumerate(spans[1:]):
        if number in shortened:
            joined.append(span)
        else:
            joined[-1] = (joined[-1][0], span[1])
    return joined
